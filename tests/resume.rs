//! A training that goes on from a checkpoint is, to the last bit, the one that never paused: between
//! two epochs, within one, after its end; and a run folder lets nothing else go on.

mod common;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use common::{command, json, root, succeed, timeless, wgfit};
use wgfit::backend::Backend;
use wgfit::backend::cpu::CpuBackend;
use wgfit::config::Config;
use wgfit::data;
use wgfit::error::Result;
use wgfit::train::observation::Observation;
use wgfit::train::{
    Checkpoint, EpochRecord, Observer, Outcome, RunAhead, StepRecord, StopReason, resume_ahead,
};

/// Writes down all that is told, with its epoch and without times, and keeps every checkpoint.
#[derive(Default)]
struct Diary {
    lines: Vec<(usize, String)>,
    keeps: bool,
    checkpoints: Vec<Checkpoint>,
    /// At the so-manieth time that it is asked it interrupts; 0 is never.
    interrupt_at: usize,
    asked: Cell<usize>,
}

impl Observer for Diary {
    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.lines.push((record.epoch, format!("{record:?}")));
        Ok(())
    }
    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        let timeless = EpochRecord { seconds: 0.0, samples_per_second: 0.0, ..record.clone() };
        self.lines.push((record.epoch, format!("{timeless:?}")));
        Ok(())
    }
    fn observes(&self) -> bool {
        true
    }
    fn observation(&mut self, observation: &Observation) -> Result<()> {
        self.lines.push((observation.epoch, format!("{observation:?}")));
        Ok(())
    }
    fn keeps_checkpoints(&self) -> bool {
        self.keeps
    }
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.checkpoints.push(checkpoint.clone());
        Ok(())
    }
    fn interrupted(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.asked.get() == self.interrupt_at
    }
}

/// A training, as its config says.
struct Job<'a> {
    backend: &'a dyn Backend,
    config: PathBuf,
    overrides: Vec<String>,
}

impl Job<'_> {
    fn train(&self, diary: Diary, from: Option<&Checkpoint>, ahead: RunAhead) -> (Outcome, Diary) {
        let mut diary = diary;
        let config = Config::load(&self.config, &self.overrides).expect("the config");
        let folder = self.config.parent().expect("a folder");
        let settings = config.validate(folder).expect("settings");
        let dataset = data::load(&settings.data).expect("the data");
        let task = settings.fit_task(dataset.preprocessing.task()).expect("the task");
        let (backend, seen) = (self.backend, &mut diary);
        let outcome = resume_ahead(&settings, &task, dataset, backend, seen, from, ahead);
        (outcome.unwrap_or_else(|error| panic!("{}: {error}", self.name())), diary)
    }

    fn name(&self) -> String {
        format!("{:?} on {}", self.overrides, self.backend.device().name)
    }

    /// The training without a pause is the same as that which goes on from the checkpoint.
    fn same(&self, whole: &(Outcome, Diary), from: &Checkpoint, ahead: RunAhead) {
        let (outcome, diary) = self.train(Diary::default(), Some(from), ahead);
        let name = format!(
            "{}, from epoch {} and {:?}",
            self.name(),
            from.state.epoch,
            from.state.within.as_ref().map(|within| within.batches)
        );
        let later: Vec<_> = whole.1.lines.iter().filter(|l| l.0 > from.state.epoch).collect();
        for (expected, got) in later.iter().zip(&diary.lines) {
            assert!(**expected == *got, "{name}: a record\n{expected:?}\n{got:?}");
        }
        assert_eq!(later.len(), diary.lines.len(), "{name}: records");
        assert!(told(&whole.0) == told(&outcome), "{name}: what came of it");
    }
}

/// All that came of it, but for times.
fn told(outcome: &Outcome) -> String {
    format!(
        "{:?} {:?} {:?} {} {:?}",
        outcome.parameters.iter().map(|weight| weight.to_bits()).collect::<Vec<_>>(),
        outcome.scores,
        outcome.best_epoch,
        outcome.epochs,
        outcome.stop_reason
    )
}

fn llvmpipe() -> Box<dyn Backend> {
    common::devices();
    wgfit::backend::choose("llvmpipe", Default::default())
        .expect("llvmpipe: apt-get install mesa-vulkan-drivers")
        .backend
}

const DIGITS: &str = "digits.json";
const IRIS: &str = "iris.json";

/// Configs that leave behind everything that an epoch can: moments of every kind, coefficients,
/// averages, running statistics, best weights, rates, waits, members that have stopped.
fn cases() -> Vec<(&'static str, Vec<&'static str>)> {
    let short = "training.epochs=4";
    let quick = "optimizer.learning_rate=0.05";
    let cosine = r#"schedule={"name":"cosine","warmup_epochs":1}"#;
    let plateau = r#"schedule={"name":"reduce_on_plateau","patience":0,"threshold":0.2}"#;
    let average = r#"training.average={"from_epoch":2,"every":"step"}"#;
    vec![
        (DIGITS, vec![short, "model.layers.0.dropout=0.3", cosine, "log.every_steps=1"]),
        (IRIS, vec!["training.epochs=60", quick, "early_stopping.patience=2"]),
        (IRIS, vec!["members=3", "training.epochs=30", quick, "early_stopping.patience=2"]),
        (IRIS, vec!["training.epochs=8", plateau, "optimizer=nadam", "training.batch_size=8"]),
        (DIGITS, vec![short, "training.ema=0.9", "optimizer=lion", "early_stopping=null"]),
        (DIGITS, vec![short, average, "model.layers.0.norm=batch_norm", "optimizer=muon"]),
        (
            "breast_cancer.json",
            vec![
                short,
                "training.accumulate=3",
                "training.batch_size=2",
                r#"optimizer={"name":"adam","amsgrad":true}"#,
                r#"metrics=["f1","roc_auc","accuracy"]"#,
                "log.every_steps=5",
                "members=2",
            ],
        ),
        (
            DIGITS,
            vec![
                "training.epochs=2",
                "data.streaming=true",
                "data.chunk_rows=9",
                "training.batch_size=1",
                "model.layers.0.units=8",
                r#"optimizer={"name":"sgd","momentum":0.9,"learning_rate":0.001}"#,
            ],
        ),
    ]
}

