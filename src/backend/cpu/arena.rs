//! Kernels over the flat arena: blocks of 64 parameters, which share one row of settings.

use rayon::prelude::*;

use super::compile::{OptimizerWork, StatisticsWork};
use super::memory::Member;
use crate::catalog::optimizer::{OPTIMIZERS, OptStep, OptimizerForm, OptimizerRow};
use crate::kernels::gradient_statistics::BLOCK;
use crate::program::StepSettings;

/// Blocks that one thread takes at a time.
const CHUNK: usize = 128;

/// `(slices, settings) -> the first element that is not finite`.
pub(super) type StepLoop = fn(Slices, &StepSettings<f32>) -> Option<usize>;

/// Some blocks of the arena. A moment that the form does not keep is empty.
#[derive(Debug)]
pub(super) struct Slices<'a> {
    gradients: &'a [f32],
    block_settings: &'a [f32],
    parameters: &'a mut [f32],
    moments: [&'a mut [f32]; 3],
}

impl<'a> Slices<'a> {
    fn blocks(&self) -> usize {
        self.parameters.len() / BLOCK
    }

    fn split_at(self, blocks: usize) -> (Self, Self) {
        let at = blocks * BLOCK;
        let (gradients, later_gradients) = self.gradients.split_at(at);
        let (block_settings, later_settings) = self.block_settings.split_at(blocks * 4);
        let (parameters, later_parameters) = self.parameters.split_at_mut(at);
        let [(a, later_a), (b, later_b), (c, later_c)] =
            self.moments.map(|moment| moment.split_at_mut(at.min(moment.len())));
        (
            Slices { gradients, block_settings, parameters, moments: [a, b, c] },
            Slices {
                gradients: later_gradients,
                block_settings: later_settings,
                parameters: later_parameters,
                moments: [later_a, later_b, later_c],
            },
        )
    }
}

/// A row of the catalogue as a constant, so that its formula is inlined into the loop over the
/// arena rather than called for each parameter.
trait Formula {
    const STEP: OptStep<f32>;
}

struct Row<const INDEX: usize>;

impl<const INDEX: usize> Formula for Row<INDEX> {
    const STEP: OptStep<f32> = OPTIMIZERS[INDEX].single;
}

const fn form(bits: usize) -> OptimizerForm {
    OptimizerForm {
        keras: bits & 1 != 0,
        with_momentum: bits & 2 != 0,
        nesterov: bits & 4 != 0,
        centered: bits & 8 != 0,
    }
}

const fn loops<const INDEX: usize>() -> [StepLoop; 16] {
    [
        step_blocks::<INDEX, 0>,
        step_blocks::<INDEX, 1>,
        step_blocks::<INDEX, 2>,
        step_blocks::<INDEX, 3>,
        step_blocks::<INDEX, 4>,
        step_blocks::<INDEX, 5>,
        step_blocks::<INDEX, 6>,
        step_blocks::<INDEX, 7>,
        step_blocks::<INDEX, 8>,
        step_blocks::<INDEX, 9>,
        step_blocks::<INDEX, 10>,
        step_blocks::<INDEX, 11>,
        step_blocks::<INDEX, 12>,
        step_blocks::<INDEX, 13>,
        step_blocks::<INDEX, 14>,
        step_blocks::<INDEX, 15>,
    ]
}

/// A loop for each row of the catalogue and each form.
static LOOPS: [[StepLoop; 16]; OPTIMIZERS.len()] =
    [loops::<0>(), loops::<1>(), loops::<2>(), loops::<3>()];

/// The loop of an optimizer and its form.
pub(super) fn step_loop(row: &'static OptimizerRow, wanted: OptimizerForm) -> Option<StepLoop> {
    let index = OPTIMIZERS.iter().position(|known| known.name == row.name)?;
    (0..16).find(|bits| form(*bits) == wanted).map(|bits| LOOPS[index][bits])
}

fn step_blocks<const INDEX: usize, const FORM: usize>(
    slices: Slices,
    settings: &StepSettings<f32>,
) -> Option<usize> {
    let Slices { gradients, block_settings, parameters, moments: [m0, m1, m2] } = slices;
    let mut bad = None;
    let mut unused = [[0.0; BLOCK]; 3];
    let [u0, u1, u2] = &mut unused;
    let blocks = parameters.as_chunks_mut::<BLOCK>().0;
    let gradients = gradients.as_chunks::<BLOCK>().0;
    let rows = block_settings.as_chunks::<4>().0;
    let (m0, m1, m2) = (
        m0.as_chunks_mut::<BLOCK>().0,
        m1.as_chunks_mut::<BLOCK>().0,
        m2.as_chunks_mut::<BLOCK>().0,
    );
    for (block, ((weights, gradients), row)) in
        blocks.iter_mut().zip(gradients).zip(rows).enumerate()
    {
        let [l1, l2, decay_factor, rate_factor] = *row;
        let learning_rate = settings.learning_rate * rate_factor;
        let decay = learning_rate * settings.weight_decay * decay_factor;
        let m0 = m0.get_mut(block).unwrap_or(u0);
        let m1 = m1.get_mut(block).unwrap_or(u1);
        let m2 = m2.get_mut(block).unwrap_or(u2);
        let mut steps = [0.0; BLOCK];
        let mut finite = true;
        for i in 0..BLOCK {
            let w = weights[i];
            let g = gradients[i] + l1 * sign_of(w) + l2 * w;
            let kept = [&mut m0[i], &mut m1[i], &mut m2[i]];
            let decayed = w - decay * w;
            let updated =
                Row::<INDEX>::STEP(decayed, g, kept, settings, learning_rate, const { form(FORM) });
            steps[i] = g;
            weights[i] = updated;
            finite &= g.is_finite() & updated.is_finite();
        }
        if !finite && bad.is_none() {
            let is_bad = |i: &usize| !steps[*i].is_finite() || !weights[*i].is_finite();
            bad = (0..BLOCK).find(is_bad).map(|i| block * BLOCK + i);
        }
    }
    bad
}

