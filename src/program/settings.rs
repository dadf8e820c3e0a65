//! The rows of the tables that the device reads at every step. Each is the twin of a WGSL struct,
//! held to its layout by a test.

use bytemuck::{Pod, Zeroable};

use crate::kernels::Real;

/// The value that stands for "none" in [`MemberState`].
pub const NONE: u32 = u32::MAX;

/// One step of one member; the device's form is `StepSettings<f32>`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[repr(C)]
pub struct StepSettings<R> {
    /// Where the batch begins in `order`.
    pub first_row: u32,
    /// Rows of the batch.
    pub rows: u32,
    /// Optimizer steps since the start of training, from 1.
    pub step: u32,
    /// Learning rate of this step.
    pub learning_rate: R,
    /// Decoupled weight decay.
    pub weight_decay: R,
    /// Added to a denominator.
    pub epsilon: R,
    /// Decay of the mean of gradients.
    pub beta1: R,
    /// Decay of the mean of squared gradients.
    pub beta2: R,
    /// Momentum.
    pub momentum: R,
    /// Dampening of the momentum.
    pub dampening: R,
    /// Decay of the mean of squared gradients (RMSprop).
    pub rho: R,
    /// 1 - beta1^step.
    pub correction1: R,
    /// 1 - beta2^step.
    pub correction2: R,
    /// Unused; keeps the row at 64 bytes.
    pub spare0: u32,
    /// Unused.
    pub spare1: u32,
    /// Unused.
    pub spare2: u32,
}

// SAFETY: repr(C), sixteen 4-byte fields without padding, each of which any bits are valid for.
unsafe impl Zeroable for StepSettings<f32> {}
// SAFETY: as above.
unsafe impl Pod for StepSettings<f32> {}

impl StepSettings<f64> {
    /// The row in another float type.
    pub fn to<R: Real>(&self) -> StepSettings<R> {
        StepSettings {
            first_row: self.first_row,
            rows: self.rows,
            step: self.step,
            learning_rate: R::of(self.learning_rate),
            weight_decay: R::of(self.weight_decay),
            epsilon: R::of(self.epsilon),
            beta1: R::of(self.beta1),
            beta2: R::of(self.beta2),
            momentum: R::of(self.momentum),
            dampening: R::of(self.dampening),
            rho: R::of(self.rho),
            correction1: R::of(self.correction1),
            correction2: R::of(self.correction2),
            spare0: 0,
            spare1: 0,
            spare2: 0,
        }
    }
}

/// Dropout of one layer of one member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct LayerSettings {
    /// An element is dropped when its 24 random bits are below this.
    pub drop_below: u32,
    /// 1 / (1 - rate).
    pub keep_scale: f32,
    /// First word of the mask's stream.
    pub key0: u32,
    /// Second word of the mask's stream.
    pub key1: u32,
}

impl LayerSettings {
    /// Dropout at `rate` in [0, 1), with the mask's stream.
    pub fn dropout(rate: f64, key: [u32; 2]) -> Self {
        Self {
            drop_below: (rate * 16_777_216.0).round() as u32,
            keep_scale: (1.0 / (1.0 - rate)) as f32,
            key0: key[0],
            key1: key[1],
        }
    }
}

/// Where one member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MemberState {
    /// Row of the settings table, advanced by `finish_step`.
    pub cursor: u32,
    /// The step that met a number that is not finite, or [`NONE`].
    pub bad_step: u32,
    /// The first parameter whose gradient or value was not finite, or [`NONE`].
    pub bad_element: u32,
    /// Unused.
    pub spare: u32,
}

impl MemberState {
    /// At the first row of the table, with nothing amiss.
    pub const START: Self = Self { cursor: 0, bad_step: NONE, bad_element: NONE, spare: 0 };
}
