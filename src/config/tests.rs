//! Every error with its key path, round trips, overrides, positions.

use std::path::Path;

use super::data::{Portion, Task};
use super::*;
use crate::catalog::metric::Better;
use crate::catalog::{activation, initializer, loss, metric, optimizer, schedule};
use crate::error::{Error, Result};

mod catalog;
mod class_weights;
mod ranges;
mod schema;

const DATA: &str = r#""data": {"train": "a.csv", "target": "y"}"#;

/// The config of the documentation, without what this version cannot do.
const SAMPLE: &str = r#"{
  "seed": 42,
  "members": 1,                          // networks trained side by side
  "data": {
    "train": "data/digits.csv", /* beside the config */
    "labels": null,
    "validation": 0.2,
    "test": 0.1,
    "target": "label",
    "task": "auto",
    "columns": {"age": {"type": "numeric", "scaling": "minmax"}, "id": {"type": "ignore"}},
    "scaling": "standard",
    "class_weights": null,
    "target_scaling": "auto",
    "shuffle": true,
    "stratify": true,
    "streaming": "auto",
    "streaming_folder": null,
    "chunk_rows": null
  },
  "model": {
    "layers": [
      { "units": 128, "activation": "relu", "init": "he_normal", "bias_init": "zeros",
        "dropout": 0.2, "norm": null, "l1": 0, "l2": 0 },
      { "units": 64, "activation": {"name": "leaky_relu", "slope": 0.1}, },
    ],
    "init_from": null
  },
  "loss": "auto",
  "optimizer": { "name": "adam", "learning_rate": 0.001, "convention": "torch",
                 "weight_decay": 0, "clip_norm": null, "amsgrad": false },
  "schedule": {"name": "cosine", "warmup_steps": 10},
  "training": { "epochs": 100, "batch_size": 64, "drop_last": false, "precision": "f32",
                "ema": null, "accumulate": 1 },
  "early_stopping": { "monitor": "val_loss", "mode": "auto", "patience": 10, "min_delta": 0,
                      "restore_best": true },
  "metrics": ["accuracy"],
  "log": { "every_steps": 0, "tensorboard": false, "histograms_every": 1 },
  "checkpoint": { "every_epochs": 2, "every_seconds": 0.5, "keep": 3 }
}"#;

fn settings_of(text: &str, overrides: &[&str]) -> Result<Settings> {
    let overrides: Vec<_> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Config::parse(text, "c.json", &overrides)?.validate(Path::new("/folder"))
}

fn with(rest: &str) -> String {
    format!("{{{DATA}{}{rest}}}", if rest.is_empty() { "" } else { ", " })
}

fn refused(text: &str, overrides: &[&str], parts: &[&str]) {
    let message = match settings_of(text, overrides) {
        Ok(_) => panic!("accepted: {text} {overrides:?}"),
        Err(error) => {
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        }
    };
    for part in parts {
        assert!(message.contains(part), "{message:?} has no {part:?}");
    }
}

#[test]
fn the_sample_means_what_it_says() -> Result<()> {
    let settings = settings_of(SAMPLE, &[])?;
    assert_eq!(settings.data.train, Path::new("/folder/data/digits.csv"));
    assert_eq!(settings.data.validation, Portion::Share(0.2));
    assert_eq!(settings.model.layers[0].init.row.name, "he_normal");
    assert_eq!(settings.model.layers[1].init.row.name, "he_uniform");
    assert_eq!(settings.model.layers[1].activation.values[0], 0.1);
    assert_eq!(settings.model.output.init.row.name, "glorot_uniform");
    assert_eq!(settings.optimizer.hyperparameters.epsilon, 1e-8);
    assert!(settings.early_stopping_given && settings.loss.is_none());
    Ok(())
}