/// Each case without a pause, with a checkpoint after every epoch, and from some of these; then
/// interrupted at some places, and from there.
fn check(backend: &dyn Backend, every: usize, cases: &[(&str, Vec<&str>)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let spill = format!("data.streaming_folder={}", folder.path().display());
    let (mut mid_window, mut mid_epoch) = (false, false);
    for (config, overrides) in cases {
        let more = ["checkpoint.every_seconds=0", spill.as_str()];
        let job = Job {
            backend,
            config: root().join("configs").join(config),
            overrides: overrides.iter().chain(&more).map(|text| (*text).to_owned()).collect(),
        };
        let whole = job.train(Diary::default(), None, RunAhead::Always);
        let keeps = || Diary { keeps: true, ..Diary::default() };
        let kept = job.train(keeps(), None, RunAhead::Always);
        assert!(told(&whole.0) == told(&kept.0), "{}: checkpoints change it", job.name());
        assert!(whole.1.lines == kept.1.lines, "{}: checkpoints change records", job.name());
        let checkpoints = &kept.1.checkpoints;
        let epochs: Vec<usize> = checkpoints.iter().map(|kept| kept.state.epoch).collect();
        assert_eq!(epochs, (1..=whole.0.epochs).collect::<Vec<_>>(), "{}", job.name());
        let last = checkpoints.last().expect("one at the end");
        assert_eq!(last.state.stop_reason, Some(whole.0.stop_reason));
        job.same(&whole, last, RunAhead::Never);
        for (at, from) in checkpoints.iter().enumerate() {
            if at % every == 0 {
                job.same(&whole, from, RunAhead::Always);
            }
        }
        for interrupt_at in [1, 2, 5, 9, 14].into_iter().step_by(every) {
            let diary = Diary { interrupt_at, ..keeps() };
            let (paused, diary) = job.train(diary, None, RunAhead::Always);
            if paused.stop_reason != StopReason::Interrupted {
                continue;
            }
            let from = diary.checkpoints.last().expect("one where it was interrupted");
            let batches = from.state.within.as_ref().expect("a place in the epoch").batches;
            mid_epoch |= batches == 128;
            mid_window |= overrides.contains(&"data.chunk_rows=9") && batches % 144 == 128;
            job.same(&whole, from, RunAhead::Always);
        }
    }
    assert!(mid_epoch, "no epoch was left in its middle");
    assert!(mid_window, "no window was left in its middle");
}

#[test]
fn a_resumed_training_is_the_one_that_never_paused_on_the_cpu() {
    check(&CpuBackend::new().expect("the CPU"), 1, &cases());
}

#[test]
fn a_resumed_training_is_the_one_that_never_paused_on_a_gpu() {
    let backend = llvmpipe();
    assert!(backend.capacity().halves, "llvmpipe has no f16");
    // What the host alone keeps is the same on every device.
    let mut cases: Vec<_> = cases()
        .into_iter()
        .enumerate()
        .filter(|(at, _)| ![1, 3].contains(at))
        .map(|(_, c)| c)
        .collect();
    // Errors of hundreds: the loss scale falls at the first steps.
    let f16 = ["training.epochs=3", "training.precision=f16", "data.target_scaling=none"];
    cases.push(("diabetes.json", f16.to_vec()));
    check(backend.as_ref(), 3, &cases);
}

/// A checkpoint of another training is refused rather than taken for what it is not.
#[test]
fn a_checkpoint_of_another_network_is_refused() {
    let backend = CpuBackend::new().expect("the CPU");
    let config = root().join("configs/iris.json");
    let job = |overrides: &[&str]| Job {
        backend: &backend,
        config: config.clone(),
        overrides: overrides.iter().map(|text| (*text).to_owned()).collect(),
    };
    let short = ["training.epochs=1", "model.layers.0.units=5"];
    let diary = Diary { keeps: true, ..Diary::default() };
    let (_, diary) = job(&short).train(diary, None, RunAhead::Never);
    let from = &diary.checkpoints[0];
    for other in ["model.layers.0.units=300", "members=2", "optimizer=sgd", "early_stopping=null"] {
        let other = job(&["training.epochs=2", "model.layers.0.units=5", other]);
        let config = Config::load(&other.config, &other.overrides).expect("the config");
        let settings = config.validate(&root().join("configs")).expect("settings");
        let dataset = data::load(&settings.data).expect("the data");
        let task = settings.fit_task(dataset.preprocessing.task()).expect("the task");
        let mut diary = Diary::default();
        let outcome =
            wgfit::train::resume(&settings, &task, dataset, &backend, &mut diary, Some(from));
        // Of fewer moments, what is there is enough.
        let fits = other.overrides[2] == "optimizer=sgd";
        assert_eq!(outcome.is_ok(), fits, "{:?}", other.overrides);
        if let Err(error) = outcome {
            assert!(error.to_string().contains("not of this training"), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}

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
    assert_eq!(common::records(&run, "epoch").len(), 3);
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
