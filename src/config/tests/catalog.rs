//! The parameters of every variant: ranges, and the way through the config and back.

use serde_json::{Map, Value, json};

use super::*;
use crate::catalog::normalization;
use crate::catalog::parameter::{Parameter, Range};

fn layer_of(layer: &Value) -> String {
    json!({ "data": { "train": "a.csv", "target": "y" }, "model": { "layers": [layer] } })
        .to_string()
}

/// Values that are not in the range.
fn outside(range: Range) -> Vec<f64> {
    match range {
        Range::Finite => vec![1e300],
        Range::NotNegative => vec![-1.0],
        Range::Positive => vec![0.0, -1.0],
        Range::Between0And1 => vec![0.0, 1.0, 0.999_999_999_999],
        Range::PositiveShare => vec![0.0, 1.5],
        Range::Count => vec![0.0],
        Range::BelowOne => vec![1.0, -0.5, 0.999_999_999_999],
        Range::AboveOne => vec![1.0],
        Range::Share => vec![1.5, -0.5],
        Range::FromOne => vec![0.5],
        Range::Flag => Vec::new(),
    }
}

/// A value that is in the range, and no default.
fn inside(range: Range, at: usize) -> Value {
    match range {
        Range::Flag => true.into(),
        Range::Count => 3.into(),
        Range::FromOne | Range::AboveOne | Range::Finite => (1.375 + at as f64).into(),
        _ => (0.375 + at as f64 / 64.0).into(),
    }
}

/// A variant of a catalogue where a config names it.
struct Place {
    /// Its key: of a layer, or of the config.
    key: &'static str,
    of_layer: bool,
    name: &'static str,
    parameters: &'static [Parameter],
}

impl Place {
    fn text(&self, variant: &Value) -> String {
        if self.of_layer {
            return layer_of(&json!({ self.key: variant }));
        }
        with(&format!("\"{}\": {variant}", self.key))
    }

    fn path(&self) -> String {
        let of_layer = format!("model.layers[0].{}", self.key);
        if self.of_layer { of_layer } else { self.key.to_owned() }
    }

    /// The variant in a config.
    fn within<'a>(&self, config: &'a Value) -> &'a Value {
        let holder = if self.of_layer { &config["model"]["layers"][0] } else { config };
        &holder[self.key]
    }
}

/// Every row of activations, initialisers, normalisations, losses and optimizers.
fn places() -> Vec<Place> {
    let place = |key, of_layer| move |(name, parameters)| Place { key, of_layer, name, parameters };
    let activations = activation::ACTIVATIONS.iter().map(|row| (row.name, row.parameters));
    let initializers = initializer::INITIALIZERS.iter().filter(|row| !row.from_file);
    let initializers = initializers.map(|row| (row.name, row.parameters));
    let norms = normalization::NORMALIZATIONS.iter().map(|row| (row.name, row.parameters));
    let losses = loss::LOSSES.iter().map(|row| (row.name, row.parameters));
    let optimizers = optimizer::OPTIMIZERS.iter().map(|row| (row.name, row.parameters));
    std::iter::empty()
        .chain(activations.map(place("activation", true)))
        .chain(initializers.map(place("init", true)))
        .chain(norms.map(place("norm", true)))
        .chain(losses.map(place("loss", false)))
        .chain(optimizers.map(place("optimizer", false)))
        .collect()
}

#[test]
fn every_parameter_is_held_to_its_range() {
    let mut checked = 0;
    for place in places() {
        for parameter in place.parameters {
            let path = format!("`{}.{}`", place.path(), parameter.name);
            let given = |value: Value| {
                let mut variant = json!({ "name": place.name });
                variant[parameter.name] = value;
                place.text(&variant)
            };
            for value in outside(parameter.range) {
                let expected = if parameter.range == Range::Count {
                    "whole number"
                } else {
                    parameter.range.expected()
                };
                let value = if parameter.range == Range::Count { json!(0) } else { json!(value) };
                refused(&given(value), &[], &[&path, expected]);
                checked += 1;
            }
            refused(&given("x".into()), &[], &[&path, "expected"]);
        }
        let unknown = json!({ "name": place.name, "spread": 1 });
        let path = format!("`{}.spread`: unknown key", place.path());
        refused(&place.text(&unknown), &[], &[&path]);
    }
    assert!(checked >= 60, "only {checked}");
}

