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

pub use job::Job;

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
    /// The penalty that was taken.
    pub penalty: f64,
    /// Training rows that it was fitted on.
    pub rows: usize,
    /// Whether the fit came to its end.
    pub converged: bool,
    /// Columns that it goes without: the network embeds them, and their codes are no numbers.
    pub left_out: Vec<String>,
}

/// Fits both and scores them.
///
/// # Errors
/// Those of the metrics.
pub fn baselines(job: &Job) -> crate::Result<Baselines> {
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
