//! Learning-rate schedules against PyTorch's and Keras' (golden/schedules.py), through the config.

mod common;

use std::path::Path;

use common::{json, number, root};
use serde_json::{Value, json};
use wgfit::catalog::metric::Better;
use wgfit::catalog::optimizer::Convention;
use wgfit::catalog::parameter::Range;
use wgfit::catalog::schedule::reduce_on_plateau::ReduceOnPlateau;
use wgfit::catalog::schedule::{SCHEDULES, ScheduleKey, ScheduleSettings};
use wgfit::config::{Config, Mode, Settings};

fn parse(fragment: &Value) -> wgfit::Result<Settings> {
    let mut config = fragment.clone();
    config["data"] = json!({ "train": "a.csv", "target": "y" });
    Config::parse(&config.to_string(), "c.json", &[])?.validate(Path::new("/folder"))
}

fn with(schedule: &Value) -> Value {
    json!({ "schedule": schedule, "optimizer": { "learning_rate": 0.5 } })
}

fn accepted(fragment: &Value) -> Settings {
    parse(fragment).unwrap_or_else(|error| panic!("{fragment}: {error}"))
}

fn refused(schedule: &Value, parts: &[&str]) {
    match parse(&with(schedule)) {
        Ok(_) => panic!("accepted: {schedule}"),
        Err(error) => {
            let message = error.to_string();
            assert_eq!(error.exit_code(), 2);
            for part in parts {
                assert!(message.contains(part), "{message:?} has no {part:?}");
            }
        }
    }
}

/// 1e-9 of the expected value; the second part is for values that are 0 but for rounding.
fn agree(found: f64, expected: f64, base: f64) -> bool {
    (found - expected).abs() <= 1e-9 * expected.abs() + 1e-15 * base
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().expect("a list").iter().map(number).collect()
}

#[test]
fn every_schedule_agrees_with_pytorch_and_keras() {
    let golden = json(&root().join("tests/golden/schedules.json"));
    let cases = golden["cases"].as_array().expect("cases");
    for row in &SCHEDULES {
        let covered = cases.iter().any(|case| {
            let schedule = &case["config"]["schedule"];
            schedule == row.name || schedule["name"] == row.name
        });
        assert!(covered, "no case of {}", row.name);
    }
    for case in cases {
        let settings = accepted(&case["config"]);
        let count = |key: &str| case[key].as_u64().expect(key);
        let (steps, epochs) = (count("steps_per_epoch"), count("epochs"));
        let base = settings.optimizer.hyperparameters.learning_rate;
        let rates = numbers(&case["rates"]);
        assert!(rates.len() >= 64, "{case}");
        for (step, expected) in (0..).zip(rates) {
            let found = settings.schedule.rate(base, step, steps, epochs);
            let config = &case["config"];
            assert!(
                agree(found, expected, base),
                "{config} at {step}: {found}, expected {expected}"
            );
        }
        let momenta = case["momenta"].as_array().map(|_| numbers(&case["momenta"]));
        for step in 0..steps * epochs {
            let found = settings.schedule.momentum(step, steps, epochs);
            let expected = momenta.as_ref().map(|list| list.get(step as usize));
            match (found, expected) {
                (None, None) | (Some(_), Some(None)) => {}
                (Some(found), Some(Some(expected))) if agree(found, *expected, 1.0) => {}
                other => panic!("{} at {step}: {other:?}", case["config"]),
            }
        }
    }
}

#[test]
fn reduce_on_plateau_agrees_with_pytorch_and_keras() {
    let golden = json(&root().join("tests/golden/schedules.json"));
    let cases = golden["plateaus"].as_array().expect("plateaus");
    let mut falls = [0, 0];
    for case in cases {
        let settings = accepted(&case["config"]);
        let base = settings.optimizer.hyperparameters.learning_rate;
        let plateau = settings.schedule.plateau().expect("a plateau");
        assert_eq!(plateau.monitor, "val_loss");
        let better = match plateau.mode {
            Mode::Max => Better::Larger,
            _ => Better::Smaller,
        };
        let keras = plateau.convention == Convention::Keras;
        let mut state = ReduceOnPlateau::new(plateau, better, base);
        let mut last = base;
        let values = case["values"].as_array().expect("values").iter().map(|value| {
            value.as_f64().unwrap_or_else(|| value.as_str().expect("text").parse().expect("number"))
        });
        for (epoch, (value, expected)) in values.zip(numbers(&case["rates"])).enumerate() {
            let found = base * state.end_epoch(value);
            let config = &case["config"];
            assert!(
                agree(found, expected, base),
                "{config}, epoch {epoch}, value {value}: {found}, expected {expected}"
            );
            falls[usize::from(keras)] += usize::from(expected < last);
            last = expected;
            // What a checkpoint keeps is all there is.
            let text = serde_json::to_string(&state.state()).expect("a state is JSON");
            state.resume(serde_json::from_str(&text).expect("just written"));
        }
    }
    assert!(falls.iter().all(|falls| *falls > 100), "{falls:?} falls");
}

