//! Overrides of single keys: `model.layers.0.units=256`, `model.layers[0].units=256`.

use serde_json::{Map, Value};

use super::locations::{Locations, join};
use super::{parse, problem};
use crate::error::{Error, Result, short};

/// Keys whose text is short for an object with that `name`: an override may reach into them.
const SHORTHANDS: [&str; 6] = ["activation", "init", "bias_init", "loss", "optimizer", "schedule"];
/// Keys that hold lists, for an index into one that is not there.
const LISTS: [&str; 3] = ["layers", "metrics", "target"];
/// No key of a config stands deeper.
pub(in crate::config) const DEEPEST: usize = 16;

/// Sets the key that `text` names. The value is read as JSON where it is JSON, else as text.
pub(super) fn apply(root: &mut Value, text: &str, locations: &mut Locations) -> Result<()> {
    let form = || {
        Error::usage(format!("the override {:?} is not of the form KEY=VALUE", short(text)))
            .with_help("for example optimizer.learning_rate=0.01 or model.layers.0.units=256")
    };
    let (key, value) = text.split_once('=').ok_or_else(form)?;
    let segments = segments(key.trim()).ok_or_else(form)?;
    if segments.len() > DEEPEST {
        let key = short(key);
        return Err(Error::usage(format!("the override's key {key:?} is too deep")));
    }
    let value = match parse::nearest(value.trim()) {
        Some(number) => Value::Number(number),
        None => serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
    };
    let path = set(root, &segments, value).map_err(|error| within_override(error, text))?;
    locations.note_override(&path);
    Ok(())
}

/// Sets the key at the end of a path, and returns how an error names it.
pub(in crate::config) fn set(
    root: &mut Value,
    segments: &[String],
    value: Value,
) -> Result<String> {
    let mut place = root;
    let mut path = String::new();
    for (i, segment) in segments.iter().enumerate() {
        (place, path) = step(place, &path, segment, segments.get(i + 1))?;
    }
    *place = value;
    Ok(path)
}

fn within_override(mut error: Error, text: &str) -> Error {
    if let Error::Config { location, .. } = &mut error {
        *location = format!("override {}: ", short(text));
    }
    error
}

/// `a.b[0].c` as `a`, `b`, `0`, `c`; `None` when a part is empty.
pub(in crate::config) fn segments(key: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for part in key.split('.') {
        let (name, indices) = match part.split_once('[') {
            Some((name, rest)) => (name, rest.strip_suffix(']')?),
            None => (part, ""),
        };
        if name.is_empty() {
            return None;
        }
        found.push(name.to_owned());
        if part.contains('[') {
            found.extend(indices.split("][").map(str::to_owned));
        }
    }
    found.iter().all(|segment| !segment.is_empty()).then_some(found)
}

/// One step down the tree, making what is missing.
fn step<'a>(
    place: &'a mut Value,
    path: &str,
    segment: &str,
    following: Option<&String>,
) -> Result<(&'a mut Value, String)> {
    if let Value::Array(items) = place {
        let length = items.len();
        let index = segment.parse::<usize>().map_err(|_| {
            Error::config(path, format!("is a list, and {segment:?} is no index of one"))
        })?;
        let path = format!("{path}[{index}]");
        return match items.get_mut(index) {
            Some(item) => {
                expand(item, segment);
                Ok((item, path))
            }
            None => Err(past_the_end(path, length)),
        };
    }
    match place {
        Value::Object(entries) => {
            let path = join(path, segment);
            let is_list = LISTS.contains(&segment);
            let entry = entries.entry(segment).or_insert(Value::Null);
            if following.is_some() {
                expand(entry, segment);
                if entry.is_null() && is_list {
                    *entry = Value::Array(Vec::new());
                } else if entry.is_null() {
                    *entry = Value::Object(Map::new());
                }
            }
            Ok((entry, path))
        }
        scalar => {
            let found = problem::describe(scalar);
            Err(Error::config(path, format!("is {found}, which has no key {segment:?}")))
        }
    }
}

/// Writes a shorthand out as the object it stands for.
fn expand(place: &mut Value, key: &str) {
    if SHORTHANDS.contains(&key)
        && let Value::String(name) = place
    {
        *place = Value::Object(Map::from_iter([("name".to_owned(), Value::from(name.as_str()))]));
    }
}

fn past_the_end(path: String, length: usize) -> Error {
    let help = match length {
        0 => "the config gives no such list; write it into the file".to_owned(),
        1 => "the list has one element, 0".to_owned(),
        _ => format!("the list has {length} elements, 0 to {}", length - 1),
    };
    Error::config(path, "the index is past the end of the list").with_help(help)
}
