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
use super::problem::{describe, unknown_key};
use crate::error::{Error, Result, short, unknown};

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

impl Variant {
    /// The keys that must be given.
    fn required(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().filter(|key| key.kind == KeyKind::File).map(|key| key.name)
    }
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
    /// A text.
    Text,
    /// The name of a file; the key is required.
    File,
    /// One of these names.
    OneOf(&'static [&'static str]),
    /// A number, or `null` for none.
    NumberOrNull,
    /// A list of numbers.
    Numbers,
    /// A list of whole numbers, 0 or more.
    Wholes,
}

impl KeyKind {
    fn schema(self) -> Value {
        match self {
            Self::Number => json!({ "type": "number" }),
            Self::Whole => json!({ "type": "integer", "minimum": 0 }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Text | Self::File => json!({ "type": "string" }),
            Self::OneOf(names) => json!({ "enum": names }),
            Self::NumberOrNull => json!({ "type": ["number", "null"] }),
            Self::Numbers => json!({ "type": "array", "items": Self::Number.schema() }),
            Self::Wholes => json!({ "type": "array", "items": Self::Whole.schema() }),
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
        for key in variant.required() {
            if !self.parameters.contains_key(key) {
                let problem = "the key is required and not given";
                return Err(Error::config(join(path, key), problem)
                    .with_help(format!("write {{\"name\": \"{}\", \"{key}\": ...}}", self.name)));
            }
        }
        Ok(Arguments { path, parameters: &self.parameters })
    }
}

fn check_kind(path: String, kind: KeyKind, value: &Value) -> Result<()> {
    let (fits, expected) = match kind {
        KeyKind::Number => (value.is_number(), "a number"),
        KeyKind::Whole => (value.is_u64(), "a whole number, 0 or more"),
        KeyKind::Flag => (value.is_boolean(), "true or false"),
        KeyKind::Text | KeyKind::File => (value.is_string(), "a text"),
        KeyKind::OneOf(names) => match value.as_str() {
            Some(name) if names.contains(&name) => return Ok(()),
            Some(name) => return Err(unknown(path, "value", &short(name), names.iter().copied())),
            None => (false, "a name"),
        },
        KeyKind::NumberOrNull => (value.is_number() || value.is_null(), "a number or null"),
        KeyKind::Numbers => return check_list(&path, KeyKind::Number, value, "numbers"),
        KeyKind::Wholes => return check_list(&path, KeyKind::Whole, value, "whole numbers"),
    };
    if fits {
        return Ok(());
    }
    Err(Error::config(path, format!("expected {expected}, found {}", describe(value))))
}

fn check_list(path: &str, of: KeyKind, value: &Value, what: &str) -> Result<()> {
    let Some(values) = value.as_array() else {
        let problem = format!("expected a list of {what}, found {}", describe(value));
        return Err(Error::config(path, problem));
    };
    values.iter().enumerate().try_for_each(|(i, x)| check_kind(format!("{path}[{i}]"), of, x))
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

    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        self.parameters.get(key).and_then(Value::as_bool).unwrap_or(default)
    }

    /// A number that may be left out or `null`.
    pub(super) fn optional(&self, key: &str) -> Option<f64> {
        self.parameters.get(key).and_then(Value::as_f64)
    }

    pub(super) fn numbers(&self, key: &str) -> Option<Vec<f64>> {
        self.list(key, Value::as_f64)
    }

    pub(super) fn whole_numbers(&self, key: &str) -> Option<Vec<u64>> {
        self.list(key, Value::as_u64)
    }

    fn list<T>(&self, key: &str, read: fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        self.parameters.get(key)?.as_array()?.iter().map(read).collect()
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
        let alone = variants.iter().filter(|variant| variant.required().next().is_none());
        let names: Vec<_> = alone.map(|variant| variant.name).collect();
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
            let name = (C::DEFAULT != Some(variant.name)).then_some("name");
            let required: Vec<_> = name.into_iter().chain(variant.required()).collect();
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
