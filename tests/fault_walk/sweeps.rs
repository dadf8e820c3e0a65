//! A sweep whose n-th operation on the disk fails, or at which it is killed or loses power: it goes on to
//! the same table, from a folder that was empty and from one left in the second of two groups.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::json as object;

use crate::checks::said;
use crate::common::{command, json, root};
use crate::{MOST, copy, kills};

/// What a sweep that has ended is made of.
const RESULTS: [&str; 6] = [
    "results.csv",
    "trials.jsonl",
    "epochs.jsonl",
    "best.safetensors",
    "best.json",
    "starts.jsonl",
];

struct Walk {
    folder: tempfile::TempDir,
    sweep: String,
}

impl Walk {
    /// Two groups of three trials, two at once; halving leaves two of the six after two epochs.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = object!({
            "seed": 1,
            "data": {
                "train": root().join("configs/data/iris.csv"),
                "target": "species",
                "validation": 0.2,
                "test": 0.2
            },
            "model": { "layers": [{ "units": 3, "dropout": 0.1 }] },
            "training": { "epochs": 3, "batch_size": 40 },
            "checkpoint": { "every_seconds": 0 }
        });
        let sweep = object!({
            "config": base,
            "space": {
                "model.layers.0.units": [3, 4],
                "optimizer.learning_rate": [0.01, 0.03, 0.1]
            },
            "scheduler": { "name": "successive_halving", "min_epochs": 2, "reduction": 3 },
            "lanes": 2
        });
        let path = folder.path().join("sweep.json");
        fs::write(&path, sweep.to_string()).expect("a file");
        let walk = Self { folder, sweep: path.display().to_string() };
        let output = walk.run("whole", &[]);
        assert!(output.status.success(), "{}", said(&output));
        walk
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, out: &str, more: &[&str]) -> Output {
        let arguments = ["sweep", &self.sweep, "--device", "cpu", "--out", out, "--resume"];
        let arguments = [&arguments[..], more].concat();
        command(self.folder.path(), &arguments, Path::new("")).output().expect("the binary runs")
    }

    fn fail(&self, out: &str, n: usize, kind: &str) -> Output {
        self.run(out, &["--fail-operation", &format!("{n}:{kind}")])
    }

    fn assert_same(&self, out: &str, said: &str) {
        for file in RESULTS {
            let read = |of: &str| fs::read(self.out(of).join(file)).expect("a file");
            assert!(read("whole") == read(out), "{file} is another: {said}");
        }
        let names = |of: &str| -> BTreeSet<String> {
            let entries = fs::read_dir(self.out(of)).expect("a folder").flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names("whole"), names(out), "{said}");
    }

    /// Returns how many operations there are.
    fn walk(&self, kind: &str, stride: usize, from: Option<&str>) -> usize {
        let all = std::env::var("WGFIT_TEST_FAULTS").is_ok_and(|value| value == "all");
        for n in (1..MOST).step_by(if all { 1 } else { stride }) {
            let out = format!("{kind}-{n}");
            if let Some(from) = from {
                copy(&self.out(from), &self.out(&out));
            }
            let output = self.fail(&out, n, kind);
            let mut text = format!("{n}:{kind} from {from:?}\n{}", said(&output));
            if !text.contains("fails on purpose") {
                assert!(output.status.success(), "{text}");
                self.assert_same(&out, &text);
                return n;
            }
            assert!(!text.contains("panicked"), "{text}");
            if kills(kind) {
                assert_eq!(output.status.code(), None, "{text}");
            } else if text.contains(&format!("Remove {out}/state fails")) {
                // A folder that cannot be removed may hold what is not wgfit's.
                assert!(output.status.success(), "{text}");
            } else {
                assert_eq!(output.status.code(), Some(1), "{text}");
                assert_eq!(text.matches("error: ").count(), 1, "{text}");
                assert!(text.contains("\n  help: free space"), "{text}");
            }
            let resumed = self.run(&out, &[]);
            text.push_str(&format!("resumed: {}", said(&resumed)));
            assert!(resumed.status.success(), "{text}");
            self.assert_same(&out, &text);
            fs::remove_dir_all(self.out(&out)).expect("the sweep");
        }
        panic!("{kind}: more than {MOST} operations")
    }

    /// A sweep that was killed where its second group has a state.
    fn left_in_the_second_group(&self) -> &'static str {
        let groups: Vec<_> = fs::read_to_string(self.out("whole/trials.jsonl"))
            .expect("records")
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a record"))
            .map(|record| (record["trial"].clone(), record["group"] == 1))
            .collect();
        for n in 1..MOST {
            let output = self.fail("left", n, "kill");
            assert_eq!(output.status.code(), None, "no state of it was met: {}", said(&output));
            let progress = self.out("left/state/progress.json");
            let place = progress.exists().then(|| json(&progress)["places"][0].clone());
            let has_begun = |place: serde_json::Value| {
                groups.contains(&(place["trial"].clone(), true)) && place["epoch"] == 1
            };
            if place.is_some_and(has_begun) {
                return "left";
            }
            // Before the first operation there is none.
            let _ = fs::remove_dir_all(self.out("left"));
        }
        panic!("more than {MOST} operations")
    }
}

#[test]
fn a_sweep_on_a_full_disk() {
    let operations = Walk::new().walk("enospc", 9, None) - 1;
    eprintln!("{operations} operations");
    assert!(operations > 100, "{operations}");
}

#[test]
fn a_sweep_that_ends_at_any_operation() {
    let walk = Walk::new();
    walk.walk("kill_halfway", 13, None);
    walk.walk("power_loss", 13, None);
    walk.walk("name_loss", 11, None);
}

/// What was trained of the second group stays known while the first has nothing left to train.
#[test]
fn a_sweep_that_was_left_in_its_second_group() {
    let walk = Walk::new();
    let left = walk.left_in_the_second_group();
    walk.walk("kill", 5, Some(left));
    walk.walk("enospc", 21, Some(left));
}