#[test]
fn a_number_outside_its_range_is_refused_with_the_range() {
    let outside = |range: Range| match range {
        Range::Finite => vec![1e300],
        Range::NotNegative => vec![-0.1, 1e300],
        Range::Positive => vec![0.0, -1.0],
        Range::BelowOne => vec![-0.1, 1.0, 0.999_999_999_999],
        Range::Between0And1 => vec![0.0, 1.0],
        Range::Share => vec![-0.1, 1.1],
        Range::PositiveShare => vec![0.0, 1.1],
        Range::FromOne => vec![0.9],
        Range::AboveOne => vec![1.0],
        Range::Count => vec![0.0, 1.5],
        Range::Flag => vec![0.5],
    };
    let mut keys = 0;
    for row in &SCHEDULES {
        let given = |key: &str, value: Value| json!({ "name": row.name, key: value });
        for key in row.keys {
            keys += 1;
            let named = |name: &str| format!("`schedule.{name}");
            match key {
                ScheduleKey::Number(parameter) => {
                    for value in outside(parameter.range) {
                        let expected = parameter.range.expected();
                        let path = format!("{}`", named(parameter.name));
                        refused(&given(parameter.name, json!(value)), &[&path, expected]);
                    }
                    let text = given(parameter.name, json!("x"));
                    refused(&text, &[parameter.name, "expected a number, found \"x\""]);
                    if parameter.name == "minimum" {
                        let expected = "a number from 0 to the learning rate, 0.5, found 0.6";
                        refused(&given("minimum", json!(0.6)), &["`schedule.minimum`", expected]);
                    }
                }
                ScheduleKey::Whole { name, .. } => {
                    for value in [json!(-1), json!(1.5)] {
                        refused(&given(name, value), &[&named(name), "a whole number, 0 or more"]);
                    }
                }
                ScheduleKey::Flag { name, .. } => {
                    refused(&given(name, json!(1)), &[&named(name), "true or false"]);
                }
                ScheduleKey::Choice { name, names, .. } => {
                    refused(&given(name, json!("x")), &[&named(name), &names.join(", ")]);
                }
                ScheduleKey::Length { steps, epochs, .. } => {
                    refused(&given(steps, json!(0)), &[&named(steps), "1 or more, found 0"]);
                    refused(&given(steps, json!(1.5)), &[&named(steps), "a whole number"]);
                    refused(&given(epochs, json!(0)), &[&named(epochs), "a number above 0"]);
                    let both = json!({ "name": row.name, *steps: 1, *epochs: 1 });
                    refused(&both, &[&named(epochs), &format!("{steps} is given too")]);
                }
                ScheduleKey::Points { steps, epochs, .. } => {
                    refused(&given(steps, json!(3)), &[&named(steps), "a list of whole numbers"]);
                    refused(&given(steps, json!([])), &[&named(steps), "an empty list"]);
                    refused(&given(epochs, json!([])), &[&named(epochs), "an empty list"]);
                    refused(&given(steps, json!([3, 1.5])), &[&named(&format!("{steps}[1]"))]);
                    refused(&given(epochs, json!([0])), &[&named(epochs), "[0]`", "above 0"]);
                    let falling = given(epochs, json!([2, 1]));
                    refused(&falling, &[&named(epochs), "[1]`", "more than the 2 before it"]);
                }
                ScheduleKey::Rates { name, .. } => {
                    refused(
                        &given(name, json!([1])),
                        &[&named(name), "expected 3 rates", "found 1"],
                    );
                    let negative = given(name, json!([1, -1, 1]));
                    refused(&negative, &[&named(name), "[1]`", "0 or more"]);
                }
                ScheduleKey::Monitor => {
                    let wrong = given("monitor", json!("val_los"));
                    refused(&wrong, &["`schedule.monitor`", "did you mean \"val_loss\"?"]);
                }
            }
        }
        let least = if row.own_warmup.is_some() { "above 0" } else { "0 or more" };
        refused(&given("warmup_epochs", json!(-1)), &["`schedule.warmup_epochs`", least]);
        refused(&given("warmup_steps", json!(-1)), &["`schedule.warmup_steps`", "0 or more"]);
        refused(&given("gamma", json!(1)), &["`schedule.gamma`: unknown key", "warmup_steps"]);
    }
    assert!(keys > 30, "{keys} keys");
    refused(
        &json!({ "name": "noam", "warmup_steps": 0 }),
        &["`schedule.warmup_steps`", "1 or more"],
    );
    // A default that does not fit the learning rate is named as such.
    let keras = json!({
        "schedule": "polynomial", "optimizer": { "learning_rate": 1e-5, "convention": "keras" }
    });
    let error = parse(&keras).expect_err("above the learning rate").to_string();
    assert!(error.contains("`schedule.minimum`") && error.contains("its default"), "{error}");
}

