//! A variant of a catalog as a config names it: `"adam"`, or `{"name": "adam", "beta1": 0.8}`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::locations::join;
use super::problem::{describe, short, unknown_key};
use super::reserved::NOT_AVAILABLE;
use crate::error::{Error, Result, unknown};

/// A table of variants that a config can name.
pub trait Catalog: 'static {
    /// What a variant is, such as `optimizer`.
    const KIND: &'static str;
    /// The variant that is meant by an object without a name.
    const DEFAULT: Option<&'static str>;
    /// Every variant.
    fn variants() -> Vec<Variant>;
}

/// A variant and the keys it takes.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Its name.
    pub name: &'static str,
    /// Its formula.
    pub description: &'static str,
    /// Its keys, beside `name`.
    pub keys: Vec<Key>,
}

/// A key of a variant.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: KeyKind,
    /// What it is.
    pub description: &'static str,
}

/// What a key of a variant takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A number.
    Number,
    /// A whole number, 0 or more.
    Whole,
    /// `true` or `false`.
    Flag,
    /// One of these names.
    OneOf(&'static [&'static str]),
    /// Only `null`, in this version.
    ReservedNull,
    /// Only `false`, in this version.
    ReservedFalse,
}

impl KeyKind {
    fn schema(self) -> Value {
        match self {
            Self::Number => json!({ "type": "number" }),
            Self::Whole => json!({ "type": "integer", "minimum": 0 }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::OneOf(names) => json!({ "enum": names }),
            Self::ReservedNull => json!({ "type": "null" }),
            Self::ReservedFalse => json!({ "const": false }),
        }
    }
}

/// A variant as written: its name, and what the config says of its keys.
pub struct Named<C> {
    /// Its name.
    pub name: String,
    /// The keys that the config gives, without `name`.
    pub parameters: Map<String, Value>,
    catalog: PhantomData<fn() -> C>,
}

impl<C: Catalog> Named<C> {
    /// The variant, with its defaults.
    pub fn new(name: &str) -> Self {
        Self::with(name, Map::new())
    }

    /// The variant, with parameters.
    pub fn with(name: &str, parameters: Map<String, Value>) -> Self {
        Self { name: name.to_owned(), parameters, catalog: PhantomData }
    }

    /// Looks the variant up, and each given key; `path` is where it stands in the config.
    pub(super) fn look_up<'a>(&'a self, path: &'a str) -> Result<Arguments<'a>> {
        let variants = C::variants();
        let Some(variant) = variants.iter().find(|variant| variant.name == self.name) else {
            let names: Vec<_> = variants.iter().map(|variant| variant.name).collect();
            return Err(unknown(path, C::KIND, &short(&self.name), names));
        };
        for (name, value) in &self.parameters {
            let path = join(path, name);
            let Some(key) = variant.keys.iter().find(|key| key.name == name) else {
                let known: Vec<_> = variant.keys.iter().map(|key| key.name).collect();
                return Err(unknown_key(path, name, &known));
            };
            check_kind(path, key.kind, value)?;
        }
        Ok(Arguments { path, parameters: &self.parameters })
    }
}

fn check_kind(path: String, kind: KeyKind, value: &Value) -> Result<()> {
    let not_available = |fits: bool, path: String, neutral: &str| {
        if fits {
            return Ok(());
        }
        Err(Error::config(path, NOT_AVAILABLE)
            .with_help(format!("leave it out, or give {neutral}")))
    };
    let (fits, expected) = match kind {
        KeyKind::Number => (value.is_number(), "a number"),
        KeyKind::Whole => (value.is_u64(), "a whole number, 0 or more"),
        KeyKind::Flag => (value.is_boolean(), "true or false"),
        KeyKind::OneOf(names) => match value.as_str() {
            Some(name) if names.contains(&name) => return Ok(()),
            Some(name) => return Err(unknown(path, "value", &short(name), names.iter().copied())),
            None => (false, "a name"),
        },
        KeyKind::ReservedNull => return not_available(value.is_null(), path, "null"),
        KeyKind::ReservedFalse => return not_available(*value == false, path, "false"),
    };
    if fits {
        return Ok(());
    }
    Err(Error::config(path, format!("expected {expected}, found {}", describe(value))))
}

/// The keys of a variant, checked to be of the right kinds.
pub(super) struct Arguments<'a> {
    path: &'a str,
    parameters: &'a Map<String, Value>,
}

impl Arguments<'_> {
    /// The path of a key.
    pub(super) fn path(&self, key: &str) -> String {
        join(self.path, key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.parameters.contains_key(key)
    }

    pub(super) fn number(&self, key: &str, default: f64) -> f64 {
        self.parameters.get(key).and_then(Value::as_f64).unwrap_or(default)
    }

    pub(super) fn whole(&self, key: &str, default: u64) -> u64 {
        self.parameters.get(key).and_then(Value::as_u64).unwrap_or(default)
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.parameters.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.parameters.get(key).and_then(Value::as_str)
    }
}

impl<C> Clone for Named<C> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), parameters: self.parameters.clone(), catalog: PhantomData }
    }
}

impl<C> PartialEq for Named<C> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.parameters == other.parameters
    }
}

impl<C> fmt::Debug for Named<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named")
            .field("name", &self.name)
            .field("parameters", &self.parameters)
            .finish()
    }
}

impl<C> Serialize for Named<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.parameters.is_empty() {
            return serializer.serialize_str(&self.name);
        }
        let mut map = serializer.serialize_map(Some(self.parameters.len() + 1))?;
        map.serialize_entry("name", &self.name)?;
        for (key, value) in &self.parameters {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, C: Catalog> Deserialize<'de> for Named<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

struct Reader<C>(PhantomData<fn() -> C>);

impl<'de, C: Catalog> Visitor<'de> for Reader<C> {
    type Value = Named<C>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a name of the {}, or an object with its `name`", C::KIND)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Named<C>, E> {
        Ok(Named::new(name))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<C>, A::Error> {
        let mut name = None;
        let mut parameters = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "name" {
                name = Some(map.next_value::<String>()?);
            } else {
                parameters.insert(key, map.next_value()?);
            }
        }
        match name.as_deref().or(C::DEFAULT) {
            Some(name) => Ok(Named::with(name, parameters)),
            None => Err(de::Error::missing_field("name")),
        }
    }
}

impl<C: Catalog> JsonSchema for Named<C> {
    fn schema_name() -> Cow<'static, str> {
        C::KIND.replace(' ', "_").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let variants = C::variants();
        let names: Vec<_> = variants.iter().map(|variant| variant.name).collect();
        let mut forms = vec![json!({
            "description": "The name alone: its defaults.",
            "enum": names,
        })];
        for variant in &variants {
            let mut properties = Map::new();
            properties.insert("name".to_owned(), json!({ "const": variant.name }));
            for key in &variant.keys {
                let mut schema = key.kind.schema();
                schema["description"] = Value::from(key.description);
                properties.insert(key.name.to_owned(), schema);
            }
            let required: &[&str] = if C::DEFAULT == Some(variant.name) { &[] } else { &["name"] };
            forms.push(json!({
                "type": "object",
                "description": variant.description,
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            }));
        }
        json_schema!({ "anyOf": forms })
    }
}
