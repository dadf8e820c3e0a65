//! The keys of an object that is read by hand: each taken once, none left over.

use serde_json::{Map, Value};

use crate::config::locations::join;
use crate::config::problem::{describe, unknown_key};
use crate::error::{Error, Result, short};

/// An object's keys.
pub(super) struct Keys<'a> {
    path: String,
    given: Option<&'a Map<String, Value>>,
    taken: Vec<String>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(path: &str, given: &'a Map<String, Value>) -> Self {
        Self { path: path.to_owned(), given: Some(given), taken: Vec::new() }
    }

    /// Those of a name alone.
    pub(super) fn none(path: &str) -> Self {
        Self { path: path.to_owned(), given: None, taken: Vec::new() }
    }

    /// The value of a key, where it is given.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a Value> {
        self.taken.push(key.to_owned());
        self.given?.get(key)
    }

    /// The error of a value that cannot be used.
    pub(super) fn wrong(&self, key: &str, expected: &str, found: &Value) -> Error {
        let found = describe(found);
        Error::config(join(&self.path, key), format!("expected {expected}, found {found}"))
    }

    /// A whole number of 1 or more.
    pub(super) fn count(&self, key: &str, value: &Value) -> Result<usize> {
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count >= 1);
        count.ok_or_else(|| self.wrong(key, "a whole number, 1 or more", value))
    }

    /// Refuses keys that were not asked for.
    pub(super) fn finish(self) -> Result<()> {
        let Some(given) = self.given else { return Ok(()) };
        let Some(key) = given.keys().find(|key| !self.taken.contains(key)) else { return Ok(()) };
        Err(unknown_key(join(&self.path, &short(key)), key, &self.taken))
    }
}
