//! Where the keys of a config stand, for the errors about them.

use std::collections::HashMap;

use crate::error::Error;

/// Lines of a config's keys. Never a part of what a config means: any two are equal.
#[derive(Debug, Clone, Default)]
pub(super) struct Locations {
    /// The config file's name, or empty for a config that came from no file.
    file: String,
    /// Line of each key, from 1; `None` for one that an override gave.
    lines: HashMap<String, Option<usize>>,
}

impl PartialEq for Locations {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Locations {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), lines: HashMap::new() }
    }

    /// Notes a key's line, and returns the line it stood on before, if it did.
    pub(super) fn note(&mut self, path: &str, line: usize) -> Option<usize> {
        self.lines.insert(path.to_owned(), Some(line)).flatten()
    }

    /// Notes that an override gave the key, and all that is under it.
    pub(super) fn note_override(&mut self, path: &str) {
        self.lines.retain(|key, _| {
            !key.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']))
        });
        self.lines.insert(path.to_owned(), None);
        // What is around it and is not in the file was made for it.
        let mut around = path;
        while let Some(end) = around.rfind(['.', '[']) {
            around = &around[..end];
            self.lines.entry(around.to_owned()).or_insert(None);
        }
    }

    /// `file:line: ` of the key, or of the nearest one around it.
    pub(super) fn of(&self, path: &str) -> String {
        let mut near = path;
        loop {
            match self.lines.get(near) {
                Some(Some(line)) => return format!("{}:{line}: ", self.file),
                Some(None) => return "override: ".to_owned(),
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
