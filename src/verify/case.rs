//! What a scene is made of.

use std::fmt;

use crate::catalog::optimizer::OptimizerForm;
use crate::network::{EmbeddingShape, LayerShape};
use crate::program::{Precision, Update};

/// The sizes and the features of a training pass.
#[derive(Debug, Clone)]
pub struct Case {
    /// Rows of a batch.
    pub rows: usize,
    /// Values of a data row.
    pub inputs: usize,
    /// Columns of it that are codes.
    pub embeddings: Vec<EmbeddingShape>,
    /// Units of the hidden layers.
    pub hidden: Vec<usize>,
    /// Targets, or classes.
    pub outputs: usize,
    /// Networks side by side.
    pub members: usize,
    /// Of these the networks, of as many heads each, where layers share weights.
    pub networks: usize,
    /// The hidden layers' activation.
    pub activation: &'static str,
    /// The hidden layers' rate of dropout.
    pub dropout: f64,
    /// The loss.
    pub loss: &'static str,
    /// The optimizer and its form.
    pub optimizer: (&'static str, OptimizerForm),
    /// The last member has stopped.
    pub stopped: bool,
    /// What the hidden layers have beside their units, activation and dropout.
    pub layer: fn(LayerShape) -> LayerShape,
    /// What the output layer has.
    pub output: fn(LayerShape) -> LayerShape,
    /// What becomes of the gradient.
    pub update: fn(Update) -> Update,
    /// The values of the loss's parameters; else its defaults.
    pub loss_values: Option<[f64; 3]>,
    /// Whether members have loss parameters of their own.
    pub loss_by_member: bool,
    /// A distribution for each row rather than a class.
    pub soft: bool,
    /// A weight for each row.
    pub weighted: bool,
    /// The outputs of every row are collected.
    pub collects: bool,
    /// The fused form of the step.
    pub fused: bool,
    /// The gradients of a fused step are made by parts of the batch, where it has many rows.
    pub split: bool,
    /// The norm of the gradient is summed, where the step is not fused.
    pub statistics: bool,
    /// Steps of the table.
    pub table_steps: usize,
    /// What data sets, activations and gradients are stored in.
    pub precision: Precision,
    /// The gradient of the first member's step has overflowed f16.
    pub overflowed: bool,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            rows: 21,
            inputs: 11,
            embeddings: Vec::new(),
            hidden: vec![19],
            outputs: 5,
            members: 1,
            networks: 1,
            activation: "tanh",
            dropout: 0.0,
            loss: "categorical_cross_entropy",
            optimizer: ("sgd", OptimizerForm::default()),
            stopped: false,
            layer: |layer| layer,
            output: |output| output,
            update: |update| update,
            loss_values: None,
            loss_by_member: false,
            soft: false,
            weighted: false,
            collects: false,
            fused: false,
            split: false,
            statistics: true,
            table_steps: 3,
            precision: Precision::F32,
            overflowed: false,
        }
    }
}

/// Such as `11-19-5, batch of 21, 2 members, tanh, mse, sgd, fused`.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inputs)?;
        for units in self.hidden.iter().chain([&self.outputs]) {
            write!(f, "-{units}")?;
        }
        write!(f, ", batch of {}", self.rows)?;
        for EmbeddingShape { categories, size, .. } in &self.embeddings {
            write!(f, ", embedding {categories}x{size}")?;
        }
        if self.members > 1 {
            write!(f, ", {} members", self.members)?;
        }
        if self.networks > 1 {
            write!(f, " of {} networks", self.networks)?;
        }
        let (optimizer, form) = &self.optimizer;
        write!(f, ", {}, {}, {optimizer}", self.activation, self.loss)?;
        for (is_so, name) in [
            (form.keras, "keras"),
            (form.with_momentum, "momentum"),
            (form.nesterov, "nesterov"),
            (form.centered, "centered"),
            (form.amsgrad, "amsgrad"),
        ] {
            if is_so {
                write!(f, " {name}")?;
            }
        }
        if self.dropout > 0.0 {
            write!(f, ", dropout {}", self.dropout)?;
        }
        for (is_so, name) in [
            (self.stopped, "one stopped"),
            (self.loss_by_member, "losses of their own"),
            (self.soft, "soft targets"),
            (self.weighted, "weighted rows"),
            (self.collects, "collected outputs"),
            (self.fused, "fused"),
            (self.split, "split"),
            (self.precision == Precision::F16, "f16"),
            (self.overflowed, "overflowed"),
        ] {
            if is_so {
                write!(f, ", {name}")?;
            }
        }
        Ok(())
    }
}
