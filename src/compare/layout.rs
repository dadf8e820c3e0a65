//! The tensors of a step: which are compared, where they lie in a plan's buffers, and by how much
//! two of them differ.

use serde::{Deserialize, Serialize};

use crate::backend::{Contained, Executor};
use crate::error::Result;
use crate::network::{self, Network};
use crate::program::{BufferId, LossScale, MemberState, NONE, Plan};
use crate::train::batch::{Batch, Carried, carried_buffers, scales_buffer};

/// What a tensor is to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// What a layer puts out, or what its activation or its normalisation is given.
    Activation,
    /// The batch's mean loss before the step.
    Loss,
    /// A gradient: of activations, or of weights.
    Gradient,
    /// What the step leaves behind: weights, moments, their average.
    Weight,
}

/// Where a tensor's values lie.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// `[members][stride]`, of which the rows of the batch count, `units` each.
    Rows { buffer: usize, units: usize },
    /// `[members][stride]`, of which a range counts.
    Range { buffer: usize, first: usize, length: usize },
    /// The losses.
    Losses,
}

/// A tensor, all members' together.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// `layers.1.weight gradient` and so on.
    pub name: String,
    /// What it is.
    pub quantity: Quantity,
    place: Place,
}

impl Tensor {
    /// Whether a training carries it from batch to batch, or it is the loss: what a form of the
    /// step that keeps nothing else is held to.
    pub fn is_left_behind(&self) -> bool {
        matches!(self.quantity, Quantity::Weight | Quantity::Loss)
    }
}

/// What a step left in a plan's buffers.
#[derive(Debug, Clone)]
pub struct Trace {
    buffers: Vec<Vec<f64>>,
    /// Each member's mean loss.
    pub losses: Vec<f64>,
    /// Each member's state.
    pub states: Vec<MemberState>,
    /// Whether every number is one that its precision holds: f64 goes on where f32 overflows.
    is_in_range: bool,
    scales: Vec<LossScale>,
}

/// The plan of one batch, and what of it is compared.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The plan, by [`plan_of_a_batch`](crate::train::stepper::Stepper::plan_of_a_batch).
    pub plan: Plan,
    /// Whether gradients are carried from batch to batch.
    pub accumulates: bool,
    /// The tensors in the order in which a step makes them.
    pub tensors: Vec<Tensor>,
    /// The buffers of a trace.
    read: Vec<(BufferId, usize)>,
    /// Which of them a training carries on.
    carried: Vec<usize>,
    state: BufferId,
    log: BufferId,
}

impl Layout {
    /// The tensors of a network's step.
    ///
    /// # Errors
    /// When the plan lacks a buffer.
    pub fn new(plan: Plan, network: &Network, accumulates: bool) -> Result<Self> {
        let mut layout = Self {
            accumulates,
            tensors: Vec::new(),
            read: Vec::new(),
            carried: Vec::new(),
            state: plan.buffer("train.train.state")?,
            log: plan.buffer("train.train.log")?,
            plan,
        };
        let embedded = network.layers.first().map_or(0, |layer| layer.inputs);
        layout.rows("embedded", "embeddings output".to_owned(), embedded);
        for (i, layer) in network.layers.iter().enumerate() {
            let parts = [("linear", "sums"), ("pre_activation", "sums"), ("activation", "output")];
            let normalized = layer.shape.normalization.is_some();
            for (buffer, part) in parts {
                let part = match (buffer, normalized) {
                    ("pre_activation", true) => "normalised sums",
                    _ => part,
                };
                layout.rows(&format!("{buffer}.{i}"), format!("layers.{i} {part}"), layer.units);
            }
        }
        layout.tensors.push(Tensor {
            name: "loss".to_owned(),
            quantity: Quantity::Loss,
            place: Place::Losses,
        });
        let tensors = network.tensors();
        for (i, layer) in network.layers.iter().enumerate().rev() {
            let own = |tensor: &&network::Tensor| tensor.layer == Some(i);
            layout.rows(&format!("delta.{i}"), format!("layers.{i} gradient"), layer.units);
            for tensor in tensors.iter().filter(own).filter(|tensor| tensor.kind.is_trained()) {
                let name = format!("{} gradient", tensor.name);
                layout.range("gradients", name, Quantity::Gradient, tensor);
            }
        }
        layout.rows("delta.embedded", "embeddings gradient".to_owned(), embedded);
        for tensor in tensors.iter().filter(|tensor| tensor.layer.is_none()) {
            let name = format!("{} gradient", tensor.name);
            layout.range("gradients", name, Quantity::Gradient, tensor);
        }
        for (buffer, id) in carried_buffers(&layout.plan, accumulates) {
            let at = layout.buffer(id);
            layout.carried.push(at);
            for tensor in &tensors {
                let name = match buffer {
                    "parameters" => tensor.name.clone(),
                    "average_parameters" => format!("{} average", tensor.name),
                    _ if !tensor.kind.is_trained() => continue,
                    _ => format!("{} {buffer}", tensor.name),
                };
                if buffer != "gradients" {
                    layout.range(buffer, name, Quantity::Weight, tensor);
                }
            }
        }
        Ok(layout)
    }

