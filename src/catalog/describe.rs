//! The catalogue as plain facts: what `wgfit list` prints, and README's tables hold.

use serde::Serialize;

use super::metric::Better;
use super::optimizer::Convention;
use super::parameter::{Parameter, Range};
use super::schedule::{Length, ScheduleKey, Value};
use super::{
    activation, initializer, loss, metric, normalization, optimizer, row_activation, schedule,
};
use crate::config::data::Task;

/// One table.
#[derive(Debug, Clone, Serialize)]
pub struct Section {
    /// Its name, in the plural.
    pub kind: &'static str,
    /// Its variants, in their order.
    pub variants: Vec<Described>,
}

/// One variant.
#[derive(Debug, Clone, Serialize)]
pub struct Described {
    /// Its name in configs.
    pub name: &'static str,
    /// Its formula.
    pub formula: &'static str,
    /// What it takes from the config.
    pub parameters: Vec<DescribedParameter>,
    /// The tasks it fits; empty where that is no question.
    pub tasks: Vec<Task>,
    /// Whether a metric is better small (`min`) or large (`max`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub better: Option<&'static str>,
    /// What its file says of it: formula, sources.
    pub page: String,
}

/// One parameter.
#[derive(Debug, Clone, Serialize)]
pub struct DescribedParameter {
    /// Its key.
    pub name: String,
    /// Its default in PyTorch's convention.
    pub torch: String,
    /// Its default in Keras' convention.
    pub keras: String,
    /// What it takes.
    pub takes: String,
    /// What it is.
    pub description: &'static str,
}

impl DescribedParameter {
    /// `slope = 0.01 (torch), 0.2 (keras)`, or one default for both.
    pub fn with_default(&self) -> String {
        if self.torch == self.keras {
            format!("{} = {}", self.name, self.torch)
        } else {
            format!("{} = {} (torch), {} (keras)", self.name, self.torch, self.keras)
        }
    }
}

/// Metrics have no page of their own.
const METRIC_PAGE: &str = "\
//! As scikit-learn defines it, edge cases included; of several classes or labels the mean over all.
//!
//! Source: scikit-learn 1.9, `sklearn.metrics`; the calibration error: Guo et al., \"On calibration of
//! modern neural networks\", 2017.";

