//! Running ahead changes nothing but the time: an epoch that was queued before the one that
//! precedes it was judged, and should not have been, leaves no trace.

mod common;

use std::cell::Cell;

use wgfit::backend::cpu::CpuBackend;
use wgfit::backend::{Backend, Capacity, Counters, DeviceDescription, Executor};
use wgfit::config::Config;
use wgfit::data;
use wgfit::error::Result;
use wgfit::program::Plan;
use wgfit::train::{EpochRecord, Observer, Outcome, RunAhead, StepRecord, StopReason, fit_ahead};

/// When a run is ended from outside; 0 is never.
#[derive(Debug, Default, Clone, Copy)]
struct End {
    /// At the so-manieth time that the observer is asked.
    interrupt_at: usize,
    /// With the epoch of this number.
    stop_with: usize,
}

/// Writes down all that is told, but for times.
#[derive(Default)]
struct Diary {
    lines: Vec<String>,
    /// Members of which an epoch had scores while others had none any more.
    uneven: bool,
    asked: Cell<usize>,
    end: End,
    epochs: usize,
}

impl Observer for Diary {
    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.lines.push(format!("{record:?}"));
        Ok(())
    }
    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        let lost = record.train.iter().filter(|scores| scores.loss.is_nan()).count();
        self.uneven |= lost > 0 && lost < record.train.len();
        let timeless = EpochRecord { seconds: 0.0, samples_per_second: 0.0, ..record.clone() };
        self.lines.push(format!("{timeless:?}"));
        self.epochs = record.epoch;
        Ok(())
    }
    fn stops(&self) -> bool {
        self.epochs == self.end.stop_with
    }
    fn warn(&mut self, text: &str) -> Result<()> {
        self.lines.push(text.to_owned());
        Ok(())
    }
    fn interrupted(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.asked.get() == self.end.interrupt_at
    }
}

struct Run {
    diary: Diary,
    outcome: Result<Outcome>,
}

impl Run {
    fn new(
        backend: &dyn Backend,
        (config, overrides): (&str, &[&str]),
        end: End,
        run_ahead: RunAhead,
    ) -> Self {
        let file = common::root().join("configs").join(config);
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let config = Config::load(&file, &overrides).expect("the config");
        let settings = config.validate(file.parent().expect("a folder")).expect("settings");
        let dataset = data::load(&settings.data).expect("the data");
        let task = settings.fit_task(dataset.preprocessing.task()).expect("the task");
        let mut diary = Diary { end, ..Diary::default() };
        let outcome = fit_ahead(&settings, &task, dataset, backend, &mut diary, run_ahead);
        Self { diary, outcome }
    }

    /// All that came of it, but for times and what was done in vain.
    fn told(&self) -> String {
        match &self.outcome {
            Err(error) => error.to_string(),
            Ok(outcome) => format!(
                "{:?} {:?} {:?} {} {:?} {:?}",
                outcome.parameters,
                outcome.scores,
                outcome.best_epoch,
                outcome.epochs,
                outcome.stop_reason,
                outcome.failure.as_ref().map(ToString::to_string)
            ),
        }
    }

    fn outcome(&self) -> &Outcome {
        self.outcome.as_ref().unwrap_or_else(|error| panic!("{error}"))
    }

    fn readbacks(&self) -> usize {
        let (start, last) = (self.outcome().counters_at_start, self.outcome().counters);
        let made =
            |counters: Counters| (counters.buffers, counters.pipelines, counters.bind_groups);
        assert_eq!(made(start), made(last), "something was made in the loop");
        (last.readbacks - start.readbacks) as usize
    }
}

fn backends() -> Vec<Box<dyn Backend>> {
    common::devices();
    let lavapipe = wgfit::backend::choose("llvmpipe", Default::default())
        .expect("llvmpipe: apt-get install mesa-vulkan-drivers")
        .backend;
    vec![lavapipe, Box::new(CpuBackend::new().expect("the CPU"))]
}

/// The run in order and the run ahead, on each backend, after a look at whether they are the same.
fn same(config: &str, overrides: &[&str], interrupt_at: usize) -> Vec<(Run, Run)> {
    same_until(config, overrides, End { interrupt_at, stop_with: 0 })
}

fn same_until(config: &str, overrides: &[&str], end: End) -> Vec<(Run, Run)> {
    let mut runs = Vec::new();
    for backend in backends() {
        let run = |run_ahead| Run::new(backend.as_ref(), (config, overrides), end, run_ahead);
        let (plain, ahead) = (run(RunAhead::Never), run(RunAhead::Always));
        let name = format!("{config} {overrides:?} on {}", backend.device().name);
        for (at, (a, b)) in plain.diary.lines.iter().zip(&ahead.diary.lines).enumerate() {
            assert!(a == b, "{name}: record {at}\n{a}\n{b}");
        }
        assert_eq!(plain.diary.lines.len(), ahead.diary.lines.len(), "{name}: records");
        assert!(plain.told() == ahead.told(), "{name}: what came of it");
        runs.push((plain, ahead));
    }
    runs
}

