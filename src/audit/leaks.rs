//! Columns that give the target away: a column that alone predicts nearly every row is more often a
//! consequence of the target than a cause of it.
//!
//! Half of the sampled rows, of all sets, predict the other half by what the rows of about the same
//! value have: their commonest class, or the mean of their targets. A column of classes is told when
//! with 95 % confidence (Wilson's bound) it is wrong in less than [`MOST_WRONG`] of the rows that are not of
//! the commonest class; one of numbers when it explains [`EXPLAINED`] of the variance. Where another column does
//! nearly as well, the task may just be easy.

use super::finding::{Finding, Kind, Severity, percent};
use super::sample::{Sample, Sorted, TargetValues};

/// Wrong predictions of a leaking column, in the rows that always naming the commonest class gets wrong.
const MOST_WRONG: f64 = 0.05;

/// The share of a target's variance that a leaking column explains at least.
const EXPLAINED: f64 = 0.99;

/// What another column reaches where the task may be easy.
const EASY: f64 = 0.9;

/// Rows below which nothing is said.
const LEAST_ROWS: usize = 30;

/// Bins of a column's values, and rows of one, at best.
const BINS: usize = 256;
const ROWS_OF_BIN: usize = 3;

/// How well a column alone predicts a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strength {
    target: usize,
    /// 1: every row; 0: no better than a constant.
    skill: f64,
    is_leak: bool,
}

/// Predicts the rows of one half by those of the other: `learn` is given each bin's rows and then `judge`
/// each row that falls into it.
fn cross(
    order: &[(u32, f32)],
    is_categorical: bool,
    learn: &mut dyn FnMut(&[u32]),
    judge: &mut dyn FnMut(u32),
) {
    for half in 0..2 {
        let own = |row: u32| row % 2 == half;
        let rows = order.iter().filter(|(row, _)| !own(*row)).count();
        let size = match is_categorical {
            true => 1,
            false => (rows / BINS).max(ROWS_OF_BIN),
        };
        let mut bin: Vec<u32> = Vec::new();
        let mut waiting: Vec<(u32, f32)> = Vec::new();
        let mut last = f32::NAN;
        let mut flush = |bin: &mut Vec<u32>, waiting: &mut Vec<(u32, f32)>, until: f32| {
            learn(bin);
            let kept = waiting.iter().position(|(_, value)| *value > until);
            waiting.drain(..kept.unwrap_or(waiting.len())).for_each(|(row, _)| judge(row));
            bin.clear();
        };
        for (row, value) in order {
            if own(*row) {
                waiting.push((*row, *value));
                continue;
            }
            if bin.len() >= size && *value != last {
                // Rows between two bins go to the nearer one; a category only to its own.
                let until = if is_categorical { last } else { last + (*value - last) / 2.0 };
                flush(&mut bin, &mut waiting, until);
            }
            bin.push(*row);
            last = *value;
        }
        flush(&mut bin, &mut waiting, f32::INFINITY);
    }
}

/// The upper end of Wilson's interval of a share, one-sided at 95 %.
fn upper(wrong: usize, of: usize) -> f64 {
    const Z: f64 = 1.645;
    let (n, p) = (of as f64, wrong as f64 / of as f64);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (p + Z * Z / (2.0 * n) + spread) / (1.0 + Z * Z / n)
}

fn of_classes(sorted: &Sorted, classes: &[u32], count: usize) -> Option<(f64, bool)> {
    let mut totals = vec![0_usize; count];
    classes.iter().for_each(|class| totals[*class as usize] += 1);
    let rest = classes.len() - totals.iter().max()?;
    if rest == 0 {
        return None;
    }
    let (mut counts, mut wrong) = (vec![0_usize; count], 0);
    let commonest = std::cell::Cell::new(0_u32);
    cross(
        &sorted.order,
        sorted.is_categorical,
        &mut |rows| {
            rows.iter().for_each(|row| counts[classes[*row as usize] as usize] += 1);
            let most = rows.iter().map(|row| classes[*row as usize]);
            let most =
                most.max_by_key(|class| (counts[*class as usize], std::cmp::Reverse(*class)));
            commonest.set(most.unwrap_or(0));
            rows.iter().for_each(|row| counts[classes[*row as usize] as usize] = 0);
        },
        &mut |row| wrong += usize::from(classes[row as usize] != commonest.get()),
    );
    let is_leak = upper(wrong.min(rest), rest) <= MOST_WRONG;
    Some((1.0 - wrong as f64 / rest as f64, is_leak))
}

