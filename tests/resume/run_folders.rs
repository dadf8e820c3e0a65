//! What a run folder lets go on, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{command, json, records, root, succeed, timeless, wgfit};

/// A run of iris in a folder of its own.
struct Runs {
    folder: tempfile::TempDir,
    config: String,
}

impl Runs {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = root().join("configs/iris.json").display().to_string();
        Self { folder, config }
    }

    fn arguments<'a>(&'a self, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let begin = ["train", &self.config, "--out", out];
        let settings = ["checkpoint.every_seconds=0", "early_stopping=null"];
        let device: &[&str] = if more.contains(&"--device") { &[] } else { &["--device", "cpu"] };
        begin.iter().chain(&settings).chain(device).chain(more).copied().collect()
    }

    fn train(&self, out: &str, more: &[&str]) -> PathBuf {
        succeed(self.folder.path(), &self.arguments(out, more));
        self.folder.path().join(out)
    }

    /// The exit code and stderr.
    fn end(&self, out: &str, more: &[&str]) -> (Option<i32>, String) {
        let output = wgfit(self.folder.path(), &self.arguments(out, more));
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn assert_same(whole: &Path, resumed: &Path) {
    assert!(
        bytes(&whole.join("model.safetensors")) == bytes(&resumed.join("model.safetensors")),
        "{resumed:?}: the model"
    );
    for log in ["metrics.jsonl", "observations.jsonl"] {
        assert_eq!(timeless(&whole.join(log)), timeless(&resumed.join(log)), "{resumed:?}");
    }
}

fn checkpoint_files(run: &Path) -> Vec<String> {
    let entries = fs::read_dir(run.join("checkpoint")).expect("checkpoints").flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Ten epochs and ten more are twenty; then there is nothing more to do, but what is missing.
#[test]
fn more_epochs_go_on_and_a_complete_run_says_so() {
    let runs = Runs::new();
    let whole = runs.train("whole", &["training.epochs=20"]);
    let run = runs.train("run", &["training.epochs=10", "checkpoint.keep=3"]);
    assert_eq!(checkpoint_files(&run), ["10.safetensors", "8.safetensors", "9.safetensors"]);
    runs.train("run", &["training.epochs=20", "--resume"]);
    assert_same(&whole, &run);
    assert_eq!(checkpoint_files(&run), ["20.safetensors"]);
    assert_eq!(json(&run.join("config.json"))["training"]["epochs"], 20);
    assert_eq!(json(&run.join("summary.json"))["epochs"], 20);
    let (whole_size, run_size) = (event_bytes(&whole), event_bytes(&run));
    assert_eq!(whole_size, run_size, "event files");

    let again = || {
        let output =
            wgfit(runs.folder.path(), &runs.arguments("run", &["training.epochs=20", "--resume"]));
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "run\n");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let summary = bytes(&run.join("summary.json"));
    assert!(again().contains("run is complete"));
    assert_eq!(bytes(&run.join("summary.json")), summary, "nothing was written again");
    for missing in ["model.safetensors", "summary.json", "report.html"] {
        fs::remove_file(run.join(missing)).expect("a file");
        assert!(again().contains("run is complete"));
        assert!(run.join(missing).exists(), "{missing}");
        assert_same(&whole, &run);
    }
}

fn event_bytes(run: &Path) -> u64 {
    let entries = fs::read_dir(run).expect("the run").flatten();
    let events =
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("events.out."));
    events.map(|entry| entry.metadata().expect("a file").len()).sum()
}

#[test]
fn without_out_the_last_run_of_that_name_goes_on() {
    let runs = Runs::new();
    let train = |epochs: &str, more: &[&str]| {
        let mut arguments = vec!["train", &runs.config, "--device", "cpu", epochs];
        arguments.extend_from_slice(more);
        succeed(runs.folder.path(), &arguments).trim_end().to_owned()
    };
    assert_eq!(train("training.epochs=1", &["--resume"]), "runs/iris-1");
    assert_eq!(train("training.epochs=1", &[]), "runs/iris-2");
    assert_eq!(train("training.epochs=2", &["--resume"]), "runs/iris-2");
    let epochs =
        |run: &str| json(&runs.folder.path().join(run).join("summary.json"))["epochs"].clone();
    assert_eq!((epochs("runs/iris-1"), epochs("runs/iris-2")), (1.into(), 2.into()));
}

#[test]
fn another_config_or_other_data_is_refused_by_name() {
    let runs = Runs::new();
    let table = runs.folder.path().join("rows.csv");
    fs::copy(root().join("configs/data/iris.csv"), &table).expect("the data");
    let data = format!("data.train={:?}", table.display().to_string());
    runs.train("run", &["training.epochs=4", &data]);
    let model = bytes(&runs.folder.path().join("run/model.safetensors"));
    let refused = |more: &[&str], parts: &[&str]| {
        let (code, said) = runs.end("run", &[&[data.as_str(), "--resume"], more].concat());
        assert_eq!(code, Some(2), "{more:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{more:?}: {said}");
        }
    };
    let more = "training.epochs=8";
    refused(
        &[more, "optimizer.learning_rate=0.5", "model.layers.0.units=7"],
        &[
            "  optimizer.learning_rate: 0.01 before, 0.5 now",
            "  model.layers.0.units: 16 before, 7 now",
            "training.epochs alone may grow",
        ],
    );
    refused(&["training.epochs=3"], &["  training.epochs: 4 before, 3 now"]);
    refused(&[more, "seed=3", "members=2"], &["  seed: 1 before, 3 now", "  members: 1 before"]);
    // When checkpoints are written is no part of what is trained.
    let mut text = fs::read_to_string(&table).expect("the data");
    text = text.replacen("5.1", "5.2", 1);
    fs::write(&table, text).expect("the data");
    refused(&[more], &["the data of ", "rows.csv", "its hash was "]);
    assert_eq!(bytes(&runs.folder.path().join("run/model.safetensors")), model);
    fs::copy(root().join("configs/data/iris.csv"), &table).expect("the data");
    runs.train("run", &[more, &data, "--resume", "checkpoint.keep=2"]);
}

