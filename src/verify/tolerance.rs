//! How far each result of a call may be off: bounds of rounding errors, derived for each kernel.

use super::{Fill, Scene};
use crate::catalog::activation::ActivationSettings;
use crate::kernels::Parameters;
use crate::program::{BufferId, Call, LayerSettings};

/// Unit roundoff of f32.
pub const U: f64 = 1.0 / 16_777_216.0;

/// How far a number may be off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// The largest error that is right.
    pub bound: f64,
    /// The size of the numbers that it is made of.
    pub size: f64,
}

/// What the bounds of a scene's calls depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// The largest scale of dropout.
    keep: f64,
    /// The most rows.
    rows: usize,
    /// The largest loss scale.
    scale: f64,
    /// The largest number of all, 1 at least.
    largest: f64,
    /// The largest logit, 1 at least.
    logit: f64,
}

impl Sizes {
    pub fn of(scene: &Scene, call: &Call) -> Self {
        let mut sizes = Self { keep: 1.0, rows: 1, scale: 1.0, largest: 1.0, logit: 1.0 };
        if let Some(Fill::Reals(values)) = call.buffer("logits").map(|id| &scene.fills[id.0]) {
            sizes.logit = largest(values, sizes.logit);
        }
        for fill in &scene.fills {
            match fill {
                Fill::Layers(layers) => {
                    let scales = layers.iter().map(|layer| f64::from(layer.keep_scale));
                    sizes.keep = scales.fold(sizes.keep, f64::max);
                }
                Fill::Steps(steps) => {
                    let rows = steps.iter().map(|step| step.rows as usize);
                    sizes.rows = rows.fold(sizes.rows, usize::max);
                }
                Fill::Scales(scales) => {
                    let scales = scales.iter().map(|own| f64::from(own.scale));
                    sizes.scale = scales.fold(sizes.scale, f64::max);
                }
                Fill::Reals(values) => {
                    sizes.largest = largest(values, sizes.largest);
                }
                Fill::Words(_) | Fill::State(_) => {}
            }
        }
        sizes
    }
}

/// The largest of some numbers that are finite, or `least`.
fn largest(values: &[f64], least: f64) -> f64 {
    values.iter().filter(|x| x.is_finite()).map(|x| x.abs()).fold(least, f64::max)
}

