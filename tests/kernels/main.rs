//! Every kernel of every backend against the f64 reference.

mod halves;
mod members;
mod scenarios;
mod split;
mod tiles;
mod whole_steps;

use wgfit::backend::cpu::CpuBackend;
use wgfit::backend::gpu::{Adapter, GpuBackend, GpuOptions, Tile, adapters};
use wgfit::backend::reference::Reference;
use wgfit::backend::{Backend, Executor};
use wgfit::catalog::activation;
use wgfit::catalog::optimizer::OptimizerForm;
use wgfit::program::{BufferId, Plan, ProgramId};
use wgfit::verify::{Case, Scene, compare, examine, scenes, training};

/// A backend under test.
type Under = Box<dyn Backend>;

fn cpu() -> Vec<Under> {
    vec![Box::new(CpuBackend::with_threads(2).unwrap())]
}

fn reference() -> Vec<Under> {
    vec![Box::new(Reference::<f32>::new())]
}

fn adapter() -> Adapter {
    adapters().into_iter().next().expect(
        "no GPU adapter, not even a software one: `apt-get install mesa-vulkan-drivers` gives \
         lavapipe on Debian and Ubuntu; without a desktop session, set XDG_RUNTIME_DIR to a folder",
    )
}

fn gpu_with(tile: Option<Tile>, checked: bool) -> Under {
    let options = GpuOptions { tile, checked_shaders: Some(checked), ..GpuOptions::default() };
    Box::new(GpuBackend::new(&adapter(), options).unwrap())
}

/// The adapter's own tiles, and one of another class; `tiles.rs` holds all of them.
const TILES: [Option<Tile>; 2] = [None, Some(Tile::shared([64, 64, 16], [4, 4]))];

fn gpu() -> Vec<Under> {
    TILES.into_iter().map(|tile| gpu_with(tile, false)).collect()
}

/// With shaders as they are and checked.
fn gpu_all() -> Vec<Under> {
    [false, true]
        .into_iter()
        .flat_map(|checked| TILES.into_iter().map(move |tile| gpu_with(tile, checked)))
        .collect()
}

/// One of them, for kernels that have no tile.
fn gpu_once() -> Vec<Under> {
    vec![gpu_with(None, false)]
}

use scenarios::*;

macro_rules! for_backends {
    ($($module:ident: $backends:expr, $once:expr, $all:expr;)*) => {
        $(
            mod $module {
                use super::*;

                #[test]
                fn matrix_products_of_all_sizes() {
                    hold_all(&$backends, &scenes::sizes().unwrap());
                }

                #[test]
                fn layers_above_the_first() {
                    hold_all(&$all, &scenes::deep().unwrap());
                }

                #[test]
                fn every_activation() {
                    hold_all(&$backends, &scenes::activations().unwrap());
                }

                #[test]
                fn layers_whose_activation_is_apart() {
                    hold_all(&$backends, &scenes::apart().unwrap());
                }

                #[test]
                fn learned_tables() {
                    hold_all(&$once, &scenes::embeddings().unwrap());
                }

                #[test]
                fn weights_that_heads_share() {
                    hold_all(&$once, &scenes::shared().unwrap());
                }

                #[test]
                fn clipping_averages_and_orthogonalization() {
                    hold_all(&$backends, &scenes::updates().unwrap());
                }

                #[test]
                fn every_loss_and_term() {
                    hold_all(&$once, &scenes::losses().unwrap());
                }

                #[test]
                fn every_optimizer_and_form() {
                    hold_all(&$once, &scenes::optimizers().unwrap());
                }

                #[test]
                fn numbers_that_are_not_finite() {
                    not_finite(&$once);
                }

                #[test]
                fn a_whole_training() {
                    hold_trainings(&$all, &training::plain().unwrap(), false);
                }

                #[test]
                fn numbers_of_all_sizes() {
                    hold_all(&$backends, &scenes::hostile_products().unwrap());
                    hold_all(&$once, &scenes::hostile().unwrap());
                }

                #[test]
                fn dropout_masks() {
                    masks(&$backends);
                }
            }
        )*
    };
}

for_backends! {
    on_the_cpu: cpu(), cpu(), cpu();
    on_the_reference_in_f32: reference(), reference(), reference();
    on_the_gpu: gpu(), gpu_once(), gpu_all();
}

// The CPU backend has a form of its own for whole steps.
#[test]
fn the_fused_update_on_the_reference_in_f32() {
    hold_all(&reference(), &scenes::fused_sizes().unwrap());
    hold_all(&reference(), &scenes::fused_optimizers().unwrap());
}

#[test]
fn the_fused_update_of_all_sizes_on_the_gpu() {
    hold_all(&gpu(), &scenes::fused_sizes().unwrap());
}

#[test]
fn the_fused_update_of_every_optimizer_on_the_gpu() {
    hold_all(&gpu_once(), &scenes::fused_optimizers().unwrap());
}

#[test]
fn a_fused_step_is_a_plain_one_on_the_reference_in_f32() {
    hold_trainings(&reference(), &training::fused().unwrap(), false);
}

#[test]
fn a_fused_step_is_a_plain_one_on_the_gpu() {
    hold_trainings(&gpu_all(), &training::fused().unwrap(), false);
}

#[test]
fn an_arena_past_65535_workgroups_on_the_cpu() {
    hold_all(&cpu(), &scenes::large_arena().unwrap());
}

#[test]
fn an_arena_past_65535_workgroups_on_the_gpu() {
    hold_all(&gpu_once(), &scenes::large_arena().unwrap());
}

