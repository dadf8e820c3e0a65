//! Baselines held to scikit-learn's models, and to what is known without any.

use serde_json::{Value, json};

use super::lbfgs::Limits;
use super::linear::{Model, models};
use super::*;
use crate::config::{Config, Settings, TaskSettings};
use crate::data::{self, Dataset};
use crate::train::Scores;

const GOLDEN: &str = include_str!("../../tests/golden/baselines.json");
const COLUMNS: [&str; 15] =
    ["a", "b", "c", "d", "group", "yes", "l1", "l2", "l3", "s1", "s2", "s3", "y1", "y2", "w"];

fn fitted(config: &Value) -> (Settings, TaskSettings, Dataset) {
    let config = Config::parse(&config.to_string(), "a test", &[]).expect("a config");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = config.validate(root).expect("settings");
    let dataset = data::load(&settings.data).expect("data");
    let task = settings.fit_task(dataset.preprocessing.task()).expect("a task");
    (settings, task, dataset)
}

fn job_of(config: &Value) -> Job {
    let (settings, task, dataset) = fitted(config);
    Job::of(&dataset, &task, settings.optimizer.convention, 1).expect("rows in memory")
}

/// A config of the golden table: features as they are, all else but the target ignored.
fn golden_config(task: &str, target: &[&str], weighted: bool) -> Value {
    let mut columns = json!({});
    for name in &COLUMNS[4..] {
        if !target.contains(name) {
            columns[*name] = json!({ "type": "ignore" });
        }
    }
    if weighted {
        columns["w"] = json!({ "type": "weight" });
    }
    let target = if let [one] = target { json!(one) } else { json!(target) };
    json!({ "data": {
        "train": "tests/golden/baselines.csv", "target": target, "task": task, "columns": columns,
        "scaling": "none", "target_scaling": "none", "validation": 0
    } })
}

fn assert_close(found: &Model, case: &Value, bound: f64) {
    let flat = |value: &Value| -> Vec<f64> {
        let rows = value.as_array().expect("a list").iter();
        rows.flat_map(|row| match row.as_array() {
            Some(row) => row.iter().map(|x| x.as_f64().expect("a number")).collect(),
            None => vec![row.as_f64().expect("a number")],
        })
        .collect()
    };
    for (what, own, expected) in [
        ("weights", &found.weights, flat(&case["weights"])),
        ("biases", &found.biases, flat(&case["biases"])),
    ] {
        assert_eq!(own.len(), expected.len(), "{what} of {case}");
        let size = expected.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        for (own, expected) in own.iter().zip(&expected) {
            let distance = (own - expected).abs() / size;
            assert!(distance < bound, "{what}: {own} and {expected} differ, {case}");
        }
    }
}

