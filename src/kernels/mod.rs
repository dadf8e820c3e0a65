//! Kernels: the table, and beside each row its CPU twin of the same name, written to be read side
//! by side with the WGSL and generic over f32/f64, so that the f64 twin is the oracle.

pub mod dense_forward;
pub mod finish_step;
pub mod gradient_statistics;
pub mod input_gradient;
pub mod loss;
pub mod optimizer_step;
mod real;
pub mod weight_gradient;

pub use real::Real;

use crate::program::{LayerSettings, StepSettings};
use crate::random::threefry2x32;

/// Every kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// output = dropout(act(input W^T + bias)).
    DenseForward,
    /// dW = delta^T input; db = column sums of delta.
    WeightGradient,
    /// delta_below = (delta W) * dropout mask * act'(below).
    InputGradient,
    /// Loss, its gradient and the metrics' terms, a row at a time.
    Loss,
    /// Sums of squared gradients and of penalties, a block of 64 parameters at a time.
    GradientStatistics,
    /// One optimizer step over the arena.
    OptimizerStep,
    /// Sums the row statistics into the log and moves the member on.
    FinishStep,
}

impl Kernel {
    /// Every kernel, in the order of a step.
    pub const ALL: [Self; 7] = [
        Self::DenseForward,
        Self::Loss,
        Self::WeightGradient,
        Self::InputGradient,
        Self::GradientStatistics,
        Self::OptimizerStep,
        Self::FinishStep,
    ];

    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::DenseForward => "dense_forward",
            Self::WeightGradient => "weight_gradient",
            Self::InputGradient => "input_gradient",
            Self::Loss => "loss",
            Self::GradientStatistics => "gradient_statistics",
            Self::OptimizerStep => "optimizer_step",
            Self::FinishStep => "finish_step",
        }
    }

    /// Whether it is a matrix product, whose WGSL is an operand file and a tile file.
    pub fn is_matmul(self) -> bool {
        matches!(self, Self::DenseForward | Self::WeightGradient | Self::InputGradient)
    }
}

/// The uniform of a call: the twin of the WGSL struct of the same name.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Parameters {
    DenseForward(dense_forward::DenseForward),
    WeightGradient(weight_gradient::WeightGradient),
    InputGradient(input_gradient::InputGradient),
    Loss(loss::Loss),
    GradientStatistics(gradient_statistics::GradientStatistics),
    OptimizerStep(optimizer_step::OptimizerStep),
    FinishStep(finish_step::FinishStep),
}

impl Parameters {
    /// The bytes of the uniform.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::DenseForward(call) => bytemuck::bytes_of(call),
            Self::WeightGradient(call) => bytemuck::bytes_of(call),
            Self::InputGradient(call) => bytemuck::bytes_of(call),
            Self::Loss(call) => bytemuck::bytes_of(call),
            Self::GradientStatistics(call) => bytemuck::bytes_of(call),
            Self::OptimizerStep(call) => bytemuck::bytes_of(call),
            Self::FinishStep(call) => bytemuck::bytes_of(call),
        }
    }
}

/// What the kernels of a step share: the tables, and one member's place in them.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a, R> {
    /// The member.
    pub member: usize,
    /// The settings of the step it stands at.
    pub settings: StepSettings<R>,
    /// `order` of the data set, when rows are gathered.
    pub order: Option<&'a [u32]>,
}

impl<R: Real> Step<'_, R> {
    /// Twin of `input_row`.
    pub fn input_row(&self, order_stride: u32, row: usize) -> usize {
        match self.order {
            Some(order) => {
                order[self.member * order_stride as usize + self.settings.first_row as usize + row]
                    as usize
            }
            None => row,
        }
    }

    /// Rows of the batch.
    pub fn rows(&self) -> usize {
        self.settings.rows as usize
    }
}

/// Twin of `dropout_scale` in `shaders/shared/dropout.wgsl`: 0 for a dropped element, else the
/// scale of a kept one.
pub fn dropout_scale(layer: &LayerSettings, element: u32, step: u32) -> f32 {
    if layer.drop_below == 0 {
        return 1.0;
    }
    let bits = threefry2x32([layer.key0, layer.key1], [element, step])[0];
    if bits >> 8 < layer.drop_below { 0.0 } else { layer.keep_scale }
}