#[test]
fn every_variant_comes_back_from_the_resolved_config() -> Result<()> {
    for place in places() {
        for convention in ["torch", "keras"] {
            let mut variant = Map::from_iter([("name".to_owned(), Value::from(place.name))]);
            for (i, parameter) in place.parameters.iter().enumerate() {
                let torch_only = ["dampening", "lr_decay"].contains(&parameter.name);
                if !(torch_only && convention == "keras") {
                    variant.insert(parameter.name.to_owned(), inside(parameter.range, i));
                }
            }
            if place.key == "optimizer" {
                variant.insert("convention".to_owned(), convention.into());
            }
            let given = Value::from(variant.clone());
            let settings = settings_of(&place.text(&given), &[])?;
            let resolved = serde_json::to_value(settings.resolved()).expect("a config is JSON");
            let found = place.within(&resolved);
            // A variant without parameters is its name alone.
            let kept = |key: &str| {
                found.get(key).unwrap_or(if key == "name" { found } else { &Value::Null })
            };
            for (key, value) in &variant {
                assert_eq!(kept(key), value, "{} {key}", place.name);
            }
            schema::check(&resolved);
            let again = settings_of(&resolved.to_string(), &[])?;
            assert_eq!(again.resolved(), settings.resolved(), "{}", place.name);
        }
    }
    Ok(())
}

