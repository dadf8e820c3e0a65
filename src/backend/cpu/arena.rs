//! Kernels over the flat arena: blocks of 64 parameters, which share one row of settings.

use rayon::prelude::*;

use super::memory::Member;
use super::work::{OptimizerWork, StatisticsWork};
use crate::kernels::gradient_statistics::BLOCK;
use crate::kernels::optimizer_step::BLOCK_SETTINGS;
use crate::program::StepSettings;

/// Blocks that one thread takes at a time.
const CHUNK: usize = 128;

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
        let (block_settings, later_settings) =
            self.block_settings.split_at(blocks * BLOCK_SETTINGS);
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

/// One step over parameters that share a row of settings; whether all gradients and all weights are
/// finite. Penalties are added to `steps`, which hold the gradients.
pub(super) fn step_slice(
    weights: &mut [f32],
    steps: &mut [f32],
    moments: [&mut [f32]; 3],
    row: &[f32; BLOCK_SETTINGS],
    work: &OptimizerWork,
    settings: &StepSettings<f32>,
) -> bool {
    let [l1, l2, decay_factor, rate_factor, direct, ..] = *row;
    let learning_rate = settings.learning_rate * rate_factor;
    let decay = learning_rate * settings.weight_decay * decay_factor;
    let arch = pulp::Arch::new();
    if work.call.penalties == 1 && (l1 != 0.0 || l2 != 0.0) {
        arch.dispatch(
            #[inline(always)]
            || {
                for (g, w) in steps.iter_mut().zip(&*weights) {
                    *g += l1 * sign_of(*w) + l2 * w;
                }
            },
        );
    }
    if decay != 0.0 {
        arch.dispatch(
            #[inline(always)]
            || weights.iter_mut().for_each(|w| *w -= decay * *w),
        );
    }
    if direct == 0.0 {
        (work.step)(weights, steps, moments, settings, learning_rate, work.form);
    } else {
        weights.iter_mut().zip(&*steps).for_each(|(w, g)| *w -= learning_rate * g);
    }
    arch.dispatch(
        #[inline(always)]
        || {
            // All bits of the exponent: an infinity or NaN, told without a branch.
            let off = |x: &f32| u32::from(x.to_bits() & 0x7f80_0000 == 0x7f80_0000);
            let bad = steps.iter().zip(&*weights).fold(0, |bad, (g, w)| bad | off(g) | off(w));
            bad == 0
        },
    )
}

/// Blocks of one row of settings that are stepped over at once.
const RUN: usize = 16;

/// Steps over some blocks; the first element that is not finite.
fn step_blocks(
    slices: Slices,
    work: &OptimizerWork,
    settings: &StepSettings<f32>,
) -> Option<usize> {
    let Slices { gradients, block_settings, parameters, moments: [m0, m1, m2] } = slices;
    let rows = block_settings.as_chunks::<BLOCK_SETTINGS>().0;
    let mut bad = None;
    let mut first = 0;
    while first < rows.len() {
        let row = rows[first];
        let run = rows[first..].iter().take(RUN).take_while(|other| **other == row).count().max(1);
        let range = first * BLOCK..(first + run) * BLOCK;
        let mut steps = [0.0; RUN * BLOCK];
        let steps = &mut steps[..run * BLOCK];
        steps.copy_from_slice(&gradients[range.clone()]);
        let weights = &mut parameters[range.clone()];
        let moments = [&mut *m0, &mut *m1, &mut *m2]
            .map(|moment| moment.get_mut(range.clone()).unwrap_or(&mut []));
        let finite = step_slice(weights, steps, moments, &row, work, settings);
        if !finite && bad.is_none() {
            let is_bad = |i: &usize| !steps[*i].is_finite() || !weights[*i].is_finite();
            bad = (0..weights.len()).find(is_bad).map(|i| range.start + i);
        }
        first += run;
    }
    bad
}

/// Halves the blocks until a thread has few enough; the first bad element does not depend on how.
fn share(slices: Slices, work: &OptimizerWork, settings: &StepSettings<f32>) -> Option<usize> {
    let blocks = slices.blocks();
    if blocks <= CHUNK {
        return step_blocks(slices, work, settings);
    }
    let half = blocks / 2;
    let (left, right) = slices.split_at(half);
    let (left, right) =
        rayon::join(|| share(left, work, settings), || share(right, work, settings));
    left.or(right.map(|element| half * BLOCK + element))
}

/// Twin of `kernels::optimizer_step`.
pub(super) fn optimizer_step(
    work: &OptimizerWork,
    state: usize,
    settings: &StepSettings<f32>,
    member: &mut Member,
) {
    if settings.updates == 0 {
        return;
    }
    let length = work.call.quads as usize * 4;
    let mut parameters = std::mem::take(&mut member.reals[work.parameters]);
    let mut moments = work
        .moments
        .map(|id| id.map(|id| std::mem::take(&mut member.reals[id])).unwrap_or_default());
    let slices = Slices {
        gradients: &member.reals[work.gradients][..length],
        block_settings: &member.reals[work.block_settings][..length / BLOCK * BLOCK_SETTINGS],
        parameters: &mut parameters[..length],
        moments: moments.each_mut().map(|moment| {
            let kept = length.min(moment.len());
            &mut moment[..kept]
        }),
    };
    let bad = if work.parallel {
        share(slices, work, settings)
    } else {
        step_blocks(slices, work, settings)
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

fn block_statistics(
    weights: &[f32; BLOCK],
    gradients: &[f32; BLOCK],
    row: &[f32; BLOCK_SETTINGS],
) -> [f32; 2] {
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
    let rows = &member.reals[work.block_settings].as_chunks::<BLOCK_SETTINGS>().0[..blocks];
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
