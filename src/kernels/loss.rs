//! Loss, its gradient and the metrics' terms, a row at a time. Twin of `shaders/loss.wgsl`.

use super::{Real, Step};
use crate::catalog::loss::RowLoss;
use crate::catalog::metric::Term;
use crate::program::{MemberState, StepSettings};

uniform! {
    /// The uniform of a call.
    pub struct Loss {
        /// M.
        pub members: u32,
        /// Outputs of the network.
        pub outputs: u32,
        /// Values a row of `targets`: 1 for classes, else one an output.
        pub targets: u32,
        /// Elements between rows of `targets`.
        pub target_stride: u32,
        /// Elements between members in `logits` and `delta`.
        pub logits_member_stride: u32,
        /// Elements between members in `order`.
        pub order_stride: u32,
        /// Values a row of `row_statistics`.
        pub statistics: u32,
        /// Elements between members in `row_statistics`.
        pub statistics_member_stride: u32,
        /// 1: write the gradient and stop at a loss that is not finite.
        pub training: u32,
        /// 1: a row's weight stands behind its targets.
        pub weighted: u32,
        /// Elements between members in `collected`.
        pub collected_member_stride: u32,
        /// The loss's first parameter.
        pub parameter0: f32,
        /// Its second parameter.
        pub parameter1: f32,
        /// Its third parameter.
        pub parameter2: f32,
        /// 1: each member's parameters are in the table of steps.
        pub by_member: u32,
        /// Unused.
        pub spare1: u32,
    }
}

impl Loss {
    /// A member's own parameters; none where all have the same.
    pub fn of_member<R: Real>(&self, settings: &StepSettings<R>) -> Option<[R; 3]> {
        let [first, second, third, _] = settings.loss;
        (self.by_member == 1).then_some([first, second, third])
    }
}

/// What a row's loss and terms are made by.
#[derive(Debug)]
pub struct LossFunctions<'a, R> {
    /// The loss.
    pub row_loss: RowLoss<R>,
    /// Its parameters, where all members have the same.
    pub parameters: [R; 3],
    /// Whether a prediction is the exponential of an output.
    pub exponential: bool,
    /// The metrics' terms with their widths.
    pub terms: &'a [(Term<R>, usize)],
}

impl<R: Real> LossFunctions<'_, R> {
    /// The same with parameters of their own, where there are any.
    pub fn with(&self, parameters: Option<[R; 3]>) -> Self {
        Self { parameters: parameters.unwrap_or(self.parameters), ..*self }
    }

    /// One row: its loss, and the terms into `statistics[1..]`. `gradient` is filled with the
    /// row's share of the step's gradient, unless it is empty.
    pub fn row(
        &self,
        outputs: &[R],
        targets: &[R],
        weight: R,
        share: R,
        gradient: &mut [R],
        statistics: &mut [R],
    ) -> R {
        // A row without weight has no loss, whatever its outputs are.
        let value = if weight == R::zero() {
            gradient.fill(R::zero());
            R::zero()
        } else {
            weight * (self.row_loss)(outputs, targets, gradient, self.parameters)
        };
        let share = share * weight;
        gradient.iter_mut().for_each(|g| *g *= share);
        statistics[0] = value;
        let mut at = 1;
        for (term, width) in self.terms {
            for unit in 0..*width {
                statistics[at] = if self.exponential {
                    let predicted = outputs[unit].exp();
                    term(&[predicted], &targets[unit..=unit], 0)
                } else {
                    term(outputs, targets, unit)
                };
                at += 1;
            }
        }
        value
    }
}

/// One member's call.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn loss<R: Real>(
    call: &Loss,
    step: &Step<R>,
    functions: &LossFunctions<R>,
    logits: &[R],
    targets: &[R],
    delta: &mut [R],
    row_statistics: &mut [R],
    mut collected: Option<&mut [R]>,
    state: &mut MemberState,
) {
    let functions = &functions.with(call.of_member(&step.settings));
    let outputs = call.outputs as usize;
    let width = call.targets as usize;
    if call.training == 1 {
        state.backward = state.cursor;
    }
    for row in 0..step.rows() {
        let logits_at = step.member * call.logits_member_stride as usize + row * outputs;
        let targets_at = step.input_row(call.order_stride, row) * call.target_stride as usize;
        let statistics_at =
            step.member * call.statistics_member_stride as usize + row * call.statistics as usize;
        let z = &logits[logits_at..logits_at + outputs];
        let y = &targets[targets_at..targets_at + width];
        let weight = if call.weighted == 1 { targets[targets_at + width] } else { R::one() };
        let gradient =
            if call.training == 1 { &mut delta[logits_at..logits_at + outputs] } else { &mut [] };
        let statistics = &mut row_statistics[statistics_at..];
        let value = functions.row(z, y, weight, step.settings.share, gradient, statistics);
        if let Some(collected) = collected.as_deref_mut() {
            let at = step.member * call.collected_member_stride as usize
                + (step.settings.position as usize + row) * outputs;
            collected[at..at + outputs].copy_from_slice(z);
        }
        if call.training == 1 && !value.is_finite() {
            state.bad_step = state.bad_step.min(step.settings.step);
        }
    }
}
