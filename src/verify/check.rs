//! Holds everything that a device may run to the f64 reference.

use std::time::Instant;

use super::comparison::{CallSize, examine};
use super::findings::{Findings, Variant};
use super::finiteness;
use super::scenes::{self, Held};
use super::training::{self, Training};
use crate::backend::gpu::tile::Kind;
use crate::backend::gpu::{GpuBackend, GpuOptions, Subject, Tile, WholeSteps};
use crate::backend::{Backend, DeviceOptions, Listed};
use crate::error::Result;
use crate::kernels::Kernel;
use crate::program::{Call, Precision};

/// Makes a list when its turn comes.
type Make<T> = Box<dyn Fn() -> Result<Vec<T>>>;

/// What a device is put through.
enum Cases {
    /// Single calls.
    Scenes(Make<Held>),
    /// Single calls and trainings of numbers that are not finite.
    Finiteness,
    /// Trainings in one form.
    Trainings(Subject, Make<Training>),
}

/// A group of cases, and what runs them.
struct Group<'a> {
    /// For the progress.
    name: String,
    backend: &'a dyn Backend,
    /// The same, where it is a GPU.
    gpu: Option<&'a GpuBackend>,
    cases: Cases,
}

/// Told of groups that are done, of all groups, and of the next one's name.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize, &str);

/// Verifies a device: of the subjects that are wanted, every variant that it may run. What is found
/// on a GPU is kept for those who train on it.
///
/// # Errors
/// When the device cannot be opened. One that refuses a call, or is lost on the way, is wrong.
pub fn verify(
    device: &Listed,
    options: DeviceOptions,
    wanted: &[Subject],
    progress: Progress,
) -> Result<Findings> {
    let begun = Instant::now();
    let planted = options.gpu.planted_fault.map(|fault| fault.to_string());
    let mut findings = Findings::new(device.description.clone(), planted);
    match &device.adapter {
        None => {
            let backend = device.open(options)?;
            let mut groups = of_any(backend.as_ref(), None);
            groups.push(trainings(backend.as_ref(), Subject::PlainTraining, training::unfused));
            run(groups, wanted, &mut findings, progress)?;
        }
        Some(adapter) => {
            let own = GpuOptions {
                planted_fault: options.gpu.planted_fault,
                checked_shaders: options.gpu.checked_shaders,
                whole_steps: Some(WholeSteps::Never),
                ..GpuOptions::default()
            };
            let backend = GpuBackend::new(adapter, own)?;
            backend.keep_pipelines();
            verify_gpu(&backend, own, wanted, &mut findings, progress)?;
            backend.verified().keep(wanted, findings.wrong());
        }
    }
    findings.sort();
    findings.seconds = begun.elapsed().as_secs_f64();
    Ok(findings)
}

fn scenes<'a>(
    name: &str,
    backend: &'a dyn Backend,
    gpu: Option<&'a GpuBackend>,
    list: impl Fn() -> Result<Vec<Held>> + 'static,
) -> Group<'a> {
    Group { name: name.to_owned(), backend, gpu, cases: Cases::Scenes(Box::new(list)) }
}

fn trainings(
    backend: &dyn Backend,
    subject: Subject,
    list: impl Fn() -> Result<Vec<Training>> + 'static,
) -> Group<'_> {
    let cases = Cases::Trainings(subject, Box::new(list));
    Group { name: subject.name().replace('_', " "), backend, gpu: None, cases }
}

/// What every backend is put through.
fn of_any<'a>(backend: &'a dyn Backend, gpu: Option<&'a GpuBackend>) -> Vec<Group<'a>> {
    let of = |name: &str, list: fn() -> Result<Vec<Held>>| scenes(name, backend, gpu, list);
    vec![
        of("steps of all sizes", scenes::sizes),
        of("deep networks", scenes::deep),
        of("activations", scenes::activations),
        of("normalisations and residuals", scenes::apart),
        of("losses", scenes::losses),
        of("optimizers", scenes::optimizers),
        of("clipping, averages, muon", scenes::updates),
        of("products of hostile numbers", scenes::hostile_products),
        of("hostile numbers", scenes::hostile),
        Group {
            name: "numbers that are not finite".to_owned(),
            backend,
            gpu,
            cases: Cases::Finiteness,
        },
        trainings(backend, Subject::PlainTraining, training::plain),
    ]
}

