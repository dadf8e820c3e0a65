//! Which trials go on: what the schedulers of a sweep make of the values that trials have reached.

use std::collections::{BTreeMap, BTreeSet};

use super::forecast::{Pool, Positions, exponent};
use crate::catalog::metric::Better;
use crate::config::sweep::{RankedBy, Scheduler};

/// What is known of every trial's values, epoch by epoch.
#[derive(Debug)]
pub struct Standings {
    scheduler: Scheduler,
    better: Better,
    /// Whether a trial's weights are those of its best epoch, rather than the last.
    keeps_best: bool,
    trials: BTreeMap<usize, Course>,
    positions: Positions,
    /// What is forecast by, at each rung.
    pools: BTreeMap<usize, Pool>,
}

/// The values of one trial.
#[derive(Debug, Clone, Default)]
struct Course {
    /// The monitored value after each epoch, a mean over the members.
    values: Vec<f64>,
    /// Whether it has ended by itself, and stays as it is in every later comparison.
    has_ended: bool,
}

impl Standings {
    /// Of no trial yet.
    pub fn new(scheduler: Scheduler, better: Better, keeps_best: bool) -> Self {
        Self {
            scheduler,
            better,
            keeps_best,
            trials: BTreeMap::new(),
            positions: Positions::default(),
            pools: BTreeMap::new(),
        }
    }

    /// The same, with where the trials stand in the search space, by which they are forecast.
    #[must_use]
    pub fn with_positions(self, positions: Positions) -> Self {
        Self { positions, ..self }
    }

    /// A trial's value after an epoch, from 1, and whether it ends with it. One that is told again
    /// replaces what came from there on.
    pub fn record(&mut self, trial: usize, epoch: usize, value: f64, ends: bool) {
        let course = self.trials.entry(trial).or_default();
        if epoch <= course.values.len() {
            // Trials that come again to a rung have not come there yet.
            self.pools.clear();
        }
        course.values.truncate(epoch.saturating_sub(1));
        course.values.push(value);
        course.has_ended = ends;
    }

    /// What a trial is worth after so many of its epochs: none where it has not come so far.
    pub fn worth(&self, trial: usize, epochs: usize) -> Option<f64> {
        let course = self.trials.get(&trial)?;
        if course.values.len() < epochs && !course.has_ended {
            return None;
        }
        let seen = &course.values[..course.values.len().min(epochs)];
        if !self.keeps_best {
            return seen.last().copied();
        }
        seen.iter().copied().reduce(
            |best, value| {
                if self.better.is_better(value, best) { value } else { best }
            },
        )
    }

    /// Whether each of some trials goes on that have just trained to those epochs, of so many at most:
    /// `(trial, epoch, epochs)`, all of whose values are on record.
    pub fn judge(&mut self, trained: &[(usize, usize, usize)]) -> Vec<bool> {
        if let Scheduler::Asha(rungs, RankedBy::Forecast) = self.scheduler {
            let at_rung = |(_, epoch, epochs): &&(usize, usize, usize)| rungs.has(*epoch, *epochs);
            let rungs: BTreeSet<usize> =
                trained.iter().filter(at_rung).map(|(_, epoch, _)| *epoch).collect();
            rungs.into_iter().for_each(|rung| self.take_in(rung));
        }
        let goes_on = |&(trial, epoch, epochs): &(usize, usize, usize)| match self.scheduler {
            // Of successive halving the rounds are the sweep's.
            Scheduler::None | Scheduler::SuccessiveHalving(_) => true,
            Scheduler::Asha(rungs, _) if rungs.has(epoch, epochs) => {
                self.is_among_best(trial, epoch, epochs, rungs.reduction)
            }
            Scheduler::Asha(..) => true,
            Scheduler::Median { min_epochs } => {
                epoch < min_epochs || self.is_above_median(trial, epoch)
            }
        };
        trained.iter().map(goes_on).collect()
    }

    /// Whether a trial is among the best of each `reduction` of those that came as far. Where fewer than
    /// that many did, the best of them is.
    fn is_among_best(&self, trial: usize, epoch: usize, epochs: usize, reduction: usize) -> bool {
        let pool = self.pools.get(&epoch);
        let rank = |trial: usize| {
            let worth = self.worth(trial, epoch)?;
            Some(pool.map_or(worth, |pool| pool.forecast(trial, worth, epoch, epochs)))
        };
        let Some(own) = rank(trial) else { return true };
        let others = self.trials.keys().filter_map(|other| Some((*other, rank(*other)?)));
        let others: Vec<(usize, f64)> = others.collect();
        let ahead = others
            .iter()
            .filter(|(other, worth)| {
                let ties = !self.better.is_better(own, *worth) && *other < trial;
                self.better.is_better(*worth, own) || ties
            })
            .count();
        !own.is_nan() && ahead < (others.len() / reduction).max(1)
    }

