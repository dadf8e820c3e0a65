//! What a network must beat to be worth it: a constant, and a linear model of the same encoded inputs (but
//! for embedded columns, which have none without the network), scored with the same loss and metrics on the same sets.
//!
//! The constant is the training rows' class frequencies, or the number that minimises the loss on them. The
//! linear model is ridge regression, or (multinomial) logistic regression with an L2 penalty as
//! scikit-learn's `Ridge` and `LogisticRegression` have it: `alpha`, or `1 / C`, times the squared weights,
//! the intercept left out. Of the penalties [`PENALTIES`] the one with the lowest error on the validation
//! rows is taken; without such rows it is 1.
//!
//! Everything is computed in f64, in an order that does not hang on the number of threads. Work and
//! memory are bounded: rows at equal distances are taken of very large sets, and a model of very many
//! weights is left out.

mod constant;
mod job;
mod lbfgs;
mod linear;
mod logistic;
mod ridge;
mod score;
mod words;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use job::Job;

use crate::catalog::optimizer::Convention;
use crate::config::TaskSettings;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::report::scores_json;
use crate::train::Scores;

/// Penalties of the linear model that are tried, the strongest first, until its error on the validation rows
/// rises.
pub const PENALTIES: [f64; 6] = [1000.0, 100.0, 10.0, 1.0, 0.1, 0.01];

/// The penalty where there are no validation rows.
const PENALTY: f64 = 1.0;

/// The baselines of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Baselines {
    /// The same for every row.
    pub constant: SetScores,
    /// The linear model; none where it is too large, or cannot be fitted.
    pub linear: Option<Linear>,
}

/// Scores by set: `train`, and `validation` and `test` where there are any.
pub type SetScores = Vec<(String, Scores)>;

/// The linear baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Its scores.
    pub scores: SetScores,
    /// The penalty that was taken, of several folds the middle one.
    pub penalty: f64,
    /// Training rows that it was fitted on, of several folds the most.
    pub rows: usize,
    /// Whether the fit came to its end.
    pub converged: bool,
    /// Columns that it goes without: the network embeds them, and their codes are no numbers.
    pub left_out: Vec<String>,
}

/// The baselines of a training: of its training set, or of each fold.
#[derive(Debug)]
pub struct Jobs(Vec<Job>);

impl Jobs {
    /// Those of a training on that data, the rows that they take copied.
    ///
    /// # Errors
    /// When rows are in a file that cannot be read.
    pub fn of(dataset: &Dataset, task: &TaskSettings, convention: Convention) -> Result<Self> {
        let Some(folds) = &dataset.folds else {
            return Ok(Self(vec![Job::of(dataset, task, convention, 1)?]));
        };
        let count = folds.count();
        let mut jobs = Vec::with_capacity(count);
        for fold in 0..count {
            if let Some(dataset) = dataset.fold(fold)? {
                jobs.push(Job::of(&dataset, task, convention, count)?);
            }
        }
        Ok(Self(jobs))
    }
}

/// Fits both and scores them; of several folds the scores are means.
///
/// # Errors
/// Those of the metrics.
pub fn baselines(jobs: &Jobs) -> Result<Baselines> {
    let mut each = Vec::with_capacity(jobs.0.len());
    for job in &jobs.0 {
        each.push(of_job(job)?);
    }
    if each.len() == 1 {
        return each.pop().ok_or_else(|| Error::internal("a baseline was lost"));
    }
    let constants: Vec<&SetScores> = each.iter().map(|own| &own.constant).collect();
    let linear: Option<Vec<&Linear>> = each.iter().map(|own| own.linear.as_ref()).collect();
    let linear = linear.filter(|linear| !linear.is_empty()).map(|linear| {
        let scores: Vec<&SetScores> = linear.iter().map(|own| &own.scores).collect();
        let mut penalties: Vec<f64> = linear.iter().map(|own| own.penalty).collect();
        penalties.sort_by(f64::total_cmp);
        Linear {
            scores: means(&scores),
            penalty: penalties[penalties.len() / 2],
            rows: linear.iter().map(|own| own.rows).max().unwrap_or(0),
            converged: linear.iter().all(|own| own.converged),
            left_out: linear.first().map(|own| own.left_out.clone()).unwrap_or_default(),
        }
    });
    Ok(Baselines { constant: means(&constants), linear })
}

/// The mean scores of folds.
fn means(folds: &[&SetScores]) -> SetScores {
    let count = folds.len() as f64;
    let Some(first) = folds.first() else { return SetScores::new() };
    let of = |(set, scores): &(String, Scores)| {
        let mean = |name: &str| {
            let own = folds.iter().flat_map(|fold| fold.iter().find(|(other, _)| other == set));
            own.filter_map(|(_, scores)| scores.get(name)).sum::<f64>() / count
        };
        let metrics = scores.metrics.iter().map(|(name, _)| (*name, mean(name))).collect();
        (set.clone(), Scores { loss: mean("loss"), metrics })
    };
    first.iter().map(of).collect()
}

fn of_job(job: &Job) -> Result<Baselines> {
    let constant = constant::outputs(job);
    let constant = score::scores(job, &|_, outputs| outputs.copy_from_slice(&constant))?;
    Ok(Baselines { constant, linear: linear::linear(job)? })
}

impl Baselines {
    /// As it stands in summary.json.
    pub fn json(&self) -> Value {
        let sets = |scores: &SetScores| -> Value {
            let each = scores.iter();
            each.map(|(set, own)| (set.clone(), scores_json(std::slice::from_ref(own)))).collect()
        };
        let mut document = json!({ "constant": sets(&self.constant), "linear": null });
        if let Some(linear) = &self.linear {
            let mut own = sets(&linear.scores);
            own["penalty"] = json!(linear.penalty);
            own["rows"] = json!(linear.rows);
            own["converged"] = json!(linear.converged);
            if !linear.left_out.is_empty() {
                own["left_out"] = json!(linear.left_out);
            }
            document["linear"] = own;
        }
        document
    }

    /// How the network does beside them, a sentence. `network` are the scores of each set, for each
    /// member.
    pub fn verdict(&self, network: &[(String, Vec<Scores>)]) -> Option<String> {
        words::verdict(self, network)
    }
}
