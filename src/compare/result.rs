//! What a comparison found: one structure, of which the text, the JSON document and the page are
//! three views.

use serde::{Deserialize, Serialize};

use super::layout::Quantity;

/// A drift up to this is the rounding of many steps and no more.
const ADDED_UP: f64 = 1e-5;

/// The same training on several devices, beside an f64 run of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The config's name.
    pub config: String,
    /// What was trained.
    pub job: Job,
    /// Steps that were asked for.
    pub asked_steps: u64,
    /// Steps that were compared.
    pub steps: u64,
    /// Steps of them at which every tensor was held to the f64 run.
    pub checked_steps: u64,
    /// Why those are fewer.
    pub limit: Option<String>,
    /// The f64 run.
    pub reference: ReferenceRun,
    /// The devices, in the order in which they were named.
    pub devices: Vec<DeviceRun>,
    /// From where on a GPU is faster than the CPU.
    pub break_even: Vec<BreakEven>,
    /// What it comes to, a sentence or two each.
    pub verdict: Vec<String>,
}

/// What was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Layer widths, such as `64-128-10`.
    pub network: String,
    /// Parameters of a member.
    pub parameters: u64,
    /// M.
    pub members: u64,
    /// Of these, how many are the heads of one network.
    pub heads: u64,
    /// The task.
    pub task: String,
    /// The loss.
    pub loss: String,
    /// The optimizer.
    pub optimizer: String,
    /// `f32` or `f16`.
    pub precision: String,
    /// Rows of a batch.
    pub batch_rows: u64,
    /// Batches whose gradients make one step of the optimizer.
    pub accumulate: u64,
    /// Training rows.
    pub rows: u64,
}

/// The f64 run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceRun {
    /// Mean loss of each step, over members; none where it is not finite.
    pub losses: Vec<Option<f64>>,
    /// How far a second f64 run has come from the first, whose every call is rounded as f32 is
    /// likely to: norm of the weights' difference by that of the weights, after each step.
    pub rounded_drift: Vec<f64>,
    /// How that grows.
    pub rounded_growth: Option<Growth>,
    /// Seconds of a step in f64.
    pub step_seconds: f64,
    /// The step at which it met a number that is not finite.
    pub not_finite: Option<u64>,
}

/// How fast two runs part: the line through the logarithms of their drift.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Steps in which the drift grows tenfold; below 0 where it shrinks.
    pub tenfold_steps: f64,
    /// Share of the logarithms' variance that the line explains.
    pub explained: f64,
    /// The drift's largest growth from one step to the next, once it is above rounding.
    pub largest_jump: f64,
}

/// A training on one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceRun {
    /// Its name.
    pub name: String,
    /// `cpu`, `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// The driver.
    pub driver: String,
    /// `cpu`, `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: String,
    /// How training runs a step on it.
    pub form: String,
    /// Each step.
    pub steps: Vec<StepRun>,
    /// The worst of the checked steps, by quantity.
    pub worst: Vec<Gap>,
    /// The first tensor that left its band.
    pub first_outside: Option<Outside>,
    /// The step at which it alone met a number that is not finite.
    pub not_finite: Option<u64>,
    /// How fast it parts from the f64 run.
    pub growth: Option<Growth>,
    /// Whether all steps in one go leave the same bits as one by one; none where they were not
    /// run to the end.
    pub same_in_one_go: Option<bool>,
    /// How fast it trains.
    pub speed: Option<Speed>,
    /// What its plan takes.
    pub memory: Memory,
}

/// A step on a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRun {
    /// Batches since the start of training, from 1.
    pub step: u64,
    /// Mean loss over members, before the step's update; none where it is not finite.
    pub loss: Option<f64>,
    /// How far its weights are from those of the f64 run after the step: norm of the difference by
    /// that of the weights.
    pub drift: f64,
    /// The worst tensor of each quantity beside an f64 step from the same weights; empty where the
    /// step was not checked.
    pub checks: Vec<Gap>,
}

/// A tensor beside that of the f64 step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// The tensor.
    pub tensor: String,
    /// What it is.
    pub quantity: Quantity,
    /// Largest distance, in units in the last place (of f32) of the tensor's largest element.
    pub ulps: f64,
    /// Largest distance by the tensor's largest element.
    pub relative: f64,
    /// Norm of the distances by that of the tensor.
    pub relative_norm: f64,
    /// The same, in units of what rounding explains: in the band up to 1.
    pub of_band: f64,
}

/// A tensor outside its band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outside {
    /// The step.
    pub step: u64,
    /// In which form of the step.
    pub form: Form,
    /// The tensor.
    pub gap: Gap,
}

/// A form of the training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Kernel by kernel, every result kept.
    CallByCall,
    /// As training runs it.
    AsTrained,
}

/// How fast a device trains, in the form that training runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Steps a second, the host's work for them included.
    pub steps_per_second: f64,
    /// Rows a second, all members counted.
    pub samples_per_second: f64,
    /// Operations a second.
    pub flops_per_second: f64,
    /// Bytes a second, read and written.
    pub bytes_per_second: f64,
    /// Share of the time that the device does not compute; none where the device is the host.
    pub host_share: Option<f64>,
}

/// What a plan takes on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Bytes of all buffers.
    pub bytes: u64,
    /// The largest buffer.
    pub largest: String,
    /// Its bytes.
    pub largest_bytes: u64,
}

/// What grows until a GPU is faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Rows of a batch.
    BatchRows,
    /// Units of the widest hidden layer, all of them growing alike.
    HiddenUnits,
}

/// From where on a GPU is faster than the CPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakEven {
    /// The GPU.
    pub device: String,
    /// The CPU.
    pub beside: String,
    /// What grows.
    pub axis: Axis,
    /// What was measured, by size.
    pub points: Vec<BreakEvenPoint>,
    /// Where the times cross, between two points.
    pub at: Option<f64>,
    /// What is said of it.
    pub outcome: BreakEvenOutcome,
}

/// How a search for the break-even ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakEvenOutcome {
    /// The times cross.
    Crosses,
    /// The GPU is faster at every size measured.
    AlwaysFaster,
    /// The GPU is slower at every size measured.
    NeverFaster,
}

/// The time of a step at one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BreakEvenPoint {
    /// Rows or units.
    pub size: u64,
    /// Seconds of a step on the CPU.
    pub cpu_seconds: f64,
    /// Seconds of a step on the GPU.
    pub gpu_seconds: f64,
}

impl DeviceRun {
    /// Whether it computes right: every tensor in its band at every checked step, nothing lost in
    /// one go, and nothing that is not finite where the f64 run is.
    pub fn is_right(&self) -> bool {
        self.first_outside.is_none()
            && self.not_finite.is_none()
            && self.same_in_one_go != Some(false)
    }

    /// Whether it has come further from the f64 run than rounding adds up to by itself.
    pub fn is_apart(&self) -> bool {
        self.last_drift() > ADDED_UP
    }

    /// The drift after the last step.
    pub fn last_drift(&self) -> f64 {
        self.steps.last().map_or(0.0, |step| step.drift)
    }
}

impl Comparison {
    /// Whether every device computes right.
    pub fn is_right(&self) -> bool {
        self.devices.iter().all(DeviceRun::is_right)
    }
}
