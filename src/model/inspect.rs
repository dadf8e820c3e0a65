//! What stands in the tensors of a safetensors file: moments, norms, histograms.

use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;

use super::file::read_bounded;
use crate::error::{Error, Result};

/// Bars of a histogram.
pub const BARS: usize = 24;

/// A safetensors file, summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSummary {
    /// Whether wgfit wrote it.
    pub is_model: bool,
    /// Its tensors, in the order of their names, with numbers in them compared as numbers.
    pub tensors: Vec<TensorSummary>,
}

/// A tensor, summed up. Moments, extremes and the histogram are of the values that are finite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorSummary {
    /// Its name in the file.
    pub name: String,
    /// Lengths of its axes; the first is the member's in a model of several.
    pub shape: Vec<usize>,
    /// The type of its values, such as `F32`.
    pub dtype: String,
    /// Values.
    pub count: usize,
    /// Values that are infinite or NaN.
    pub not_finite: usize,
    /// Values that are exactly 0.
    pub zeros: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, of the population.
    pub deviation: f64,
    /// Least value.
    pub least: f64,
    /// Largest value.
    pub largest: f64,
    /// Euclidean norm of all values.
    pub norm: f64,
    /// Values in each of [`BARS`] parts of equal width from the least to the largest value, each with
    /// its lower edge and the last with its upper one too; empty where there are no two values.
    pub histogram: Vec<u64>,
}

impl TensorSummary {
    /// Sums up values.
    fn new(name: &str, shape: &[usize], dtype: Dtype, values: &[f64]) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let count = finite().count();
        let of_all = |sum: f64| if count > 0 { sum / count as f64 } else { 0.0 };
        let mean = of_all(finite().sum());
        let variance = of_all(finite().map(|value| (value - mean).powi(2)).sum());
        let least = finite().fold(f64::INFINITY, f64::min);
        let largest = finite().fold(f64::NEG_INFINITY, f64::max);
        let mut histogram = Vec::new();
        if least < largest {
            histogram = vec![0; BARS];
            // Halved, lest the width of a wide range overflows.
            let width = largest / 2.0 - least / 2.0;
            for value in finite() {
                let share = (value / 2.0 - least / 2.0) / width;
                histogram[((share * BARS as f64) as usize).min(BARS - 1)] += 1;
            }
        }
        Self {
            name: name.to_owned(),
            shape: shape.to_vec(),
            dtype: format!("{dtype:?}"),
            count: values.len(),
            not_finite: values.len() - count,
            zeros: values.iter().filter(|value| **value == 0.0).count(),
            mean,
            deviation: variance.sqrt(),
            least: if count > 0 { least } else { 0.0 },
            largest: if count > 0 { largest } else { 0.0 },
            norm: finite().map(|value| value * value).sum::<f64>().sqrt(),
            histogram,
        }
    }
}

/// Sums up a safetensors file, whoever wrote it.
///
/// # Errors
/// A file that is none, or holds a type of values that is not read.
pub fn summarize(path: &Path) -> Result<FileSummary> {
    let bytes = read_bounded(path, u64::MAX)?;
    let bad = |error| Error::model(path, format!("not a safetensors file: {error}"));
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(bad)?;
    let mut views = SafeTensors::deserialize(&bytes).map_err(bad)?.tensors();
    views.sort_by_cached_key(|(name, _)| natural(name));
    let tensors = views.iter().map(|(name, view)| {
        let values = values(view).ok_or_else(|| {
            Error::model(path, format!("{name} is of type {:?}", view.dtype()))
                .with_help("floats of 16, 32 and 64 bits and integers are read")
        })?;
        Ok(TensorSummary::new(name, view.shape(), view.dtype(), &values))
    });
    Ok(FileSummary {
        is_model: header.metadata().as_ref().is_some_and(|map| map.contains_key("wgfit")),
        tensors: tensors.collect::<Result<_>>()?,
    })
}

/// What names are ordered by: runs of digits as numbers, so that `layers.10` comes after `layers.9`.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, after) = rest.split_at(digits);
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(end);
        parts.push((text.to_owned(), number.parse().unwrap_or(u64::MAX)));
        rest = after;
    }
    parts
}

fn values(view: &TensorView<'_>) -> Option<Vec<f64>> {
    macro_rules! read {
        ($type:ty) => {
            view.data().as_chunks().0.iter().map(|b| <$type>::from_le_bytes(*b) as f64).collect()
        };
    }
    macro_rules! read_half {
        ($type:ty) => {
            view.data().as_chunks().0.iter().map(|b| <$type>::from_le_bytes(*b).to_f64()).collect()
        };
    }
    Some(match view.dtype() {
        Dtype::F64 => read!(f64),
        Dtype::F32 => read!(f32),
        Dtype::F16 => read_half!(f16),
        Dtype::BF16 => read_half!(bf16),
        Dtype::I64 => read!(i64),
        Dtype::I32 => read!(i32),
        Dtype::I16 => read!(i16),
        Dtype::I8 => read!(i8),
        Dtype::U64 => read!(u64),
        Dtype::U32 => read!(u32),
        Dtype::U16 => read!(u16),
        Dtype::U8 | Dtype::BOOL => read!(u8),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_summed_up() {
        let values = [-1.0, 0.0, 1.0, 3.0, f64::NAN, f64::INFINITY];
        let summary = TensorSummary::new("x", &[2, 3], Dtype::F64, &values);
        assert_eq!((summary.count, summary.not_finite, summary.zeros), (6, 2, 1));
        assert_eq!((summary.least, summary.largest, summary.mean), (-1.0, 3.0, 0.75));
        assert!((summary.deviation - 2.1875_f64.sqrt()).abs() < 1e-15);
        assert!((summary.norm - 11_f64.sqrt()).abs() < 1e-15);
        let bars: Vec<usize> = (0..BARS).filter(|i| summary.histogram[*i] > 0).collect();
        assert_eq!(bars, [0, 6, 12, 23]);
    }

    #[test]
    fn what_has_no_spread_has_no_histogram() {
        for values in [vec![], vec![2.0; 3], vec![f64::NAN]] {
            let summary = TensorSummary::new("x", &[values.len()], Dtype::F32, &values);
            assert!(summary.histogram.is_empty() && summary.deviation == 0.0, "{values:?}");
            assert!(summary.least.is_finite() && summary.mean.is_finite(), "{values:?}");
        }
    }

    #[test]
    fn the_widest_range_has_a_histogram() {
        let summary = TensorSummary::new("x", &[2], Dtype::F64, &[f64::MIN, f64::MAX]);
        assert_eq!(summary.histogram[0], 1);
        assert_eq!(summary.histogram[BARS - 1], 1);
    }

    #[test]
    fn numbers_in_names_are_numbers() {
        let mut names = ["layers.10.bias", "layers.9.weight", "layers.9.bias", "a"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["a", "layers.9.bias", "layers.9.weight", "layers.10.bias"]);
    }
}
