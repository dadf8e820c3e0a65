//! What serde says of a value, put as a person would.

use serde_json::Value;
use serde_path_to_error::Segment;

use super::locations::join;
use crate::error::{Error, did_you_mean, short};

/// A value as a message names it.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{:?}", short(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The error about a config's JSON, with the key path; the location is not filled in.
pub(super) fn explain(
    error: &serde_path_to_error::Error<serde_json::Error>,
    root: &Value,
) -> Error {
    let mut path = String::new();
    let mut last = "";
    let mut found = Some(root);
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => {
                path = format!("{path}[{index}]");
                found = found.and_then(|value| value.get(index));
            }
            Segment::Map { key } => {
                path = join(&path, key);
                last = key;
                found = found.and_then(|value| value.get(key));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let text = error.inner().to_string();
    if let Some(rest) = text.strip_prefix("unknown field `") {
        return unknown_key(path, last, &quoted(rest));
    }
    if let Some(rest) = text.strip_prefix("unknown variant `") {
        let name = found.and_then(Value::as_str).unwrap_or_default();
        let known = quoted(rest);
        return crate::error::unknown(
            path,
            "value",
            &short(name),
            known.iter().map(String::as_str),
        );
    }
    if let Some(rest) = text.strip_prefix("missing field `") {
        let key = rest.split('`').next().unwrap_or_default();
        let help = match key {
            "data" | "train" => {
                r#"the shortest config is {"data": {"train": "table.csv", "target": "column"}}"#
            }
            _ => "",
        };
        return Error::config(join(&path, key), "the key is required and not given")
            .with_help(help);
    }
    let expected = text.rsplit_once("expected ").map_or(text.as_str(), |(_, expected)| expected);
    let expected = match expected {
        "u64" | "usize" | "u32" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a map" => "an object",
        "a sequence" => "a list",
        "string or map" => "a name",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    let found = found.map_or_else(|| "nothing".to_owned(), describe);
    Error::config(path, format!("expected {expected}, found {found}"))
}

/// The error about a key that is not known where it stands.
pub(super) fn unknown_key<S: AsRef<str>>(path: String, key: &str, known: &[S]) -> Error {
    let names = || known.iter().map(AsRef::as_ref);
    let near = did_you_mean(key, names())
        .map(|candidate| format!("did you mean {candidate:?}? "))
        .unwrap_or_default();
    let all = names().collect::<Vec<_>>().join(", ");
    let help =
        if all.is_empty() { "no key is known here".into() } else { format!("{near}known: {all}") };
    Error::config(path, "unknown key").with_help(help)
}

/// The words in backquotes that serde expected; the culprit, before them, may hold any text.
fn quoted(rest: &str) -> Vec<String> {
    let expected = rest.rsplit_once("`, expected ").map_or("", |(_, expected)| expected);
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Refuses a list where an object belongs: serde would take it for the object's values in order.
pub(super) fn refuse_lists(root: &Value) -> Result<(), Error> {
    let refuse = |path: &str, value: Option<&Value>| match value {
        Some(Value::Array(_)) => Err(Error::config(path, "expected an object, found a list")),
        _ => Ok(()),
    };
    for key in ["data", "model", "training", "early_stopping", "log", "checkpoint"] {
        refuse(key, root.get(key))?;
    }
    refuse("model.output", root.pointer("/model/output"))?;
    if let Some(Value::Array(layers)) = root.pointer("/model/layers") {
        for (i, layer) in layers.iter().enumerate() {
            refuse(&format!("model.layers[{i}]"), Some(layer))?;
        }
    }
    if let Some(Value::Object(columns)) = root.pointer("/data/columns") {
        for (name, column) in columns {
            refuse(&format!("data.columns.{name}"), Some(column))?;
        }
    }
    Ok(())
}
