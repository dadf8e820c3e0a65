//! Builds a plan: the shared buffers, and the calls of each pass.

use super::embedding::EmbeddedInput;
use super::fused::{Arenas, fuses};
use super::plan::{Pass, PassKind, Plan, PlanRequest};
use super::sharing::ADAPTED;
use super::split::Split;
use super::{BufferId, Call, Contents, LAYER_WORDS, Precision, Program, STEP_WORDS, Variants};
use crate::catalog::activation::GradientFrom;
use crate::error::{Error, Result};
use crate::kernels::finish_step::FinishStep;
use crate::kernels::gradient_statistics::BLOCK;
use crate::kernels::loss::Loss;
use crate::kernels::optimizer_step::BLOCK_SETTINGS;
use crate::kernels::{Kernel, Parameters};

pub(super) fn word(what: &str, value: usize) -> Result<u32> {
    u32::try_from(value).map_err(|_| {
        Error::usage(format!("{what} is {value}, but at most {} can be addressed", u32::MAX))
            .with_help("use fewer units, rows a batch, or members")
    })
}

/// The buffers of one layer.
pub(super) struct LayerBuffers {
    /// Its output.
    pub activation: BufferId,
    /// What its activation is given: where the derivative needs it, or the activation is apart.
    pub pre_activation: Option<BufferId>,
    /// What its normalisation is given.
    pub linear: Option<BufferId>,
    /// Means and factors of its normalisation.
    pub statistics: Option<BufferId>,
    /// The gradient by its output, then by what its matrix product gives.
    pub delta: BufferId,
    /// The gradient by its output, where that goes round it.
    pub residual_gradient: Option<BufferId>,
}

/// The buffers that programs share.
pub(super) struct Builder<'a> {
    pub request: &'a PlanRequest<'a>,
    pub plan: Plan,
    pub rows: usize,
    pub parameters: BufferId,
    /// The weights that evaluation takes.
    pub evaluated: BufferId,
    pub layer_table: BufferId,
    pub layers: Vec<LayerBuffers>,
    /// The first layer's input, where it is not the data set's.
    pub embedded: Option<EmbeddedInput>,
    pub row_statistics: BufferId,
    pub partials: BufferId,
    /// What lets weight gradients and the optimizer's step be one call; none in a plain plan.
    pub arenas: Option<Arenas>,
    /// How the batches of a fused step are split; none where they are not.
    pub split: Option<Split>,
}

