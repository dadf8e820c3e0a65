//! Steps of a program as dispatches.

use super::pipelines::Dispatch;
use super::whole::Whole;

/// Most dispatches of one submit.
const MOST_DISPATCHES: usize = 2048;

/// What of a program is recorded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Recorded<'a> {
    /// Its calls, one by one.
    Calls(&'a [Dispatch]),
    /// Its whole steps.
    Whole(&'a Whole),
}

/// Records a dispatch.
pub(super) fn record(dispatch: &Dispatch, pass: &mut wgpu::ComputePass) {
    pass.set_pipeline(&dispatch.pipeline);
    pass.set_bind_group(0, &dispatch.bind_group, &[]);
    let [x, y, z] = dispatch.workgroups;
    pass.dispatch_workgroups(x, y, z);
}

impl Recorded<'_> {
    /// Records so many steps.
    pub(super) fn record(self, steps: usize, pass: &mut wgpu::ComputePass) {
        let record = |dispatch: &Dispatch| record(dispatch, pass);
        match self {
            Self::Calls(calls) => (0..steps).flat_map(|_| calls).for_each(record),
            Self::Whole(whole) => whole.dispatches(steps).for_each(record),
        }
    }

    /// Dispatches of so many steps.
    pub(super) fn dispatches(self, steps: usize) -> usize {
        match self {
            Self::Calls(calls) => calls.len() * steps,
            Self::Whole(whole) => whole.dispatches(steps).count(),
        }
    }

    /// Most steps of one submit.
    pub(super) fn most_steps(self) -> usize {
        match self {
            Self::Calls(calls) => (MOST_DISPATCHES / calls.len().max(1)).max(1),
            Self::Whole(whole) => whole.most_steps().saturating_mul(2).min(MOST_DISPATCHES),
        }
    }
}
