//! A run that is ended from outside, at whatever moment, and goes on: the same bytes as without, every
//! epoch on record once. `WGFIT_TEST_KILLS` is how often it is killed, in memory and streamed, on the CPU
//! and on a GPU.

#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{command, json, records, root, succeed, timeless};

/// Epochs of some milliseconds, steps on record, something to look at, members that stop.
fn arguments<'a>(config: &'a str, out: &'a str, device: &'a str) -> Vec<&'a str> {
    vec![
        "train",
        config,
        "--device",
        device,
        "--out",
        out,
        "--resume",
        "--quiet",
        "training.epochs=40",
        "training.batch_size=16",
        r#"model.layers=[{"units":16,"dropout":0.2}]"#,
        "early_stopping.patience=30",
        "members=2",
        "log.every_steps=20",
        "checkpoint.every_seconds=0",
        r#"schedule={"name":"cosine"}"#,
    ]
}

/// What a run is streamed by, in blocks that are no whole batches.
const STREAMED: [&str; 3] =
    ["data.streaming=true", "data.streaming_folder=\"spill\"", "data.chunk_rows=7"];

struct Place {
    folder: tempfile::TempDir,
    config: String,
    /// More of the config.
    changes: &'static [&'static str],
}

impl Place {
    fn new(changes: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = root().join("configs/digits.json").display().to_string();
        Self { folder, config, changes }
    }

    fn run(&self, out: &str) -> PathBuf {
        self.folder.path().join(out)
    }

    fn start(&self, out: &str, device: &str) -> Child {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        let mut arguments = self.arguments(out, device);
        arguments.push("--no-tune");
        let mut command = command(self.folder.path(), &arguments, &cache);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the binary runs")
    }

    fn finish(&self, out: &str, device: &str) -> PathBuf {
        succeed(self.folder.path(), &self.arguments(out, device));
        self.run(out)
    }

    fn arguments<'a>(&'a self, out: &'a str, device: &'a str) -> Vec<&'a str> {
        let mut all = arguments(&self.config, out, device);
        all.extend(self.changes);
        all
    }
}

fn assert_same(whole: &Path, other: &Path) {
    let model = |run: &Path| fs::read(run.join("model.safetensors")).expect("a model");
    assert!(model(whole) == model(other), "{other:?}: the model");
    for log in ["metrics.jsonl", "observations.jsonl"] {
        assert_eq!(timeless(&whole.join(log)), timeless(&other.join(log)), "{other:?}");
    }
    let epochs: Vec<_> = records(other, "epoch").iter().map(|r| r["epoch"].as_u64()).collect();
    assert_eq!(epochs, (1..=epochs.len() as u64).map(Some).collect::<Vec<_>>());
    let ended = |run: &Path| {
        let summary = json(&run.join("summary.json"));
        ["train", "validation", "test", "best_epoch", "epochs", "stop_reason"]
            .map(|key| summary[key].clone())
    };
    assert_eq!(ended(whole), ended(other));
    let unfinished = fs::read_dir(other).expect("the run").flatten();
    let unfinished = unfinished.filter(|e| e.file_name().to_string_lossy().ends_with(".tmp"));
    assert_eq!(unfinished.count(), 0, "files that were never finished");
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
}

/// Epochs on record; a line that is being written does not count.
fn epochs(run: &Path) -> usize {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    text.lines().filter(|line| line.contains(r#""kind":"epoch""#)).count()
}

/// The epoch of the last checkpoint; 0 is none.
fn newest_checkpoint(run: &Path) -> usize {
    let entries = fs::read_dir(run.join("checkpoint")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.path().file_stem()?.to_str()?.parse().ok()).max().unwrap_or(0)
}

/// Milliseconds from 0 to below `most`, from a sequence of one's own.
fn drawn(seed: &mut u64, most: u64) -> Duration {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    Duration::from_millis((*seed >> 33) % most)
}

/// Killed at random moments, from before the folder is there to after the last epoch, and resumed
/// each time.
#[test]
fn a_run_that_is_killed_at_any_moment_ends_as_if_it_never_had_been() {
    let kills: usize =
        std::env::var("WGFIT_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(8);
    let cases: [(&str, &'static [&'static str]); 4] =
        [("cpu", &[]), ("cpu", &STREAMED), ("llvmpipe", &[]), ("llvmpipe", &STREAMED)];
    for (at, (device, changes)) in cases.into_iter().enumerate() {
        kill_again_and_again(device, changes, (kills + at) / cases.len());
    }
}

fn kill_again_and_again(device: &str, changes: &'static [&'static str], kills: usize) {
    let place = Place::new(changes);
    let begun = Instant::now();
    let whole = place.finish("whole", device);
    let took = u64::try_from(begun.elapsed().as_millis()).expect("a time").max(50);
    let mut seed = 7;
    let (mut left, mut round, mut within) = (kills, 0, 0);
    while left > 0 {
        round += 1;
        let out = format!("run-{round}");
        // Some runs are killed once, some again and again.
        for _ in 0..(1 + round % 3).min(left) {
            left -= 1;
            let mut child = place.start(&out, device);
            sleep(drawn(&mut seed, took));
            child.kill().expect("it is ended");
            child.wait().expect("it ends");
            let (done, newest) = (epochs(&place.run(&out)), newest_checkpoint(&place.run(&out)));
            assert!(newest + 1 >= done, "of {done} epochs the last checkpoint is {newest}");
            within += usize::from((1..40).contains(&done));
        }
        assert_same(&whole, &place.finish(&out, device));
    }
    eprintln!(
        "{device} {changes:?}: {kills} kills in {round} runs of {took} ms, {within} of them between \
         epochs 1 and 40"
    );
    assert!(kills < 6 || within > 0, "no kill met a run on its way");
}

/// Ctrl-C and SIGTERM: the step is finished, the state kept, the exit code 130, and what was
/// learned can be used at once.
#[test]
fn an_interrupted_run_goes_on_where_it_was() {
    let place = Place::new(&[]);
    for (device, signals) in [("cpu", &["-INT", "-TERM"][..]), ("llvmpipe", &["-INT"])] {
        let whole = place.finish(&format!("{device}-whole"), device);
        let out = format!("{device}-run");
        let run = place.run(&out);
        for (round, name) in signals.iter().enumerate() {
            let mut child = place.start(&out, device);
            let deadline = Instant::now() + Duration::from_secs(60);
            while epochs(&run) < 3 + 5 * round {
                assert!(Instant::now() < deadline, "no epoch in a minute");
                sleep(Duration::from_millis(2));
            }
            signal(&child, name);
            assert_eq!(child.wait().expect("it ends").code(), Some(130), "{device} {name}");
            let summary = json(&run.join("summary.json"));
            assert_eq!(summary["stop_reason"], "interrupted");
            assert!(run.join("report.html").exists());
            succeed(place.folder.path(), &["evaluate", &out, "--device", "cpu"]);
        }
        assert_same(&whole, &place.finish(&out, device));
    }
}
