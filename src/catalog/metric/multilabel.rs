//! Metrics of labels alone. A label is predicted where its probability is above 1/2.
//!
//! Source: `sklearn.metrics.hamming_loss` and `accuracy_score`.

use super::outputs::{Outputs, mean};

/// Share of rows of which every label is predicted rightly, scikit-learn's subset accuracy.
pub(super) fn accuracy(outputs: &Outputs) -> f64 {
    mean(wrong_labels(outputs).map(|wrong| f64::from(u8::from(wrong == 0))))
}

/// Share of labels that are predicted wrongly.
pub(super) fn hamming_loss(outputs: &Outputs) -> f64 {
    mean(wrong_labels(outputs).map(|wrong| wrong as f64 / outputs.width as f64))
}

/// How many labels of each row are predicted wrongly.
fn wrong_labels(outputs: &Outputs) -> impl Iterator<Item = usize> {
    let targets = outputs.targets.chunks_exact(outputs.width.max(1));
    outputs.rows().zip(targets).map(|(row, labels)| {
        row.iter().zip(labels).filter(|(p, label)| (**p > 0.5) != (**label > 0.5)).count()
    })
}
