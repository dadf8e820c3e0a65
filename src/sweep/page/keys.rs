//! What the keys did: parallel coordinates, how much of the spread of scores each explains, a slice through
//! the space by each.

use serde_json::Value;

use super::Told;
use crate::catalog::metric::Better;
use crate::config::sweep::{Axis as SpaceAxis, Choices};
use crate::error::Result;
use crate::report::page::Page;
use crate::report::page::plot::{
    Axis, Bar, Bars, Chart, Ink, Layer, Parallel, ParallelAxis, Shape,
};
use crate::report::score;
use crate::sweep::record::TrialRecord;
use crate::sweep::table::{short_keys, value_in_words};

/// Shares of a number's range that are told apart where its influence is measured.
const BINS: usize = 6;

pub(super) fn keys(page: &mut Page, told: &Told) -> Result<()> {
    let scored: Vec<&TrialRecord> =
        told.ranked.iter().filter(|record| record.score.is_some()).collect();
    if scored.len() < 2 {
        return Ok(());
    }
    page.section("What the keys did");
    let axes: Vec<&SpaceAxis> = told.sweep.config.axes.iter().collect();
    let keys: Vec<String> = axes.iter().map(|axis| axis.key.clone()).collect();
    let names = short_keys(&keys);
    let scales: Vec<Scale> = axes.iter().map(|axis| Scale::of(axis, &scored)).collect();
    page.figures(&[parallel(told, &scored, &axes, &names, &scales).figure()?]);
    page.heading("How much each key explains");
    page.figures(&[importance(&scored, &axes, &names, &scales).figure()?]);
    page.heading("One key at a time");
    let mut slices = Vec::new();
    for ((axis, name), scale) in axes.iter().zip(&names).zip(&scales) {
        slices.push(slice(told, &scored, axis, name, scale).figure()?);
    }
    page.figures(&slices);
    Ok(())
}

/// Where the values of a key stand along an axis.
enum Scale {
    /// Numbers, on a logarithmic axis or not, from the least to the greatest.
    Numbers { log: bool, low: f64, high: f64 },
    /// Any values, side by side.
    Values(Vec<Value>),
}

impl Scale {
    fn of(axis: &SpaceAxis, scored: &[&TrialRecord]) -> Self {
        let mut found: Vec<Value> = Vec::new();
        if let Choices::Choice(values) = &axis.choices {
            found.extend(values.iter().cloned());
        }
        for record in scored {
            if let Some(value) = record.values.get(&axis.key)
                && !found.contains(value)
            {
                found.push(value.clone());
            }
        }
        let numbers: Vec<f64> = found.iter().filter_map(Value::as_f64).collect();
        if let Choices::Range { log, .. } = &axis.choices
            && numbers.len() == found.len()
            && numbers.len() > 1
        {
            let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            return Self::Numbers { log: *log, low, high };
        }
        Self::Values(found)
    }

    /// From 0 to 1; NaN for what has no place.
    fn place(&self, value: Option<&Value>) -> f64 {
        match (self, value) {
            (_, None) => f64::NAN,
            (Self::Numbers { log, low, high }, Some(value)) => {
                let value = value.as_f64().unwrap_or(f64::NAN);
                let of = |x: f64| if *log { x.ln() } else { x };
                (of(value) - of(*low)) / (of(*high) - of(*low))
            }
            (Self::Values(values), Some(value)) => {
                let at = values.iter().position(|other| other == value);
                let most = values.len().saturating_sub(1).max(1) as f64;
                at.map_or(f64::NAN, |at| at as f64 / most)
            }
        }
    }

    /// Which part of the scale a value is in.
    fn bin(&self, value: Option<&Value>) -> Option<usize> {
        match self {
            Self::Numbers { .. } => {
                let place = self.place(value);
                place.is_finite().then(|| ((place * BINS as f64) as usize).min(BINS - 1))
            }
            // One that is left out by its condition is a value too.
            Self::Values(values) => Some(match value {
                Some(value) => values.iter().position(|other| other == value)?,
                None => values.len(),
            }),
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match self {
            Self::Numbers { log, low, high } => (0..=4)
                .map(|i| {
                    let share = f64::from(i) / 4.0;
                    let value = if *log {
                        (low.ln() + share * (high / low).ln()).exp()
                    } else {
                        low + share * (high - low)
                    };
                    (share, short(value))
                })
                .collect(),
            Self::Values(values) => values
                .iter()
                .map(|value| (self.place(Some(value)), value_in_words(value)))
                .collect(),
        }
    }
}

/// A number in three digits.
fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    match rounded.abs() {
        x if x != 0.0 && !(1e-3..1e5).contains(&x) => format!("{rounded:e}"),
        _ => rounded.to_string(),
    }
}

