//! Keys of the data half that take values of several types.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::data::ColumnReference;

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
