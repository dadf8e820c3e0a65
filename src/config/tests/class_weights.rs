//! Class weights, labels and columns of weights, as far as they are checked without the data.

use serde_json::json;

use super::*;

fn with_weights(weights: &str) -> String {
    let target = "\"target\": \"y\"";
    with("").replace(target, &format!("{target},\n\"class_weights\": {weights}"))
}

#[test]
fn class_weights_are_read_and_written() -> Result<()> {
    let of = |text: &str, overrides: &[&str]| -> Result<Option<ClassWeights>> {
        let settings = settings_of(text, overrides)?;
        let resolved = serde_json::to_value(settings.resolved()).expect("a config is JSON");
        schema::check(&resolved);
        let again = Config::parse(&resolved.to_string(), "config.json", &[])?;
        assert_eq!(again, settings.resolved());
        assert_eq!(again.validate(Path::new("/"))?.data.class_weights, settings.data.class_weights);
        Ok(settings.data.class_weights)
    };
    assert_eq!(of(&with_weights("null"), &[])?, None);
    assert_eq!(of(&with_weights("\"balanced\""), &[])?, Some(ClassWeights::Balanced));
    let map = Some(ClassWeights::Map([("1".to_owned(), 0.5), ("a b".to_owned(), 3.0)].into()));
    assert_eq!(of(&with_weights("{\"a b\": 3, \"1\": 0.5}"), &[])?, map);
    let overrides = ["data.class_weights.1=0.5", "data.class_weights.a b=3"];
    assert_eq!(of(&with(""), &overrides)?, map);
    assert_eq!(of(&with(""), &["data.class_weights=balanced"])?, Some(ClassWeights::Balanced));
    Ok(())
}

#[test]
fn bad_class_weights_are_refused_with_their_line() {
    let refuse = |weights: &str, parts: &[&str]| refused(&with_weights(weights), &[], parts);
    let key = "c.json:2: `data.class_weights";
    refuse("\"balancd\"", &[key, "\"balancd\"", "did you mean \"balanced\"?"]);
    refuse("[1, 2]", &[key, "expected null, \"balanced\" or an object", "found a list"]);
    refuse("2", &[key, "found 2"]);
    refuse("{\"a\": \"b\"}", &[key, ".a`: expected a number, found \"b\""]);
    refuse("{\"a\": 0}", &[key, ".a`: expected a number above 0, found 0"]);
    refuse("{\"a\": -1}", &[key, ".a`: expected a number above 0, found -1"]);
    refuse("{\"a\": 1e39}", &[key, ".a`: expected a number above 0"]);
    refuse("{\"a\": 1, \"a\": 2}", &[key, ".a`: the key is given twice"]);
    let of_task = |task: &str, part: &str| {
        let overrides = [&format!("data.task={task}"), "data.target=[\"a\", \"b\"]"];
        refused(&with_weights("\"balanced\""), &overrides, &[key, part]);
    };
    of_task("regression", "a regression task takes no class weights");
    of_task("multilabel", "loss.pos_weight");
}

#[test]
fn a_multilabel_task_takes_several_targets() -> Result<()> {
    let parts = ["`data.target`", "two target columns or more"];
    refused(&with(""), &["data.task=multilabel"], &parts);
    let overrides = ["data.task=multilabel", "data.target=[\"a\", \"b\"]"];
    let settings = settings_of(&with(""), &overrides)?;
    assert_eq!(settings.data.task, Some(Task::Multilabel));
    let fitted = settings.fit_task(Task::Multilabel)?;
    assert_eq!(fitted.loss.row.name, "binary_cross_entropy");
    let resolved = serde_json::to_value(settings.resolved_for(&fitted)).expect("JSON");
    schema::check(&resolved);
    assert_eq!(resolved["data"]["task"], "multilabel");
    assert_eq!(resolved["data"]["target_scaling"], "none");
    Ok(())
}

#[test]
fn a_column_of_weights_is_a_type() -> Result<()> {
    let settings = settings_of(&with(""), &["data.columns.w.type=weight"])?;
    assert_eq!(settings.data.columns["w"].kind, Some(data::ColumnType::Weight));
    schema::check(&serde_json::to_value(settings.resolved()).expect("JSON"));
    let column = json!({ "w": { "type": "wait" } });
    refused(&with(""), &[&format!("data.columns={column}")], &["`data.columns.w.type`", "weight"]);
    Ok(())
}
