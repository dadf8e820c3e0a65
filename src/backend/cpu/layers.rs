//! Kernels of a layer: a matrix product, and a pass over its result while it is in the cache.

use rayon::prelude::*;

use super::dropout::{Masked, Place, drop_elements, mask_gradient};
use super::memory::{Member, Tables};
use super::product::{Matrix, Output, product};
use super::work::{BelowWork, Forward, Input, InputGradientWork, LossWork, WeightGradientWork};
use crate::kernels::loss::{Loss, LossFunctions};
use crate::program::StepSettings;

/// Elements of a row block: what a pass keeps in the cache, and a thread takes at a time.
const ROW_BLOCK: usize = 8192;

/// Rows of so many elements that make a row block.
fn block_rows(width: usize) -> usize {
    (ROW_BLOCK / width.max(1)).max(1)
}

/// The rows of the order that this batch gathers.
fn order_of<'a>(
    tables: &'a Tables,
    (order, stride): (usize, usize),
    settings: &StepSettings<f32>,
    member: usize,
) -> &'a [u32] {
    let first = member * stride + settings.first_row as usize;
    &tables.words[order][first..first + settings.rows as usize]
}

fn are_consecutive(rows: &[u32]) -> bool {
    rows.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1))
}

/// Brings the batch's rows together, unless they are already.
fn gather(input: &Input, tables: &Tables, settings: &StepSettings<f32>, member: &mut Member) {
    let Some(order) = input.order else { return };
    if member.gathered == Some((input.buffer, order.0)) {
        return;
    }
    let rows = order_of(tables, order, settings, member.index);
    if are_consecutive(rows) {
        return;
    }
    let source = if input.shared {
        tables.reals[input.buffer].values()
    } else {
        &member.reals[input.buffer]
    };
    for (to, row) in member.batch.chunks_exact_mut(input.inputs).zip(rows) {
        let first = *row as usize * input.inputs;
        to.copy_from_slice(&source[first..first + input.inputs]);
    }
    member.gathered = Some((input.buffer, order.0));
}

/// The batch's rows, after `gather`.
fn batch_of<'a>(
    input: &Input,
    tables: &'a Tables,
    settings: &StepSettings<f32>,
    member: &'a Member,
) -> &'a [f32] {
    let length = settings.rows as usize * input.inputs;
    let source = if input.shared {
        tables.reals[input.buffer].values()
    } else {
        &member.reals[input.buffer]
    };
    let Some(order) = input.order else { return &source[..length] };
    if member.gathered == Some((input.buffer, order.0)) {
        return &member.batch[..length];
    }
    let rows = order_of(tables, order, settings, member.index);
    let first = rows.first().map_or(0, |row| *row as usize) * input.inputs;
    &source[first..first + length]
}

