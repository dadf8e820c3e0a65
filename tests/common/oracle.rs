//! Runs single calls of a plan on a backend and on the f64 reference, from the same random
//! contents of all buffers, and compares every buffer afterwards: outputs begin as noise, so
//! "wrote nothing" shows, and what the reference leaves alone must be left alone.

#![allow(dead_code, unused_imports)] // each test file uses its own part

mod comparison;

pub use comparison::{compare, differences, hold};
use wgfit::backend::{Contained, Executor};
use wgfit::catalog::activation::ActivationSettings;
use wgfit::catalog::loss::LossSettings;
use wgfit::catalog::optimizer::{Convention, OptimizerForm};
use wgfit::catalog::{activation, loss, metric, optimizer};
use wgfit::config::data::Task;
use wgfit::kernels::gradient_statistics::BLOCK;
use wgfit::network::{LayerShape, Network};
use wgfit::program::{
    BufferId, BufferSpec, Call, Clip, Contents, LAYER_WORDS, LayerSettings, LossScale, MemberState,
    NONE, Pass, PassKind, Plan, PlanRequest, Precision, Program, ProgramId, STEP_WORDS,
    StepSettings, Update, block_groups, rounded_to_f16,
};
use wgfit::random::threefry2x32;

/// Unit roundoff of f32.
pub const U: f64 = 1.0 / 16_777_216.0;

/// Random numbers of a test.
pub struct Noise(u32, u32);

impl Noise {
    pub fn new(seed: u32) -> Self {
        Self(seed, 0)
    }

    /// 24 random bits.
    pub fn bits(&mut self) -> u32 {
        self.1 += 1;
        threefry2x32([self.0, 77], [self.1, 0])[0] >> 8
    }

    /// In [low, high), and an f32.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        let unit = (f64::from(self.bits()) + 0.5) / 16_777_216.0;
        f64::from((low + (high - low) * unit) as f32)
    }

    pub fn reals(&mut self, count: usize, low: f64, high: f64) -> Vec<f64> {
        (0..count).map(|_| self.real(low, high)).collect()
    }
}

/// What a scene is made of.
#[derive(Debug, Clone)]
pub struct Case {
    pub rows: usize,
    pub inputs: usize,
    pub hidden: Vec<usize>,
    pub outputs: usize,
    pub members: usize,
    pub activation: &'static str,
    pub dropout: f64,
    pub loss: &'static str,
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
            hidden: vec![19],
            outputs: 5,
            members: 1,
            activation: "tanh",
            dropout: 0.0,
            loss: "categorical_cross_entropy",
            optimizer: ("sgd", OptimizerForm::default()),
            stopped: false,
            layer: |layer| layer,
            output: |output| output,
            update: |update| update,
            loss_values: None,
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

/// A plan, and the contents of all its buffers.
#[derive(Debug, Clone)]
pub struct Scene {
    pub name: String,
    pub network: Network,
    pub plan: Plan,
    pub fills: Vec<Fill>,
}

/// The contents of a buffer.
#[derive(Debug, Clone)]
pub enum Fill {
    Reals(Vec<f64>),
    Words(Vec<u32>),
    Steps(Vec<StepSettings<f64>>),
    Layers(Vec<LayerSettings>),
    State(Vec<MemberState>),
    Scales(Vec<LossScale>),
}

impl Scene {
    /// A scene of a training pass. Members differ in their rows, and stand at different steps.
    pub fn new(case: &Case) -> Self {
        Self::with_layers(case, &|_, layer| (case.layer)(layer))
    }

