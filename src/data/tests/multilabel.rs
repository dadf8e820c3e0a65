//! Targets that are labels, each there or not.

use super::*;
use crate::data::{LabelValues, TargetEncoding};

const ROWS: &str = "x,a,b,c\n1,no,1,FALSE\n2,yes,0.0,TRUE\n3,no,0,TRUE\n4,no,1.0,FALSE\n";

#[test]
fn the_larger_value_is_the_label() {
    let folder = Folder::new();
    let file = folder.file("rows.csv", ROWS);
    let data = load(&several(file.clone(), Task::Multilabel)).expect("a good file");
    assert_eq!(data.train.targets, [0., 1., 0., 1., 0., 1., 0., 0., 1., 0., 1., 0.]);
    assert_eq!(data.train.features, [1.0, 2.0, 3.0, 4.0]);
    let preprocessing = data.preprocessing;
    preprocessing.validate().expect("sound");
    assert_eq!(preprocessing.task(), Task::Multilabel);
    assert_eq!((preprocessing.outputs(), preprocessing.target_width()), (3, 3));
    assert_eq!(preprocessing.classes(), ["a", "b", "c"]);
    assert!(preprocessing.target_scale().is_empty() && !preprocessing.has_soft_targets());
    assert_says(&data.notes[0], &["\"a\", \"b\", \"c\": 3 labels", "\"yes\" have the label"]);
    // Columns in the order of data.target, whatever the file's.
    let turned = folder.file("turned.csv", "c,x,b,a\nTRUE,5,1,yes\nFALSE,6,0,no\n");
    let rows = load_rows(&turned, None, &preprocessing).expect("a good file");
    assert_eq!(rows.targets, [1., 1., 1., 0., 0., 0.]);
    let features = load_features(&folder.file("bare.csv", "x\n7\n"), &preprocessing);
    assert_eq!(features.expect("a good file").features, [7.0]);
    let json = serde_json::to_string(&preprocessing).expect("JSON");
    assert_eq!(preprocessing, serde_json::from_str(&json).expect("just written"));
}

#[test]
fn a_list_of_targets_is_regression_unless_a_task_is_given() {
    let folder = Folder::new();
    let file = folder.file("rows.csv", "x,a,b,c\n1,0,1,0\n2,1,0,1\n3,0,1,1\n");
    let mut settings = several(file, Task::Multilabel);
    settings.task = None;
    let data = load(&settings).expect("a good file");
    assert_eq!(data.preprocessing.task(), Task::Regression);
}

#[test]
fn columns_that_are_no_labels_are_refused() {
    let folder = Folder::new();
    let says = |text: &str, parts: &[&str]| {
        let file = folder.file("rows.csv", text);
        assert_says(&refused(&several(file, Task::Multilabel)), parts);
    };
    let third = ROWS.replace("3,no", "3,maybe");
    says(&third, &["rows.csv, column \"a\"", "has 3", "maybe, no, yes"]);
    let third = ROWS.replace("3,no,0", "3,no,2");
    says(&third, &["rows.csv, column \"b\"", "has 3", "0.0, 1, 2"]);
    let constant = ROWS.replace("yes", "no");
    says(&constant, &["column \"a\"", "one value only, \"no\", in all 4 rows"]);
    says(&ROWS.replace("3,no", "3,"), &["rows.csv, line 4, column \"a\"", "missing value"]);
    says(&ROWS.replace("3,no", "3,nan"), &["rows.csv, line 4, column \"a\"", "missing value"]);
    let many: String = (0..10_002).map(|i| format!("{i},{i},{},{}\n", i % 2, i % 2)).collect();
    says(&format!("x,a,b,c\n{many}"), &["column \"a\"", "a label has 2 values"]);

    let file = folder.file("rows.csv", ROWS);
    let mut one = several(file.clone(), Task::Multilabel);
    one.target.truncate(1);
    assert_says(&refused(&one), &["`data.target`", "two target columns or more"]);
    assert_says(
        &refused(&several(file.clone(), Task::Binary)),
        &["`data.target`", "a binary task takes one target column", "multilabel"],
    );
    let mut scaled = several(file.clone(), Task::Multilabel);
    scaled.target_scaling = TargetScaling::Standard;
    assert_says(&refused(&scaled), &["`data.target_scaling`", "the task is multilabel"]);
    let mut numeric = several(file, Task::Multilabel);
    numeric.columns.insert("b".to_owned(), typed(ColumnType::Numeric));
    assert_says(&refused(&numeric), &["`data.columns.b.type`", "data.task is multilabel"]);
}

#[test]
fn new_rows_have_the_values_of_the_training_file() {
    let folder = Folder::new();
    let mut settings = several(folder.file("rows.csv", ROWS), Task::Multilabel);
    let held_out = folder.file("more.csv", "x,a,b,c\n1,yes,1,TRUE\n1,yes,1,maybe\n");
    settings.validation = Portion::File(held_out);
    let parts =
        ["more.csv, line 3, column \"c\"", "\"maybe\" is neither", "\"FALSE\" and \"TRUE\""];
    assert_says(&refused(&settings), &parts);
    let fewer = folder.file("more.csv", "x,a,b\n1,yes,1\n");
    settings.validation = Portion::File(fewer);
    assert_says(&refused(&settings), &["more.csv: no target column: expected a, b, c"]);
}

#[test]
fn damaged_labels_are_refused() {
    let folder = Folder::new();
    let settings = several(folder.file("rows.csv", ROWS), Task::Multilabel);
    let good = load(&settings).expect("a good file").preprocessing;
    let pair = |negative: &str, positive: &str| LabelValues {
        negative: negative.to_owned(),
        positive: positive.to_owned(),
    };
    for (values, says) in [
        (vec![pair("0", "1"); 2], "3 targets, 2 labels"),
        (vec![pair("0", "1"), pair("0", "1"), pair("1", "1")], "one value twice"),
    ] {
        let mut bad = good.clone();
        bad.target.encoding = TargetEncoding::Labels { values };
        assert_says(&bad.validate().expect_err(says).to_string(), &[says]);
    }
    let mut bad = good.clone();
    bad.target.names[1] = "a".to_owned();
    assert_says(&bad.validate().expect_err("twice").to_string(), &["\"a\" is there twice"]);
    let mut bad = good.clone();
    bad.target.indices.clear();
    assert_says(&bad.validate().expect_err("nowhere").to_string(), &["two target columns"]);
    let mut bad = good;
    bad.task = Task::Classification;
    assert_says(&bad.validate().expect_err("no classes").to_string(), &["does not fit"]);
}
