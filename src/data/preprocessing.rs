//! How raw columns become a network's inputs, and its outputs predictions: fitted once, stored
//! with the model.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::encoding::{Encoding, Scale};
use crate::config::data::Task;
use crate::network::EmbeddingShape;

/// A column that is fed to the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputColumn {
    /// Its name in the training file's header, else its index as text.
    pub name: String,
    /// Its index in the training file, from 0.
    pub index: usize,
    /// How it is encoded.
    pub encoding: Encoding,
}

/// How targets are encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetEncoding {
    /// The index of a class.
    Classes {
        /// The classes as the user writes them, in the order of their indices.
        classes: Vec<String>,
    },
    /// Numbers, scaled.
    Numbers {
        /// One scaling a target.
        scales: Vec<Scale>,
    },
    /// A probability for each class, the targets' names being the classes.
    Distribution,
    /// 1 for each label that the row has, else 0, the targets' names being the labels.
    Labels {
        /// The values of each label's column.
        values: Vec<LabelValues>,
    },
}

/// The two values of a label's column, as the user writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelValues {
    /// Of a row that does not have the label: the smaller one, or the first by the alphabet.
    pub negative: String,
    /// Of a row that has it.
    pub positive: String,
}

/// The column of the rows' weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightColumn {
    /// Its name in the training file's header, else its index as text.
    pub name: String,
    /// Its index in the training file, from 0.
    pub index: usize,
}

/// What the network learns to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The target columns' names; `label` for labels in a file of their own.
    pub names: Vec<String>,
    /// Their indices in the training file; none for labels in a file of their own.
    pub indices: Vec<usize>,
    /// How they are encoded.
    pub encoding: TargetEncoding,
}

/// Fitted preprocessing. It holds nothing that differs between two equal runs.
///
/// When it was read from a file it must be [validated](Self::validate) before use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    pub(super) task: Task,
    /// Whether the training file named its columns.
    pub(super) header: bool,
    /// The number of columns of the training file, targets and ignored ones counted.
    pub(super) columns: usize,
    pub(super) inputs: Vec<InputColumn>,
    pub(super) target: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) weight: Option<WeightColumn>,
}

impl Preprocessing {
    /// The width of an encoded row: the network's inputs, of which an embedded column is one.
    pub fn inputs(&self) -> usize {
        self.inputs.iter().map(|column| column.encoding.width()).sum()
    }

    /// The embedded columns, in their order: where the code of each is in an encoded row, and what table
    /// it is an index into.
    pub fn embeddings(&self) -> Vec<EmbeddingShape> {
        let mut first = 0;
        let mut shapes = Vec::new();
        for InputColumn { encoding, .. } in &self.inputs {
            if let Some((categories, size)) = encoding.table() {
                shapes.push(EmbeddingShape { column: first, categories, size });
            }
            first += encoding.width();
        }
        shapes
    }

    /// The width of the network's output layer: K for K classes or K labels, 1 for a binary task,
    /// the number of targets for regression.
    pub fn outputs(&self) -> usize {
        match (&self.target.encoding, self.task) {
            (_, Task::Binary) => 1,
            (TargetEncoding::Classes { classes }, _) => classes.len(),
            (TargetEncoding::Numbers { scales }, _) => scales.len(),
            (TargetEncoding::Distribution | TargetEncoding::Labels { .. }, _) => {
                self.target.names.len()
            }
        }
    }

    /// How many numbers a row's target has: 1 for a class index, K for the probabilities of K
    /// classes and for K labels, the number of targets for regression.
    pub fn target_width(&self) -> usize {
        match &self.target.encoding {
            TargetEncoding::Classes { .. } => 1,
            TargetEncoding::Numbers { scales } => scales.len(),
            TargetEncoding::Distribution | TargetEncoding::Labels { .. } => self.target.names.len(),
        }
    }

    /// Whether targets are a probability for each class instead of a class index.
    pub fn has_soft_targets(&self) -> bool {
        self.target.encoding == TargetEncoding::Distribution
    }

    /// The column of the rows' weights, where the training file has one.
    pub fn weight_column(&self) -> Option<&str> {
        self.weight.as_ref().map(|weight| weight.name.as_str())
    }

    /// The task.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The classes as the user writes them, by index, or the labels of a multilabel task; none for
    /// regression.
    pub fn classes(&self) -> &[String] {
        match &self.target.encoding {
            TargetEncoding::Classes { classes } => classes,
            TargetEncoding::Numbers { .. } => &[],
            TargetEncoding::Distribution | TargetEncoding::Labels { .. } => &self.target.names,
        }
    }

    /// The target columns' names; `label` for labels in a file of their own.
    pub fn target_names(&self) -> &[String] {
        &self.target.names
    }