    /// The same, with hidden layers that `layer` makes of their index and their plain shape.
    pub fn with_layers(case: &Case, layer: &dyn Fn(usize, LayerShape) -> LayerShape) -> Self {
        let activation =
            ActivationSettings::new(activation::find(case.activation).unwrap(), Convention::Torch);
        let hidden: Vec<LayerShape> = case
            .hidden
            .iter()
            .enumerate()
            .map(|(index, units)| {
                let plain = LayerShape::new(*units, activation);
                layer(index, LayerShape { dropout: case.dropout, ..plain })
            })
            .collect();
        let row = loss::find(case.loss).unwrap();
        let mut loss = LossSettings::new(row, Convention::Torch);
        if let Some(values) = case.loss_values {
            loss.values = values;
        }
        let outputs = case.outputs * row.outputs_per_target();
        let output = (case.output)(LayerShape::new(outputs, ActivationSettings::linear()));
        let network = Network::with_output(case.members, case.inputs, &hidden, output).unwrap();
        let classes = row.tasks.contains(&Task::Classification);
        let labels = row.tasks.contains(&Task::Binary);
        let target_width = if classes && !case.soft { 1 } else { case.outputs };
        let terms = match (classes, labels && case.outputs > 1) {
            (_, true) => Vec::new(),
            _ if classes || labels => vec![&metric::TERMS[0], &metric::TERMS[1]],
            _ => vec![&metric::TERMS[2], &metric::TERMS[3]],
        };
        let resident_rows = case.rows * 2 + 3;
        let (optimizer, form) = case.optimizer;
        let update = (case.update)(Update::new(optimizer::find(optimizer).unwrap(), form));
        let plan = Plan::new(&PlanRequest {
            network: &network,
            loss,
            terms,
            target_width,
            update: Some(update),
            gradient_statistics: case.statistics && !case.fused,
            fuses: case.fused,
            precision: case.precision,
            splits: case.split,
            passes: vec![Pass {
                set: "train".to_owned(),
                kind: PassKind::Train,
                resident_rows,
                batch_rows: case.rows,
                table_steps: case.table_steps,
                weighted: case.weighted,
                collected_rows: if case.collects { case.rows + 7 } else { 0 },
            }],
        })
        .unwrap();
        let target_stride = target_width + usize::from(case.weighted);
        let mut noise = Noise::new(case.rows as u32 * 7 + case.inputs as u32);
        let fills = plan
            .buffers
            .iter()
            .map(|spec| {
                let words = match spec.contents {
                    Contents::Halves => spec.elements(),
                    _ => spec.words as usize,
                };
                match spec.contents {
                    Contents::Halves => Fill::Reals(
                        noise.reals(words, -1.0, 1.0).into_iter().map(rounded_to_f16).collect(),
                    ),
                    Contents::Scales => Fill::Scales(
                        (0..case.members)
                            .map(|member| LossScale {
                                scale: 8.0 * 2_f32.powi(member as i32),
                                backward: 2.0 * 2_f32.powi(member as i32),
                                overflowed: u32::from(case.overflowed && member == 0),
                                // Of the second member it is due to grow.
                                steps: 1998 + member as u32,
                            })
                            .collect(),
                    ),
                    Contents::Reals => Fill::Reals(match spec.name.as_str() {
                        "train.targets" => (0..words / target_stride)
                            .flat_map(|_| {
                                let mut row = match (classes, labels) {
                                    (true, _) if case.soft => shares(&mut noise, target_width),
                                    (true, _) => {
                                        vec![f64::from(noise.bits() % case.outputs as u32)]
                                    }
                                    (_, true) => (0..target_width)
                                        .map(|_| f64::from(noise.bits() % 2))
                                        .collect(),
                                    // Counts and logarithms want numbers above 0.
                                    _ => noise.reals(target_width, 0.1, 1.9),
                                };
                                if case.weighted {
                                    row.push(noise.real(0.25, 2.0));
                                }
                                row
                            })
                            .collect(),
                        // Squares lie above the square of any mean.
                        "moment1" if case.optimizer.0 != "rmsprop" => noise.reals(words, 0.5, 1.5),
                        "moment0"
                            if ["rmsprop", "adagrad", "adadelta"].contains(&case.optimizer.0) =>
                        {
                            noise.reals(words, 0.5, 1.5)
                        }
                        "moment2" if case.optimizer.0 == "rmsprop" => noise.reals(words, -0.4, 0.4),
                        "moment2" => noise.reals(words, 0.5, 1.5),
                        // Sums of squares.
                        "partials" | "muon.partials" => noise.reals(words, 0.0, 1.0),
                        "block_settings" => block_settings(&network, &update, &mut noise),
                        _ => noise.reals(words, -1.0, 1.0),
                    }),
                    Contents::Words if spec.name == "clip_groups" => {
                        Fill::Words(update.clip.unwrap().groups(&network))
                    }
                    Contents::Words if spec.name == "muon.groups" => {
                        Fill::Words(block_groups(&network.muon_matrices(form.keras)))
                    }
                    Contents::Words => Fill::Words(
                        (0..words).map(|_| noise.bits() % resident_rows as u32).collect(),
                    ),
                    Contents::Steps => Fill::Steps(
                        (0..words / STEP_WORDS)
                            .map(|row| {
                                let (step, member) = (row / case.members, row % case.members);
                                let short = (step + member) % 3;
                                step_settings(step, case.rows.saturating_sub(short).max(1), 3)
                            })
                            .collect(),
                    ),
                    Contents::Layers => Fill::Layers(
                        (0..words / LAYER_WORDS)
                            .map(|i| {
                                let shape = &network.layers[i % network.layers.len()].shape;
                                let key = [noise.bits(), noise.bits()];
                                let settings = if shape.alpha_dropout {
                                    LayerSettings::alpha_dropout(shape.dropout, key)
                                } else {
                                    LayerSettings::dropout(shape.dropout, key)
                                };
                                LayerSettings { noise: shape.noise as f32, ..settings }
                            })
                            .collect(),
                    ),
                    Contents::State => Fill::State(
                        (0..case.members)
                            .map(|member| MemberState {
                                cursor: (member % 2) as u32,
                                backward: (member % 2) as u32,
                                bad_step: if case.stopped && member + 1 == case.members {
                                    9
                                } else {
                                    NONE
                                },
                                ..MemberState::START
                            })
                            .collect(),
                    ),
                }
            })
            .collect();
        Self { name: format!("{case:?}"), network, plan, fills }
    }

