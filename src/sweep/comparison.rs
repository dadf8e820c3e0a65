//! Whether the best trial is better than another, or luck: paired tests over the members of both, which
//! share folds, or seeds.

use serde::Serialize;
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

use super::Sweep;
use super::record::TrialRecord;
use crate::catalog::metric::Better;

/// The level below which a difference counts.
pub const LEVEL: f64 = 0.05;

/// The best trial against another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The other trial.
    pub trial: usize,
    /// By how much the best one is better: a mean over the pairs, above 0 where it is.
    pub advantage: f64,
    /// Pairs: folds, seeds, or both.
    pub pairs: usize,
    /// Pairs in which it is better; equal ones are left out.
    pub wins: usize,
    /// Pairs in which it is worse.
    pub losses: usize,
    /// Two-sided p-value of the t-test, after Holm's correction for all trials compared.
    pub p_value: f64,
    /// Two-sided p-value of the sign test, not corrected.
    pub sign_p_value: f64,
    /// Whether the best trial is said to beat it: the corrected p-value is below 0.05.
    pub beaten: bool,
}

/// Compares the best of the ranked trials with each of the others that have as many members with a value;
/// none where trials have less than three members, or these are the heads of one network, which are not
/// independent of each other.
pub fn comparisons(sweep: &Sweep, ranked: &[TrialRecord]) -> Vec<Comparison> {
    let Some((best, others)) = ranked.split_first() else { return Vec::new() };
    let (set, name) = match sweep.monitor.strip_prefix("val_") {
        Some(name) => ("validation", name),
        None => ("train", sweep.monitor.as_str()),
    };
    let values = |record: &TrialRecord| -> Option<Vec<f64>> {
        if sweep.trials[record.trial].settings.model.heads > 1 {
            return None;
        }
        let values = record.of_members(set, name);
        (values.len() >= 3 && values.iter().all(|value| value.is_finite())).then_some(values)
    };
    let Some(own) = values(best) else { return Vec::new() };
    let share = test_share(sweep, best);
    let mut compared: Vec<Comparison> = others
        .iter()
        .filter_map(|other| Some((other, values(other)?)))
        .filter(|(_, values)| values.len() == own.len())
        .map(|(other, values)| {
            let sign = if sweep.better == Better::Smaller { 1.0 } else { -1.0 };
            let differences: Vec<f64> =
                own.iter().zip(&values).map(|(own, other)| sign * (other - own)).collect();
            let wins = differences.iter().filter(|d| **d > 0.0).count();
            let losses = differences.iter().filter(|d| **d < 0.0).count();
            Comparison {
                trial: other.trial,
                advantage: differences.iter().sum::<f64>() / differences.len() as f64,
                pairs: differences.len(),
                wins,
                losses,
                p_value: t_test(&differences, share),
                sign_p_value: sign_test(wins, losses),
                beaten: false,
            }
        })
        .collect();
    correct(&mut compared);
    compared
}

/// Rows of a fold for each row that is trained on, where members differ by folds; 0 where they differ by
/// their seeds alone.
fn test_share(sweep: &Sweep, best: &TrialRecord) -> f64 {
    let folds = sweep.trials[best.trial].settings.data.folds;
    folds.map_or(0.0, |folds| 1.0 / (folds as f64 - 1.0))
}

/// The two-sided p-value of the mean of paired differences by Student's t. With folds, whose training rows
/// overlap, the variance is that of Nadeau and Bengio (Machine Learning 52, 2003): (1/n + test rows /
/// training rows) s^2 in the place of s^2 / n.
fn t_test(differences: &[f64], test_share: f64) -> f64 {
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|d| (d - mean) * (d - mean)).sum();
    let variance = squares / (n - 1.0);
    if variance == 0.0 {
        return if mean == 0.0 { 1.0 } else { 0.0 };
    }
    let t = mean / ((1.0 / n + test_share) * variance).sqrt();
    match StudentsT::new(0.0, 1.0, n - 1.0) {
        Ok(distribution) => (2.0 * distribution.sf(t.abs())).min(1.0),
        Err(_) => 1.0,
    }
}

