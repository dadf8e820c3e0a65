//! Backends: what runs a plan's programs. Nothing upstream of here knows which one does.

mod choice;
pub mod cpu;
pub mod gpu;
#[doc(hidden)]
pub mod reference;
mod twins;

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
pub use choice::{
    Candidate, Chosen, DeviceOptions, Found, Listed, choose, choose_during, find, list, look_for,
    look_for_during, open_candidates,
};

use crate::program::{
    BufferId, Contents, LayerSettings, LossScale, MemberState, Plan, ProgramId, StepSettings,
};

/// What a backend runs on, as `wgfit devices` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceDescription {
    /// The adapter's or the processor's name.
    pub name: String,
    /// `cpu`, `vulkan`, `metal`, `dx12`, or `reference`.
    pub backend: String,
    /// The driver and its version; empty for the CPU.
    pub driver: String,
    /// `cpu`, `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: String,
}

/// How often a backend did what should not be done in the loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Kernel calls run.
    pub calls: u64,
    /// Buffers made, staging buffers included.
    pub buffers: u64,
    /// Pipelines made.
    pub pipelines: u64,
    /// Bind groups made.
    pub bind_groups: u64,
    /// Waits for data to come back.
    pub readbacks: u64,
    /// Calls that are cut up, as they take too long by themselves.
    pub cut_up: u64,
}

/// What fits on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Largest buffer, in bytes.
    pub buffer_bytes: u64,
    /// Whether it runs the fused form of a training step.
    pub fuses: bool,
    /// Whether it runs plans of [`Precision::F16`](crate::program::Precision::F16).
    pub halves: bool,
    /// Whether it has so many processors that the few tiles of small layers leave most of them
    /// idle: a fused step's gradients are then made by parts of the batch.
    pub splits: bool,
    /// Whether the device computes beside the host: [`Executor::run`] returns before it is done, and
    /// the host's time costs it nothing.
    pub queues: bool,
}

/// How a device cuts a call up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CallForm {
    /// The tile of a matrix product; none elsewhere.
    pub tile: Option<String>,
    /// Workgroups along each axis; none where there are no workgroups.
    pub workgroups: Option<[u32; 3]>,
}

/// What measures the time that a device takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The host's clock, around work that is waited for.
    Host,
    /// The device's own clock.
    Timestamps,
}

/// Something that can run plans.
pub trait Backend {
    /// What it runs on.
    fn device(&self) -> &DeviceDescription;
    /// What fits on it.
    fn capacity(&self) -> Capacity;
    /// What was worth a warning when it was opened.
    fn warnings(&self) -> &[String] {
        &[]
    }
    /// Kernels that it was found to compute wrong in every way that it has: nothing is to be trained
    /// on it.
    fn wrong_throughout(&self) -> &[&'static str] {
        &[]
    }
    /// Whether it may be gone at any time ([`Error::DeviceLost`]).
    fn can_be_lost(&self) -> bool {
        false
    }
    /// Another device of the same adapter, opened as this one was, which is lost.
    ///
    /// # Errors
    /// When the adapter is gone, or does not open again.
    fn reopen(&self) -> Result<Box<dyn Backend + Send>> {
        Err(Error::device(format!("{} cannot be opened again", self.device().name)))
    }
    /// What runs the same plans in its place when it is lost for good.
    ///
    /// # Errors
    /// When that cannot start either.
    fn stand_in(&self) -> Result<Box<dyn Backend + Send>> {
        Err(Error::device(format!("nothing stands in for {}", self.device().name)))
    }
    /// Makes all buffers, pipelines and bind groups of a plan; afterwards nothing is allocated.
    ///
    /// # Errors
    /// When the plan does not fit the device (sizes in the message) or the device refuses it.
    fn load(&self, plan: &Plan) -> Result<Box<dyn Executor>>;
}

