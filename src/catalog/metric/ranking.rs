//! Metrics of how the rows of a class, or with a label, are ranked by its probability. Binary: of
//! the positive class; else the mean over the classes (each against the rest) or labels.

use super::outputs::Outputs;
use crate::config::data::Task;

fn of_task(outputs: &Outputs, value: fn(&[f64], &[bool]) -> f64) -> f64 {
    let of = |unit: usize| value(&outputs.column(unit), &outputs.is(unit));
    match outputs.task {
        Task::Binary if outputs.width == 2 => of(1),
        _ => outputs.mean_of(of),
    }
}

/// Groups of rows with equal scores, from the largest score on: of each, the rows and those that
/// are positive.
fn groups(scores: &[f64], positive: &[bool]) -> Vec<(f64, f64)> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    // -0 and 0 are one score.
    order
        .chunk_by(|a, b| scores[*a] == scores[*b])
        .map(|group| {
            let hits = group.iter().filter(|row| positive[**row]).count();
            (group.len() as f64, hits as f64)
        })
        .collect()
}

/// Area under the receiver operating characteristic: the probability that a positive row is
/// scored above a negative one, ties counted half. NaN where the rows are all of one kind, as in
/// scikit-learn.
pub fn area(scores: &[f64], positive: &[bool]) -> f64 {
    let positives = positive.iter().filter(|is| **is).count() as f64;
    let negatives = positive.len() as f64 - positives;
    let mut above = 0.0;
    let mut sum = 0.0;
    for (rows, hits) in groups(scores, positive) {
        sum += (rows - hits) * (above + hits / 2.0);
        above += hits;
    }
    // 0 / 0 where there is one kind alone.
    sum / (positives * negatives)
}

/// Average precision: sum of (recall_n - recall_{n-1}) precision_n over the thresholds; 0 where no
/// row is positive, as in scikit-learn.
pub fn average_precision(scores: &[f64], positive: &[bool]) -> f64 {
    let positives = positive.iter().filter(|is| **is).count() as f64;
    if positives == 0.0 {
        return 0.0;
    }
    let (mut rows_so_far, mut hits_so_far, mut sum) = (0.0, 0.0, 0.0);
    for (rows, hits) in groups(scores, positive) {
        rows_so_far += rows;
        hits_so_far += hits;
        sum += hits / positives * (hits_so_far / rows_so_far);
    }
    sum
}

/// The receiver operating characteristic: (false positive rate, true positive rate) at each threshold
/// from the largest score on, and (0, 0) before. Empty where the rows are all of one kind. As
/// scikit-learn's `roc_curve` with `drop_intermediate=False`.
pub fn roc_curve(scores: &[f64], positive: &[bool]) -> Vec<(f64, f64)> {
    let positives = positive.iter().filter(|is| **is).count() as f64;
    let negatives = positive.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return Vec::new();
    }
    let (mut rows_so_far, mut hits_so_far) = (0.0, 0.0);
    let mut curve = vec![(0.0, 0.0)];
    curve.extend(groups(scores, positive).into_iter().map(|(rows, hits)| {
        rows_so_far += rows;
        hits_so_far += hits;
        ((rows_so_far - hits_so_far) / negatives, hits_so_far / positives)
    }));
    curve
}

/// (recall, precision) at each threshold from the largest score on. Empty where no row is positive. As
/// scikit-learn's `precision_recall_curve`, the other way round and without its last point, (0, 1).
pub fn precision_recall_curve(scores: &[f64], positive: &[bool]) -> Vec<(f64, f64)> {
    let positives = positive.iter().filter(|is| **is).count() as f64;
    if positives == 0.0 {
        return Vec::new();
    }
    let (mut rows_so_far, mut hits_so_far) = (0.0, 0.0);
    let points = groups(scores, positive).into_iter().map(|(rows, hits)| {
        rows_so_far += rows;
        hits_so_far += hits;
        (hits_so_far / positives, hits_so_far / rows_so_far)
    });
    points.collect()
}

/// The area under the receiver operating characteristic.
pub(super) fn roc_auc(outputs: &Outputs) -> f64 {
    of_task(outputs, area)
}

/// Average precision, a step-wise area under the curve of precision over recall.
pub(super) fn pr_auc(outputs: &Outputs) -> f64 {
    of_task(outputs, average_precision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_scikit_learns() {
        // sklearn's own example of roc_curve, with a tie.
        let scores = [0.1, 0.4, 0.35, 0.8, 0.35];
        let positive = [false, false, true, true, false];
        let third = 1.0 / 3.0;
        let roc = roc_curve(&scores, &positive);
        assert_eq!(roc, [(0.0, 0.0), (0.0, 0.5), (third, 0.5), (2.0 * third, 1.0), (1.0, 1.0)]);
        let curve = precision_recall_curve(&scores, &positive);
        assert_eq!(curve, [(0.5, 1.0), (0.5, 0.5), (1.0, 0.5), (1.0, 0.4)]);
        // The areas are those under them.
        let trapezia: f64 =
            roc.windows(2).map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0).sum();
        assert!((trapezia - area(&scores, &positive)).abs() < 1e-12);
        assert!(roc_curve(&scores, &[true; 5]).is_empty());
        assert!(precision_recall_curve(&scores, &[false; 5]).is_empty());
    }
}