    /// Has a buffer read whole; where it stands in a trace.
    fn buffer(&mut self, id: BufferId) -> usize {
        if let Some(at) = self.read.iter().position(|(other, _)| *other == id) {
            return at;
        }
        self.read.push((id, self.plan.buffers[id.0].elements()));
        self.read.len() - 1
    }

    fn rows(&mut self, buffer: &str, name: String, units: usize) {
        if let Ok(id) = self.plan.buffer(buffer) {
            let is_gradient = buffer.starts_with("delta");
            let quantity = if is_gradient { Quantity::Gradient } else { Quantity::Activation };
            let place = Place::Rows { buffer: self.buffer(id), units };
            self.tensors.push(Tensor { name, quantity, place });
        }
    }

    fn range(&mut self, buffer: &str, name: String, quantity: Quantity, tensor: &network::Tensor) {
        if let Ok(id) = self.plan.buffer(buffer) {
            let (first, length) = (tensor.offset, tensor.length);
            let place = Place::Range { buffer: self.buffer(id), first, length };
            self.tensors.push(Tensor { name, quantity, place });
        }
    }

    /// Uploads what a step starts from.
    ///
    /// # Errors
    /// Those of the executor.
    pub fn upload(
        &self,
        batch: &Batch,
        carried: &Carried,
        executor: &mut dyn Executor,
    ) -> Result<()> {
        batch.upload(&self.plan, executor)?;
        carried.upload(&self.plan, self.accumulates, executor)
    }

    /// Reads what a step left.
    ///
    /// # Errors
    /// Those of the executor.
    pub fn trace(&self, batch: &Batch, executor: &mut dyn Executor) -> Result<Trace> {
        let members = self.plan.members;
        let mut wanted = self.read.clone();
        wanted.push((self.log, members * self.plan.log_width));
        wanted.push((self.state, members));
        let scales = scales_buffer(&self.plan);
        wanted.extend(scales.map(|id| (id, members)));
        let mut read = executor.read(&wanted)?;
        let scales = match scales.and_then(|_| read.pop()) {
            Some(scales) => scales.into_scales(),
            None => Vec::new(),
        };
        let states = read.pop().map(Contained::into_state).unwrap_or_default();
        let log = read.pop().map(Contained::into_reals).unwrap_or_default();
        let sums = log.iter().step_by(self.plan.log_width);
        let buffers: Vec<_> = read.into_iter().map(Contained::into_reals).collect();
        // An f16 that overflows is met by the loss scale.
        let is_in_range = buffers.iter().flatten().all(|x| x.abs() <= f64::from(f32::MAX));
        Ok(Trace {
            losses: sums.zip(&batch.divisors).map(|(sum, divisor)| sum / divisor).collect(),
            buffers,
            states,
            is_in_range,
            scales,
        })
    }

    /// What a training carries on after a step.
    pub fn carried(&self, trace: &Trace) -> Carried {
        let reals = self.carried.iter().map(|at| trace.buffers[*at].clone()).collect();
        Carried { reals, scales: trace.scales.clone() }
    }

    /// A trace of nothing but what a training carried on, and its losses.
    pub fn trace_of(&self, carried: &Carried, losses: Vec<f64>, states: &[MemberState]) -> Trace {
        let mut buffers = vec![Vec::new(); self.read.len()];
        for (at, values) in self.carried.iter().zip(&carried.reals) {
            buffers[*at].clone_from(values);
        }
        let (states, scales) = (states.to_vec(), carried.scales.clone());
        Trace { buffers, losses, states, is_in_range: true, scales }
    }

