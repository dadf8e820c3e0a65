//! What trials may yet come to: the scores that they have, if those go on falling as they fall among
//! trials of like settings.
//!
//! Losses fall by something like a power of the epochs (one of the curves of Domhan et al., IJCAI 2015).
//! One trial's exponent is mostly noise; a mean over neighbours in the search space tells slow learners,
//! which have the smaller rates, from bad ones.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::config::sweep::{Axis, Choices};

/// How far apart on an axis, of which all of the space is 1, trials are still much alike.
const WIDTH: f64 = 0.35;

/// Sums are of multiples of this, so that they are the same in whatever order trials come.
const UNIT: f64 = 1.0 / (1_u64 << 40) as f64;

/// Where a trial stands on an axis.
#[derive(Debug, Clone, PartialEq)]
enum Position {
    /// A number's place between the axis' ends, 0 and 1.
    At(f64),
    /// A value that is no number.
    Value(Value),
    /// Its condition does not hold.
    Absent,
}

/// Where all trials stand in the search space.
#[derive(Debug, Clone, Default)]
pub struct Positions(Vec<Vec<Position>>);

impl Positions {
    /// Those of trials, by their values of a space's axes.
    pub fn new<'a>(axes: &[Axis], trials: impl Iterator<Item = &'a Map<String, Value>>) -> Self {
        let of_trial = |values: &Map<String, Value>| {
            axes.iter().map(|axis| position(&axis.choices, values.get(&axis.key))).collect()
        };
        Self(trials.map(of_trial).collect())
    }

    /// 1 for trials of the same values, down to nearly 0 for those at an axis' other end.
    fn likeness(&self, one: usize, other: usize) -> f64 {
        let (Some(a), Some(b)) = (self.0.get(one), self.0.get(other)) else { return 0.0 };
        let squares = a.iter().zip(b).map(|pair| match pair {
            (Position::At(a), Position::At(b)) => (a - b) * (a - b),
            (a, b) if a == b => 0.0,
            _ => 1.0,
        });
        (-squares.sum::<f64>() / (2.0 * WIDTH * WIDTH)).exp()
    }
}

fn position(choices: &Choices, value: Option<&Value>) -> Position {
    let Some(value) = value else { return Position::Absent };
    let place = match (choices, value.as_f64()) {
        (Choices::Range { ends: [low, high], log, .. }, Some(number)) => {
            let scale = |x: f64| if *log { x.ln() } else { x };
            (scale(number) - scale(*low)) / (scale(*high) - scale(*low))
        }
        // Numbers of a list are as far apart as they rank: lists are written in such steps.
        (Choices::Choice(values), Some(number)) if values.iter().all(Value::is_number) => {
            let below = |other: &&Value| other.as_f64().is_some_and(|other| other < number);
            let below = values.iter().filter(below).count();
            below as f64 / (values.len().max(2) - 1) as f64
        }
        _ => return Position::Value(value.clone()),
    };
    // An interval of one number has no places.
    Position::At(if place.is_finite() { place } else { 0.0 })
}

/// The trials that have come to a rung, each with what it learns of the others.
#[derive(Debug, Clone, Default)]
pub struct Pool(BTreeMap<usize, Neighbourhood>);

/// The exponent of one trial, and the sums of all trials' by how alike they are to it.
#[derive(Debug, Clone, Copy)]
struct Neighbourhood {
    exponent: f64,
    weighted: i128,
    weights: i128,
}

impl Neighbourhood {
    fn add(&mut self, likeness: f64, exponent: f64) {
        self.weighted += (likeness * exponent / UNIT) as i128;
        self.weights += (likeness / UNIT) as i128;
    }
}

impl Pool {
    /// Whether a trial is in it.
    pub fn has(&self, trial: usize) -> bool {
        self.0.contains_key(&trial)
    }

    /// Takes in a trial whose score falls by such an exponent of the epochs.
    pub fn add(&mut self, trial: usize, exponent: f64, positions: &Positions) {
        let mut own = Neighbourhood { exponent, weighted: 0, weights: 0 };
        own.add(1.0, exponent);
        for (other, neighbourhood) in &mut self.0 {
            let likeness = positions.likeness(trial, *other);
            neighbourhood.add(likeness, exponent);
            own.add(likeness, neighbourhood.exponent);
        }
        self.0.insert(trial, own);
    }

    /// What a score that was reached after some of the epochs comes to by the last, by the mean exponent
    /// about its trial. The score itself for one that is not in the pool, or a score that is not above 0.
    pub fn forecast(&self, trial: usize, score: f64, epoch: usize, epochs: usize) -> f64 {
        match self.0.get(&trial) {
            Some(own) if score > 0.0 && own.weights > 0 => {
                let mean = own.weighted as f64 / own.weights as f64;
                score * (epoch as f64 / epochs as f64).powf(mean)
            }
            _ => score,
        }
    }
}

