//! `wgfit predict`: predictions from raw columns, as CSV, Parquet or NPY.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};

use crate::backend::Backend;
use crate::backend::gpu::GpuOptions;
use crate::data::{FeatureFile, Kept, Piece};
use crate::error::{Error, Result};
use crate::model::{Model, PredictionsFile, Predictor};
use crate::program::Precision;

/// Pieces that are read ahead of the device.
const AHEAD: usize = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run folder, or a model.safetensors
    run: PathBuf,
    /// Rows with the columns that the network was trained on: a file, or a pattern such as 'part-*.csv'
    #[arg(long)]
    data: PathBuf,
    /// Where to write: .csv, .parquet or .npy [default: CSV on stdout]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Columns of the data to copy in front of the predictions, such as an id
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    copy: Vec<String>,
    /// Write how far the members of an ensemble are apart, before the predictions
    #[arg(long)]
    spread: bool,
    #[command(flatten)]
    device: super::Device,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let model = super::load_model(&arguments.run)?;
    if arguments.spread {
        model.check_spread()?;
    }
    let (chosen, file) = arguments.device.during(GpuOptions::default(), Precision::F32, || {
        FeatureFile::open(&arguments.data, &model.preprocessing, &arguments.copy)
    });
    let (mut file, chosen) = (file?, chosen?);
    let (to, pieces) = sync_channel::<Result<Piece>>(AHEAD);
    let rows = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let to = to;
            loop {
                let piece = file.next_piece().transpose();
                let is_last = !matches!(piece, Some(Ok(_)));
                // A closed channel: what is read has no taker any more.
                if piece.is_some_and(|piece| to.send(piece).is_err()) || is_last {
                    return file.notes();
                }
            }
        });
        let written = write(arguments, &model, chosen.backend.as_ref(), pieces);
        let notes = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        notes.iter().for_each(|note| crate::report::say(&format!("note: {note}")));
        written
    })?;
    if let Some(out) = &arguments.out {
        crate::report::say(&format!("{rows} predictions in {}", out.display()));
    }
    Ok(())
}

/// Predicts and writes the pieces as they come; nothing is written before the first one is right.
fn write(
    arguments: &Arguments,
    model: &Model,
    backend: &dyn Backend,
    pieces: Receiver<Result<Piece>>,
) -> Result<usize> {
    let mut pieces = pieces.into_iter().peekable();
    let Some(first) = pieces.next() else { return Err(Error::internal("no rows were read")) };
    let first = first?;
    let alone = pieces.peek().is_none().then_some(first.rows.rows);
    let mut predictor = model.predictor(backend, alone)?;
    if arguments.spread {
        predictor = predictor.with_spread();
    }
    let (file, copied) = (arguments.out.as_deref(), &arguments.copy);
    let mut out = PredictionsFile::create(model, file, copied, arguments.spread)?;
    let mut waiting = Waiting::default();
    for piece in std::iter::once(Ok(first)).chain(pieces) {
        waiting.add(piece?);
        if waiting.rows >= predictor.rows_at_once() {
            waiting.predict(&mut predictor, &mut out)?;
        }
        if out.is_closed() {
            break;
        }
    }
    waiting.predict(&mut predictor, &mut out)?;
    out.finish()
}

/// Rows that are put together to a block.
#[derive(Default)]
struct Waiting {
    rows: usize,
    features: Vec<f32>,
    kept: Vec<Kept>,
}

impl Waiting {
    fn add(&mut self, piece: Piece) {
        self.rows += piece.rows.rows;
        self.features.extend(piece.rows.features);
        if self.kept.is_empty() {
            self.kept = piece.kept;
            return;
        }
        for (all, more) in self.kept.iter_mut().zip(piece.kept) {
            match (&mut *all, more) {
                (Kept::Numbers(all), Kept::Numbers(more)) => all.extend(more),
                (Kept::Texts(all), Kept::Texts(more)) => all.extend(more),
                (_, more) => {
                    let mut texts = texts(std::mem::replace(all, Kept::Texts(Vec::new())));
                    texts.extend(self::texts(more));
                    *all = Kept::Texts(texts);
                }
            }
        }
    }

    fn predict(&mut self, predictor: &mut Predictor, out: &mut PredictionsFile) -> Result<()> {
        let Self { rows, features, kept } = std::mem::take(self);
        if rows == 0 {
            return Ok(());
        }
        out.write(&predictor.predict(&features)?, kept)
    }
}

fn texts(kept: Kept) -> Vec<String> {
    match kept {
        Kept::Texts(texts) => texts,
        Kept::Numbers(numbers) => numbers.iter().map(f64::to_string).collect(),
    }
}