fn of_numbers(sorted: &Sorted, numbers: &[f64]) -> Option<(f64, bool)> {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let all: f64 = numbers.iter().map(|y| (y - mean) * (y - mean)).sum();
    if all <= 0.0 {
        return None;
    }
    let mut squares = 0.0;
    let of_bin = std::cell::Cell::new(mean);
    cross(
        &sorted.order,
        sorted.is_categorical,
        &mut |rows| {
            let sum: f64 = rows.iter().map(|row| numbers[*row as usize]).sum();
            of_bin.set(sum / rows.len().max(1) as f64);
        },
        &mut |row| squares += (numbers[row as usize] - of_bin.get()).powi(2),
    );
    let mut skill = 1.0 - squares / all;
    if !sorted.is_categorical {
        skill = skill.max(line(sorted, numbers, mean, all));
    }
    Some((skill, skill >= EXPLAINED))
}

/// The share of the variance that a straight line explains.
fn line(sorted: &Sorted, numbers: &[f64], mean: f64, all: f64) -> f64 {
    let count = numbers.len() as f64;
    let of = |value: f32| f64::from(value);
    let centre = sorted.order.iter().map(|(_, x)| of(*x)).sum::<f64>() / count;
    let (mut square, mut product) = (0.0, 0.0);
    for (row, x) in &sorted.order {
        let x = of(*x) - centre;
        square += x * x;
        product += x * (numbers[*row as usize] - mean);
    }
    if square > 0.0 { product * product / square / all } else { 0.0 }
}

/// How well a column predicts the target that it predicts best.
pub(super) fn strength(sample: &Sample, sorted: &Sorted) -> Option<Strength> {
    if sample.rows.len() < LEAST_ROWS || sample.places.len() < 2 {
        return None;
    }
    let of = |target: usize| {
        let (skill, is_leak) = match &sample.targets[target].values {
            TargetValues::Classes(classes, count) => of_classes(sorted, classes, *count)?,
            TargetValues::Numbers(numbers) => of_numbers(sorted, numbers)?,
        };
        Some(Strength { target, skill, is_leak })
    };
    (0..sample.targets.len())
        .filter_map(of)
        .max_by(|a, b| a.is_leak.cmp(&b.is_leak).then(a.skill.total_cmp(&b.skill)))
}

pub(super) fn leaks(sample: &Sample, strengths: &[Option<Strength>]) -> Vec<Finding> {
    let rest = strengths
        .iter()
        .flatten()
        .filter(|strength| !strength.is_leak)
        .map(|strength| strength.skill)
        .fold(0.0, f64::max);
    strengths
        .iter()
        .enumerate()
        .filter_map(|(column, strength)| Some((column, strength.filter(|s| s.is_leak)?)))
        .map(|(column, strength)| {
            let (name, target) = (sample.name(column), &sample.targets[strength.target]);
            let does = match &target.values {
                TargetValues::Classes(..) => format!(
                    "predicts {:?} in all but {} of the rows that are not of its commonest class",
                    target.name,
                    percent((1.0 - strength.skill).max(0.0))
                ),
                TargetValues::Numbers(_) => {
                    format!("explains {} of the variance of {:?}", percent(strength.skill), target.name)
                }
            };
            let (severity, others) = match rest {
                rest if rest >= EASY => {
                    (Severity::Note, format!("others alone come to {}", percent(rest)))
                }
                rest => (Severity::Warning, format!("no other comes near ({})", percent(rest))),
            };
            let text = format!("the column {name:?} alone {does}; {others}");
            let advice = format!(
                "is it known before the target is? If not, leave it out with data.columns.{name}.type \
                 = \"ignore\""
            );
            Finding::new(Kind::LeakingColumn, severity, text, &advice).of_columns(vec![name])
        })
        .collect()
}
