//! The rows of the tables that the device reads at every step. Each is the twin of a WGSL struct,
//! held to its layout by a test.

#![allow(unsafe_code)]

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};

use crate::kernels::Real;

/// The value that stands for "none" in [`MemberState`].
pub const NONE: u32 = u32::MAX;

/// Words of a row of [`StepSettings`].
pub const STEP_WORDS: usize = 28;

/// Words of a row of [`LayerSettings`].
pub const LAYER_WORDS: usize = 8;

/// One step of one member; the device's form is `StepSettings<f32>`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[repr(C)]
pub struct StepSettings<R> {
    /// Where the batch begins in `order`.
    pub first_row: u32,
    /// Rows of the batch.
    pub rows: u32,
    /// Rows of the pass before this batch: where its outputs are collected.
    pub position: u32,
    /// Batches since the start of training, from 1: what dropout masks and noise are drawn by.
    pub batch: u32,
    /// Optimizer steps since the start of training, from 1.
    pub step: u32,
    /// 1: the gradient is added to that of the batches before.
    pub accumulates: u32,
    /// 1: the optimizer takes its step after this batch.
    pub updates: u32,
    /// Unused.
    pub spare0: u32,
    /// What a row's gradient is multiplied by: 1 / the rows, or their weights, of the step.
    pub share: R,
    /// Learning rate of this step.
    pub learning_rate: R,
    /// Decoupled weight decay.
    pub weight_decay: R,
    /// Threshold that gradients are clipped at.
    pub clip: R,
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
    /// Decay of the mean of squared gradients (RMSprop, Adadelta).
    pub rho: R,
    /// Share of the new weights in their running average.
    pub average_rate: R,
    /// Unused.
    pub spare1: u32,
    /// What the optimizer works out of the step's number: see its row's `coefficients`.
    pub coefficients: [R; 4],
    /// The parameters of the member's loss, where members differ in them; the last is unused.
    pub loss: [R; 4],
}

// SAFETY: repr(C), twenty-eight 4-byte words without padding, each of which any bits are valid for.
unsafe impl Zeroable for StepSettings<f32> {}
// SAFETY: as above.
unsafe impl Pod for StepSettings<f32> {}

impl StepSettings<f64> {
    /// The row in another float type.
    pub fn to<R: Real>(&self) -> StepSettings<R> {
        StepSettings {
            first_row: self.first_row,
            rows: self.rows,
            position: self.position,
            batch: self.batch,
            step: self.step,
            accumulates: self.accumulates,
            updates: self.updates,
            spare0: 0,
            share: R::of(self.share),
            learning_rate: R::of(self.learning_rate),
            weight_decay: R::of(self.weight_decay),
            clip: R::of(self.clip),
            epsilon: R::of(self.epsilon),
            beta1: R::of(self.beta1),
            beta2: R::of(self.beta2),
            momentum: R::of(self.momentum),
            dampening: R::of(self.dampening),
            rho: R::of(self.rho),
            average_rate: R::of(self.average_rate),
            spare1: 0,
            coefficients: self.coefficients.map(R::of),
            loss: self.loss.map(R::of),
        }
    }
}

/// What one layer of one member does to its outputs in training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct LayerSettings {
    /// An element is dropped when its 24 random bits are below this.
    pub drop_below: u32,
    /// What a kept element is multiplied by: 1 / (1 - rate) for plain dropout.
    pub keep_scale: f32,
    /// What is added to a kept element; 0 but for alpha dropout.
    pub keep_offset: f32,
    /// What a dropped element becomes; 0 but for alpha dropout.
    pub dropped: f32,
    /// First word of the mask's stream.
    pub key0: u32,
    /// Second word of the mask's stream. The noise's stream has the two words swapped.
    pub key1: u32,
    /// Standard deviation of the Gaussian noise added to the activation.
    pub noise: f32,
    /// Unused.
    pub spare: u32,
}

/// The value that SELU tends to at minus infinity, negated: its scale times its alpha.
const SELU_FLOOR: f64 = 1.758_099_340_847_376_6;

