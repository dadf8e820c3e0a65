//! The rules: every choice by rows, inputs and task.

use super::profile::Profile;
use crate::config::data::Task;

/// A row for each input that makes a network's freedom harmless, about: with fewer, penalties and dropout are
/// at their strongest and the network has one layer.
const ROWS_AN_INPUT: f64 = 30.0;

/// Rows below which the penalty is at its strongest.
const FEW_ROWS: f64 = 350.0;

/// What the config says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choices {
    /// Shares of the rows.
    pub(super) validation: f64,
    pub(super) test: f64,
    pub(super) scaling: &'static str,
    pub(super) units: Vec<usize>,
    pub(super) activation: &'static str,
    pub(super) dropout: f64,
    pub(super) l2: f64,
    pub(super) learning_rate: f64,
    pub(super) epochs: usize,
    pub(super) batch_size: usize,
    pub(super) patience: usize,
    pub(super) metrics: Vec<&'static str>,
    pub(super) balanced: bool,
}

/// The value beside the first bound that rows are below; the last one beyond.
fn by_rows<T: Copy>(rows: f64, steps: &[(f64, T)], beyond: T) -> T {
    steps.iter().find(|(below, _)| rows < *below).map_or(beyond, |(_, value)| *value)
}

/// One digit.
fn rounded(value: f64) -> f64 {
    format!("{value:.0e}").parse().unwrap_or(value)
}

impl Choices {
    pub(super) fn of(profile: &Profile) -> Self {
        let (rows, inputs) = (profile.rows as f64, profile.inputs.max(1) as f64);
        // 10,000 rows tell scores apart by 1 % of their spread, and more are better trained on.
        let many = rounded(10_000.0 / rows).max(0.001);
        let share = by_rows(rows, &[(1e3, 0.2), (1e4, 0.15), (1e5, 0.1)], many);
        let test = if profile.test_rows.is_some() { 0.0 } else { share };
        let trained = rows * (1.0 - share - test);
        // 1: few rows for the inputs; towards 0: as many as one likes.
        let scarcity = (ROWS_AN_INPUT * inputs / trained).min(1.0);
        let l2 = rounded(0.05 * ((FEW_ROWS / trained).min(1.0) * scarcity).powi(2));
        let batch_size = by_rows(trained, &[(5e3, 32), (2e4, 64), (1e5, 128), (1e6, 256)], 1024);
        let steps = by_rows(trained, &[(1.5e3, 3e3), (5e3, 6e3)], 12e3);
        let epochs = (steps * batch_size as f64 / trained).round().clamp(10.0, 1000.0);
        let deep = trained >= 700.0 && scarcity <= 0.5;
        let width = by_rows(trained, &[(5e4, 128), (5e5, 256)], 512);
        Self {
            validation: share,
            test,
            scaling: match profile.pixels {
                Some(largest) if largest > 128.0 && largest < 256.0 => "divide_by_255",
                _ => "standard",
            },
            units: vec![width; if deep { 2 } else { 1 }],
            activation: "gelu",
            dropout: if scarcity > 0.5 { 0.4 } else { 0.2 },
            l2: if l2 >= 1e-6 { l2 } else { 0.0 },
            learning_rate: by_rows(trained, &[(2e4, 0.003)], 0.001),
            epochs: epochs as usize,
            batch_size,
            patience: ((epochs / 3.0) as usize).max(5),
            metrics: match profile.task {
                Task::Binary if profile.imbalance.is_some() => {
                    vec!["balanced_accuracy", "f1", "pr_auc", "roc_auc"]
                }
                Task::Binary => vec!["accuracy", "f1", "roc_auc"],
                Task::Classification if profile.imbalance.is_some() => {
                    vec!["balanced_accuracy", "accuracy", "f1_macro"]
                }
                Task::Classification => vec!["accuracy", "f1_macro"],
                Task::Multilabel => vec!["f1_macro", "accuracy", "hamming_loss"],
                Task::Regression => vec!["rmse", "mae", "r2"],
            },
            balanced: profile.imbalance.is_some(),
        }
    }
}
