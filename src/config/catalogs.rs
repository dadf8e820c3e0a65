//! The catalog's tables as a config sees them: names, and the keys that each takes.

use super::named::{Catalog, Key, KeyKind, Variant};
use crate::catalog::{activation, initializer, loss, optimizer, schedule};

const fn number(name: &'static str, description: &'static str) -> Key {
    Key { name, kind: KeyKind::Number, description }
}

/// Activations of hidden layers.
#[derive(Debug)]
pub enum Activations {}

impl Catalog for Activations {
    const KIND: &'static str = "activation";
    const DEFAULT: Option<&'static str> = None;

    fn variants() -> Vec<Variant> {
        activation::ACTIVATIONS
            .iter()
            .map(|row| Variant {
                name: row.name,
                description: row.formula,
                keys: row.parameters.iter().map(|p| number(p.name, p.description)).collect(),
            })
            .collect()
    }
}

/// Initialisers.
#[derive(Debug)]
pub enum Initializers {}

impl Catalog for Initializers {
    const KIND: &'static str = "initializer";
    const DEFAULT: Option<&'static str> = None;

    fn variants() -> Vec<Variant> {
        initializer::INITIALIZERS
            .iter()
            .map(|row| Variant {
                name: row.name,
                description: row.formula,
                keys: row.parameters.iter().map(|p| number(p.name, p.description)).collect(),
            })
            .collect()
    }
}

/// Losses, and `auto`.
#[derive(Debug)]
pub enum Losses {}

/// The name of the loss that the task chooses.
pub(super) const AUTO: &str = "auto";

impl Catalog for Losses {
    const KIND: &'static str = "loss";
    const DEFAULT: Option<&'static str> = None;

    fn variants() -> Vec<Variant> {
        let auto = Variant { name: AUTO, description: "the task's loss", keys: Vec::new() };
        let rows = loss::LOSSES.iter().map(|row| Variant {
            name: row.name,
            description: row.formula,
            keys: Vec::new(),
        });
        std::iter::once(auto).chain(rows).collect()
    }
}

/// Learning-rate schedules.
#[derive(Debug)]
pub enum Schedules {}

impl Catalog for Schedules {
    const KIND: &'static str = "schedule";
    const DEFAULT: Option<&'static str> = Some("constant");

    fn variants() -> Vec<Variant> {
        let warmup = [
            Key {
                name: "warmup_steps",
                kind: KeyKind::Whole,
                description: "steps in which the rate rises from 0; 0 when left out",
            },
            number("warmup_epochs", "the same in epochs, in place of warmup_steps"),
        ];
        schedule::SCHEDULES
            .iter()
            .map(|row| Variant {
                name: row.name,
                description: row.formula,
                keys: row
                    .parameter
                    .iter()
                    .map(|p| number(p.name, p.description))
                    .chain(warmup)
                    .collect(),
            })
            .collect()
    }
}

/// Optimizers.
#[derive(Debug)]
pub enum Optimizers {}

/// Names of the conventions.
pub(super) const CONVENTIONS: &[&str] = &["torch", "keras"];

/// Keys of all optimizers.
const OPTIMIZER_KEYS: [Key; 7] = [
    number("learning_rate", "base learning rate, above 0"),
    Key {
        name: "convention",
        kind: KeyKind::OneOf(CONVENTIONS),
        description: "whose formulas and defaults: of the optimizer, initialisers and l2",
    },
    number("weight_decay", "decoupled weight decay, 0 or more"),
    Key { name: "decay_biases", kind: KeyKind::Flag, description: "whether biases decay too" },
    Key { name: "clip_norm", kind: KeyKind::ReservedNull, description: "reserved" },
    Key { name: "clip_value", kind: KeyKind::ReservedNull, description: "reserved" },
    Key { name: "clip_global_norm", kind: KeyKind::ReservedNull, description: "reserved" },
];

impl Catalog for Optimizers {
    const KIND: &'static str = "optimizer";
    const DEFAULT: Option<&'static str> = Some("adam");

    fn variants() -> Vec<Variant> {
        let amsgrad =
            Key { name: "amsgrad", kind: KeyKind::ReservedFalse, description: "reserved" };
        optimizer::OPTIMIZERS
            .iter()
            .map(|row| Variant {
                name: row.name,
                description: row.formula,
                keys: OPTIMIZER_KEYS
                    .into_iter()
                    .chain(row.keys.iter().map(|name| optimizer_key(name)))
                    .chain(row.name.starts_with("adam").then_some(amsgrad))
                    .collect(),
            })
            .collect()
    }
}

fn optimizer_key(name: &'static str) -> Key {
    let description = match name {
        "beta1" => "decay of the mean of gradients, in [0, 1)",
        "beta2" => "decay of the mean of squared gradients, in [0, 1)",
        "rho" => "decay of the mean of squared gradients, in [0, 1)",
        "epsilon" => "added to a denominator, 0 or more",
        "momentum" => "share of the last step kept, in [0, 1)",
        "dampening" => "share of the gradient left out of the momentum, in [0, 1]",
        "nesterov" => "Nesterov's form of momentum",
        "centered" => "divides by the standard deviation of the gradients",
        _ => "",
    };
    let kind = match name {
        "nesterov" | "centered" => KeyKind::Flag,
        _ => KeyKind::Number,
    };
    Key { name, kind, description }
}
