//! Running ahead: the device begins the next epoch before the host has judged the one that ended,
//! so that it never waits for the host. What the next epoch changed of a member that should have
//! stopped is put back, as if that epoch had never run for it.

use std::time::Duration;

use super::epoch::Epoch;
use super::run::Run;
use crate::error::{Error, Result};
use crate::program::{BufferId, Contents, NONE, Plan};

/// Whether an epoch is queued before the one that precedes it is judged. The outcome is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAhead {
    /// Where the device computes beside the host, while epochs are short.
    WhereItPays,
    /// Never.
    Never,
    /// Whenever nothing of the next epoch depends on the verdict.
    Always,
}

/// An epoch longer than this would tell its scores late, and might be run in vain, to save less
/// than a thousandth of it.
const LONG: Duration = Duration::from_secs(1);

impl RunAhead {
    /// Whether the epoch after one that took so long (none: not known yet) is queued ahead.
    pub(super) fn after(self, took: Option<Duration>) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::WhereItPays => took.is_some_and(|took| took <= LONG),
        }
    }
}

/// A buffer of weights, and where they are kept as the epoch left them that is being judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Snapshot {
    of: BufferId,
    kept: BufferId,
}

impl Snapshot {
    /// Plans a snapshot of that buffer.
    pub(super) fn plan(plan: &mut Plan, of: BufferId) -> Self {
        let spec = &plan.buffers[of.0];
        let (name, words) = (format!("{}.snapshot", spec.name), spec.words as usize);
        Self { of, kept: plan.add(name, Contents::Reals, words) }
    }
}

impl Run<'_> {
    /// Keeps the weights as the epoch leaves them that was queued last.
    pub(super) fn take_snapshots(&mut self) -> Result<()> {
        let length = self.network.members * self.network.stride;
        for snapshot in &self.snapshots {
            self.executor.copy(snapshot.of, snapshot.kept, 0, length)?;
        }
        Ok(())
    }

    /// Where a buffer's weights are as the epoch left them that is being judged.
    pub(super) fn judged(&self, buffer: BufferId) -> BufferId {
        let snapshot = self.snapshots.iter().find(|snapshot| snapshot.of == buffer);
        snapshot.filter(|_| self.is_ahead).map_or(buffer, |snapshot| snapshot.kept)
    }

    /// Copies the weights of the members chosen.
    pub(super) fn copy_members(
        &mut self,
        from: BufferId,
        to: BufferId,
        chosen: impl Fn(usize) -> bool,
    ) -> Result<()> {
        let (members, stride) = (self.network.members, self.network.stride);
        let mut first = 0;
        while first < members && from != to {
            // Neighbours are copied together.
            let run = (first..members).take_while(|member| chosen(*member)).count();
            if run > 0 {
                self.executor.copy(from, to, first * stride, run * stride)?;
            }
            first += run.max(1);
        }
        Ok(())
    }

    /// Puts the weights back of members that the epoch which was judged has ended, while the next
    /// one trained them on.
    pub(super) fn roll_back(&mut self, trained: &[bool]) -> Result<()> {
        if !self.is_ahead {
            return Ok(());
        }
        let ended: Vec<bool> =
            self.states.iter().zip(trained).map(|(s, t)| *t && s.bad_step != NONE).collect();
        self.has_rolled_back = ended.contains(&true);
        for Snapshot { of, kept } in self.snapshots.clone() {
            self.copy_members(kept, of, |member| ended[member])?;
        }
        Ok(())
    }

    /// Puts into a look at the weights, after and before the last step of an epoch, what they are of
    /// members that had ended before it, where the device trained them on by then.
    pub(super) fn look_again(
        &mut self,
        (after, before): &mut (Vec<f64>, Vec<f64>),
        trained: &[bool],
    ) -> Result<()> {
        let stride = self.network.stride;
        let read = self.executor.read(&[(self.parameters, after.len())])?;
        let weights = read.into_iter().next().map(|read| read.into_reals()).unwrap_or_default();
        for (member, weights) in weights.chunks_exact(stride).enumerate() {
            if !trained[member] {
                let own = member * stride..(member + 1) * stride;
                after[own.clone()].copy_from_slice(weights);
                before[own].copy_from_slice(weights);
            }
        }
        Ok(())
    }

    /// Puts one member's weights, and the tables of the training pass, back to what the epoch that
    /// is being judged left.
    pub(super) fn put_back(&mut self, epoch: &Epoch, member: usize) -> Result<()> {
        if !self.is_ahead {
            return Ok(());
        }
        let parameters = self.parameters;
        let kept = self.judged(parameters);
        if kept == parameters {
            return Err(Error::internal("an epoch was run ahead without a snapshot"));
        }
        self.copy_members(kept, parameters, |other| other == member)?;
        let executor = self.executor.as_mut();
        self.train.write_steps(executor, &epoch.table.steps)?;
        self.train.write_orders(executor, epoch.order.held())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_epochs_are_run_ahead_of() {
        let (short, long) = (Some(Duration::from_millis(900)), Some(Duration::from_secs(2)));
        let pays = RunAhead::WhereItPays;
        assert_eq!([None, short, long].map(|took| pays.after(took)), [false, true, false]);
        assert!(RunAhead::Always.after(long) && !RunAhead::Never.after(short));
    }
}
