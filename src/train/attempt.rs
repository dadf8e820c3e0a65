//! A training as long as no device is lost and nothing diverges.

use super::recovery::{MOST_RESTARTS, Relay, Start};
use super::run::Run;
use super::sets::Sets;
use super::{Observer, Outcome, RunAhead};
use crate::config::{OnDivergence, Settings, TaskSettings};
use crate::error::Result;

/// Trains from a state, or from the beginning, on one device.
///
/// # Errors
/// Those of [`fit`](super::fit), and that the device is lost.
pub(super) fn attempt(
    settings: &Settings,
    task: &TaskSettings,
    sets: &Sets,
    start: Start,
    observer: &mut Relay,
    run_ahead: RunAhead,
) -> Result<Outcome> {
    let Start { backend, from: checkpoint, seconds, stands_in } = start;
    let observes = observer.observes();
    let mut run = Run::of(settings, task, sets, backend, run_ahead, observes)?;
    if let Some(checkpoint) = checkpoint {
        run.restore(checkpoint)?;
    }
    let returns = settings.training.on_divergence == OnDivergence::Restart;
    run.may_restart = returns && run.restarts < MOST_RESTARTS;
    // What was trained in vain took its time too.
    run.seconds = run.seconds.max(seconds);
    let batches = run.train.batches;
    let steps = batches.steps().div_ceil(settings.training.accumulate);
    observer.begin(&run.network, settings.training.epochs, steps)?;
    for warning in run.executor.warnings() {
        observer.warn(warning)?;
    }
    let (steps_per_epoch, epochs) = (steps as u64, settings.training.epochs as u64);
    for warning in settings.schedule.warnings(steps_per_epoch, epochs) {
        observer.warn(&warning)?;
    }
    let by_batch = run
        .network
        .layers
        .iter()
        .any(|layer| layer.shape.normalization.is_some_and(|settings| settings.row.by_column));
    let ends_alone = |member| run.train.batches_of(member).covered() % batches.batch == 1;
    if by_batch && (0..settings.members).any(ends_alone) {
        observer.warn(
            "batch_norm: the last batch of an epoch has one row, whose variance is 0; \
             training.drop_last leaves it out",
        )?;
    }
    if observes && settings.histograms_every > 0 && run.before_last_step.is_none() {
        observer.warn(&format!(
            "a network of {} parameters is not looked into: no histograms, no diagnosis",
            run.network.parameters()
        ))?;
    }
    run.begin_to_observe(backend, checkpoint.is_none(), observer)?;
    if let Some(checkpoint) = checkpoint.filter(|_| !stands_in)
        && checkpoint.state.tiles != run.executor.tiles()
    {
        observer.warn(
            "matrix products are cut up otherwise than before the checkpoint, so the last bits of \
             sums may differ from those of a training without a pause",
        )?;
    }
    run.train(observer)?;
    run.finish()
}