/// Products and passes that threads share are the same bits as on one thread.
#[test]
fn the_cpus_numbers_do_not_depend_on_its_threads() {
    let case = Case {
        rows: 130,
        inputs: 300,
        hidden: vec![517, 331],
        activation: "silu",
        dropout: 0.2,
        optimizer: ("adam", OptimizerForm::default()),
        ..Case::default()
    };
    let scene = Scene::new(&case).unwrap();
    let trained = |threads: usize| {
        let backend = CpuBackend::with_threads(threads).unwrap();
        let mut executor = backend.load(&scene.plan).unwrap();
        scene.upload(executor.as_mut()).unwrap();
        executor.run(ProgramId(0), 3).unwrap();
        scene.download(executor.as_mut()).unwrap()
    };
    let wanted = trained(1);
    for threads in [2, 3, 5] {
        assert!(trained(threads) == wanted, "{threads} threads");
    }
}

#[test]
fn the_comparator_rejects_what_it_should() {
    let wanted = [1.0, -2.0, 0.5, 0.0];
    let before = [9.0, 9.0, 9.0, 0.0];
    let bound = |_| 1e-6;
    let check = |found: &[f64]| compare(found, &wanted, &before, &bound);
    check(&wanted).unwrap();
    check(&[1.000_000_5, -2.0, 0.5, 0.0]).unwrap();
    // A planted error; a sign; swapped elements; an output left untouched; one written beyond.
    assert!(check(&[1.000_002, -2.0, 0.5, 0.0]).is_err());
    assert!(check(&[1.0, 2.0, 0.5, 0.0]).is_err());
    assert!(check(&[-2.0, 1.0, 0.5, 0.0]).is_err());
    assert!(check(&before).is_err());
    assert!(check(&[1.0, -2.0, 0.5, 1e-9]).is_err());
    // Lengths, NaN on either side, infinities, a bound that is NaN.
    assert!(check(&wanted[..3]).is_err());
    assert!(check(&[]).is_err());
    assert!(check(&[f64::NAN, -2.0, 0.5, 0.0]).is_err());
    assert!(compare(&[1.0], &[f64::NAN], &[9.0], &bound).is_err());
    compare(&[f64::NAN], &[f64::NAN], &[9.0], &bound).unwrap();
    assert!(compare(&[f64::INFINITY], &[1.0], &[9.0], &bound).is_err());
    assert!(compare(&[1.0], &[f64::INFINITY], &[9.0], &bound).is_err());
    assert!(compare(&[f64::NEG_INFINITY], &[f64::INFINITY], &[9.0], &bound).is_err());
    assert!(compare(&[1.0], &[1.5], &[9.0], &|_| f64::NAN).is_err());
}

/// A backend that is wrong on purpose: the harness must see it.
#[test]
fn the_harness_sees_a_backend_that_is_wrong() {
    struct Wrong(fn(&mut Plan));
    impl Backend for Wrong {
        fn device(&self) -> &wgfit::backend::DeviceDescription {
            static DEVICE: std::sync::OnceLock<wgfit::backend::DeviceDescription> =
                std::sync::OnceLock::new();
            DEVICE.get_or_init(|| Reference::<f32>::new().device().clone())
        }
        fn capacity(&self) -> wgfit::backend::Capacity {
            Reference::<f32>::new().capacity()
        }
        fn load(&self, plan: &Plan) -> wgfit::Result<Box<dyn Executor>> {
            let mut plan = plan.clone();
            (self.0)(&mut plan);
            Reference::<f32>::new().load(&plan)
        }
    }
    fn each(plan: &mut Plan, change: impl Fn(&mut wgfit::kernels::Parameters)) {
        for program in &mut plan.programs {
            program.calls.iter_mut().for_each(|call| change(&mut call.parameters));
        }
    }
    use wgfit::kernels::Parameters as P;
    let scene = Scene::new(&Case { members: 2, ..Case::default() }).unwrap();
    type Mistake = (&'static str, fn(&mut Plan));
    let mistakes: [Mistake; 7] = [
        ("nothing is written", |plan| {
            plan.programs.iter_mut().for_each(|program| program.calls.clear());
        }),
        ("the depth is one less", |plan| {
            each(plan, |p| {
                if let P::InputGradient(p) = p {
                    p.outputs -= 1
                }
            });
        }),
        ("a bias too far", |plan| {
            each(plan, |p| {
                if let P::DenseForward(p) = p {
                    p.bias_offset += 1
                }
            });
        }),
        ("one member", |plan| plan.members = 1),
        ("a column less", |plan| {
            each(plan, |p| {
                if let P::DenseForward(p) = p {
                    p.outputs -= 1
                }
            });
        }),
        ("other activation", |plan| {
            for program in &mut plan.programs {
                for call in &mut program.calls {
                    if let Some(taken) = &mut call.variants.activation {
                        taken.row = activation::find("silu").unwrap();
                    }
                }
            }
        }),
        ("another buffer as input", |plan| {
            for program in &mut plan.programs {
                for call in &mut program.calls {
                    for (name, id) in &mut call.bindings {
                        if *name == "input" {
                            *id = BufferId(0);
                        }
                    }
                }
            }
        }),
    ];
    let is_seen = |mistake| {
        let outcomes = examine(&Wrong(mistake), &scene, &|_| true).unwrap();
        outcomes.iter().any(|outcome| !outcome.differences.is_empty())
    };
    assert!(!is_seen(|_| ()));
    for (name, mistake) in mistakes {
        assert!(is_seen(mistake), "{name}");
    }
}
