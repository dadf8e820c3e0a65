//! Learned tables that stand in place of one-hot inputs where a column has many categories.

use super::Network;
use crate::error::{Error, Result};
use crate::kernels::gradient_statistics::BLOCK;

/// A column of a data row whose values are codes, each the index of a row of a learned table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddingShape {
    /// Its place among the values of a data row, from 0.
    pub column: usize,
    /// Rows of the table: codes go from 0 to one less. A code below 0 has no row, and stands for a
    /// vector of zeros.
    pub categories: usize,
    /// Columns of the table: inputs of the first layer that stand in the code's place.
    pub size: usize,
}

/// One table `[categories, size]`, row-major, with its place in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedding {
    /// What it stands in place of.
    pub shape: EmbeddingShape,
    /// Where its vector begins among the first layer's inputs.
    pub input: usize,
    /// Where the table begins in a member's arena.
    pub offset: usize,
}

impl Embedding {
    /// Values of the table.
    pub fn values(&self) -> usize {
        self.shape.categories * self.shape.size
    }
}

/// Codes past this are no integers of f32 any more.
const MOST_CATEGORIES: usize = 1 << 24;

/// Lays the tables out at the beginning of the arena, each at a multiple of 64, in the order of their
/// columns; with them the width of the first layer's input, and where the last table ends.
pub(super) fn place(
    inputs: usize,
    shapes: &[EmbeddingShape],
) -> Result<(Vec<Embedding>, usize, usize)> {
    let mut shapes = shapes.to_vec();
    shapes.sort_by_key(|shape| shape.column);
    let (mut width, mut end) = (inputs, 0_usize);
    let mut all: Vec<Embedding> = Vec::with_capacity(shapes.len());
    for shape in shapes {
        let EmbeddingShape { column, categories, size } = shape;
        let is_twice = all.last().is_some_and(|last| last.shape.column == column);
        if column >= inputs || is_twice || categories == 0 || size == 0 {
            return Err(Error::internal(format!(
                "{shape:?} is no embedding of one of {inputs} columns of its own"
            )));
        }
        let too_large = || {
            let most = if categories > MOST_CATEGORIES {
                format!("at most {MOST_CATEGORIES} categories can be told apart")
            } else {
                "that takes the network past 2^32 parameters".to_owned()
            };
            Error::usage(format!("an embedding of {categories} categories by {size}: {most}"))
                .with_help("use a smaller embedding, or fewer categories")
        };
        let offset = end.checked_next_multiple_of(BLOCK).ok_or_else(too_large)?;
        let new_end = categories.checked_mul(size).and_then(|values| offset.checked_add(values));
        let fits = |end: &usize| end.checked_add(BLOCK).is_some_and(|e| u32::try_from(e).is_ok());
        end =
            new_end.filter(fits).filter(|_| categories <= MOST_CATEGORIES).ok_or_else(too_large)?;
        // The columns before it are as wide as the vectors that they have become.
        let input = column + (width - inputs);
        width = width.checked_add(size - 1).ok_or_else(too_large)?;
        all.push(Embedding { shape, input, offset });
    }
    Ok((all, width, end))
}

impl Network {
    /// Where the tables of its embeddings end in a member's arena, padding included: they lie before
    /// all layers.
    pub fn tables_end(&self) -> usize {
        let end = self.embeddings.last().map_or(0, |last| last.offset + last.values());
        end.next_multiple_of(BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LayerShape, TensorKind};
    use super::*;
    use crate::catalog::activation::ActivationSettings;

    fn embedded(inputs: usize, shapes: &[[usize; 3]]) -> Result<Network> {
        let shapes: Vec<EmbeddingShape> = shapes
            .iter()
            .map(|[column, categories, size]| EmbeddingShape {
                column: *column,
                categories: *categories,
                size: *size,
            })
            .collect();
        let layer = |units| LayerShape::new(units, ActivationSettings::linear());
        Network::embedded(2, inputs, &shapes, &[layer(7)], layer(3))
    }

    #[test]
    fn vectors_stand_in_the_place_of_their_columns() -> Result<()> {
        // a, [b: 40 x 3], c, [d: 5 x 2], in any order.
        let network = embedded(4, &[[3, 5, 2], [1, 40, 3]])?;
        assert_eq!((network.inputs, network.layers[0].inputs), (4, 7));
        let places: Vec<_> = network.embeddings.iter().map(|e| (e.shape.column, e.input)).collect();
        assert_eq!(places, [(1, 1), (3, 5)]);
        let tensors = network.tensors();
        let tables: Vec<_> = tensors
            .iter()
            .filter(|tensor| tensor.kind == TensorKind::Embedding)
            .map(|tensor| (tensor.name.as_str(), tensor.shape.clone(), tensor.offset))
            .collect();
        assert_eq!(
            tables,
            [("embeddings.0.weight", vec![40, 3], 0), ("embeddings.1.weight", vec![5, 2], 128)]
        );
        assert_eq!(tensors[2].name, "layers.0.weight");
        assert_eq!(tensors[2].offset, network.layers[0].offsets.weight);
        assert_eq!((network.tables_end(), network.layers[0].offsets.weight), (192, 192));
        assert_eq!(network.parameters(), 120 + 10 + 7 * 7 + 7 + 7 * 3 + 3);
        assert_eq!(network.shape(), "7-7-3");
        for tensor in &tensors {
            assert_eq!(network.tensor_at(tensor.offset + tensor.length - 1).as_ref(), Some(tensor));
        }
        Ok(())
    }

    #[test]
    fn tables_that_cannot_be_are_refused() {
        let message = |inputs, shapes: &[[usize; 3]]| {
            embedded(inputs, shapes).map(|_| ()).unwrap_err().to_string()
        };
        assert!(message(2, &[[0, 1 << 24, 1 << 10]]).contains("2^32"));
        assert!(message(2, &[[0, 1 << 24, 200], [1, 1 << 24, 200]]).contains("2^32"));
        assert!(message(2, &[[0, (1 << 24) + 1, 1]]).contains("16777216 categories"));
        assert!(message(2, &[[0, usize::MAX, 2]]).contains("categories"));
        assert!(message(2, &[[0, 2, usize::MAX]]).contains("2^32"));
        for shapes in [&[[2, 3, 2]][..], &[[0, 0, 2]], &[[0, 2, 0]], &[[1, 2, 2], [1, 3, 3]]] {
            assert!(embedded(2, shapes).is_err(), "{shapes:?}");
        }
    }
}
