//! The data half of the settings: which files, which columns, how they are split and scaled.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    /// The quantile of a normal distribution that is the number's among those of the training rows
    /// (as scikit-learn's `QuantileTransformer(output_distribution="normal")`).
    Quantile,
    /// log(1 + x), standardised, for numbers from 0 on; a later one below 0 counts as 0.
    Log1p,
    /// z / sqrt(1 + (z / 3)^2) with z = (x - median) / interquartile range, or half the whole range
    /// where that is 0: robust, and never past 3 on either side (RealMLP, Holzmüller et al. 2024).
    RobustSmoothClip,
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
    /// One of several values: an input for each, or a learned vector for each.
    Categorical,
    /// Yes or no: true/false, yes/no, t/f, y/n in any case, or 1/0. One input, 1 or 0.
    Boolean,
    /// A date, in ISO 8601 where it is text (2024-03-31, 2024-03-31T18:05:00): days, scaled, and the
    /// sine and cosine of its place in the year, in the week and, where there are times, in the day.
    Date,
    /// Left out.
    Ignore,
    /// How much the row counts: a number, 0 or more. Not an input; one column at most.
    Weight,
}

/// How the categories of a column become inputs of the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CategoryEncoding {
    /// One-hot up to 20 categories, else an embedding.
    #[default]
    Auto,
    /// An input for each category: 1 for the cell's own, and else 0.
    OneHot,
    /// A vector for each category, learned with the network's weights (Guo and Berkhahn 2016, "Entity
    /// embeddings of categorical variables"). A category that training did not see is a vector of zeros.
    Embedding,
}

/// The longest vector of an embedded column.
pub const MOST_EMBEDDING_SIZE: usize = 1024;

/// What becomes of missing cells: empty ones, `NA`, `N/A`, `NaN`, `null`, `?`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Numbers become the median of the training rows, truth values the more frequent one, and where
    /// training rows lack any, one input more says which were missing; text becomes a category of its
    /// own.
    #[default]
    Auto,
    /// They are errors.
    Error,
}

/// What becomes of the missing cells of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnMissing {
    /// They are errors.
    Error,
    /// The median of the training rows.
    Median,
    /// Their mean.
    Mean,
    /// A category of their own.
    Category,
    /// This value, as it is written.
    Value(String),
}

impl Serialize for ColumnMissing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Error => "error",
            Self::Median => "median",
            Self::Mean => "mean",
            Self::Category => "category",
            Self::Value(value) => value,
        })
    }
}

impl<'de> Deserialize<'de> for ColumnMissing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = ColumnMissing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"error\", \"median\", \"mean\", \"category\" or a value")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<ColumnMissing, E> {
                Ok(match word {
                    "error" => ColumnMissing::Error,
                    "median" => ColumnMissing::Median,
                    "mean" => ColumnMissing::Mean,
                    "category" => ColumnMissing::Category,
                    "" => return Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                    value => ColumnMissing::Value(value.to_owned()),
                })
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<ColumnMissing, E> {
                Ok(ColumnMissing::Value(value.to_string()))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<ColumnMissing, E> {
                Ok(ColumnMissing::Value(value.to_string()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<ColumnMissing, E> {
                Ok(ColumnMissing::Value(value.to_string()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<ColumnMissing, E> {
                Ok(ColumnMissing::Value(value.to_string()))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for ColumnMissing {
    fn schema_name() -> Cow<'static, str> {
        "ColumnMissing".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What becomes of missing cells: \"error\", \"median\", \"mean\", \
                            \"category\" (one of their own), or this value.",
            "type": ["string", "number", "boolean"]
        })
    }
}

/// How the rows of the training file are split, where validation or test rows are a share of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// At random, classes keeping their shares with `data.stratify`; in file order without
    /// `data.shuffle`.
    #[default]
    Random,
    /// By the values of this column: rows that have the same one are in the same set. The column is an
    /// input only when `data.columns` gives it a type.
    Group(ColumnReference),
    /// By this column of numbers or dates: the oldest rows are for training, then come those of
    /// validation, and the newest are for the test. The column is an input only when `data.columns`
    /// gives it a type.
    Time(ColumnReference),
}

/// Whether data goes through a temporary file rather than through memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Streaming {
    /// Where it may take more than half of the memory that is free; on Linux alone, whose word on that
    /// is known.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Serialize for Streaming {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Always => serializer.serialize_bool(true),
            Self::Never => serializer.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for Streaming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Streaming;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"auto\", true or false")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Streaming, E> {
                match word {
                    "auto" => Ok(Streaming::Auto),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_bool<E: de::Error>(self, streams: bool) -> Result<Streaming, E> {
                Ok(if streams { Streaming::Always } else { Streaming::Never })
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Streaming {
    fn schema_name() -> Cow<'static, str> {
        "Streaming".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Whether data goes through a temporary file rather than through memory.",
            "enum": ["auto", true, false]
        })
    }
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
    /// What its missing cells become, when it is not `data.missing` that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<ColumnMissing>,
    /// How its categories become inputs, when it is not `data.encoding` that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<CategoryEncoding>,
    /// Numbers of the vector that each of its categories gets, where it is embedded; left out,
    /// min(50, round(1.6 n^0.56)) for n categories.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_size: Option<usize>,
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
    /// What missing cells become.
    pub missing: Missing,
    /// How categories become inputs.
    pub encoding: CategoryEncoding,
    /// How shares of the training file are taken from it.
    pub split: SplitBy,
    /// Folds of the training rows, of which each network is validated on one.
    pub folds: Option<usize>,
    /// Scaling of a regression target.
    pub target_scaling: TargetScaling,
    /// What each class counts, fitted on the training rows; `None` is 1 each.
    pub class_weights: Option<ClassWeights>,
    /// Whether the rows are shuffled before they are split, and at every epoch.
    pub shuffle: bool,
    /// Whether the encoded rows go through a temporary file.
    pub streaming: Streaming,
    /// The folder of that file; the folder of caches without one.
    pub streaming_folder: Option<PathBuf>,
    /// Neighbouring rows that stay together when the training rows are shuffled.
    pub chunk_rows: Option<usize>,
    /// Whether a split keeps the shares of the classes (of the likeliest ones, where targets are
    /// probabilities). Of no effect on regression and multilabel tasks.
    pub stratify: bool,
    /// The run's seed.
    pub seed: u64,
}

impl DataSettings {
    /// Whether there are validation rows: folds, a file, or a share above 0.
    pub fn has_validation(&self) -> bool {
        match self.validation {
            _ if self.folds.is_some() => true,
            Portion::Share(share) => share > 0.0,
            Portion::File(_) => true,
        }
    }

    /// Whether which rows are trained on hangs on the seed.
    pub fn draws_split(&self) -> bool {
        let takes_share =
            |portion: &Portion| matches!(portion, Portion::Share(share) if *share > 0.0);
        self.folds.is_some() || takes_share(&self.validation) || takes_share(&self.test)
    }
}
