//! What happens when a member meets a number that is not finite, and where it was first.

use super::Observer;
use super::epoch::Epoch;
use super::run::{Run, STOPPED_BY_HOST};
use crate::error::{Error, Result};
use crate::program::{MemberState, NONE, PAST_F16};

impl Run<'_> {
    /// Looks at the members' states after an epoch. One of several that met a number that is not
    /// finite is left standing, with a warning; it is an error when that leaves none.
    pub(super) fn check_finite(
        &mut self,
        epoch: &Epoch,
        trained: &[bool],
        observer: &mut dyn Observer,
    ) -> Result<()> {
        for (member, trained) in trained.iter().enumerate() {
            let state = self.states[member];
            let diverged = state.bad_step != NONE && state.bad_step != STOPPED_BY_HOST;
            if !trained || !diverged {
                continue;
            }
            let several = self.network.members > 1;
            if member != self.speaker(member) {
                continue;
            }
            let error = Error::Diverged {
                epoch: epoch.number,
                step: u64::from(state.bad_step),
                member: several.then_some(member),
                problem: self.first_not_finite(epoch, member, state)?,
                help: "lower optimizer.learning_rate, scale the data (data.scaling), or use a \
                       gentler init"
                    .to_owned(),
            };
            // Where heads are all of one network, it is the training's end, and told then.
            if several && self.network.heads < self.network.members {
                observer.warn(&error.to_string())?;
            }
            self.failure = Some(error);
        }
        let all = |test: &dyn Fn(&MemberState) -> bool| self.states.iter().all(test);
        if !all(&|state| state.bad_step != NONE && state.bad_step != STOPPED_BY_HOST) {
            // Somebody still trains, or has trained to its end.
            self.failure = None;
            return Ok(());
        }
        // Weights that were kept are work done: they are saved before the error is told.
        if !self.may_restart && self.keeps_best() && self.best_epoch.iter().any(|epoch| *epoch > 0)
        {
            return Ok(());
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Of the heads of one network, which stop together, the first whose own loss was not finite: the
    /// others have no gradient for its sake.
    fn speaker(&self, member: usize) -> usize {
        let first = member - member % self.network.heads;
        let mut heads = first..first + self.network.heads;
        heads.find(|head| self.states[*head].bad_element == NONE).unwrap_or(first)
    }

    /// Whether the weights of the best epoch are put back at the end.
    pub(super) fn keeps_best(&self) -> bool {
        self.settings.early_stopping.as_ref().is_some_and(|stopping| stopping.restore_best)
    }

    /// Names the first tensor, in the order of computation, that held such a number.
    fn first_not_finite(
        &mut self,
        epoch: &Epoch,
        member: usize,
        state: MemberState,
    ) -> Result<String> {
        if state.bad_element == PAST_F16 {
            return Ok(
                "the gradient of the activations is past what f16 holds, without any loss scale"
                    .to_owned(),
            );
        }
        if state.bad_element != NONE {
            let name = self
                .network
                .tensor_at(state.bad_element as usize)
                .map_or_else(String::new, |tensor| tensor.name);
            return Ok(format!("the gradient or the update of {name} is not finite"));
        }
        if !self.train.set.is_resident() {
            return Ok("the loss is not finite".to_owned());
        }
        // The weights are still those before the step: run it again and look at each layer.
        self.put_back(epoch, member)?;
        let members = self.network.members;
        let mut states =
            vec![MemberState { bad_step: STOPPED_BY_HOST, ..MemberState::START }; members];
        states[member] = MemberState { cursor: state.cursor, ..MemberState::START };
        self.executor.write_state(self.train.state()?, &states)?;
        self.executor.run_each_call(self.train.program()?)?;
        let batches = self.train.batches_of(member);
        let done = state.cursor as usize * batches.batch;
        let rows = batches.batch.min(batches.rows.saturating_sub(done));
        for (i, layer) in self.network.layers.iter().enumerate() {
            let buffer = self.plan.buffer(&format!("activation.{i}"))?;
            let all = self.plan.buffers[buffer.0].elements();
            let read = self.executor.read(&[(buffer, all)])?;
            let values = read.into_iter().next().map(|read| read.into_reals()).unwrap_or_default();
            let first = member * (all / members);
            let mine = &values[first..first + rows * layer.units];
            if mine.iter().any(|value| !value.is_finite()) {
                return Ok(format!(
                    "the output of layers.{i} ({} units, {}) is not finite",
                    layer.units, layer.shape.activation.row.name
                ));
            }
        }
        Ok("the loss is not finite, though every layer's output is".to_owned())
    }
}