/// The same call where no term of a sum is negative: what its rounding errors are measured by.
pub(super) fn sizes_of(scene: &Scene, call: &Call) -> (Scene, Call) {
    let mut scene = scene.clone();
    for (spec, fill) in scene.plan.buffers.iter().zip(&mut scene.fills) {
        match fill {
            // Not sizes, but which rows are summed.
            Fill::Reals(_) if spec.name == "codes" => {}
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
pub(super) fn half_of(x: f64) -> f64 {
    x.abs() / 2048.0 + 2_f64.powi(-25)
}

/// How far each element of a buffer may be off after a call. `terms` is the buffer after the call of
/// [`sizes_of`]. An error of a sum of `n` terms is below `n U` of the sum of their sizes, whatever
/// their order (Higham, Accuracy and Stability of Numerical Algorithms, 4.2); with subnormal numbers,
/// which a device may take for 0, by as much as one of them times the largest of all.
pub(super) fn tolerance_of<'a>(
    call: &Call,
    buffer: BufferId,
    wanted: &'a [f64],
    terms: &'a [f64],
    Sizes { keep, rows, scale, largest, logit }: Sizes,
) -> Box<dyn Fn(usize) -> Tolerance + 'a> {
    let gamma = |depth: usize| 1.01 * (depth as f64 + 8.0) * U;
    let flushed = |depth: usize| depth as f64 * 3.0 * f64::from(f32::MIN_POSITIVE) * largest;
    let is = |binding: &str| call.buffer(binding) == Some(buffer);
    // `factor` of each sum's terms.
    let of_terms = |factor: f64, depth: usize| -> Box<dyn Fn(usize) -> Tolerance + 'a> {
        let flushed = flushed(depth);
        Box::new(move |i| {
            let size = terms[i] + flushed / factor;
            Tolerance { bound: factor * size, size }
        })
    };
    // `factor` of a result and of a number that what it is made of is not above.
    let relative = |factor: f64, of: f64| -> Box<dyn Fn(usize) -> Tolerance + 'a> {
        Box::new(move |i| {
            let size = of + wanted[i].abs();
            Tolerance { bound: factor * size, size }
        })
    };
    match call.parameters {
        Parameters::DenseForward(p) => {
            let depth = p.inputs as usize;
            let (gamma, flushed) = (gamma(depth), flushed(depth));
            if is("pre_activation") {
                return of_terms(gamma, depth);
            }
            // No activation is steeper than 1.2; its own error is some ulps of its value, and
            // of 1 where it is a difference.
            Box::new(move |i| {
                let summed = terms[i] + flushed / gamma;
                let own = 64.0 * U * wanted[i].abs() + 4.0 * U * terms[i].min(1.0);
                let bound = match wanted[i] == 0.0 {
                    true => gamma * summed,
                    false => keep * 1.2 * gamma * summed + own,
                };
                Tolerance { bound, size: summed.max(wanted[i].abs()) }
            })
        }
        // A product of three numbers.
        Parameters::AdaptWeights(_) => relative(8.0 * U, 0.0),
        Parameters::AdapterGradient(p) => {
            let depth = p.inputs.max(p.units) as usize;
            of_terms(gamma(depth + 2), depth)
        }
        Parameters::ShareGradients(p) => {
            let depth = p.heads as usize;
            of_terms(gamma(depth + 2), depth)
        }
        Parameters::WeightGradient(_) | Parameters::EmbeddingGradient(_) => {
            of_terms(gamma(rows), rows)
        }
        // Copies, but that a device may take a subnormal number for 0.
        Parameters::Embedding(_) | Parameters::ZeroGradients(_) => Box::new(move |i| {
            let size = wanted[i].abs().max(f64::from(f32::MIN_POSITIVE));
            Tolerance { bound: f64::from(f32::MIN_POSITIVE), size }
        }),
        Parameters::InputGradient(p) => {
            // With outputs in [-1, 1] no derivative is above 2.
            let depth = p.outputs as usize;
            let (gamma, flushed) = (gamma(depth + 32), flushed(depth));
            // What a mask or a flat activation makes of a gradient is 0 exactly.
            let activation = call.variants.activation;
            let is_flat = activation.is_some_and(|activation| activation.row.name != "linear");
            let has_zeros = call.variants.drops || is_flat;
            Box::new(move |i| {
                let summed = terms[i] + flushed / gamma;
                let is_zero = has_zeros && wanted[i] == 0.0;
                let bound = if is_zero { 0.0 } else { keep * 2.0 * gamma * summed };
                Tolerance { bound, size: summed.max(wanted[i].abs()) }
            })
        }
        Parameters::Loss(p) => {
            let delta = is("delta");
            let share = if delta { scale / (rows as f64 - 2.0).max(1.0) } else { 1.0 };
            relative((f64::from(p.outputs) + 32.0) * U, 4.0 * share * logit)
        }
        Parameters::GradientStatistics(_) => relative(80.0 * U, 0.0),
        Parameters::MatrixProduct(p) => of_terms(gamma(p.depth as usize + 2), p.depth as usize),
        // Sums over a row or a column of numbers in [-1, 1], of which the differences from their
        // mean are multiplied by a factor below 3.
        Parameters::Normalize(p) => relative(8.0 * gamma(rows.max(p.units as usize)), 1.0),
        Parameters::NormalizeGradient(p) => relative(8.0 * gamma(rows.max(p.units as usize)), 1.0),
        Parameters::ScaleGradient(_) => relative(4.0 * gamma(rows), rows as f64),
        Parameters::SlopeGradient(p) => {
            let terms = rows * if p.slopes == 1 { p.units as usize } else { 1 };
            relative(2.0 * gamma(terms), terms as f64)
        }
        Parameters::NormFactors(p) => relative(4.0 * gamma((p.blocks * p.heads) as usize), 0.0),
        // A row of a few numbers in [-1, 1], or one number at a time.
        Parameters::RowActivation(_)
        | Parameters::RowActivationGradient(_)
        | Parameters::LayerOutput(_)
        | Parameters::LayerGradient(_)
        | Parameters::ClipGradients(_)
        | Parameters::MuonMomentum(_)
        | Parameters::MuonScale(_)
        | Parameters::MaxNorm(_)
        | Parameters::AverageParameters(_) => relative(80.0 * U, keep),
        // Parameters, moments and steps are near 1, and so are the gradients of the parts that it
        // sums; no step is steeper than 4 by its gradient.
        Parameters::OptimizerStep(p) => {
            let more = p.parts(rows as u64) as usize - 1;
            with_sums(wanted, 4.0 * gamma(more) * more as f64)
        }
        Parameters::PartialGradients(p) => {
            let depth = if is("step_log") { rows } else { p.part_rows as usize };
            of_terms(gamma(depth), depth)
        }
        // As the optimizer's step, of gradients that are sums of products below 1; no step is
        // steeper than 4 by its gradient.
        Parameters::Update(_) => {
            let gamma = gamma(rows);
            match is("step_log") {
                true => of_terms(gamma, rows),
                false => with_sums(wanted, 4.0 * gamma * rows as f64),
            }
        }
        Parameters::FinishStep(p) => {
            let depth = rows.max(p.partials as usize);
            of_terms(gamma(depth), depth)
        }
    }
}

/// The bound of an optimizer's step, with the error of the gradient's sums.
fn with_sums<'a>(wanted: &'a [f64], sums: f64) -> Box<dyn Fn(usize) -> Tolerance + 'a> {
    Box::new(move |i| {
        let size = 1.0 + wanted[i].abs();
        Tolerance { bound: 24.0 * U * size + sums, size }
    })
}
