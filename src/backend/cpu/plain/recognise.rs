//! Finds plain steps among programs.

use super::super::work::{
    BelowWork, FinishWork, Forward, InputGradientWork, LossWork, Operation, OptimizerWork,
    WeightGradientWork, Work,
};
use super::tile::{PANEL, panels};
use super::weights::{PIECE_PANELS, PIECES};
use super::{Layer, PlainStep};

/// A program's operations, read one after the other.
struct Reader<'a> {
    operations: std::slice::Iter<'a, Operation>,
    steps: usize,
    state: usize,
}

macro_rules! take {
    ($name:ident, $variant:ident, $work:ty) => {
        fn $name(&mut self) -> Option<&'a $work> {
            match &self.next()?.work {
                Work::$variant(work) => Some(work),
                _ => None,
            }
        }
    };
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a Operation> {
        let operation = self.operations.next()?;
        (operation.steps == self.steps && operation.state == self.state).then_some(operation)
    }

    take!(loss, Loss, LossWork);
    take!(weight_gradient, WeightGradient, WeightGradientWork);
    take!(input_gradient, InputGradient, InputGradientWork);
    take!(optimizer, Optimizer, OptimizerWork);
    take!(finish, Finish, FinishWork);
}

/// The step of a program that is one: every layer's product with its activation, the loss, every
/// layer's gradients, the optimizer, and the end of the step, each working on what those before it
/// made. Anything else, or anything between, and there is none.
pub(super) fn recognise(operations: &[Operation]) -> Option<PlainStep> {
    let first = operations.first()?;
    let count = operations.iter().take_while(|op| matches!(op.work, Work::Forward(_))).count();
    let (forward, rest) = operations.split_at(count);
    let mut reader = Reader { operations: forward.iter(), steps: first.steps, state: first.state };
    let mut forwards: Vec<&Forward> = Vec::with_capacity(count);
    while let Some(operation) = reader.next() {
        if let Work::Forward(work) = &operation.work {
            forwards.push(work);
        }
    }
    reader.operations = rest.iter();
    let loss = reader.loss()?;
    let mut backward = Vec::with_capacity(count);
    for index in (0..count).rev() {
        let weights = reader.weight_gradient()?;
        backward.push((weights, if index > 0 { Some(reader.input_gradient()?) } else { None }));
    }
    backward.reverse();
    let optimizer = reader.optimizer()?;
    let finish = reader.finish()?;
    let input = forwards.first()?.input;
    let fits = forwards.len() == count
        && reader.operations.next().is_none()
        && input.order.is_some()
        && input.shared
        && loss.call.training == 1
        && loss.order == input.order
        && loss.logits == forwards[count - 1].output
        && loss.delta == backward[count - 1].0.delta
        && loss.call.outputs == forwards[count - 1].call.outputs
        && loss.row_statistics == finish.row_statistics
        && loss.call.statistics == finish.call.statistics
        && finish.call.partials == 0
        && (0..count).all(|index| layer_fits(index, &forwards, &backward, optimizer));
    if !fits {
        return None;
    }
    let mut first_piece = 0;
    let layers = forwards.iter().enumerate().map(|(index, work)| {
        let call = &work.call;
        let (inputs, units) = (call.inputs as usize, call.outputs as usize);
        // Pieces of about one size, and of a small layer as many as threads can share evenly.
        let most = (panels(inputs) * panels(units) / PIECES).clamp(1, PIECE_PANELS);
        let chunks = panels(inputs).div_ceil(most).max(1);
        let chunk_panels = panels(inputs).div_ceil(chunks).max(1);
        let chunks = panels(inputs).div_ceil(chunk_panels).max(1);
        let layer = Layer {
            inputs,
            units,
            weight_offset: call.weight_offset as usize,
            bias_offset: call.bias_offset as usize,
            activation: work.activation,
            parameters: [call.alpha, call.beta],
            keeps_input: work.pre_activation.is_some() && index + 1 < count,
            drops: call.dropout == 1,
            row: call.layer as usize,
            first_piece,
            chunks,
            chunk_panels,
        };
        first_piece += chunks * panels(units);
        layer
    });
    Some(PlainStep {
        layers: layers.collect(),
        steps: first.steps,
        state: first.state,
        layer_table: forwards[0].layers,
        layer_stride: forwards[0].call.layer_stride as usize,
        rows: loss.call.logits_member_stride as usize / loss.call.outputs.max(1) as usize,
        input,
        loss: loss.clone(),
        optimizer: optimizer.clone(),
        finish: finish.clone(),
    })
}

/// Whether a layer's calls belong together.
fn layer_fits(
    index: usize,
    forwards: &[&Forward],
    backward: &[(&WeightGradientWork, Option<&InputGradientWork>)],
    optimizer: &OptimizerWork,
) -> bool {
    let forward = forwards[index];
    let (weights, down) = backward[index];
    let call = &forward.call;
    let end = optimizer.call.quads as usize * 4;
    let size = call.inputs as usize * call.outputs as usize;
    let own = forward.layers == forwards[0].layers
        && call.layer_stride == forwards[0].call.layer_stride
        && forward.parameters == optimizer.parameters
        && call.parameter_stride as usize == end
        && call.weight_offset as usize + size <= end
        && call.bias_offset as usize + call.outputs as usize <= end
        && weights.gradients == optimizer.gradients
        && weights.input.buffer == forward.input.buffer
        && weights.input.order == forward.input.order
        && weights.call.inputs == call.inputs
        && weights.call.outputs == call.outputs
        && weights.call.weight_offset == call.weight_offset
        && weights.call.bias_offset == call.bias_offset
        && call.inputs as usize <= u32::MAX as usize - PANEL;
    let Some(down) = down else { return own && index == 0 };
    let below = forwards[index - 1];
    let BelowWork::Activated { layers, outputs, pre_activation, .. } = &down.below else {
        return false;
    };
    own && forward.input.buffer == below.output
        && forward.input.order.is_none()
        && call.inputs == below.call.outputs
        && down.delta == weights.delta
        && down.delta_below == backward[index - 1].0.delta
        && down.parameters == forward.parameters
        && down.call.inputs == call.inputs
        && down.call.outputs == call.outputs
        && down.call.weight_offset == call.weight_offset
        && down.call.layer == below.call.layer
        && down.call.layer_stride == below.call.layer_stride
        && (down.call.alpha, down.call.beta) == (below.call.alpha, below.call.beta)
        && *layers == below.layers
        && *outputs == below.output
        && *pre_activation == below.pre_activation
}
