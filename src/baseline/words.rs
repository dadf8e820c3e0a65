//! The network beside its baselines, in words.

use super::{Baselines, SetScores};
use crate::catalog::metric::{self, Better};
use crate::data::listed;
use crate::report::score;
use crate::train::Scores;

/// The sets that a sentence may be about, the fairest first: the validation rows chose between epochs and
/// between penalties alike, and are there most often.
const SETS: [(&str, &str); 3] = [
    ("validation", "the validation rows"),
    ("test", "the test rows"),
    ("train", "its training rows"),
];

/// A value of the network's and one of a baseline's.
struct Pair {
    name: &'static str,
    network: f64,
    baseline: f64,
    /// How much better the network's is.
    gain: f64,
}

impl Pair {
    fn of(network: &[Scores], baseline: &Scores, name: &'static str) -> Option<Self> {
        let values: Vec<f64> = network.iter().filter_map(|scores| scores.get(name)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let baseline = baseline.get(name)?;
        let larger = metric::find(name).is_some_and(|row| row.better == Better::Larger);
        let gain = if larger { mean - baseline } else { baseline - mean };
        gain.is_finite().then_some(Self { name, network: mean, baseline, gain })
    }

    fn text(&self) -> String {
        format!("{} {} against {}", self.name, score(self.network), score(self.baseline))
    }
}

/// The loss and the first metric.
fn pairs(
    network: &[(String, Vec<Scores>)],
    baseline: &SetScores,
    set: &str,
) -> Option<(Pair, Option<Pair>)> {
    let (_, own) = network.iter().find(|(name, _)| name == set)?;
    let (_, its) = baseline.iter().find(|(name, _)| name == set)?;
    let metric = its.metrics.first().map(|(name, _)| *name);
    let loss = Pair::of(own, its, "loss")?;
    Some((loss, metric.and_then(|name| Pair::of(own, its, name))))
}

pub(super) fn verdict(baselines: &Baselines, network: &[(String, Vec<Scores>)]) -> Option<String> {
    let of = |baseline: &SetScores| {
        SETS.iter().find_map(|(set, words)| Some((*words, pairs(network, baseline, set)?)))
    };
    let (words, (loss, metric)) = of(&baselines.constant)?;
    let worst = metric.as_ref().is_none_or(|metric| metric.gain <= 0.0);
    if loss.gain <= 0.0 && worst {
        let measure = metric.unwrap_or(loss);
        return Some(format!(
            "no better than a constant: {} on {words}; the network has learnt nothing that holds for \
             new rows",
            measure.text()
        ));
    }
    let linear = baselines.linear.as_ref()?;
    let (words, (loss, metric)) = of(&linear.scores)?;
    let without = match linear.left_out.as_slice() {
        [] => String::new(),
        columns => format!("; the baseline goes without what is embedded: {}", listed(columns)),
    };
    let Some(metric) = metric else {
        let verdict = match loss.gain > 0.0 {
            true => beats(words, &loss, None),
            false => no_better(words, &loss),
        };
        return Some(verdict + &without);
    };
    let verdict = match (metric.gain, loss.gain) {
        (metric_gain, loss_gain) if metric_gain <= 0.0 && loss_gain <= 0.0 => {
            no_better(words, &metric)
        }
        (metric_gain, loss_gain) if metric_gain >= 0.0 && loss_gain >= 0.0 => {
            match metric_gain > 0.0 {
                true => beats(words, &metric, Some(&loss)),
                false => beats(words, &loss, Some(&metric)),
            }
        }
        _ => format!(
            "about as good as the linear baseline on {words}: {}, {}",
            metric.text(),
            loss.text()
        ),
    };
    Some(verdict + &without)
}

fn beats(words: &str, by: &Pair, and: Option<&Pair>) -> String {
    let and = and.map(|pair| format!("; {}", pair.text())).unwrap_or_default();
    format!(
        "the network beats the linear baseline on {words} by {} ({}{and})",
        score(by.gain),
        by.text()
    )
}

fn no_better(words: &str, by: &Pair) -> String {
    format!(
        "no better than a straight line: {} on {words}; what there is to learn may be linear, or the \
         network needs more rows, or less freedom (dropout, weight decay, fewer units)",
        by.text()
    )
}
