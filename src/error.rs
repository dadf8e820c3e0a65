//! The one error type of the library. Every variant names the thing, what was expected and
//! what was found, so that the message alone tells the reader what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// A `Result` whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in a data file something was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Line of a text file, from 1.
    pub line: Option<u64>,
    /// Row of a file that has no lines, from 0.
    pub row: Option<u64>,
    /// Column by name, or its index from 0 where there is no header.
    pub column: Option<String>,
    /// Byte offset from the start of the (decompressed) file.
    pub byte: Option<u64>,
}

impl Place {
    /// A whole line.
    pub fn line(line: u64) -> Self {
        Self { line: Some(line), ..Self::default() }
    }

    /// One field of a line.
    pub fn field(line: u64, column: impl Into<String>) -> Self {
        Self { line: Some(line), column: Some(column.into()), ..Self::default() }
    }

    /// A named column, on no line in particular.
    pub fn column(column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..Self::default() }
    }

    /// The same place, in a column.
    #[must_use]
    pub fn in_column(self, column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..self }
    }

    /// A byte of a binary file.
    pub fn byte(byte: u64) -> Self {
        Self { byte: Some(byte), ..Self::default() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(row) = self.row {
            write!(f, ", row {row} (from 0)")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column:?}")?;
        }
        if let Some(byte) = self.byte {
            write!(f, ", byte {byte}")?;
        }
        Ok(())
    }
}

/// Everything that can go wrong in wgfit, sorted by who can mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The config is not JSON.
    #[error("{file}:{line}:{column}: not valid JSON: {problem}")]
    Json {
        /// The config file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What the parser met.
        problem: String,
    },
    /// A key of the config (or an override of one) has a value that cannot be used.
    #[error("{location}`{path}`: {problem}{}", help_line(.help))]
    Config {
        /// `file:line: ` of the key where it is known, else empty.
        location: String,
        /// Dotted path of the key, such as `model.layers[0].units`.
        path: String,
        /// What was found and what was expected.
        problem: String,
        /// What to do, or empty.
        help: String,
    },
    /// A data file holds something that cannot be used.
    #[error("{}{place}: {problem}{}", .file.display(), help_line(.help))]
    Data {
        /// The file.
        file: PathBuf,
        /// Where in it.
        place: Place,
        /// What was found and what was expected.
        problem: String,
        /// What to do, or empty.
        help: String,
    },
    /// A request that makes no sense, such as a run folder that already holds a run.
    #[error("{problem}{}", help_line(.help))]
    Usage {
        /// What was asked for and why it cannot be.
        problem: String,
        /// What to do, or empty.
        help: String,
    },
    /// A saved model (safetensors) cannot be used.
    #[error("{}: {problem}{}", .file.display(), help_line(.help))]
    Model {
        /// The file.
        file: PathBuf,
        /// What was found and what was expected.
        problem: String,
        /// What to do, or empty.
        help: String,
    },
    /// A file could not be read or written; the source says why.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// The verb: `read`, `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own word.
        source: std::io::Error,
    },
    /// A folder cannot take what must be written into it.
    #[error("{}: {problem}{}", .folder.display(), help_line(.help))]
    Storage {
        /// The folder.
        folder: PathBuf,
        /// What is needed and what is there.
        problem: String,
        /// What to do, or empty.
        help: String,
    },
    /// No adapter, or one that refused.
    #[error("{problem}{}", help_line(.help))]
    Device {
        /// What happened, with the adapter's name.
        problem: String,
        /// What to do, or empty.
        help: String,
    },
    /// A device that was there is gone: its driver was reset, or it was unplugged.
    #[error("{problem}{}", help_line(.help))]
    DeviceLost {
        /// What happened, with the adapter's name.
        problem: String,
        /// What to do, or empty.
        help: String,
    },
    /// A device has no room for what it was asked for.
    #[error("{problem}{}", help_line(.help))]
    OutOfMemory {
        /// What was asked for, with the adapter's name and sizes.
        problem: String,
        /// What to do, or empty.
        help: String,
    },
    /// The network or the batch is larger than the device can hold.
    #[error("{what} needs {needed} bytes, but {device} allows {allowed}{}", help_line(.help))]
    TooLarge {
        /// Which buffer or dispatch.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        allowed: u64,
        /// The adapter's name.
        device: String,
        /// What to do, or empty.
        help: String,
    },
    /// Training met a number that is not finite.
    #[error("training diverged in epoch {epoch}, step {step}{}: {problem}{}", member_of(.member), help_line(.help))]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
        /// Step since the start of training, from 1.
        step: u64,
        /// Which member, when there is more than one.
        member: Option<usize>,
        /// Which layer's which tensor held the first such number.
        problem: String,
        /// What to do, or empty.
        help: String,
    },
    /// The program itself is at fault: a shader that does not compile, a plan that names no buffer.
    #[error("internal error: {0}. This is a fault of wgfit; please report it with the config")]
    Internal(String),
}

