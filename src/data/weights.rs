//! What rows count: by a column of weights, and by their classes.

use std::collections::BTreeMap;
use std::path::Path;

use super::Rows;
use super::cell::quoted;
use super::labels::Labels;
use super::preprocessing::Preprocessing;
use super::table::listed;
use crate::config::data::DataSettings;
use crate::config::{ClassWeights, refuse_class_weights};
use crate::error::{Error, Place, Result, did_you_mean};

/// Refuses a set whose rows all weigh nothing: it has no mean.
pub(super) fn check(file: &Path, what: &str, rows: &Rows, column: Option<&str>) -> Result<()> {
    if rows.sample_weights.is_empty() || rows.sample_weights.iter().any(|weight| *weight > 0.0) {
        return Ok(());
    }
    let problem = format!("the weights of all {} {what} are 0", rows.rows);
    Err(Error::data(file, Place::column(column.unwrap_or_default()), problem)
        .with_help("some rows must count"))
}

/// The weight of each class, in their order; empty where none are asked for.
pub(super) fn class_weights(
    settings: &DataSettings,
    preprocessing: &Preprocessing,
    train: &Rows,
) -> Result<Vec<f64>> {
    let Some(asked) = &settings.class_weights else { return Ok(Vec::new()) };
    refuse_class_weights(preprocessing.task())?;
    let classes = preprocessing.classes();
    match asked {
        ClassWeights::Balanced => balanced(classes, train),
        ClassWeights::Map(weights) => of_map(weights, classes),
    }
}

/// `rows / (classes * rows of the class)`, the formula of scikit-learn's `compute_class_weight`.
/// A row of probabilities counts for each class by its share.
fn balanced(classes: &[String], train: &Rows) -> Result<Vec<f64>> {
    let mut counts = vec![0.0; classes.len()];
    for row in 0..train.rows {
        train.each_class(row, |class, share| {
            if let Some(count) = counts.get_mut(class) {
                *count += share;
            }
        });
    }
    if let Some(absent) = counts.iter().position(|count| *count <= 0.0) {
        let class = quoted(&classes[absent]);
        let problem = format!("the class {class} has no training row to count");
        return Err(Error::config("data.class_weights", problem)
            .with_help("hold fewer rows back, or give the weights as a map"));
    }
    let total = train.rows as f64;
    Ok(counts.iter().map(|count| total / (classes.len() as f64 * count)).collect())
}

fn of_map(given: &BTreeMap<String, f64>, classes: &[String]) -> Result<Vec<f64>> {
    let labels = Labels::new(classes);
    let mut weights: Vec<Option<f64>> = vec![None; classes.len()];
    for (name, weight) in given {
        let path = format!("data.class_weights.{name}");
        let Some(class) = labels.find(name) else {
            let near = did_you_mean(name, classes.iter().map(String::as_str));
            let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
            return Err(Error::config(path, format!("the data has no class {}", quoted(name)))
                .with_help(format!("{near}its classes: {}", listed(classes))));
        };
        if weights[class].replace(*weight).is_some() {
            let problem = format!("the class {} is given twice", quoted(&classes[class]));
            return Err(Error::config(path, problem)
                .with_help("numbers that are equal are one class, whatever their spelling"));
        }
    }
    Ok(weights.into_iter().map(|weight| weight.unwrap_or(1.0)).collect())
}

/// A remark on the weights of the classes.
pub(super) fn note(weights: &[f64], classes: &[String]) -> Option<String> {
    let shown = classes.iter().zip(weights).map(|(class, weight)| format!("{class} {weight:.4}"));
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty() && !weights.is_empty()).then(|| format!("class weights: {}", listed(&shown)))
}

impl Rows {
    /// What each row counts in training, `[rows]`: its own weight times its class's, or nothing
    /// where all count 1. Where targets are probabilities p, the class's weight is their mean, the
    /// sum of `p[k] * class_weights[k]`.
    ///
    /// `class_weights` are those of [`super::Dataset`]; empty is 1 each, as it always is for
    /// regression and multilabel tasks.
    pub fn training_weights(&self, class_weights: &[f64]) -> Vec<f32> {
        if class_weights.is_empty() {
            return self.sample_weights.clone();
        }
        let weight = |row: usize| {
            let mut weight = 0.0;
            self.each_class(row, |class, share| {
                weight += share * class_weights.get(class).copied().unwrap_or(1.0);
            });
            (weight * f64::from(self.sample_weights.get(row).copied().unwrap_or(1.0))) as f32
        };
        (0..self.rows).map(weight).collect()
    }

    /// Calls `each` with a row's classes and their shares: a class index has all of it.
    fn each_class(&self, row: usize, mut each: impl FnMut(usize, f64)) {
        let width = self.targets.len().checked_div(self.rows).unwrap_or(0);
        match self.targets.get(row * width..(row + 1) * width) {
            // A class index is a whole number from 0 on.
            Some([class]) => each(*class as usize, 1.0),
            Some(shares) => {
                shares.iter().enumerate().for_each(|(class, p)| each(class, f64::from(*p)));
            }
            None => {}
        }
    }
}