impl LayerSettings {
    /// No dropout and no noise.
    pub fn plain() -> Self {
        Self::dropout(0.0, [0, 0])
    }

    /// Dropout at `rate` in [0, 1), with the mask's stream.
    pub fn dropout(rate: f64, key: [u32; 2]) -> Self {
        Self {
            drop_below: (rate * 16_777_216.0).round() as u32,
            keep_scale: (1.0 / (1.0 - rate)) as f32,
            key0: key[0],
            key1: key[1],
            ..Self::default()
        }
    }

    /// Alpha dropout at `rate` in [0, 1): dropped elements become SELU's floor, and an affine map
    /// puts mean and variance back (Klambauer et al., 2017), as `torch.nn.AlphaDropout`.
    pub fn alpha_dropout(rate: f64, key: [u32; 2]) -> Self {
        let scale = ((1.0 - rate) * (1.0 + rate * SELU_FLOOR * SELU_FLOOR)).sqrt().recip();
        let offset = scale * SELU_FLOOR * rate;
        Self {
            keep_scale: scale as f32,
            keep_offset: offset as f32,
            dropped: (offset - scale * SELU_FLOOR) as f32,
            ..Self::dropout(rate, key)
        }
    }
}

/// Where one member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable, Serialize, Deserialize)]
#[repr(C)]
pub struct MemberState {
    /// Row of the settings table, for the forward half of a step: up to the loss. Moved on by the
    /// last kernel of the step.
    pub cursor: u32,
    /// The step that met a number that is not finite, or [`NONE`].
    pub bad_step: u32,
    /// The first parameter whose gradient or value was not finite, or [`NONE`].
    pub bad_element: u32,
    /// Row of the settings table for the backward half: what comes after the loss, which sets it.
    /// The kernel that moves `cursor` on reads this row, so no kernel reads what it writes.
    pub backward: u32,
}

impl MemberState {
    /// At the first row of the table, with nothing amiss.
    pub const START: Self = Self { cursor: 0, bad_step: NONE, bad_element: NONE, backward: 0 };

    /// Whether the member stands still in that half of a step: it met a number that is not finite,
    /// or was stopped. An update that is not finite is seen from the next forward half on.
    pub fn has_stopped(&self, half: Half) -> bool {
        self.bad_step != NONE || half == Half::Forward && self.bad_element != NONE
    }

    /// The row of the settings table that a half of the step reads.
    pub fn row(&self, half: Half) -> usize {
        match half {
            Half::Forward => self.cursor as usize,
            Half::Backward => self.backward as usize,
        }
    }

    /// Puts a member whose last update was not finite back to the step of that update, whose number
    /// `step_of` finds by its row.
    pub fn settle(&mut self, step_of: impl Fn(usize) -> u32) {
        if self.bad_step == NONE && self.bad_element != NONE {
            self.bad_step = step_of(self.backward as usize);
            self.cursor = self.backward;
        }
    }
}

/// The halves of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Up to the loss.
    Forward,
    /// After it.
    Backward,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Klambauer et al., 2017, equation 10: what has mean 0 and variance 1 keeps both.
    #[test]
    fn alpha_dropout_keeps_mean_and_variance() {
        for rate in [0.0, 0.05, 0.3, 0.5, 0.9] {
            let layer = LayerSettings::alpha_dropout(rate, [1, 2]);
            let [scale, offset, dropped] =
                [layer.keep_scale, layer.keep_offset, layer.dropped].map(f64::from);
            let mean = (1.0 - rate) * offset + rate * dropped;
            let square = (1.0 - rate) * (scale * scale + offset * offset) + rate * dropped.powi(2);
            assert!(mean.abs() < 1e-6, "{rate}: mean {mean}");
            assert!((square - mean * mean - 1.0).abs() < 1e-6, "{rate}: {square}");
            assert_eq!(layer.drop_below, LayerSettings::dropout(rate, [1, 2]).drop_below);
        }
    }
}