/// A value other than the default.
fn another(key: &ScheduleKey) -> Vec<(&'static str, Value)> {
    match *key {
        ScheduleKey::Number(parameter) => {
            let value = [0.25, 3.5].into_iter().find(|value| {
                parameter.range.fits(*value) && *value != parameter.default(Convention::Torch)
            });
            vec![(parameter.name, json!(value.expect("a value that fits")))]
        }
        ScheduleKey::Whole { name, default, .. } => vec![(name, json!(default + 1))],
        ScheduleKey::Flag { name, torch, .. } => vec![(name, json!(!torch))],
        ScheduleKey::Choice { name, names, torch, .. } => {
            vec![(name, json!(names[(torch + 1) % names.len()]))]
        }
        ScheduleKey::Length { steps, epochs, .. } => {
            vec![(steps, json!(17)), (epochs, json!(1.75))]
        }
        ScheduleKey::Points { steps, epochs, .. } => {
            vec![(steps, json!([3, 17])), (epochs, json!([0.5, 1.75]))]
        }
        ScheduleKey::Rates { name, .. } => vec![(name, json!([0.3, 0.2, 0.1]))],
        ScheduleKey::Monitor => vec![("monitor", json!("val_accuracy"))],
    }
}

#[test]
fn the_resolved_config_means_the_same() {
    let debug = |settings: &ScheduleSettings| format!("{settings:?}");
    for row in &SCHEDULES {
        for convention in ["torch", "keras"] {
            let mut schedules = vec![json!(row.name)];
            for (key, value) in row
                .keys
                .iter()
                .flat_map(another)
                .chain([("warmup_steps", json!(9)), ("warmup_epochs", json!(0.5))])
            {
                schedules.push(json!({ "name": row.name, key: value }));
            }
            let optimizer = json!({ "learning_rate": 0.5, "convention": convention });
            let plain = accepted(&json!({ "schedule": row.name, "optimizer": optimizer })).schedule;
            for schedule in schedules {
                let fragment = json!({ "schedule": schedule, "optimizer": optimizer });
                let settings = accepted(&fragment);
                let changed = schedule.is_object() && convention == "torch";
                assert!(!changed || debug(&settings.schedule) != debug(&plain), "{schedule}");
                let config = settings.resolved();
                let text = serde_json::to_string(&config).expect("a config is JSON");
                let read = Config::parse(&text, "config.json", &[]).expect("just written");
                let again = read.validate(Path::new("/elsewhere")).expect(&text);
                assert_eq!(debug(&again.schedule), debug(&settings.schedule), "{text}");
                assert_eq!(again.resolved(), config, "{text}");
            }
        }
    }
}

#[test]
fn the_plateau_watches_what_there_is() {
    let settings = |data: Value, schedule: Value| {
        let config = json!({ "data": data, "schedule": schedule });
        Config::parse(&config.to_string(), "c.json", &[])?.validate(Path::new("/folder"))
    };
    let without = json!({ "train": "a.csv", "target": "y", "validation": 0 });
    let plateau = json!("reduce_on_plateau");
    let found = settings(without.clone(), plateau.clone()).expect("valid");
    assert_eq!(found.schedule.plateau().expect("a plateau").monitor, "loss");
    let fitted = found.fit_task(wgfit::config::data::Task::Binary).expect("it fits");
    let monitor = fitted.plateau_monitor.expect("a monitor");
    assert!(!monitor.of_validation && monitor.better == Better::Smaller);
    let named = json!({ "name": "reduce_on_plateau", "monitor": "val_accuracy" });
    let error = settings(without, named.clone()).expect_err("no validation set").to_string();
    assert!(error.contains("`schedule.monitor`") && error.contains("validation set"), "{error}");
    let with = json!({ "train": "a.csv", "target": "y" });
    let found = settings(with.clone(), named).expect("valid");
    let fitted = found.fit_task(wgfit::config::data::Task::Binary).expect("it fits");
    assert_eq!(fitted.plateau_monitor.expect("a monitor").better, Better::Larger);
    let error = found.fit_task(wgfit::config::data::Task::Regression).expect_err("no accuracy");
    assert!(error.to_string().contains("`schedule.monitor`"), "{error}");
    let plain = settings(with, json!("constant")).expect("valid");
    assert!(plain.schedule.plateau().is_none());
}
