//! The page that explains a run: its numbers are those of the run's files, names of the user's do
//! nothing, a folder gives the same page again, and a browser draws it whole without a word of complaint.

#[path = "report/browser.rs"]
mod browser;
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use browser::Browser;
use common::{json, number, root, succeed, wgfit};
use serde_json::Value;

const SCRIPT: &str = "<script>alert(1)</script>";

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("write");
}

fn page(run: &Path) -> String {
    fs::read_to_string(run.join("report.html")).expect("report.html")
}

fn train(folder: &Path, config: &str, out: &str, more: &[&str]) -> PathBuf {
    let mut arguments = vec!["train", config, "--device", "cpu", "--out", out, "--quiet"];
    arguments.extend_from_slice(more);
    succeed(folder, &arguments);
    folder.join(out)
}

/// A run of one of the ready configs.
fn ready(folder: &Path, name: &str, more: &[&str]) -> PathBuf {
    let config = root().join("configs").join(format!("{name}.json"));
    train(folder, config.to_str().expect("the path is text"), name, more)
}

/// Rows of three kinds with names that are HTML, a text column among the inputs, and some labels.
fn hostile(folder: &Path) {
    let mut kinds = "x,<b onclick='alert(1)'>y</b>,place,kind\n".to_owned();
    let mut labels = format!("x,y,{SCRIPT},a & b\n");
    let names = [SCRIPT, "</style><img src=x onerror=alert(1)>", "plain"];
    for i in 0..300 {
        let (a, b) = (i * 7 % 23, i * 5 % 17);
        let kind = if a > 12 { 2 } else { usize::from(b > 8) };
        kinds.push_str(&format!("{a},{b},{},{}\n", ["here", "there"][i % 2], names[kind]));
        labels.push_str(&format!("{a},{b},{},{}\n", u8::from(a > b), u8::from(a + b > 18)));
    }
    write(folder, "kinds.csv", &kinds);
    write(folder, "labels.csv", &labels);
    let rest = r#""validation": 0.2, "test": 0.3 }, "seed": 3,
        "model": { "layers": [{ "units": 12, "activation": "tanh" }] },
        "optimizer": { "learning_rate": 0.01 }, "training": { "epochs": 12, "batch_size": 16 }"#;
    write(
        folder,
        "kinds.json",
        &format!(
            r#"{{ "data": {{ "train": "kinds.csv", "target": "kind", {rest}, "members": 3 }}"#
        ),
    );
    write(
        folder,
        "labels.json",
        &format!(
            r#"{{ "data": {{ "train": "labels.csv", "target": ["{SCRIPT}", "a & b"], "task": "multilabel", {rest} }}"#
        ),
    );
}

/// A score as pages and tables show it.
fn shown(value: &Value) -> String {
    wgfit::report::score(number(value)).replace('-', "−")
}

#[test]
fn the_numbers_are_those_of_the_runs_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, metric) in
        [("digits", "accuracy"), ("breast_cancer", "accuracy"), ("diabetes", "rmse")]
    {
        let run = ready(folder.path(), name, &["training.epochs=4"]);
        let (page, summary) = (page(&run), json(&run.join("summary.json")));
        let analysis = json(&run.join("analysis.json"));
        assert_eq!(analysis["set"], "test");
        assert_eq!(analysis["rows"], summary["rows"]["test"]);
        for set in ["train", "validation", "test"] {
            for score in [metric, "loss"] {
                let cell = format!("<td class=\"number\">{}</td>", shown(&summary[set][score]));
                assert!(page.contains(&cell), "{name}: {set} {score} {cell}");
            }
        }
        let tile = format!("<dt>{metric} (test)</dt><dd>{}</dd>", shown(&summary["test"][metric]));
        assert!(page.contains(&tile), "{name}: {tile}");
        for metric in analysis["metrics"].as_array().expect("metrics") {
            let fact = format!(
                "<dt>{}</dt><dd>{}</dd>",
                metric["name"].as_str().expect("a name").replace('_', " "),
                shown(&metric["values"][0])
            );
            assert!(page.contains(&fact), "{name}: {fact}");
        }
        for example in analysis["examples"]["rows"].as_array().expect("worst rows") {
            assert!(
                page.contains(&format!("<td class=\"number\">{}</td>", shown(&example["loss"])))
            );
        }
        assert!(page.contains(summary["data_hash"].as_str().expect("a hash")));
    }
}

