//! Runs single calls of a plan on a backend and on the f64 reference, from the same random
//! contents of all buffers, and compares every buffer afterwards: outputs begin as noise, so
//! "wrote nothing" shows, and what the reference leaves alone must be left alone.

#![allow(dead_code)] // each test file uses its own part

use wgfit::backend::reference::Reference;
use wgfit::backend::{Backend, Contained, Executor};
use wgfit::catalog::activation::ActivationSettings;
use wgfit::catalog::optimizer::{Convention, OptimizerForm};
use wgfit::catalog::{activation, loss, metric, optimizer};
use wgfit::kernels::{Kernel, Parameters};
use wgfit::network::{LayerShape, Network};
use wgfit::program::{
    BufferId, Call, Contents, LayerSettings, MemberState, NONE, Pass, PassKind, Plan, PlanRequest,
    Program, ProgramId, StepSettings,
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
}

impl Scene {
    /// A scene of a training pass. Members differ in their rows, and stand at different steps.
    pub fn new(case: &Case) -> Self {
        let hidden: Vec<LayerShape> = case
            .hidden
            .iter()
            .map(|units| LayerShape {
                units: *units,
                activation: ActivationSettings::new(
                    activation::find(case.activation).unwrap(),
                    Convention::Torch,
                ),
                dropout: case.dropout,
            })
            .collect();
        let network = Network::new(case.members, case.inputs, &hidden, case.outputs).unwrap();
        let loss = loss::find(case.loss).unwrap();
        let classes = case.loss == "categorical_cross_entropy";
        let terms = if case.loss == "mse" { [2, 3] } else { [0, 1] };
        let terms = if case.loss == "binary_cross_entropy" && case.outputs > 1 {
            Vec::new()
        } else {
            terms.iter().map(|i| &metric::TERMS[*i]).collect()
        };
        let resident_rows = case.rows * 2 + 3;
        let plan = Plan::new(&PlanRequest {
            network: &network,
            loss,
            terms,
            target_width: if classes { 1 } else { case.outputs },
            optimizer: Some((optimizer::find(case.optimizer.0).unwrap(), case.optimizer.1)),
            gradient_statistics: true,
            passes: vec![Pass {
                set: "train".to_owned(),
                kind: PassKind::Train,
                resident_rows,
                batch_rows: case.rows,
                table_steps: 3,
            }],
        })
        .unwrap();
        let mut noise = Noise::new(case.rows as u32 * 7 + case.inputs as u32);
        let fills = plan
            .buffers
            .iter()
            .map(|spec| {
                let words = spec.words as usize;
                match spec.contents {
                    Contents::Reals => Fill::Reals(match spec.name.as_str() {
                        "train.targets" if classes => (0..words)
                            .map(|_| f64::from(noise.bits() % case.outputs as u32))
                            .collect(),
                        "train.targets" if case.loss == "binary_cross_entropy" => {
                            (0..words).map(|_| f64::from(noise.bits() % 2)).collect()
                        }
                        // Squares lie above the square of any mean.
                        "moment1" if case.optimizer.0.starts_with("adam") => {
                            noise.reals(words, 0.5, 1.5)
                        }
                        "moment0" if case.optimizer.0 == "rmsprop" => noise.reals(words, 0.5, 1.5),
                        "moment2" => noise.reals(words, -0.4, 0.4),
                        "block_settings" => (0..words / 4)
                            .flat_map(|block| {
                                let on = f64::from(block as u32 % 2);
                                let rate = noise.real(0.5, 1.5);
                                [noise.real(0.0, 0.1), noise.real(0.0, 0.1), on, rate]
                            })
                            .collect(),
                        _ => noise.reals(words, -1.0, 1.0),
                    }),
                    Contents::Words => Fill::Words(
                        (0..words).map(|_| noise.bits() % resident_rows as u32).collect(),
                    ),
                    Contents::Steps => Fill::Steps(
                        (0..words / 16)
                            .map(|row| {
                                let (step, member) = (row / case.members, row % case.members);
                                let short = (step + member) % 3;
                                step_settings(step, case.rows.saturating_sub(short).max(1), 3)
                            })
                            .collect(),
                    ),
                    Contents::Layers => Fill::Layers(
                        (0..words / 4)
                            .map(|i| {
                                LayerSettings::dropout(
                                    if i % (case.hidden.len() + 1) < case.hidden.len() {
                                        case.dropout
                                    } else {
                                        0.0
                                    },
                                    [noise.bits(), noise.bits()],
                                )
                            })
                            .collect(),
                    ),
                    Contents::State => Fill::State(
                        (0..case.members)
                            .map(|member| MemberState {
                                cursor: (member % 2) as u32,
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
            match fill {
                Fill::Reals(values) => executor.write_reals(id, values),
                Fill::Words(values) => executor.write_words(id, values),
                Fill::Steps(values) => executor.write_steps(id, values),
                Fill::Layers(values) => executor.write_layers(id, values),
                Fill::State(values) => executor.write_state(id, values),
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
            .filter_map(|(i, spec)| match spec.contents {
                Contents::Reals => Some((BufferId(i), spec.words as usize)),
                Contents::State => Some((BufferId(i), spec.words as usize / 4)),
                _ => None,
            })
            .collect();
        let read = executor.read(&wanted).unwrap();
        wanted.into_iter().map(|(id, _)| id).zip(read).collect()
    }
}

/// Settings of a step, of which every number shows in a result.
pub fn step_settings(step: usize, rows: usize, first_row: u32) -> StepSettings<f64> {
    let f = |x: f32| f64::from(x);
    StepSettings {
        first_row,
        rows: rows as u32,
        step: step as u32 + 1,
        learning_rate: f(0.125),
        weight_decay: f(0.0625),
        epsilon: f(0.03),
        beta1: f(0.75),
        beta2: f(0.875),
        momentum: f(0.8),
        dampening: f(0.3),
        rho: f(0.85),
        correction1: f(0.4375),
        correction2: f(0.234_375),
        ..StepSettings::default()
    }
}

/// Whether `found` is `wanted` within `bound`, and untouched where `wanted` is.
pub fn compare(
    found: &[f64],
    wanted: &[f64],
    before: &[f64],
    bound: &dyn Fn(usize) -> f64,
) -> Result<(), String> {
    if found.len() != wanted.len() || wanted.len() != before.len() {
        return Err(format!("{} elements, but {} are wanted", found.len(), wanted.len()));
    }
    for (i, ((f, w), b)) in found.iter().zip(wanted).zip(before).enumerate() {
        let fits = if f.is_nan() || w.is_nan() {
            f.is_nan() && w.is_nan()
        } else if w.to_bits() == b.to_bits() || w.is_infinite() {
            f == w
        } else {
            // Written so that a bound that is NaN fails.
            (f - w).abs() <= bound(i)
        };
        if !fits {
            return Err(format!(
                "[{i}] is {f:e}, but {w:e} is wanted within {:e} (it was {b:e})",
                bound(i)
            ));
        }
    }
    Ok(())
}

/// The same call where no term of a sum is negative: what its rounding errors are measured by.
fn sizes_of(scene: &Scene, call: &Call) -> (Scene, Call) {
    let mut scene = scene.clone();
    for fill in &mut scene.fills {
        match fill {
            Fill::Reals(values) => values.iter_mut().for_each(|x| *x = x.abs()),
            Fill::Layers(layers) => layers.fill(LayerSettings::default()),
            _ => {}
        }
    }
    let mut call = call.clone();
    if let Some(activation) = &mut call.variants.activation {
        *activation = (activation::find("linear").unwrap(), 0.0);
    }
    if let Parameters::DenseForward(p) = &mut call.parameters {
        p.dropout = 0;
    }
    (scene, call)
}

fn run_alone(backend: &dyn Backend, scene: &Scene, call: &Call) -> Vec<(BufferId, Contained)> {
    let mut plan = scene.plan.clone();
    plan.programs = vec![Program { name: "alone".to_owned(), calls: vec![call.clone()] }];
    let mut executor = backend.load(&plan).unwrap();
    scene.upload(executor.as_mut());
    executor.run(ProgramId(0), 1).unwrap();
    scene.download(executor.as_mut())
}

/// How far each element of a buffer may be off after a call. `sizes` is the buffer after the call
/// of `sizes_of`, `keep` the largest scale of dropout.
fn bound_of<'a>(
    call: &Call,
    buffer: BufferId,
    wanted: &'a [f64],
    sizes: &'a [f64],
    keep: f64,
    rows: usize,
) -> Box<dyn Fn(usize) -> f64 + 'a> {
    let gamma = |depth: usize| 1.01 * (depth as f64 + 8.0) * U;
    let is = |binding: &str| call.buffer(binding) == Some(buffer);
    match call.parameters {
        Parameters::DenseForward(p) => {
            let gamma = gamma(p.inputs as usize);
            if is("pre_activation") {
                return Box::new(move |i| gamma * sizes[i]);
            }
            // No activation is steeper than 1.2; its own error is some ulps of its value, and
            // of 1 where it is a difference.
            Box::new(move |i| {
                let own = 64.0 * U * wanted[i].abs() + 4.0 * U * sizes[i].min(1.0);
                if wanted[i] == 0.0 {
                    gamma * sizes[i]
                } else {
                    keep * 1.2 * gamma * sizes[i] + own
                }
            })
        }
        Parameters::WeightGradient(_) => {
            let gamma = gamma(rows);
            Box::new(move |i| gamma * sizes[i])
        }
        Parameters::InputGradient(p) => {
            // With outputs in [-1, 1] no derivative is above 2.
            let gamma = gamma(p.outputs as usize + 32);
            Box::new(move |i| if wanted[i] == 0.0 { 0.0 } else { keep * 2.0 * gamma * sizes[i] })
        }
        Parameters::Loss(p) => {
            let terms = f64::from(p.outputs) + 32.0;
            let delta = is("delta");
            let share = if delta { 1.0 / (rows as f64 - 2.0).max(1.0) } else { 1.0 };
            // Logits lie in [-1, 1].
            Box::new(move |i| terms * U * (wanted[i].abs() + 4.0 * share))
        }
        Parameters::GradientStatistics(_) => Box::new(move |i| 80.0 * U * wanted[i].abs()),
        // Parameters, moments and steps are near 1.
        Parameters::OptimizerStep(_) => Box::new(move |i| 24.0 * U * (1.0 + wanted[i].abs())),
        Parameters::FinishStep(p) => {
            let gamma = gamma(rows.max(p.partials as usize));
            Box::new(move |i| gamma * sizes[i])
        }
    }
}

/// Runs each call that `which` picks on its own, on the backend and on the reference, and returns
/// what differs.
pub fn differences(
    backend: &dyn Backend,
    scene: &Scene,
    which: &dyn Fn(&Call) -> bool,
) -> Vec<String> {
    let reference = Reference::<f64>::new();
    let plan = scene.apart();
    let mut under_test = backend.load(&plan).unwrap();
    let mut oracle = reference.load(&plan).unwrap();
    let mut failures = Vec::new();
    let mut checked = 0;
    let mut keep = 1.0_f64;
    let mut rows = 1;
    for fill in &scene.fills {
        match fill {
            Fill::Layers(layers) => {
                keep = layers.iter().map(|layer| f64::from(layer.keep_scale)).fold(keep, f64::max);
            }
            Fill::Steps(steps) => {
                rows = steps.iter().map(|step| step.rows as usize).fold(rows, usize::max);
            }
            _ => {}
        }
    }
    for (i, program) in plan.programs.iter().enumerate() {
        let call = &program.calls[0];
        if !which(call) {
            continue;
        }
        checked += 1;
        scene.upload(under_test.as_mut());
        scene.upload(oracle.as_mut());
        under_test.run(ProgramId(i), 1).unwrap();
        oracle.run(ProgramId(i), 1).unwrap();
        let found = scene.download(under_test.as_mut());
        let wanted = scene.download(oracle.as_mut());
        let sums = call.kernel.is_matmul() || call.kernel == Kernel::FinishStep;
        let sizes = sums.then(|| {
            let (scene, call) = sizes_of(scene, call);
            run_alone(&reference, &scene, &call)
        });
        assert_eq!(found.len(), wanted.len());
        for (place, ((id, found), (_, wanted))) in found.into_iter().zip(wanted).enumerate() {
            let name = &plan.buffers[id.0].name;
            let problem = match (found, wanted) {
                (Contained::Reals(found), Contained::Reals(wanted)) => {
                    let Fill::Reals(before) = &scene.fills[id.0] else { unreachable!() };
                    let sizes = match &sizes {
                        Some(sizes) => sizes[place].1.clone().into_reals(),
                        None => Vec::new(),
                    };
                    let bound = bound_of(call, id, &wanted, &sizes, keep, rows);
                    compare(&found, &wanted, before, &*bound).err()
                }
                (found, wanted) if found == wanted => None,
                (found, wanted) => Some(format!("is {found:?}, but {wanted:?} is wanted")),
            };
            if let Some(problem) = problem {
                failures.push(format!(
                    "{} of {} on {}: {name}{problem}\n  {}",
                    call.kernel.name(),
                    call.subject,
                    backend.device().name,
                    scene.name
                ));
            }
        }
    }
    assert!(checked > 0, "no call was picked");
    failures
}

/// Fails with the first few differences.
pub fn hold(backend: &dyn Backend, scene: &Scene, which: &dyn Fn(&Call) -> bool) {
    let failures = differences(backend, scene, which);
    let shown = failures.iter().take(4).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} differences, such as\n{shown}", failures.len());
}