/// The buffers of one pass.
pub(super) struct PassBuffers {
    pub features: BufferId,
    targets: BufferId,
    pub order: BufferId,
    pub steps: BufferId,
    pub state: BufferId,
    pub log: BufferId,
    collected: Option<BufferId>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(request: &'a PlanRequest<'a>) -> Result<Self> {
        let network = request.network;
        let members = network.members;
        let rows = request.passes.iter().map(|pass| pass.batch_rows).max().unwrap_or(1);
        let widest = network.layers.iter().map(|layer| layer.units).max().unwrap_or(1);
        let embedded = network.layers.first().filter(|_| !network.embeddings.is_empty());
        let widest = widest.max(embedded.map_or(0, |layer| layer.inputs));
        let trains = request.update.is_some();
        let statistics =
            1 + request.terms.iter().map(|term| term.width(request.target_width)).sum::<usize>();
        let mut plan = Plan::empty(members);
        plan.statistics = statistics;
        plan.log_width = statistics + if request.gradient_statistics { 2 } else { 0 };
        word("the number of parameters of all members", network.stride.saturating_mul(members))?;
        word(
            "the number of activations of a batch",
            rows.saturating_mul(widest.max(statistics)).saturating_mul(members),
        )?;
        let table_words = members.saturating_mul(network.layers.len() * LAYER_WORDS);
        word("the rows of the layer table", table_words)?;

        let arena = members * network.stride;
        let parameters = plan.add("parameters", Contents::Reals, arena);
        let layer_table = plan.add("layers", Contents::Layers, table_words);
        if network.layers.iter().any(|layer| layer.adapted().is_some()) {
            plan.add(ADAPTED, Contents::Reals, arena);
        }
        let precision = request.precision;
        let arenas =
            fuses(request).then(|| Arenas::new(&mut plan, network, rows, precision)).transpose()?;
        let split = arenas.as_ref().and_then(|_| Split::of(request));
        let mut layers = Vec::with_capacity(network.layers.len());
        for (i, layer) in network.layers.iter().enumerate() {
            let values = members * rows * layer.units;
            let mut add = |name: &str, wanted: bool, precision: Precision, values: usize| {
                wanted.then(|| plan.add_stored(format!("{name}.{i}"), precision, values, None))
            };
            let from_input = layer.shape.activation.row.gradient_from == GradientFrom::Input;
            let normalized = layer.shape.normalization;
            let items = match normalized {
                Some(settings) if settings.row.by_column => layer.units,
                _ => rows,
            };
            let keeps_input = layer.apart || trains && from_input;
            let mut own = LayerBuffers {
                pre_activation: add("pre_activation", keeps_input, precision, values),
                linear: add("linear", normalized.is_some(), precision, values),
                statistics: add(
                    "norm_statistics",
                    normalized.is_some(),
                    Precision::F32,
                    members * items * 2,
                ),
                residual_gradient: add(
                    "residual_gradient",
                    trains && layer.shape.residual,
                    precision,
                    values,
                ),
                activation: BufferId(0),
                delta: BufferId(0),
            };
            let place = |of: &dyn Fn(&Arenas) -> (BufferId, u64)| arenas.as_ref().map(of);
            let activation = place(&|arenas| arenas.activation(i));
            own.activation =
                plan.add_stored(format!("activation.{i}"), precision, values, activation);
            let values = if trains { values } else { members };
            let delta = place(&|arenas| arenas.delta(i));
            own.delta = plan.add_stored(format!("delta.{i}"), precision, values, delta);
            layers.push(own);
        }
        let embedded = EmbeddedInput::new(&mut plan, request, rows);
        let row_statistics =
            plan.add("row_statistics", Contents::Reals, members * rows * statistics);
        let blocks = arena / BLOCK;
        let summed =
            request.gradient_statistics || request.update.is_some_and(|u| u.clip.is_some());
        let partials =
            plan.add("partials", Contents::Reals, if summed { blocks * 2 } else { members * 2 });
        let mut evaluated = parameters;
        if let Some(update) = &request.update {
            if arenas.is_none() {
                plan.add("gradients", Contents::Reals, arena);
            }
            if let Some(split) = split {
                let words = arena.saturating_mul(split.parts);
                word("the gradients of all parts of a batch", words)?;
                plan.add("partial_gradients", Contents::Reals, words);
            }
            plan.add("block_settings", Contents::Reals, blocks * BLOCK_SETTINGS);
            plan.add("best_parameters", Contents::Reals, arena);
            for (i, kept) in (update.row.moments)(update.form).into_iter().enumerate() {
                let words = if kept { arena } else { members * 4 };
                plan.add(format!("moment{i}"), Contents::Reals, words);
            }
            if update.average {
                evaluated = plan.add("average_parameters", Contents::Reals, arena);
            }
        }
        let mut builder = Self {
            request,
            plan,
            rows,
            parameters,
            evaluated,
            layer_table,
            layers,
            embedded,
            row_statistics,
            partials,
            arenas,
            split,
        };
        builder.add_clip_buffers();
        builder.add_muon_buffers();
        Ok(builder)
    }

    pub(super) fn build(mut self) -> Result<Plan> {
        for pass in &self.request.passes {
            let buffers = self.pass_buffers(pass)?;
            let mut calls = self.forward(pass, &buffers)?;
            if pass.kind != PassKind::Predict {
                calls.push(self.loss(pass, &buffers)?);
            }
            if let (true, Some(arenas)) = (pass.training(), &self.arenas) {
                calls.extend(self.input_gradients(pass, &buffers)?);
                calls.extend(match self.split {
                    Some(split) => self.split_update(split, arenas, pass, &buffers)?,
                    None => self.fused_update(arenas, pass, &buffers)?,
                });
            } else {
                if pass.training() {
                    calls.extend(self.backward(pass, &buffers)?);
                    calls.extend(self.update(&buffers)?);
                }
                calls.push(self.finish(pass, &buffers)?);
            }
            if self.request.precision == Precision::F16 {
                self.store_in_f16(pass, &mut calls);
            }
            self.plan.programs.push(Program { name: pass.program(), calls });
        }
        Ok(self.plan)
    }