    /// Fills each buffer as another scene's of the same name.
    pub fn fill_as(&mut self, other: &Self) {
        for (spec, fill) in self.plan.buffers.iter().zip(&mut self.fills) {
            let same = |theirs: &(&BufferSpec, &Fill)| theirs.0.name == spec.name;
            if let Some((theirs, filled)) = other.plan.buffers.iter().zip(&other.fills).find(same) {
                assert_eq!(theirs.words, spec.words, "{}", spec.name);
                *fill = filled.clone();
            }
        }
    }

    pub fn buffer(&self, name: &str) -> BufferId {
        self.plan.buffer(name).unwrap()
    }

    pub fn reals(&self, name: &str) -> &[f64] {
        match &self.fills[self.buffer(name).0] {
            Fill::Reals(values) => values,
            _ => panic!("{name} holds no reals"),
        }
    }

    pub fn reals_mut(&mut self, name: &str) -> &mut Vec<f64> {
        let id = self.buffer(name);
        match &mut self.fills[id.0] {
            Fill::Reals(values) => values,
            _ => panic!("{name} holds no reals"),
        }
    }

    pub fn steps_mut(&mut self) -> &mut Vec<StepSettings<f64>> {
        match self.fills.iter_mut().find(|fill| matches!(fill, Fill::Steps(_))) {
            Some(Fill::Steps(steps)) => steps,
            _ => panic!("no steps"),
        }
    }

    /// Puts every member at the first step.
    pub fn begin(&mut self) {
        for fill in &mut self.fills {
            if let Fill::State(states) = fill {
                states.fill(MemberState::START);
            }
        }
    }

    /// The calls of its program, each a program of its own.
    pub fn apart(&self) -> Plan {
        let mut plan = self.plan.clone();
        plan.programs = self.plan.programs[0]
            .calls
            .iter()
            .map(|call| Program { name: call.subject.clone(), calls: vec![call.clone()] })
            .collect();
        plan
    }

