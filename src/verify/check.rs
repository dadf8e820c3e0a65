//! Holds everything that a device may run to the f64 reference.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::comparison::{CallSize, examine};
use super::findings::{Findings, Variant};
use super::finiteness;
use super::groups::{Cases, Forms, Group, of_cpu};
use super::scenes::{self, Held};
use crate::backend::gpu::{Adapter, GpuBackend, GpuOptions, Subject, WholeSteps};
use crate::backend::{Backend, DeviceOptions, Listed};
use crate::error::{Error, Result};
use crate::kernels::Kernel;
use crate::program::{Call, Precision};

/// Devices of one software adapter, which compiles on one thread for each.
const MOST_DEVICES: usize = 4;

/// Something to be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What.
    pub subject: Subject,
    /// The only tile, of a kernel that is a matrix product.
    pub tile: Option<String>,
}

impl Wanted {
    /// Everything.
    pub fn all() -> Vec<Self> {
        Subject::all().map(|subject| Self { subject, tile: None }).collect()
    }

    fn includes(&self, call: &Call, gpu: Option<&GpuBackend>) -> bool {
        self.subject == Subject::Kernel(call.kernel)
            && self.tile.as_ref().is_none_or(|wanted| {
                let tile = gpu.and_then(|gpu| gpu.tile_of(call));
                tile.is_some_and(|tile| tile.to_string() == *wanted)
            })
    }
}

/// What is verified.
#[derive(Debug, Clone)]
pub struct Extent {
    /// What of it.
    pub wanted: Vec<Wanted>,
    /// Also the tiles that a software adapter takes only after measuring them.
    pub all_tiles: bool,
}

/// Told of groups that are begun, of all groups, and of the one that is begun now.
pub type Progress<'a> = &'a mut (dyn FnMut(usize, usize, &str) + Send);

/// Verifies a device: every variant that it may run of what is wanted. What is found on a GPU is kept
/// for those who train on it.
///
/// # Errors
/// When the device cannot be opened, or never runs what is wanted. One that refuses a call, or is lost on the way, is wrong.
pub fn verify(
    device: &Listed,
    options: DeviceOptions,
    extent: &Extent,
    progress: Progress,
) -> Result<Findings> {
    let begun = Instant::now();
    let planted = options.gpu.planted_fault.map(|fault| fault.to_string());
    let mut findings = Findings::new(device.description.clone(), planted);
    match &device.adapter {
        None => {
            let backend = device.open(options)?;
            let groups = of_cpu(backend.as_ref());
            let count = groups.len();
            for (at, group) in groups.iter().enumerate() {
                progress(at, count, &group.name);
                run(group, &extent.wanted, &mut findings)?;
            }
        }
        Some(adapter) => verify_gpu(adapter, options.gpu, extent, &mut findings, progress)?,
    }
    if findings.rows.is_empty() {
        let name = &device.description.name;
        return Err(Error::usage(format!("{name} never runs any of what is to be verified"))
            .with_help("leave --kernel out, or name kernels out of the table without it"));
    }
    findings.sort();
    findings.seconds = begun.elapsed().as_secs_f64();
    Ok(findings)
}