    /// By how much a tensor of two traces of the same batch differs.
    pub fn difference(
        &self,
        tensor: &Tensor,
        found: &Trace,
        wanted: &Trace,
        rows: usize,
    ) -> Difference {
        let mut difference = Difference::default();
        match tensor.place {
            Place::Losses => difference.add(&found.losses, &wanted.losses),
            Place::Rows { buffer, .. } | Place::Range { buffer, .. } => {
                let (found, wanted) = (&found.buffers[buffer], &wanted.buffers[buffer]);
                let stride = wanted.len() / self.plan.members;
                for member in 0..self.plan.members {
                    let range = match tensor.place {
                        Place::Range { first, length, .. } => first..first + length,
                        Place::Rows { units, .. } => 0..rows * units,
                        Place::Losses => 0..0,
                    };
                    let own = member * stride + range.start..member * stride + range.end;
                    difference.add(&found[own.clone()], &wanted[own]);
                }
            }
        }
        difference
    }
}

/// Whether every member of a step goes on: none met a number that is not finite.
pub fn goes_on(states: &[MemberState]) -> bool {
    states.iter().all(|state| state.bad_step == NONE && state.bad_element == NONE)
}

impl Trace {
    /// Whether every member goes on after the step, in the precision that it is trained in.
    pub fn goes_on(&self) -> bool {
        self.is_in_range && goes_on(&self.states)
    }
}

/// By how much two tensors differ.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Difference {
    /// The largest distance of two elements.
    pub largest: f64,
    /// The Euclidean norm of all distances.
    pub norm: f64,
    /// The largest element that is wanted, by its size.
    pub scale: f64,
    /// The Euclidean norm of what is wanted.
    pub wanted_norm: f64,
    /// Elements.
    pub count: usize,
}

impl Difference {
    fn add(&mut self, found: &[f64], wanted: &[f64]) {
        let (mut squares, mut wanted_squares) = (0.0, 0.0);
        for (f, w) in found.iter().zip(wanted) {
            let distance = match (f - w).abs() {
                // Both the same infinity, or both none.
                _ if f.to_bits() == w.to_bits() || f.is_nan() && w.is_nan() => 0.0,
                distance if distance.is_nan() => f64::INFINITY,
                distance => distance,
            };
            self.largest = self.largest.max(distance);
            self.scale = self.scale.max(w.abs());
            squares += distance * distance;
            wanted_squares += w * w;
        }
        self.norm = self.norm.hypot(squares.sqrt());
        self.wanted_norm = self.wanted_norm.hypot(wanted_squares.sqrt());
        self.count += wanted.len();
    }

    /// The largest distance by the largest element.
    pub fn relative(&self) -> f64 {
        ratio(self.largest, self.scale)
    }

    /// The norm of the distances by that of what is wanted.
    pub fn relative_norm(&self) -> f64 {
        ratio(self.norm, self.wanted_norm)
    }

    /// The largest distance in units in the last place of the largest element, as f32 has them.
    pub fn ulps(&self) -> f64 {
        let exponent = self.scale.max(f64::from(f32::MIN_POSITIVE)).log2().floor();
        self.largest / 2_f64.powf(exponent - 23.0)
    }
}

/// A quotient; nothing by nothing is 0.
pub fn ratio(part: f64, whole: f64) -> f64 {
    if part == 0.0 { 0.0 } else { part / whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(found: &[f64], wanted: &[f64]) -> Difference {
        let mut difference = Difference::default();
        difference.add(found, wanted);
        difference
    }

    #[test]
    fn differences_are_relative_to_the_tensor() {
        let difference = of(&[1.0, -4.0, 0.5], &[1.0, -4.0 + 2_f64.powi(-20), 0.5]);
        assert_eq!(difference.largest, 2_f64.powi(-20));
        assert!((difference.relative() / 2_f64.powi(-22) - 1.0).abs() < 1e-5);
        // 4 less a little has ulps of 2^-22.
        assert!((difference.ulps() - 4.0).abs() < 1e-9, "{}", difference.ulps());
        assert!(difference.relative_norm() < difference.relative());
        assert_eq!(of(&[0.0], &[0.0]).relative(), 0.0);
        assert_eq!(of(&[1e-3], &[0.0]).relative(), f64::INFINITY);
    }

    #[test]
    fn a_number_that_is_none_is_infinitely_far() {
        assert_eq!(of(&[f64::NAN], &[1.0]).largest, f64::INFINITY);
        assert_eq!(of(&[1.0], &[f64::NAN]).largest, f64::INFINITY);
        assert_eq!(of(&[f64::NAN], &[f64::NAN]).largest, 0.0);
        assert_eq!(of(&[f64::INFINITY], &[f64::INFINITY]).largest, 0.0);
    }
}
