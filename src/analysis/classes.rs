//! Classes and labels: what is taken for what, how well the rows of each are ranked, and how far
//! probabilities can be believed.

use serde::{Deserialize, Serialize};

use super::finite;
use crate::catalog::metric::classes::confusion_matrix;
use crate::catalog::metric::probabilities::{
    Bin, calibration_error, predicted_classes, reliability,
};
use crate::catalog::metric::ranking::{area, average_precision, precision_recall_curve, roc_curve};
use crate::config::data::Task;
use crate::model::RowOutputs;

/// Classes up to which they are counted against each other.
const CONFUSED: usize = 200;

/// Classes or labels whose curves are kept: those of the smallest areas.
const CURVES: usize = 7;

/// Points that a curve is kept by.
const POINTS: usize = 200;

/// What is known of classes or labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classes {
    /// Their names as the user writes them.
    pub names: Vec<String>,
    /// What is taken for what: all classes in one matrix, or one of each label. Empty for very many.
    pub confusion: Vec<Confusion>,
    /// How the rows of each class or label are ranked by its probability; of a binary task the second
    /// class alone.
    pub rankings: Vec<Ranking>,
    /// How often what is said with a probability is so: of the predicted class, then of some classes or
    /// labels.
    pub calibration: Vec<Calibration>,
}

/// A confusion matrix, summed over the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// The label that it is of; none for classes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<usize>,
    /// Rows that are of class i (first index) and are taken for class j; of a label, 0 is without it and
    /// 1 with it.
    pub matrix: Vec<Vec<u64>>,
}

/// How the rows of a class or label are ranked by its probability, against all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// The class or label.
    pub class: usize,
    /// Rows that are of it.
    pub rows: u64,
    /// By member: the area under the receiver operating characteristic; none where all rows are of one
    /// kind.
    pub roc_auc: Vec<Option<f64>>,
    /// By member: average precision.
    pub average_precision: Vec<Option<f64>>,
    /// The receiver operating characteristic: false positive rate, then the mean, the smallest and the
    /// largest true positive rate of the members. Kept for some classes alone.
    pub roc: Vec<[f64; 4]>,
    /// Recall, then the mean, the smallest and the largest precision of the members.
    pub precision_recall: Vec<[f64; 4]>,
}

/// How often what is said with a probability is so, over all members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The class or label; none for whichever class is predicted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<usize>,
    /// The expected calibration error of each member.
    pub error: Vec<Option<f64>>,
    /// The bins that hold any rows.
    pub bins: Vec<ReliabilityBin>,
}

/// Rows of about the same probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Rows, over all members.
    pub rows: u64,
    /// Their mean probability.
    pub confidence: f64,
    /// The share of them of which it came true.
    pub right: f64,
}

pub(super) fn classes(outputs: &RowOutputs, names: &[String]) -> Classes {
    let mut rankings = rankings(outputs);
    let mut order: Vec<usize> = (0..rankings.len()).collect();
    let mean_area = |at: usize| {
        let known: Vec<f64> = rankings[at].roc_auc.iter().copied().flatten().collect();
        if known.is_empty() {
            f64::INFINITY
        } else {
            known.iter().sum::<f64>() / known.len() as f64
        }
    };
    order.sort_by(|a, b| mean_area(*a).total_cmp(&mean_area(*b)).then(a.cmp(b)));
    let mut drawn: Vec<usize> = order.into_iter().take(CURVES).collect();
    drawn.sort_unstable();
    for at in &drawn {
        add_curves(outputs, &mut rankings[*at]);
    }
    let classes: Vec<usize> = drawn.iter().map(|at| rankings[*at].class).collect();
    Classes {
        names: names.to_vec(),
        confusion: confusion(outputs),
        calibration: calibration(outputs, &classes),
        rankings,
    }
}