fn verify_gpu(
    backend: &GpuBackend,
    own: GpuOptions,
    wanted: &[Subject],
    findings: &mut Findings,
    progress: Progress,
) -> Result<()> {
    let capacity = backend.capacity();
    // What it would never run.
    let runs = |subject: &&Subject| match subject {
        Subject::Kernel(Kernel::Update) | Subject::FusedTraining | Subject::WholeSteps => {
            capacity.fuses
        }
        Subject::Kernel(Kernel::PartialGradients) | Subject::SplitTraining => {
            capacity.fuses && capacity.splits
        }
        _ => true,
    };
    let wanted: Vec<Subject> = wanted.iter().filter(runs).copied().collect();
    let of_tile = |tile: Tile| backend.variant(GpuOptions { tile: Some(tile), ..own });
    let tiles: Vec<(Tile, GpuBackend)> =
        backend.usable_tiles().into_iter().map(|tile| (tile, of_tile(tile))).collect();
    let whole = backend.variant(GpuOptions { whole_steps: Some(WholeSteps::Always), ..own });

    let mut groups = Vec::new();
    for (tile, backend) in &tiles {
        let (tile, gpu) = (*tile, Some(backend));
        // An adapter that compiles some tiles for seconds.
        let of_software = matches!(tile.kind, Kind::Direct { .. });
        let name = |what: &str| format!("{what} by {tile}");
        groups.push(scenes(&name("products"), backend, gpu, scenes::products_of_tiles));
        groups.push(scenes(&name("hostile products"), backend, gpu, scenes::hostile_products));
        groups.push(scenes(&name("updates"), backend, gpu, move || {
            let updates = scenes::updates_of_tiles()?.into_iter();
            Ok(updates.filter(|(_, any)| *any || !of_software).map(|(held, _)| held).collect())
        }));
        if capacity.halves {
            let list =
                if of_software { scenes::halves_of_tiles_once } else { scenes::halves_of_tiles };
            groups.push(scenes(&name("f16"), backend, gpu, list));
        }
    }
    let of =
        |name: &str, list: fn() -> Result<Vec<Held>>| scenes(name, backend, Some(backend), list);
    groups.extend(of_any(backend, Some(backend)));
    if capacity.halves {
        groups.push(of("products in f16", scenes::halves_of_tiles));
        groups.push(of("everything else in f16", scenes::halves));
    }
    if capacity.fuses {
        groups.push(of("fused steps", scenes::fused_sizes));
        groups.push(of("optimizers of fused steps", scenes::fused_optimizers));
        groups.push(trainings(backend, Subject::FusedTraining, training::fused));
        groups.push(trainings(&whole, Subject::WholeSteps, training::whole));
    }
    if capacity.splits && capacity.fuses {
        groups.push(of("split steps", scenes::split_sizes));
        groups.push(of("optimizers of split steps", scenes::split_optimizers));
        groups.push(trainings(backend, Subject::SplitTraining, training::split));
    }
    if wanted.contains(&Subject::Kernel(Kernel::OptimizerStep)) {
        groups.push(of("a large arena", scenes::large_arena));
    }
    run(groups, &wanted, findings, progress)?;

    // From which size on is a tile wrong?
    let failing: Vec<Variant> = findings.failing().cloned().collect();
    for variant in failing {
        let tile = variant.tile.as_deref();
        let own = tiles.iter().find(|(own, _)| Some(own.to_string().as_str()) == tile);
        let Some((_, backend)) = own.filter(|_| variant.precision == Precision::F32) else {
            continue;
        };
        let list = match variant.subject.kernel() {
            Some(Kernel::Update) => scenes::fused_sizes,
            Some(Kernel::PartialGradients) => scenes::split_sizes,
            _ => scenes::sizes,
        };
        let group = scenes("the smallest size that is wrong", backend, Some(backend), list);
        run(vec![group], &[variant.subject], findings, progress)?;
    }
    Ok(())
}

/// Runs all groups. What a device refuses is wrong, and the others are run.
fn run(
    groups: Vec<Group>,
    wanted: &[Subject],
    findings: &mut Findings,
    progress: Progress,
) -> Result<()> {
    let is_wanted = |call: &Call| wanted.contains(&Subject::Kernel(call.kernel));
    let count = groups.len();
    for (done, group) in groups.into_iter().enumerate() {
        progress(done, count, &group.name);
        let backend = group.backend;
        match group.cases {
            Cases::Scenes(list) => {
                for held in list()? {
                    hold(&held, backend, group.gpu, &is_wanted, findings);
                }
            }
            Cases::Finiteness => {
                let case = &group.name;
                match finiteness::of_calls(backend, &is_wanted) {
                    Ok(outcomes) => outcomes.iter().for_each(|own| findings.add(case, own)),
                    Err(error) => findings.refuse_training(Subject::PlainTraining, case, &error),
                }
                if wanted.contains(&Subject::PlainTraining) {
                    match finiteness::of_trainings(backend) {
                        Ok(all) => {
                            let subject = Subject::PlainTraining;
                            all.iter().for_each(|own| findings.add_training(subject, case, own));
                        }
                        Err(error) => {
                            findings.refuse_training(Subject::PlainTraining, case, &error);
                        }
                    }
                }
            }
            Cases::Trainings(subject, list) if wanted.contains(&subject) => {
                for training in list()? {
                    let case = &training.own.name;
                    match training.examine(backend) {
                        // What cannot be run whole on this adapter was run fused.
                        Ok(own) if subject == Subject::WholeSteps && !own.was_whole => {}
                        Ok(own) => findings.add_training(subject, case, &own),
                        Err(error) => findings.refuse_training(subject, case, &error),
                    }
                }
            }
            Cases::Trainings(..) => {}
        }
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
