//! What stands beside a network: what its data is like, what it must beat, and a config to begin with.

mod common;

use std::fs;
use std::path::Path;

use common::{json, number, root, succeed, wgfit};
use serde_json::{Value, json};

/// The bundled sets, with their targets and a metric, of which larger is better.
const SETS: [(&str, &str, &str); 4] = [
    ("iris", "species", "accuracy"),
    ("breast_cancer", "diagnosis", "accuracy"),
    ("digits", "label", "accuracy"),
    ("diabetes", "progression", "r2"),
];

fn stderr(folder: &Path, arguments: &[&str]) -> String {
    let output = wgfit(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

fn bundled(name: &str) -> String {
    root().join("configs/data").join(format!("{name}.csv")).display().to_string()
}

/// Rows of which one in ten is there twice, with an id and a column that is the target by another name.
fn faulty_rows() -> String {
    let mut text = "id,a,b,paid,y\n".to_owned();
    let row = |i: usize| {
        let (a, b) = (i * 37 % 101, i * 53 % 89);
        let class = usize::from(a + b + i * 7 % 40 > 110);
        format!("{a},{b},{},{}\n", [0.5, 12.5][class], ["no", "yes"][class])
    };
    (0..300).for_each(|i| text.push_str(&format!("{},{}", 100 + i, row(i))));
    text
}

#[test]
fn baselines_stand_in_the_table_the_summary_and_the_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = root().join("configs/breast_cancer.json").display().to_string();
    let told = stderr(folder.path(), &["train", &config, "--device", "cpu", "--out", "run"]);
    let summary = json(&folder.path().join("run/summary.json"));
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    for set in ["train", "validation", "test"] {
        let at = lines
            .iter()
            .position(|line| line.starts_with(&format!("{set} ")))
            .expect("the set's scores");
        assert!(lines[at + 1].starts_with("constant "), "{told}");
        assert!(lines[at + 2].starts_with("linear "), "{told}");
        let [constant, linear] =
            ["constant", "linear"].map(|name| number(&summary["baselines"][name][set]["accuracy"]));
        assert!(lines[at + 2].contains(&format!("{linear:.4}")), "{told}");
        assert!(constant < 0.7 && linear > 0.9, "{set}: {constant}, {linear}");
    }
    let verdict = summary["baselines"]["verdict"].as_str().expect("a sentence");
    assert!(told.contains(verdict), "{told}");
    assert_eq!(summary["audit"], json!([]), "its data is sound");
    let page = fs::read_to_string(folder.path().join("run/report.html")).expect("a page");
    assert!(page.contains("validation, a linear model") && page.contains(&verdict[1..]));
    assert!(!page.contains("The data</h2>"), "there is nothing to tell of the data");
    // Looks inside the network are no part of the training.
    assert!(number(&summary["looking_seconds"]) > 0.0);
    let quick = stderr(
        folder.path(),
        &["train", &config, "--device", "cpu", "--out", "blind", "log.histograms_every=0"],
    );
    assert!(quick.contains("linear"));
    let blind = json(&folder.path().join("blind/summary.json"));
    assert_eq!(number(&blind["looking_seconds"]), 0.0);
    assert_eq!(blind["baselines"], summary["baselines"], "the same rows, the same baselines");
}

#[test]
fn baselines_are_the_same_on_every_device() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = root().join("configs/iris.json").display().to_string();
    let of = |device: &str| -> Value {
        let arguments =
            ["train", &config, "training.epochs=2", "--device", device, "--out", device];
        succeed(folder.path(), &arguments);
        json(&folder.path().join(device).join("summary.json"))["baselines"]["linear"].clone()
    };
    let devices = common::devices();
    let first = of(devices[0]);
    devices[1..].iter().for_each(|device| assert_eq!(of(device), first, "{device}"));
}

