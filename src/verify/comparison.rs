//! Whether a call did what the f64 reference does, and how far it is off.

use std::fmt;
use std::time::Instant;

use super::tolerance::{Sizes, Tolerance, half_of, sizes_of, tolerance_of};
use super::{Fill, Scene};
use crate::backend::gpu::tile::Product;
use crate::backend::reference::Reference;
use crate::backend::{Backend, Contained};
use crate::error::{Error, Result};
use crate::kernels::Kernel;
use crate::program::{BufferId, Call, Contents, Plan, Precision, Program, ProgramId};

/// The largest errors of some results.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Worst {
    /// In units in the last place of the numbers that a result is made of.
    pub ulp: f64,
    /// As a share of its bound: 1 is the most that is right.
    pub share: f64,
}

impl Worst {
    /// The larger of each.
    pub fn max(self, other: Self) -> Self {
        Self { ulp: self.ulp.max(other.ulp), share: self.share.max(other.share) }
    }
}

/// The unit in the last place of an f32.
fn ulp(size: f64) -> f64 {
    2_f64.powi(size.max(f64::from(f32::MIN_POSITIVE)).log2().floor() as i32 - 23)
}

/// Whether `found` is `wanted` within `tolerance`, and untouched where `wanted` is as it was
/// `before`; the largest error, or the first number that is outside.
///
/// # Errors
/// The first number that is outside its bound, as a text that follows the buffer's name.
pub fn compare_within(
    found: &[f64],
    wanted: &[f64],
    before: &[f64],
    tolerance: &dyn Fn(usize) -> Tolerance,
) -> std::result::Result<Worst, String> {
    if found.len() != wanted.len() || wanted.len() != before.len() {
        return Err(format!("{} elements, but {} are wanted", found.len(), wanted.len()));
    }
    let mut worst = Worst::default();
    for (i, ((f, w), b)) in found.iter().zip(wanted).zip(before).enumerate() {
        let Tolerance { bound, size } = tolerance(i);
        let fits = if f.is_nan() || w.is_nan() {
            f.is_nan() && w.is_nan()
        } else if w.to_bits() == b.to_bits() || w.is_infinite() {
            f == w
        } else {
            let error = (f - w).abs();
            if error > 0.0 {
                worst = worst.max(Worst { ulp: error / ulp(size), share: error / bound });
            }
            // Written so that a bound that is NaN fails.
            error <= bound
        };
        if !fits {
            return Err(format!(
                "[{i}] is {f:e}, but {w:e} is wanted within {bound:e} (it was {b:e})"
            ));
        }
    }
    Ok(worst)
}

/// The same, with bounds alone.
///
/// # Errors
/// The first number that is outside its bound.
pub fn compare(
    found: &[f64],
    wanted: &[f64],
    before: &[f64],
    bound: &dyn Fn(usize) -> f64,
) -> std::result::Result<(), String> {
    let tolerance = |i: usize| Tolerance { bound: bound(i), size: wanted[i].abs() };
    compare_within(found, wanted, before, &tolerance).map(|_| ())
}

/// The size of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSize {
    /// Rows, columns and depth of a matrix product; columns and rows of another call.
    lengths: [u32; 3],
    members: u32,
    is_product: bool,
}

impl CallSize {
    pub(super) fn of(call: &Call) -> Self {
        let [columns, rows, members] = call.extent;
        match Product::of(call) {
            Some(product) => Self {
                lengths: [product.rows, product.columns, product.depth],
                members: product.members,
                is_product: true,
            },
            None => Self { lengths: [rows, columns, 1], members, is_product: false },
        }
    }

    /// How much there is of it.
    pub fn volume(&self) -> u64 {
        let lengths = self.lengths.iter().chain([&self.members]);
        lengths.map(|length| u64::from(*length).max(1)).fold(1, u64::saturating_mul)
    }
}

/// Such as `5x3x17, 2 members` of a product, else `21x5`.
impl fmt::Display for CallSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, columns, depth] = self.lengths;
        match self.is_product {
            true => write!(f, "{rows}x{columns}x{depth}")?,
            false => write!(f, "{rows}x{columns}")?,
        }
        if self.members > 1 { write!(f, ", {} members", self.members) } else { Ok(()) }
    }
}

/// A buffer that is not what it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The buffer.
    pub buffer: String,
    /// What it holds.
    pub contents: Contents,
    /// What is wrong.
    pub text: String,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The kernel.
    pub kernel: Kernel,
    /// What it was called for.
    pub subject: String,
    /// The tile of a matrix product.
    pub tile: Option<String>,
    /// What activations are stored in.
    pub precision: Precision,
    /// How large it was.
    pub size: CallSize,
    /// The largest errors of what is right.
    pub worst: Worst,
    /// The time that it took on the device, with its data's way there and back, and its share of the
    /// pipelines' making.
    pub seconds: f64,
    /// What is not right.
    pub differences: Vec<Difference>,
}