/// What is wrong in the test rows by the confusion matrix is what the accuracy of the summary says, and
/// the worst row's loss is the one that its probability gives.
#[test]
fn the_analysis_agrees_with_the_scores() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = ready(folder.path(), "digits", &["training.epochs=4"]);
    let (summary, analysis) = (json(&run.join("summary.json")), json(&run.join("analysis.json")));
    let matrix = analysis["classes"]["confusion"][0]["matrix"].as_array().expect("a matrix");
    let cell = |i: usize, j: usize| number(&matrix[i][j]);
    let right: f64 = (0..10).map(|class| cell(class, class)).sum();
    let all: f64 =
        (0..10).flat_map(|i| (0..10).map(move |j| (i, j))).map(|(i, j)| cell(i, j)).sum();
    assert_eq!(all, number(&summary["rows"]["test"]));
    assert!((right / all - number(&summary["test"]["accuracy"])).abs() < 1e-6);

    let worst = &analysis["examples"]["rows"][0];
    let loss = -number(&worst["probability_of_truth"]).ln();
    assert!((loss - number(&worst["loss"])).abs() < 1e-5 * loss);
    // Its row in the file is of the class that it says, and its picture is the row's.
    let data = fs::read_to_string(root().join("configs/data/digits.csv")).expect("the data");
    let row = number(&worst["row"]) as usize;
    let line: Vec<&str> = data.lines().nth(row).expect("the row").split(',').collect();
    assert_eq!(line[64], worst["truth"].as_str().expect("a class"));
    for (pixel, value) in line[..64].iter().enumerate() {
        let grey = number(&worst["pixels"][pixel / 8][pixel % 8]);
        let value: f64 = value.parse().expect("a number");
        assert!((grey - value * 255.0 / 16.0).abs() < 1.0, "pixel {pixel}: {grey}, {value}");
    }
}

/// A column that the target is, one that says nothing, and one of text.
#[test]
fn importance_finds_the_column_that_matters() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut text = "noise,signal,place,y\n".to_owned();
    for i in 0..400 {
        let (signal, place) = (i * 37 % 101, ["a", "b", "c"][i * 11 % 3]);
        let extra = if place == "b" { 30 } else { 0 };
        text.push_str(&format!("{},{signal},{place},{}\n", i * 61 % 97, signal + extra));
    }
    write(folder.path(), "rows.csv", &text);
    write(
        folder.path(),
        "rows.json",
        r#"{ "data": { "train": "rows.csv", "target": "y", "task": "regression", "validation": 0.2, "test": 0.2 },
             "model": { "layers": [{ "units": 16, "activation": "tanh" }] },
             "optimizer": { "learning_rate": 0.01 }, "training": { "epochs": 60, "batch_size": 16 } }"#,
    );
    let run = train(folder.path(), "rows.json", "run", &[]);
    let analysis = json(&run.join("analysis.json"));
    let columns = analysis["importance"]["columns"].as_array().expect("columns");
    let names: Vec<&str> =
        columns.iter().map(|column| column["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["signal", "place", "noise"]);
    let rise = |at: usize| number(&columns[at]["loss"]);
    // Of a standardised target that is known, dealing out all of it makes an error of twice its variance.
    assert!(rise(0) > 1.0 && rise(0) < 2.5, "{}", rise(0));
    assert!(rise(1) > 0.1 && rise(2) < 0.1, "{} {}", rise(1), rise(2));
    assert_eq!(analysis["errors"][0]["target"], "y");
    assert_eq!(analysis["examples"]["columns"].as_array().map(Vec::len), Some(3));
}

#[test]
fn names_are_inert() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    hostile(folder.path());
    for config in ["kinds.json", "labels.json"] {
        let run = train(folder.path(), config, &config.replace(".json", ""), &[]);
        let page = page(&run);
        assert!(
            page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
            "{config}: the name is shown"
        );
        for harmful in ["<script", "<img src=x", "<b onclick", "</style><img", "://"] {
            assert!(!page.contains(harmful), "{config}: {harmful}");
        }
    }
}

