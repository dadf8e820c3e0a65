//! The schema against configs, by a validator of the few words that it uses.

use serde_json::{Value, json};

use super::*;

fn matches(schema: &Value, value: &Value, root: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return schema == true };
    schema.iter().all(|(word, rule)| match word.as_str() {
        "$ref" => {
            let pointer = rule.as_str().expect("a reference").trim_start_matches('#');
            matches(root.pointer(pointer).expect(pointer), value, root)
        }
        "anyOf" | "oneOf" => {
            rule.as_array().expect("forms").iter().any(|form| matches(form, value, root))
        }
        "enum" => rule.as_array().expect("values").contains(value),
        "const" => rule == value,
        "type" => match rule {
            Value::Array(types) => types.iter().any(|rule| is_of(rule, value)),
            rule => is_of(rule, value),
        },
        "maximum" => value.as_f64().is_none_or(|x| x <= rule.as_f64().expect("a bound")),
        "minimum" => value.as_f64().is_none_or(|x| x >= rule.as_f64().expect("a bound")),
        "exclusiveMinimum" => value.as_f64().is_none_or(|x| x > rule.as_f64().expect("a bound")),
        "required" => rule.as_array().expect("keys").iter().all(|key| {
            value.as_object().is_none_or(|entries| entries.contains_key(key.as_str().expect("key")))
        }),
        "items" => value.as_array().is_none_or(|all| all.iter().all(|x| matches(rule, x, root))),
        "minItems" => value.as_array().is_none_or(|all| !all.is_empty()),
        "properties" => value.as_object().is_none_or(|entries| {
            entries.iter().all(|(key, x)| rule.get(key).is_none_or(|rule| matches(rule, x, root)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|entries| {
            let known = schema.get("properties").and_then(Value::as_object);
            let others =
                entries.iter().filter(|(key, _)| !known.is_some_and(|k| k.contains_key(*key)));
            others.into_iter().all(|(_, x)| matches(rule, x, root))
        }),
        "writeOnly" | "$schema" | "$defs" | "title" | "description" | "default" | "format" => true,
        other => panic!("the schema uses {other:?}, which this test does not know"),
    })
}

fn is_of(rule: &Value, value: &Value) -> bool {
    match rule.as_str().expect("a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no such type: {other}"),
    }
}

/// The schema takes the config.
pub(super) fn check(config: &Value) {
    let schema = Config::schema();
    assert!(matches(&schema, config, &schema), "{config:#}");
}

#[test]
fn the_schema_takes_what_is_right_and_refuses_what_is_wrong() {
    let data = json!({ "train": "a.csv", "target": "y" });
    check(&json!({ "data": data }));
    check(&json!({ "data": { "train": "a", "target": [0, "b"] }, "optimizer": { "beta1": 0.5 } }));
    check(&json!({ "data": data, "early_stopping": null, "loss": "mse", "checkpoint": null }));
    let embedded = json!({ "who": { "encoding": "embedding", "embedding_size": 1024 } });
    check(&json!({ "data": { "train": "a", "target": "y", "columns": embedded } }));
    check(&json!({ "data": { "train": "a", "target": "y", "encoding": "one_hot" } }));
    check(&json!({ "data": data, "checkpoint": { "every_epochs": 2, "every_seconds": 0.5 } }));
    let schema = Config::schema();
    for wrong in [
        json!({ "data": { "train": "a", "target": "y", "encoding": "hot" } }),
        json!({ "data": { "train": "a", "target": "y", "columns": { "a": { "encoding": 1 } } } }),
        json!({ "data": { "train": "a", "target": "y",
            "columns": { "a": { "embedding_size": 0 } } } }),
        json!({ "data": { "train": "a", "target": "y",
            "columns": { "a": { "embedding_size": 1025 } } } }),
        json!({}),
        json!({ "data": { "target": "y" } }),
        json!({ "data": data, "sed": 1 }),
        json!({ "data": data, "seed": -1 }),
        json!({ "data": { "train": "a", "target": "y", "class_weights": "even" } }),
        json!({ "data": { "train": "a", "target": "y", "class_weights": { "a": 0 } } }),
        json!({ "data": data, "model": { "layers": [{ "units": 0 }] } }),
        json!({ "data": data, "model": { "layers": [{ "norm": "batch" }] } }),
        json!({ "data": data, "loss": "hing" }),
        json!({ "data": data, "model": { "output": { "init": "from_file" } } }),
        json!({ "data": data, "model": { "output": { "init": { "name": "from_file" } } } }),
        json!({ "data": data, "optimizer": { "name": "sgd", "beta1": 0.5 } }),
        json!({ "data": data, "metrics": ["f9"] }),
        json!({ "data": data, "checkpoint": { "keep": 0 } }),
        json!({ "data": data, "checkpoint": { "every": 1 } }),
        json!({ "data": data, "training": { "precision": "f64" } }),
    ] {
        assert!(!matches(&schema, &wrong, &schema), "{wrong:#}");
    }
}

#[test]
fn the_schema_names_every_row() {
    let text = Config::schema().to_string();
    let names = std::iter::empty()
        .chain(activation::ACTIVATIONS.iter().map(|row| row.name))
        .chain(initializer::INITIALIZERS.iter().map(|row| row.name))
        .chain(loss::LOSSES.iter().map(|row| row.name))
        .chain(metric::METRICS.iter().map(|row| row.name))
        .chain(optimizer::OPTIMIZERS.iter().map(|row| row.name))
        .chain(schedule::SCHEDULES.iter().map(|row| row.name));
    for name in names {
        assert!(text.contains(&format!("\"{name}\"")), "{name}");
    }
    for row in &optimizer::OPTIMIZERS {
        for variant in Optimizers::variants() {
            let all_described = variant.keys.iter().all(|key| !key.description.is_empty());
            assert!(all_described, "{} has a key without a description", row.name);
        }
    }
}
