//! The catalog's tables as a config sees them: names, and the keys that each takes.

use super::named::{Catalog, Key, KeyKind, Variant};
use super::schedule::WARMUP;
use crate::catalog::parameter::{Parameter, Range};
use crate::catalog::schedule::ScheduleKey;
use crate::catalog::{
    activation, initializer, loss, normalization, optimizer, row_activation, schedule,
};

const fn number(name: &'static str, description: &'static str) -> Key {
    Key { name, kind: KeyKind::Number, description }
}

/// The key of a parameter.
fn key(parameter: &Parameter) -> Key {
    let kind = match parameter.range {
        Range::Flag => KeyKind::Flag,
        Range::Count => KeyKind::Whole,
        _ => KeyKind::Number,
    };
    Key { name: parameter.name, kind, description: parameter.description }
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
                keys: row.parameters.iter().map(key).collect(),
            })
            .collect()
    }
}

/// Activations of the output layer: those of hidden layers that learn nothing, and those of rows.
#[derive(Debug)]
pub enum OutputActivations {}

impl Catalog for OutputActivations {
    const KIND: &'static str = "output activation";
    const DEFAULT: Option<&'static str> = None;

    fn variants() -> Vec<Variant> {
        let of_elements = activation::ACTIVATIONS.iter().filter(|row| !row.is_learned());
        let of_elements = of_elements.map(|row| Variant {
            name: row.name,
            description: row.formula,
            keys: row.parameters.iter().map(key).collect(),
        });
        let of_rows = row_activation::ROW_ACTIVATIONS.iter().map(|row| Variant {
            name: row.name,
            description: row.formula,
            keys: Vec::new(),
        });
        of_elements.chain(of_rows).collect()
    }
}

/// Normalisations.
#[derive(Debug)]
pub enum Normalizations {}

impl Catalog for Normalizations {
    const KIND: &'static str = "normalization";
    const DEFAULT: Option<&'static str> = None;

    fn variants() -> Vec<Variant> {
        normalization::NORMALIZATIONS
            .iter()
            .map(|row| Variant {
                name: row.name,
                description: row.formula,
                keys: row.parameters.iter().map(key).collect(),
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
        let of_file = [
            Key {
                name: "file",
                kind: KeyKind::File,
                description: "a safetensors file, relative to the config file",
            },
            Key {
                name: "tensor",
                kind: KeyKind::Text,
                description: "a tensor of it; left out, the one named as in a model file",
            },
        ];
        initializer::INITIALIZERS
            .iter()
            .map(|row| Variant {
                name: row.name,
                description: row.formula,
                keys: row
                    .parameters
                    .iter()
                    .map(|p| number(p.name, p.description))
                    .chain(of_file.into_iter().filter(|_| row.from_file))
                    .collect(),
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
            keys: row.parameters.iter().map(key).collect(),
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
        schedule::SCHEDULES
            .iter()
            .map(|row| Variant {
                name: row.name,
                description: row.formula,
                keys: row
                    .keys
                    .iter()
                    .flat_map(schedule_keys)
                    .chain(length_keys(WARMUP, "how long the rate rises; left out, 0 (noam: 4000)"))
                    .collect(),
            })
            .collect()
    }
}

fn schedule_keys(key: &ScheduleKey) -> Vec<Key> {
    let one = |name, kind, description| vec![Key { name, kind, description }];
    match *key {
        ScheduleKey::Number(p) => one(p.name, KeyKind::Number, p.description),
        ScheduleKey::Whole { name, description, .. } => one(name, KeyKind::Whole, description),
        ScheduleKey::Flag { name, description, .. } => one(name, KeyKind::Flag, description),
        ScheduleKey::Choice { name, names, description, .. } => {
            one(name, KeyKind::OneOf(names), description)
        }
        ScheduleKey::Length { steps, epochs, description, .. } => {
            length_keys((steps, epochs), description).into()
        }
        ScheduleKey::Points { steps, epochs, description, .. } => vec![
            Key { name: steps, kind: KeyKind::Wholes, description },
            Key { name: epochs, kind: KeyKind::Numbers, ..in_epochs(epochs) },
        ],
        ScheduleKey::Rates { name, description, .. } => one(name, KeyKind::Numbers, description),
        ScheduleKey::Monitor => one(
            "monitor",
            KeyKind::Text,
            "what is watched: `loss` or a metric, of the validation set with `val_` before it",
        ),
    }
}

/// A length's keys, in steps and in epochs.
fn length_keys(names: (&'static str, &'static str), description: &'static str) -> [Key; 2] {
    [Key { name: names.0, kind: KeyKind::Whole, description }, in_epochs(names.1)]
}

fn in_epochs(name: &'static str) -> Key {
    number(name, "the same in epochs, in place of the key in steps")
}

/// Optimizers.
#[derive(Debug)]
pub enum Optimizers {}

/// Names of the conventions.
pub(super) const CONVENTIONS: &[&str] = &["torch", "keras"];

/// Keys of all optimizers, beside the learning rate and the weight decay.
const OPTIMIZER_KEYS: [Key; 5] = [
    Key {
        name: "convention",
        kind: KeyKind::OneOf(CONVENTIONS),
        description: "whose formulas and defaults: of the optimizer, layers, initialisers and l2",
    },
    Key { name: "decay_biases", kind: KeyKind::Flag, description: "whether biases decay too" },
    Key {
        name: "clip_value",
        kind: KeyKind::NumberOrNull,
        description: "clips each value of the gradient to this size",
    },
    Key {
        name: "clip_norm",
        kind: KeyKind::NumberOrNull,
        description: "scales each tensor's gradient down to this norm",
    },
    Key {
        name: "clip_global_norm",
        kind: KeyKind::NumberOrNull,
        description: "scales the whole gradient down to this norm",
    },
];

impl Catalog for Optimizers {
    const KIND: &'static str = "optimizer";
    const DEFAULT: Option<&'static str> = Some("adam");

    fn variants() -> Vec<Variant> {
        let adjust = Key {
            name: "adjust",
            kind: KeyKind::OneOf(optimizer::muon::Adjust::NAMES),
            description: "what an orthogonal matrix is multiplied by",
        };
        optimizer::OPTIMIZERS
            .iter()
            .map(|row| Variant {
                name: row.name,
                description: row.formula,
                keys: row
                    .parameters
                    .iter()
                    .map(key)
                    .chain(OPTIMIZER_KEYS)
                    .chain(row.flags.iter().map(|name| flag(name)))
                    .chain(row.orthogonalises().then_some(adjust))
                    .collect(),
            })
            .collect()
    }
}

fn flag(name: &'static str) -> Key {
    Key { name, kind: KeyKind::Flag, description: optimizer::describe_flag(name) }
}