    /// Takes the trials that have come to a rung into its pool, with the exponents by which their best
    /// scores have fallen since half of its epochs. One that has ended before falls no more.
    fn take_in(&mut self, rung: usize) {
        let mut pool = self.pools.remove(&rung).unwrap_or_default();
        let half = (rung / 2).max(1);
        let came = |(trial, course): (&usize, &Course)| {
            (course.values.len() >= rung && !pool.has(*trial)).then_some(*trial)
        };
        let new: Vec<usize> = self.trials.iter().filter_map(came).collect();
        for trial in new {
            let best = |epoch: usize| (epoch, self.best_up_to(trial, epoch).unwrap_or(f64::NAN));
            pool.add(trial, exponent(best(half), best(rung)), &self.positions);
        }
        self.pools.insert(rung, pool);
    }

    /// The `count` best of some trials after so many epochs, the better the earlier; of equal ones, and
    /// those without a value, the first.
    pub fn best(&self, trials: &[usize], epochs: usize, count: usize) -> Vec<usize> {
        let mut ranked: Vec<(usize, f64)> = trials
            .iter()
            .map(|trial| (*trial, self.worth(*trial, epochs).unwrap_or(f64::NAN)))
            .collect();
        ranked.sort_by(|(a, one), (b, other)| self.better.by_rank(*one, *other).then(a.cmp(b)));
        ranked.into_iter().take(count).map(|(trial, _)| trial).collect()
    }

    /// Whether the best value of a trial is no worse than the median of the others' mean values up to
    /// the same epoch. Of fewer than three others nothing is said.
    fn is_above_median(&self, trial: usize, epoch: usize) -> bool {
        let Some(own) = self.best_up_to(trial, epoch) else { return true };
        let mut means: Vec<f64> = self
            .trials
            .iter()
            .filter(|(other, course)| {
                **other != trial && (course.values.len() >= epoch || course.has_ended)
            })
            .map(|(_, course)| {
                let seen = &course.values[..course.values.len().min(epoch)];
                seen.iter().sum::<f64>() / seen.len() as f64
            })
            .filter(|mean| !mean.is_nan())
            .collect();
        if means.len() < 3 {
            return true;
        }
        means.sort_by(f64::total_cmp);
        let middle = means.len() / 2;
        let median = match means.len() % 2 {
            0 => f64::midpoint(means[middle - 1], means[middle]),
            _ => means[middle],
        };
        !self.better.is_better(median, own)
    }

    fn best_up_to(&self, trial: usize, epoch: usize) -> Option<f64> {
        let values = &self.trials.get(&trial)?.values;
        values[..values.len().min(epoch)]
            .iter()
            .copied()
            .reduce(|best, value| if self.better.is_better(value, best) { value } else { best })
    }
}

