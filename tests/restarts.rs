//! `training.on_divergence = "restart"`: a training that diverges goes back, with half the learning rate, in
//! the same way every time.

mod common;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use common::{json, number, records, root, told, wgfit};
use serde_json::Value;
use wgfit::Config;
use wgfit::backend::cpu::CpuBackend;
use wgfit::error::Result;
use wgfit::train::{Checkpoint, EpochRecord, Observer, Outcome, RestartRecord, StepRecord, resume};

/// A linear model of ten scaled columns, by plain SGD in batches of 4: a rate of 0.9 is far too large.
const LINEAR: [&str; 6] = [
    "model.layers=[]",
    "optimizer=sgd",
    "training.batch_size=4",
    "training.epochs=6",
    "early_stopping=null",
    "log.every_steps=1",
];

/// One that grows until it is too large, after some epochs that went well.
const GROWS: [&str; 2] =
    ["schedule={\"name\":\"constant\",\"warmup_epochs\":5}", "optimizer.learning_rate=0.8"];

const RESTART: &str = "training.on_divergence=restart";

fn run(folder: &Path, out: &str, more: &[&str]) -> (PathBuf, Option<i32>, String) {
    let config = root().join("configs/diabetes.json").display().to_string();
    let begin = ["train", &config, "--out", out, "--device", "cpu"];
    let arguments: Vec<&str> = begin.iter().chain(&LINEAR).chain(more).copied().collect();
    let output = wgfit(folder, &arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (folder.join(out), output.status.code(), said)
}

fn model(run: &Path) -> Vec<u8> {
    fs::read(run.join("model.safetensors")).expect("a model")
}

/// The records of a kind, without times.
fn timeless(run: &Path, kind: &str) -> Vec<Value> {
    let mut found = records(run, kind);
    for record in &mut found {
        for key in ["seconds", "samples_per_second"] {
            record.as_object_mut().expect("an object").remove(key);
        }
    }
    found
}

/// What diverges at once begins anew until the rate is small enough, and is then the training of that rate.
#[test]
fn the_rate_is_halved_until_it_converges() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (stopped, code, said) = run(folder.path(), "stopped", &["optimizer.learning_rate=0.9"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("training diverged in epoch 1"), "{said}");
    assert!(!stopped.join("summary.json").exists());

    let (restarted, code, said) =
        run(folder.path(), "restarted", &["optimizer.learning_rate=0.9", RESTART]);
    assert_eq!(code, Some(0), "{said}");
    let restarts = json(&restarted.join("summary.json"))["restarts"].clone();
    let restarts = restarts.as_u64().expect("restarts");
    assert!((2..=5).contains(&restarts), "{restarts}: {said}");
    let lines = records(&restarted, "restart");
    assert_eq!(lines.len() as u64, restarts, "{said}");
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["restart"], at as u64 + 1);
        assert_eq!((&line["epoch"], &line["from_epoch"]), (&1.into(), &0.into()), "{line}");
        assert_eq!(number(&line["factor"]), 0.5_f64.powi(at as i32 + 1));
        let word = format!("(restart {} of 5)", at + 1);
        assert_eq!(said.matches(&word).count(), 1, "{said}");
    }

    let rate = 0.9 * 0.5_f64.powi(restarts as i32);
    let rate = format!("optimizer.learning_rate={rate}");
    let (direct, code, said) = run(folder.path(), "direct", &[&rate]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(json(&direct.join("summary.json"))["restarts"], 0);
    for kind in ["epoch", "step"] {
        assert_eq!(timeless(&direct, kind), timeless(&restarted, kind), "{kind}");
    }
    let scores = |run: &Path| json(&run.join("summary.json"))["test"].clone();
    assert_eq!(scores(&direct), scores(&restarted));
}