/// A loaded plan. Lengths and offsets count elements of the buffer's contents.
pub trait Executor {
    /// Overwrites the start of a buffer of reals or halves.
    fn write_reals(&mut self, buffer: BufferId, values: &[f64]) -> Result<()>;
    /// Overwrites the start of a buffer of reals or halves with a set that other holders may share.
    fn share_reals(&mut self, buffer: BufferId, values: &Arc<[f32]>) -> Result<()>;
    /// Overwrites the start of a buffer of words.
    fn write_words(&mut self, buffer: BufferId, values: &[u32]) -> Result<()>;
    /// Overwrites the start of a table of steps.
    fn write_steps(&mut self, buffer: BufferId, values: &[StepSettings<f64>]) -> Result<()>;
    /// Overwrites the start of a table of layers.
    fn write_layers(&mut self, buffer: BufferId, values: &[LayerSettings]) -> Result<()>;
    /// Overwrites the start of a table of states.
    fn write_state(&mut self, buffer: BufferId, values: &[MemberState]) -> Result<()>;
    /// Overwrites the start of a table of loss scales; only plans of f16 have one.
    fn write_scales(&mut self, buffer: BufferId, _values: &[LossScale]) -> Result<()> {
        Err(Error::internal(format!("{buffer:?} cannot be a table of loss scales")))
    }
    /// Copies `len` reals from one buffer to another at the same place.
    fn copy(&mut self, from: BufferId, to: BufferId, start: usize, len: usize) -> Result<()>;
    /// Runs a program `steps` times. May return before the device is done.
    fn run(&mut self, program: ProgramId, steps: usize) -> Result<()>;
    /// Runs a program once, call by call: afterwards every buffer holds what its call wrote, also
    /// those that a faster form of the whole step leaves alone.
    fn run_each_call(&mut self, program: ProgramId) -> Result<()> {
        self.run(program, 1)
    }
    /// Waits, and reads the starts of several buffers of reals, halves, states or loss scales at
    /// once.
    fn read(&mut self, wanted: &[(BufferId, usize)]) -> Result<Vec<Contained>>;
    /// The first half of [`Executor::read`]: takes the contents as what was run so far leaves them,
    /// and does not wait. A backend that computes at once reads at once.
    fn begin_read(&mut self, wanted: &[(BufferId, usize)]) -> Result<Readback> {
        self.read(wanted).map(Readback::Done)
    }
    /// The second half: waits until the contents are there. What was queued since goes on.
    fn take(&mut self, readback: Readback) -> Result<Vec<Contained>> {
        match readback {
            Readback::Done(contents) => Ok(contents),
            Readback::Queued { .. } => Err(Error::internal("nothing was queued to be read")),
        }
    }
    /// What was made and run so far.
    fn counters(&self) -> Counters;
    /// How a call of a program is cut up.
    fn form(&self, _program: ProgramId, _call: usize) -> CallForm {
        CallForm::default()
    }
    /// Whether the steps of a program are run whole, many to a dispatch, in place of its calls.
    fn runs_whole_steps(&self, _program: ProgramId) -> bool {
        false
    }
    /// From now on steps are only measured: they are none of a training's, after so many of which a device
    /// may be lost on purpose.
    fn only_measures(&mut self) {}
    /// What [`Executor::run_timed`] measures by.
    fn clock(&self) -> Clock {
        Clock::Host
    }
    /// Runs a program `steps` times in one go, waits until it is done, and returns the seconds that
    /// it took.
    fn run_timed(&mut self, program: ProgramId, steps: usize) -> Result<f64> {
        let begun = Instant::now();
        self.run(program, steps)?;
        Ok(begun.elapsed().as_secs_f64())
    }
    /// How its matrix products are cut up, which fixes the order of their sums; empty where that
    /// is no choice.
    fn tiles(&self) -> &[ChosenTile] {
        &[]
    }
    /// What was worth a warning while it was loaded.
    fn warnings(&self) -> &[String] {
        &[]
    }
}

/// A readback on its way.
#[derive(Debug)]
pub enum Readback {
    /// It is there.
    Done(Vec<Contained>),
    /// It will be, in a staging buffer of the executor.
    Queued {
        /// Which.
        staging: usize,
        /// What the parts are, and their elements.
        parts: Vec<(Contents, usize)>,
    },
}

/// How one matrix product is cut up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenTile {
    /// The program that it is part of.
    pub program: String,
    /// The call.
    pub call: String,
    /// The tile's name.
    pub tile: String,
}

/// What a buffer held.
#[derive(Debug, Clone, PartialEq)]
pub enum Contained {
    /// Numbers, widened.
    Reals(Vec<f64>),
    /// States.
    State(Vec<MemberState>),
    /// Loss scales.
    Scales(Vec<LossScale>),
}

impl Contained {
    /// The numbers; empty when it holds none.
    pub fn into_reals(self) -> Vec<f64> {
        match self {
            Self::Reals(values) => values,
            _ => Vec::new(),
        }
    }

    /// The states; empty when it holds none.
    pub fn into_state(self) -> Vec<MemberState> {
        match self {
            Self::State(states) => states,
            _ => Vec::new(),
        }
    }

    /// The loss scales; empty when it holds none.
    pub fn into_scales(self) -> Vec<LossScale> {
        match self {
            Self::Scales(scales) => scales,
            _ => Vec::new(),
        }
    }
}
