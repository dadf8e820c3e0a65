//! Builds a plan: the shared buffers, and the calls of each pass.

use super::plan::{Pass, PassKind, Plan, PlanRequest};
use super::{BufferId, Call, Contents, Program, Variants};
use crate::catalog::activation::GradientFrom;
use crate::error::{Error, Result};
use crate::kernels::dense_forward::DenseForward;
use crate::kernels::finish_step::FinishStep;
use crate::kernels::gradient_statistics::{BLOCK, GradientStatistics};
use crate::kernels::input_gradient::InputGradient;
use crate::kernels::loss::Loss;
use crate::kernels::optimizer_step::OptimizerStep;
use crate::kernels::weight_gradient::WeightGradient;
use crate::kernels::{Kernel, Parameters};

fn word(what: &str, value: usize) -> Result<u32> {
    u32::try_from(value).map_err(|_| {
        Error::usage(format!("{what} is {value}, but at most {} can be addressed", u32::MAX))
            .with_help("use fewer units, rows a batch, or members")
    })
}

/// The buffers that programs share.
pub(super) struct Builder<'a> {
    request: &'a PlanRequest<'a>,
    plan: Plan,
    rows: usize,
    parameters: BufferId,
    layers: BufferId,
    activations: Vec<BufferId>,
    pre_activations: Vec<Option<BufferId>>,
    deltas: [BufferId; 2],
    row_statistics: BufferId,
    partials: BufferId,
}

/// The buffers of one pass.
struct PassBuffers {
    features: BufferId,
    targets: BufferId,
    order: BufferId,
    steps: BufferId,
    state: BufferId,
    log: BufferId,
}

impl<'a> Builder<'a> {
    pub(super) fn new(request: &'a PlanRequest<'a>) -> Result<Self> {
        let network = request.network;
        let members = network.members;
        let rows = request.passes.iter().map(|pass| pass.batch_rows).max().unwrap_or(1);
        let widest = network.layers.iter().map(|layer| layer.units).max().unwrap_or(1);
        let trains = request.optimizer.is_some();
        let statistics =
            1 + request.terms.iter().map(|term| term.width(network.outputs())).sum::<usize>();
        let mut plan = Plan::empty(members);
        plan.statistics = statistics;
        plan.log_width = statistics + if request.gradient_statistics { 2 } else { 0 };
        word("the number of parameters of all members", network.stride.saturating_mul(members))?;
        word(
            "the number of activations of a batch",
            rows.saturating_mul(widest.max(statistics)).saturating_mul(members),
        )?;
        word("the rows of the layer table", members.saturating_mul(network.layers.len() * 4))?;

        let parameters = plan.add("parameters", Contents::Reals, members * network.stride);
        let layers = plan.add("layers", Contents::Layers, members * network.layers.len() * 4);
        let mut activations = Vec::new();
        let mut pre_activations = Vec::new();
        for (i, layer) in network.layers.iter().enumerate() {
            let words = members * rows * layer.units;
            activations.push(plan.add(format!("activation.{i}"), Contents::Reals, words));
            let keeps = trains && layer.activation.row.gradient_from == GradientFrom::Input;
            pre_activations.push(
                keeps.then(|| plan.add(format!("pre_activation.{i}"), Contents::Reals, words)),
            );
        }
        let delta_words = if trains { members * rows * widest } else { 1 };
        let deltas = [
            plan.add("delta.even", Contents::Reals, delta_words),
            plan.add("delta.odd", Contents::Reals, delta_words),
        ];
        let row_statistics =
            plan.add("row_statistics", Contents::Reals, members * rows * statistics);
        let blocks = members * network.stride / BLOCK;
        let partial_words = if request.gradient_statistics { blocks * 2 } else { 2 };
        let partials = plan.add("partials", Contents::Reals, partial_words);
        if let Some((row, form)) = request.optimizer {
            plan.add("gradients", Contents::Reals, members * network.stride);
            plan.add("block_settings", Contents::Reals, blocks * 4);
            plan.add("best_parameters", Contents::Reals, members * network.stride);
            for (i, kept) in (row.moments)(form).into_iter().enumerate() {
                let words = if kept { members * network.stride } else { 4 };
                plan.add(format!("moment{i}"), Contents::Reals, words);
            }
        }
        Ok(Self {
            request,
            plan,
            rows,
            parameters,
            layers,
            activations,
            pre_activations,
            deltas,
            row_statistics,
            partials,
        })
    }

