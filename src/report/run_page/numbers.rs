//! Values of several members, in words and as curves.

use crate::analysis::mean_and_deviation;
use crate::report::page::plot::{Ink, Layer};
use crate::report::score;

/// The finite ones.
pub(super) fn known(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|value| value.is_finite()).collect()
}

/// The mean of the finite ones; NaN of none.
pub(super) fn mean(values: &[f64]) -> f64 {
    mean_and_deviation(&known(values)).0
}

/// `0.9833`; of several `0.9833 ± 0.0021`; a dash where none is a number.
pub(super) fn score_of(values: &[f64]) -> String {
    match known(values).as_slice() {
        [] => "–".to_owned(),
        [one] => signed(*one),
        known => {
            let (mean, deviation) = mean_and_deviation(known);
            format!("{} ± {}", signed(mean), score(deviation))
        }
    }
}

/// A score with the minus sign of print.
pub(super) fn signed(value: f64) -> String {
    score(value).replace('-', "−")
}

/// The same for values that may be missing.
pub(super) fn score_of_some(values: &[Option<f64>]) -> String {
    score_of(&values.iter().map(|value| value.unwrap_or(f64::NAN)).collect::<Vec<_>>())
}

/// The median; NaN of none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A curve of (x, a value for each member): the mean, and with several members the band from the smallest
/// to the largest.
pub(super) fn curve_of_members(name: &str, ink: Ink, points: &[(f64, Vec<f64>)]) -> Vec<Layer> {
    let line = points.iter().map(|(x, values)| (*x, mean(values))).collect();
    let mut layers = Vec::new();
    if points.iter().any(|(_, values)| values.len() > 1) {
        let band = points.iter().map(|(x, values)| {
            let known = known(values);
            let low = known.iter().copied().fold(f64::NAN, f64::min);
            (*x, low, known.iter().copied().fold(f64::NAN, f64::max))
        });
        layers.push(Layer::band("", ink, 0.18, band.collect()));
    }
    layers.push(Layer::line(name, ink, line));
    layers
}

/// A list in words: `a, b and c`.
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_summed_up() {
        assert_eq!(score_of(&[0.95]), "0.9500");
        assert_eq!(score_of(&[0.9, 0.8, f64::NAN]), "0.8500 ± 0.0500");
        assert_eq!(score_of(&[f64::NAN]), "–");
        assert_eq!(score_of(&[-1.5]), "−1.5000");
        assert!(median(std::iter::empty()).is_nan());
        assert_eq!(median([3.0, f64::NAN, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
