//! Rows that are there twice: across the sets, and with different targets.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rayon::prelude::*;

use super::finding::{Finding, Kind, Severity, percent};
use super::sample::{class, numbers, sets};
use crate::config::data::Task;
use crate::data::{Dataset, Rows};
use crate::report::count;

/// Encoded values of the training rows that are compared at most.
const MOST_VALUES: usize = 100_000_000;

/// Rows that a finding names.
const EXAMPLES: usize = 5;

/// Shares of the rows from which a finding is a note, and a warning.
const NOTED: f64 = 0.01;
const WARNED: f64 = 0.05;

/// Rows from which it is more than a chance of coarse measurements.
const FEW: usize = 3;

/// The first row of each kind of row, by a hash of its inputs.
type Known = HashMap<u64, u32, BuildHasherDefault<Hashed>>;

/// Keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

/// A hash of a row's inputs, in which 0 and -0 are one.
fn hash(row: &[f32]) -> u64 {
    // FNV-1a's step over words, in four lanes that do not wait for each other.
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, value: f32| {
        let mixed = (hash ^ u64::from((value + 0.0).to_bits())).wrapping_mul(PRIME);
        mixed ^ (mixed >> 29)
    };
    let mut lanes = [1_u64, 2, 3, 4];
    let mut fours = row.chunks_exact(4);
    for four in &mut fours {
        for (lane, value) in lanes.iter_mut().zip(four) {
            *lane = step(*lane, *value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(fours.remainder()) {
        *lane = step(*lane, *value);
    }
    lanes.iter().fold(0, |hash, lane| (hash ^ lane).wrapping_mul(PRIME).rotate_left(23))
}

fn hashes(rows: &Rows, inputs: usize) -> Vec<u64> {
    rows.features.par_chunks_exact(inputs).with_min_len(64).map(hash).collect()
}

pub(super) fn duplicates(dataset: &Dataset) -> Vec<Finding> {
    let inputs = dataset.preprocessing.inputs().max(1);
    let sets = sets(dataset);
    let train = &dataset.train;
    let step = (train.rows.saturating_mul(inputs)).div_ceil(MOST_VALUES).max(1);
    let row = |rows: &'_ Rows, at: usize| -> Vec<f32> {
        rows.features[at * inputs..(at + 1) * inputs].iter().map(|x| x + 0.0).collect()
    };
    let mut known = Known::with_capacity_and_hasher(train.rows / step + 1, Default::default());
    // Of each training row the first one like it.
    let mut first_like: Vec<u32> = Vec::new();
    let all = match step {
        1 => hashes(train, inputs),
        _ => {
            let rows = train.features.par_chunks_exact(inputs * step).with_min_len(64);
            rows.map(|rows| hash(&rows[..inputs])).collect()
        }
    };
    for (at, key) in all.into_iter().enumerate() {
        let at = at as u32;
        let first = *known.entry(key).or_insert(at);
        let alike =
            first == at || row(train, first as usize * step) == row(train, at as usize * step);
        first_like.push(if alike { first } else { at });
    }
    let mut findings: Vec<Finding> = conflicting(dataset, &first_like, step).into_iter().collect();
    let training_numbers = numbers(dataset, "training", train.rows);
    for (set, rows) in sets.into_iter().skip(1) {
        let found: Vec<(usize, usize)> = hashes(rows, inputs)
            .into_iter()
            .enumerate()
            .filter_map(|(at, key)| {
                let first = *known.get(&key)? as usize * step;
                (row(train, first) == row(rows, at)).then_some((at, first))
            })
            .collect();
        if found.is_empty() {
            continue;
        }
        let own_numbers = numbers(dataset, set, rows.rows);
        let share = found.len() as f64 / rows.rows as f64;
        let examples: Vec<String> = found
            .iter()
            .take(EXAMPLES)
            .map(|(at, first)| {
                format!("{} = {}", own_numbers[*at] + 1, training_numbers[*first] + 1)
            })
            .collect();
        let least = if step > 1 { "at least " } else { "" };
        let text = format!(
            "{least}{} of {} {set} rows ({}) {} in training too, input for input: row {}{}",
            count(found.len() as u64),
            count(rows.rows as u64),
            percent(share),
            if found.len() == 1 { "is" } else { "are" },
            examples.join(", "),
            if found.len() > EXAMPLES { ", ..." } else { "" },
        );
        let advice = format!(
            "the {set} scores are better than those on new rows: take them out of the file, or keep \
             rows that belong together in one set"
        );
        findings.push(
            Finding::new(Kind::DuplicateRows, severity(found.len(), share), text, &advice)
                .of_rows(found.iter().take(EXAMPLES).map(|(at, _)| own_numbers[*at] + 1).collect()),
        );
    }
    findings
}

fn severity(rows: usize, share: f64) -> Severity {
    match share {
        _ if rows < FEW => Severity::Info,
        share if share >= WARNED => Severity::Warning,
        share if share >= NOTED => Severity::Note,
        _ => Severity::Info,
    }
}

/// Training rows that are alike but for their targets: nothing can tell them apart.
fn conflicting(dataset: &Dataset, first_like: &[u32], step: usize) -> Option<Finding> {
    let train = &dataset.train;
    let width = train.targets.len() / train.rows.max(1);
    let target = |at: u32| {
        let row = at as usize * step;
        &train.targets[row * width..(row + 1) * width]
    };
    let mut groups: HashMap<u32, Vec<u32>> = HashMap::new();
    for (at, first) in first_like.iter().enumerate() {
        if *first != at as u32 {
            groups.entry(*first).or_insert_with(|| vec![*first]).push(at as u32);
        }
    }
    let looked_at = first_like.len() as f64;
    let mut groups: Vec<Vec<u32>> = groups.into_values().collect();
    groups.retain(|rows| rows.iter().any(|row| target(*row) != target(rows[0])));
    groups.sort_unstable();
    let rows: usize = groups.iter().map(Vec::len).sum();
    let first = groups.first()?;
    let training_numbers = numbers(dataset, "training", train.rows);
    let numbers: Vec<usize> = first
        .iter()
        .filter(|row| **row == first[0] || target(**row) != target(first[0]))
        .take(2)
        .map(|row| training_numbers[*row as usize * step] + 1)
        .collect();
    let (share, limit) = match dataset.preprocessing.task() {
        Task::Classification | Task::Binary => {
            // Of each group the rows of its commonest class can be right.
            let wrong: usize = groups
                .iter()
                .map(|rows| {
                    let mut counts: HashMap<usize, usize> = HashMap::new();
                    rows.iter()
                        .for_each(|row| *counts.entry(class(target(*row))).or_default() += 1);
                    rows.len() - counts.values().max().copied().unwrap_or(0)
                })
                .sum();
            let share = wrong as f64 / looked_at;
            (
                share,
                format!(
                    "no network gets more than {} of the training rows right",
                    percent(1.0 - share)
                ),
            )
        }
        Task::Multilabel => {
            (rows as f64 / looked_at, "no network gets all of them right".to_owned())
        }
        Task::Regression => {
            let share = within(&groups, &target, first_like.len(), width);
            (
                share,
                format!("no network explains more than {} of the variance", percent(1.0 - share)),
            )
        }
    };
    let examples = numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(" and ");
    let text = format!(
        "{} training rows are alike but for their targets, such as rows {examples}: {limit}",
        count(rows as u64)
    );
    let advice = "a column that tells them apart would help";
    Some(
        Finding::new(Kind::ConflictingTargets, severity(rows, share), text, advice)
            .of_rows(numbers),
    )
}

/// The share of the targets' variance that is between rows that are alike; the mean over the targets.
fn within<'a>(
    groups: &[Vec<u32>],
    target: &dyn Fn(u32) -> &'a [f32],
    rows: usize,
    width: usize,
) -> f64 {
    let squares = |rows: &mut dyn Iterator<Item = u32>, at: usize| {
        let (mut count, mut sum, mut square) = (0.0, 0.0, 0.0);
        rows.for_each(|row| {
            let y = f64::from(target(row)[at]);
            (count, sum, square) = (count + 1.0, sum + y, square + y * y);
        });
        square - sum * sum / f64::max(count, 1.0)
    };
    let share = |at: usize| {
        let alike: f64 = groups.iter().map(|group| squares(&mut group.iter().copied(), at)).sum();
        let all = squares(&mut (0..rows as u32), at);
        if all > 0.0 { alike / all } else { 0.0 }
    };
    (0..width).map(share).sum::<f64>() / width.max(1) as f64
}
