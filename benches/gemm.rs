//! GFLOP/s of every tile on the three shapes of a dense layer's matrix products, beside a naive
//! kernel of one result an invocation in the same run.
//!
//! `cargo bench --bench gemm -- [--device NAME] [--size N | --size ROWSxINPUTSxUNITS] [--tile PART]`

use std::time::Instant;

use wgfit::backend::gpu::tile::{self, Class};
use wgfit::backend::gpu::{Adapter, GpuBackend, GpuOptions, Tile, adapters};
use wgfit::backend::{Backend, Executor};
use wgfit::catalog::activation::ActivationSettings;
use wgfit::catalog::loss::{self, LossSettings};
use wgfit::catalog::optimizer::{self, Convention, OptimizerForm};
use wgfit::kernels::Kernel;
use wgfit::network::{LayerShape, Network};
use wgfit::program::{
    Contents, MemberState, Pass, PassKind, Plan, PlanRequest, Precision, Program, ProgramId,
    StepSettings, Update,
};
use wgfit::random::threefry2x32;

type Failure = Box<dyn std::error::Error>;

/// Rounds, of which the median counts.
const ROUNDS: usize = 5;

/// A round of one product takes about this long.
const SECONDS: f64 = 0.03;

/// The products that are timed.
const SHAPES: [(Kernel, &str); 3] = [
    (Kernel::DenseForward, "layers.0"),
    (Kernel::InputGradient, "layers.1"),
    (Kernel::WeightGradient, "layers.0"),
];

struct Arguments {
    device: String,
    sizes: Vec<[usize; 3]>,
    tile: String,
}

