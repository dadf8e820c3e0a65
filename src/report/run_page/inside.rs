//! Inside the network: weights, gradients, updates and activations, layer by layer over the epochs, with
//! what is wrong in words.

use super::layers::{OWN, bands, chosen, described, lines, over_epochs, tensor, usual};
use super::numbers::listed;
use crate::error::Result;
use crate::report::page::plot::{Figure, Ink, Layer};
use crate::report::page::{Page, Tone};
use crate::report::run_record::RunRecord;
use crate::train::diagnosis::diagnose;
use crate::train::observation::{LayerObservation, Observation};

/// A layer's gradient beside that of the output layer at which it is said to vanish; its inverse is that at
/// which it explodes.
const VANISHES: f64 = 1e-3;

/// Growth of a gradient's norm over its median at which it is said to explode.
const EXPLODES: f64 = 1e3;

/// The usual ratio of an update to its weights, and how far off it is worth a word.
const USUAL_UPDATE: f64 = 1e-3;
const SMALL_UPDATE: f64 = 1e-5;
const LARGE_UPDATE: f64 = 1e-1;

/// Share of dead, or saturated, units that is worth a word.
const MANY: f64 = 0.25;

pub(super) fn inside(page: &mut Page, record: &RunRecord) -> Result<()> {
    let observations = record.observations.as_slice();
    let Some(last) = observations.last() else { return Ok(()) };
    page.section("Inside the network");
    let first_member = if record.members() > 1 {
        " Distributions are those of the first member, other numbers means over the members observed."
    } else {
        ""
    };
    page.paragraph(&format!(
        "Looked at on {} training rows, always the same, without dropout. Epoch 0 is before the first \
         step.{first_member}",
        last.rows
    ));
    diagnosis(page, observations);
    let findings = findings(observations);
    for finding in &findings {
        page.remark(Tone::Warning, finding);
    }
    if findings.is_empty() {
        page.paragraph(
            "Gradients reach every layer, updates are of a usual size, and few units are dead or saturated.",
        );
    }
    page.heading("Gradients and updates");
    page.figures(&flows(observations)?);
    page.heading("Weights");
    page.paragraph(
        "Bands hold all values, 90 and 50 of 100 of them, about the median. Weights that do not move \
         learn nothing; a band that grows without end is a sign of too large a learning rate.",
    );
    page.figures(&tensors(observations)?);
    page.heading("Activations");
    page.paragraph(
        "What each layer puts out, in the same bands, and what is left in it of the differences between \
         rows.",
    );
    page.figures(&outputs(observations)?);
    Ok(())
}

/// What the weights before the first step were like.
fn diagnosis(page: &mut Page, observations: &[Observation]) {
    let Some(first) = observations.first().filter(|first| first.epoch == 0) else { return };
    let findings = diagnose(first);
    for finding in &findings {
        page.remark(Tone::Warning, &format!("Starting weights: {finding}."));
    }
    if findings.is_empty() {
        page.paragraph(
            "The starting weights were sound: the differences between rows, and the gradients, kept their \
             size from layer to layer.",
        );
    }
}

/// How many things are wrong inside, the starting weights counted.
pub(super) fn warnings(observations: &[Observation]) -> usize {
    let first = observations.first().filter(|first| first.epoch == 0);
    first.map_or(0, |first| diagnose(first).len()) + findings(observations).len()
}

fn layer_count(observations: &[Observation]) -> usize {
    observations.iter().map(|seen| seen.layers.len()).max().unwrap_or(0)
}

fn weight_gradient(layer: &LayerObservation) -> Option<Vec<f64>> {
    tensor(layer, "weight").map(|tensor| tensor.gradient_norm.clone())
}

fn update_ratio(layer: &LayerObservation) -> Option<Vec<f64>> {
    let ratio = &tensor(layer, "weight")?.update_ratio;
    (!ratio.is_empty()).then(|| ratio.clone())
}

/// Gradient norms, updates, dead and saturated units.
fn flows(observations: &[Observation]) -> Result<Vec<Figure>> {
    let gradients = lines(
        "Gradient norm by layer",
        "Of each layer's weights. Layers should lie within a few powers of ten of each other.",
        "norm of the gradient",
        observations,
        weight_gradient,
    );
    let mut updates = lines(
        "Update over weight by layer",
        "Norm of what a step changes over that of the weights. About 1e−3 is usual.",
        "update / weight",
        observations,
        update_ratio,
    );
    updates.y.log = true;
    updates.layers.push(Layer::horizontal(USUAL_UPDATE, "usual: 1e−3"));
    let mut figures = vec![gradients.figure()?, updates.figure()?];
    let shares = [
        (
            "Dead units",
            "Share of each layer's units whose activation passes no gradient on any row.",
            (|layer: &LayerObservation| Some(layer.dead.clone())) as fn(&LayerObservation) -> _,
        ),
        (
            "Saturated outputs",
            "Share of each layer's outputs that are at a bound of their activation, where it is flat.",
            |layer| Some(layer.saturated.clone()),
        ),
    ];
    for (title, caption, value) in shares {
        let mut chart = lines(title, caption, "share", observations, value);
        chart.y.log = false;
        let all = || observations.iter().flat_map(|seen| &seen.layers);
        let any = all().filter_map(value).flatten().any(|share| share > 0.0);
        chart.y.from_zero = true;
        figures.push(if any {
            chart.figure()?
        } else {
            Figure::without_drawing(title, &format!("{caption} There were none at any look."))
        });
    }
    Ok(figures)
}