    pub(super) fn build(mut self) -> Result<Plan> {
        for pass in &self.request.passes {
            let buffers = self.pass_buffers(pass)?;
            let mut calls = self.forward(pass, &buffers)?;
            if pass.kind != PassKind::Predict {
                calls.push(self.loss(pass, &buffers)?);
            }
            if pass.training() {
                calls.extend(self.backward(pass, &buffers)?);
                calls.extend(self.optimizer(&buffers)?);
            }
            calls.push(self.finish(pass, &buffers)?);
            self.plan.programs.push(Program { name: pass.program(), calls });
        }
        Ok(self.plan)
    }

    /// Sets are shared by the passes over them; tables, state and log are the pass's own.
    fn pass_buffers(&mut self, pass: &Pass) -> Result<PassBuffers> {
        let members = self.plan.members;
        let set = |name: &str| format!("{}.{name}", pass.set);
        let own = |name: &str| format!("{}.{name}", pass.program());
        let features = pass.resident_rows.saturating_mul(self.request.network.inputs);
        word(&format!("the number of values of the {} set", pass.set), features)?;
        let width = if pass.training() { self.plan.log_width } else { self.plan.statistics };
        if self.plan.buffer(&set("features")).is_err() {
            self.plan.add(set("features"), Contents::Reals, features);
            let targets = pass.resident_rows * self.request.target_width;
            self.plan.add(set("targets"), Contents::Reals, targets);
        }
        let order_rows = members.saturating_mul(pass.resident_rows);
        word("the length of the batch order", order_rows)?;
        let log = pass.table_steps.saturating_mul(members).saturating_mul(width.max(16));
        word("the length of the step log", log)?;
        let log = pass.table_steps * members * width;
        Ok(PassBuffers {
            features: self.plan.buffer(&set("features"))?,
            targets: self.plan.buffer(&set("targets"))?,
            order: self.plan.add(own("order"), Contents::Words, order_rows),
            steps: self.plan.add(own("steps"), Contents::Steps, pass.table_steps * members * 16),
            state: self.plan.add(own("state"), Contents::State, members * 4),
            log: self.plan.add(own("log"), Contents::Reals, log),
        })
    }

    fn extent(&self, columns: usize, rows: usize) -> Result<[u32; 3]> {
        Ok([word("columns", columns)?, word("rows", rows)?, word("members", self.plan.members)?])
    }

    /// The strides of the data set or of the layer below, and what is bound as `input`.
    fn input_of(&self, layer: usize, pass: &Pass, buffers: &PassBuffers) -> Result<Input> {
        Ok(if layer == 0 {
            Input {
                buffer: buffers.features,
                member_stride: 0,
                order_stride: word("rows", pass.resident_rows)?,
                gathered: true,
            }
        } else {
            let inputs = self.request.network.layers[layer].inputs;
            Input {
                buffer: self.activations[layer - 1],
                member_stride: word("activations", self.rows * inputs)?,
                order_stride: 0,
                gathered: false,
            }
        })
    }