fn run_alone(
    backend: &dyn Backend,
    scene: &Scene,
    call: &Call,
) -> Result<Vec<(BufferId, Contained)>> {
    let mut plan = scene.plan.clone();
    plan.programs = vec![Program { name: "alone".to_owned(), calls: vec![call.clone()] }];
    let mut executor = backend.load(&plan)?;
    scene.upload(executor.as_mut())?;
    executor.run(ProgramId(0), 1)?;
    scene.download(executor.as_mut())
}

/// Runs each call that `which` picks on its own, on the backend and on the reference, from the same
/// contents of all buffers, and compares every buffer afterwards: what the reference leaves alone
/// must be left alone.
///
/// # Errors
/// When the backend refuses a call, or is lost.
pub fn examine(
    backend: &dyn Backend,
    scene: &Scene,
    which: &dyn Fn(&Call) -> bool,
) -> Result<Vec<Outcome>> {
    let mut plan = scene.apart();
    plan.programs.retain(|program| program.calls.iter().all(which));
    if plan.programs.is_empty() {
        return Ok(Vec::new());
    }
    let reference = Reference::<f64>::new();
    let begun = Instant::now();
    let mut under_test = backend.load(&plan)?;
    let loading = begun.elapsed().as_secs_f64() / plan.programs.len() as f64;
    let mut oracle = reference.load(&plan)?;
    let mut outcomes = Vec::with_capacity(plan.programs.len());
    for (i, call) in plan.programs.iter().flat_map(|program| &program.calls).enumerate() {
        let begun = Instant::now();
        scene.upload(under_test.as_mut())?;
        under_test.run(ProgramId(i), 1)?;
        let found = scene.download(under_test.as_mut())?;
        let seconds = loading + begun.elapsed().as_secs_f64();
        scene.upload(oracle.as_mut())?;
        oracle.run(ProgramId(i), 1)?;
        let wanted = scene.download(oracle.as_mut())?;
        let (worst, differences) = compare_all(scene, &plan, call, found, &wanted)?;
        outcomes.push(Outcome {
            kernel: call.kernel,
            subject: call.subject.clone(),
            tile: under_test.form(ProgramId(i), 0).tile,
            precision: call.variants.precision,
            size: CallSize::of(call),
            worst,
            seconds,
            differences,
        });
    }
    Ok(outcomes)
}

/// Compares every buffer after a call.
fn compare_all(
    scene: &Scene,
    plan: &Plan,
    call: &Call,
    found: Vec<(BufferId, Contained)>,
    wanted: &[(BufferId, Contained)],
) -> Result<(Worst, Vec<Difference>)> {
    let kernel = call.kernel;
    let sums = kernel.is_matmul()
        || kernel.is_grouped()
        || matches!(
            kernel,
            Kernel::EmbeddingGradient
                | Kernel::AdapterGradient
                | Kernel::ShareGradients
                | Kernel::FinishStep
        );
    let terms = if sums {
        let (scene, call) = sizes_of(scene, call);
        run_alone(&Reference::<f64>::new(), &scene, &call)?
    } else {
        Vec::new()
    };
    let mut worst = Worst::default();
    let mut differences = Vec::new();
    if found.len() != wanted.len() {
        return Err(Error::internal("a call left other buffers than the reference"));
    }
    for (place, ((id, found), (_, wanted))) in found.into_iter().zip(wanted).enumerate() {
        let spec = &plan.buffers[id.0];
        let compared = match (found, wanted, &scene.fills[id.0]) {
            (Contained::Reals(found), Contained::Reals(wanted), Fill::Reals(before)) => {
                let terms = terms.get(place).map(|(_, terms)| terms.clone().into_reals());
                let terms = terms.unwrap_or_default();
                let sizes = Sizes::of(scene, call);
                let tolerance = tolerance_of(call, id, wanted, &terms, sizes);
                let stored: &dyn Fn(usize) -> Tolerance = match spec.contents {
                    Contents::Halves => &|i| {
                        let Tolerance { bound, size } = tolerance(i);
                        // Of f16's units in the last place.
                        let size = 8192.0 * size;
                        Tolerance { bound: 1.001 * bound + half_of(wanted[i]), size }
                    },
                    _ => &*tolerance,
                };
                compare_within(&found, wanted, before, stored)
            }
            (found, wanted, _) if found == *wanted => Ok(Worst::default()),
            (found, wanted, _) => Err(format!(" is {found:?}, but {wanted:?} is wanted")),
        };
        match compared {
            Ok(own) => worst = worst.max(own),
            Err(text) => differences.push(Difference {
                buffer: spec.name.clone(),
                contents: spec.contents,
                text: format!("{}{text}", spec.name),
            }),
        }
    }
    Ok((worst, differences))
}
