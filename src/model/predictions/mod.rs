//! Predictions as files: CSV, Parquet, NPY, written as the rows come, and put in their place whole or
//! not at all.

mod csv;
mod npy;
mod parquet;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{Model, Predictions};
use crate::config::data::Task;
use crate::data::Kept;
use crate::disk::AtomicFile;
use crate::error::{Error, Result};

/// A column of what is written.
#[derive(Debug, Clone, PartialEq)]
enum Column {
    Numbers(Vec<f64>),
    /// Probabilities and predictions: as precise as the network is.
    Floats(Vec<f32>),
    Texts(Vec<String>),
}

/// One format.
trait Format {
    /// Writes some rows.
    fn write(&mut self, out: &mut Output, columns: &[Column]) -> io::Result<()>;
    /// Writes what comes last.
    fn end(&mut self, out: &mut Output) -> io::Result<()>;
}

/// Where it goes.
enum Output {
    File(BufWriter<AtomicFile>),
    Stdout(BufWriter<io::Stdout>),
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

/// Writes the predictions of a model, row by row in the order in which they come: the columns that are
/// copied, a `probability_{class}` each (classification), the members' spread where it is asked for, and last
/// `prediction`, in the user's classes and units.
pub struct PredictionsFile<'a> {
    model: &'a Model,
    path: String,
    output: Output,
    format: Box<dyn Format>,
    /// Whether the members' spread is written.
    spread: bool,
    rows: usize,
    /// Whether nobody reads any more.
    closed: bool,
}

impl<'a> PredictionsFile<'a> {
    /// Begins a file, in the format of its name: `.parquet`, `.npy` (numbers alone), else CSV; or CSV on
    /// stdout. `copied` are the names of the columns that come first. With `spread` there are columns of
    /// [`Predictions::spread`] (`spread_{class}`, or of numbers `spread`, of several targets
    /// `spread_{target}`) and `mutual_information`; the predictions must come from a predictor
    /// [with spread](super::Predictor::with_spread).
    ///
    /// # Errors
    /// A file that cannot be made, a format that cannot hold the columns, two columns of one name, or
    /// the spread of a single network.
    pub fn create(
        model: &'a Model,
        file: Option<&Path>,
        copied: &[String],
        spread: bool,
    ) -> Result<Self> {
        if spread {
            model.check_spread()?;
        }
        let names: Vec<String> = copied.iter().cloned().chain(columns(model, spread)).collect();
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
            return Err(Error::usage(format!("two columns would be named {twice:?}"))
                .with_help("name each column once, and none like those of the predictions"));
        }
        let extension = file.and_then(Path::extension).map(|e| e.to_string_lossy().to_lowercase());
        let path = file.map_or("stdout".to_owned(), |file| file.display().to_string());
        let output = match file {
            Some(file) => Output::File(BufWriter::new(AtomicFile::create(file)?)),
            None => Output::Stdout(BufWriter::new(io::stdout())),
        };
        let format: Box<dyn Format> = match extension.as_deref() {
            Some("parquet" | "pq") => Box::new(parquet::ParquetFormat::new(names)),
            Some("npy") => {
                if !copied.is_empty() {
                    return Err(Error::usage("an NPY file holds no columns that are copied")
                        .with_help("write CSV or Parquet, whose columns have names"));
                }
                Box::new(npy::NpyFormat::default())
            }
            _ => Box::new(csv::CsvFormat::new(names)),
        };
        Ok(Self { model, path, output, format, spread, rows: 0, closed: false })
    }

    /// Writes the predictions of some rows, and the columns copied of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, predictions: &Predictions, copied: Vec<Kept>) -> Result<()> {
        let mut columns: Vec<Column> = copied
            .into_iter()
            .map(|kept| match kept {
                Kept::Numbers(numbers) => Column::Numbers(numbers),
                Kept::Texts(texts) => Column::Texts(texts),
            })
            .collect();
        let Predictions { values, width, rows, spread, mutual_information } = predictions;
        let floats = |values: &mut dyn Iterator<Item = &f64>| {
            Column::Floats(values.map(|value| *value as f32).collect())
        };
        let each = |values: &[f64]| -> Vec<Column> {
            (0..*width).map(|at| floats(&mut values.iter().skip(at).step_by(*width))).collect()
        };
        let has_classes = self.model.preprocessing.task() != Task::Regression;
        // What is predicted comes last.
        let (first, last) =
            if has_classes { (each(values), Vec::new()) } else { (Vec::new(), each(values)) };
        columns.extend(first);
        if self.spread {
            columns.extend(each(spread));
            columns.extend(has_classes.then(|| floats(&mut mutual_information.iter())));
        }
        columns.extend(last);
        if let Some(said) = said(self.model, predictions) {
            columns.push(Column::Texts(said));
        }
        self.rows += rows;
        if self.closed {
            return Ok(());
        }
        let written = self.format.write(&mut self.output, &columns);
        let written = written.and_then(|()| match &mut self.output {
            Output::Stdout(stdout) => stdout.flush(),
            Output::File(_) => Ok(()),
        });
        written.or_else(|error| self.unless_closed(error))
    }

    /// Whether nobody reads any more what is written.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// A reader of stdout that went away, such as `head`, has what it wanted.
    fn unless_closed(&mut self, error: io::Error) -> Result<()> {
        self.closed =
            error.kind() == io::ErrorKind::BrokenPipe && matches!(self.output, Output::Stdout(_));
        if self.closed { Ok(()) } else { Err(Error::io("write", Path::new(&self.path), error)) }
    }

    /// Puts the file in its place; returns the rows in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<usize> {
        if !self.closed {
            let ended = self.format.end(&mut self.output).and_then(|()| self.output.flush());
            ended.or_else(|error| self.unless_closed(error))?;
        }
        if let Output::File(file) = self.output {
            let failed = |error| Error::io("write", Path::new(&self.path), error);
            file.into_inner().map_err(|error| failed(error.into_error()))?.put_in_place()?;
        }
        Ok(self.rows)
    }
}

impl std::fmt::Debug for PredictionsFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PredictionsFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The names of the columns of predictions.
fn columns(model: &Model, spread: bool) -> Vec<String> {
    let preprocessing = &model.preprocessing;
    let named = |what: &str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{what}_{name}")).collect()
    };
    let has_classes = preprocessing.task() != Task::Regression;
    let (mut columns, spreads, last) = match preprocessing.target_names() {
        _ if has_classes => {
            let classes = preprocessing.classes();
            let mut spreads = named("spread", classes);
            spreads.push("mutual_information".to_owned());
            (named("probability", classes), spreads, vec!["prediction".to_owned()])
        }
        [_] | [] => (Vec::new(), vec!["spread".to_owned()], vec!["prediction".to_owned()]),
        names => (Vec::new(), named("spread", names), named("prediction", names)),
    };
    if spread {
        columns.extend(spreads);
    }
    columns.extend(last);
    columns
}

/// Each row's class, or its labels parted by spaces; none for numbers.
fn said(model: &Model, predictions: &Predictions) -> Option<Vec<String>> {
    let classes = model.preprocessing.classes();
    match model.preprocessing.task() {
        Task::Regression => None,
        Task::Classification | Task::Binary => {
            Some(predictions.classes().into_iter().map(|class| classes[class].clone()).collect())
        }
        Task::Multilabel => {
            let join = |row: Vec<usize>| {
                row.into_iter().map(|label| classes[label].as_str()).collect::<Vec<_>>().join(" ")
            };
            Some(predictions.labels().into_iter().map(join).collect())
        }
    }
}