#[test]
fn the_linear_models_are_those_of_scikit_learn() {
    let golden: Value = serde_json::from_str(GOLDEN).expect("JSON");
    let cases = golden["cases"].as_array().expect("a list");
    assert_eq!(cases.len(), 30);
    for case in cases {
        let target: Vec<&str> =
            case["target"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let task = case["task"].as_str().expect("a task");
        let config = golden_config(task, &target, case["weighted"] == true);
        let job = job_of(&config);
        let alpha = case["alpha"].as_f64().expect("a number");
        let limits = Limits { steps: 2000, gradient: 1e-11 };
        // Both ways to a ridge regression.
        for closed in if task == "regression" { vec![true, false] } else { vec![false] } {
            let mut fit = models(&job, closed, job.train.rows, limits);
            let model = fit(alpha).expect("a model");
            assert_close(&model, case, if closed { 1e-9 } else { 1e-6 });
        }
    }
}

#[test]
fn class_weights_are_weights_of_rows() {
    let mut config = golden_config("classification", &["group"], false);
    config["data"]["class_weights"] = json!("balanced");
    let job = job_of(&config);
    let total: f64 = job.weights.iter().sum();
    assert!((total - 90.0).abs() < 1e-4, "balanced weights add to the rows: {total}");
    let shares = constant::outputs(&job);
    assert!(shares.iter().all(|z| (z.exp() - 1.0 / 3.0).abs() < 1e-6), "{shares:?}");
}

fn loss_of(scores: &SetScores, set: &str) -> f64 {
    scores.iter().find(|(name, _)| name == set).map(|(_, own)| own.loss).expect("a set")
}

/// Of every loss of a regression: no other constant near the one found is better.
#[test]
fn the_constant_minimises_the_loss() {
    let losses =
        ["mse", "mae", "huber", "smooth_l1", "log_cosh", "quantile", "mape", "msle", "poisson"];
    for name in losses {
        let mut config = golden_config("regression", &["y1"], true);
        // msle and poisson take positive targets: b is.
        config["data"]["target"] = json!("b");
        config["data"]["columns"]["y1"] = json!({ "type": "ignore" });
        let options =
            if name == "quantile" { json!({ "name": name, "tau": 0.8 }) } else { json!(name) };
        config["loss"] = options;
        let job = job_of(&config);
        let found = constant::outputs(&job);
        let loss = |by: f64| {
            let at: Vec<f64> = found.iter().map(|z| z + by).collect();
            let scores = score::scores(&job, &|_, outputs| outputs.copy_from_slice(&at));
            loss_of(&scores.expect("scores"), "train")
        };
        for by in [-0.3, -0.02, 0.02, 0.3] {
            assert!(loss(by) >= loss(0.0) - 1e-9, "{name}: {by} away from {found:?} is better");
        }
    }
}

#[test]
fn a_gaussian_says_how_far_it_may_be_off() {
    let mut config = golden_config("regression", &["y1", "y2"], false);
    config["loss"] = json!("gaussian_nll");
    let found = of_job(&job_of(&config)).expect("baselines");
    let linear = found.linear.expect("a linear model");
    let (constant, linear) = (loss_of(&found.constant, "train"), loss_of(&linear.scores, "train"));
    assert!(linear < constant - 0.1, "{linear} is not better than {constant}");
}

#[test]
fn the_penalty_is_chosen_on_the_validation_rows() {
    let config = |validation: f64| {
        json!({ "seed": 3, "data": {
            "train": "configs/data/diabetes.csv", "target": "progression", "validation": validation
        } })
    };
    let job = job_of(&config(0.3));
    let chosen = of_job(&job).expect("baselines").linear.expect("a linear model");
    let validation = job.validation.as_ref().expect("validation rows");
    let loss = |penalty: f64| {
        let model = models(&job, true, job.train.rows, linear::LIMITS)(penalty).expect("a model");
        let said = |row: &[f32], outputs: &mut [f64]| model.apply(row, outputs);
        score::of_set(&job, validation, &said).expect("scores").loss
    };
    let best = loss(chosen.penalty);
    assert!(PENALTIES.iter().all(|penalty| loss(*penalty) >= best), "{}", chosen.penalty);
    assert_eq!(loss_of(&chosen.scores, "validation"), best);
    let unchosen = of_job(&job_of(&config(0.0))).expect("baselines").linear.expect("a model");
    assert_eq!(unchosen.penalty, 1.0);
}

/// Metrics made of every row's outputs stand beside those of sums, in the run's order.
#[test]
fn baselines_have_the_metrics_of_the_run() {
    let config = json!({ "metrics": ["roc_auc", "accuracy", "f1"], "data": {
        "train": "configs/data/breast_cancer.csv", "target": "diagnosis", "validation": 0.2, "test": 0.2
    } });
    let found = of_job(&job_of(&config)).expect("baselines");
    let linear = found.linear.as_ref().expect("a linear model");
    for scores in [&found.constant, &linear.scores] {
        let sets: Vec<&str> = scores.iter().map(|(set, _)| set.as_str()).collect();
        assert_eq!(sets, ["train", "validation", "test"]);
        for (_, own) in scores {
            let names: Vec<&str> = own.metrics.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["roc_auc", "accuracy", "f1"]);
        }
    }
    let test = |scores: &SetScores, name: &str| scores[2].1.get(name).expect("a score");
    assert!(test(&linear.scores, "roc_auc") > 0.97 && test(&linear.scores, "accuracy") > 0.93);
    assert_eq!(test(&found.constant, "roc_auc"), 0.5);
    let json = found.json();
    assert_eq!(json["constant"]["test"]["roc_auc"], 0.5);
    assert_eq!(json["linear"]["rows"], 341);
}