/// A later divergence goes back to the end of the epoch before, the same way every time, and resumed too.
#[test]
fn it_goes_back_to_the_end_of_the_epoch_before() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let more = [&GROWS[..], &[RESTART, "checkpoint.every_seconds=0"]].concat();
    let (whole, code, said) = run(folder.path(), "whole", &more);
    assert_eq!(code, Some(0), "{said}");
    let lines = records(&whole, "restart");
    assert!(!lines.is_empty(), "{said}");
    for line in &lines {
        let from = number(&line["from_epoch"]);
        assert_eq!(from + 1.0, number(&line["epoch"]), "{line}");
        assert!(from > 0.0 && said.contains(&format!("goes on after epoch {from}")), "{said}");
    }
    let epochs: Vec<f64> = records(&whole, "epoch").iter().map(|e| number(&e["epoch"])).collect();
    assert_eq!(epochs, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let steps: Vec<f64> = records(&whole, "step").iter().map(|s| number(&s["step"])).collect();
    assert!(steps.iter().zip(1..).all(|(step, at)| *step == f64::from(at)), "{steps:?}");

    // Checkpoints on a disk, or the lack of them, change nothing of it.
    let none = [&GROWS[..], &[RESTART, "checkpoint=null"]].concat();
    let (again, code, said) = run(folder.path(), "again", &none);
    assert_eq!(code, Some(0), "{said}");
    for kind in ["epoch", "step", "restart"] {
        assert_eq!(timeless(&whole, kind), timeless(&again, kind), "{kind}");
    }
    // More epochs go on with the rate as it was halved.
    let short = [&more[..], &["training.epochs=5"]].concat();
    let (resumed, code, said) = run(folder.path(), "resumed", &short);
    assert_eq!(code, Some(0), "{said}");
    let (_, code, said) = run(folder.path(), "resumed", &[&more[..], &["--resume"]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(model(&whole) == model(&resumed), "the model");
    for kind in ["epoch", "step", "restart"] {
        assert_eq!(timeless(&whole, kind), timeless(&resumed, kind), "{kind}");
    }
    let restarts = |run: &Path| json(&run.join("summary.json"))["restarts"].clone();
    assert_eq!(restarts(&whole), restarts(&resumed));
}

/// Keeps what it is told, and interrupts when it is asked for the so-manieth time.
#[derive(Default)]
struct Diary {
    records: Vec<String>,
    restarts: Vec<RestartRecord>,
    checkpoints: Vec<(usize, Checkpoint)>,
    interrupt_at: usize,
    asked: Cell<usize>,
}

impl Observer for Diary {
    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.records.push(format!("{record:?}"));
        Ok(())
    }
    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.records.push(told(record));
        Ok(())
    }
    fn restarted(&mut self, record: &RestartRecord) -> Result<()> {
        self.records.push(format!("{record:?}"));
        self.restarts.push(record.clone());
        Ok(())
    }
    fn keeps_checkpoints(&self) -> bool {
        true
    }
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.checkpoints.push((self.records.len(), checkpoint.clone()));
        Ok(())
    }
    fn interrupted(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.asked.get() == self.interrupt_at
    }
}

fn train(diary: &mut Diary, from: Option<&Checkpoint>) -> Outcome {
    let more = [RESTART, "training.batch_size=2"];
    let overrides: Vec<String> =
        LINEAR.iter().chain(&GROWS).chain(&more).map(|text| (*text).to_owned()).collect();
    let config = Config::load(&root().join("configs/diabetes.json"), &overrides).expect("a config");
    let settings = config.validate(&root().join("configs")).expect("settings");
    let dataset = wgfit::data::load(&settings.data).expect("the data");
    let task = settings.fit_task(dataset.preprocessing.task()).expect("the task");
    let backend = CpuBackend::new().expect("the CPU");
    resume(&settings, &task, dataset, &backend, diary, from).expect("it trains")
}

/// Interrupted anywhere, it goes on to the same end: also where it diverges after it was resumed.
#[test]
fn an_interrupted_training_restarts_as_one_that_was_not() {
    let mut whole = Diary::default();
    let outcome = train(&mut whole, None);
    assert!(outcome.restarts > 0 && outcome.restarts == whole.restarts.len());
    let asked = whole.asked.get();
    let mut interrupts = 0;
    for at in (1..=asked).step_by(3) {
        let mut begun = Diary { interrupt_at: at, ..Diary::default() };
        train(&mut begun, None);
        let Some((told, state)) = begun.checkpoints.last() else { panic!("{at}: no checkpoint") };
        let mut rest = Diary::default();
        let resumed = train(&mut rest, Some(state));
        interrupts += usize::from(state.state.stop_reason.is_none());
        // As --resume has it: what was logged after the checkpoint is gone.
        let records = [&begun.records[..*told], &rest.records].concat();
        assert_eq!(records, whole.records, "{at} of {asked}");
        assert_eq!(resumed.parameters, outcome.parameters, "{at} of {asked}");
        assert_eq!(resumed.restarts, outcome.restarts, "{at} of {asked}");
    }
    assert!(interrupts > 3, "{interrupts}");
}

#[test]
fn what_cannot_restart_is_refused_or_ends_as_it_did() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for several in ["members=2", "data.folds=3"] {
        let leave =
            if several == "members=2" { "data.validation=0.2" } else { "data.validation=0" };
        let (_, code, said) = run(folder.path(), "several", &[RESTART, several, leave]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("training.on_divergence") && said.contains("side by side"), "{said}");
    }
    // Five times, and no more.
    let (hopeless, code, said) =
        run(folder.path(), "hopeless", &["optimizer.learning_rate=1e6", RESTART]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("(restart 5 of 5)") && !said.contains("restart 6"), "{said}");
    assert!(said.contains("error: training diverged in epoch 1"), "{said}");
    assert_eq!(records(&hopeless, "restart").len(), 5);
}