/// Twin of `kernels::dense_forward`.
pub(super) fn dense_forward(
    work: &Forward,
    tables: &Tables,
    settings: &StepSettings<f32>,
    member: &mut Member,
) {
    let call = &work.call;
    let (inputs, outputs) = (call.inputs as usize, call.outputs as usize);
    let rows = settings.rows as usize;
    gather(&work.input, tables, settings, member);
    let mut output = std::mem::take(&mut member.reals[work.output]);
    let mut kept = work.pre_activation.map(|id| std::mem::take(&mut member.reals[id]));
    let arena = &member.reals[work.parameters];
    let weights = &arena[call.weight_offset as usize..][..outputs * inputs];
    let biases = &arena[call.bias_offset as usize..][..outputs];
    let batch = batch_of(&work.input, tables, settings, member);
    let y = &mut output[..rows * outputs];
    let layer = &tables.layers[work.layers]
        [member.index * call.layer_stride as usize + call.layer as usize];
    let drops = call.dropout == 1 && layer.drop_below != 0;

    let sums = match &mut kept {
        Some(kept) => &mut kept[..rows * outputs],
        None => &mut *y,
    };
    product(
        Output::row_major(sums, outputs, false),
        [rows, outputs, inputs],
        Matrix::row_major(batch, inputs),
        Matrix::transposed(weights, inputs),
        1.0,
        work.parallel,
    );
    let length = block_rows(outputs) * outputs;
    let add_biases = |z: &mut [f32]| {
        for row in z.chunks_exact_mut(outputs) {
            for (z, bias) in row.iter_mut().zip(biases) {
                *z += bias;
            }
        }
    };
    let activate = |first: usize, y: &mut [f32]| {
        (work.activation.act_slice)(y, [call.alpha, call.beta]);
        if drops {
            drop_elements(y, Place { layer, batch: settings.batch, first });
        }
    };
    let plain = |(block, y): (usize, &mut [f32])| {
        add_biases(y);
        activate(block * length, y);
    };
    let keeping = |(block, (y, z)): (usize, (&mut [f32], &mut [f32]))| {
        add_biases(z);
        y.copy_from_slice(z);
        activate(block * length, y);
    };
    match (&mut kept, work.parallel) {
        (None, false) => y.chunks_mut(length).enumerate().for_each(plain),
        (None, true) => y.par_chunks_mut(length).enumerate().for_each(plain),
        (Some(z), false) => {
            let z = z[..rows * outputs].chunks_mut(length);
            y.chunks_mut(length).zip(z).enumerate().for_each(keeping);
        }
        (Some(z), true) => {
            let z = z[..rows * outputs].par_chunks_mut(length);
            y.par_chunks_mut(length).zip(z).enumerate().for_each(keeping);
        }
    }

    member.reals[work.output] = output;
    if let (Some(id), Some(kept)) = (work.pre_activation, kept) {
        member.reals[id] = kept;
    }
}

/// Twin of `kernels::weight_gradient`.
pub(super) fn weight_gradient(
    work: &WeightGradientWork,
    tables: &Tables,
    settings: &StepSettings<f32>,
    member: &mut Member,
) {
    let call = &work.call;
    let (inputs, outputs) = (call.inputs as usize, call.outputs as usize);
    let rows = settings.rows as usize;
    gather(&work.input, tables, settings, member);
    let mut gradients = std::mem::take(&mut member.reals[work.gradients]);
    let batch = batch_of(&work.input, tables, settings, member);
    let delta = &member.reals[work.delta][..rows * outputs];
    let adds = settings.accumulates == 1;
    let weights = &mut gradients[call.weight_offset as usize..][..outputs * inputs];
    product(
        Output::row_major(weights, inputs, adds),
        [outputs, inputs, rows],
        Matrix::transposed(delta, outputs),
        Matrix::row_major(batch, inputs),
        1.0,
        work.parallel,
    );
    let biases = &mut gradients[call.bias_offset as usize..][..outputs];
    if !adds {
        biases.fill(0.0);
    }
    for row in delta.chunks_exact(outputs) {
        for (sum, d) in biases.iter_mut().zip(row) {
            *sum += d;
        }
    }
    member.reals[work.gradients] = gradients;
}

/// Twin of `kernels::input_gradient`.
pub(super) fn input_gradient(
    work: &InputGradientWork,
    tables: &Tables,
    settings: &StepSettings<f32>,
    member: &mut Member,
) {
    let call = &work.call;
    let (inputs, outputs) = (call.inputs as usize, call.outputs as usize);
    let rows = settings.rows as usize;
    let length = rows * inputs;
    let mut result = std::mem::take(&mut member.reals[work.delta_below]);
    let d = &mut result[..length];
    let round = match work.below {
        BelowWork::Plain { residual_gradient: Some(id) } => Some(&member.reals[id][..length]),
        _ => None,
    };
    if let Some(round) = round {
        d.copy_from_slice(round);
    }
    product(
        Output::row_major(d, inputs, round.is_some()),
        [rows, inputs, outputs],
        Matrix::row_major(&member.reals[work.delta][..rows * outputs], outputs),
        Matrix::row_major(
            &member.reals[work.parameters][call.weight_offset as usize..][..outputs * inputs],
            inputs,
        ),
        1.0,
        work.parallel,
    );
    if let BelowWork::Activated { activation, layers, outputs, pre_activation } = &work.below {
        let layer = &tables.layers[*layers]
            [member.index * call.layer_stride as usize + call.layer as usize];
        let below = &member.reals[*outputs][..length];
        let kept = pre_activation.map(|id| &member.reals[id][..length]);
        let block = block_rows(inputs) * inputs;
        let p = [call.alpha, call.beta];
        let each = |(at, d): (usize, &mut [f32])| {
            let first = at * block;
            let y = &below[first..first + d.len()];
            let x = kept.map_or(&[][..], |kept| &kept[first..first + d.len()]);
            if layer.drop_below == 0 {
                (activation.act_grad_slice)(d, x, y, p);
            } else {
                let masked = Masked { activation, parameters: p, d, x, y };
                mask_gradient(masked, Place { layer, batch: settings.batch, first });
            }
        };
        if work.parallel {
            d.par_chunks_mut(block).enumerate().for_each(each);
        } else {
            d.chunks_mut(block).enumerate().for_each(each);
        }
    }
    member.reals[work.delta_below] = result;
}

