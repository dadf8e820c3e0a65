//! Data that does not fit in memory: the training file is read three times, some thousands of rows at a
//! time. First for what its columns are, and for the targets, which are kept; then for the statistics
//! of the training rows; last to encode the rows, which go to temporary files. Every number is the
//! same as when the table is in memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::column::{Column, MISSING, written};
use super::encode::cells::number_of;
use super::encode::{self, Encoder, Wanted};
use super::encoding::CellKind;
use super::fit::{self, Gathered};
use super::preprocessing::Preprocessing;
use super::read::{self, Cells, Chunk, Schema};
use super::spill::SpillWriter;
use super::split::Split;
use super::statistics::ColumnStatistics;
use super::table::{self, Input, Table};
use super::{Dataset, Prepared, Rows, finish, memory, prepare, weights};
use crate::cache;
use crate::config::data::{DataSettings, Portion, Streaming};
use crate::disk::create_folders;
use crate::error::{Error, Place, Result};

/// Bytes of the rows that stay together when the training rows are shuffled, where the user does not
/// say how many rows that are.
const BLOCK_BYTES: usize = 4 << 20;

/// Bytes that a cell takes in memory, raw and encoded, where a format says how many cells there are.
const CELL_BYTES: u64 = 8;
/// Where it does not, a table takes so many times the bytes of its files.
const GROWTH: u64 = 3;
/// The same of compressed files.
const GROWTH_COMPRESSED: u64 = 10;

/// Why a data set is to be streamed; none where it is to be in memory.
pub(super) fn reason(settings: &DataSettings) -> Result<Option<String>> {
    match settings.streaming {
        Streaming::Never => return Ok(None),
        Streaming::Always => return Ok(Some("data.streaming is true".to_owned())),
        Streaming::Auto => {}
    }
    let Some(available) = memory::available() else { return Ok(None) };
    let held_out = [&settings.validation, &settings.test]
        .into_iter()
        .filter_map(|portion| if let Portion::File(file) = portion { Some(file) } else { None });
    let mut needed = 0_u64;
    for file in std::iter::once(&settings.train).chain(held_out) {
        needed = needed.saturating_add(in_memory(file, settings)?);
    }
    let mebibytes = |bytes: u64| bytes >> 20;
    Ok((needed > available / 2).then(|| {
        format!(
            "in memory it may take {} MiB, and {} MiB are free",
            mebibytes(needed),
            mebibytes(available)
        )
    }))
}

/// Bytes that a file, or those of a pattern, may take in memory.
fn in_memory(pattern: &Path, settings: &DataSettings) -> Result<u64> {
    // What is wrong with a file is told where it is read.
    if let Ok(reader) = read::open(pattern, &table::known(settings))
        && let Some(rows) = reader.schema().rows
    {
        let columns = reader.schema().columns.len() as u64;
        return Ok(rows.saturating_mul(columns).saturating_mul(CELL_BYTES));
    }
    let mut bytes = 0_u64;
    for file in read::files(pattern)? {
        let Ok(found) = std::fs::metadata(&file) else { continue };
        let name = file.to_string_lossy().to_lowercase();
        let is_compressed = [".gz", ".zst", ".npz"].iter().any(|end| name.ends_with(end));
        let growth = if is_compressed { GROWTH_COMPRESSED } else { GROWTH };
        bytes = bytes.saturating_add(found.len().saturating_mul(growth));
    }
    Ok(bytes)
}

/// The folder of the temporary files.
fn folder(settings: &DataSettings) -> Result<PathBuf> {
    let folder = match &settings.streaming_folder {
        Some(folder) => folder.clone(),
        None => cache::folder().unwrap_or_else(std::env::temp_dir),
    };
    create_folders(&folder).map_err(|error| {
        Error::storage(&folder, format!("the folder of temporary files cannot be made: {error}"))
            .with_help("name another one in data.streaming_folder")
    })?;
    Ok(folder)
}