/// Halves the blocks until a thread has few enough; the first bad element does not depend on how.
fn share(slices: Slices, step_loop: StepLoop, settings: &StepSettings<f32>) -> Option<usize> {
    let blocks = slices.blocks();
    if blocks <= CHUNK {
        return step_loop(slices, settings);
    }
    let half = blocks / 2;
    let (left, right) = slices.split_at(half);
    let (left, right) =
        rayon::join(|| share(left, step_loop, settings), || share(right, step_loop, settings));
    left.or(right.map(|element| half * BLOCK + element))
}

/// Twin of `kernels::optimizer_step`.
pub(super) fn optimizer_step(
    work: &OptimizerWork,
    state: usize,
    settings: &StepSettings<f32>,
    member: &mut Member,
) {
    let length = work.call.quads as usize * 4;
    let mut parameters = std::mem::take(&mut member.reals[work.parameters]);
    let mut moments = work
        .moments
        .map(|id| id.map(|id| std::mem::take(&mut member.reals[id])).unwrap_or_default());
    let slices = Slices {
        gradients: &member.reals[work.gradients][..length],
        block_settings: &member.reals[work.block_settings][..length / BLOCK * 4],
        parameters: &mut parameters[..length],
        moments: moments.each_mut().map(|moment| {
            let kept = length.min(moment.len());
            &mut moment[..kept]
        }),
    };
    let bad = if work.parallel {
        share(slices, work.step_loop, settings)
    } else {
        (work.step_loop)(slices, settings)
    };
    member.reals[work.parameters] = parameters;
    for (id, moment) in work.moments.into_iter().zip(moments) {
        if let Some(id) = id {
            member.reals[id] = moment;
        }
    }
    if let Some(element) = bad {
        let known = &mut member.states[state].bad_element;
        *known = (*known).min(element as u32);
    }
}

/// The sign of `x`, 0 for 0, without a branch: branches keep a loop from being vectorised.
fn sign_of(x: f32) -> f32 {
    f32::from(u8::from(x > 0.0)) - f32::from(u8::from(x < 0.0))
}

/// Lanes of a sum over a block; they are added up in a fixed order.
const LANES: usize = 8;

fn sum(lanes: [f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

fn block_statistics(weights: &[f32; BLOCK], gradients: &[f32; BLOCK], row: &[f32; 4]) -> [f32; 2] {
    let [l1, l2, ..] = *row;
    let mut squares = [0.0; LANES];
    let mut penalties = [0.0; LANES];
    for (weights, gradients) in
        weights.as_chunks::<LANES>().0.iter().zip(gradients.as_chunks::<LANES>().0)
    {
        for lane in 0..LANES {
            let w = weights[lane];
            let g = gradients[lane] + l1 * sign_of(w) + l2 * w;
            squares[lane] += g * g;
            penalties[lane] += l1 * w.abs() + 0.5 * l2 * w * w;
        }
    }
    [sum(squares), sum(penalties)]
}

/// Twin of `kernels::gradient_statistics`.
pub(super) fn gradient_statistics(work: &StatisticsWork, member: &mut Member) {
    let blocks = work.call.blocks as usize;
    let mut partials = std::mem::take(&mut member.reals[work.partials]);
    let weights = &member.reals[work.parameters].as_chunks::<BLOCK>().0[..blocks];
    let gradients = &member.reals[work.gradients].as_chunks::<BLOCK>().0[..blocks];
    let rows = &member.reals[work.block_settings].as_chunks::<4>().0[..blocks];
    let pairs = &mut partials.as_chunks_mut::<2>().0[..blocks];
    let each = |first: usize, pairs: &mut [[f32; 2]]| {
        for (block, pair) in (first..).zip(pairs) {
            *pair = block_statistics(&weights[block], &gradients[block], &rows[block]);
        }
    };
    if work.parallel {
        pairs.par_chunks_mut(CHUNK).enumerate().for_each(|(i, pairs)| each(i * CHUNK, pairs));
    } else {
        each(0, pairs);
    }
    member.reals[work.partials] = partials;
}