#[test]
fn members_are_told_by_mean_and_deviation() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    hostile(folder.path());
    let run = train(folder.path(), "kinds.json", "kinds", &[]);
    let (page, summary) = (page(&run), json(&run.join("summary.json")));
    let losses: Vec<f64> =
        summary["test"]["loss"].as_array().expect("three").iter().map(number).collect();
    assert_eq!(losses.len(), 3);
    let mean = losses.iter().sum::<f64>() / 3.0;
    let deviation = (losses.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 3.0).sqrt();
    let said = format!("{} ± {}", wgfit::report::score(mean), wgfit::report::score(deviation));
    assert!(page.contains(&said), "{said}");
    let analysis = json(&run.join("analysis.json"));
    let matrix = analysis["classes"]["confusion"][0]["matrix"].as_array().expect("a matrix");
    let all: f64 = matrix.iter().flat_map(|row| row.as_array().expect("a row")).map(number).sum();
    assert_eq!(all, 3.0 * number(&summary["rows"]["test"]), "summed over the members");
}

/// The page again from the folder alone; from the data where the analysis is not there; without it where
/// the data is not there either.
#[test]
fn a_folder_gives_the_same_page_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    hostile(folder.path());
    let run = train(folder.path(), "kinds.json", "kinds", &[]);
    let first = page(&run);
    let again = |what: &str| {
        let out =
            succeed(folder.path(), &["report", "kinds", "--out", "page.html", "--device", "cpu"]);
        assert_eq!(out, "page.html\n", "{what}");
        fs::read_to_string(folder.path().join("page.html")).expect("the page")
    };
    assert!(again("from the folder") == first, "the same bytes");
    fs::remove_file(run.join("analysis.json")).expect("remove");
    assert!(again("from the data") == first, "the same bytes");
    fs::remove_file(folder.path().join("kinds.csv")).expect("remove");
    let without = again("without the data");
    assert!(!without.contains("Confusion matrix") && without.contains("Learning"));
    assert!(without.contains("could not be found out again") && without.contains("kinds.csv"));
    // An older run has no observations either.
    fs::remove_file(run.join("observations.jsonl")).expect("remove");
    let bare = again("without observations");
    assert!(bare.contains("Learning") && !bare.contains("Inside the network"));
    let refused = wgfit(folder.path(), &["report", "."]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("holds no run"));
}

/// What an older run left is not shown as that of a newer one which came to nothing.
#[test]
fn an_old_analysis_is_cleared_with_its_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    hostile(folder.path());
    let run = train(folder.path(), "kinds.json", "kinds", &[]);
    assert!(page(&run).contains("Confusion matrix") && run.join("analysis.json").exists());
    let wild = ["optimizer.learning_rate=1e37", "model.layers.0.activation=relu", "--overwrite"];
    let mut arguments = vec!["train", "kinds.json", "--device", "cpu", "--out", "kinds"];
    arguments.extend(wild);
    assert_eq!(wgfit(folder.path(), &arguments).status.code(), Some(1), "it diverged");
    assert!(!run.join("analysis.json").exists());
    assert!(!page(&run).contains("Confusion matrix"));
}