/// The `//!` lines that a file begins with.
fn page_of(file: &str) -> String {
    let lines = file.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn parameter(parameter: &Parameter) -> DescribedParameter {
    let value = |x: f64| match parameter.range {
        Range::Flag => (x == 1.0).to_string(),
        _ if x != 0.0 && x.abs() < 1e-3 => format!("{x:e}"),
        _ => x.to_string(),
    };
    DescribedParameter {
        name: parameter.name.to_owned(),
        torch: value(parameter.torch),
        keras: value(parameter.keras),
        takes: parameter.range.expected().to_owned(),
        description: parameter.description,
    }
}

fn described(
    name: &'static str,
    formula: &'static str,
    parameters: &[Parameter],
    page: &str,
) -> Described {
    Described {
        name,
        formula,
        parameters: parameters.iter().map(self::parameter).collect(),
        tasks: Vec::new(),
        better: None,
        page: page_of(page),
    }
}

fn length(value: Length) -> String {
    match value {
        Length::Steps(steps) => format!("{steps} steps"),
        Length::Epochs(epochs) => format!("{epochs} epochs"),
        Length::Share(1.0) => "the rest of the run".to_owned(),
        Length::Share(share) => format!("{share} of the run"),
    }
}

fn schedule_parameter(key: &ScheduleKey) -> DescribedParameter {
    let (name, takes, description) = match *key {
        ScheduleKey::Number(ref number) => return parameter(number),
        ScheduleKey::Whole { name, description, .. } => {
            (name.to_owned(), "a whole number, 0 or more".to_owned(), description)
        }
        ScheduleKey::Flag { name, description, .. } => {
            (name.to_owned(), "true or false".to_owned(), description)
        }
        ScheduleKey::Choice { name, names, description, .. } => {
            (name.to_owned(), names.join(" or "), description)
        }
        ScheduleKey::Length { steps, epochs, description, .. } => {
            (format!("{steps} or {epochs}"), "a number above 0".to_owned(), description)
        }
        ScheduleKey::Points { steps, epochs, description, .. } => {
            (format!("{steps} or {epochs}"), "a rising list".to_owned(), description)
        }
        ScheduleKey::Rates { name, description, .. } => {
            (name.to_owned(), "a list of rates, one more than the points".to_owned(), description)
        }
        ScheduleKey::Monitor => {
            let what = "what is watched, as in early_stopping";
            ("monitor".to_owned(), "loss or a metric, with val_ before it".to_owned(), what)
        }
    };
    let default = |convention| match key.default(convention, 1.0, true) {
        Value::Number(x) => x.to_string(),
        Value::Whole(x) => x.to_string(),
        Value::Flag(x) => x.to_string(),
        Value::Choice(index) => match key {
            ScheduleKey::Choice { names, .. } => names[index].to_owned(),
            _ => index.to_string(),
        },
        Value::Length(x) => length(x),
        Value::Points(all) => all.into_iter().map(length).collect::<Vec<_>>().join(", "),
        Value::Rates(all) => {
            let rates: Vec<_> = all.iter().map(|x| format!("{x} learning_rate")).collect();
            rates.join(", ")
        }
        Value::Monitor(name) => name,
    };
    let (torch, keras) = (default(Convention::Torch), default(Convention::Keras));
    DescribedParameter { name, torch, keras, takes, description }
}

fn optimizer_variant(row: &'static optimizer::OptimizerRow) -> Described {
    let mut variant = described(row.name, row.formula, row.parameters, row.page);
    for name in row.flags {
        let on = row.orthogonalises().to_string();
        variant.parameters.push(DescribedParameter {
            name: (*name).to_owned(),
            torch: on.clone(),
            keras: on,
            takes: "true or false".to_owned(),
            description: optimizer::describe_flag(name),
        });
    }
    variant
}

/// Every table of the catalogue.
pub fn catalogue() -> Vec<Section> {
    let section = |kind, variants| Section { kind, variants };
    let activations = activation::ACTIVATIONS
        .iter()
        .map(|row| described(row.name, row.formula, row.parameters, row.page));
    let rows = row_activation::ROW_ACTIVATIONS
        .iter()
        .map(|row| described(row.name, row.formula, &[], row.page));
    let normalizations = normalization::NORMALIZATIONS
        .iter()
        .map(|row| described(row.name, row.formula, row.parameters, row.page));
    let initializers = initializer::INITIALIZERS
        .iter()
        .map(|row| described(row.name, row.formula, row.parameters, row.page));
    let losses = loss::LOSSES.iter().map(|row| Described {
        tasks: row.tasks.to_vec(),
        ..described(row.name, row.formula, row.parameters, row.page)
    });
    let schedules = schedule::SCHEDULES.iter().map(|row| Described {
        parameters: row.keys.iter().map(schedule_parameter).collect(),
        ..described(row.name, row.formula, &[], row.page)
    });
    let metrics = metric::METRICS.iter().map(|row| Described {
        tasks: row.tasks.to_vec(),
        better: Some(match row.better {
            Better::Smaller => "min",
            Better::Larger => "max",
        }),
        ..described(row.name, row.formula, &[], METRIC_PAGE)
    });
    vec![
        section("activations", activations.collect()),
        section("output_activations", rows.collect()),
        section("normalizations", normalizations.collect()),
        section("initializers", initializers.collect()),
        section("losses", losses.collect()),
        section("optimizers", optimizer::OPTIMIZERS.iter().map(optimizer_variant).collect()),
        section("schedules", schedules.collect()),
        section("metrics", metrics.collect()),
    ]
}