fn tensors(observations: &[Observation]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for layer in chosen(layer_count(observations), OWN) {
        for (end, what, ink) in [("weight", "Weights", 0), ("bias", "Biases", 3)] {
            let Some(seen) = observations.iter().find_map(|seen| seen.layers.get(layer)) else {
                continue;
            };
            if tensor(seen, end).is_none() {
                continue;
            }
            let title = format!("{what} of {}", described(seen));
            let y = what.to_lowercase();
            let chart = bands(&title, &y, Ink::Series(ink), observations, |seen| {
                Some(&tensor(seen.layers.get(layer)?, end)?.values)
            });
            figures.push(chart.figure()?);
        }
    }
    Ok(figures)
}

fn outputs(observations: &[Observation]) -> Result<Vec<Figure>> {
    let signal = lines(
        "Signal by layer",
        "The deviation of a unit's output over the rows. A layer where it is near 0 tells rows no longer \
         apart.",
        "deviation over the rows",
        observations,
        |layer| Some(layer.signal.clone()),
    );
    let mut figures = vec![signal.figure()?];
    for layer in chosen(layer_count(observations), OWN) {
        let Some(seen) = observations.iter().find_map(|seen| seen.layers.get(layer)) else {
            continue;
        };
        let title = format!("Outputs of {}", described(seen));
        let chart = bands(&title, "output", Ink::Series(2), observations, |seen| {
            Some(&seen.layers.get(layer)?.outputs.histogram)
        });
        figures.push(chart.figure()?);
    }
    Ok(figures)
}