/// The two-sided p-value of so many wins and losses where either is as likely.
fn sign_test(wins: usize, losses: usize) -> f64 {
    let (n, most) = ((wins + losses) as u64, wins.max(losses) as u64);
    if n == 0 {
        return 1.0;
    }
    match Binomial::new(0.5, n) {
        Ok(distribution) => (2.0 * distribution.sf(most - 1)).min(1.0),
        Err(_) => 1.0,
    }
}

/// Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979), and what it lets us say.
fn correct(compared: &mut [Comparison]) {
    let mut order: Vec<usize> = (0..compared.len()).collect();
    order.sort_by(|a, b| compared[*a].p_value.total_cmp(&compared[*b].p_value));
    let mut least: f64 = 0.0;
    for (at, index) in order.iter().enumerate() {
        let remaining = (compared.len() - at) as f64;
        let own = &mut compared[*index];
        least = least.max((own.p_value * remaining).min(1.0));
        own.p_value = least;
        own.beaten = least < LEVEL && own.advantage > 0.0;
    }
}

/// What the comparisons let us say, in a line; `ranked` are the trials by rank.
pub fn in_words(ranked: &[TrialRecord], compared: &[Comparison]) -> String {
    let Some(best) = ranked.first() else { return String::new() };
    let Some(first) = compared.first() else {
        return "one network a trial, or two: whether the first is better or luck, nothing here says; \
                members (5 of them, say) or data.folds would"
            .to_owned();
    };
    let beaten = compared.iter().filter(|own| own.beaten).count();
    let not = compared.len() - beaten;
    let pairs = first.pairs;
    match (beaten, not) {
        (0, _) => format!(
            "trial {} is first, and beats none of the other {not}: {pairs} pairs do not carry it \
             (corrected p of the second {:.2})",
            best.trial, first.p_value
        ),
        (_, 0) => format!(
            "trial {} beats all {beaten} others (paired over {pairs}, corrected p below {LEVEL})",
            best.trial
        ),
        _ => format!(
            "trial {} beats {beaten} of the others (paired over {pairs}, corrected p below {LEVEL}); \
             of {not} it cannot be told apart",
            best.trial
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_t_test_is_that_of_the_textbook_and_the_corrected_one_is_warier() {
        let differences = [0.02, 0.05, 0.01, 0.04, 0.0];
        let plain = t_test(&differences, 0.0);
        // SciPy: 2 * stats.t.sf(2.5879865568825218, 4)
        assert!((plain - 0.060_812_856).abs() < 1e-7, "{plain}");
        // Five folds: the variance is (1/5 + 1/4) / (1/5) = 2.25 times as large, t is two thirds.
        // SciPy: 2 * stats.t.sf(2.5879865568825218 / 1.5, 4)
        let folds = t_test(&differences, 0.25);
        assert!((folds - 0.159_552_853).abs() < 1e-7, "{folds}");
        assert_eq!(t_test(&[0.125, 0.125, 0.125], 0.0), 0.0);
        assert_eq!(t_test(&[0.0, 0.0, 0.0], 0.0), 1.0);
    }

    #[test]
    fn the_sign_test_counts_coins() {
        assert!((sign_test(5, 0) - 2.0 / 32.0).abs() < 1e-12);
        assert!((sign_test(0, 5) - 2.0 / 32.0).abs() < 1e-12);
        // 8 of 10: 2 (45 + 10 + 1) / 1024
        assert!((sign_test(8, 2) - 112.0 / 1024.0).abs() < 1e-12);
        assert_eq!(sign_test(0, 0), 1.0);
        assert_eq!(sign_test(3, 3), 1.0);
    }

    #[test]
    fn many_comparisons_are_corrected() {
        let of = |trial: usize, p_value: f64| Comparison {
            trial,
            advantage: 1.0,
            pairs: 5,
            wins: 5,
            losses: 0,
            p_value,
            sign_p_value: 1.0,
            beaten: false,
        };
        let mut compared = vec![of(1, 0.03), of(2, 0.01), of(3, 0.04)];
        correct(&mut compared);
        let corrected: Vec<f64> = compared.iter().map(|own| own.p_value).collect();
        assert_eq!(corrected, [0.06, 0.03, 0.06]);
        let beaten: Vec<bool> = compared.iter().map(|own| own.beaten).collect();
        assert_eq!(beaten, [false, true, false]);
    }
}