/// Reads, splits and encodes the data of a training run without holding its inputs in memory.
pub(super) fn load(settings: &DataSettings, reason: &str) -> Result<Dataset> {
    let folder = folder(settings)?;
    let known = table::known(settings);
    let open = || read::open(&settings.train, &known);
    let mut table = Table::of(&open, settings, false)?;
    let Prepared { resolved, mut notes, names, indices, mut split } =
        prepare(&mut table, settings)?;
    let set_of_row = set_of_rows(&split, table.rows);
    let gathered = gather(&table, &set_of_row, split.train.len(), settings)?;
    let targets = fit::Targets { resolved: &resolved, names, indices };
    let preprocessing =
        fit::fit(&mut table, gathered, targets, &split.train, settings, &mut notes)?;
    drop(resolved);
    let rows = [&split.train, &split.validation, &split.test].map(|rows| Some(rows.len()));
    // Eight bytes a row, and each row's set is known.
    split.train = Vec::new();
    let wanted = Wanted::Targets { labels: settings.labels.as_deref(), weights: true };
    let sets = {
        let mut encoder = Encoder::open(&settings.train, wanted, &preprocessing)?;
        spill(&mut encoder, settings.labels.as_deref(), &folder, &rows, &|row| {
            set_of_row.get(row).copied().unwrap_or(TRAIN)
        })?
    };
    let written = sets.iter().map(|rows| rows.rows).sum();
    if written != table.rows {
        return Err(changed(&table.file, table.rows, written));
    }
    let mut sets = sets.into_iter();
    let mut next = || sets.next().filter(|rows| rows.rows > 0);
    let (train, validation, test) = (next(), next(), next());
    let mut held_out = |what: &str, portion: &Portion, labels: &Option<PathBuf>, rows| {
        let Portion::File(file) = portion else { return Ok(rows) };
        let (rows, own) = spill_file(file, labels.as_deref(), &folder, &preprocessing)?;
        notes.extend(own.into_iter().map(|note| format!("{what}: {note}")));
        Ok::<_, Error>(Some(rows))
    };
    let validation =
        held_out("validation rows", &settings.validation, &settings.validation_labels, validation)?;
    let test = held_out("test rows", &settings.test, &settings.test_labels, test)?;
    let shares =
        [("training rows", &train), ("validation rows", &validation), ("test rows", &test)];
    for (what, rows) in shares {
        if let Some(rows) = rows {
            weights::check(&table.file, what, rows, preprocessing.weight_column())?;
        }
    }
    let row_bytes = preprocessing.inputs() * size_of::<f32>();
    let block = settings.chunk_rows.unwrap_or((BLOCK_BYTES / row_bytes.max(1)).max(1));
    let rows = [&train, &validation, &test].into_iter().flatten().map(|rows| rows.rows);
    let bytes: usize = rows.map(|rows| rows.saturating_mul(row_bytes)).sum();
    notes.push(format!(
        "streamed, as {reason}: {} MiB of encoded rows in a temporary file in {}, shuffled in blocks \
         of {block} rows",
        bytes >> 20,
        folder.display()
    ));
    let mut dataset = finish([train, validation, test], split, preprocessing, notes, settings)?;
    dataset.chunk_rows = Some(block);
    Ok(dataset)
}

const TRAIN: u8 = 0;

/// Which set each row is of: training 0, validation 1, test 2.
fn set_of_rows(split: &Split, rows: usize) -> Vec<u8> {
    let mut sets = vec![TRAIN; rows];
    for (set, rows) in [(1, &split.validation), (2, &split.test)] {
        for row in rows {
            sets[*row] = set;
        }
    }
    sets
}

/// What the training rows say of each input column.
fn gather(
    table: &Table,
    set_of_row: &[u8],
    training_rows: usize,
    settings: &DataSettings,
) -> Result<Vec<Gathered>> {
    let mut columns: Vec<Gathering> = table
        .inputs
        .iter()
        .zip(fit::statistics(table, training_rows, settings))
        .map(|(input, statistics)| Gathering::new(input, statistics))
        .collect::<Result<_>>()?;
    let mut reader = read::open(&settings.train, &table::known(settings))?;
    let schema = reader.schema().clone();
    let mut wanted = vec![false; schema.columns.len()];
    for input in &table.inputs {
        if let Some(wanted) = wanted.get_mut(input.index) {
            *wanted = true;
        }
    }
    let mut first = 0;
    while let Some(chunk) = reader.next_chunk(&wanted)? {
        let rows: Vec<usize> = (0..chunk.rows)
            .filter(|row| set_of_row.get(first + row).is_some_and(|set| *set == TRAIN))
            .collect();
        first += chunk.rows;
        let faults =
            columns.par_iter_mut().filter_map(|column| column.take(&chunk, &schema, &rows).err());
        if let Some(error) = faults.find_map_first(Some) {
            return Err(error);
        }
    }
    if first != set_of_row.len() {
        return Err(changed(&table.file, set_of_row.len(), first));
    }
    columns.into_iter().map(Gathering::finish).collect()
}

/// The error of a file that was not the same when it was read again.
fn changed(file: &Path, before: usize, after: usize) -> Error {
    let problem = format!("{before} rows at first, and {after} when it was read again");
    Error::data(file, Place::default(), problem)
        .with_help("the file must not change while it is read")
}

/// One input column while its training rows are gathered.
struct Gathering {
    index: usize,
    reads: CellKind,
    statistics: Option<ColumnStatistics>,
    /// The index of each category's text.
    categories: HashMap<String, u32>,
    rows: Vec<usize>,
    missing: usize,
    values: Vec<f64>,
}

