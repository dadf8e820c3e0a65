//! From the text of a config file to [`Config`].

use std::path::Path;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Number, Value};

use super::locations::{Locations, join};
use super::written::Config;
use super::{overrides, problem};
use crate::error::{Error, Result, short};

/// JSON with comments and trailing commas, and nothing else.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

impl Config {
    /// Reads a config file and applies overrides, each of the form `KEY=VALUE`.
    ///
    /// # Errors
    /// When the file cannot be read, is not JSON (comments and trailing commas are allowed), or a
    /// key or an override is unknown or of the wrong type.
    pub fn load(file: &Path, overrides: &[String]) -> Result<Self> {
        Self::parse(&read_text(file)?, &file.display().to_string(), overrides)
    }

    /// Reads the text of a config; `file` names it in errors. As [`Config::load`].
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, file: &str, overrides: &[String]) -> Result<Self> {
        let (mut value, mut locations) = tree(text, file)?;
        for text in overrides {
            overrides::apply(&mut value, text, &mut locations)?;
        }
        Self::from_value(value, locations)
    }

    /// The typed form of a config's JSON.
    pub(super) fn from_value(value: Value, locations: Locations) -> Result<Self> {
        problem::refuse_lists(&value).map_err(|error| locations.locate(error))?;
        match serde_path_to_error::deserialize::<_, Self>(&value) {
            Ok(mut config) => {
                config.locations = locations;
                Ok(config)
            }
            Err(error) => Err(locations.locate(problem::explain(&error, &value))),
        }
    }
}

/// The text of a JSON file.
pub(super) fn read_text(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).map_err(|source| Error::io("read", file, source))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let (line, column) = position(&before, before.len());
        let problem = "a byte that is not UTF-8".to_owned();
        Error::Json { file: file.display().to_string(), line, column, problem }
    })
}

/// The object that a JSON text holds, and where its keys stand; `file` names it in errors.
pub(super) fn tree(text: &str, file: &str) -> Result<(Value, Locations)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json = |at: usize, problem: String| {
        let (line, column) = position(text, at);
        Error::Json { file: file.to_owned(), line, column, problem }
    };
    let tree = parse_to_ast(text, &CollectOptions::default(), &STRICT)
        .map_err(|error| json(error.range().start, lower_first(&error.kind().to_string())))?
        .value
        .ok_or_else(|| json(text.len(), "there is no value in it".to_owned()))?;
    let mut reader = Reader {
        locations: Locations::new(file),
        line_starts: std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect(),
    };
    let read = reader.read(&tree, "");
    let locations = reader.locations;
    let value = read.map_err(|error| locations.locate(error))?;
    if !value.is_object() {
        let found = problem::describe(&value);
        return Err(json(tree.range().start, format!("expected an object, found {found}")));
    }
    Ok((value, locations))
}

/// Line and column of a byte, in characters, from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|c| c.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// Makes a value of a syntax tree and notes where its keys stand. The parser has bounded the
/// depth of the tree, so recursion is safe.
struct Reader {
    locations: Locations,
    line_starts: Vec<usize>,
}

impl Reader {
    fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    fn read(&mut self, tree: &ast::Value, path: &str) -> Result<Value> {
        Ok(match tree {
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
            ast::Value::StringLit(literal) => Value::String(literal.value.clone().into_owned()),
            ast::Value::NumberLit(literal) => number(literal.value, path)?,
            ast::Value::Array(array) => {
                let mut items = Vec::with_capacity(array.elements.len());
                for (i, element) in array.elements.iter().enumerate() {
                    let path = format!("{path}[{i}]");
                    self.locations.note(&path, self.line(element.range().start));
                    items.push(self.read(element, &path)?);
                }
                Value::Array(items)
            }
            ast::Value::Object(object) => {
                let mut entries = Map::with_capacity(object.properties.len());
                for property in &object.properties {
                    let path = join(path, property.name.as_str());
                    let line = self.line(property.range.start);
                    if entries.contains_key(property.name.as_str()) {
                        let first = self.locations.note(&path, line).unwrap_or(line);
                        return Err(Error::config(path, "the key is given twice").with_help(
                            format!("it is first on line {first}; keep one of the two"),
                        ));
                    }
                    self.locations.note(&path, line);
                    let value = self.read(&property.value, &path)?;
                    entries.insert(property.name.as_str().to_owned(), value);
                }
                Value::Object(entries)
            }
        })
    }
}

fn number(text: &str, path: &str) -> Result<Value> {
    nearest(text).map(Value::Number).ok_or_else(|| {
        let text = short(text);
        Error::config(path, format!("{text} is not a number that 64 bits can hold"))
    })
}

/// The number of a JSON literal, the nearest of its type: a config written and read again must
/// mean the same to the last bit, which serde_json alone does not promise.
pub(super) fn nearest(text: &str) -> Option<Number> {
    let number: Number = text.parse().ok()?;
    if number.is_f64() { Number::from_f64(text.parse().ok()?) } else { Some(number) }
}