fn arguments() -> Result<Arguments, Failure> {
    let mut all = Arguments { device: String::new(), sizes: Vec::new(), tile: String::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        // `cargo bench` adds it.
        if word == "--bench" {
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        match word.as_str() {
            "--device" => all.device = value.to_lowercase(),
            "--tile" => all.tile = value,
            "--size" => {
                let parts: Vec<usize> =
                    value.split('x').map(str::parse).collect::<Result<_, _>>()?;
                all.sizes.push(match parts[..] {
                    [n] => [n; 3],
                    [rows, inputs, units] => [rows, inputs, units],
                    _ => return Err(format!("--size {value}: N or ROWSxINPUTSxUNITS").into()),
                });
            }
            _ => return Err(format!("{word}: --device, --size or --tile").into()),
        }
    }
    if all.sizes.is_empty() {
        all.sizes = vec![[512; 3], [1024; 3]];
    }
    Ok(all)
}

/// The calls of [`SHAPES`], each a program of its own, for a layer of `inputs` and `units` between
/// one like it and the data.
fn plan([rows, inputs, units]: [usize; 3]) -> Result<Plan, Failure> {
    let shape = |units| LayerShape::new(units, ActivationSettings::linear());
    let network = Network::new(1, inputs, &[shape(units)], inputs)?;
    let mse = loss::find("mse").ok_or("there is mse")?;
    let sgd = optimizer::find("sgd").ok_or("there is sgd")?;
    let mut plan = Plan::new(&PlanRequest {
        network: &network,
        loss: LossSettings::new(mse, Convention::Torch),
        terms: Vec::new(),
        target_width: inputs,
        update: Some(Update::new(sgd, OptimizerForm::default())),
        gradient_statistics: false,
        fuses: false,
        precision: Precision::F32,
        splits: false,
        passes: vec![Pass {
            name: "train".to_owned(),
            set: "train".to_owned(),
            kind: PassKind::Train,
            resident_rows: rows,
            batch_rows: rows,
            table_steps: 1,
            weighted: false,
            collected_rows: 0,
        }],
    })?;
    let calls = std::mem::take(&mut plan.programs[0].calls);
    for (kernel, subject) in SHAPES {
        let call = calls.iter().find(|call| call.kernel == kernel && call.subject == subject);
        let calls = vec![call.ok_or("a step has every product")?.clone()];
        plan.programs.push(Program { name: kernel.name().to_owned(), calls });
    }
    plan.programs.remove(0);
    Ok(plan)
}

/// Random numbers everywhere: zeros are faster on some machines.
fn fill(plan: &Plan, rows: usize, executor: &mut dyn Executor) -> Result<(), Failure> {
    for (index, spec) in plan.buffers.iter().enumerate() {
        let id = plan.buffer(&spec.name)?;
        let words = spec.words as u32;
        let random = |i: u32| threefry2x32([index as u32, 5], [i, 0])[0] >> 8;
        match spec.contents {
            Contents::Reals => {
                let values: Vec<f64> =
                    (0..words).map(|i| f64::from(random(i)) / 16_777_216.0 - 0.5).collect();
                executor.write_reals(id, &values)?;
            }
            Contents::Words => executor.write_words(id, &(0..words).collect::<Vec<_>>())?,
            Contents::Steps => {
                let step = StepSettings { rows: rows as u32, ..StepSettings::default() };
                executor.write_steps(id, &[step])?;
            }
            Contents::State => executor.write_state(id, &[MemberState::START])?,
            Contents::Layers | Contents::Halves | Contents::Scales => {}
        }
    }
    Ok(())
}

struct Subject {
    tile: Tile,
    executor: Box<dyn Executor>,
    /// The first run of each product, in which many a driver compiles.
    first: [f64; SHAPES.len()],
    /// Runs at a time: what a wait costs must not show.
    runs: [usize; SHAPES.len()],
    /// A run, in each round.
    seconds: [Vec<f64>; SHAPES.len()],
}

impl Subject {
    fn seconds(&mut self, plan: &Plan, program: usize) -> Result<f64, Failure> {
        let begun = Instant::now();
        self.executor.run(ProgramId(program), self.runs[program])?;
        let state = plan.buffer("train.train.state")?;
        self.executor.read(&[(state, 1)])?;
        Ok(begun.elapsed().as_secs_f64() / self.runs[program] as f64)
    }

    fn warm_up(&mut self, plan: &Plan) -> Result<(), Failure> {
        for program in 0..SHAPES.len() {
            self.first[program] = self.seconds(plan, program)?;
            let again = self.seconds(plan, program)?;
            self.runs[program] = (SECONDS / again) as usize + 1;
        }
        Ok(())
    }
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn measure(adapter: &Adapter, size: [usize; 3], wanted: &str) -> Result<(), Failure> {
    let [rows, inputs, units] = size;
    let plan = plan(size)?;
    let class = Class::of(&adapter.description, &adapter.facts);
    let mut tiles = vec![Tile::NAIVE];
    tiles.extend(tile::candidates(class).into_iter().filter(|t| t.to_string().contains(wanted)));
    let mut subjects = Vec::new();
    for tile in tiles {
        let options = GpuOptions { tile: Some(tile), ..GpuOptions::default() };
        let mut executor = GpuBackend::new(adapter, options)?.load(&plan)?;
        fill(&plan, rows, executor.as_mut())?;
        let mut subject = Subject {
            tile,
            executor,
            first: [0.0; SHAPES.len()],
            runs: [1; SHAPES.len()],
            seconds: [const { Vec::new() }; SHAPES.len()],
        };
        subject.warm_up(&plan)?;
        subjects.push(subject);
    }
    for _ in 0..ROUNDS {
        for subject in &mut subjects {
            for program in 0..SHAPES.len() {
                let seconds = subject.seconds(&plan, program)?;
                subject.seconds[program].push(seconds);
            }
        }
    }
    println!(
        "{rows} rows, {inputs} inputs, {units} units: GFLOP/s (times the naive kernel's), and the \
         first runs"
    );
    println!("{:24} {:>18} {:>18} {:>18}", "", "forward", "input gradient", "weight gradient");
    let flop = 2.0 * (rows * inputs * units) as f64;
    let mut naive = [0.0; SHAPES.len()];
    for subject in &mut subjects {
        print!("{:24}", subject.tile.to_string());
        for (program, naive) in naive.iter_mut().enumerate() {
            let rate = flop / median(&mut subject.seconds[program]) / 1e9;
            if subject.tile == Tile::NAIVE {
                *naive = rate;
            }
            print!(" {:>18}", format!("{rate:.2} ({:.1})", rate / *naive));
        }
        println!("   {}", subject.first.map(|s| format!("{:4.0} ms", s * 1e3)).join(" "));
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments = arguments()?;
    let adapters = adapters();
    let adapter = adapters
        .iter()
        .find(|adapter| adapter.description.name.to_lowercase().contains(&arguments.device))
        .ok_or("there is no such adapter")?;
    println!("{} ({})", adapter.description.name, adapter.description.driver);
    for size in arguments.sizes {
        measure(adapter, size, &arguments.tile)?;
    }
    Ok(())
}