#[test]
fn defaults_follow_the_convention() -> Result<()> {
    let settings = settings_of(&with(""), &[])?;
    assert!(settings.early_stopping.is_some() && !settings.early_stopping_given);
    assert_eq!((settings.seed, settings.members, settings.training.batch_size), (42, 1, 64));
    assert_eq!(settings.l2_gradient_coefficient(0.1), 0.1);
    let overrides =
        ["optimizer.convention=keras", "model.layers.0.activation=leaky_relu", "data.validation=0"];
    let layered = with(r#""model": {"layers": [{}]}"#);
    let settings = settings_of(&layered, &overrides)?;
    assert_eq!(settings.optimizer.hyperparameters.epsilon, 1e-7);
    assert_eq!(settings.model.layers[0].activation.values[0], 0.2);
    assert_eq!(settings.l2_gradient_coefficient(0.1), 0.2);
    assert!(settings.early_stopping.is_none());
    let explicit = settings_of(&with(r#""early_stopping": null"#), &[])?;
    assert!(explicit.early_stopping.is_none());
    Ok(())
}

#[test]
fn text_that_is_not_json_is_refused_with_its_place() {
    refused("{\n  \"seed\": x\n}", &[], &["c.json:2:11: not valid JSON", "unexpected word"]);
    refused("{\n  \"seed\": 1\n  \"members\": 1}", &[], &["c.json:2:", "expected comma"]);
    refused("", &[], &["c.json:1:1", "no value"]);
    refused("[1]", &[], &["expected an object, found a list"]);
    refused("{'seed': 1}", &[], &["not valid JSON", "single-quoted"]);
    for word in ["NaN", "Infinity", "-Infinity", "0x10", "+1", ".5"] {
        refused(&with(&format!("\"seed\": {word}")), &[], &["c.json:1:", "not valid JSON"]);
    }
    refused(&with("\"seed\": 1e999"), &[], &["`seed`", "1e999 is not a number that 64 bits"]);
    refused(&"[".repeat(100_000), &[], &["nesting depth"]);
    refused(&"{\"a\":".repeat(100_000), &[], &["nesting depth"]);
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(400), "]".repeat(400));
    refused(&deep, &[], &["`a`: unknown key"]);
}

#[test]
fn unknown_keys_and_names_are_refused_with_the_known_ones() {
    let text = "{\n\"data\": {\n\"train\": \"a.csv\",\n\"tarjet\": 1}}";
    refused(
        text,
        &[],
        &["c.json:4: `data.tarjet`: unknown key", "did you mean \"target\"?", "known:", "train"],
    );
    refused(&with("\"sed\": 1"), &[], &["`sed`: unknown key", "did you mean \"seed\"?"]);
    refused(&with("\"a`b\": 1"), &[], &["`a`b`: unknown key", "known: seed, members"]);
    let layer = |rest: &str| with(&format!(r#""model": {{"layers": [{{{rest}}}]}}"#));
    refused(&layer("\"unit\": 1"), &[], &["`model.layers[0].unit`: unknown key", "\"units\""]);
    refused(
        &layer("\"activation\": \"rellu\""),
        &[],
        &["`model.layers[0].activation`: unknown activation \"rellu\"", "did you mean \"relu\"?"],
    );
    refused(
        &layer("\"init\": {\"name\": \"he_normal\", \"spread\": 1}"),
        &[],
        &["`model.layers[0].init.spread`: unknown key"],
    );
    refused(
        &with(r#""optimizer": "lino""#),
        &[],
        &["`optimizer`: unknown optimizer \"lino\"", "did you mean \"lion\"?"],
    );
    refused(
        &with(r#""optimizer": {"name": "sgd", "beta1": 0.9}"#),
        &[],
        &["`optimizer.beta1`: unknown key", "momentum"],
    );
    refused(
        &with(r#""metrics": ["acuracy"]"#),
        &[],
        &["`metrics[0]`", "did you mean \"accuracy\"?"],
    );
    refused(&with(""), &["data.scaling=standart"], &["override: `data.scaling`", "\"standard\""]);
    refused(&with(""), &["loss=hing"], &["`loss`: unknown loss", "did you mean \"hinge\"?"]);
    refused(&with(""), &["schedule=stepp"], &["`schedule`: unknown schedule"]);
    refused(&with(""), &["optimizer.convention=jax"], &["`optimizer.convention`", "torch, keras"]);
    let twice = "{\n\"seed\": 1,\n\"seed\": 2}";
    refused(twice, &[], &["c.json:3: `seed`: the key is given twice", "first on line 2"]);
}

#[test]
fn wrong_types_say_what_was_expected_and_found() {
    for (text, parts) in [
        ("\"seed\": -1", ["`seed`", "a whole number, 0 or more, found -1"]),
        ("\"seed\": 1.5", ["`seed`", "found 1.5"]),
        ("\"seed\": 18446744073709551616", ["`seed`", "found 1.8446744073709552e"]),
        ("\"training\": [1]", ["`training`", "expected an object, found a list"]),
        ("\"training\": {\"epochs\": 64.0}", ["`training.epochs`", "found 64.0"]),
        (
            "\"training\": {\"drop_last\": 1}",
            ["`training.drop_last`", "expected true or false, found 1"],
        ),
        ("\"model\": {\"layers\": {}}", ["`model.layers`", "expected a list, found an object"]),
        ("\"model\": {\"layers\": [3]}", ["`model.layers[0]`", "expected an object, found 3"]),
        (
            "\"model\": {\"layers\": [{\"dropout\": \"a\"}]}",
            ["`model.layers[0].dropout`", "expected a number, found \"a\""],
        ),
        ("\"optimizer\": 3", ["`optimizer`", "expected a name of the optimizer, or an object"]),
        (
            "\"optimizer\": {\"learning_rate\": \"x\"}",
            ["`optimizer.learning_rate`", "expected a number, found \"x\""],
        ),
        ("\"loss\": {}", ["`loss.name`", "required"]),
    ] {
        refused(&with(text), &[], &parts);
    }
    refused("{}", &[], &["`data`: the key is required", "shortest config"]);
    refused("{\"data\": {}}", &[], &["c.json:1: `data.train`: the key is required"]);
    refused("{\"data\": {\"train\": \"a\"}}", &[], &["`data.target`: no target column"]);
    let target = |value: &str| format!("{{\"data\": {{\"train\": \"a\", \"target\": {value}}}}}");
    refused(&target("-1"), &[], &["`data.target`", "column's name, its index", "found -1"]);
    refused(&target("[true]"), &[], &["`data.target[0]`", "found true"]);
    refused(&target("[]"), &[], &["`data.target`: no target column"]);
    refused(&target("[1, 1]"), &[], &["`data.target[1]`", "twice"]);
    refused(
        &with(""),
        &["data.validation=true"],
        &["`data.validation`", "a share in [0, 1) or a file"],
    );
}

#[test]
fn overrides_reach_every_key() -> Result<()> {
    let settings = settings_of(
        SAMPLE,
        &[
            "optimizer=sgd",
            "optimizer.learning_rate=0.5",
            "model.layers.0.units=7",
            "model.layers[1].units=8",
            "data.shuffle=false",
            "data.target=0",
            "data.validation=other.csv",
            "early_stopping=null",
            "loss=mse",
            "seed=18446744073709551615",
            "model.output.l2=0.5",
        ],
    )?;
    assert_eq!(settings.optimizer.row.name, "sgd");
    assert_eq!(settings.optimizer.hyperparameters.learning_rate, 0.5);
    assert_eq!((settings.model.layers[0].units, settings.model.layers[1].units), (7, 8));
    assert_eq!(settings.data.validation, Portion::File("/folder/other.csv".into()));
    assert_eq!(settings.seed, u64::MAX);
    assert_eq!(settings.model.output.weights.l2, 0.5);
    assert!(settings.early_stopping.is_none() && !settings.data.shuffle);
    refused(
        SAMPLE,
        &["model.layers.2.units=1"],
        &["override model.layers.2.units=1: `model.layers[2]`", "past the end", "2 elements"],
    );
    refused(SAMPLE, &["model.layers.0.units=0.5"], &["found 0.5"]);
    refused(SAMPLE, &["model.layers.x=1"], &["`model.layers`", "no index"]);
    refused(SAMPLE, &["seed.x=1"], &["`seed`: is 42, which has no key \"x\""]);
    refused(SAMPLE, &["seed"], &["not of the form KEY=VALUE"]);
    refused(SAMPLE, &["=1"], &["not of the form KEY=VALUE"]);
    refused(SAMPLE, &["a..b=1"], &["not of the form KEY=VALUE"]);
    refused(SAMPLE, &[&format!("{}=1", ["a"; 100_000].join("."))], &["too deep"]);
    refused(SAMPLE, &["optimizr.x=1"], &["override: `optimizr`: unknown key", "\"optimizer\""]);
    Ok(())
}

#[test]
fn a_resolved_config_means_the_same() -> Result<()> {
    let full = with(
        r#""optimizer": {"name": "rmsprop", "convention": "keras", "centered": true, "momentum": 0.3},
        "schedule": {"name": "cosine", "minimum": 0.0001, "warmup_epochs": 1.5},
        "model": {"layers": [], "init_from": "w.safetensors", "output": {"init": {"name": "constant", "value": 0.1}}},
        "metrics": ["mae"], "log": {"every_steps": 3}"#,
    );
    for (text, task) in
        [(SAMPLE, Task::Classification), (&with(""), Task::Binary), (&full, Task::Regression)]
    {
        let settings = settings_of(text, &["data.test=t/test.csv"])?;
        for config in [settings.resolved(), settings.resolved_for(&settings.fit_task(task)?)] {
            let json = serde_json::to_string_pretty(&config).expect("a config is JSON");
            let read = Config::parse(&json, "config.json", &[])?;
            assert_eq!(read, config);
            let again = read.validate(Path::new("/elsewhere"))?;
            assert_eq!(again.resolved(), config, "{json}");
            assert_eq!(again.data.test, Portion::File("/folder/t/test.csv".into()));
            let free = serde_json::to_string(&config.without_paths()).expect("a config is JSON");
            assert!(!free.contains("/folder") && free.contains("test.csv"), "{free}");
            schema::check(&serde_json::from_str(&json).expect("just written"));
        }
        let again = settings.resolved().validate(Path::new("/elsewhere"))?;
        let strip = |mut settings: Settings| {
            settings.early_stopping_given = false;
            settings.locations = Default::default();
            format!("{settings:?}")
        };
        assert_eq!(strip(again), strip(settings));
    }
    Ok(())
}

#[test]
fn numbers_are_read_to_the_last_bit() -> Result<()> {
    for i in 1..2000_u64 {
        let rate = f64::from_bits(0.001_f64.to_bits() + i * 0x1234_5678_9abc);
        let text = with(&format!("\"optimizer\": {{\"learning_rate\": {rate}}}"));
        for settings in [
            settings_of(&text, &[])?,
            settings_of(&with(""), &[&format!("optimizer.learning_rate={rate}")])?,
        ] {
            assert_eq!(settings.optimizer.hyperparameters.learning_rate.to_bits(), rate.to_bits());
        }
    }
    Ok(())
}

#[test]
fn the_task_decides_the_rest() -> Result<()> {
    let settings = settings_of(&with(r#""early_stopping": {"monitor": "val_accuracy"}"#), &[])?;
    let fitted = settings.fit_task(Task::Classification)?;
    assert_eq!(fitted.loss.row.name, "categorical_cross_entropy");
    let monitor = fitted.monitor.expect("early stopping is on");
    assert_eq!((monitor.of_validation, monitor.better), (true, Better::Larger));
    assert_eq!(monitor.quantity, Quantity::Metric(0));
    let message = |settings: &Settings, task| match settings.fit_task(task) {
        Err(error @ Error::Config { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let text = message(&settings, Task::Regression);
    assert!(text.contains("c.json:1: `early_stopping.monitor`"), "{text}");
    let settings = settings_of(&with("\"loss\": \"mse\""), &[])?;
    let text = message(&settings, Task::Binary);
    assert!(text.contains("\"mse\" does not fit a binary task"), "{text}");
    assert!(text.contains("these do: binary_cross_entropy"), "{text}");
    let settings = settings_of(&with("\"metrics\": [\"r2\"]"), &[])?;
    assert!(message(&settings, Task::Binary).contains("`metrics[0]`"));
    let settings = settings_of(&with(""), &["data.target_scaling=standard"])?;
    assert!(message(&settings, Task::Binary).contains("`data.target_scaling`"));
    refused(
        &with(r#""metrics": ["mae"], "early_stopping": {"monitor": "val_r2"}"#),
        &[],
        &["add \"r2\" to the metrics"],
    );
    Ok(())
}

#[test]
fn a_file_is_read_and_a_missing_one_named() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::io("create", Path::new("temp"), e))?;
    let file = folder.path().join("c.json");
    let write =
        |bytes: &[u8]| std::fs::write(&file, bytes).map_err(|e| Error::io("write", &file, e));
    write(format!("\u{feff}{SAMPLE}").as_bytes())?;
    assert_eq!(Config::load(&file, &[])?.seed, 42);
    write(b"{\n\"seed\": \"\xff\"}")?;
    let error = Config::load(&file, &[]).expect_err("not UTF-8").to_string();
    assert!(error.contains("c.json:2:10") && error.contains("UTF-8"), "{error}");
    let error = Config::load(&folder.path().join("none.json"), &[]).expect_err("no file");
    assert!(error.to_string().contains("none.json") && error.exit_code() == 1);
    Ok(())
}
