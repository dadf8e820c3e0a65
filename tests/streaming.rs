//! Data that goes through a file trains to the same bits as data in memory, whatever the sizes; and
//! what cannot be streamed is refused with a clear word.

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{json, records, succeed, wgfit};
use wgfit::backend::cpu::CpuBackend;
use wgfit::backend::{Backend, DeviceOptions, choose};
use wgfit::config::Config;
use wgfit::data::{self, Dataset};
use wgfit::model::Model;
use wgfit::train::{EpochRecord, Observer, Outcome, fit};

/// Rows of a table, so many that neither its training rows nor its validation rows are one window: an
/// evaluation takes 1024 at once.
const ROWS: usize = 6007;

/// A table of numbers, categories with empty cells, truth values, weights, and three classes.
fn table(rows: usize) -> String {
    let mut text = String::from("a,b,colour,flag,w,y\n");
    for row in 0..rows {
        let a = (row * 7919 % 1009) as f64 / 100.0;
        let b = if row % 11 == 3 { String::new() } else { ((row * 31) % 97).to_string() };
        let colour = ["red", "green", "", "blue"][row * 13 % 4];
        let flag = row % 3 == 0;
        let weight = 0.5 + (row % 5) as f64 / 4.0;
        let class = ["x", "y", "z"][(row * 7919 % 1009) * 3 / 1009];
        writeln!(text, "{a},{b},{colour},{flag},{weight},{class}").expect("text");
    }
    text
}

/// A folder with such a table and a config for it.
fn folder(rows: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rows.csv"), table(rows)).expect("a table");
    let config = r#"{
        "seed": 5,
        "data": {
            "train": "rows.csv", "target": "y", "validation": 0.2, "test": 0.1,
            "columns": { "w": { "type": "weight" } },
            "streaming_folder": "spill", "chunk_rows": 9
        },
        "model": { "layers": [ { "units": 12, "activation": "tanh" }, { "units": 8 } ] },
        "training": { "epochs": 3, "batch_size": 16 },
        "early_stopping": null,
        "log": { "every_steps": 1 }
    }"#;
    fs::write(folder.path().join("config.json"), config).expect("a config");
    folder
}

/// Keeps what an epoch said.
#[derive(Default)]
struct Epochs(Vec<String>);

impl Observer for Epochs {
    fn epoch(&mut self, record: &EpochRecord) -> wgfit::Result<()> {
        self.0.push(format!("{:?} {:?} {:?}", record.train, record.validation, record.best));
        Ok(())
    }
    fn observes(&self) -> bool {
        true
    }
}

fn load(folder: &Path, overrides: &[&str]) -> (wgfit::config::Settings, Dataset) {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let config = Config::load(&folder.join("config.json"), &overrides).expect("a config");
    let settings = config.validate(folder).expect("settings");
    let dataset = data::load(&settings.data).expect("the data");
    (settings, dataset)
}

/// Trains, and tells what every epoch said, the data's hash, and whether the rows were in a file.
fn train(folder: &Path, backend: &dyn Backend, overrides: &[&str]) -> (Outcome, String, bool) {
    let (settings, dataset) = load(folder, overrides);
    let task = settings.fit_task(dataset.preprocessing.task()).expect("the task");
    let (hash, spilled) = (dataset.hash.clone(), dataset.train.spill.is_some());
    let mut epochs = Epochs::default();
    let outcome = fit(&settings, &task, dataset, backend, &mut epochs).expect("training");
    (outcome, format!("{hash} {:?}", epochs.0), spilled)
}

/// Streamed and in memory, with the same order: the weights, every epoch's scores and the data's hash
/// are the same.
fn same(folder: &Path, backend: &dyn Backend, overrides: &[&str]) {
    let with = |streaming: &'static str| {
        let all: Vec<&str> = overrides.iter().copied().chain([streaming]).collect();
        train(folder, backend, &all)
    };
    let (whole, said, spilled) = with("data.streaming=false");
    assert!(!spilled);
    let (streamed, said_streamed, spilled) = with("data.streaming=true");
    assert!(spilled);
    let bits = |outcome: &Outcome| -> Vec<u32> {
        outcome.parameters.iter().map(|weight| weight.to_bits()).collect()
    };
    assert_eq!(bits(&whole), bits(&streamed), "{overrides:?}: weights");
    assert_eq!(said, said_streamed, "{overrides:?}: what was said");
    assert_eq!(
        format!("{:?}", whole.scores),
        format!("{:?}", streamed.scores),
        "{overrides:?}: scores"
    );
    assert_eq!(whole.best_epoch, streamed.best_epoch);
}

fn cpu() -> CpuBackend {
    CpuBackend::with_threads(1).expect("the CPU")
}

