//! What the program itself says of every file of the corpus: it reads it, or refuses it with an exit
//! code of its own and one message, soon, and within a gigabyte.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::{corpus, files};
use crate::entries::{ENTRIES, NUMBERS, ROWS};

/// A training of a table, which is named by overrides.
const PLAIN: &[u8] = br#"{ "data": { "train": "" }, "training": { "epochs": 1 } }"#;
/// The longest that a file may take.
const LONGEST: Duration = Duration::from_secs(10);
/// Bytes of the longest message: a cell of a file may be of megabytes.
const LONGEST_MESSAGE: usize = 4096;

/// Runs it with at most a gigabyte of data, beside what the binary is.
fn wgfit(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", "ulimit -d 1048576; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_wgfit")])
        .args(arguments)
        .current_dir(folder)
        .env("WGFIT_CACHE", folder)
        .output()
        .expect("the binary runs")
}

/// The name that a file of a kind goes by, and the commands that read it.
fn commands(kind: &str) -> (&'static str, Vec<Vec<&'static str>>) {
    const TRAIN: [&str; 6] = ["train", "config.json", "--device", "cpu", "--no-tune", "--quiet"];
    let with = |more: &[&'static str]| [&TRAIN[..], more].concat();
    let table = |name: &'static str, train: &'static str, labels: &'static str| {
        let to_train = |more: &[&'static str]| {
            [&["train", "plain.json", "--device", "cpu", "--no-tune", "--quiet"], more].concat()
        };
        (
            name,
            vec![
                to_train(&[train, "data.target=0"]),
                to_train(&[train, "data.target=y", "data.streaming=true"]),
                to_train(&["data.train=numbers.csv", labels]),
                vec!["new", name, "--target", "y"],
                vec!["predict", "good.safetensors", "--device", "cpu", "--data", name],
            ],
        )
    };
    match kind {
        "csv" => table("x.csv", "data.train=x.csv", "data.labels=x.csv"),
        "gzip" => table("x.csv.gz", "data.train=x.csv.gz", "data.labels=x.csv.gz"),
        "zstd" => table("x.csv.zst", "data.train=x.csv.zst", "data.labels=x.csv.zst"),
        "idx" => table("x-ubyte", "data.train=x-ubyte", "data.labels=x-ubyte"),
        "npy" => table("x.npy", "data.train=x.npy", "data.labels=x.npy"),
        "npz" => table("x.npz", "data.train=x.npz", "data.labels=x.npz"),
        "parquet" => table("x.parquet", "data.train=x.parquet", "data.labels=x.parquet"),
        "arrow" => table("x.arrow", "data.train=x.arrow", "data.labels=x.arrow"),
        "config" => ("x.json", vec![vec!["train", "x.json", "--device", "cpu", "--quiet"]]),
        "model" => (
            "x.safetensors",
            vec![
                vec!["predict", "x.safetensors", "--device", "cpu", "--data", "rows.csv"],
                vec!["evaluate", "x.safetensors", "--device", "cpu", "--data", "rows.csv"],
                vec!["inspect", "x.safetensors"],
                vec!["export", "x.safetensors", "--format", "onnx", "--out", "x.onnx"],
            ],
        ),
        "weights" => (
            "x.safetensors",
            vec![
                with(&["model.init_from=x.safetensors", "members=2"]),
                vec!["inspect", "x.safetensors"],
            ],
        ),
        "checkpoint" => ("run/checkpoint/1.safetensors", vec![with(&["--resume", "--out", "run"])]),
        "sweep" => ("x.json", vec![vec!["sweep", "x.json", "--device", "cpu", "--dry-run"]]),
        // Begun by the same program: a whole folder, which tests/hostile/sweeps.rs has.
        "sweep_state" => ("run/state/progress.json", Vec::new()),
        _ => panic!("{kind} has no commands"),
    }
}

/// What is wrong with how a command ended, if anything.
fn amiss(output: &Output, took: Duration) -> Option<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let lower = said.to_lowercase();
    let errors = said.lines().filter(|line| line.starts_with("error: ")).count();
    let code = output.status.code();
    let ended = match code {
        Some(0) => errors == 0,
        Some(1 | 2) => errors == 1 && said.starts_with("error: "),
        _ => false,
    };
    let is_short = said.len() < LONGEST_MESSAGE;
    if ended && !lower.contains("panicked") && took < LONGEST && is_short {
        return None;
    }
    let said: String = said.chars().take(LONGEST_MESSAGE).collect();
    Some(format!("{code:?} after {took:?}:\n{said}"))
}

#[test]
fn the_program_refuses_what_does_harm_with_a_message() {
    let _alone = super::alone();
    let good = corpus().join("seeds/model/two_classes");
    let (mut faults, mut refused, mut count) = (Vec::new(), 0, 0);
    for entry in &ENTRIES {
        let (name, commands) = commands(entry.name);
        for (of, bytes) in files(&corpus().join(entry.name)) {
            let folder = tempfile::tempdir().expect("a folder");
            let write = |name: &str, bytes: &[u8]| {
                std::fs::write(folder.path().join(name), bytes).expect("a file");
            };
            for made in ["run/checkpoint", "run/state"] {
                std::fs::create_dir_all(folder.path().join(made)).expect("a folder");
            }
            std::fs::copy(&good, folder.path().join("good.safetensors")).expect("a file");
            write("rows.csv", ROWS.as_bytes());
            write("numbers.csv", NUMBERS.as_bytes());
            write("plain.json", PLAIN);
            write("config.json", include_bytes!("training.json"));
            write("run/config.json", include_bytes!("training.json"));
            write("run/metrics.jsonl", b"");
            write(name, &bytes);
            let mut was_refused = false;
            for arguments in &commands {
                let begun = Instant::now();
                let output = wgfit(folder.path(), arguments);
                if let Some(amiss) = amiss(&output, begun.elapsed()) {
                    faults.push(format!("{}/{of}: {}: {amiss}", entry.name, arguments.join(" ")));
                }
                was_refused |= output.status.code() != Some(0);
            }
            refused += usize::from(was_refused);
            count += 1;
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    // Some are good, and were read wrongly.
    assert!(refused * 4 > count * 3, "{refused} of {count} refused");
}