/// What is wrong, a sentence each.
fn findings(observations: &[Observation]) -> Vec<String> {
    let mut findings = Vec::new();
    let count = layer_count(observations);
    let name = |layer: usize| {
        let seen = observations.iter().find_map(|seen| seen.layers.get(layer));
        seen.map(described).unwrap_or_default()
    };
    let names = |layers: &[usize]| listed(&layers.iter().map(|at| name(*at)).collect::<Vec<_>>());
    let those =
        |test: &dyn Fn(usize) -> bool| (0..count).filter(|at| test(*at)).collect::<Vec<_>>();

    let delta = |layer: usize| {
        usual(&over_epochs(observations, layer, |layer| Some(layer.deltas.deviation.clone())))
    };
    let of_output = count.checked_sub(1).map_or(f64::NAN, delta);
    let vanishing = those(&|at| delta(at) < VANISHES * of_output);
    if !vanishing.is_empty() {
        findings.push(format!(
            "Vanishing gradients: in {} they are below a thousandth of those in the output layer. Another \
             initialisation, relu-like activations, normalisation or residual connections keep them up.",
            names(&vanishing)
        ));
    }
    let exploding = those(&|at| delta(at) * VANISHES > of_output);
    let growing = those(&|at| {
        let norms = over_epochs(observations, at, weight_gradient);
        let most = norms.iter().map(|point| point.1).fold(0.0, f64::max);
        most > EXPLODES * usual(&norms)
    });
    for (layers, what) in [
        (exploding, "are a thousand times those in the output layer"),
        (growing, "grew to a thousand times what is usual there"),
    ] {
        if !layers.is_empty() {
            findings.push(format!(
                "Exploding gradients: in {} they {what}. optimizer.clip_global_norm, a smaller learning \
                 rate or another initialisation hold them down.",
                names(&layers)
            ));
        }
    }
    let lost = those(&|at| {
        observations.iter().filter_map(|seen| seen.layers.get(at)).any(|layer| {
            let lost = |tensor: &crate::train::observation::TensorObservation| {
                tensor.values.not_finite + tensor.gradient.not_finite > 0
            };
            layer.outputs.histogram.not_finite > 0 || layer.tensors.iter().any(lost)
        })
    });
    if !lost.is_empty() {
        findings.push(format!("Numbers that are not finite were seen in {}.", names(&lost)));
    }
    let ratio = |at: usize| usual(&over_epochs(observations, at, update_ratio));
    let small = those(&|at| ratio(at) < SMALL_UPDATE);
    let large = those(&|at| ratio(at) > LARGE_UPDATE);
    if !small.is_empty() {
        findings.push(format!(
            "A step hardly changes the weights of {}: a larger learning rate may learn sooner.",
            names(&small)
        ));
    }
    if !large.is_empty() {
        findings.push(format!(
            "A step changes the weights of {} by a tenth of their norm or more: a smaller learning rate \
             may go more steadily.",
            names(&large)
        ));
    }
    let last = |at: usize, value: fn(&LayerObservation) -> &Vec<f64>| {
        let seen = observations.last().and_then(|seen| seen.layers.get(at));
        super::numbers::mean(seen.map(value).map_or(&[], Vec::as_slice))
    };
    let dead = those(&|at| last(at, |layer| &layer.dead) > MANY);
    let saturated = those(&|at| last(at, |layer| &layer.saturated) > MANY);
    for (layers, what, word, value, help) in [
        (
            dead,
            "units",
            "dead",
            (|layer: &LayerObservation| &layer.dead) as fn(&LayerObservation) -> &Vec<f64>,
            "A smaller learning rate, leaky_relu or another initialisation keep them alive.",
        ),
        (
            saturated,
            "outputs",
            "saturated",
            |layer| &layer.saturated,
            "Smaller starting weights, scaled inputs or normalisation bring them back.",
        ),
    ] {
        for at in layers {
            findings.push(format!(
                "{:.0} of 100 {what} of {} are {word} at the end. {help}",
                100.0 * last(at, value),
                name(at)
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::observation::{Histogram, Spread, TensorObservation};

    /// A layer whose gradients have that deviation and norm, and whose update is that large.
    fn layer(number: usize, delta: f64, norm: f64, update: f64) -> LayerObservation {
        let spread = |deviation| Spread {
            histogram: Histogram::default(),
            mean: vec![0.0],
            deviation: vec![deviation],
        };
        LayerObservation {
            name: format!("layers.{number}"),
            activation: "tanh".to_owned(),
            initializer: "zeros".to_owned(),
            inputs: 4,
            units: 4,
            outputs: spread(1.0),
            signal: vec![1.0],
            deltas: spread(delta),
            dead: vec![0.0],
            saturated: vec![0.0],
            tensors: vec![TensorObservation {
                name: format!("layers.{number}.weight"),
                values: Histogram::default(),
                gradient: Histogram::default(),
                norm: vec![1.0],
                gradient_norm: vec![norm],
                update_ratio: vec![update],
            }],
        }
    }

    fn epochs(layers: &[LayerObservation]) -> Vec<Observation> {
        (1..=5)
            .map(|epoch| Observation { epoch, step: 1, rows: 8, layers: layers.to_vec() })
            .collect()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_layer() {
        let sound = [layer(0, 0.1, 1.0, 1e-3), layer(1, 0.2, 1.0, 2e-3), layer(2, 0.3, 1.0, 1e-3)];
        assert_eq!(findings(&epochs(&sound)), Vec::<String>::new());
        let said = |change: fn(&mut LayerObservation)| {
            let mut layers = sound.clone();
            change(&mut layers[1]);
            let findings = findings(&epochs(&layers));
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert!(findings[0].contains("layers.1 (tanh, 4 units)"), "{findings:?}");
            findings[0].clone()
        };
        assert!(said(|layer| layer.deltas.deviation = vec![2e-4]).starts_with("Vanishing"));
        assert!(said(|layer| layer.deltas.deviation = vec![400.0]).starts_with("Exploding"));
        assert!(
            said(|layer| layer.tensors[0].update_ratio = vec![1e-6]).contains("hardly changes")
        );
        assert!(said(|layer| layer.tensors[0].update_ratio = vec![0.5]).contains("a tenth"));
        assert!(said(|layer| layer.dead = vec![0.5]).contains("50 of 100 units"));
        assert!(said(|layer| layer.saturated = vec![0.5]).contains("50 of 100 outputs"));
        assert!(said(|layer| layer.tensors[0].gradient.not_finite = 3).contains("not finite"));
        // A gradient that grows in the course of training.
        let mut grown = epochs(&sound);
        grown[4].layers[1].tensors[0].gradient_norm = vec![2e3];
        let findings = findings(&grown);
        assert!(findings.len() == 1 && findings[0].contains("grew"), "{findings:?}");
        // Members without numbers, and no epoch at all.
        let mut lost = epochs(&sound);
        lost[4].layers[0].deltas.deviation = vec![f64::NAN];
        assert_eq!(super::findings(&lost), Vec::<String>::new());
        assert_eq!(super::findings(&[]), Vec::<String>::new());
    }
}