fn verify_gpu(
    adapter: &Adapter,
    options: GpuOptions,
    extent: &Extent,
    findings: &mut Findings,
    progress: Progress,
) -> Result<()> {
    let own = GpuOptions {
        planted_fault: options.planted_fault,
        checked_shaders: options.checked_shaders,
        whole_steps: Some(WholeSteps::Never),
        ..GpuOptions::default()
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let devices = if adapter.is_software() { threads.min(MOST_DEVICES) } else { 1 };
    let open = || Ok(Forms::new(GpuBackend::new(adapter, own)?, own, extent.all_tiles));
    let all: Vec<Forms> = (0..devices).map(|_| open()).collect::<Result<_>>()?;
    let Some(first) = all.first() else { return Err(Error::internal("no device was opened")) };
    let wanted: Vec<Wanted> =
        extent.wanted.iter().filter(|wanted| first.runs(wanted.subject)).cloned().collect();

    let counts = [first.groups().len(), first.trainings().len()];
    let progress = Mutex::new(progress);
    let tell = |at: usize, name: &str| {
        if let Ok(mut progress) = progress.lock() {
            progress(at, counts.iter().sum(), name);
        }
    };
    side_by_side(&all, Forms::groups, &wanted, findings, &|at, name| tell(at, name))?;
    // Trainings as they are run without what is wrong.
    let wrong = findings.wrong();
    let right: Vec<Forms> = all.iter().map(|forms| forms.without(&wrong)).collect();
    let tell = |at: usize, name: &str| tell(counts[0] + at, name);
    side_by_side(&right, Forms::trainings, &wanted, findings, &tell)?;

    // From which size on is a tile wrong?
    let failing: Vec<Variant> = findings.failing().cloned().collect();
    for Variant { subject, tile, precision } in failing {
        let backend = tile.as_ref().and_then(|tile| first.with_tile(tile));
        let Some(backend) = backend.filter(|_| precision == Precision::F32) else { continue };
        let list = match subject.kernel() {
            Some(Kernel::Update) => scenes::fused_sizes,
            Some(Kernel::PartialGradients) => scenes::split_sizes,
            _ => scenes::sizes,
        };
        let group = Group::scenes("the smallest size", backend, Some(backend), list);
        run(&group, &[Wanted { subject, tile: None }], findings)?;
    }
    let verified: Vec<_> = wanted.into_iter().map(|own| (own.subject, own.tile)).collect();
    findings.sort();
    first.verified().keep(&verified, findings.wrong());
    Ok(())
}

/// Runs groups on several devices at once, each of which takes the group that is next.
fn side_by_side(
    devices: &[Forms],
    groups: fn(&Forms) -> Vec<Group<'_>>,
    wanted: &[Wanted],
    findings: &mut Findings,
    tell: &(dyn Fn(usize, &str) + Sync),
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let device = findings.device.clone();
    let work = |forms: &Forms| -> Result<Findings> {
        let mut found = Findings::new(device.clone(), None);
        let groups = groups(forms);
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(group) = groups.get(at) else { return Ok(found) };
            tell(at, &group.name);
            run(group, wanted, &mut found)?;
        }
    };
    let found: Vec<Result<Findings>> = std::thread::scope(|scope| {
        let workers: Vec<_> = devices.iter().map(|forms| scope.spawn(|| work(forms))).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().map(join).collect()
    });
    for found in found {
        findings.merge(found?);
    }
    Ok(())
}

/// Runs a group. What a device refuses is wrong, and the others are run.
fn run(group: &Group, wanted: &[Wanted], findings: &mut Findings) -> Result<()> {
    let Group { name, backend, gpu, cases } = group;
    let is_wanted = |call: &Call| wanted.iter().any(|wanted| wanted.includes(call, *gpu));
    let wants = |subject| wanted.iter().any(|wanted| wanted.subject == subject);
    match cases {
        Cases::Scenes(list) => {
            for held in list()? {
                hold(&held, *backend, *gpu, &is_wanted, findings);
            }
        }
        Cases::CallsOfNotFinite => {
            // What is refused here is refused with other numbers too.
            if let Ok(outcomes) = finiteness::of_calls(*backend, &is_wanted) {
                outcomes.iter().for_each(|own| findings.add(name, own));
            }
        }
        Cases::TrainingsOfNotFinite if wants(Subject::PlainTraining) => {
            let subject = Subject::PlainTraining;
            match finiteness::of_trainings(*backend) {
                Ok(all) => all.iter().for_each(|own| findings.add_training(subject, name, own)),
                Err(error) => findings.refuse_training(subject, name, &error),
            }
        }
        Cases::Trainings(subject, list) if wants(*subject) => {
            for training in list()? {
                let case = &training.own.name;
                match training.examine(*backend) {
                    // What cannot be run whole on this adapter was run fused.
                    Ok(own) if *subject == Subject::WholeSteps && !own.was_whole => {}
                    Ok(own) => findings.add_training(*subject, case, &own),
                    Err(error) => findings.refuse_training(*subject, case, &error),
                }
            }
        }
        Cases::TrainingsOfNotFinite | Cases::Trainings(..) => {}
    }
    Ok(())
}

/// Holds the calls of a scene to the reference: all at once, or one by one where the device refuses
/// one of them.
fn hold(
    held: &Held,
    backend: &dyn Backend,
    gpu: Option<&GpuBackend>,
    is_wanted: &dyn Fn(&Call) -> bool,
    findings: &mut Findings,
) {
    let Held { scene, which } = held;
    let which = |call: &Call| which(call) && is_wanted(call);
    if let Ok(outcomes) = examine(backend, scene, &which) {
        outcomes.iter().for_each(|outcome| findings.add(&scene.name, outcome));
        return;
    }
    for call in scene.plan.programs[0].calls.iter().filter(|call| which(call)) {
        let is_it = |other: &Call| other.kernel == call.kernel && other.subject == call.subject;
        match examine(backend, scene, &is_it) {
            Ok(outcomes) => outcomes.iter().for_each(|outcome| findings.add(&scene.name, outcome)),
            Err(error) => {
                let variant = Variant {
                    subject: Subject::Kernel(call.kernel),
                    tile: gpu.and_then(|gpu| gpu.tile_of(call)).map(|tile| tile.to_string()),
                    precision: call.variants.precision,
                };
                let size = CallSize::of(call);
                findings.refuse(variant, &size, &scene.name, &error.to_string());
            }
        }
    }
}
