//! Looks inside a network: a batch of training rows goes through it on the CPU, forward and back,
//! with the weights that the device has, while the device goes on.

use std::sync::Arc;

use super::diagnosis::diagnose;
use super::member::Member;
use super::observation::{
    Histogram, LayerObservation, Moments, OBSERVED_MEMBERS, Observation, Spread, TensorObservation,
};
use super::run::Run;
use super::steps::{loss_of, padded};
use super::{DeviceSet, Features, Feed, Observer};
use crate::backend::cpu::CpuBackend;
use crate::backend::{Backend, Executor};
use crate::catalog::activation::ActivationSettings;
use crate::catalog::optimizer::{self, OptimizerForm};
use crate::error::{Error, Result};
use crate::network::{Dense, Network, Tensor};
use crate::program::{
    BufferId, LayerSettings, MemberState, PassKind, Plan, PlanRequest, Precision, StepSettings,
    Update,
};

/// Rows of the batch at most.
const ROWS: usize = 256;

/// Parameters of a network, of one member, up to which it is observed: a look holds several times
/// as many numbers in memory.
pub(super) const MOST_PARAMETERS: usize = 1 << 26;

/// At a saturated output the derivative is below this share of its activation's largest.
const SATURATED_BELOW: f64 = 0.01;

/// What looks.
pub(super) struct Probe {
    network: Network,
    plan: Plan,
    executor: Box<dyn Executor>,
    feed: Feed,
    layers: Vec<Buffers>,
    /// The initialiser of each layer's weights.
    initializers: Vec<&'static str>,
}

/// What is read of a layer.
struct Buffers {
    activation: BufferId,
    pre_activation: Option<BufferId>,
    delta: BufferId,
}

/// Members of a network that are observed.
pub(super) fn observed_members(network: &Network) -> usize {
    let members = if network.heads > 1 { network.heads } else { network.members };
    members.min(OBSERVED_MEMBERS).min((MOST_PARAMETERS / network.stride).max(1))
}

/// The rows that are looked at: of all training rows, at equal distances.
fn probed_set(set: &DeviceSet) -> Result<DeviceSet> {
    let rows = set.rows.min(ROWS);
    let picked = || (0..rows).map(|i| i * set.rows / rows);
    let gather = |values: &[f32], width: usize| -> Vec<f32> {
        picked().flat_map(|row| values[row * width..(row + 1) * width].iter().copied()).collect()
    };
    let divisors = if set.divisors.is_empty() { Vec::new() } else { gather(&set.divisors, 1) };
    let mut features = vec![0.0; rows * set.inputs];
    for (row, into) in picked().zip(features.chunks_exact_mut(set.inputs)) {
        set.features.copy(row, set.inputs, into)?;
    }
    Ok(DeviceSet {
        name: "probe".to_owned(),
        features: Features::Memory(features.into()),
        targets: gather(&set.targets, set.target_stride).into(),
        divisors,
        rows,
        resident_rows: rows,
        ..set.clone()
    })
}