    /// Whether the labels are in a file of their own, as with IDX.
    pub fn has_labels_apart(&self) -> bool {
        self.target.indices.is_empty()
    }

    /// Mean and standard deviation of each regression target, which bring a prediction back to
    /// the user's units: `output * deviation + mean`. (0, 1) where it is not scaled; none for
    /// classes and labels.
    pub fn target_scale(&self) -> Vec<(f64, f64)> {
        match &self.target.encoding {
            TargetEncoding::Numbers { scales } => {
                scales.iter().map(|scale| (scale.shift, scale.scale)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The columns fed to the network, in the order of its inputs.
    pub fn columns(&self) -> &[InputColumn] {
        &self.inputs
    }

    /// Checks preprocessing that was read from a file.
    ///
    /// # Errors
    /// What is wrong with it, as a phrase.
    pub fn validate(&self) -> Result<(), Damage> {
        self.validate_inputs()?;
        self.validate_target()
    }

    fn validate_inputs(&self) -> Result<(), Damage> {
        if self.inputs.is_empty() {
            return damage("it has no input columns");
        }
        let mut names = HashSet::new();
        let mut indices: HashSet<usize> = self.target.indices.iter().copied().collect();
        if indices.len() != self.target.indices.len() {
            return damage("two targets have the same index");
        }
        if let Some(index) = indices.iter().find(|index| **index >= self.columns) {
            return damage(format!("target {index} is beyond its {} columns", self.columns));
        }
        if let Some(WeightColumn { name, index }) = &self.weight {
            if *index >= self.columns || !indices.insert(*index) {
                return damage(format!("the weights {name:?} have index {index}, beyond or taken"));
            }
            names.insert(name);
        }
        let mut width = 0_usize;
        for InputColumn { name, index, encoding } in &self.inputs {
            if !names.insert(name) {
                return damage(format!("two input columns are named {name:?}"));
            }
            if *index >= self.columns {
                return damage(format!(
                    "column {name:?} has index {index}, beyond its {} columns",
                    self.columns
                ));
            }
            if !indices.insert(*index) {
                return damage(format!("column {name:?} has index {index}, which is taken"));
            }
            if let Err(problem) = encoding.check() {
                return damage(format!("column {name:?} {problem}"));
            }
            width = match width.checked_add(encoding.width()) {
                Some(width) => width,
                None => return damage("its inputs are too many to count"),
            };
        }
        Ok(())
    }

    fn validate_target(&self) -> Result<(), Damage> {
        let Target { names, indices, encoding } = &self.target;
        if names.is_empty() {
            return damage("it has no target");
        }
        if !indices.is_empty() && indices.len() != names.len() {
            return damage(format!("{} targets have {} indices", names.len(), indices.len()));
        }
        match (self.task, encoding) {
            (Task::Classification | Task::Binary, TargetEncoding::Classes { classes }) => {
                if names.len() != 1 {
                    return damage(format!("a {} task has {} targets", self.task, names.len()));
                }
                if classes.len() < 2 || (self.task == Task::Binary && classes.len() != 2) {
                    return damage(format!("a {} task has {} classes", self.task, classes.len()));
                }
                match repeated(classes) {
                    Some(twice) => damage(format!("class {twice:?} is there twice")),
                    None => Ok(()),
                }
            }
            (Task::Regression, TargetEncoding::Numbers { scales }) => {
                if scales.len() != names.len() {
                    return damage(format!("{} targets, {} scalings", names.len(), scales.len()));
                }
                match scales.iter().all(|scale| scale.is_sound()) {
                    true => Ok(()),
                    false => damage("a target has an unusable scaling"),
                }
            }
            (Task::Classification, TargetEncoding::Distribution) => several(names, indices),
            (Task::Multilabel, TargetEncoding::Labels { values }) => {
                if values.len() != names.len() {
                    return damage(format!("{} targets, {} labels", names.len(), values.len()));
                }
                if values.iter().any(|values| values.negative == values.positive) {
                    return damage("a label has one value twice");
                }
                several(names, indices)
            }
            (task, _) => damage(format!("its target does not fit its task, {task}")),
        }
    }
}

/// Checks targets that are a column of the file for each class or label.
fn several(names: &[String], indices: &[usize]) -> Result<(), Damage> {
    if names.len() < 2 || indices.is_empty() {
        return damage("its classes or labels need two target columns or more");
    }
    match repeated(names) {
        Some(twice) => damage(format!("target {twice:?} is there twice")),
        None => Ok(()),
    }
}

fn repeated(labels: &[String]) -> Option<&String> {
    let mut seen = HashSet::new();
    labels.iter().find(|label| !seen.insert(*label))
}

/// What is wrong with preprocessing that was read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage(String);

fn damage(problem: impl Into<String>) -> Result<(), Damage> {
    Err(Damage(problem.into()))
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Damage {}