    pub fn upload(&self, executor: &mut dyn Executor) {
        for (i, fill) in self.fills.iter().enumerate() {
            let id = BufferId(i);
            if self.plan.buffers[i].part_of.is_some() {
                continue;
            }
            match fill {
                Fill::Reals(values) => executor.write_reals(id, values),
                Fill::Words(values) => executor.write_words(id, values),
                Fill::Steps(values) => executor.write_steps(id, values),
                Fill::Layers(values) => executor.write_layers(id, values),
                Fill::State(values) => executor.write_state(id, values),
                Fill::Scales(values) => executor.write_scales(id, values),
            }
            .unwrap();
        }
    }

    /// Everything that can be read, by buffer.
    pub fn download(&self, executor: &mut dyn Executor) -> Vec<(BufferId, Contained)> {
        let wanted: Vec<(BufferId, usize)> = self
            .plan
            .buffers
            .iter()
            .enumerate()
            .filter(|(_, spec)| spec.part_of.is_none())
            .filter_map(|(i, spec)| match spec.contents {
                Contents::Reals | Contents::Halves | Contents::State | Contents::Scales => {
                    Some((BufferId(i), spec.elements()))
                }
                _ => None,
            })
            .collect();
        let read = executor.read(&wanted).unwrap();
        wanted.into_iter().map(|(id, _)| id).zip(read).collect()
    }
}

/// Shares of 1.
fn shares(noise: &mut Noise, count: usize) -> Vec<f64> {
    let parts: Vec<f64> = (0..count).map(|_| f64::from(noise.bits() % 8) + 1.0).collect();
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|part| f64::from((part / sum) as f32)).collect()
}

/// Settings of every block of every member, each of which shows in a result.
fn block_settings(network: &Network, update: &Update, noise: &mut Noise) -> Vec<f64> {
    let tensors = network.tensors();
    let matrices = if update.orthogonalization.is_some() {
        network.muon_matrices(update.form.keras)
    } else {
        Vec::new()
    };
    let by_tensor = update.clip == Some(Clip::Norm);
    (0..network.members * network.stride / BLOCK)
        .flat_map(|block| {
            let tensor = network.tensor_at(block % (network.stride / BLOCK) * BLOCK).unwrap();
            let index = tensors.iter().position(|other| other.name == tensor.name).unwrap();
            let matrix = matrices.iter().position(|matrix| matrix.name == tensor.name);
            let on = f64::from(block as u32 % 2);
            // One in seven is not trained.
            let rate = if block % 7 == 6 { 0.0 } else { noise.real(0.5, 1.5) };
            [
                noise.real(0.0, 0.1),
                noise.real(0.0, 0.1),
                on,
                rate,
                f64::from(u8::from(matrix.is_some())),
                if by_tensor { index as f64 } else { 0.0 },
                matrix.unwrap_or(0) as f64,
                0.0,
            ]
        })
        .collect()
}

/// Settings of a step, of which every number shows in a result.
pub fn step_settings(step: usize, rows: usize, first_row: u32) -> StepSettings<f64> {
    let f = |x: f32| f64::from(x);
    StepSettings {
        first_row,
        rows: rows as u32,
        position: step as u32,
        batch: step as u32 + 4,
        step: step as u32 + 1,
        accumulates: step as u32 % 2,
        updates: 1,
        share: f((rows as f32).recip()),
        clip: f(0.4),
        average_rate: f(0.3),
        learning_rate: f(0.125),
        weight_decay: f(0.0625),
        epsilon: f(0.03),
        beta1: f(0.75),
        beta2: f(0.875),
        momentum: f(0.8),
        dampening: f(0.3),
        rho: f(0.85),
        coefficients: [f(0.4375), f(0.234_375), f(0.6), f(0.7)],
        ..StepSettings::default()
    }
}