/// The parameters of a member's loss.
pub(super) fn parameters_of(call: &Loss, settings: &StepSettings<f32>) -> [f32; 3] {
    let common = [call.parameter0, call.parameter1, call.parameter2];
    call.of_member(settings).unwrap_or(common)
}

/// Twin of `kernels::loss`.
pub(super) fn loss(
    work: &LossWork,
    state: usize,
    tables: &Tables,
    settings: &StepSettings<f32>,
    member: &mut Member,
) {
    let call = &work.call;
    let rows = settings.rows as usize;
    let (outputs, width) = (call.outputs as usize, call.targets as usize);
    let statistics = call.statistics as usize;
    let trains = call.training == 1;
    let order = work.order.map(|order| order_of(tables, order, settings, member.index));
    let mut delta = if trains { std::mem::take(&mut member.reals[work.delta]) } else { Vec::new() };
    let mut rows_of_statistics = std::mem::take(&mut member.reals[work.row_statistics]);
    if let Some(id) = work.collected {
        let mut collected = std::mem::take(&mut member.reals[id]);
        let logits = &member.reals[work.logits][..rows * outputs];
        collected[settings.position as usize * outputs..][..rows * outputs].copy_from_slice(logits);
        member.reals[id] = collected;
    }
    let logits = &member.reals[work.logits][..rows * outputs];
    let targets = tables.reals[work.targets].values();
    let functions = LossFunctions {
        row_loss: work.settings.row.single,
        parameters: parameters_of(call, settings),
        exponential: work.settings.predicts_exponentials(),
        terms: &work.terms,
    };

    let one = |row: usize, delta: &mut [f32], statistics: &mut [f32]| {
        let place = order.map_or(row, |order| order[row] as usize) * call.target_stride as usize;
        let z = &logits[row * outputs..(row + 1) * outputs];
        let y = &targets[place..place + width];
        let weight = if call.weighted == 1 { targets[place + width] } else { 1.0 };
        functions.row(z, y, weight, settings.share, delta, statistics);
    };
    let taken = &mut rows_of_statistics[..rows * statistics];
    let deltas = if trains { &mut delta[..rows * outputs] } else { &mut [] };
    if !trains {
        let each = |(row, statistics): (usize, &mut [f32])| one(row, &mut [], statistics);
        if work.parallel {
            taken.par_chunks_mut(statistics).with_min_len(64).enumerate().for_each(each);
        } else {
            taken.chunks_mut(statistics).enumerate().for_each(each);
        }
    } else {
        let each = |(row, (d, s)): (usize, (&mut [f32], &mut [f32]))| one(row, d, s);
        if work.parallel {
            let rows = deltas.par_chunks_mut(outputs).zip(taken.par_chunks_mut(statistics));
            rows.with_min_len(64).enumerate().for_each(each);
        } else {
            deltas.chunks_mut(outputs).zip(taken.chunks_mut(statistics)).enumerate().for_each(each);
        }
        if taken.chunks(statistics).any(|row| !row[0].is_finite()) {
            let known = &mut member.states[state].bad_step;
            *known = (*known).min(settings.step);
        }
        member.reals[work.delta] = delta;
        member.states[state].backward = member.states[state].cursor;
    }
    member.reals[work.row_statistics] = rows_of_statistics;
}