fn parallel(
    told: &Told,
    scored: &[&TrialRecord],
    axes: &[&SpaceAxis],
    names: &[String],
    scales: &[Scale],
) -> Parallel {
    let scores: Vec<f64> = scored.iter().filter_map(|record| record.score).collect();
    let (low, high) = extent(&scores);
    let log = low > 0.0 && high / low > 10.0;
    let of = |x: f64| if log { x.ln() } else { x };
    let place =
        |value: f64| if high > low { (of(value) - of(low)) / (of(high) - of(low)) } else { 0.5 };
    let mut drawn: Vec<ParallelAxis> = names
        .iter()
        .zip(scales)
        .map(|(name, scale)| ParallelAxis { title: name.clone(), ticks: scale.ticks() })
        .collect();
    let ticks = (0..=4).map(|i| {
        let share = f64::from(i) / 4.0;
        let value = of(low) + share * (of(high) - of(low));
        (share, score(if log { value.exp() } else { value }))
    });
    drawn.push(ParallelAxis { title: told.sweep.monitor.clone(), ticks: ticks.collect() });
    // The best tenth in colour, the very best in another, on top.
    let best = (scored.len() / 10).max(1);
    let lines = scored.iter().enumerate().rev().map(|(rank, record)| {
        let ink = match rank {
            0 => Ink::Series(1),
            rank if rank < best => Ink::Series(0),
            _ => Ink::Faint,
        };
        let mut crossed: Vec<f64> = axes
            .iter()
            .zip(scales)
            .map(|(axis, scale)| scale.place(record.values.get(&axis.key)))
            .collect();
        crossed.push(record.score.map_or(f64::NAN, place));
        (ink, crossed)
    });
    Parallel {
        title: "Every trial".to_owned(),
        caption: "A line a trial, through its values to its score; the best tenth in colour, the best of \
                  all in orange."
            .to_owned(),
        axes: drawn,
        lines: lines.collect(),
    }
}