impl Probe {
    /// One for a run's network and data. A backend that computes beside the host leaves it the CPU;
    /// any other looks itself.
    pub(super) fn new(run: &Run, backend: &dyn Backend) -> Result<Self> {
        let members = observed_members(&run.network);
        // Of many heads the first few stand for all.
        let heads = run.network.heads.min(members);
        let network = Network { members, heads, ..run.network.clone() };
        let set = Arc::new(probed_set(&run.train.set)?);
        let mut feed = Feed::new(&set, PassKind::Train, set.rows, false, members);
        let sgd = optimizer::find("sgd").ok_or_else(|| Error::internal("there is no sgd"))?;
        let plan = Plan::new(&PlanRequest {
            network: &network,
            loss: run.task.loss,
            terms: Vec::new(),
            target_width: set.target_width,
            update: Some(Update::new(sgd, OptimizerForm::default())),
            gradient_statistics: false,
            fuses: false,
            precision: Precision::F32,
            splits: false,
            passes: vec![feed.pass()],
        })?;
        let mut executor = if backend.capacity().queues {
            CpuBackend::new()?.load(&plan)?
        } else {
            backend.load(&plan)?
        };
        feed.prepare(&plan, executor.as_mut())?;
        let order: Vec<u32> = (0..set.rows as u32).collect();
        feed.write_orders(executor.as_mut(), &vec![order; members])?;
        let divisor = match set.divisors.as_slice() {
            [] => set.rows as f64,
            all => all.iter().map(|divisor| f64::from(*divisor)).sum(),
        };
        // A step of no length: the gradients stay, and so do the weights.
        let step = StepSettings {
            rows: set.rows as u32,
            batch: 1,
            step: 1,
            updates: 1,
            share: 1.0 / (divisor * network.heads as f64),
            ..StepSettings::default()
        };
        let of_member =
            |own: &Member| StepSettings { loss: padded(loss_of(&own.settings)), ..step };
        let steps: Vec<_> = run.members[..members].iter().map(of_member).collect();
        feed.write_steps(executor.as_mut(), &steps)?;
        let table = vec![LayerSettings::plain(); members * network.layers.len()];
        executor.write_layers(plan.buffer("layers")?, &table)?;
        let layers = (0..network.layers.len())
            .map(|i| {
                Ok(Buffers {
                    activation: plan.buffer(&format!("activation.{i}"))?,
                    pre_activation: plan.buffer(&format!("pre_activation.{i}")).ok(),
                    delta: plan.buffer(&format!("delta.{i}"))?,
                })
            })
            .collect::<Result<_>>()?;
        let model = &run.settings.model;
        let hidden = model.layers.iter().map(|layer| layer.init.row.name);
        let initializers = hidden.chain([model.output.init.row.name]).collect();
        Ok(Self { network, plan, executor, feed, layers, initializers })
    }

    /// Rows of the batch.
    pub(super) fn rows(&self) -> usize {
        self.feed.set.rows
    }

    /// Looks at the network with those weights, and at the step that made them of `before` (empty:
    /// there was none); both are `[members][stride]`.
    pub(super) fn look(
        &mut self,
        weights: &[f64],
        before: &[f64],
    ) -> Result<Vec<LayerObservation>> {
        let members = self.network.members;
        let executor = self.executor.as_mut();
        executor.write_reals(self.plan.buffer("parameters")?, weights)?;
        executor.write_state(self.feed.state()?, &vec![MemberState::START; members])?;
        executor.run_each_call(self.feed.program()?)?;
        let gradients = self.plan.buffer("gradients")?;
        let gradients = self.read(gradients, members * self.network.stride)?;
        let tensors = self.network.tensors();
        let mut observed = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.network.layers.clone().iter().enumerate() {
            let own = tensors.iter().filter(|tensor| tensor.layer == Some(i));
            let own = own.filter(|tensor| tensor.kind.is_trained());
            // The tables are seen beside the layer that they feed.
            let tables = tensors.iter().filter(|tensor| i == 0 && tensor.layer.is_none());
            let own = own
                .chain(tables)
                .map(|tensor| self.tensor(tensor, weights, before, &gradients))
                .collect();
            observed.push(self.layer(i, layer, own)?);
        }
        Ok(observed)
    }

