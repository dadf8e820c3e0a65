//! Calls of several members at once: of those that are the heads of one network.

use rayon::prelude::*;

use super::memory::{Member, Tables};
use super::work::{JointWork, Operation, Work};
use crate::error::{Error, Result};
use crate::kernels::norm_factors::NormFactors;
use crate::kernels::share_gradients::ShareGradients;
use crate::program::StepSettings;

/// Elements that a thread sums at once.
const PIECE: usize = 1 << 13;

impl Operation {
    /// Runs a call of each network's heads.
    pub(super) fn run_joint(&self, tables: &Tables, members: &mut [Member]) -> Result<()> {
        let Work::Joint(work) = &self.work else { return Ok(()) };
        let heads = match work {
            JointWork::Share { call, .. } => call.heads,
            JointWork::Norm { call, .. } => call.heads,
        };
        members
            .chunks_exact_mut(heads as usize)
            .try_for_each(|heads| self.run_network(work, tables, heads))
    }

    fn run_network(&self, work: &JointWork, tables: &Tables, heads: &mut [Member]) -> Result<()> {
        let stopped = heads.iter().filter(|head| head.has_stopped(self.state)).count();
        let Some(first) = heads.first().filter(|_| stopped < heads.len()) else { return Ok(()) };
        // Heads keep step with each other: the first one's settings are those of all.
        let row = first.states[self.state].cursor as usize * tables.members + first.index;
        let settings = tables.steps[self.steps]
            .get(row)
            .ok_or_else(|| Error::internal("heads ran past their table of steps"))?;
        if stopped == 0 && settings.updates == 0 {
            return Ok(());
        }
        match work {
            JointWork::Share { call, parameters, gradients } => {
                share_gradients(call, *parameters, *gradients, stopped == 0, heads);
            }
            JointWork::Norm { call, partials, groups, factors } => {
                norm_factors(call, [*partials, *factors], &tables.words[*groups], settings, heads);
            }
        }
        Ok(())
    }
}

/// Twin of `kernels::share_gradients`.
fn share_gradients(
    call: &ShareGradients,
    parameters: usize,
    gradients: usize,
    has_gradient: bool,
    heads: &mut [Member],
) {
    let columns = call.columns as usize;
    let rows = (PIECE / columns).max(1);
    let mut sums = vec![0.0; call.length as usize];
    sums.par_chunks_mut(rows * columns).enumerate().for_each(|(piece, sums)| {
        if !has_gradient {
            sums.fill(f32::NAN);
            return;
        }
        for head in &*heads {
            let [weights, own] = [parameters, gradients].map(|id| head.reals[id].as_slice());
            call.add(weights, own, piece * rows, sums);
        }
    });
    let first = call.offset as usize;
    heads.par_iter_mut().for_each(|head| {
        head.reals[gradients][first..first + sums.len()].copy_from_slice(&sums);
    });
}

/// Twin of `kernels::norm_factors`, of heads that have one norm.
fn norm_factors(
    call: &NormFactors,
    [partials, factors]: [usize; 2],
    groups: &[u32],
    settings: &StepSettings<f32>,
    heads: &mut [Member],
) {
    let own: Vec<&[f32]> = heads.iter().map(|head| head.reals[partials].as_slice()).collect();
    let factor = call.factor(call.joint_norm(&own, groups), settings.clip, call.epsilon);
    for head in heads {
        head.reals[factors][0] = factor;
    }
}
