//! How it learnt: losses, metrics, learning rate.

use super::numbers::{curve_of_members, known, mean};
use super::outcome::best_epochs;
use crate::error::Result;
use crate::report::page::Page;
use crate::report::page::plot::{Axis, Chart, Ink, Layer};
use crate::report::run_record::{EpochLine, RunRecord};

/// Powers of ten over which a loss must go to be drawn on a logarithmic axis.
const DECADES: f64 = 1.5;

/// Windows of a running mean that steps are cut into.
const SMOOTHED: usize = 60;

pub(super) fn learning(page: &mut Page, record: &RunRecord) -> Result<()> {
    if record.epochs.is_empty() && record.steps.is_empty() {
        return Ok(());
    }
    page.section("Learning");
    let members = if record.members() > 1 {
        " Lines are means over the members, bands reach from the smallest to the largest."
    } else {
        ""
    };
    page.paragraph(&format!(
        "Scores on the training rows are of the weights as they were at each step, with dropout and the \
         like; those on the validation rows are of the weights at the epoch's end.{members}"
    ));
    let mut figures = Vec::new();
    let names: Vec<String> = record
        .epochs
        .first()
        .map(|line| line.train.iter().map(|(name, _)| name.clone()).collect())
        .unwrap_or_default();
    for name in &names {
        figures.push(scores_chart(record, name).figure()?);
    }
    if let Some(chart) = rate_chart(record) {
        figures.push(chart.figure()?);
    }
    if !record.steps.is_empty() {
        let losses: Vec<_> =
            record.steps.iter().map(|line| (line.step, line.loss.clone())).collect();
        let norms: Vec<_> =
            record.steps.iter().map(|line| (line.step, line.grad_norm.clone())).collect();
        let caption = "Of the batch, before the step's update.";
        figures.push(steps_chart("Loss of each step", caption, "loss", &losses).figure()?);
        let caption = "Of all weights together. Jumps are batches that pull hard.";
        let title = "Gradient norm of each step";
        figures.push(steps_chart(title, caption, "norm of the gradient", &norms).figure()?);
    }
    page.figures(&figures);
    Ok(())
}

/// A score over the epochs, on the training and on the validation rows.
fn scores_chart(record: &RunRecord, name: &str) -> Chart {
    type Of = fn(&EpochLine) -> &[(String, Vec<f64>)];
    let points = |of: Of| -> Vec<(f64, Vec<f64>)> {
        let value = |line: &EpochLine| {
            of(line).iter().find(|(other, _)| other == name).map(|(_, values)| values.clone())
        };
        record.epochs.iter().filter_map(|line| Some((line.epoch, value(line)?))).collect()
    };
    let (train, validation) = (points(|line| &line.train), points(|line| &line.validation));
    let plain = name.replace('_', " ");
    let all = train.iter().chain(&validation).flat_map(|(_, values)| known(values));
    let y = Axis::fitting(&plain, all, DECADES);
    let caption = if y.log { "Logarithmic." } else { "" };
    let title = if name == "loss" { "Loss".to_owned() } else { plain };
    let mut chart = Chart::new(&title, caption, Axis::whole("epoch"), y);
    chart.wide = name == "loss";
    chart.layers = curve_of_members("training", Ink::Series(0), &train);
    if !validation.is_empty() {
        chart.layers.extend(curve_of_members("validation", Ink::Series(1), &validation));
    }
    if let [epoch] = best_epochs(record).as_slice()
        && *epoch > 0.0
    {
        chart.layers.push(Layer::vertical(*epoch, &format!("kept: epoch {epoch}")));
    }
    chart
}

fn rate_chart(record: &RunRecord) -> Option<Chart> {
    let points: Vec<(f64, Vec<f64>)> =
        record.epochs.iter().map(|line| (line.epoch, line.learning_rate.clone())).collect();
    let all = || points.iter().flat_map(|(_, values)| known(values));
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), rate| {
        (low.min(rate), high.max(rate))
    });
    if low > high {
        return None;
    }
    let caption = if low == high {
        format!("The same at every step: {low}.")
    } else {
        "Of each epoch's last step.".to_owned()
    };
    let y = Axis { from_zero: low != high, ..Axis::fitting("learning rate", all(), DECADES) };
    let mut chart = Chart::new("Learning rate", &caption, Axis::whole("epoch"), y);
    chart.layers = curve_of_members("", Ink::Series(2), &points);
    Some(chart)
}

fn steps_chart(title: &str, caption: &str, y: &str, points: &[(f64, Vec<f64>)]) -> Chart {
    let all = points.iter().flat_map(|(_, values)| known(values));
    let y = Axis::fitting(y, all, DECADES);
    let mut chart = Chart::new(title, caption, Axis::whole("step"), y);
    let each: Vec<(f64, f64)> = points.iter().map(|(step, values)| (*step, mean(values))).collect();
    let window = each.len() / SMOOTHED;
    if window < 2 {
        chart.layers = curve_of_members("", Ink::Series(0), points);
        return chart;
    }
    let smooth = running_mean(&each, window);
    chart.layers = vec![
        Layer::line("each step", Ink::Faint, each),
        Layer::line(&format!("mean of {window} steps"), Ink::Series(0), smooth),
    ];
    chart
}

/// The mean of the last `window` numbers at every point; what is no number is left out.
fn running_mean(points: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    let smoothed = |at: usize| {
        let values: Vec<f64> =
            points[(at + 1).saturating_sub(window)..=at].iter().map(|point| point.1).collect();
        (points[at].0, mean(&values))
    };
    // A point in each quarter of a window shows all that there is to see.
    let every = (window / 4).max(1);
    (0..points.len()).filter(|at| at % every == 0 || at + 1 == points.len()).map(smoothed).collect()
}