/// The epochs at which the rounds of successive halving end, for trials of at most so many, and how many
/// of so many trials each begins with.
pub fn rounds(scheduler: Scheduler, epochs: usize, trials: usize) -> Vec<(usize, usize)> {
    let Scheduler::SuccessiveHalving(rungs) = scheduler else { return vec![(epochs, trials)] };
    let mut rounds = Vec::new();
    let (mut until, mut count) = (rungs.min_epochs, trials);
    while until < epochs {
        rounds.push((until, count));
        until = until.saturating_mul(rungs.reduction);
        count = (count / rungs.reduction).max(1);
    }
    rounds.push((epochs, count));
    rounds
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::config::sweep::{Axis, Choices, Rungs};

    const RUNGS: Rungs = Rungs { min_epochs: 2, reduction: 3 };

    fn standings(scheduler: Scheduler, values: &[&[f64]]) -> Standings {
        let mut standings = Standings::new(scheduler, Better::Smaller, true);
        for (trial, values) in values.iter().enumerate() {
            for (i, value) in values.iter().enumerate() {
                standings.record(trial, i + 1, *value, false);
            }
        }
        standings
    }

    #[test]
    fn rungs_are_powers_below_the_last_epoch() {
        let at: Vec<usize> = (1..=60).filter(|epoch| RUNGS.has(*epoch, 54)).collect();
        assert_eq!(at, [2, 6, 18]);
        let halving = Scheduler::SuccessiveHalving(RUNGS);
        assert_eq!(rounds(halving, 54, 20), [(2, 20), (6, 6), (18, 2), (54, 1)]);
        assert_eq!(rounds(halving, 2, 20), [(2, 20)]);
        assert_eq!(rounds(Scheduler::Asha(RUNGS, RankedBy::Score), 54, 20), [(54, 20)]);
    }

    /// Of six the two best go on, by their best epoch so far; a later one is held to all that came there.
    #[test]
    fn asha_lets_the_best_third_of_those_that_came_there_go_on() {
        let values: [&[f64]; 6] = [
            &[0.9, 0.8],
            &[0.1, 0.7],
            &[0.5, 0.4],
            &[f64::NAN, f64::NAN],
            &[0.5, 0.6],
            &[0.8, 0.2],
        ];
        let mut asha = standings(Scheduler::Asha(RUNGS, RankedBy::Score), &values);
        let at = |epoch: usize| -> Vec<(usize, usize, usize)> {
            (0..6).map(|trial| (trial, epoch, 54)).collect()
        };
        assert_eq!(asha.judge(&at(2)), [false, true, false, false, false, true]);
        assert_eq!(asha.judge(&at(1)), [true; 6]);
        asha.record(6, 1, 0.3, false);
        asha.record(6, 2, 0.3, false);
        assert_eq!(asha.judge(&[(6, 2, 54)]), [false]);
        asha.record(7, 1, 0.05, false);
        asha.record(7, 2, 0.5, false);
        assert_eq!(asha.judge(&[(7, 2, 54)]), [true]);
        // At the last epoch there is nothing to go on to.
        assert_eq!(asha.judge(&[(0, 54, 54)]), [true]);
    }

    /// Two slow learners are worse than two that fall no more, and will not be: by forecasts they go on.
    #[test]
    fn by_forecasts_those_go_on_that_come_to_the_least() {
        let rates = [1e-4, 2e-4, 1e-2, 2e-2];
        let ends = [1e-4, 2e-2];
        let axis = Axis {
            key: "rate".to_owned(),
            segments: Vec::new(),
            choices: Choices::Range { ends, log: true, whole: false, points: None },
            when: Vec::new(),
        };
        let values = rates.map(|rate| Map::from_iter([("rate".to_owned(), json!(rate))]));
        let of: [&[f64]; 4] = [
            &[0.9, 0.9, 0.9, 0.9, 0.7, 0.6],
            &[0.9, 0.9, 0.9, 0.8, 0.6, 0.55],
            &[0.5, 0.5, 0.5, 0.5, 0.5, 0.49],
            &[0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
        ];
        let rungs = Rungs { min_epochs: 6, reduction: 2 };
        let all = [0, 1, 2, 3].map(|trial| (trial, 6, 54));
        let goes_on = |by: RankedBy| {
            standings(Scheduler::Asha(rungs, by), &of)
                .with_positions(Positions::new(std::slice::from_ref(&axis), values.iter()))
                .judge(&all)
        };
        assert_eq!(goes_on(RankedBy::Score), [false, false, true, true]);
        assert_eq!(goes_on(RankedBy::Forecast), [true, true, false, false]);
        // One that goes back to before the rung, when a device is lost, is no neighbour until it is there.
        let mut back = standings(Scheduler::Asha(rungs, RankedBy::Forecast), &of)
            .with_positions(Positions::new(std::slice::from_ref(&axis), values.iter()));
        back.judge(&all);
        back.record(1, 1, 0.9, false);
        back.judge(&[(0, 6, 54)]);
        assert!(!back.pools[&6].has(1));
    }

    /// A trial that has ended by itself before a rung is held against those that come there.
    #[test]
    fn what_has_ended_counts_at_later_rungs() {
        let mut asha =
            standings(Scheduler::Asha(RUNGS, RankedBy::Score), &[&[0.5, 0.5, 0.5, 0.5, 0.5, 0.5]]);
        asha.record(1, 1, 0.1, true);
        assert_eq!(asha.worth(1, 6), Some(0.1));
        assert_eq!(asha.judge(&[(0, 6, 54)]), [false]);
    }

    #[test]
    fn a_trial_worse_than_the_median_of_the_others_means_stops() {
        let median = Scheduler::Median { min_epochs: 2 };
        let mut all =
            standings(median, &[&[0.8, 0.6], &[0.6, 0.4], &[0.4, 0.2], &[0.9, 0.71], &[0.9, 0.4]]);
        // The others' means of the fourth: 0.7, 0.5, 0.3, 0.65; their median 0.575.
        assert_eq!(all.judge(&[(3, 2, 9), (4, 2, 9), (3, 1, 9)]), [false, true, true]);
        let mut few = standings(median, &[&[0.1, 0.1], &[0.1, 0.1], &[0.1, 0.1], &[0.9, 0.9]]);
        assert_eq!(few.judge(&[(3, 2, 9)]), [false]);
        let mut two = standings(median, &[&[0.1, 0.1], &[0.1, 0.1], &[0.9, 0.9]]);
        assert_eq!(two.judge(&[(2, 2, 9)]), [true]);
    }

    #[test]
    fn the_best_of_a_round_are_found_whichever_way_is_better() {
        let values: [&[f64]; 4] = [&[0.3], &[0.1], &[f64::NAN], &[0.3]];
        let smaller = standings(Scheduler::None, &values);
        assert_eq!(smaller.best(&[0, 1, 2, 3], 1, 3), [1, 0, 3]);
        let larger = Standings { better: Better::Larger, ..standings(Scheduler::None, &values) };
        assert_eq!(larger.best(&[0, 1, 2, 3], 1, 4), [0, 3, 1, 2]);
        // Without restoring the best epoch, the last one counts.
        let last = Standings { keeps_best: false, ..standings(Scheduler::None, &[&[0.1, 0.5]]) };
        assert_eq!(last.worth(0, 2), Some(0.5));
    }
}
