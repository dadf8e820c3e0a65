//! How far probabilities can be believed.

use super::numbers::{mean, score_of_some};
use super::rows::NAME;
use crate::analysis::{Calibration, Classes};
use crate::error::Result;
use crate::report::count;
use crate::report::page::plot::{Axis, Chart, Figure, Ink, Layer, Shape};
use crate::report::page::shortened;

/// Difference of probability and truth that is worth a word.
const TOLD: f64 = 0.02;

/// Rows of a bin from which it is drawn in a curve without whiskers.
const FEWEST: u64 = 10;

/// The reliability of what is predicted with how many rows stand behind it, and that of each class.
pub(super) fn calibration(classes: &Classes) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if let Some(predicted) = classes.calibration.iter().find(|c| c.class.is_none()) {
        let caption = format!(
            "Of the predicted class: how often it is the true one, by its probability. On the dashed line \
             probabilities can be taken at their word; upright lines hold 95 of 100 chances. Expected calibration error {}. {}",
            score_of_some(&predicted.error),
            verdict(predicted),
        );
        let mut chart = diagram("Calibration", &caption);
        let whiskers = predicted.bins.iter().map(|bin| {
            let (low, high) = wilson(bin.right, bin.rows as f64);
            (bin.confidence, low, high)
        });
        let shape = Shape::Whiskers(whiskers.collect());
        chart.layers.push(Layer { name: String::new(), ink: Ink::Muted, shape });
        chart.layers.extend(curve("", 0, 1, predicted));
        figures.push(chart.figure()?);
        figures.push(confidences(predicted).figure()?);
    }
    let each: Vec<&Calibration> =
        classes.calibration.iter().filter(|c| c.class.is_some()).collect();
    if !each.is_empty() {
        let caption = format!(
            "How often a row is of the class, or has the label, by the probability of that, where {FEWEST} \
             rows or more have one like it. Numbers are expected calibration errors."
        );
        let title =
            if figures.is_empty() { "Calibration by label" } else { "Calibration by class" };
        let mut chart = diagram(title, &caption);
        for (at, calibration) in each.into_iter().enumerate() {
            let name = calibration.class.and_then(|class| classes.names.get(class));
            let short = shortened(name.map_or("", String::as_str), NAME);
            let name = format!("{short}: {}", score_of_some(&calibration.error));
            chart.layers.extend(curve(&name, at, FEWEST, calibration));
        }
        figures.push(chart.figure()?);
    }
    Ok(figures)
}

fn diagram(title: &str, caption: &str) -> Chart {
    let mut chart = Chart::new(
        title,
        caption,
        Axis::within("probability", 0.0, 1.0),
        Axis::within("share that is so", 0.0, 1.0),
    );
    chart.square = true;
    chart.layers.push(Layer::line("", Ink::Reference, vec![(0.0, 0.0), (1.0, 1.0)]));
    chart
}

/// The curve through the bins that hold `least` rows.
fn curve(name: &str, at: usize, least: u64, calibration: &Calibration) -> [Layer; 2] {
    let bins = calibration.bins.iter().filter(|bin| bin.rows >= least);
    let points: Vec<(f64, f64)> = bins.map(|bin| (bin.confidence, bin.right)).collect();
    let ink = Ink::Series(at);
    let dots = Layer { name: String::new(), ink, shape: Shape::Dots(points.clone()) };
    [Layer::line(name, ink, points), dots]
}

/// The interval of 95 of 100 chances about a share of some rows.
///
/// Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
fn wilson(share: f64, rows: f64) -> (f64, f64) {
    let z = 1.959_963_984_540_054;
    let square = z * z / rows;
    let middle = (share + square / 2.0) / (1.0 + square);
    let half = z * (share * (1.0 - share) / rows + square / (4.0 * rows)).sqrt() / (1.0 + square);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

fn verdict(calibration: &Calibration) -> &'static str {
    let rows: u64 = calibration.bins.iter().map(|bin| bin.rows).sum();
    let mean_of = |value: fn(&crate::analysis::ReliabilityBin) -> f64| {
        let sum = calibration.bins.iter().map(|bin| value(bin) * bin.rows as f64).sum::<f64>();
        sum / rows as f64
    };
    let over = mean_of(|bin| bin.confidence) - mean_of(|bin| bin.right);
    let error: Vec<f64> = calibration.error.iter().copied().flatten().collect();
    match over {
        over if over > TOLD => "It is surer than it should be.",
        over if over < -TOLD => "It is less sure than it could be.",
        _ if mean(&error) > 2.0 * TOLD => {
            "It is too sure of some rows and not sure enough of others."
        }
        _ => "",
    }
}

/// How many rows are predicted with which probability.
fn confidences(calibration: &Calibration) -> Chart {
    let rows: u64 = calibration.bins.iter().map(|bin| bin.rows).sum();
    let mut chart = Chart::new(
        "Probability of the predicted class",
        &format!("How many of {} predictions are made with which probability.", count(rows)),
        Axis::within("probability", 0.0, 1.0),
        Axis { from_zero: true, whole: true, ..Axis::new("rows") },
    );
    chart.square = true;
    let bins = crate::catalog::metric::probabilities::BINS as f64;
    let columns = calibration.bins.iter().map(|bin| {
        let at = (bin.confidence * bins).ceil().max(1.0) - 1.0;
        (at / bins, (at + 1.0) / bins, bin.rows as f64)
    });
    let shape = Shape::Columns(columns.collect());
    chart.layers.push(Layer { name: String::new(), ink: Ink::Series(0), shape });
    chart
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[test]
    fn the_interval_is_wilsons() {
        // His bounds are the shares p whose own deviation, z of it, just reaches what was seen.
        let (low, high) = wilson(0.8, 10.0);
        for p in [low, high] {
            let distance = (p - 0.8_f64).abs();
            let reach = 1.959_963_984_540_054 * (p * (1.0 - p) / 10.0).sqrt();
            assert!((distance - reach).abs() < 1e-12, "{p}");
        }
        assert!(low < 0.8 && high > 0.8);
        assert!(wilson(1.0, 1.0).1 <= 1.0 && wilson(0.0, 1.0).0 >= 0.0);
    }
}
