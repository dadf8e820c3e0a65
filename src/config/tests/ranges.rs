//! Numbers outside their range, and keys that do not go together.

use super::*;

#[test]
fn ranges_are_checked() {
    for (key, value, expected) in [
        ("members", "0", "from 1"),
        ("training.epochs", "0", "from 1"),
        ("training.batch_size", "0", "from 1"),
        ("training.batch_size", "4294967296", "to 4294967295"),
        ("data.validation", "1", "a share in [0, 1)"),
        ("data.validation", "-0.1", "a share in [0, 1)"),
        ("data.test", "0.8", "no row for training"),
        ("data.train", "", "empty name"),
        ("optimizer.learning_rate", "0", "above 0"),
        ("optimizer.learning_rate", "1e300", "above 0"),
        ("optimizer.beta1", "1", "[0, 1)"),
        ("optimizer.beta2", "0.999999999999", "[0, 1)"),
        ("optimizer.epsilon", "-1", "above 0"),
        ("optimizer.epsilon", "0", "above 0"),
        ("optimizer.weight_decay", "-1", "0 or more"),
        ("early_stopping.min_delta", "-1", "0 or more"),
        ("early_stopping.patience", "-1", "0 or more"),
        ("early_stopping.monitor", "val_los", "did you mean \"val_loss\"?"),
        ("schedule.warmup_epochs", "-1", "0 or more"),
        ("schedule.warmup_steps", "1.5", "whole number"),
    ] {
        let path = format!("override: `{key}`");
        refused(&with(""), &[&format!("{key}={value}")], &[&path, expected]);
    }
    let layer = |rest: &str| with(&format!("\"model\": {{\"layers\": [{{{rest}}}]}}"));
    for (rest, key) in [
        ("\"units\": 0", "units"),
        ("\"dropout\": 1", "dropout"),
        ("\"l1\": -1", "l1"),
        ("\"l2\": -1", "l2"),
    ] {
        refused(
            &layer(rest),
            &[],
            &["c.json:1: ", &format!("`model.layers[0].{key}`"), "expected"],
        );
    }
    let sgd = |rest: &str| with(&format!(r#""optimizer": {{"name": "sgd", {rest}}}"#));
    refused(&sgd("\"nesterov\": true"), &[], &["`optimizer.nesterov`", "momentum above 0"]);
    refused(&sgd(r#""nesterov": true, "momentum": 0.9, "dampening": 0.1"#), &[], &["no dampening"]);
    refused(&sgd("\"momentum\": 1"), &[], &["`optimizer.momentum`", "[0, 1)"]);
    refused(&sgd(r#""dampening": 0.1, "convention": "keras""#), &[], &["`optimizer.dampening`"]);
    refused(&with(r#""schedule": {"name": "cosine", "minimum": 1}"#), &[], &["`schedule.minimum`"]);
    refused(
        &with(r#""schedule": {"warmup_steps": 1, "warmup_epochs": 1}"#),
        &[],
        &["warmup_steps is given too"],
    );
    refused(
        &with("\"early_stopping\": {}"),
        &["data.validation=0"],
        &["`early_stopping`", "without a validation set"],
    );
    refused(&with(""), &["data.validation_labels=b"], &["`data.validation_labels`", "not a file"]);
    refused(&with(""), &["data.labels=b", "data.test=c.csv"], &["`data.test_labels`", "required"]);
    refused(&with("\"metrics\": [\"mae\", \"mae\"]"), &[], &["`metrics[1]`", "twice"]);
}

#[test]
fn checkpoints_are_on_unless_null() -> Result<()> {
    let of = |rest: &str| Ok(settings_of(&with(rest), &[])?.checkpoint);
    let by_default = CheckpointConfig { every_epochs: 1, every_seconds: 30.0, keep: 1 };
    assert_eq!(of("")?, Some(by_default));
    assert_eq!(
        of(r#""checkpoint": {"keep": 4}"#)?,
        Some(CheckpointConfig { keep: 4, ..by_default })
    );
    assert_eq!(of(r#""checkpoint": null"#)?, None);
    let given = CheckpointConfig { every_epochs: 2, every_seconds: 0.5, keep: 3 };
    assert_eq!(settings_of(SAMPLE, &[])?.checkpoint, Some(given));
    for (change, expected) in [
        ("checkpoint.every_epochs=0", "expected a whole number from 1"),
        ("checkpoint.keep=0", "expected a whole number from 1"),
        ("checkpoint.every_seconds=-1", "expected a number, 0 or more"),
        ("checkpoint.every=1", "unknown key"),
        ("checkpoint=[1]", "expected an object, found a list"),
    ] {
        refused(&with(""), &[change], &[expected]);
    }
    // Equal runs have equal forms of it, however often they were kept.
    let config = Config::parse(SAMPLE, "c.json", &[])?;
    assert_eq!(config.without_paths().checkpoint, Some(by_default));
    Ok(())
}

#[test]
fn sizes_of_embeddings_are_checked() -> Result<()> {
    let text = with(r#""model": {"layers": [{}]}"#);
    let a = "`data.columns.a.embedding_size`";
    for (changes, parts) in [
        (&["data.columns.a.embedding_size=0"][..], &[a, "from 1 to 1024, found 0"][..]),
        (&["data.columns.a.embedding_size=1025"], &[a, "found 1025"]),
        (&["data.columns.a.embedding_size=1.5"], &[a, "a whole number"]),
        (
            &["data.columns.a.embedding_size=3", "data.encoding=one_hot"],
            &[a, "is one-hot encoded", "data.columns.a.encoding to \"embedding\""],
        ),
        (&["data.encoding=onehot"], &["`data.encoding`", "did you mean \"one_hot\""]),
    ] {
        refused(&text, changes, parts);
    }
    let stated = ["data.encoding=one_hot", "data.columns.a.encoding=embedding"];
    settings_of(&text, &[&stated[..], &["data.columns.a.embedding_size=3"]].concat())?;
    Ok(())
}