    fn tensor<'a>(
        &self,
        tensor: &Tensor,
        weights: &'a [f64],
        before: &'a [f64],
        gradients: &'a [f64],
    ) -> TensorObservation {
        let members = self.network.members;
        let of = |all: &'a [f64], member: usize| {
            let first = member * self.network.stride + tensor.offset;
            &all[first..first + tensor.length]
        };
        let norms = |all: &'a [f64]| (0..members).map(|m| norm(of(all, m))).collect();
        let ratio = |member: usize| {
            let was = of(before, member);
            let moved = of(weights, member).iter().zip(was).map(|(now, was)| now - was);
            let moved = moved.map(|change| change * change).sum::<f64>().sqrt();
            let size = norm(was);
            if size > 0.0 && moved.is_finite() { moved / size } else { 0.0 }
        };
        TensorObservation {
            name: tensor.name.clone(),
            values: Histogram::of(of(weights, 0)),
            gradient: Histogram::of(of(gradients, 0)),
            norm: norms(weights),
            gradient_norm: norms(gradients),
            update_ratio: match before {
                [] => Vec::new(),
                _ => (0..members).map(ratio).collect(),
            },
        }
    }

    fn layer(
        &mut self,
        i: usize,
        layer: &Dense,
        tensors: Vec<TensorObservation>,
    ) -> Result<LayerObservation> {
        let rows = self.rows();
        let values = rows * layer.units;
        let members = self.network.members;
        let Buffers { activation, pre_activation, delta } = self.layers[i];
        let outputs = self.read(activation, members * values)?;
        let inputs = pre_activation.map(|id| self.read(id, members * values)).transpose()?;
        let mut deltas = self.read(delta, members * values)?;
        for delta in &mut deltas {
            *delta *= rows as f64;
        }
        let shape = &layer.shape;
        let is_output = i + 1 == self.layers.len();
        let judged = shape.row_activation.is_none() && shape.slopes == 0 && !is_output;
        let states: Vec<[f64; 2]> = (0..members)
            .map(|member| {
                let part = member * values..(member + 1) * values;
                let x = inputs.as_ref().map(|all| &all[part.clone()]);
                if !judged {
                    return [0.0; 2];
                }
                idle_units(shape.activation, layer.units, x, &outputs[part])
            })
            .collect();
        let activation = shape.row_activation.map_or(shape.activation.row.name, |row| row.name);
        Ok(LayerObservation {
            name: format!("layers.{i}"),
            activation: activation.to_owned(),
            initializer: self.initializers[i].to_owned(),
            inputs: layer.inputs,
            units: layer.units,
            outputs: spread(&outputs, values),
            signal: outputs.chunks_exact(values).map(|mine| signal(mine, layer.units)).collect(),
            deltas: spread(&deltas, values),
            dead: states.iter().map(|[dead, _]| *dead).collect(),
            saturated: states.iter().map(|[_, saturated]| *saturated).collect(),
            tensors,
        })
    }

    fn read(&mut self, buffer: BufferId, length: usize) -> Result<Vec<f64>> {
        let read = self.executor.read(&[(buffer, length)])?;
        Ok(read.into_iter().next().map(|read| read.into_reals()).unwrap_or_default())
    }
}

/// Euclidean norm; what is not finite is left out.
fn norm(values: &[f64]) -> f64 {
    Moments::of(values).norm()
}

/// Of `[members][values]`.
fn spread(all: &[f64], values: usize) -> Spread {
    let members = all.chunks_exact(values);
    let (mean, deviation) = members.map(|values| Moments::of(values).mean_and_deviation()).unzip();
    Spread { histogram: Histogram::of(&all[..values]), mean, deviation }
}

/// Root of the mean variance of a unit over the rows, of `[rows][units]`; 0 where it is not finite.
fn signal(outputs: &[f64], units: usize) -> f64 {
    let rows = (outputs.len() / units) as f64;
    let (mut sum, mut sum_squares) = (vec![0.0; units], vec![0.0; units]);
    for row in outputs.chunks_exact(units) {
        for ((value, sum), sum_squares) in row.iter().zip(&mut sum).zip(&mut sum_squares) {
            *sum += value;
            *sum_squares += value * value;
        }
    }
    let variance = |(sum, sum_squares): (&f64, &f64)| {
        let mean = sum / rows;
        (sum_squares / rows - mean * mean).max(0.0)
    };
    let mean = sum.iter().zip(&sum_squares).map(variance).sum::<f64>() / units as f64;
    if mean.is_finite() { mean.sqrt() } else { 0.0 }
}

/// The share of units that are dead, and of outputs that are saturated, of the layer's outputs
/// `[rows][units]` and, where it is kept, what the activation was given.
fn idle_units(
    activation: ActivationSettings,
    units: usize,
    inputs: Option<&[f64]>,
    outputs: &[f64],
) -> [f64; 2] {
    let functions = &activation.row.double;
    let derivative = |x: f64, y: f64| (functions.act_grad)(x, y, activation.values).abs();
    let act = |x: f64| (functions.act)(x, activation.values);
    let largest = (-80..=80)
        .map(|i| derivative(f64::from(i) / 10.0, act(f64::from(i) / 10.0)))
        .fold(0.0, f64::max);
    let is_bounded = (act(1e4) - act(1e3)).abs() < 1.0 && (act(-1e4) - act(-1e3)).abs() < 1.0;
    let rows = outputs.len() / units;
    let below = SATURATED_BELOW * largest;
    let (mut zeros, mut flat) = (vec![0_usize; units], vec![0_usize; units]);
    for (row, outputs) in outputs.chunks_exact(units).enumerate() {
        for (unit, y) in outputs.iter().enumerate() {
            // Of an input that is kept, as the output may hold more than the activation.
            let slope = match inputs {
                Some(inputs) => {
                    let x = inputs[row * units + unit];
                    derivative(x, act(x))
                }
                None => derivative(0.0, *y),
            };
            zeros[unit] += usize::from(slope == 0.0);
            flat[unit] += usize::from(slope < below);
        }
    }
    let dead = zeros.iter().filter(|zeros| **zeros == rows).count();
    let of_others = zeros.iter().zip(&flat).filter(|(zeros, _)| **zeros < rows);
    let saturated: usize = if is_bounded { of_others.map(|(_, flat)| flat).sum() } else { 0 };
    [dead as f64 / units as f64, saturated as f64 / outputs.len() as f64]
}