fn confusion(outputs: &RowOutputs) -> Vec<Confusion> {
    let all = || outputs.members.iter().map(|member| outputs.outputs(member));
    if outputs.width > CONFUSED {
        return Vec::new();
    }
    if outputs.task != Task::Multilabel {
        let mut matrix = vec![vec![0; outputs.width]; outputs.width];
        for of_member in all().map(|outputs| confusion_matrix(&outputs)) {
            for (sums, counts) in matrix.iter_mut().zip(of_member) {
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
        return vec![Confusion { label: None, matrix }];
    }
    let of_label = |label: usize| {
        let mut matrix = vec![vec![0; 2]; 2];
        for outputs in all() {
            for (is, said) in outputs.is(label).into_iter().zip(outputs.says(label)) {
                matrix[usize::from(is)][usize::from(said)] += 1;
            }
        }
        Confusion { label: Some(label), matrix }
    };
    (0..outputs.width).map(of_label).collect()
}

/// The classes or labels that are ranked.
fn ranked(outputs: &RowOutputs) -> std::ops::Range<usize> {
    if outputs.task == Task::Binary { 1..2 } else { 0..outputs.width }
}

fn rankings(outputs: &RowOutputs) -> Vec<Ranking> {
    let of_class = |class: usize| {
        let each = |value: fn(&[f64], &[bool]) -> f64| {
            let members = outputs.members.iter().map(|member| outputs.outputs(member));
            members.map(|member| finite(value(&member.column(class), &member.is(class)))).collect()
        };
        let first = outputs.members.first().map(|member| outputs.outputs(member).is(class));
        let rows = first.unwrap_or_default().into_iter().filter(|is| *is).count() as u64;
        Ranking {
            class,
            rows,
            roc_auc: each(area),
            average_precision: each(average_precision),
            roc: Vec::new(),
            precision_recall: Vec::new(),
        }
    };
    ranked(outputs).map(of_class).collect()
}

/// Points of (x, y).
type Curve = Vec<(f64, f64)>;

fn add_curves(outputs: &RowOutputs, ranking: &mut Ranking) {
    let curves = |curve: fn(&[f64], &[bool]) -> Curve| -> Vec<Curve> {
        let members = outputs.members.iter().map(|member| outputs.outputs(member));
        members
            .map(|member| curve(&member.column(ranking.class), &member.is(ranking.class)))
            .filter(|curve| !curve.is_empty())
            .collect()
    };
    // At a rate, the characteristic is as high as it gets there; precision is the best that is to be had
    // at that recall or a larger one.
    let roc = curves(roc_curve);
    let precision_recall = curves(precision_recall_curve);
    ranking.roc = spread(&roc, |curve, x| {
        let after = curve.partition_point(|point| point.0 <= x);
        match (after.checked_sub(1).map(|at| curve[at]), curve.get(after)) {
            (Some(left), Some(right)) => {
                left.1 + (right.1 - left.1) * (x - left.0) / (right.0 - left.0)
            }
            (Some(point), None) => point.1,
            (None, point) => point.map_or(0.0, |point| point.1),
        }
    });
    ranking.precision_recall = spread(&precision_recall, |curve, x| {
        let from = curve.partition_point(|point| point.0 < x);
        curve[from..].iter().map(|point| point.1).fold(0.0, f64::max)
    });
}

/// The mean, the smallest and the largest of several curves: at the points of a single one where they are
/// few, else at evenly spaced places from 0 to 1.
fn spread(curves: &[Curve], at: impl Fn(&[(f64, f64)], f64) -> f64) -> Vec<[f64; 4]> {
    match curves {
        [] => return Vec::new(),
        [one] if one.len() <= POINTS => {
            return one.iter().map(|(x, y)| [*x, *y, *y, *y]).collect();
        }
        _ => {}
    }
    let places = (0..=POINTS).map(|place| place as f64 / POINTS as f64);
    places
        .map(|x| {
            let values: Vec<f64> = curves.iter().map(|curve| at(curve, x)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            [x, mean, low, values.iter().copied().fold(f64::NEG_INFINITY, f64::max)]
        })
        .collect()
}

fn calibration(outputs: &RowOutputs, classes: &[usize]) -> Vec<Calibration> {
    let of = |class: Option<usize>| {
        let by_member: Vec<Vec<Bin>> = outputs
            .members
            .iter()
            .map(|member| {
                let outputs = outputs.outputs(member);
                match class {
                    None => reliability(predicted_classes(&outputs)),
                    Some(class) => {
                        let is = outputs.is(class);
                        reliability(outputs.column(class).into_iter().zip(is))
                    }
                }
            })
            .collect();
        let error = by_member.iter().map(|bins| finite(calibration_error(bins))).collect();
        let count = by_member.first().map_or(0, Vec::len);
        let bins = (0..count).filter_map(|at| {
            let sum = |value: fn(&Bin) -> f64| by_member.iter().map(|b| value(&b[at])).sum::<f64>();
            let rows = sum(|bin| bin.rows as f64);
            (rows > 0.0).then(|| ReliabilityBin {
                rows: rows as u64,
                confidence: sum(|bin| bin.confidence) / rows,
                right: sum(|bin| bin.right) / rows,
            })
        });
        Calibration { class, error, bins: bins.collect() }
    };
    // A binary task's second class says all that there is to say beside the predicted one.
    let predicted = (outputs.task != Task::Multilabel).then_some(None);
    predicted.into_iter().chain(classes.iter().map(|class| Some(*class))).map(of).collect()
}