#[test]
fn streamed_rows_train_to_the_same_bits_on_the_cpu() {
    let folder = folder(ROWS);
    for overrides in [
        &[][..],
        &["members=3"],
        &["members=2", "training.accumulate=3", "training.drop_last=true"],
        &["model.layers.0.dropout=0.3", "model.layers.1.norm=batch_norm"],
        &["data.class_weights=balanced", "members=2", "training.accumulate=2"],
        &["data.class_weights=balanced", "optimizer.convention=keras"],
        &["data.columns.w.type=ignore", "data.class_weights=balanced"],
        &["metrics=[\"f1\",\"roc_auc\",\"accuracy\"]", "members=2"],
        &["data.shuffle=false"],
        &["data.validation=0", "data.test=0"],
        &["early_stopping={\"patience\":1}", "training.epochs=8", "optimizer.learning_rate=0.05"],
    ] {
        same(folder.path(), &cpu(), overrides);
    }
}

#[test]
fn streamed_rows_train_to_the_same_bits_on_a_gpu() {
    common::devices();
    let folder = folder(ROWS);
    let gpu = choose("llvmpipe", DeviceOptions::default()).expect("llvmpipe").backend;
    for overrides in [
        &[][..],
        &["members=2", "model.layers.0.dropout=0.2", "data.class_weights=balanced"],
        &["training.drop_last=true", "training.accumulate=2"],
    ] {
        same(folder.path(), gpu.as_ref(), overrides);
    }
}

/// Rows that are not a multiple of anything; one window, one block, a block a row, a batch larger than a
/// window and than the set.
#[test]
fn ragged_sizes_make_no_difference() {
    for rows in [37, 160, 1601, 2503] {
        let folder = folder(rows);
        for chunk in [1, 9, 33, 100_000] {
            for batch in [7, 16, 200, 4096] {
                let chunk = format!("data.chunk_rows={chunk}");
                let batch = format!("training.batch_size={batch}");
                same(folder.path(), &cpu(), &[&chunk, &batch, "training.epochs=2"]);
            }
        }
    }
}

/// Files of their own for validation, and labels that are apart.
#[test]
fn sets_in_files_of_their_own_are_streamed_alike() {
    let folder = folder(ROWS);
    fs::write(folder.path().join("more.csv"), table(2221)).expect("a table");
    same(
        folder.path(),
        &cpu(),
        &["data.validation=more.csv", "data.test=more.csv", "metrics=[\"f1\"]"],
    );
    let digits = common::root().join("configs/data/digits.csv");
    let text = fs::read_to_string(digits).expect("digits");
    let rows: Vec<Vec<u8>> = text
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',').map(|field| field.parse::<f32>().expect("a number") as u8).collect()
        })
        .collect();
    let width = rows[0].len();
    // The label is a column of the file: the last.
    let mut images = vec![0, 0, 8, 2];
    images.extend((rows.len() as u32).to_be_bytes());
    images.extend((width as u32 - 1).to_be_bytes());
    let mut labels = vec![0, 0, 8, 1];
    labels.extend((rows.len() as u32).to_be_bytes());
    for row in &rows {
        images.extend(&row[..width - 1]);
        labels.push(row[width - 1]);
    }
    fs::write(folder.path().join("images.idx"), images).expect("images");
    fs::write(folder.path().join("labels.idx"), labels).expect("labels");
    let config = r#"{
        "data": { "train": "images.idx", "labels": "labels.idx", "streaming_folder": "spill",
                  "chunk_rows": 20, "scaling": "robust" },
        "model": { "layers": [ { "units": 16 } ] },
        "training": { "epochs": 2, "batch_size": 32 }
    }"#;
    fs::write(folder.path().join("config.json"), config).expect("a config");
    same(folder.path(), &cpu(), &[]);
}

/// A model predicts and scores rows in a file as those in memory.
#[test]
fn rows_in_a_file_are_predicted_and_scored_alike() {
    let folder = folder(ROWS);
    let (settings, dataset) = load(folder.path(), &["data.streaming=true"]);
    let (_, in_memory) = load(folder.path(), &["data.streaming=false"]);
    let overrides = ["data.streaming=true", "metrics=[\"f1\",\"accuracy\"]"];
    let (outcome, ..) = train(folder.path(), &cpu(), &overrides);
    let model = Model {
        config: settings.resolved().without_paths(),
        preprocessing: dataset.preprocessing.clone(),
        network: outcome.network,
        parameters: outcome.parameters,
    };
    let (streamed, whole) =
        (dataset.validation.expect("rows"), in_memory.validation.expect("rows"));
    assert!(streamed.spill.is_some() && whole.spill.is_none());
    let predict = |rows| model.predict(rows, &cpu()).expect("predictions");
    let (a, b) = (predict(streamed.clone()), predict(whole.clone()));
    assert_eq!((a.rows, &a), (whole.rows, &b));
    let evaluate = |rows| model.evaluate(rows, &cpu()).expect("scores");
    assert_eq!(evaluate(streamed), evaluate(whole));
}