impl Run<'_> {
    /// Whether the network is looked at after that epoch.
    pub(super) fn observes_after(&self, epoch: usize) -> bool {
        self.probe.is_some() && epoch.is_multiple_of(self.settings.histograms_every)
    }

    /// Makes the probe and, where training begins, looks at the network before the first step, and
    /// warns of what would keep it from learning.
    pub(super) fn begin_to_observe(
        &mut self,
        backend: &dyn Backend,
        begins: bool,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if self.before_last_step.is_none() {
            return Ok(());
        }
        self.probe = Some(Probe::new(self, backend)?);
        if !begins {
            return Ok(());
        }
        let length = observed_members(&self.network) * self.network.stride;
        let read = self.executor.read(&[(self.parameters, length)])?;
        let weights = read.into_iter().next().map(|read| read.into_reals()).unwrap_or_default();
        let Some(observation) = self.observe(0, 0, &weights, &[], observer)? else { return Ok(()) };
        for finding in diagnose(&observation) {
            observer.warn(&finding.to_string())?;
        }
        Ok(())
    }

    /// Looks at the network as an epoch left it, and tells the observer.
    pub(super) fn observe(
        &mut self,
        epoch: usize,
        step: u64,
        weights: &[f64],
        before: &[f64],
        observer: &mut dyn Observer,
    ) -> Result<Option<Observation>> {
        let Some(probe) = &mut self.probe else { return Ok(None) };
        let layers = probe.look(weights, before)?;
        let observation = Observation { epoch, step, rows: probe.rows(), layers };
        observer.observation(&observation)?;
        Ok(Some(observation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::activation::find;
    use crate::catalog::optimizer::Convention;

    fn idle(name: &str, inputs: &[f64], units: usize) -> [f64; 2] {
        let row = find(name).expect("an activation");
        let activation = ActivationSettings::new(row, Convention::Torch);
        let outputs: Vec<f64> =
            inputs.iter().map(|x| (row.double.act)(*x, activation.values)).collect();
        let kept = idle_units(activation, units, Some(inputs), &outputs);
        if row.gradient_from == crate::catalog::activation::GradientFrom::Output {
            assert_eq!(idle_units(activation, units, None, &outputs), kept, "{name}");
        }
        kept
    }

    #[test]
    fn dead_and_saturated_units_are_told_apart() {
        // Two rows of four units: off, off at one row, far out, in the middle.
        let rows = [-3.0, -1.0, 9.0, 0.1, -0.5, 1.0, 12.0, -0.2];
        assert_eq!(idle("relu", &rows, 4), [0.25, 0.0]);
        assert_eq!(idle("leaky_relu", &rows, 4), [0.0, 0.0]);
        assert_eq!(idle("tanh", &rows, 4), [0.0, 0.375]);
        assert_eq!(idle("sigmoid", &rows, 4), [0.0, 0.25]);
        assert_eq!(idle("relu6", &rows, 4), [0.5, 0.25]);
        assert_eq!(idle("linear", &rows, 4), [0.0, 0.0]);
    }

    #[test]
    fn the_signal_is_what_differs_between_rows() {
        // Units that differ from each other, but not between rows, carry none.
        assert_eq!(signal(&[1.0, 5.0, 1.0, 5.0], 2), 0.0);
        assert_eq!(signal(&[1.0, 5.0, 3.0, 7.0], 2), 1.0);
    }
}
