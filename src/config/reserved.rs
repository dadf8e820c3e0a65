//! Keys that this version of wgfit knows of but does not act on: they take their neutral value
//! alone, so that no config is trained otherwise than it says.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};

/// The problem's text.
pub(super) const NOT_AVAILABLE: &str = "not available in this version of wgfit";

/// A reserved key that was given another value than `neutral`, as text for serde.
fn refusal(neutral: &[Value]) -> String {
    let values: Vec<_> = neutral.iter().map(Value::to_string).collect();
    format!("{NOT_AVAILABLE}, or give {}", values.join(" or "))
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}

macro_rules! reserved {
    ($(#[$doc:meta])* $name:ident, $neutral:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name;

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = Value::deserialize(deserializer)?;
                let neutral = $neutral;
                if neutral.iter().any(|known| same(known, &value)) {
                    Ok(Self)
                } else {
                    Err(de::Error::custom(refusal(&neutral)))
                }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "enum": $neutral })
            }
        }
    };
}

reserved!(
    /// `null` or the default.
    ReservedCheckpoint,
    [Value::Null, json!({ "every_epochs": 1, "keep": 1 })]
);