/// The order of chunks is not that of a shuffle of all rows, and the run folder says which it was.
#[test]
fn a_streamed_run_is_told_of_and_trains_again_from_its_own_config() {
    let folder = folder(ROWS);
    let run = |out: &str, more: &[&str]| {
        let mut arguments = vec!["train", "config.json", "--device", "cpu", "--out", out];
        arguments.extend_from_slice(more);
        let stderr = wgfit(folder.path(), &arguments);
        assert!(stderr.status.success(), "{}", String::from_utf8_lossy(&stderr.stderr));
        (folder.path().join(out), String::from_utf8_lossy(&stderr.stderr).into_owned())
    };
    let (streamed, said) = run("streamed", &["data.streaming=true", "data.chunk_rows=null"]);
    assert!(said.contains("streamed, as data.streaming is true"), "{said}");
    let config = json(&streamed.join("config.json"));
    assert!(config["data"]["chunk_rows"].as_u64().is_some(), "{}", config["data"]);
    let again = ["train", "streamed/config.json", "--device", "cpu", "--out", "again", "--quiet"];
    succeed(folder.path(), &again);
    let model = |run: &Path| fs::read(run.join("model.safetensors")).expect("a model");
    let first = model(&streamed);
    assert_eq!(first, model(&folder.path().join("again")), "streamed and again");
    assert_eq!(
        records(&streamed, "step")
            .iter()
            .map(|record| record["loss"].to_string())
            .collect::<Vec<_>>(),
        records(&folder.path().join("again"), "step")
            .iter()
            .map(|record| record["loss"].to_string())
            .collect::<Vec<_>>()
    );
    let (other, _) = run("all", &["data.chunk_rows=null"]);
    let (chunks, _) = run("chunks", &["data.chunk_rows=3"]);
    assert_ne!(model(&other), model(&chunks), "chunks make an order of their own");
    let left: Vec<PathBuf> = fs::read_dir(folder.path().join("spill"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert!(left.is_empty(), "{left:?} were left behind");
}

/// A run that is killed leaves no file behind.
#[cfg(unix)]
#[test]
fn a_killed_run_leaves_no_file() {
    let folder = folder(3000);
    let cache = folder.path().join("cache");
    let arguments = [
        "train",
        "config.json",
        "--device",
        "cpu",
        "--out",
        "run",
        "--quiet",
        "data.streaming=true",
        "training.epochs=100000",
        "log.every_steps=0",
    ];
    let mut command = common::command(folder.path(), &arguments, &cache);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("wgfit");
    let metrics = folder.path().join("run/metrics.jsonl");
    for _ in 0..600 {
        if fs::metadata(&metrics).is_ok_and(|found| found.len() > 0) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(metrics.exists(), "training did not begin");
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(fs::read_dir(folder.path().join("spill")).expect("the folder").count(), 0);
}

/// Calls of an observer that ends training in the midst of an epoch of several windows.
struct Interrupts(AtomicUsize);

impl Observer for Interrupts {
    fn interrupted(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= 3
    }
}

#[test]
fn a_run_that_is_interrupted_ends_where_it_stands() {
    let folder = folder(ROWS);
    let (settings, dataset) =
        load(folder.path(), &["data.streaming=true", "training.batch_size=8"]);
    let task = settings.fit_task(dataset.preprocessing.task()).expect("the task");
    let mut observer = Interrupts(AtomicUsize::new(0));
    let outcome = fit(&settings, &task, dataset, &cpu(), &mut observer).expect("training");
    assert_eq!(outcome.stop_reason, wgfit::train::StopReason::Interrupted);
    assert_eq!(outcome.epochs, 1);
}

#[test]
fn a_folder_that_does_not_do_is_refused() {
    let folder = folder(50);
    fs::write(folder.path().join("file"), "").expect("a file");
    let refused = |more: &[&str]| {
        let mut arguments = vec!["train", "config.json", "--device", "cpu", "data.streaming=true"];
        arguments.extend_from_slice(more);
        let output = wgfit(folder.path(), &arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = refused(&["data.streaming_folder=file/inside"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("data.streaming_folder"), "{text}");
    let (code, text) = refused(&["data.chunk_rows=0"]);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = refused(&["data.streaming=sometimes"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("auto"), "{text}");
}

/// A disk with less room than the rows take: a file system of its own, in a namespace of its own
/// (`unshare` of util-linux, and a system that lets users have one).
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_refused_with_what_is_needed() {
    let folder = folder(3000);
    let script = "mount -t tmpfs -o size=64k none spill && exec \"$0\" \"$@\"";
    fs::create_dir(folder.path().join("spill")).expect("a folder");
    let cache = folder.path().join("cache");
    let output = std::process::Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script, env!("CARGO_BIN_EXE_wgfit")])
        .args(["train", "config.json", "--device", "cpu", "data.streaming=true"])
        .current_dir(folder.path())
        .env("WGFIT_CACHE", &cache)
        .output()
        .expect("unshare, of util-linux");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the disk is too full") && text.contains("are free"), "{text}");
    assert!(text.contains("data.streaming_folder"), "{text}");
}