#[test]
fn early_stopping_leaves_no_trace_of_the_epoch_behind_it() {
    for restore in ["true", "false"] {
        let restore = format!("early_stopping.restore_best={restore}");
        for more in [
            &[][..],
            &["training.ema=0.9"],
            &["training.average={\"from_epoch\":2,\"every\":\"step\"}"],
            &["training.accumulate=2", "log.every_steps=3", "metrics=[\"f1_macro\",\"roc_auc\"]"],
        ] {
            let mut overrides = vec![
                "training.epochs=60",
                "optimizer.learning_rate=0.05",
                "early_stopping.patience=2",
                &restore,
            ];
            overrides.extend_from_slice(more);
            for (plain, ahead) in same("digits.json", &overrides, 0) {
                let outcome = plain.outcome();
                assert_eq!(outcome.stop_reason, StopReason::EarlyStopping);
                assert!(outcome.epochs > 2 && outcome.epochs < 60, "{}", outcome.epochs);
                assert_eq!(plain.readbacks(), outcome.epochs);
                assert_eq!(ahead.readbacks(), outcome.epochs + 1, "it did not run ahead");
            }
        }
    }
}

#[test]
fn members_stop_each_at_its_own_epoch() {
    let mut uneven = false;
    for more in ["early_stopping.restore_best=false", "training.ema=0.8", "log.every_steps=1"] {
        let overrides = [
            "members=5",
            "training.epochs=80",
            "optimizer.learning_rate=0.05",
            "early_stopping.patience=3",
            more,
        ];
        for (plain, ahead) in same("iris.json", &overrides, 0) {
            assert_eq!(plain.outcome().stop_reason, StopReason::EarlyStopping);
            assert_eq!(ahead.readbacks(), ahead.outcome().epochs + 1, "it did not run ahead");
            uneven |= plain.diary.uneven;
        }
    }
    assert!(uneven, "every member stopped at the same epoch");
}

#[test]
fn an_observer_ends_the_training_with_its_epoch() {
    for (members, restore) in [("members=1", "false"), ("members=3", "true")] {
        let restore = format!("early_stopping.restore_best={restore}");
        let overrides = ["training.epochs=20", members, &restore];
        for (plain, ahead) in
            same_until("iris.json", &overrides, End { interrupt_at: 0, stop_with: 5 })
        {
            assert_eq!(plain.outcome().stop_reason, StopReason::Interrupted);
            assert_eq!(plain.outcome().epochs, 5);
            assert_eq!(ahead.readbacks(), 6, "it did not run ahead");
        }
    }
}

/// Asked once in 128 steps and at the end of each epoch's: here once an epoch.
#[test]
fn an_interrupt_is_met_in_the_same_epoch() {
    for interrupt_at in [1, 2, 7] {
        for restore in ["true", "false"] {
            let restore = format!("early_stopping.restore_best={restore}");
            let overrides = ["training.epochs=20", "members=2", &restore];
            for (plain, _) in same("digits.json", &overrides, interrupt_at) {
                assert_eq!(plain.outcome().stop_reason, StopReason::Interrupted);
                assert_eq!(plain.outcome().epochs, interrupt_at);
            }
        }
    }
    // Interrupted in an epoch that should never have been.
    let overrides =
        ["training.epochs=60", "optimizer.learning_rate=0.05", "early_stopping.patience=2"];
    for (plain, _) in same("iris.json", &overrides, 0) {
        let last = plain.outcome().epochs;
        assert_eq!(plain.outcome().stop_reason, StopReason::EarlyStopping);
        for (plain, _) in same("iris.json", &overrides, last + 1) {
            assert_eq!(plain.outcome().stop_reason, StopReason::EarlyStopping);
        }
    }
}