fn extent(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

/// The share of the variance of the scores' ranks that lies between the values of a key: the correlation
/// ratio, less what as many groups of rows at random would have (epsilon squared: Kelley, PNAS 21, 1935).
/// Ranks, so that a few trials that went astray do not decide it.
pub(super) fn explained(bins: &[Option<usize>]) -> f64 {
    let ranks: Vec<(usize, f64)> = bins
        .iter()
        .enumerate()
        .filter_map(|(rank, bin)| Some((bin.as_ref().copied()?, rank as f64)))
        .collect();
    let n = ranks.len() as f64;
    let mean = ranks.iter().map(|(_, rank)| rank).sum::<f64>() / n;
    let total: f64 = ranks.iter().map(|(_, rank)| (rank - mean) * (rank - mean)).sum();
    let groups = ranks.iter().map(|(bin, _)| *bin).collect::<std::collections::BTreeSet<_>>();
    if groups.len() < 2 || n <= groups.len() as f64 || total == 0.0 {
        return 0.0;
    }
    let between: f64 = groups
        .iter()
        .map(|group| {
            let own: Vec<f64> =
                ranks.iter().filter(|(bin, _)| bin == group).map(|(_, rank)| *rank).collect();
            let own_mean = own.iter().sum::<f64>() / own.len() as f64;
            own.len() as f64 * (own_mean - mean) * (own_mean - mean)
        })
        .sum();
    let within = (total - between) / (n - groups.len() as f64);
    ((between - (groups.len() as f64 - 1.0) * within) / total).clamp(0.0, 1.0)
}

fn importance(
    scored: &[&TrialRecord],
    axes: &[&SpaceAxis],
    names: &[String],
    scales: &[Scale],
) -> Bars {
    let mut bars: Vec<Bar> = axes
        .iter()
        .zip(names)
        .zip(scales)
        .map(|((axis, name), scale)| {
            let bins: Vec<Option<usize>> =
                scored.iter().map(|record| scale.bin(record.values.get(&axis.key))).collect();
            let value = 100.0 * explained(&bins);
            Bar { name: name.clone(), value, deviation: 0.0, text: format!("{value:.0} %") }
        })
        .collect();
    bars.sort_by(|a, b| b.value.total_cmp(&a.value));
    Bars {
        title: "Share of the spread of ranks".to_owned(),
        caption: "How much of the differences between ranks goes along with the value of each key alone; \
                  what keys do together is in none of the bars."
            .to_owned(),
        axis: "per cent".to_owned(),
        bars,
    }
}

fn slice(
    told: &Told,
    scored: &[&TrialRecord],
    axis: &SpaceAxis,
    name: &str,
    scale: &Scale,
) -> Chart {
    let monitor = &told.sweep.monitor;
    let scores = scored.iter().filter_map(|record| record.score);
    let y = Axis::fitting(monitor, scores, 1.0);
    let better = if told.sweep.better == Better::Smaller { "lower" } else { "higher" };
    match scale {
        Scale::Numbers { log, .. } => {
            let x = Axis { log: *log, ..Axis::new(name) };
            let points = scored.iter().filter_map(|record| {
                Some((record.values.get(&axis.key)?.as_f64()?, record.score?))
            });
            let caption = format!("{monitor} by {name}, {better} is better.");
            let mut chart = Chart::new(name, &caption, x, y);
            chart.layers.push(Layer {
                name: String::new(),
                ink: Ink::Series(0),
                shape: Shape::Dots(points.collect()),
            });
            chart
        }
        Scale::Values(values) => {
            let place = |value: &Value| values.iter().position(|other| other == value);
            let points: Vec<(f64, f64)> = scored
                .iter()
                .filter_map(|record| {
                    let at = place(record.values.get(&axis.key)?)?;
                    Some((at as f64 + 1.0, record.score?))
                })
                .collect();
            let legend: Vec<String> = values
                .iter()
                .enumerate()
                .map(|(at, value)| format!("{} {}", at + 1, value_in_words(value)))
                .collect();
            let caption =
                format!("{monitor} by {name}, {better} is better: {}.", legend.join(", "));
            let range = Some((0.5, values.len() as f64 + 0.5));
            let x = Axis { whole: true, range, ..Axis::new("value") };
            let mut chart = Chart::new(name, &caption, x, y);
            let spread: Vec<(f64, f64, f64)> = (1..=values.len())
                .filter_map(|at| {
                    let own: Vec<f64> = points
                        .iter()
                        .filter(|(x, _)| *x == at as f64)
                        .map(|(_, score)| *score)
                        .collect();
                    (!own.is_empty())
                        .then(|| extent(&own))
                        .map(|(low, high)| (at as f64, low, high))
                })
                .collect();
            let medians: Vec<(f64, f64)> = (1..=values.len())
                .filter_map(|at| {
                    let mut own: Vec<f64> = points
                        .iter()
                        .filter(|(x, _)| *x == at as f64)
                        .map(|(_, score)| *score)
                        .collect();
                    own.sort_by(f64::total_cmp);
                    own.get(own.len() / 2).map(|median| (at as f64, *median))
                })
                .collect();
            let layer = |name: &str, ink, shape| Layer { name: name.to_owned(), ink, shape };
            chart.layers = vec![
                layer("", Ink::Muted, Shape::Whiskers(spread)),
                layer("trials", Ink::Series(0), Shape::Dots(points)),
                layer("their median", Ink::Series(1), Shape::Dots(medians)),
            ];
            chart
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranks 0 to 11 by a key that decides them, one that goes across, and one that says nothing.
    #[test]
    fn a_key_that_decides_the_ranks_explains_them() {
        let by = |of: &dyn Fn(usize) -> usize| -> Vec<Option<usize>> {
            (0..12).map(|rank| Some(of(rank))).collect()
        };
        let decides = explained(&by(&|rank| rank / 4));
        let across = explained(&by(&|rank| rank % 3));
        assert!(decides > 0.8, "{decides}");
        assert!(across < 0.05, "{across}");
        assert_eq!(explained(&by(&|_| 1)), 0.0);
        // As many values as trials: nothing is left to compare with.
        assert_eq!(explained(&by(&|rank| rank)), 0.0);
        assert_eq!(explained(&[None, Some(1)]), 0.0);
    }

    #[test]
    fn ticks_are_short() {
        assert_eq!(
            [0.000_965_489, 0.25, 123_456.0, 0.0].map(short),
            ["9.65e-4", "0.25", "1.23e5", "0"]
        );
    }
}