    /// Tells the calls that what they store is f16, and binds the loss scale to those of a training
    /// step that meet it.
    fn store_in_f16(&mut self, pass: &Pass, calls: &mut [Call]) {
        let loss_scale = pass.training().then(|| {
            let name = format!("{}.loss_scale", pass.program());
            self.plan.add(name, Contents::Scales, self.plan.members * 4)
        });
        for call in calls {
            call.variants.precision = Precision::F16;
            let scale = loss_scale.filter(|_| call.kernel.meets_loss_scale());
            call.bindings.extend(scale.map(|id| ("loss_scale", id)));
        }
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
            self.plan.add_stored(set("features"), self.request.precision, features, None);
            let targets = pass.resident_rows * self.target_stride(pass);
            self.plan.add(set("targets"), Contents::Reals, targets);
        }
        let order_rows = members.saturating_mul(pass.resident_rows);
        word("the length of the batch order", order_rows)?;
        let log = pass.table_steps.saturating_mul(members).saturating_mul(width.max(STEP_WORDS));
        word("the length of the step log", log)?;
        let log = pass.table_steps * members * width;
        let outputs = self.request.network.outputs();
        let collected = pass.collected_rows.saturating_mul(outputs).saturating_mul(members);
        word("the number of outputs of all rows", collected)?;
        Ok(PassBuffers {
            features: self.plan.buffer(&set("features"))?,
            targets: self.plan.buffer(&set("targets"))?,
            order: self.plan.add(own("order"), Contents::Words, order_rows),
            steps: self.plan.add(
                own("steps"),
                Contents::Steps,
                pass.table_steps * members * STEP_WORDS,
            ),
            state: self.plan.add(own("state"), Contents::State, members * 4),
            log: self.plan.add(own("log"), Contents::Reals, log),
            collected: (collected > 0)
                .then(|| self.plan.add(own("collected"), Contents::Reals, collected)),
        })
    }

    /// Values a row of the targets buffer: the targets, and the row's weight where it has one.
    fn target_stride(&self, pass: &Pass) -> usize {
        self.request.target_width + usize::from(pass.weighted)
    }

    pub(super) fn extent(&self, columns: usize, rows: usize) -> Result<[u32; 3]> {
        Ok([word("columns", columns)?, word("rows", rows)?, word("members", self.plan.members)?])
    }

    /// The weights that a pass computes with.
    pub(super) fn weights_of(&self, pass: &Pass) -> BufferId {
        if pass.training() { self.parameters } else { self.evaluated }
    }

    /// The strides of the data set or of the layer below, and what is bound as `input`.
    pub(super) fn input_of(
        &self,
        layer: usize,
        pass: &Pass,
        buffers: &PassBuffers,
    ) -> Result<Input> {
        Ok(if let (0, Some(embedded)) = (layer, &self.embedded) {
            Input {
                buffer: embedded.input,
                member_stride: word("activations", self.rows * self.embedded_width())?,
                order_stride: 0,
                gathered: false,
            }
        } else if layer == 0 {
            Input {
                buffer: buffers.features,
                member_stride: 0,
                order_stride: word("rows", pass.resident_rows)?,
                gathered: true,
            }
        } else {
            let inputs = self.request.network.layers[layer].inputs;
            Input {
                buffer: self.layers[layer - 1].activation,
                member_stride: word("activations", self.rows * inputs)?,
                order_stride: 0,
                gathered: false,
            }
        })
    }

    fn loss(&self, pass: &Pass, buffers: &PassBuffers) -> Result<Call> {
        let outputs = self.request.network.outputs();
        let last = self.request.network.layers.len() - 1;
        let loss = self.request.loss;
        let [parameter0, parameter1, parameter2] = loss.values.map(|value| value as f32);
        let mut bindings = vec![
            ("steps", buffers.steps),
            ("state", buffers.state),
            ("order", buffers.order),
            ("logits", self.layers[last].activation),
            ("targets", buffers.targets),
            ("delta", self.layers[last].delta),
            ("row_statistics", self.row_statistics),
        ];
        bindings.extend(buffers.collected.map(|id| ("collected", id)));
        Ok(Call {
            kernel: Kernel::Loss,
            subject: loss.row.name.to_owned(),
            variants: Variants {
                loss: Some(loss),
                terms: self.request.terms.clone(),
                gathered: true,
                ..Variants::default()
            },
            parameters: Parameters::Loss(Loss {
                members: word("members", self.plan.members)?,
                outputs: word("outputs", outputs)?,
                targets: word("targets", self.request.target_width)?,
                target_stride: word("targets", self.target_stride(pass))?,
                logits_member_stride: word("activations", self.rows * outputs)?,
                order_stride: word("rows", pass.resident_rows)?,
                statistics: word("statistics", self.plan.statistics)?,
                statistics_member_stride: word("statistics", self.rows * self.plan.statistics)?,
                training: u32::from(pass.training()),
                weighted: u32::from(pass.weighted),
                collected_member_stride: word("outputs", pass.collected_rows * outputs)?,
                parameter0,
                parameter1,
                parameter2,
                by_member: u32::from(loss.by_member),
                ..Loss::default()
            }),
            bindings,
            extent: self.extent(1, pass.batch_rows)?,
        })
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
pub(super) struct Input {
    pub buffer: BufferId,
    pub member_stride: u32,
    pub order_stride: u32,
    pub gathered: bool,
}