/// The rows are not moved about by the number of threads.
#[test]
fn a_fit_has_the_same_bits_on_one_thread() {
    let config = json!({ "data": {
        "train": "configs/data/digits.csv", "target": "label", "validation": 0.2
    } });
    let job = job_of(&config);
    let threads = |count: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().expect("threads");
        pool.install(|| of_job(&job).expect("baselines"))
    };
    assert_eq!(threads(1), threads(4));
}

fn scored(loss: f64, accuracy: f64) -> Scores {
    Scores { loss, metrics: vec![("accuracy", accuracy)] }
}

#[test]
fn the_verdict_says_who_is_better_and_by_what() {
    let of = |own: Scores| vec![("validation".to_owned(), own)];
    let baselines = Baselines {
        constant: of(scored(0.7, 0.5)),
        linear: Some(Linear {
            scores: of(scored(0.3, 0.9)),
            penalty: 1.0,
            rows: 10,
            converged: true,
            left_out: Vec::new(),
        }),
    };
    let verdict = |members: Vec<Scores>| {
        baselines.verdict(&[("validation".to_owned(), members)]).expect("a verdict")
    };
    let better = verdict(vec![scored(0.2, 0.94), scored(0.2, 0.96)]);
    assert!(
        better
            .starts_with("the network beats the linear baseline on the validation rows by 0.0500"),
        "{better}"
    );
    let same_accuracy = verdict(vec![scored(0.25, 0.9)]);
    assert!(same_accuracy.contains("by 0.0500 (loss 0.2500 against 0.3000"), "{same_accuracy}");
    let worse = verdict(vec![scored(0.4, 0.85)]);
    assert!(
        worse.starts_with("no better than a straight line: accuracy 0.8500 against 0.9000"),
        "{worse}"
    );
    let equal = verdict(vec![scored(0.3, 0.9)]);
    assert!(equal.starts_with("no better than a straight line"), "{equal}");
    let mixed = verdict(vec![scored(0.4, 0.95)]);
    assert!(mixed.starts_with("about as good as the linear baseline"), "{mixed}");
    let nothing = verdict(vec![scored(0.9, 0.4)]);
    assert!(
        nothing.starts_with("no better than a constant: accuracy 0.4000 against 0.5000"),
        "{nothing}"
    );
    assert_eq!(
        baselines.verdict(&[("validation".to_owned(), vec![scored(f64::NAN, f64::NAN)])]),
        None
    );
}

#[test]
fn codes_of_embedded_columns_are_no_numbers_for_a_linear_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = "a,who,b,also,y\n".to_owned();
    for row in 0..300 {
        let (who, also) = (row * 7 % 30, row * 11 % 40);
        text.push_str(&format!(
            "{},w{who},{}.5,v{also},{}.25\n",
            row % 13,
            row % 17,
            who % 5 + row % 3
        ));
    }
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, text).expect("a file");
    let job = |columns: Value| {
        let data = json!({ "train": file, "target": "y", "validation": 0.2, "columns": columns });
        job_of(&json!({ "data": data }))
    };
    let embedded = job(json!({}));
    let without = job(json!({ "who": { "type": "ignore" }, "also": { "type": "ignore" } }));
    assert_eq!((embedded.inputs, without.inputs), (2, 2));
    assert_eq!(embedded.left_out, ["who", "also"]);
    let [own, other] = [&embedded, &without].map(|job| of_job(job).expect("baselines"));
    let [own, other] = [own.linear.expect("a model"), other.linear.expect("a model")];
    assert_eq!(own.scores, other.scores);
    assert_eq!(own.left_out, ["who", "also"]);
    let network = [("validation".to_owned(), vec![scored(0.0, 1.0)])];
    let constant = of_job(&embedded).expect("baselines").constant;
    let said = Baselines { constant, linear: Some(own) }.verdict(&network).expect("a verdict");
    assert!(said.ends_with("goes without what is embedded: who, also"), "{said}");
    // Of nothing but codes there is no linear model.
    let none = job(json!({ "a": { "type": "ignore" }, "b": { "type": "ignore" } }));
    assert_eq!(none.inputs, 0);
    let none = of_job(&none).expect("baselines");
    assert!(none.linear.is_none() && none.constant.len() == 2);
}
