//! The table of metrics.

use super::{Better, MetricRow, Source, classes, multilabel, probabilities, ranking, regression};
use crate::config::data::Task::{self, Binary, Classification, Multilabel, Regression};

const CLASSES: &[Task] = &[Classification, Binary];
const CLASSES_AND_LABELS: &[Task] = &[Classification, Binary, Multilabel];
const NUMBERS: &[Task] = &[Regression];

macro_rules! of_outputs {
    ($name:ident, $file:ident, $tasks:expr, $better:ident, $formula:literal) => {
        MetricRow {
            name: stringify!($name),
            formula: $formula,
            tasks: $tasks,
            better: Better::$better,
            source: |_| Source::Outputs($file::$name),
        }
    };
}

/// Every metric.
pub static METRICS: [MetricRow; 32] = [
    MetricRow {
        name: "accuracy",
        formula: "share of rows whose class is predicted, or all of whose labels are",
        tasks: CLASSES_AND_LABELS,
        better: Better::Larger,
        source: |task| match task {
            Multilabel => Source::Outputs(multilabel::accuracy),
            _ => Source::Term { term: 0, finish: |mean, _| mean },
        },
    },
    MetricRow {
        name: "log_loss",
        formula: "mean of -log of the probability given to the row's class, or to each label",
        tasks: CLASSES_AND_LABELS,
        better: Better::Smaller,
        source: |task| match task {
            Multilabel => Source::Outputs(probabilities::multilabel_log_loss),
            _ => Source::Term { term: 1, finish: |mean, _| mean },
        },
    },
    of_outputs!(
        top_2_accuracy,
        classes,
        &[Classification],
        Larger,
        "share of rows whose class is among the 2 likeliest"
    ),
    of_outputs!(
        top_3_accuracy,
        classes,
        &[Classification],
        Larger,
        "share of rows whose class is among the 3 likeliest"
    ),
    of_outputs!(
        top_5_accuracy,
        classes,
        &[Classification],
        Larger,
        "share of rows whose class is among the 5 likeliest"
    ),
    of_outputs!(
        precision,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "rightly predicted / predicted; binary: of the positive class, else macro"
    ),
    of_outputs!(
        precision_macro,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "mean precision of the classes or labels"
    ),
    of_outputs!(
        precision_micro,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "precision of the sums over the classes or labels"
    ),
    of_outputs!(
        precision_weighted,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "mean precision, weighted by the rows of each class or label"
    ),
    of_outputs!(
        recall,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "rightly predicted / true; binary: of the positive class, else macro"
    ),
    of_outputs!(
        recall_macro,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "mean recall of the classes or labels"
    ),
    of_outputs!(
        recall_micro,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "recall of the sums over the classes or labels"
    ),
    of_outputs!(
        recall_weighted,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "mean recall, weighted by the rows of each class or label"
    ),
    of_outputs!(
        f1,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "2 precision recall / (precision + recall); binary: of the positive class, else macro"
    ),
    of_outputs!(f1_macro, classes, CLASSES_AND_LABELS, Larger, "mean F1 of the classes or labels"),
    of_outputs!(
        f1_micro,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "F1 of the sums over the classes or labels"
    ),
    of_outputs!(
        f1_weighted,
        classes,
        CLASSES_AND_LABELS,
        Larger,
        "mean F1, weighted by the rows of each class or label"
    ),
    of_outputs!(
        balanced_accuracy,
        classes,
        CLASSES,
        Larger,
        "mean recall of the classes that the set has"
    ),
    of_outputs!(
        matthews,
        classes,
        CLASSES,
        Larger,
        "Matthews' correlation of classes and predictions"
    ),
    of_outputs!(
        roc_auc,
        ranking,
        CLASSES_AND_LABELS,
        Larger,
        "area under the ROC curve; several classes: mean of each against the rest"
    ),
    of_outputs!(
        pr_auc,
        ranking,
        CLASSES_AND_LABELS,
        Larger,
        "average precision; several classes: mean of each against the rest"
    ),
    of_outputs!(
        brier,
        probabilities,
        CLASSES_AND_LABELS,
        Smaller,
        "mean squared distance of the probabilities from the truth"
    ),
    of_outputs!(
        expected_calibration_error,
        probabilities,
        CLASSES,
        Smaller,
        "mean |accuracy - confidence| over 15 equal bins of the confidence"
    ),
    of_outputs!(
        hamming_loss,
        multilabel,
        &[Multilabel],
        Smaller,
        "share of labels predicted wrongly"
    ),
    MetricRow {
        name: "mae",
        formula: "mean of |prediction - target|",
        tasks: NUMBERS,
        better: Better::Smaller,
        source: |_| Source::Term { term: 2, finish: |mean, output| mean * output.scale },
    },
    MetricRow {
        name: "mse",
        formula: "mean of (prediction - target)^2",
        tasks: NUMBERS,
        better: Better::Smaller,
        source: |_| Source::Term {
            term: 3,
            finish: |mean, output| mean * output.scale * output.scale,
        },
    },
    MetricRow {
        name: "rmse",
        formula: "square root of the mean of (prediction - target)^2",
        tasks: NUMBERS,
        better: Better::Smaller,
        source: |_| Source::Term { term: 3, finish: |mean, output| mean.sqrt() * output.scale },
    },
    MetricRow {
        name: "r2",
        formula: "1 - sum of squared errors / sum of squares about the mean",
        tasks: NUMBERS,
        better: Better::Larger,
        source: |_| Source::Term {
            term: 3,
            // scikit-learn: a constant target gives 1 for perfect predictions, else 0.
            finish: |mean, output| match (output.variance > 0.0, mean > 0.0) {
                (true, _) => 1.0 - mean / output.variance,
                (false, false) => 1.0,
                (false, true) => 0.0,
            },
        },
    },
    of_outputs!(
        mape,
        regression,
        NUMBERS,
        Smaller,
        "mean of |prediction - target| / |target|, a share"
    ),
    of_outputs!(max_error, regression, NUMBERS, Smaller, "the largest |prediction - target|"),
    of_outputs!(
        explained_variance,
        regression,
        NUMBERS,
        Larger,
        "1 - variance of the errors / variance of the targets"
    ),
    of_outputs!(
        median_absolute_error,
        regression,
        NUMBERS,
        Smaller,
        "median of |prediction - target|"
    ),
];
