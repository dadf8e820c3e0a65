//! Whether a call did what the f64 reference does: bounds for each kernel, and what is outside them.

#![allow(dead_code)] // each test file uses its own part

use wgfit::backend::reference::Reference;
use wgfit::backend::{Backend, Contained};
use wgfit::catalog::activation::ActivationSettings;
use wgfit::kernels::{Kernel, Parameters};
use wgfit::program::{BufferId, Call, Contents, LayerSettings, Program, ProgramId};

use super::{Fill, Scene, U};

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
    call.variants.numbers = call.variants.numbers.map(f64::abs);
    if let Some(activation) = &mut call.variants.activation {
        *activation = ActivationSettings::linear();
    }
    if let Parameters::MatrixProduct(p) = &mut call.parameters {
        (p.of_product, p.of_addend) = (p.of_product.abs(), p.of_addend.abs());
    }
    if let Parameters::DenseForward(p) = &mut call.parameters {
        p.dropout = 0;
    }
    (scene, call)
}

/// How far a number is off that is rounded to the nearest f16.
fn half_of(x: f64) -> f64 {
    x.abs() / 2048.0 + 2_f64.powi(-25)
}

fn run_alone(backend: &dyn Backend, scene: &Scene, call: &Call) -> Vec<(BufferId, Contained)> {
    let mut plan = scene.plan.clone();
    plan.programs = vec![Program { name: "alone".to_owned(), calls: vec![call.clone()] }];
    let mut executor = backend.load(&plan).unwrap();
    scene.upload(executor.as_mut());
    executor.run(ProgramId(0), 1).unwrap();
    scene.download(executor.as_mut())
}

/// What the bounds of a scene's calls depend on.
#[derive(Clone, Copy)]
struct Sizes {
    /// The largest scale of dropout.
    keep: f64,
    /// The most rows.
    rows: usize,
    /// The largest loss scale.
    scale: f64,
}

/// How far each element of a buffer may be off after a call. `sizes` is the buffer after the call
/// of `sizes_of`.
fn bound_of<'a>(
    call: &Call,
    buffer: BufferId,
    wanted: &'a [f64],
    sizes: &'a [f64],
    Sizes { keep, rows, scale }: Sizes,
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
            let share = if delta { scale / (rows as f64 - 2.0).max(1.0) } else { 1.0 };
            // Logits lie in [-1, 1].
            Box::new(move |i| terms * U * (wanted[i].abs() + 4.0 * share))
        }
        Parameters::GradientStatistics(_) => Box::new(move |i| 80.0 * U * wanted[i].abs()),
        Parameters::MatrixProduct(p) => {
            let gamma = gamma(p.depth as usize + 2);
            Box::new(move |i| gamma * sizes[i])
        }
        // Sums over a row or a column of numbers in [-1, 1], of which the differences from their
        // mean are multiplied by a factor below 3.
        Parameters::Normalize(p) => {
            let gamma = gamma(rows.max(p.units as usize));
            Box::new(move |i| 8.0 * gamma * (1.0 + wanted[i].abs()))
        }
        Parameters::NormalizeGradient(p) => {
            let gamma = gamma(rows.max(p.units as usize));
            Box::new(move |i| 8.0 * gamma * (1.0 + wanted[i].abs()))
        }
        Parameters::ScaleGradient(_) => {
            let gamma = gamma(rows);
            Box::new(move |i| 4.0 * gamma * (rows as f64 + wanted[i].abs()))
        }
        Parameters::SlopeGradient(p) => {
            let terms = rows * if p.slopes == 1 { p.units as usize } else { 1 };
            let gamma = gamma(terms);
            Box::new(move |i| 2.0 * gamma * (terms as f64 + wanted[i].abs()))
        }
        Parameters::NormFactors(p) => {
            let gamma = gamma(p.blocks as usize);
            Box::new(move |i| 4.0 * gamma * wanted[i].abs())
        }
        // A row of a few numbers in [-1, 1], or one number at a time.
        Parameters::RowActivation(_)
        | Parameters::RowActivationGradient(_)
        | Parameters::LayerOutput(_)
        | Parameters::LayerGradient(_)
        | Parameters::ClipGradients(_)
        | Parameters::MuonMomentum(_)
        | Parameters::MuonScale(_)
        | Parameters::MaxNorm(_)
        | Parameters::AverageParameters(_) => {
            Box::new(move |i| 80.0 * U * (keep + wanted[i].abs()))
        }
        // Parameters, moments and steps are near 1, and so are the gradients of the parts that it
        // sums; no step is steeper than 4 by its gradient.
        Parameters::OptimizerStep(p) => {
            let more = p.parts(rows as u64) as usize - 1;
            let sums = 4.0 * gamma(more) * more as f64;
            Box::new(move |i| 24.0 * U * (1.0 + wanted[i].abs()) + sums)
        }
        Parameters::PartialGradients(p) => {
            let gamma = gamma(if is("step_log") { rows } else { p.part_rows as usize });
            Box::new(move |i| gamma * sizes[i])
        }
        // As the optimizer's step, of gradients that are sums of products below 1; no step is
        // steeper than 4 by its gradient.
        Parameters::Update(_) => {
            let gamma = gamma(rows);
            if is("step_log") {
                return Box::new(move |i| gamma * sizes[i]);
            }
            let sums = 4.0 * gamma * rows as f64;
            Box::new(move |i| 24.0 * U * (1.0 + wanted[i].abs()) + sums)
        }
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
    let mut scale = 1.0_f64;
    for fill in &scene.fills {
        match fill {
            Fill::Layers(layers) => {
                keep = layers.iter().map(|layer| f64::from(layer.keep_scale)).fold(keep, f64::max);
            }
            Fill::Steps(steps) => {
                rows = steps.iter().map(|step| step.rows as usize).fold(rows, usize::max);
            }
            Fill::Scales(scales) => {
                scale = scales.iter().map(|own| f64::from(own.scale)).fold(scale, f64::max);
            }
            _ => {}
        }
    }
    let all = Sizes { keep, rows, scale };
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
        let sums = call.kernel.is_matmul()
            || call.kernel.is_grouped()
            || call.kernel == Kernel::FinishStep;
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
                    let bound = bound_of(call, id, &wanted, &sizes, all);
                    let stored: &dyn Fn(usize) -> f64 = match plan.buffers[id.0].contents {
                        Contents::Halves => &|i| 1.001 * bound(i) + half_of(wanted[i]),
                        _ => &*bound,
                    };
                    compare(&found, &wanted, before, stored).err()
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
