//! The diagnosis of an initialisation, before the first step: do the differences between rows, and the
//! gradients, keep their size from layer to layer (Glorot and Bengio, 2010; He et al., 2015)?

use std::fmt;

use super::observation::{LayerObservation, Observation};
use crate::catalog::activation;

/// What the signal, or the gradient, may gain or lose between the first and the last hidden layer.
const MOST_CHANGE: f64 = 100.0;

/// Inputs and losses are of the size of 1: what is this far from it is lost or overwhelms.
const MOST_SIZE: f64 = 1e3;

/// Logits and outputs beyond this begin saturated.
const MOST_OUTPUT: f64 = 30.0;

/// Units that may be idle at the start.
const MOST_IDLE: f64 = 0.5;

/// Something that may keep a network from learning.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which layers.
    pub subject: String,
    /// What was seen, with its number.
    pub what: String,
    /// What may be done about it.
    pub proposal: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.what)?;
        match &self.proposal {
            Some(proposal) => write!(f, "; {proposal}"),
            None => Ok(()),
        }
    }
}

/// What an observation before the first step says of the network's initialisation; nothing where it
/// is as it should be. It is that of the first member.
pub fn diagnose(observation: &Observation) -> Vec<Finding> {
    let Some((output, hidden)) = observation.layers.split_last() else { return Vec::new() };
    let mut findings = Vec::new();
    for layer in hidden {
        findings.extend(units_alike(layer));
        findings.extend(idle(layer));
    }
    if let Some((first_hidden, last)) = hidden.first().zip(hidden.last()) {
        let signals: Vec<f64> = hidden.iter().map(|layer| first(&layer.signal)).collect();
        let deltas = hidden.iter().rev().map(|layer| layer.deltas.histogram.deviation());
        let gradients: Vec<f64> = deltas.collect();
        let forward = Passage {
            what: "the differences between rows",
            way: "forward",
            from: first_hidden,
            to: last,
            sizes: &signals,
        };
        let backward = Passage {
            what: "the gradients",
            way: "backward",
            from: last,
            to: first_hidden,
            sizes: &gradients,
        };
        for passage in [forward, backward] {
            findings.extend(passage.finding().map(|(subject, what)| Finding {
                subject,
                what,
                proposal: Some(keeps_variance(last)),
            }));
        }
    }
    let size = root_mean_square(output);
    if size > MOST_OUTPUT && output.outputs.histogram.count() > 0 {
        findings.push(Finding {
            subject: format!("{} (output)", output.name),
            what: format!("outputs begin at a size of {size:.3}, far from any target"),
            proposal: Some("scale the data (data.scaling), or use a smaller init".to_owned()),
        });
    }
    let not_finite = observation.layers.iter().find(|layer| layer.outputs.histogram.not_finite > 0);
    if let Some(layer) = not_finite {
        findings.push(Finding {
            subject: layer.name.clone(),
            what: "outputs are not finite before the first step".to_owned(),
            proposal: Some("scale the data (data.scaling), or use a smaller init".to_owned()),
        });
    }
    findings
}

fn first(of_members: &[f64]) -> f64 {
    of_members.first().copied().unwrap_or(0.0)
}

fn root_mean_square(layer: &LayerObservation) -> f64 {
    let outputs = &layer.outputs.histogram;
    outputs.mean().hypot(outputs.deviation())
}

/// Layers whose units all have the same weights get the same gradients, and never differ.
fn units_alike(layer: &LayerObservation) -> Option<Finding> {
    let weights = layer.tensors.first()?;
    let alike =
        layer.units > 1 && weights.values.count() > 1 && weights.values.low == weights.values.high;
    alike.then(|| Finding {
        subject: layer.name.clone(),
        what: format!("all weights are {}, so that all units learn the same", weights.values.low),
        proposal: Some(drawn_by(layer)),
    })
}

fn idle(layer: &LayerObservation) -> Option<Finding> {
    let (dead, saturated) = (first(&layer.dead), first(&layer.saturated));
    let what = if dead > MOST_IDLE {
        let dead = 100.0 * dead;
        format!("{dead:.0} % of the {} units are dead: no row moves them", layer.units)
    } else if saturated > MOST_IDLE {
        let saturated = 100.0 * saturated;
        format!("{saturated:.0} % of the outputs are at a bound of {}", layer.activation)
    } else {
        return None;
    };
    Some(Finding {
        subject: layer.name.clone(),
        what,
        proposal: Some("scale the data (data.scaling), use a smaller init, or \"norm\"".to_owned()),
    })
}

/// How a quantity fares through the hidden layers.
struct Passage<'a> {
    what: &'a str,
    way: &'a str,
    from: &'a LayerObservation,
    to: &'a LayerObservation,
    /// Its size at each layer on its way.
    sizes: &'a [f64],
}

impl Passage<'_> {
    /// Where it is lost or overwhelms: the layers, and what was seen.
    fn finding(&self) -> Option<(String, String)> {
        let (begins, ends) = (*self.sizes.first()?, *self.sizes.last()?);
        if !begins.is_finite() || !ends.is_finite() {
            return None;
        }
        let gain = if begins > 0.0 { ends / begins } else { 1.0 };
        let verb = if gain < 1.0 / MOST_CHANGE {
            "vanish"
        } else if gain > MOST_CHANGE || ends > MOST_SIZE {
            "explode"
        } else if ends < 1.0 / MOST_SIZE && self.way == "forward" {
            "are all but lost"
        } else {
            return None;
        };
        let passages = self.sizes.len() - 1;
        let what = self.what;
        if passages == 0 {
            return Some((
                self.from.name.clone(),
                format!("{what} {verb}: their size is {ends:.2e}"),
            ));
        }
        let mut text = format!("{what} {verb} {}: from {begins:.2e} to {ends:.2e}", self.way);
        if passages > 1 && gain > 0.0 {
            text.push_str(&format!(", {:.2} times a layer", gain.powf(1.0 / passages as f64)));
        }
        Some((format!("{} to {}", self.from.name, self.to.name), text))
    }
}

/// The initialiser that is made for the layer's activation.
fn made_for(layer: &LayerObservation) -> &'static str {
    activation::find(&layer.activation).map_or("glorot_uniform", |row| row.default_initializer)
}

fn drawn_by(layer: &LayerObservation) -> String {
    format!("use \"init\": \"{}\", made for {}", made_for(layer), layer.activation)
}

/// What keeps the variance from layer to layer.
fn keeps_variance(layer: &LayerObservation) -> String {
    let made_for = made_for(layer);
    let kin = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
    if kin(made_for) == kin(&layer.initializer) {
        return "scale the data (data.scaling), or give the layers \"norm\": \"layer_norm\""
            .to_owned();
    }
    format!("{}, instead of {}", drawn_by(layer), layer.initializer)
}
