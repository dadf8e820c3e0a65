//! The data half of the settings: which files, which columns, how they are split and scaled.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::sources::ClassWeights;

/// What is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of K classes; K outputs.
    Classification,
    /// One of two classes; one output.
    Binary,
    /// One number or several; an output each.
    Regression,
    /// Any of K labels, each yes or no; K outputs.
    Multilabel,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classification => "classification",
            Self::Binary => "binary",
            Self::Regression => "regression",
            Self::Multilabel => "multilabel",
        })
    }
}

/// How numeric columns are scaled, with constants fitted on the training rows alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// As they are.
    None,
    /// (x - mean) / standard deviation (of the population, as scikit-learn's `StandardScaler`).
    Standard,
    /// (x - min) / (max - min).
    Minmax,
    /// (x - median) / interquartile range (as scikit-learn's `RobustScaler`; a range of 0 divides by
    /// 1). Rows far from the others do not sway it.
    Robust,
    /// x / 255, for 8-bit images.
    #[serde(rename = "divide_by_255")]
    DivideBy255,
}

/// How a regression target is scaled for training; predictions and metrics stay in the user's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetScaling {
    /// `standard` for regression.
    Auto,
    /// As it is.
    None,
    /// (y - mean) / standard deviation.
    Standard,
}

/// A column by its name in the header or by its index from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ColumnReference {
    /// Index from 0.
    Index(usize),
    /// Name in the header.
    Name(String),
}

impl<'de> Deserialize<'de> for ColumnReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = ColumnReference;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column's name or its index from 0")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ColumnReference, E> {
                Ok(ColumnReference::Name(name.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, index: u64) -> Result<ColumnReference, E> {
                let unexpected = || E::invalid_value(de::Unexpected::Unsigned(index), &self);
                usize::try_from(index).map(ColumnReference::Index).map_err(|_| unexpected())
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl fmt::Display for ColumnReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// A number.
    Numeric,
    /// One of several values, one-hot encoded.
    Categorical,
    /// Left out.
    Ignore,
    /// How much the row counts: a number, 0 or more. Not an input; one column at most.
    Weight,
}

/// What the user says of one column; what is left out is found from the data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnConfig {
    /// Its type, when it is not to be guessed.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ColumnType>,
    /// Its scaling, when it is not `data.scaling`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

/// Where a set of rows comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Portion {
    /// A share of the training file's rows, in [0, 1).
    Share(f64),
    /// A file of its own, resolved against the config's folder.
    File(PathBuf),
}

/// The data half of the settings, validated, paths resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSettings {
    /// The training file.
    pub train: PathBuf,
    /// The training file's labels, for formats that keep them apart (IDX).
    pub labels: Option<PathBuf>,
    /// Validation rows.
    pub validation: Portion,
    /// Labels of a validation file.
    pub validation_labels: Option<PathBuf>,
    /// Test rows.
    pub test: Portion,
    /// Labels of a test file.
    pub test_labels: Option<PathBuf>,
    /// Target columns; empty when the labels are in a file of their own. Several are numbers for
    /// regression (and where the task is to be found), a class's probability each for
    /// classification, a label each for a multilabel task.
    pub target: Vec<ColumnReference>,
    /// The task; `None` is found from the target.
    pub task: Option<Task>,
    /// The user's word on single columns, by name (or by index as text where there is no header).
    pub columns: BTreeMap<String, ColumnConfig>,
    /// Scaling of the numeric columns.
    pub scaling: Scaling,
    /// Scaling of a regression target.
    pub target_scaling: TargetScaling,
    /// What each class counts, fitted on the training rows; `None` is 1 each.
    pub class_weights: Option<ClassWeights>,
    /// Whether the rows are shuffled before they are split, and at every epoch.
    pub shuffle: bool,
    /// Whether a split keeps the shares of the classes (of the likeliest ones, where targets are
    /// probabilities). Of no effect on regression and multilabel tasks.
    pub stratify: bool,
    /// The run's seed.
    pub seed: u64,
}

impl DataSettings {
    /// Whether there are validation rows: a file, or a share above 0.
    pub fn has_validation(&self) -> bool {
        match self.validation {
            Portion::Share(share) => share > 0.0,
            Portion::File(_) => true,
        }
    }
}