#[test]
fn flags_clipping_and_averages_come_back_too() -> Result<()> {
    for text in [
        r#""optimizer": {"name": "sgd", "momentum": 0.5, "nesterov": true, "clip_value": 0.5}"#,
        r#""optimizer": {"name": "rmsprop", "centered": true, "clip_norm": 2, "decay_biases": true}"#,
        r#""optimizer": {"name": "adamw", "amsgrad": true, "clip_global_norm": 1}"#,
        r#""optimizer": {"name": "muon", "nesterov": false, "adjust": "none"}"#,
        r#""training": {"ema": 0.9, "accumulate": 4}"#,
        r#""training": {"average": {"from_epoch": 80}}"#,
        r#""training": {"average": {"from_epoch": 80, "every": "step"}}"#,
        r#""model": {"layers": [{}, {"residual": true, "max_norm": 2, "learning_rate_factor": 0,
            "alpha_dropout": 0.25, "gaussian_noise": 0.5}],
            "output": {"activation": "softmax", "max_norm": 3, "learning_rate_factor": 2}}"#,
    ] {
        let settings = settings_of(&with(text), &[])?;
        let resolved = serde_json::to_value(settings.resolved()).expect("a config is JSON");
        schema::check(&resolved);
        let again = settings_of(&resolved.to_string(), &[])?;
        assert_eq!(again.resolved(), settings.resolved(), "{text}");
        assert_ne!(settings.resolved(), settings_of(&with(""), &[])?.resolved(), "{text}");
    }
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused_with_what_does() {
    for (text, parts) in [
        (
            r#""model": {"layers": [{"norm": "batch_norm"}]}, "training": {"batch_size": 1}"#,
            ["`training.batch_size`", "2 or more"],
        ),
        (
            r#""model": {"layers": [{"dropout": 0.1, "alpha_dropout": 0.1}]}"#,
            ["`model.layers[0].alpha_dropout`", "dropout is given too"],
        ),
        (r#""model": {"layers": [{"max_norm": 0}]}"#, ["`model.layers[0].max_norm`", "above 0"]),
        (
            r#""model": {"output": {"learning_rate_factor": -1}}"#,
            ["`model.output.learning_rate_factor`", "0 or more"],
        ),
        (
            r#""model": {"output": {"activation": "prelu"}}"#,
            ["`model.output.activation`", "unknown output activation"],
        ),
        (
            r#""optimizer": {"clip_norm": 1, "clip_value": 1}"#,
            ["`optimizer.clip_norm`", "clip_value is given too"],
        ),
        (r#""optimizer": {"clip_norm": 0}"#, ["`optimizer.clip_norm`", "above 0, or null"]),
        (
            r#""optimizer": {"name": "adagrad", "convention": "keras", "lr_decay": 0.1}"#,
            ["`optimizer.lr_decay`", "the keras convention has no lr_decay"],
        ),
        (r#""training": {"ema": 1}"#, ["`training.ema`", "(0, 1)"]),
        (r#""training": {"accumulate": 0}"#, ["`training.accumulate`", "from 1"]),
        (
            r#""training": {"ema": 0.5, "average": {"from_epoch": 1}}"#,
            ["`training.average`", "ema is given too"],
        ),
        (
            r#""training": {"average": {"from_epoch": 101}}"#,
            ["`training.average.from_epoch`", "the last, 100"],
        ),
    ] {
        refused(&with(text), &[], &parts);
    }
}

#[test]
fn parameters_that_do_not_go_together_are_refused() {
    for (layer, parts) in [
        (
            json!({ "activation": { "name": "hard_tanh", "minimum": 1 } }),
            ["`model.layers[0].activation.maximum`", "above the minimum, 1"],
        ),
        (
            // 1 + 1e-9 is 1 in f32.
            json!({ "activation": { "name": "hard_tanh", "minimum": 1, "maximum": 1.000000001 } }),
            ["`model.layers[0].activation.maximum`", "above the minimum, 1"],
        ),
        (
            json!({ "init": { "name": "random_uniform", "minimum": 0.5, "maximum": 0.5 } }),
            ["`model.layers[0].init.maximum`", "above the minimum, 0.5"],
        ),
        (
            json!({ "bias_init": { "name": "truncated_normal", "mean": -9 } }),
            ["`model.layers[0].bias_init.mean`", "within two stddev of the cuts"],
        ),
        (
            json!({ "bias_init": "orthogonal" }),
            ["`model.layers[0].bias_init`", "biases are a vector\n"],
        ),
        (json!({ "bias_init": "identity" }), ["`model.layers[0].bias_init`", "these do: zeros"]),
        (json!({ "init": "from_file" }), ["`model.layers[0].init.file`", "required"]),
        (
            json!({ "init": { "name": "from_file", "file": "" } }),
            ["`model.layers[0].init.file`", "empty name"],
        ),
        (
            json!({ "init": { "name": "from_file", "file": 3 } }),
            ["`model.layers[0].init.file`", "expected a text, found"],
        ),
        (
            json!({ "init": { "name": "from_file", "file": "w", "tensor": ["a"] } }),
            ["`model.layers[0].init.tensor`", "expected a text, found"],
        ),
    ] {
        refused(&layer_of(&layer), &[], &parts);
    }
}

#[test]
fn a_file_of_starting_values_is_found_from_anywhere_and_stripped_for_the_model() -> Result<()> {
    let from = |file: &str| json!({ "name": "from_file", "file": file, "tensor": "w" });
    let model = json!({
        "layers": [{ "init": from("in/a.safetensors"), "bias_init": from("in/b.safetensors") }],
        "output": { "init": from("in/c.safetensors"), "bias_init": from("in/d.safetensors") },
    });
    let text = with(&format!("\"model\": {model}"));
    let settings = settings_of(&text, &[])?;
    let source = settings.model.layers[0].init.source.clone().expect("a source");
    assert_eq!(source.file, Path::new("/folder/in/a.safetensors"));
    assert_eq!(source.tensor.as_deref(), Some("w"));
    let resolved = settings.resolved();
    let json = serde_json::to_string(&resolved).expect("a config is JSON");
    for name in ["a", "b", "c", "d"] {
        assert!(json.contains(&format!("\"/folder/in/{name}.safetensors\"")), "{json}");
    }
    schema::check(&serde_json::from_str(&json).expect("just written"));
    let again = Config::parse(&json, "config.json", &[])?.validate(Path::new("/elsewhere"))?;
    assert_eq!(again.resolved(), resolved);
    let free = serde_json::to_string(&resolved.without_paths()).expect("a config is JSON");
    assert!(!free.contains("/folder") && !free.contains("in/"), "{free}");
    for name in ["a", "b", "c", "d"] {
        assert!(free.contains(&format!("\"{name}.safetensors\"")), "{free}");
    }
    Ok(())
}