/// Gradient descent at a rate that is too high: every step multiplies the error, until it is no
/// number in some later epoch, in the loss or in an update.
#[test]
fn divergence_is_told_as_if_nothing_had_run_ahead() {
    let base = [
        "optimizer={\"name\":\"sgd\",\"learning_rate\":0.35}",
        "training.batch_size=32",
        "training.epochs=60",
        "log.every_steps=1",
        "data.target_scaling=\"none\"",
        "data.scaling=\"standard\"",
    ];
    let linear = "model.layers=[]";
    let bounded = "model.layers=[{\"units\":8,\"activation\":\"tanh\",\"l2\":1e4}]";
    let mut problems = Vec::new();
    let mut uneven = false;
    for more in [
        &[linear, "early_stopping=null"][..],
        &[linear, "early_stopping=null", "training.ema=0.5"],
        &[bounded, "early_stopping=null", "data.scaling=\"minmax\""],
        &[linear, "early_stopping.patience=50"],
        &[linear, "early_stopping.patience=50", "members=3"],
        &[linear, "early_stopping=null", "members=3", "training.ema=0.5"],
        &[bounded, "early_stopping.patience=50", "members=3", "data.scaling=\"minmax\""],
    ] {
        let overrides: Vec<&str> = base.iter().chain(more).copied().collect();
        for (plain, _) in same("diabetes.json", &overrides, 0) {
            let problem = match &plain.outcome {
                Err(error) => error.to_string(),
                Ok(outcome) => {
                    assert_eq!(outcome.stop_reason, StopReason::Diverged);
                    outcome.failure.as_ref().expect("why it ended").to_string()
                }
            };
            assert!(!problem.contains("epoch 1,"), "nothing ran ahead: {problem}");
            uneven |= plain.diary.uneven;
            problems.push(problem);
        }
    }
    for wanted in ["the loss is not finite", "the gradient or the update of"] {
        assert!(problems.iter().any(|problem| problem.contains(wanted)), "{problems:?}");
    }
    assert!(uneven, "every member diverged in the same epoch");
}

/// One row out of sixty overflows the first layer. By the time that is known the next epoch, which
/// meets the row in another batch, has moved weights and tables on.
#[test]
fn where_it_diverged_is_looked_up_in_the_epoch_that_did() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut csv = "a,b,c,d,y\n".to_owned();
    for row in 0..60 {
        let scale = if row == 17 { 3e38 } else { 0.1 };
        let values: Vec<String> =
            (0..4).map(|i| format!("{:e}", scale * f64::from((row + i) % 3 - 1))).collect();
        csv.push_str(&format!("{},{}\n", values.join(","), row % 7));
    }
    std::fs::write(folder.path().join("rows.csv"), csv).expect("the data");
    let config = folder.path().join("config.json");
    let text = r#"{
        "data": { "train": "rows.csv", "target": "y", "task": "regression", "scaling": "none" },
        "model": { "layers": [{ "units": 64, "activation": "relu", "init": "he_normal" }] },
        "optimizer": { "name": "sgd", "learning_rate": 0.01 },
        "early_stopping": null,
        "training": { "epochs": 5, "batch_size": 4 }
    }"#;
    std::fs::write(&config, text).expect("the config");
    let config = config.to_str().expect("the path is text");
    for overrides in [&[][..], &["training.ema=0.5"], &["seed=3", "training.drop_last=true"]] {
        for (plain, _) in same(config, overrides, 0) {
            let problem = plain.outcome.as_ref().err().map(ToString::to_string);
            let problem = problem.expect("it diverges");
            assert!(problem.contains("the output of layers.0"), "{problem}");
        }
    }
}

/// A backend that claims to compute beside the host, or not to.
struct Claims(Box<dyn Backend>, bool);

impl Backend for Claims {
    fn device(&self) -> &DeviceDescription {
        self.0.device()
    }
    fn capacity(&self) -> Capacity {
        Capacity { queues: self.1, ..self.0.capacity() }
    }
    fn load(&self, plan: &Plan) -> Result<Box<dyn Executor>> {
        let snapshots = plan.buffers.iter().any(|spec| spec.name.ends_with(".snapshot"));
        assert_eq!(snapshots, self.1, "snapshots are made where they are used");
        self.0.load(plan)
    }
}

#[test]
fn it_runs_ahead_where_that_pays() {
    let overrides =
        ["training.epochs=60", "optimizer.learning_rate=0.05", "early_stopping.patience=2"];
    for claim in [true, false] {
        for backend in backends() {
            let backend = Claims(backend, claim);
            let run = Run::new(
                &backend,
                ("iris.json", &overrides),
                End::default(),
                RunAhead::WhereItPays,
            );
            assert_eq!(run.outcome().stop_reason, StopReason::EarlyStopping);
            assert_eq!(run.readbacks(), run.outcome().epochs + usize::from(claim));
        }
    }
}

/// What an epoch is told depends on how the one before it went: nothing runs ahead.
#[test]
fn a_rate_that_waits_for_the_verdict_keeps_the_order() {
    let overrides = [
        "training.epochs=12",
        "schedule={\"name\":\"reduce_on_plateau\",\"patience\":0}",
        "early_stopping.patience=3",
    ];
    for (plain, ahead) in same("iris.json", &overrides, 0) {
        assert_eq!(plain.readbacks(), plain.outcome().epochs);
        assert_eq!(ahead.readbacks(), ahead.outcome().epochs);
        assert_eq!(plain.outcome().counters, ahead.outcome().counters);
    }
}
