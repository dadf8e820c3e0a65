//! How two trainings part: chaos multiplies the difference that rounding began with by about the
//! same factor at every step, which is a line in the logarithm.

use super::result::Growth;

/// A drift above this is no longer small beside the weights, and grows no more.
const SATURATED: f64 = 0.1;

/// A drift below this is rounding that has not added up yet.
const ROUNDING: f64 = 1e-6;

/// Fewest steps that a line is drawn through.
const FEWEST: usize = 5;

/// The line through the logarithms of a drift, a value a step. None where too few are above 0.
pub fn fit(drift: &[f64]) -> Option<Growth> {
    let points: Vec<(f64, f64)> = drift
        .iter()
        .enumerate()
        .take_while(|(_, value)| **value < SATURATED)
        .filter(|(_, value)| **value > 0.0)
        .map(|(step, value)| (step as f64, value.log10()))
        .collect();
    if points.len() < FEWEST {
        return None;
    }
    let count = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(&|p| p.0), mean(&|p| p.1));
    let covariance = mean(&|p| (p.0 - mean_x) * (p.1 - mean_y));
    let (variance_x, variance_y) =
        (mean(&|p| (p.0 - mean_x).powi(2)), mean(&|p| (p.1 - mean_y).powi(2)));
    let slope = covariance / variance_x;
    let jumps = drift.windows(2).filter(|pair| pair[1] > ROUNDING && pair[0] > 0.0);
    Some(Growth {
        tenfold_steps: slope.recip().clamp(-1e9, 1e9),
        explained: if variance_y > 0.0 { slope * covariance / variance_y } else { 0.0 },
        // JSON has no infinity.
        largest_jump: jumps.map(|pair| pair[1] / pair[0]).fold(1.0, f64::max).min(f64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_growth_is_a_line() {
        let drift: Vec<f64> = (0..60).map(|step| 1e-8 * 10_f64.powf(step as f64 / 12.0)).collect();
        let growth = fit(&drift).expect("a line");
        assert!((growth.tenfold_steps - 12.0).abs() < 1e-6, "{growth:?}");
        assert!(growth.explained > 0.999_999 && growth.largest_jump < 1.3, "{growth:?}");
    }

    #[test]
    fn a_jump_is_seen_and_what_is_saturated_left_out() {
        let mut drift = vec![1e-7; 10];
        drift.extend([1e-3; 10]);
        assert!((fit(&drift).expect("a line").largest_jump - 1e4).abs() < 1.0);
        let saturated: Vec<f64> =
            (0..80).map(|step| (1e-8 * 10_f64.powf(step as f64 / 5.0)).min(1.2)).collect();
        assert!((fit(&saturated).expect("a line").tenfold_steps - 5.0).abs() < 1e-6);
        assert_eq!(fit(&[0.0; 20]), None);
        assert_eq!(fit(&[1e-7; 4]), None);
    }
}
