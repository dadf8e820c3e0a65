//! Metrics of every row's outputs against scikit-learn's (golden/metrics.py).

mod common;

use std::collections::BTreeSet;

use common::{json, number, root};
use serde_json::Value;
use wgfit::catalog::metric::classes::confusion_matrix;
use wgfit::catalog::metric::{METRICS, MetricRow, Outputs, find};
use wgfit::config::data::Task;

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().expect("a list").iter().map(number).collect()
}

fn task(name: &Value) -> Task {
    serde_json::from_value(name.clone()).expect("a task")
}

fn made_of_outputs(row: &MetricRow, task: Task) -> bool {
    row.tasks.contains(&task) && row.term(task).is_none()
}

#[test]
fn every_metric_agrees_with_scikit_learn() {
    let golden = json(&root().join("tests/golden/metrics.json"));
    let mut tested = BTreeSet::new();
    for case in golden["cases"].as_array().expect("cases") {
        let task = task(&case["task"]);
        let (predictions, targets) = (numbers(&case["predictions"]), numbers(&case["targets"]));
        let width = case["width"].as_u64().expect("a width") as usize;
        let rows = predictions.len() / width;
        let outputs = Outputs { task, rows, width, predictions: &predictions, targets: &targets };
        for (name, expected) in case["metrics"].as_object().expect("metrics") {
            let row = find(name).expect(name);
            assert!(row.tasks.contains(&task), "{name} of {task}");
            let found = row.of_outputs(&outputs).expect(name);
            // What scikit-learn gives no number is written as null.
            let agree = match expected.as_f64() {
                None => found.is_nan(),
                Some(expected) => (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3),
            };
            assert!(agree, "{name} of {task}, {}: {found}, expected {expected}", case["name"]);
            tested.insert((task.to_string(), name.clone()));
        }
        let confusion: Option<Vec<Vec<u64>>> =
            serde_json::from_value(case["confusion"].clone()).expect("counts");
        assert_eq!(confusion_matrix(&outputs), confusion.unwrap_or_default(), "{}", case["name"]);
    }
    for task in [Task::Classification, Task::Binary, Task::Multilabel, Task::Regression] {
        for row in METRICS.iter().filter(|row| made_of_outputs(row, task)) {
            let name = (task.to_string(), row.name.to_owned());
            assert!(tested.contains(&name), "no case of {name:?}");
        }
    }
}

#[test]
fn outputs_that_are_no_numbers_have_no_score() {
    let targets = [0.0, 1.0, 1.0, 0.0];
    for task in [Task::Classification, Task::Binary, Task::Multilabel, Task::Regression] {
        let classes = matches!(task, Task::Classification | Task::Binary);
        let odd = [
            (vec![0.5, f64::NAN, 0.5, 0.5], 2),
            (Vec::new(), 0),
            // Fewer than said.
            (vec![0.5; 2], 2),
        ];
        for (predictions, rows) in odd {
            let targets = &targets[..if classes { rows } else { 2 * rows }];
            let outputs = Outputs { task, rows, width: 2, predictions: &predictions, targets };
            for row in METRICS.iter().filter(|row| made_of_outputs(row, task)) {
                let value = row.of_outputs(&outputs).expect("of outputs");
                assert!(value.is_nan(), "{} of {predictions:?}: {value}", row.name);
            }
            assert!(confusion_matrix(&outputs).is_empty());
        }
    }
}

#[test]
fn a_class_beyond_the_outputs_is_borne() {
    let (predictions, targets) = ([0.2, 0.8, 0.7, 0.3], [1.0, 7.0]);
    let outputs = Outputs {
        task: Task::Classification,
        rows: 2,
        width: 2,
        predictions: &predictions,
        targets: &targets,
    };
    for row in METRICS.iter().filter(|row| made_of_outputs(row, outputs.task)) {
        assert!(row.of_outputs(&outputs).is_some(), "{}", row.name);
    }
    assert_eq!(confusion_matrix(&outputs), [[0, 0], [0, 1]]);
}