impl Gathering {
    fn new(input: &Input, statistics: Option<ColumnStatistics>) -> Result<Self> {
        let mut categories = HashMap::new();
        if let Column::Categories(coded) = &input.column {
            for (code, text) in coded.texts.iter().enumerate() {
                let code = u32::try_from(code)
                    .map_err(|_| Error::internal("a column with too many categories"))?;
                categories.insert(text.clone(), code);
            }
        }
        let reads = fit::cell_kind(&input.column);
        let rows = vec![0; categories.len()];
        let index = input.index;
        Ok(Self { index, reads, statistics, categories, rows, missing: 0, values: Vec::new() })
    }

    fn take(&mut self, chunk: &Chunk, schema: &Schema, rows: &[usize]) -> Result<()> {
        let known = &schema.columns[self.index];
        let cells = &chunk.columns[self.index];
        if self.statistics.is_none() {
            for row in rows {
                let code = match cells {
                    Cells::Text(texts) => self.code(texts.get(*row).unwrap_or_default()),
                    Cells::Numbers(numbers) => {
                        self.code(&written(numbers.get(*row).unwrap_or(f64::NAN), &known.kind))
                    }
                    Cells::Skipped => MISSING,
                };
                match usize::try_from(code).ok().and_then(|code| self.rows.get_mut(code)) {
                    Some(rows) => *rows += 1,
                    None => self.missing += 1,
                }
            }
            return Ok(());
        }
        self.values.clear();
        for row in rows {
            let number = match cells {
                Cells::Numbers(numbers) => numbers.get(*row).unwrap_or(f64::NAN),
                Cells::Text(texts) => number_of(texts.get(*row).unwrap_or_default(), self.reads)
                    .map_err(|fault| {
                        let place = chunk.place(*row, Some(&known.name));
                        Error::data(&chunk.file, place, fault.problem).with_help(fault.help)
                    })?,
                Cells::Skipped => f64::NAN,
            };
            self.values.push(number);
        }
        if let Some(statistics) = &mut self.statistics {
            statistics.push(&self.values);
        }
        Ok(())
    }

    fn code(&self, text: &str) -> u32 {
        self.categories.get(text).copied().unwrap_or(MISSING)
    }

    fn finish(self) -> Result<Gathered> {
        Ok(match self.statistics {
            Some(statistics) => Gathered::Numbers(statistics.finish()),
            None => Gathered::Categories { rows: self.rows, missing: self.missing },
        })
    }
}

/// One set while it is written.
struct Spilling {
    writer: SpillWriter,
    rows: Rows,
}

/// Encodes all that is left to read, each row into the set that `set_of` gives; `sets` has the number
/// of rows of each, where it is known.
fn spill(
    encoder: &mut Encoder,
    labels: Option<&Path>,
    folder: &Path,
    sets: &[Option<usize>],
    set_of: &dyn Fn(usize) -> u8,
) -> Result<Vec<Rows>> {
    let width = encoder.inputs();
    let mut written = sets
        .iter()
        .map(|rows| {
            let writer = SpillWriter::new(folder, width, *rows)?;
            Ok(Spilling { writer, rows: Rows::default() })
        })
        .collect::<Result<Vec<_>>>()?;
    let mut first = 0;
    while let Some(piece) = encoder.next_piece()? {
        let Rows { rows, features, targets, sample_weights, .. } = piece.rows;
        let of_row = |values: &[f32], row: usize| -> std::ops::Range<usize> {
            let width = values.len() / rows;
            row * width..(row + 1) * width
        };
        for row in 0..rows {
            let set = &mut written[usize::from(set_of(first + row))];
            set.rows.rows += 1;
            set.writer.push(&features[of_row(&features, row)])?;
            set.rows.targets.extend_from_slice(&targets[of_row(&targets, row)]);
            let weights = &sample_weights[of_row(&sample_weights, row)];
            set.rows.sample_weights.extend_from_slice(weights);
        }
        first += rows;
    }
    if let Some(labels) = labels {
        for (row, target) in encoder.labels(labels, first)?.into_iter().enumerate() {
            written[usize::from(set_of(row))].rows.targets.push(target);
        }
    }
    written
        .into_iter()
        .map(|Spilling { writer, rows }| Ok(Rows { spill: Some(writer.finish()?), ..rows }))
        .collect()
}

/// Encodes a file of its own.
fn spill_file(
    file: &Path,
    labels: Option<&Path>,
    folder: &Path,
    preprocessing: &Preprocessing,
) -> Result<(Rows, Vec<String>)> {
    let wanted = encode::Wanted::Targets { labels, weights: true };
    let mut encoder = Encoder::open(file, wanted, preprocessing)?;
    let mut rows = spill(&mut encoder, labels, folder, &[None], &|_| 0)?;
    let rows = rows.pop().ok_or_else(|| Error::internal("a set was not written"))?;
    weights::check(file, "rows", &rows, preprocessing.weight_column())?;
    Ok((rows, encoder.notes()))
}
