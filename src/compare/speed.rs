//! How fast each device trains, in the form that training runs: the very steps that were compared,
//! again and in one go.

use std::sync::Arc;

use super::layout::goes_on;
use super::lockstep::Side;
use super::result::Speed;
use crate::backend::Clock;
use crate::error::Result;

/// Seconds that are measured at least, where the training has so many steps.
const LONG_ENOUGH: f64 = 0.3;

/// Passes of which the quickest counts: what else runs on the machine only adds.
const PASSES: usize = 5;

/// Trains on the steps again, in one go: whether that leaves the same bits as one by one, and how
/// long it takes. `total` is the number of steps that the training has.
///
/// # Errors
/// Those of the device.
pub(super) fn measure(side: &mut Side, steps: u64, total: u64) -> Result<()> {
    let wanted = side.stepper.carried()?;
    let start = Arc::clone(&side.start);
    let first = side.stepper.take_in_one_go(steps, &start)?;
    let is_whole = goes_on(side.stepper.states());
    let found = side.stepper.carried()?;
    let same = same_bits(&found.reals, &wanted.reals) && found.scales == wanted.scales;
    side.run.same_in_one_go = Some(same);
    if !is_whole {
        // A member that has stopped is quick.
        return Ok(());
    }
    let more = (LONG_ENOUGH / first.seconds.max(1e-6) * steps as f64) as u64;
    let longer = more.clamp(steps, total.max(steps));
    let (mut best, mut seconds) = (f64::INFINITY, 0.0);
    for _ in 0..PASSES {
        let pass = side.stepper.take_in_one_go(longer, &start)?;
        if !goes_on(side.stepper.states()) {
            return Ok(());
        }
        best = best.min(pass.seconds / pass.rows as f64);
        seconds += pass.seconds;
        if seconds > 2.0 * LONG_ENOUGH {
            break;
        }
    }
    let program = side.stepper.program()?;
    let members = side.stepper.network().members as f64;
    let rows = side.stepper.batch_rows() as f64 * members;
    let calls = &side.stepper.plan().programs[program.0].calls;
    let costs = calls.iter().map(|call| call.cost(side.stepper.batch_rows() as u64));
    let cost: crate::program::Cost = costs.sum();
    // Of full batches; a last batch that is short counts by its rows.
    let step_seconds = best * rows;
    let host_share = match side.stepper.executor().clock() {
        Clock::Host => None,
        Clock::Timestamps => {
            let device = side.stepper.device_seconds(128)?;
            Some((1.0 - device / step_seconds).clamp(0.0, 1.0))
        }
    };
    side.run.speed = Some(Speed {
        steps_per_second: step_seconds.recip(),
        samples_per_second: best.recip(),
        flops_per_second: cost.flops as f64 / step_seconds,
        bytes_per_second: (cost.bytes_read + cost.bytes_written) as f64 / step_seconds,
        host_share,
    });
    Ok(())
}

fn same_bits(found: &[Vec<f64>], wanted: &[Vec<f64>]) -> bool {
    let bits = |all: &[Vec<f64>]| all.iter().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
    bits(found) == bits(wanted)
}