/// Runs that went wrong, or hardly went: null among the numbers, one epoch, nothing held out.
#[test]
fn odd_runs_have_pages() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = ready(
        folder.path(),
        "iris",
        &["training.epochs=1", "data.validation=0", "data.test=0", "early_stopping=null"],
    );
    let one = page(&run);
    assert!(one.contains("On the training rows") && one.contains("No rows were held out"));
    assert_eq!(json(&run.join("analysis.json"))["set"], "train");

    // Of four members with a rate far too large some diverge, or all do.
    hostile(folder.path());
    let wild = ["optimizer.learning_rate=1e37", "model.layers.0.activation=relu", "members=4"];
    let mut arguments = vec!["train", "kinds.json", "--device", "cpu", "--out", "wild"];
    arguments.extend(wild);
    let output = wgfit(folder.path(), &arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("there is no report.html"), "{said}");
    let wild = page(&folder.path().join("wild"));
    assert!(wild.contains("Training wild") && !wild.contains("NaN"), "{said}");
    assert_eq!(output.status.code(), Some(1), "it diverged: {said}");
    assert!(
        wild.contains("the training diverged") && wild.contains("Inside the network"),
        "{said}"
    );

    // One of two members diverges: its numbers are null, the other's are shown.
    let run = train(folder.path(), "labels.json", "labels", &["members=2"]);
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let mut lines: Vec<Value> =
        metrics.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    for line in &mut lines[5..] {
        for set in ["train", "validation"] {
            for score in line[set].as_object_mut().expect("scores").values_mut() {
                score[1] = Value::Null;
            }
        }
    }
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(run.join("metrics.jsonl"), lines + "{\"kind\":\"epo").expect("write");
    succeed(folder.path(), &["report", "labels", "--device", "cpu"]);
    let half = page(&run);
    assert!(half.contains("1 of 2 members had stopped, or diverged") && !half.contains("NaN"));
    assert!(half.contains("1 line of metrics.jsonl cannot be read"));
}

/// Ten times the epochs do not make the page ten times as large.
#[test]
fn long_runs_have_small_pages() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = |epochs: usize| {
        let epochs_key = format!("training.epochs={epochs}");
        let long =
            [&epochs_key, "early_stopping=null", "training.batch_size=150", "log.every_steps=1"];
        let run = ready(folder.path(), "iris", &[&long[..], &["--overwrite"]].concat());
        assert_eq!(common::records(&run, "epoch").len(), epochs);
        page(&run).len()
    };
    let (short, long) = (bytes(400), bytes(4000));
    eprintln!("400 epochs: {short} bytes, 4000: {long}");
    assert!(long < 2 * short, "400 epochs make {short} bytes, 4000 make {long}");
}

/// Every plot is drawn, no label lies on another, nothing is fetched, run or complained of, in a light and
/// in a dark theme.
#[test]
fn a_browser_draws_it() {
    let browser = Browser::find();
    let folder = tempfile::tempdir().expect("a temporary folder");
    hostile(folder.path());
    browser.complains(folder.path());
    let runs = [
        ready(folder.path(), "digits", &["training.epochs=6"]),
        ready(folder.path(), "diabetes", &["training.epochs=6"]),
        ready(folder.path(), "breast_cancer", &["training.epochs=6"]),
        train(folder.path(), "kinds.json", "kinds", &[]),
        train(folder.path(), "labels.json", "labels", &[]),
    ];
    for run in runs {
        let plots = page(&run).matches("<svg").count();
        let mut colours = Vec::new();
        for dark in [false, true] {
            let seen = browser.look(&run.join("report.html"), dark);
            assert_eq!(seen["plots"], plots, "{seen}");
            assert!(plots >= 12, "{plots} plots");
            for none in ["empty", "overlaps", "outside", "fetched"] {
                assert_eq!(seen[none], Value::Array(Vec::new()), "{}: {none}", run.display());
            }
            for zero in ["unnamed", "broken", "scripts", "handlers"] {
                assert_eq!(seen[zero], 0, "{}: {zero}", run.display());
            }
            assert_eq!(seen["dark"], dark);
            assert!(number(&seen["wide"]) <= 0.0, "it scrolls to the side: {}", seen["wide"]);
            if run.ends_with("digits") {
                assert_eq!(seen["images"], 12);
            }
            colours.push((seen["background"].clone(), seen["series"].clone()));
        }
        assert_ne!(colours[0].0, colours[1].0, "the page");
        assert_ne!(colours[0].1, colours[1].1, "the curves");
    }
}