    fn forward(&self, pass: &Pass, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let network = self.request.network;
        let mut calls = Vec::with_capacity(network.layers.len());
        for (i, layer) in network.layers.iter().enumerate() {
            let input = self.input_of(i, pass, buffers)?;
            let mut bindings = vec![
                ("steps", buffers.steps),
                ("state", buffers.state),
                ("layers", self.layers),
                ("input", input.buffer),
                ("parameters", self.parameters),
                ("output", self.activations[i]),
            ];
            if input.gathered {
                bindings.push(("order", buffers.order));
            }
            if let Some(kept) = self.pre_activations[i] {
                bindings.push(("pre_activation", kept));
            }
            calls.push(Call {
                kernel: Kernel::DenseForward,
                subject: format!("layers.{i}"),
                variants: Variants {
                    activation: Some(layer.activation),
                    gathered: input.gathered,
                    ..Variants::default()
                },
                parameters: Parameters::DenseForward(DenseForward {
                    members: word("members", self.plan.members)?,
                    inputs: word("inputs", layer.inputs)?,
                    outputs: word("units", layer.units)?,
                    input_member_stride: input.member_stride,
                    output_member_stride: word("activations", self.rows * layer.units)?,
                    order_stride: input.order_stride,
                    parameter_stride: word("parameters", network.stride)?,
                    weight_offset: word("parameters", layer.weight_offset)?,
                    bias_offset: word("parameters", layer.bias_offset)?,
                    layer: word("layers", i)?,
                    layer_stride: word("layers", network.layers.len())?,
                    dropout: u32::from(pass.training() && layer.dropout > 0.0),
                    alpha: layer.activation.values[0] as f32,
                    beta: layer.activation.values[1] as f32,
                    ..DenseForward::default()
                }),
                bindings,
                extent: self.extent(layer.units, pass.batch_rows)?,
            });
        }
        Ok(calls)
    }

    fn loss(&self, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let outputs = self.request.network.outputs();
        let last = self.request.network.layers.len() - 1;
        Ok(Call {
            kernel: Kernel::Loss,
            subject: self.request.loss.name.to_owned(),
            variants: Variants {
                loss: Some(self.request.loss),
                terms: self.request.terms.clone(),
                gathered: true,
                ..Variants::default()
            },
            parameters: Parameters::Loss(Loss {
                members: word("members", self.plan.members)?,
                outputs: word("outputs", outputs)?,
                targets: word("targets", self.request.target_width)?,
                logits_member_stride: word("activations", self.rows * outputs)?,
                order_stride: word("rows", pass.resident_rows)?,
                statistics: word("statistics", self.plan.statistics)?,
                statistics_member_stride: word("statistics", self.rows * self.plan.statistics)?,
                training: u32::from(pass.training()),
            }),
            bindings: vec![
                ("steps", buffers.steps),
                ("state", buffers.state),
                ("order", buffers.order),
                ("logits", self.activations[last]),
                ("targets", buffers.targets),
                ("delta", self.deltas[last % 2]),
                ("row_statistics", self.row_statistics),
            ],
            extent: self.extent(1, pass.batch_rows)?,
        })
    }

    fn backward(&self, pass: &Pass, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let network = self.request.network;
        let gradients = self.plan.buffer("gradients")?;
        let members = word("members", self.plan.members)?;
        let mut calls = Vec::new();
        for (i, layer) in network.layers.iter().enumerate().rev() {
            let input = self.input_of(i, pass, buffers)?;
            let delta = self.deltas[i % 2];
            let delta_member_stride = word("activations", self.rows * layer.units)?;
            let mut bindings = vec![
                ("steps", buffers.steps),
                ("state", buffers.state),
                ("input", input.buffer),
                ("delta", delta),
                ("gradients", gradients),
            ];
            if input.gathered {
                bindings.push(("order", buffers.order));
            }
            calls.push(Call {
                kernel: Kernel::WeightGradient,
                subject: format!("layers.{i}"),
                variants: Variants { gathered: input.gathered, ..Variants::default() },
                parameters: Parameters::WeightGradient(WeightGradient {
                    members,
                    inputs: word("inputs", layer.inputs)?,
                    outputs: word("units", layer.units)?,
                    input_member_stride: input.member_stride,
                    delta_member_stride,
                    order_stride: input.order_stride,
                    parameter_stride: word("parameters", network.stride)?,
                    weight_offset: word("parameters", layer.weight_offset)?,
                    bias_offset: word("parameters", layer.bias_offset)?,
                    ..WeightGradient::default()
                }),
                bindings,
                extent: self.extent(layer.inputs + 1, layer.units)?,
            });
            if i > 0 {
                calls.push(self.input_gradient(i, pass, buffers)?);
            }
        }
        Ok(calls)
    }

