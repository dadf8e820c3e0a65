//! Loss, its gradient and the metrics' terms, a row at a time. Twin of `shaders/loss.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::{Real, Step};
use crate::catalog::loss::RowLoss;
use crate::catalog::metric::Term;
use crate::program::MemberState;

/// The uniform of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Loss {
    /// M.
    pub members: u32,
    /// Outputs of the network.
    pub outputs: u32,
    /// Values a row of `targets`.
    pub targets: u32,
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
}

/// One member's call. `terms` are the metrics' terms with their widths.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn loss<R: Real>(
    call: &Loss,
    step: &Step<R>,
    row_loss: RowLoss<R>,
    terms: &[(Term<R>, usize)],
    logits: &[R],
    targets: &[R],
    delta: &mut [R],
    row_statistics: &mut [R],
    state: &mut MemberState,
) {
    let outputs = call.outputs as usize;
    let target_width = call.targets as usize;
    let share = R::one() / R::of(f64::from(step.settings.rows));
    for row in 0..step.rows() {
        let logits_at = step.member * call.logits_member_stride as usize + row * outputs;
        let targets_at = step.input_row(call.order_stride, row) * target_width;
        let statistics_at =
            step.member * call.statistics_member_stride as usize + row * call.statistics as usize;
        let z = &logits[logits_at..logits_at + outputs];
        let y = &targets[targets_at..targets_at + target_width];

        let gradient =
            if call.training == 1 { &mut delta[logits_at..logits_at + outputs] } else { &mut [] };
        let value = row_loss(z, y, gradient);
        for g in gradient.iter_mut() {
            *g *= share;
        }
        row_statistics[statistics_at] = value;
        let mut at = statistics_at + 1;
        for (term, width) in terms {
            for unit in 0..*width {
                row_statistics[at] = term(z, y, unit);
                at += 1;
            }
        }
        if call.training == 1 && !value.is_finite() {
            state.bad_step = state.bad_step.min(step.settings.step);
        }
    }
}
