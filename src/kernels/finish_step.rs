//! Sums the batch's row statistics into the step's row of the log, and moves the member on to its
//! next step. Twin of `shaders/finish_step.wgsl`.

use super::{Real, Step};
use crate::program::{MemberState, NONE};

uniform! {
    /// The uniform of a call.
    pub struct FinishStep {
        /// M.
        pub members: u32,
        /// Values a row of `row_statistics`.
        pub statistics: u32,
        /// Elements between members in `row_statistics`.
        pub statistics_member_stride: u32,
        /// Pairs a member of `partials`; 0: none are kept.
        pub partials: u32,
        /// Values a step and member of `step_log`.
        pub log_width: u32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
        /// Unused.
        pub spare2: u32,
    }
}

/// Sums each statistic over the rows of a member's batch.
pub(super) fn sum_statistics<R: Real>(row_statistics: &[R], rows: usize, log: &mut [R]) {
    let width = log.len();
    for (statistic, total) in log.iter_mut().enumerate() {
        *total = (0..rows).map(|row| row_statistics[row * width + statistic]).sum();
    }
}

/// One member's call.
pub fn finish_step<R: Real>(
    call: &FinishStep,
    step: &Step<R>,
    row_statistics: &[R],
    partials: &[R],
    step_log: &mut [R],
    state: &mut MemberState,
) {
    let statistics = call.statistics as usize;
    let log_at =
        (state.cursor as usize * call.members as usize + step.member) * call.log_width as usize;
    let first = step.member * call.statistics_member_stride as usize;
    let log = &mut step_log[log_at..log_at + statistics];
    sum_statistics(&row_statistics[first..], step.rows(), log);
    if call.partials > 0 {
        let count = call.partials as usize;
        let mine = &partials[step.member * count * 2..(step.member + 1) * count * 2];
        step_log[log_at + statistics] = mine.iter().step_by(2).copied().sum();
        step_log[log_at + statistics + 1] = mine.iter().skip(1).step_by(2).copied().sum();
    }
    if state.bad_step == NONE {
        if state.bad_element == NONE {
            state.cursor += 1;
        } else {
            state.bad_step = step.settings.step;
        }
    }
}
