//! A comparison as a page: the document's tables, with drawings of what they are taken from.

use super::document::{document, short_name, short_names};
use super::layout::Quantity;
use super::result::{Axis as Growing, BreakEven, Comparison};
use crate::error::Result;
use crate::report::page::plot::{Axis, Chart, Figure, Ink, Layer, Shape};
use crate::report::page::{Cell, Page, Table, Tone};

/// A logarithmic axis, whatever the values.
fn logarithmic(title: &str) -> Axis {
    Axis { log: true, ..Axis::new(title) }
}

/// One self-contained page.
///
/// # Errors
/// When a drawing fails, which is a fault of the program.
pub fn to_html(comparison: &Comparison) -> Result<String> {
    let written = document(comparison);
    let mut page = Page::new(&written.title);
    page.section("Verdict");
    for (at, paragraph) in written.verdict.iter().enumerate() {
        match (at, comparison.is_right()) {
            (0, false) => page.remark(Tone::Warning, paragraph),
            _ => page.paragraph(paragraph),
        }
    }
    page.facts(&written.facts);
    for section in &written.sections {
        page.section(&section.title);
        page.paragraph(&section.caption);
        page.figures(&match section.title.as_str() {
            "Each step beside f64" => checks(comparison)?,
            "Apart from the f64 run" => drifts(comparison)?,
            "Break-even" => break_evens(comparison)?,
            _ => Vec::new(),
        });
        let mut table = Table::new(&section.headers);
        for row in &section.rows {
            let cells = row.iter().enumerate().map(|(at, cell)| match at < section.numbers {
                true => Cell::text(cell),
                false => Cell::number(cell),
            });
            table.row(cells.collect());
        }
        page.table(&table);
        for line in &section.after {
            page.paragraph(line);
        }
    }
    Ok(page.finish())
}

/// How much of its band the worst tensor fills, by quantity.
fn checks(comparison: &Comparison) -> Result<Vec<Figure>> {
    let names = short_names(&comparison.devices);
    let of = |quantity: Quantity, title: &str| {
        let mut chart = Chart::new(
            title,
            "The worst tensor of each step.",
            Axis::whole("step"),
            logarithmic("of the band"),
        );
        for (at, (run, name)) in comparison.devices.iter().zip(&names).enumerate() {
            let points = run.steps.iter().filter_map(|step| {
                let gap = step.checks.iter().find(|gap| gap.quantity == quantity)?;
                (gap.of_band < 1e300).then_some((step.step as f64, gap.of_band))
            });
            chart.layers.push(Layer::line(name, Ink::Series(at), points.collect()));
        }
        chart.layers.push(Layer::horizontal(1.0, "band"));
        chart.figure()
    };
    Ok(vec![
        of(Quantity::Activation, "Outputs of layers")?,
        of(Quantity::Gradient, "Gradients")?,
        of(Quantity::Weight, "Weights and moments after the step")?,
        of(Quantity::Loss, "Loss")?,
    ])
}

/// Losses, and how the runs part.
fn drifts(comparison: &Comparison) -> Result<Vec<Figure>> {
    let names = short_names(&comparison.devices);
    let reference = &comparison.reference;
    let numbered = |values: &[f64]| {
        let points = values.iter().enumerate().filter(|(_, value)| **value < 1e300);
        points.map(|(at, value)| ((at + 1) as f64, *value)).collect::<Vec<_>>()
    };
    let mut drift = Chart::new(
        "Drift from the f64 run",
        "Chaos is a line that rises steadily, and rounding alone rises as it does; a bug is a jump.",
        Axis::whole("step"),
        logarithmic("drift"),
    );
    let mut losses =
        Chart::new("Loss", "Before each step.", Axis::whole("step"), Axis::new("loss"));
    for (at, (run, name)) in comparison.devices.iter().zip(&names).enumerate() {
        let of_steps: Vec<f64> = run.steps.iter().map(|step| step.drift).collect();
        drift.layers.push(Layer::line(name, Ink::Series(at), numbered(&of_steps)));
        let own = run.steps.iter().filter_map(|step| Some((step.step as f64, step.loss?)));
        losses.layers.push(Layer::line(name, Ink::Series(at), own.collect()));
    }
    let last = comparison.devices.len();
    let rounded = numbered(&reference.rounded_drift);
    drift.layers.push(Layer::line("rounding alone", Ink::Series(last), rounded));
    let exact = reference.losses.iter().enumerate();
    let exact = exact.filter_map(|(at, loss)| Some(((at + 1) as f64, (*loss)?)));
    losses.layers.push(Layer::line("f64", Ink::Series(last), exact.collect()));
    Ok(vec![drift.figure()?, losses.figure()?])
}

/// The times by size.
fn break_evens(comparison: &Comparison) -> Result<Vec<Figure>> {
    comparison.break_even.iter().map(break_even).collect()
}

fn break_even(found: &BreakEven) -> Result<Figure> {
    let short = short_name(&found.device);
    let (title, axis) = match found.axis {
        Growing::BatchRows => ("by the rows of a batch", "rows a batch"),
        Growing::HiddenUnits => ("by the width of hidden layers", "units of the widest"),
    };
    let mut chart = Chart::new(
        &format!("A step on {short} and the CPU, {title}"),
        &super::verdict::break_even(found),
        logarithmic(axis),
        logarithmic("seconds a step"),
    );
    let points = |seconds: &dyn Fn(&super::result::BreakEvenPoint) -> f64| {
        found.points.iter().map(|point| (point.size as f64, seconds(point))).collect()
    };
    let cpu: Vec<(f64, f64)> = points(&|point| point.cpu_seconds);
    let gpu: Vec<(f64, f64)> = points(&|point| point.gpu_seconds);
    for (name, ink, points) in [("CPU", Ink::Series(0), cpu), (short, Ink::Series(1), gpu)] {
        chart.layers.push(Layer::line(name, ink, points.clone()));
        chart.layers.push(Layer { name: String::new(), ink, shape: Shape::Dots(points) });
    }
    if let Some(at) = found.at {
        chart.layers.push(Layer::vertical(at, "break-even"));
    }
    chart.figure()
}
