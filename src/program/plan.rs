//! The plan: every buffer and program that a training run needs, made once from the network.

use super::builder::Builder;
use super::{BufferId, BufferSpec, Contents, Precision, Program, ProgramId};
use crate::catalog::loss::LossSettings;
use crate::catalog::metric::TermRow;
use crate::catalog::optimizer::muon::Adjust;
use crate::catalog::optimizer::{OptimizerForm, OptimizerRow};
use crate::error::{Error, Result};
use crate::network::Network;

/// What a plan is made for.
#[derive(Debug, Clone)]
pub struct PlanRequest<'a> {
    /// The network.
    pub network: &'a Network,
    /// Loss.
    pub loss: LossSettings,
    /// Metric terms to sum.
    pub terms: Vec<&'static TermRow>,
    /// Values a row of the targets: 1 for classes, else one an output.
    pub target_width: usize,
    /// What becomes of the gradient; `None` plans no training.
    pub update: Option<Update>,
    /// Whether the norm of the gradient and the penalty are summed at every step.
    pub gradient_statistics: bool,
    /// Whether the weight gradients are computed together with the optimizer's step, where the
    /// network and the update allow it.
    pub fuses: bool,
    /// What data sets, activations and their gradients are stored in.
    pub precision: Precision,
    /// Whether a fused step's weight gradients are computed in parts of the batch, which the
    /// optimizer's step sums, where the batch is large and the layers alone are few tiles.
    pub splits: bool,
    /// The passes over data sets.
    pub passes: Vec<Pass>,
}

/// What becomes of a step's gradient.
#[derive(Debug, Clone, Copy)]
pub struct Update {
    /// The optimizer.
    pub row: &'static OptimizerRow,
    /// Its form.
    pub form: OptimizerForm,
    /// How gradients are clipped.
    pub clip: Option<Clip>,
    /// How weight matrices are orthogonalised, by an optimizer that does.
    pub orthogonalization: Option<Orthogonalization>,
    /// Whether a running average of the weights is kept, and evaluated in their place.
    pub average: bool,
    /// Whether blocks of parameters differ in penalties, decay or rate: else their settings, which
    /// are those of a plain step, are not read.
    pub by_block: bool,
}

impl Update {
    /// An optimizer in a form, and nothing else.
    pub fn new(row: &'static OptimizerRow, form: OptimizerForm) -> Self {
        Self { row, form, clip: None, orthogonalization: None, average: false, by_block: true }
    }
}

/// What of a gradient is clipped; the threshold is in the table of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clip {
    /// Each value.
    Value,
    /// The norm of each tensor.
    Norm,
    /// The norm of all.
    GlobalNorm,
}

/// How Muon orthogonalises a weight matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orthogonalization {
    /// Newton-Schulz steps.
    pub steps: usize,
    /// Keeps a norm of 0 from being divided by.
    pub epsilon: f64,
    /// What the orthogonal matrix is multiplied by.
    pub adjust: Adjust,
}

/// A pass over one data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Its name among those of its kind, such as `validation`.
    pub name: String,
    /// Name of the data set.
    pub set: String,
    /// What it does with the rows.
    pub kind: PassKind,
    /// Rows of the set that the device holds at once.
    pub resident_rows: usize,
    /// Largest batch.
    pub batch_rows: usize,
    /// Steps of the pass that the tables hold at once.
    pub table_steps: usize,
    /// Whether a weight stands behind the targets of each row.
    pub weighted: bool,
    /// Rows whose outputs are collected; 0: none are.
    pub collected_rows: usize,
}

/// What a pass does with the rows of its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassKind {
    /// Forward, loss, backward, optimizer.
    Train,
    /// Forward, loss and metrics.
    Evaluate,
    /// Forward alone.
    Predict,
}

impl Pass {
    /// The kind with its name, such as `train.train` or `evaluate.validation`.
    pub fn program(&self) -> String {
        let kind = match self.kind {
            PassKind::Train => "train",
            PassKind::Evaluate => "evaluate",
            PassKind::Predict => "predict",
        };
        format!("{kind}.{}", self.name)
    }

    pub(super) fn training(&self) -> bool {
        self.kind == PassKind::Train
    }
}

/// Buffers and programs. Made from the network alone; knows no backend.
#[derive(Debug, Clone)]
pub struct Plan {
    /// M.
    pub members: usize,
    /// Every buffer.
    pub buffers: Vec<BufferSpec>,
    /// Every program.
    pub programs: Vec<Program>,
    /// Values a step and member of a training log: loss, terms, then squared gradient norm and
    /// penalty where they are summed.
    pub log_width: usize,
    /// Values a row of the statistics: loss and terms.
    pub statistics: usize,
}

impl Plan {
    /// An empty plan.
    pub fn empty(members: usize) -> Self {
        Self { members, buffers: Vec::new(), programs: Vec::new(), log_width: 0, statistics: 0 }
    }

    /// Adds a buffer and names it.
    pub fn add(&mut self, name: impl Into<String>, contents: Contents, words: usize) -> BufferId {
        self.add_part(name, contents, words, None)
    }

    /// Adds a buffer of so many values in that precision.
    pub(super) fn add_stored(
        &mut self,
        name: impl Into<String>,
        precision: Precision,
        values: usize,
        part_of: Option<(BufferId, u64)>,
    ) -> BufferId {
        self.add_part(name, precision.contents(), precision.words(values), part_of)
    }

    /// Adds a buffer that may be a part of another.
    pub(super) fn add_part(
        &mut self,
        name: impl Into<String>,
        contents: Contents,
        words: usize,
        part_of: Option<(BufferId, u64)>,
    ) -> BufferId {
        self.buffers.push(BufferSpec { name: name.into(), contents, words: words as u64, part_of });
        BufferId(self.buffers.len() - 1)
    }

    /// The buffer whose memory a buffer has, and the element where it begins there.
    pub fn memory(&self, buffer: BufferId) -> (BufferId, u64) {
        self.buffers[buffer.0].part_of.unwrap_or((buffer, 0))
    }

    /// The buffer of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn buffer(&self, name: &str) -> Result<BufferId> {
        self.buffers
            .iter()
            .position(|buffer| buffer.name == name)
            .map(BufferId)
            .ok_or_else(|| Error::internal(format!("the plan has no buffer {name:?}")))
    }

    /// The program of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn program(&self, name: &str) -> Result<ProgramId> {
        self.programs
            .iter()
            .position(|program| program.name == name)
            .map(ProgramId)
            .ok_or_else(|| Error::internal(format!("the plan has no program {name:?}")))
    }

    /// Plans a run in buffers of at most so many bytes, as far as that depends on the form of the
    /// step: the fused one puts the activations of many layers into one buffer.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn within(request: &PlanRequest, buffer_bytes: u64) -> Result<Self> {
        let fits = |plan: &Plan| {
            let mut wholes = plan.buffers.iter().filter_map(|spec| spec.part_of);
            wholes.all(|(whole, _)| plan.buffers[whole.0].words * 4 <= buffer_bytes)
        };
        match Self::new(request) {
            Ok(plan) if fits(&plan) => Ok(plan),
            Ok(_) | Err(_) if request.fuses => {
                Self::new(&PlanRequest { fuses: false, ..request.clone() })
            }
            outcome => outcome,
        }
    }

    /// Plans a run.
    ///
    /// # Errors
    /// When an index would not fit 32 bits.
    pub fn new(request: &PlanRequest) -> Result<Self> {
        Builder::new(request)?.build()
    }
}
