//! Keys of the data half that take values of several types, or `auto`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{
    self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use super::data::{ColumnReference, Task};

/// Where a set of rows comes from.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum PortionConfig {
    /// A share of the training file's rows.
    Share(#[schemars(range(min = 0))] f64),
    /// A file, relative to the config file.
    File(String),
}

impl<'de> Deserialize<'de> for PortionConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = PortionConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a share in [0, 1) or a file")
            }

            fn visit_u64<E: de::Error>(self, share: u64) -> Result<PortionConfig, E> {
                Ok(PortionConfig::Share(share as f64))
            }

            fn visit_i64<E: de::Error>(self, share: i64) -> Result<PortionConfig, E> {
                Ok(PortionConfig::Share(share as f64))
            }

            fn visit_f64<E: de::Error>(self, share: f64) -> Result<PortionConfig, E> {
                Ok(PortionConfig::Share(share))
            }

            fn visit_str<E: de::Error>(self, file: &str) -> Result<PortionConfig, E> {
                Ok(PortionConfig::File(file.to_owned()))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

/// The target columns; one alone is written without a list.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetConfig(pub Vec<ColumnReference>);

impl Serialize for TargetConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [column] => column.serialize(serializer),
            columns => columns.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TargetConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = TargetConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column's name, its index from 0, or a list of them")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<TargetConfig, E> {
                Ok(TargetConfig(vec![ColumnReference::Name(name.to_owned())]))
            }

            fn visit_u64<E: de::Error>(self, index: u64) -> Result<TargetConfig, E> {
                let unexpected = || E::invalid_value(de::Unexpected::Unsigned(index), &self);
                let index = usize::try_from(index).map_err(|_| unexpected())?;
                Ok(TargetConfig(vec![ColumnReference::Index(index)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<TargetConfig, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(TargetConfig)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for TargetConfig {
    fn schema_name() -> Cow<'static, str> {
        "target".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let column = generator.subschema_for::<ColumnReference>();
        json_schema!({ "anyOf": [column, { "type": "array", "items": column, "minItems": 1 }] })
    }
}

/// A task, or `auto`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskConfig {
    /// Found from the target.
    #[default]
    Auto,
    /// One of K classes.
    Classification,
    /// One of two classes.
    Binary,
    /// Numbers.
    Regression,
    /// Any of K labels, a target column each with two values, of which the larger (of text: the
    /// last by the alphabet) is yes.
    Multilabel,
}

impl TaskConfig {
    /// The task, unless it is found from the target.
    pub fn task(self) -> Option<Task> {
        match self {
            Self::Auto => None,
            Self::Classification => Some(Task::Classification),
            Self::Binary => Some(Task::Binary),
            Self::Regression => Some(Task::Regression),
            Self::Multilabel => Some(Task::Multilabel),
        }
    }
}

impl From<Option<Task>> for TaskConfig {
    fn from(task: Option<Task>) -> Self {
        match task {
            None => Self::Auto,
            Some(Task::Classification) => Self::Classification,
            Some(Task::Binary) => Self::Binary,
            Some(Task::Regression) => Self::Regression,
            Some(Task::Multilabel) => Self::Multilabel,
        }
    }
}

const BALANCED: &str = "balanced";

/// What the rows of each class count in training.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeights {
    /// `rows / (classes * rows of the class)`, counted on the training rows, as scikit-learn's
    /// `compute_class_weight`.
    Balanced,
    /// Numbers above 0 by class, as the data writes it; a class that is left out counts 1.
    Map(BTreeMap<String, f64>),
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Balanced => serializer.serialize_str(BALANCED),
            Self::Map(weights) => weights.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = ClassWeights;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, \"balanced\" or an object of numbers by class")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ClassWeights, E> {
                match name {
                    BALANCED => Ok(ClassWeights::Balanced),
                    _ => Err(E::unknown_variant(name, &[BALANCED])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ClassWeights, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(ClassWeights::Map)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for ClassWeights {
    fn schema_name() -> Cow<'static, str> {
        "class_weights".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let weight = json!({ "type": "number", "exclusiveMinimum": 0 });
        json_schema!({
            "anyOf": [
                { "const": BALANCED },
                { "type": "object", "additionalProperties": weight }
            ]
        })
    }
}