fn help_line(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\n  help: {text}") }
}

fn member_of(member: &Option<usize>) -> String {
    member.map(|m| format!(", member {m}")).unwrap_or_default()
}

impl Error {
    /// The process exit code: 2 when the request was wrong (config, usage, data that does not
    /// fit the config), 1 when it could not be done (I/O, device, diverged).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Json { .. }
            | Self::Config { .. }
            | Self::Data { .. }
            | Self::Usage { .. }
            | Self::Model { .. }
            | Self::TooLarge { .. } => 2,
            Self::Io { .. }
            | Self::Storage { .. }
            | Self::Device { .. }
            | Self::DeviceLost { .. }
            | Self::OutOfMemory { .. }
            | Self::Diverged { .. }
            | Self::Internal(_) => 1,
        }
    }

    pub(crate) fn config(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Config {
            location: String::new(),
            path: path.into(),
            problem: problem.into(),
            help: String::new(),
        }
    }

    pub(crate) fn data(file: &Path, place: Place, problem: impl Into<String>) -> Self {
        Self::Data { file: file.to_owned(), place, problem: problem.into(), help: String::new() }
    }

    pub(crate) fn usage(problem: impl Into<String>) -> Self {
        Self::Usage { problem: problem.into(), help: String::new() }
    }

    pub(crate) fn model(file: &Path, problem: impl Into<String>) -> Self {
        Self::Model { file: file.to_owned(), problem: problem.into(), help: String::new() }
    }

    pub(crate) fn storage(folder: &Path, problem: impl Into<String>) -> Self {
        Self::Storage { folder: folder.to_owned(), problem: problem.into(), help: String::new() }
    }

    pub(crate) fn device(problem: impl Into<String>) -> Self {
        Self::Device { problem: problem.into(), help: String::new() }
    }

    pub(crate) fn device_lost(problem: impl Into<String>) -> Self {
        Self::DeviceLost { problem: problem.into(), help: String::new() }
    }

    pub(crate) fn out_of_memory(problem: impl Into<String>) -> Self {
        Self::OutOfMemory { problem: problem.into(), help: String::new() }
    }

    pub(crate) fn internal(problem: impl Into<String>) -> Self {
        Self::Internal(problem.into())
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// Adds what to do about it, for the variants that carry a `help` line.
    pub(crate) fn with_help(mut self, text: impl Into<String>) -> Self {
        match &mut self {
            Self::Config { help, .. }
            | Self::Data { help, .. }
            | Self::Usage { help, .. }
            | Self::Model { help, .. }
            | Self::Storage { help, .. }
            | Self::Device { help, .. }
            | Self::DeviceLost { help, .. }
            | Self::OutOfMemory { help, .. }
            | Self::TooLarge { help, .. }
            | Self::Diverged { help, .. } => *help = text.into(),
            Self::Json { .. } | Self::Io { .. } | Self::Internal(_) => {}
        }
        self
    }
}

/// A text cut to a length that a message can bear.
pub(crate) fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['.', '.', '.']).collect()
}

/// `128 MiB`.
pub(crate) fn size(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, "B");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if value.fract() < 0.05 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// An error with its cause, in one line.
pub(crate) fn one_line(error: &Error) -> String {
    let source = std::error::Error::source(error);
    let source = source.map_or_else(String::new, |source| format!(": {source}"));
    let text = format!("{error}{source}");
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

/// The candidate nearest to `name`, when near enough to be a slip of the keyboard.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // What is far longer is no slip, and long to compare.
    let is_near = |candidate: &&str| candidate.len() <= 4 * name.len() + 16;
    candidates
        .into_iter()
        .filter(is_near)
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), candidate), candidate))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `unknown {kind} "{name}"`, with the nearest candidate and the whole list as help.
pub(crate) fn unknown<'a>(
    path: impl Into<String>,
    kind: &str,
    name: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Error {
    let near = did_you_mean(name, candidates.clone())
        .map(|candidate| format!("did you mean {candidate:?}? "))
        .unwrap_or_default();
    let all = candidates.into_iter().collect::<Vec<_>>().join(", ");
    Error::config(path, format!("unknown {kind} {name:?}")).with_help(format!("{near}known: {all}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_noise_finds_none() {
        let names = ["relu", "leaky_relu", "tanh"];
        assert_eq!(did_you_mean("rellu", names), Some("relu"));
        assert_eq!(did_you_mean("LeakyRelu", names), Some("leaky_relu"));
        assert_eq!(did_you_mean("qqqq", names), None);
    }

    #[test]
    fn the_place_reads_as_a_person_would_say_it() {
        let error =
            Error::data(Path::new("a.csv"), Place::field(3, "age"), "\"x\" is not a number");
        assert_eq!(error.to_string(), "a.csv, line 3, column \"age\": \"x\" is not a number");
        assert_eq!(error.exit_code(), 2);
    }
}
