//! The rows that the network is most wrong about.

use serde::{Deserialize, Serialize};

use super::columns::{brightest, image, image_side, places};
use super::importance::Importance;
use super::{Subject, finite, mean_and_deviation};
use crate::catalog::metric::first_largest;
use crate::config::data::Task;
use crate::model::{Model, RowOutputs};

/// Rows that are shown.
const SHOWN: usize = 12;

/// Columns of each that are shown: the ones that matter most, where that is known.
const COLUMNS: usize = 5;

/// The rows with the largest loss, the worst first. Of several members, the mean of their losses and of
/// what they say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Examples {
    /// The columns whose values are told.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Example>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Where it is in its file, from 1, a header not counted.
    pub row: usize,
    /// Its loss; none where it is no finite number.
    pub loss: Option<f64>,
    /// What is so.
    pub truth: String,
    /// What is predicted.
    pub predicted: String,
    /// The probability of what is so, for a class.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probability_of_truth: Option<f64>,
    /// The probability of what is predicted, for a class.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probability: Option<f64>,
    /// What some of its columns hold.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub values: Vec<String>,
    /// The row as a picture, line by line, where its columns are pixels: 0 is the smallest value.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub pixels: Vec<Vec<u8>>,
}

pub(super) fn examples(
    model: &Model,
    subject: &Subject,
    outputs: &RowOutputs,
    importance: Option<&Importance>,
) -> Examples {
    if outputs.members.is_empty() {
        return Examples::default();
    }
    let loss = |row: usize| {
        let losses: Vec<f64> = outputs.members.iter().map(|member| member.losses[row]).collect();
        mean_and_deviation(&losses).0
    };
    let mut order: Vec<(usize, f64)> = (0..outputs.rows).map(|row| (row, loss(row))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let places = places(&model.preprocessing);
    let side = image_side(&model.preprocessing);
    let picture = side.and_then(|side| Some((side, brightest(&places, &subject.rows)?)));
    let shown: Vec<usize> = match (picture, importance) {
        (Some(_), _) => Vec::new(),
        (None, Some(importance)) => {
            let ranked = importance.columns.iter().flat_map(|column| &column.columns);
            ranked.take(COLUMNS).copied().collect()
        }
        (None, None) => (0..places.len().min(COLUMNS)).collect(),
    };
    let width = model.preprocessing.inputs();
    let rows = order.into_iter().take(SHOWN).map(|(row, loss)| {
        let encoded = &subject.rows.features[row * width..(row + 1) * width];
        let mut example = said(model, outputs, row);
        example.row = subject.numbers[row] + 1;
        example.loss = finite(loss);
        example.values = shown.iter().map(|at| places[*at].text(encoded)).collect();
        if let Some((side, most)) = picture {
            example.pixels = image(&places, side, encoded, most);
        }
        example
    });
    Examples {
        rows: rows.collect(),
        columns: shown.iter().map(|at| places[*at].column.name.clone()).collect(),
    }
}

/// What is so and what is said of a row.
fn said(model: &Model, outputs: &RowOutputs, row: usize) -> Example {
    let width = outputs.width;
    let members = outputs.members.len() as f64;
    let mean: Vec<f64> = (row * width..(row + 1) * width)
        .map(|at| outputs.members.iter().map(|m| m.predictions[at]).sum::<f64>() / members)
        .collect();
    let names = model.preprocessing.classes();
    let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
    let mut example = Example {
        row: 0,
        loss: None,
        truth: String::new(),
        predicted: String::new(),
        probability_of_truth: None,
        probability: None,
        values: Vec::new(),
        pixels: Vec::new(),
    };
    match outputs.task {
        Task::Classification | Task::Binary => {
            let (truth, predicted) = (outputs.targets[row] as usize, first_largest(&mean));
            example.truth = name(truth);
            example.predicted = name(predicted);
            example.probability_of_truth = mean.get(truth).copied();
            example.probability = mean.get(predicted).copied();
        }
        Task::Multilabel => {
            let list = |has: &dyn Fn(usize) -> bool| {
                let labels: Vec<String> = (0..width).filter(|at| has(*at)).map(name).collect();
                if labels.is_empty() { "none".to_owned() } else { labels.join(", ") }
            };
            example.truth = list(&|label| outputs.targets[row * width + label] > 0.5);
            example.predicted = list(&|label| mean[label] > 0.5);
        }
        Task::Regression => {
            let list = |values: &[f64]| {
                values
                    .iter()
                    .map(|value| crate::report::score(*value))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            example.truth = list(&outputs.targets[row * width..(row + 1) * width]);
            example.predicted = list(&mean);
        }
    }
    example
}