/// A checkpoint with any byte changed, or cut short, is not gone on from: the one before is.
#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before() {
    let runs = Runs::new();
    let whole = runs.train("whole", &["training.epochs=6"]);
    let run = runs.train("run", &["training.epochs=4", "checkpoint.keep=2"]);
    let newest = run.join("checkpoint/4.safetensors");
    let good = bytes(&newest);
    let resume = ["training.epochs=6", "checkpoint.keep=2", "--resume"];
    let backup = runs.folder.path().join("backup");
    copy(&run, &backup);
    let middle = good.len() / 2;
    let damages: [(&str, Vec<u8>); 5] = [
        ("a byte of a tensor", changed(&good, good.len() - 9)),
        ("a byte in the middle", changed(&good, middle)),
        ("a byte of the header", changed(&good, 40)),
        ("cut short", good[..middle].to_vec()),
        ("a header as long as no memory", [&u64::MAX.to_le_bytes()[..], &good[8..]].concat()),
    ];
    for (what, damaged) in damages {
        fs::remove_dir_all(&run).expect("the run");
        copy(&backup, &run);
        fs::write(&newest, damaged).expect("a checkpoint");
        let (code, said) = runs.end("run", &resume);
        assert_eq!(code, Some(0), "{what}: {said}");
        assert!(said.contains("4.safetensors cannot be used: it is damaged"), "{what}: {said}");
        assert!(said.contains("goes on after epoch 3 of 6"), "{what}: {said}");
        assert_same(&whole, &run);
        assert_eq!(checkpoint_files(&run), ["5.safetensors", "6.safetensors"], "{what}");
    }
    // A log that is shorter than it was is no better.
    fs::remove_dir_all(&run).expect("the run");
    copy(&backup, &run);
    let metrics = fs::OpenOptions::new().write(true).open(run.join("metrics.jsonl"));
    metrics.expect("metrics").set_len(3).expect("shorter");
    let (code, said) = runs.end("run", &resume);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("metrics.jsonl, or another log of the run, is shorter"), "{said}");
    assert!(said.contains("--overwrite"), "{said}");
}

fn changed(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(path, to).expect("a file");
        }
    }
}

#[test]
fn a_run_without_checkpoints_does_not_go_on() {
    let runs = Runs::new();
    let run = runs.train("run", &["training.epochs=2", "checkpoint=null"]);
    assert!(!run.join("checkpoint").exists());
    let (code, said) = runs.end("run", &["training.epochs=3", "--resume"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("holds a run without a checkpoint"), "{said}");
    // A run that was killed before its first checkpoint begins anew.
    for result in ["summary.json", "model.safetensors"] {
        fs::remove_file(run.join(result)).expect("a file");
    }
    fs::write(run.join(".wgfit-abc.tmp"), "half a file").expect("a file");
    runs.train("run", &["training.epochs=3", "--resume"]);
    assert_eq!(records(&run, "epoch").len(), 3);
    assert!(!run.join(".wgfit-abc.tmp").exists());
    // Another run in its place has its own checkpoints alone.
    runs.train("run", &["training.epochs=1", "--overwrite"]);
    assert_eq!(checkpoint_files(&run), ["1.safetensors"]);
    runs.train("run", &["training.epochs=1", "--overwrite", "checkpoint=null"]);
    assert!(!run.join("checkpoint").exists());
}

/// Another device goes on with a run, and says that it will not be the same to the last bit.
#[test]
fn another_device_goes_on_with_a_word() {
    let runs = Runs::new();
    let run = runs.train("run", &["training.epochs=2"]);
    let (code, said) = runs.end("run", &["training.epochs=3", "--resume", "--device", "llvmpipe"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("it will not be bit for bit"), "{said}");
    assert_eq!(json(&run.join("summary.json"))["epochs"], 3);
    let (code, said) = runs.end("run", &["training.epochs=4", "--resume", "--device", "llvmpipe"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("it will not be bit for bit"), "{said}");
}

/// Two processes do not write into one folder.
#[test]
fn a_folder_that_another_process_writes_into_is_refused() {
    let runs = Runs::new();
    let long = ["training.epochs=1000000", "log.histograms_every=0", "--quiet", "--no-tune"];
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let arguments = runs.arguments("run", &long);
    let mut child = command(runs.folder.path(), &arguments, &cache).spawn().expect("it runs");
    let run = runs.folder.path().join("run");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !run.join("checkpoint").exists() {
        assert!(std::time::Instant::now() < deadline, "no checkpoint in a minute");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let holder = format!("is being written by process {}, since 2", child.id());
    let said: Vec<_> = ["--resume", "--overwrite"].map(|way| runs.end("run", &[way])).into();
    child.kill().expect("it is ended");
    child.wait().expect("it ends");
    for (code, said) in said {
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(&holder), "{holder}: {said}");
    }
    // Whoever was killed holds nothing.
    runs.train("run", &["training.epochs=1", "--overwrite"]);
}