#[test]
fn planted_faults_are_told_before_training_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rows.csv"), faulty_rows()).expect("a file");
    let config = json!({
        "data": { "train": "rows.csv", "target": "y", "validation": 0.2, "test": "test.csv" },
        "training": { "epochs": 2 }
    });
    fs::write(folder.path().join("faulty.json"), config.to_string()).expect("a file");
    let test: Vec<String> = faulty_rows().lines().take(41).map(str::to_owned).collect();
    fs::write(folder.path().join("test.csv"), test.join("\n")).expect("a file");
    let told = stderr(folder.path(), &["train", "faulty.json", "--device", "cpu", "--out", "run"]);
    let before = told.split("network ").next().expect("what is told first");
    for fault in [
        "warning: a different whole number for each row, as an id has: \"id\"",
        "warning: the column \"paid\" alone predicts \"y\"",
        "test rows (",
    ] {
        assert!(before.contains(fault), "{fault}: {told}");
    }
    let summary = json(&folder.path().join("run/summary.json"));
    let found = summary["audit"].as_array().expect("a list");
    let kinds: Vec<&str> = found.iter().filter_map(|finding| finding["kind"].as_str()).collect();
    for kind in ["id_column", "leaking_column", "duplicate_rows"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    assert!(found.iter().all(|finding| finding["advice"].is_string()));
    let page = fs::read_to_string(folder.path().join("run/report.html")).expect("a page");
    assert!(page.contains("The data</h2>") && page.contains("as an id has"), "the report tells it");
    let quiet = stderr(
        folder.path(),
        &["train", "faulty.json", "--device", "cpu", "--out", "quiet", "--quiet"],
    );
    assert_eq!(quiet, "");
}

/// Untouched, a proposed config is no worse than the linear baseline by more than chance. The figures beside
/// scikit-learn are those of benches/peers/starting.py.
#[test]
fn a_new_config_trains_as_it_is() {
    for (name, target, metric) in SETS {
        let folder = tempfile::tempdir().expect("a folder");
        let config = succeed(folder.path(), &["new", &bundled(name), "--target", target]);
        fs::write(folder.path().join("config.json"), config).expect("a file");
        let train = ["train", "config.json", "--device", "cpu", "--out", "run", "--quiet"];
        assert_eq!(stderr(folder.path(), &train), "");
        let summary = json(&folder.path().join("run/summary.json"));
        let baselines = &summary["baselines"];
        let [network, linear, constant] = [&summary, &baselines["linear"], &baselines["constant"]]
            .map(|scores| number(&scores["test"][metric]));
        eprintln!("{name}: {metric} {network:.4}, linear {linear:.4}, constant {constant:.4}");
        assert!(network > constant + 0.2, "{name}");
        assert!(network > linear - 0.03, "{name}");
        assert_eq!(
            summary["audit"].as_array().map_or(0, |found| {
                found.iter().filter(|finding| finding["severity"] != "info").count()
            }),
            0,
            "{name}"
        );
    }
}

#[test]
fn a_new_config_is_written_beside_other_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("data")).expect("a folder");
    fs::create_dir_all(folder.path().join("configs/mine")).expect("a folder");
    fs::copy(bundled("iris"), folder.path().join("data/iris.csv")).expect("a copy");
    let new = ["new", "data/iris.csv", "--target", "species", "--out", "configs/mine/iris.json"];
    assert_eq!(succeed(folder.path(), &new), "configs/mine/iris.json\n");
    let text = fs::read_to_string(folder.path().join("configs/mine/iris.json")).expect("a config");
    assert!(text.contains("\"train\": \"../../data/iris.csv\""), "{text}");
    let train =
        ["train", "configs/mine/iris.json", "training.epochs=2", "--device", "cpu", "--out", "run"];
    succeed(folder.path(), &train);
    let again = wgfit(folder.path(), &new);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert_eq!(again.status.code(), Some(2), "{said}");
    assert!(said.contains("is there already"), "{said}");
}

#[test]
fn a_request_that_makes_no_sense_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let iris = bundled("iris");
    for (arguments, says) in [
        (vec!["new", &iris], "its columns: sepal_length, sepal_width"),
        (vec!["new", &iris, "--target", "specie"], "did you mean \"species\"?"),
        (vec!["new", &iris, "--target", "species", "--task", "regression"], "number"),
        (vec!["new", "none.csv", "--target", "y"], "none.csv"),
        (vec!["new", &iris, "--target", "species", "--test", "none.csv"], "none.csv"),
    ] {
        let output = wgfit(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}
