//! What an observation says of each layer, as curves over the epochs.

use super::numbers::{mean, median};
use crate::report::page::plot::{Axis, Chart, Ink, Layer};
use crate::train::observation::{Histogram, LayerObservation, Observation, TensorObservation};

/// Layers that have drawings of their own: of more, the first and the last ones.
pub(super) const OWN: usize = 8;

/// Layers that one drawing holds.
const TOGETHER: usize = 14;

/// Powers of ten over which values go on a logarithmic axis.
const DECADES: f64 = 1.0;

/// The layers to draw, `most` at most: of more, as many first ones as last ones.
pub(super) fn chosen(layers: usize, most: usize) -> Vec<usize> {
    if layers <= most {
        return (0..layers).collect();
    }
    (0..most / 2).chain(layers - most / 2..layers).collect()
}

/// The layer's name with what it is: `layers.0 (relu, 128 units)`.
pub(super) fn described(layer: &LayerObservation) -> String {
    let activation = &layer.activation;
    format!("{} ({activation}, {} units)", layer.name, layer.units)
}

/// The tensor of a layer whose name ends so.
pub(super) fn tensor<'a>(layer: &'a LayerObservation, end: &str) -> Option<&'a TensorObservation> {
    layer.tensors.iter().find(|tensor| tensor.name.ends_with(end))
}

/// A value of each layer over the epochs.
pub(super) type Series = Vec<(f64, f64)>;

/// A value of the layer of that number over the epochs, the mean over the members.
pub(super) fn over_epochs(
    observations: &[Observation],
    layer: usize,
    value: impl Fn(&LayerObservation) -> Option<Vec<f64>>,
) -> Series {
    let point = |observation: &Observation| {
        let value = value(observation.layers.get(layer)?)?;
        Some((observation.epoch as f64, mean(&value)))
    };
    observations.iter().filter_map(point).collect()
}

/// The median over the epochs.
pub(super) fn usual(series: &[(f64, f64)]) -> f64 {
    median(series.iter().map(|point| point.1))
}

/// One curve a layer.
pub(super) fn lines(
    title: &str,
    caption: &str,
    y: &str,
    observations: &[Observation],
    value: impl Fn(&LayerObservation) -> Option<Vec<f64>>,
) -> Chart {
    let count = observations.iter().map(|seen| seen.layers.len()).max().unwrap_or(0);
    let drawn = chosen(count, TOGETHER);
    let series: Vec<(usize, Series)> =
        drawn.iter().map(|layer| (*layer, over_epochs(observations, *layer, &value))).collect();
    let all = series.iter().flat_map(|(_, points)| points.iter().map(|point| point.1));
    let y = Axis::fitting(y, all, DECADES);
    let some = if drawn.len() < count {
        format!(" {} of {count} layers.", drawn.len())
    } else {
        String::new()
    };
    let mut chart = Chart::new(title, &format!("{caption}{some}"), Axis::whole("epoch"), y);
    for (at, (layer, points)) in series.into_iter().enumerate() {
        let name = observations.iter().find_map(|seen| seen.layers.get(layer));
        let name = name.map(|layer| layer.name.clone()).unwrap_or_default();
        chart.layers.push(Layer::line(&name, Ink::Series(at), points));
    }
    chart
}

/// How values are distributed over the epochs: bands of 90 and 50 of 100 about the median, and the extremes.
pub(super) fn bands(
    title: &str,
    y: &str,
    ink: Ink,
    observations: &[Observation],
    histogram: impl Fn(&Observation) -> Option<&Histogram>,
) -> Chart {
    let seen: Vec<(f64, &Histogram)> = observations
        .iter()
        .filter_map(|observation| Some((observation.epoch as f64, histogram(observation)?)))
        .filter(|(_, histogram)| histogram.count() > 0)
        .collect();
    let between = |low: f64, high: f64| {
        seen.iter().map(|(x, h)| (*x, h.quantile(low), h.quantile(high))).collect::<Vec<_>>()
    };
    let lost: u64 = seen.iter().map(|(_, histogram)| histogram.not_finite).sum();
    let caption = if lost > 0 { format!("{lost} values were not finite.") } else { String::new() };
    let mut chart = Chart::new(title, &caption, Axis::whole("epoch"), Axis::new(y));
    chart.layers = vec![
        Layer::band("", ink, 0.12, between(0.0, 1.0)),
        Layer::band("", ink, 0.2, between(0.05, 0.95)),
        Layer::band("", ink, 0.3, between(0.25, 0.75)),
        Layer::line("", ink, seen.iter().map(|(x, h)| (*x, h.quantile(0.5))).collect()),
    ];
    chart
}
