//! A table in memory, made by a program.

use std::path::Path;
use std::sync::Arc;

use super::{CHUNK_ROWS, Cells, Chunk, Kind, Numbers, Places, Reader, Schema, SchemaColumn, Texts};
use crate::error::{Error, Place, Result};

/// What stands for a file's name in messages.
const NAME: &str = "columns in memory";

/// A table in memory: named columns of numbers or texts, all of one length.
///
/// ```
/// use wgfit::data::Columns;
///
/// let table = Columns::new()
///     .numbers("weight", vec![61.0, 74.5, f64::NAN])
///     .texts("coat", ["long", "short", ""]);
/// assert_eq!(table.rows(), 3);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Columns {
    columns: Vec<(String, Values)>,
}

#[derive(Debug, Clone)]
enum Values {
    Numbers(Vec<f64>),
    /// Every `width`-th value of a matrix, from the `column`-th on.
    Matrix(Arc<[f32]>, usize, usize),
    Booleans(Vec<bool>),
    Texts(Vec<String>),
}

impl Values {
    fn rows(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Matrix(values, _, width) => values.len() / width,
            Self::Booleans(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    /// Some rows; none where their texts take more than 4 GiB.
    fn cells(&self, from: usize, to: usize) -> Option<Cells> {
        Some(match self {
            Self::Numbers(values) => Cells::Numbers(Numbers::F64(values[from..to].to_vec())),
            Self::Matrix(values, column, width) => {
                let row = |row: usize| values[row * width + column];
                Cells::Numbers(Numbers::F32((from..to).map(row).collect()))
            }
            Self::Booleans(values) => {
                let number = |yes: &bool| u8::from(*yes);
                Cells::Numbers(Numbers::U8(values[from..to].iter().map(number).collect()))
            }
            Self::Texts(values) => {
                Cells::Text(Texts::of(values[from..to].iter().map(|text| text.trim()))?)
            }
        })
    }
}

impl Columns {
    /// A table without columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a column of numbers; "not a number" is a missing value.
    #[must_use]
    pub fn numbers(self, name: &str, values: impl Into<Vec<f64>>) -> Self {
        self.with(name.to_owned(), Values::Numbers(values.into()))
    }

    /// With a column of yes and no.
    #[must_use]
    pub fn booleans(self, name: &str, values: impl Into<Vec<bool>>) -> Self {
        self.with(name.to_owned(), Values::Booleans(values.into()))
    }

    /// With a column of texts; an empty one is a missing value.
    #[must_use]
    pub fn texts<T: Into<String>>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        let texts = values.into_iter().map(Into::into).collect();
        self.with(name.to_owned(), Values::Texts(texts))
    }

    /// With the columns of a matrix, `values` being `[rows, names]` row by row; "not a number" is a
    /// missing value.
    ///
    /// # Errors
    /// When `values` are not whole rows.
    pub fn matrix<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
        values: impl Into<Arc<[f32]>>,
    ) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let values = values.into();
        let width = names.len();
        if width == 0 || !values.len().is_multiple_of(width) {
            let problem = format!("{} values are not whole rows of {width} columns", values.len());
            return Err(Error::data(Path::new(NAME), Place::default(), problem));
        }
        for (column, name) in names.into_iter().enumerate() {
            self = self.with(name, Values::Matrix(Arc::clone(&values), column, width));
        }
        Ok(self)
    }

    fn with(mut self, name: String, values: Values) -> Self {
        self.columns.push((name, values));
        self
    }

    /// The rows of its first column.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, values)| values.rows())
    }

    /// Reads it as a file is read.
    pub(in crate::data) fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        let rows = self.rows();
        let fault = |name: &str, problem: String| {
            Err(Error::data(Path::new(NAME), Place::column(name), problem))
        };
        let mut names = std::collections::HashSet::new();
        for (name, values) in &self.columns {
            if !names.insert(name) {
                return fault(name, "two columns have this name".to_owned());
            }
            if values.rows() != rows {
                let problem = format!("{} rows, but the first column has {rows}", values.rows());
                return fault(name, problem);
            }
        }
        let columns = self.columns.iter().map(|(name, values)| SchemaColumn {
            name: name.clone(),
            kind: match values {
                Values::Numbers(_) | Values::Matrix(..) => Kind::Number,
                Values::Booleans(_) => Kind::Boolean,
                Values::Texts(_) => Kind::Unknown,
            },
        });
        let schema = Schema {
            file: NAME.into(),
            header: true,
            columns: columns.collect(),
            first: Vec::new(),
            rows: u64::try_from(rows).ok(),
            matrix: false,
        };
        Ok(Box::new(ColumnsReader { columns: self, schema, row: 0 }))
    }
}

struct ColumnsReader<'a> {
    columns: &'a Columns,
    schema: Schema,
    row: usize,
}

impl Reader for ColumnsReader<'_> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn next_chunk(&mut self, wanted: &[bool]) -> Result<Option<Chunk>> {
        let from = self.row;
        let to = (from + CHUNK_ROWS).min(self.columns.rows());
        if from == to {
            return Ok(None);
        }
        self.row = to;
        let columns = self.columns.columns.iter().zip(wanted).map(|((name, values), wanted)| {
            let cells = if *wanted { values.cells(from, to) } else { Some(Cells::Skipped) };
            cells.ok_or_else(|| {
                let problem = format!("texts of more than 4 GiB in {} rows", to - from);
                Error::data(Path::new(NAME), Place::column(name), problem)
            })
        });
        Ok(Some(Chunk {
            file: Path::new(NAME).into(),
            rows: to - from,
            places: Places::Rows(u64::try_from(from).unwrap_or(u64::MAX)),
            columns: columns.collect::<Result<_>>()?,
        }))
    }
}
