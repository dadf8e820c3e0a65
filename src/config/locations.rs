//! Where the keys of a config stand, for the errors about them.

use std::collections::HashMap;

use crate::error::Error;

/// Where a key's value comes from.
#[derive(Debug, Clone)]
enum At {
    /// A line of the file, from 1.
    Line(usize),
    /// An override.
    Override,
    /// Elsewhere, as an error says it: `sweep.json:7: `.
    Elsewhere(String),
}

/// Where a config's keys stand. Never a part of what a config means: any two are equal.
#[derive(Debug, Clone, Default)]
pub(super) struct Locations {
    /// The config file's name, or empty for a config that came from no file.
    file: String,
    /// Where each key's value comes from.
    keys: HashMap<String, At>,
}

impl PartialEq for Locations {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Locations {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), keys: HashMap::new() }
    }

    /// Notes a key's line, and returns the line it stood on before, if it did.
    pub(super) fn note(&mut self, path: &str, line: usize) -> Option<usize> {
        match self.keys.insert(path.to_owned(), At::Line(line)) {
            Some(At::Line(before)) => Some(before),
            _ => None,
        }
    }

    /// Notes that an override gave the key, and all that is under it.
    pub(super) fn note_override(&mut self, path: &str) {
        self.note_given(path, &At::Override);
    }

    /// Notes that a value comes from elsewhere, which `place` names, and all that is under it.
    pub(super) fn note_elsewhere(&mut self, path: &str, place: &str) {
        self.note_given(path, &At::Elsewhere(place.to_owned()));
    }

    /// Where the keys under one of them stand, as those of a config of their own.
    pub(super) fn under(&self, path: &str) -> Self {
        let own = |key: &String| Some(key.strip_prefix(path)?.strip_prefix('.')?.to_owned());
        let keys = self.keys.iter().filter_map(|(key, at)| Some((own(key)?, at.clone())));
        Self { file: self.file.clone(), keys: keys.collect() }
    }

    fn note_given(&mut self, path: &str, at: &At) {
        self.keys.retain(|key, _| {
            !key.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']))
        });
        self.keys.insert(path.to_owned(), at.clone());
        // What is around it and is not in the file was made for it.
        let mut around = path;
        while let Some(end) = around.rfind(['.', '[']) {
            around = &around[..end];
            self.keys.entry(around.to_owned()).or_insert_with(|| at.clone());
        }
    }

    /// `file:line: ` of the key, or of the nearest one around it.
    pub(super) fn of(&self, path: &str) -> String {
        let mut near = path;
        loop {
            match self.keys.get(near) {
                Some(At::Line(line)) => return format!("{}:{line}: ", self.file),
                Some(At::Override) => return "override: ".to_owned(),
                Some(At::Elsewhere(place)) => return place.clone(),
                None => {}
            }
            match near.rfind(['.', '[']) {
                Some(end) => near = &near[..end],
                None if self.file.is_empty() => return String::new(),
                None => return format!("{}: ", self.file),
            }
        }
    }

    /// Fills in the location of an error about a key.
    pub(super) fn locate(&self, mut error: Error) -> Error {
        if let Error::Config { location, path, .. } = &mut error
            && location.is_empty()
        {
            *location = self.of(path);
        }
        error
    }
}

/// The path of a key under another; the root's is empty.
pub(super) fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
}