    fn input_gradient(&self, i: usize, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let network = self.request.network;
        let (layer, below) = (&network.layers[i], &network.layers[i - 1]);
        let mut bindings = vec![
            ("steps", buffers.steps),
            ("state", buffers.state),
            ("layers", self.layers),
            ("delta", self.deltas[i % 2]),
            ("parameters", self.parameters),
            ("below", self.activations[i - 1]),
            ("delta_below", self.deltas[(i - 1) % 2]),
        ];
        if let Some(kept) = self.pre_activations[i - 1] {
            bindings.push(("pre_activation", kept));
        }
        Ok(Call {
            kernel: Kernel::InputGradient,
            subject: format!("layers.{i}"),
            variants: Variants { activation: Some(below.activation), ..Variants::default() },
            parameters: Parameters::InputGradient(InputGradient {
                members: word("members", self.plan.members)?,
                inputs: word("inputs", layer.inputs)?,
                outputs: word("units", layer.units)?,
                delta_member_stride: word("activations", self.rows * layer.units)?,
                below_member_stride: word("activations", self.rows * layer.inputs)?,
                parameter_stride: word("parameters", network.stride)?,
                weight_offset: word("parameters", layer.weight_offset)?,
                layer: word("layers", i - 1)?,
                layer_stride: word("layers", network.layers.len())?,
                alpha: below.activation.values[0] as f32,
                beta: below.activation.values[1] as f32,
                ..InputGradient::default()
            }),
            bindings,
            extent: self.extent(layer.inputs, pass.batch_rows)?,
        })
    }

    fn optimizer(&self, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let Some((row, form)) = self.request.optimizer else { return Ok(Vec::new()) };
        let network = self.request.network;
        let members = word("members", self.plan.members)?;
        let common = [
            ("steps", buffers.steps),
            ("state", buffers.state),
            ("parameters", self.parameters),
            ("gradients", self.plan.buffer("gradients")?),
            ("block_settings", self.plan.buffer("block_settings")?),
        ];
        let mut calls = Vec::new();
        if self.request.gradient_statistics {
            let blocks = network.stride / BLOCK;
            let mut bindings = common.to_vec();
            bindings.push(("partials", self.partials));
            calls.push(Call {
                kernel: Kernel::GradientStatistics,
                subject: "gradients".to_owned(),
                variants: Variants::default(),
                parameters: Parameters::GradientStatistics(GradientStatistics {
                    members,
                    blocks: word("blocks", blocks)?,
                    ..GradientStatistics::default()
                }),
                bindings,
                extent: self.extent(blocks, 1)?,
            });
        }
        let mut bindings = common.to_vec();
        for name in ["moment0", "moment1", "moment2"] {
            bindings.push((name, self.plan.buffer(name)?));
        }
        calls.push(Call {
            kernel: Kernel::OptimizerStep,
            subject: row.name.to_owned(),
            variants: Variants { optimizer: Some((row, form)), ..Variants::default() },
            parameters: Parameters::OptimizerStep(OptimizerStep {
                members,
                quads: word("parameters", network.stride / 4)?,
                ..OptimizerStep::default()
            }),
            bindings,
            extent: self.extent(network.stride / 4, 1)?,
        });
        Ok(calls)
    }

    fn finish(&self, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let summed = pass.training() && self.request.gradient_statistics;
        let blocks = self.request.network.stride / BLOCK;
        let log_width = if pass.training() { self.plan.log_width } else { self.plan.statistics };
        Ok(Call {
            kernel: Kernel::FinishStep,
            subject: pass.set.clone(),
            variants: Variants::default(),
            parameters: Parameters::FinishStep(FinishStep {
                members: word("members", self.plan.members)?,
                statistics: word("statistics", self.plan.statistics)?,
                statistics_member_stride: word("statistics", self.rows * self.plan.statistics)?,
                partials: if summed { word("blocks", blocks)? } else { 0 },
                log_width: word("log", log_width)?,
                ..FinishStep::default()
            }),
            bindings: vec![
                ("steps", buffers.steps),
                ("state", buffers.state),
                ("row_statistics", self.row_statistics),
                ("partials", self.partials),
                ("step_log", buffers.log),
            ],
            extent: self.extent(1, 1)?,
        })
    }
}

/// What a layer reads.
struct Input {
    buffer: BufferId,
    member_stride: u32,
    order_stride: u32,
    gathered: bool,
}
