//! A state cut up by members: that of some of them, put in the place of others, side by side.

use std::ops::Range;

use super::checkpoint::{Checkpoint, TrainingState};
use crate::error::{Error, Result};

impl Checkpoint {
    fn members(&self) -> usize {
        self.state.states.len()
    }

    /// The state of some members, at the end of an epoch of theirs.
    pub(super) fn of_members(&self, members: Range<usize>, epoch: usize) -> Self {
        let all = self.members();
        let mut state = TrainingState { epoch, ..self.state.clone() };
        keep(&mut state.states, &members);
        keep(&mut state.best_epoch, &members);
        keep(&mut state.early_stopping, &members);
        keep(&mut state.plateaus, &members);
        keep(&mut state.loss_scales, &members);
        keep(&mut state.coefficients, &members);
        let arenas = self.arenas.iter().map(|(name, values)| {
            let stride = values.len() / all.max(1);
            (name.clone(), values[members.start * stride..members.end * stride].to_vec())
        });
        Self { arenas: arenas.collect(), state }
    }

    /// Puts the state of members in the place of as many others, from the `first` one on.
    ///
    /// # Errors
    /// Where they have not the same arenas and lists: they are not of such a training.
    pub(super) fn put(&mut self, first: usize, own: &Self) -> Result<()> {
        let (all, count) = (self.members(), own.members());
        let is_alike = self.arenas.keys().eq(own.arenas.keys());
        let mut is_whole = is_alike && first + count <= all;
        for (values, own) in self.arenas.values_mut().zip(own.arenas.values()) {
            let stride = values.len() / all.max(1);
            is_whole = is_whole && own.len() == stride * count;
            if is_whole {
                values[first * stride..][..own.len()].copy_from_slice(own);
            }
        }
        let state = &own.state;
        is_whole = is_whole
            && over(&mut self.state.states, first, &state.states)
            && over(&mut self.state.best_epoch, first, &state.best_epoch)
            && over(&mut self.state.early_stopping, first, &state.early_stopping)
            && over(&mut self.state.plateaus, first, &state.plateaus)
            && over(&mut self.state.loss_scales, first, &state.loss_scales)
            && over(&mut self.state.coefficients, first, &state.coefficients);
        if !is_whole {
            return Err(Error::usage("the state of a trial is not of this training")
                .with_help("begin again with --overwrite"));
        }
        Ok(())
    }

    /// Puts states side by side; none of nothing.
    pub(super) fn side_by_side(parts: &[Self]) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        let mut all = first.clone();
        for part in rest {
            for (name, values) in &mut all.arenas {
                values.extend_from_slice(part.arenas.get(name).map_or(&[], Vec::as_slice));
            }
            let state = &part.state;
            all.state.states.extend_from_slice(&state.states);
            all.state.best_epoch.extend_from_slice(&state.best_epoch);
            all.state.early_stopping.extend_from_slice(&state.early_stopping);
            all.state.plateaus.extend_from_slice(&state.plateaus);
            all.state.loss_scales.extend_from_slice(&state.loss_scales);
            all.state.coefficients.extend_from_slice(&state.coefficients);
        }
        Some(all)
    }
}

/// Keeps some elements of a list; one that is empty stays so.
fn keep<T>(list: &mut Vec<T>, members: &Range<usize>) {
    if !list.is_empty() {
        list.truncate(members.end);
        list.drain(..members.start);
    }
}

/// Writes elements over those of a list, which may both be empty; returns whether they fit.
fn over<T: Clone>(list: &mut [T], first: usize, own: &[T]) -> bool {
    if list.is_empty() {
        return own.is_empty();
    }
    match list.get_mut(first..first + own.len()) {
        Some(place) => {
            place.clone_from_slice(own);
            !own.is_empty()
        }
        None => false,
    }
}
