//! Scores of outputs, as a network's are scored.

use super::SetScores;
use super::job::{Job, features};
use crate::error::Result;
use crate::train::{DeviceSet, Scores, Tally};

/// What stands where a network would: the outputs of a row by its inputs.
pub(super) type Outputs<'a> = &'a dyn Fn(&[f32], &mut [f64]);

pub(super) fn scores(job: &Job, outputs: Outputs) -> Result<SetScores> {
    job.sets().map(|set| Ok((set.name.clone(), of_set(job, set, outputs)?))).collect()
}

pub(super) fn of_set(job: &Job, set: &DeviceSet, outputs: Outputs) -> Result<Scores> {
    let mut tally = Tally::new(&job.scorer, &job.interpreter, false);
    let mut said = vec![0.0; job.outputs];
    for row in 0..set.rows {
        outputs(features(set, row), &mut said);
        tally.add(&said, set, row);
    }
    tally.scores(set)
}