/// The exponent of the epochs by which a score has fallen from one epoch to a later one; 0 where nothing
/// can be told.
pub fn exponent((early, score_then): (usize, f64), (late, score_now): (usize, f64)) -> f64 {
    let exponent = (score_then / score_now).ln() / (late as f64 / early as f64).ln();
    if score_now > 0.0 && exponent.is_finite() { exponent.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn positions(of_rates: &[f64]) -> Positions {
        Positions(of_rates.iter().map(|rate| vec![Position::At(*rate)]).collect())
    }

    #[test]
    fn places_are_shares_of_an_axis() {
        let log = Choices::Range { ends: [1e-4, 1e-2], log: true, whole: false, points: Some(3) };
        let Position::At(middle) = position(&log, Some(&json!(1e-3))) else {
            panic!("a number has a place")
        };
        assert!((middle - 0.5).abs() < 1e-12, "{middle}");
        let list = Choices::Choice(vec![json!(0), json!(0.1), json!(10)]);
        assert_eq!(position(&list, Some(&json!(0.1))), Position::At(0.5));
        assert_eq!(position(&list, None), Position::Absent);
        let one = Choices::Range { ends: [2.0, 2.0], log: false, whole: false, points: None };
        assert_eq!(position(&one, Some(&json!(2.0))), Position::At(0.0));
        let names = Choices::Choice(vec![json!("relu"), json!("tanh")]);
        let value = |name: &str| position(&names, Some(&json!(name)));
        assert_eq!(value("relu"), value("relu"));
        assert_ne!(value("relu"), value("tanh"));
        let apart = Positions(vec![vec![value("relu")], vec![value("tanh")], vec![value("relu")]]);
        assert!(apart.likeness(0, 1) < 0.02);
        assert_eq!(apart.likeness(0, 2).to_bits(), 1.0_f64.to_bits());
    }

    /// Where a score has been a power of the epochs, so is the forecast.
    #[test]
    fn a_power_law_is_gone_on_with() {
        let score = |epoch: f64| 3.0 * epoch.powf(-0.7);
        let exponent = exponent((7, score(7.0)), (14, score(14.0)));
        assert!((exponent - 0.7).abs() < 1e-12, "{exponent}");
        let mut pool = Pool::default();
        pool.add(0, exponent, &positions(&[0.5]));
        let forecast = pool.forecast(0, score(14.0), 14, 56);
        assert!((forecast / score(56.0) - 1.0).abs() < 1e-9, "{forecast}");
    }

    /// A slow learner is forecast by its like, and not by those that fall no more.
    #[test]
    fn neighbours_tell_more_than_those_far_away() {
        let positions = positions(&[0.0, 0.05, 1.0]);
        let mut pool = Pool::default();
        for (trial, exponent) in [0.6, 0.8, 0.0].into_iter().enumerate() {
            pool.add(trial, exponent, &positions);
        }
        let of = |trial: usize| pool.forecast(trial, 1.0, 10, 100);
        // 10^-0.7 and 10^0, and a little of each other.
        assert!((of(0) - 0.2).abs() < 0.02, "{}", of(0));
        assert!(of(2) > 0.9, "{}", of(2));
    }

    #[test]
    fn nothing_hangs_on_the_order_in_which_trials_come() {
        let positions = positions(&[0.1, 0.4, 0.45, 0.9]);
        let exponents = [0.31, 0.17, 0.73, 0.011];
        let bits = |order: &[usize]| {
            let mut pool = Pool::default();
            order.iter().for_each(|trial| pool.add(*trial, exponents[*trial], &positions));
            [0, 1, 2, 3].map(|trial| pool.forecast(trial, 0.7, 6, 54).to_bits())
        };
        assert_eq!(bits(&[0, 1, 2, 3]), bits(&[3, 1, 0, 2]));
    }

    #[test]
    fn what_has_no_power_is_left_as_it_is() {
        assert_eq!(exponent((1, 0.5), (1, 0.5)), 0.0);
        assert_eq!(exponent((3, f64::NAN), (6, 0.5)), 0.0);
        assert_eq!(exponent((3, 0.5), (6, -0.5)), 0.0);
        assert_eq!(exponent((3, 0.5), (6, 0.0)), 0.0);
        assert_eq!(exponent((3, 0.5), (6, 0.6)), 0.0);
        let mut pool = Pool::default();
        pool.add(0, 1.0, &positions(&[0.0]));
        assert_eq!(pool.forecast(0, -1.0, 5, 50), -1.0);
        assert_eq!(pool.forecast(1, 2.0, 5, 50), 2.0);
        assert!(pool.forecast(0, f64::NAN, 5, 50).is_nan());
    }
}
