use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn sweep(space: Value, more: Value) -> Result<SweepConfig> {
    let mut text = json!({
        "config": {
            "data": { "train": "a.csv", "target": "y" },
            "model": { "layers": [{ "units": 4, "activation": "relu" }, { "units": 2 }] },
            "optimizer": "adam"
        },
        "space": space
    });
    let text_map = text.as_object_mut().expect("an object");
    text_map.extend(more.as_object().expect("an object").clone());
    SweepConfig::parse(&text.to_string(), "sweep.json", Path::new(""))
}

fn values(sweep: &SweepConfig) -> Vec<Value> {
    let trials = sweep.trials().expect("trials");
    trials.into_iter().map(|trial| Value::Object(trial.values)).collect()
}

#[test]
fn a_grid_has_every_combination_and_what_hangs_on_others_only_there() {
    let space = json!({
        "optimizer.name": ["adam", "sgd"],
        "optimizer.momentum": { "choice": [0.5, 0.9], "when": { "optimizer.name": "sgd" } },
        "training.batch_size": [16, 32]
    });
    let found = values(&sweep(space, json!({})).expect("a sweep"));
    let momentum = |value: &Value| value.get("optimizer.momentum").and_then(Value::as_f64);
    assert_eq!(found.len(), 2 + 4);
    assert_eq!(found.iter().map(momentum).collect::<Vec<_>>()[..2], [None, None]);
    let of_sgd: Vec<_> = found[2..].iter().map(momentum).collect();
    assert_eq!(of_sgd, [Some(0.5), Some(0.5), Some(0.9), Some(0.9)]);
    // A name alone is an object's name.
    let space = json!({
        "optimizer.beta1": { "choice": [0.8, 0.9], "when": { "optimizer.name": ["adam", "adamw"] } },
        "optimizer.beta2": { "choice": [0.8, 0.9], "when": { "optimizer.name": "sgd" } }
    });
    assert_eq!(values(&sweep(space, json!({})).expect("a sweep")).len(), 2);
}

#[test]
fn intervals_have_points_ends_included() {
    let points = |kind: &str, ends: Value, points: Value| -> Vec<f64> {
        let space = json!({ "optimizer.learning_rate": { kind: ends, "points": points } });
        let found = values(&sweep(space, json!({})).expect("a sweep"));
        found.iter().filter_map(|v| v["optimizer.learning_rate"].as_f64()).collect()
    };
    assert_eq!(points("uniform", json!([0, 1]), json!(5)), [0.0, 0.25, 0.5, 0.75, 1.0]);
    assert_eq!(points("log_uniform", json!([1e-4, 1e-1]), json!(4)), [1e-4, 1e-3, 1e-2, 1e-1]);
    let space = json!({ "training.batch_size": { "int_uniform": [3, 6] } });
    let found = values(&sweep(space, json!({})).expect("a sweep"));
    assert_eq!(
        found.iter().filter_map(|v| v["training.batch_size"].as_u64()).collect::<Vec<_>>(),
        [3, 4, 5, 6]
    );
}

/// Every element of a list, also of one that an axis before it has given.
#[test]
fn a_star_is_every_element() {
    let space = json!({
        "model.layers": [[{ "units": 3 }], [{ "units": 3 }, { "units": 5 }, { "units": 7 }]],
        "model.layers.*.activation": ["tanh"]
    });
    let trials = sweep(space, json!({})).expect("a sweep").trials().expect("trials");
    let names = |trial: &TrialConfig| -> Vec<String> {
        trial.config.model.layers.iter().map(|layer| layer.activation.name.clone()).collect()
    };
    assert_eq!(trials.iter().map(|trial| names(trial).len()).collect::<Vec<_>>(), [1, 3]);
    assert!(trials.iter().flat_map(names).all(|name| name == "tanh"));
    let none = sweep(json!({ "metrics_of.*.x": [1] }), json!({})).expect("a sweep");
    assert!(none.trials().expect_err("no list").to_string().contains("no such list"));
}

#[test]
fn what_is_drawn_follows_from_the_seed_the_trial_and_the_axis() {
    let of = |space: Value, seed: u64, trials: usize| {
        let more = json!({ "search": { "name": "random", "trials": trials }, "seed": seed });
        values(&sweep(space, more).expect("a sweep"))
    };
    let rate = json!({ "log_uniform": [1e-4, 1e-1] });
    let one = of(json!({ "optimizer.learning_rate": rate }), 1, 50);
    assert_eq!(one, of(json!({ "optimizer.learning_rate": rate }), 1, 50));
    assert_ne!(one, of(json!({ "optimizer.learning_rate": rate }), 2, 50));
    let with_another = of(
        json!({ "optimizer.learning_rate": rate, "training.batch_size": { "int_log_uniform": [8, 64] } }),
        1,
        60,
    );
    for (one, two) in one.iter().zip(&with_another) {
        assert_eq!(one["optimizer.learning_rate"], two["optimizer.learning_rate"]);
    }
    let rates: Vec<f64> =
        one.iter().filter_map(|v| v["optimizer.learning_rate"].as_f64()).collect();
    assert!(rates.iter().all(|rate| (1e-4..=1e-1).contains(rate)), "{rates:?}");
    // Half of them in each half of the logarithm, about.
    let low = rates.iter().filter(|rate| **rate < 10_f64.powf(-2.5)).count();
    assert!((15..=35).contains(&low), "{low}");
    let sizes: Vec<u64> =
        with_another.iter().filter_map(|v| v["training.batch_size"].as_u64()).collect();
    assert_eq!(sizes.len(), 60);
    assert!(sizes.iter().all(|size| (8..=64).contains(size)), "{sizes:?}");
    assert!(sizes.iter().filter(|size| **size < 23).count() > 15, "{sizes:?}");
    let flips = of(json!({ "training.batch_size": { "int_uniform": [1, 3] } }), 5, 300);
    for value in 1..=3 {
        let count = flips.iter().filter(|v| v["training.batch_size"] == value).count();
        assert!((70..=130).contains(&count), "{value}: {count}");
    }
}

#[test]
fn more_trials_than_a_sweep_may_have_are_refused_before_they_are_made() {
    let axis = json!({ "uniform": [0.1, 0.2], "points": 1000 });
    let space = json!({
        "optimizer.learning_rate": axis, "optimizer.beta1": axis, "optimizer.beta2": axis
    });
    let error = sweep(space, json!({})).expect("a sweep").trials().expect_err("too many");
    assert!(error.to_string().contains("1000000000 trials"), "{error}");
}

#[test]
fn an_error_of_a_value_stands_at_its_axis() {
    let text = "{\n\"config\": {\"data\": {\"train\": \"a.csv\", \"target\": \"y\"}},\n\"space\": {\n\
                \"training.batch_size\": [8],\n\"optimizer.learning_rate\": [0.1, \"fast\"]\n}}";
    let sweep = SweepConfig::parse(text, "s.json", Path::new("")).expect("a sweep");
    let trials = sweep.trials();
    let error = match trials {
        Err(error) => error,
        Ok(trials) => trials
            .iter()
            .find_map(|trial| trial.config.validate(Path::new("")).err())
            .expect("a rate is a number"),
    };
    assert!(error.to_string().starts_with("s.json:5: "), "{error}");
}
