//! A look at the data before training: what would make the scores lie, or the network learn little.
//!
//! | found | how |
//! |---|---|
//! | rows of the validation or test set that are in the training set too | equal encoded inputs |
//! | equal inputs with different targets | the same |
//! | a column that gives the target away | one column alone predicts nearly every row |
//! | constant and nearly constant columns, ids | values of the training rows |
//! | classes and labels with few rows or none, and rare ones | counts |
//! | fewer training rows than inputs | counts |
//! | sets that differ | Kolmogorov and Smirnov's distance, column by column |
//!
//! It is told as [`Finding`]s. Its time is bounded: rows are compared up to 10^8 encoded values, columns
//! are looked at on rows at equal distances, 2 million values in all.

mod classes;
mod columns;
mod duplicates;
mod finding;
mod leaks;
mod sample;
mod shift;

#[cfg(test)]
mod tests;

pub use finding::{Finding, Kind, Severity};

use rayon::prelude::*;

use crate::data::Dataset;
use crate::error::Result;
use sample::{Sample, Sorted};

/// Encoded values of a set that are read of streamed data.
const STREAMED_VALUES: usize = 1 << 20;

/// Looks at the data of a training, the gravest findings first.
///
/// Of data that is streamed a sample is looked at, and no duplicates are looked for.
///
/// # Errors
/// When rows are in a file that cannot be read.
pub fn audit(dataset: &Dataset) -> Result<Vec<Finding>> {
    let sampled =
        if dataset.is_streamed() { Some(dataset.sampled(STREAMED_VALUES)?) } else { None };
    let mut findings = if sampled.is_none() { duplicates::duplicates(dataset) } else { Vec::new() };
    findings.extend(classes::classes(dataset));
    findings.extend(columns::few_rows(dataset));
    let sample = Sample::of(sampled.as_ref().unwrap_or(dataset));
    let looks: Vec<Look> = (0..sample.places.len())
        .into_par_iter()
        .map(|column| {
            let sorted = Sorted::new(&sample, column);
            Look {
                content: columns::content(&sample, &sorted),
                strength: leaks::strength(&sample, &sorted),
                shifts: shift::shifts(&sample, &sorted),
            }
        })
        .collect();
    let contents: Vec<_> = looks.iter().map(|look| look.content).collect();
    findings.extend(columns::columns(&sample, &contents));
    let strengths: Vec<_> = looks.iter().map(|look| look.strength).collect();
    findings.extend(leaks::leaks(&sample, &strengths));
    let shifts: Vec<_> = looks.into_iter().map(|look| look.shifts).collect();
    findings.extend(shift::shifted(&sample, &shifts));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(findings)
}

/// What is found of one column.
struct Look {
    content: columns::Content,
    strength: Option<leaks::Strength>,
    shifts: Vec<shift::Shift>,
}
