//! A training that goes on from a checkpoint is, to the last bit, the one that never paused: between
//! two epochs, within one, after its end; and a run folder lets nothing else go on.

#[path = "../common/mod.rs"]
mod common;
mod run_folders;

use std::cell::Cell;
use std::path::PathBuf;

use common::root;
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
        let outcome = self.outcome(&mut diary, from, ahead);
        (outcome.unwrap_or_else(|error| panic!("{}: {error}", self.name())), diary)
    }

    fn outcome(
        &self,
        seen: &mut Diary,
        from: Option<&Checkpoint>,
        ahead: RunAhead,
    ) -> Result<Outcome> {
        let config = Config::load(&self.config, &self.overrides).expect("the config");
        let folder = self.config.parent().expect("a folder");
        let settings = config.validate(folder).expect("settings");
        let dataset = data::load(&settings.data).expect("the data");
        let task = settings.fit_task(dataset.preprocessing.task()).expect("the task");
        resume_ahead(&settings, &task, dataset, self.backend, seen, from, ahead)
    }

    fn resumes(&self, from: &Checkpoint) -> Result<Outcome> {
        self.outcome(&mut Diary::default(), Some(from), RunAhead::Never)
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
        (
            DIGITS,
            vec![
                short,
                "members=3",
                "model.layers.0.adapters=tabm",
                "model.layers.0.dropout=0.3",
                r#"optimizer={"name":"adam","clip_global_norm":0.5}"#,
                "training.accumulate=2",
            ],
        ),
        // Networks of the larger folds are done in two batches of an epoch, the others take three.
        (IRIS, vec!["data.folds=7", "training.epochs=6", "training.batch_size=51", quick]),
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

/// A device goes on at the places of its tables that a checkpoint names, so they must be there.
#[test]
fn places_past_an_epochs_end_are_refused() {
    let backend = CpuBackend::new().expect("the CPU");
    let config = root().join("configs/iris.json");
    let overrides = ["training.epochs=2", "checkpoint.every_seconds=0"];
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let job = Job { backend: &backend, config, overrides };
    let diary = Diary { keeps: true, interrupt_at: 1, ..Diary::default() };
    let (_, diary) = job.train(diary, None, RunAhead::Never);
    let good = diary.checkpoints.last().expect("one where it was interrupted");
    assert!(job.resumes(good).is_ok());
    for (batches, cursor) in [(None, u32::MAX), (None, 1_000), (Some(1_000), 1_000)] {
        let mut bad = good.clone();
        let within = bad.state.within.as_mut().expect("a place in the epoch");
        within.batches = batches.unwrap_or(within.batches);
        within.states[0].cursor = cursor;
        let error = job.resumes(&bad).expect_err("it is past the end").to_string();
        assert!(error.contains("batches do not fit"), "{error}");
    }
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
        let outcome = other.resumes(from);
        // Of fewer moments, what is there is enough.
        let fits = other.overrides[2] == "optimizer=sgd";
        assert_eq!(outcome.is_ok(), fits, "{:?}", other.overrides);
        if let Err(error) = outcome {
            assert!(error.to_string().contains("not of this training"), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
