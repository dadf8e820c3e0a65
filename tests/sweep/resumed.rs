//! What is killed, or loses its device, goes on to the same table; what was changed meanwhile is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json as object};

use crate::common::{command, devices, json, succeed, wgfit};
use crate::{base, schedulers, searching, write};

/// Killed at ten moments, resumed each time: the same table and records as without, whatever stops trials,
/// in memory and streamed.
#[test]
#[cfg(unix)]
fn a_sweep_that_is_killed_goes_on_to_the_same_table() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kills: usize =
        std::env::var("WGFIT_TEST_KILLS").map_or(10, |n| n.parse().expect("a number"));
    let mut seed = 11_u64;
    let mut cases: Vec<(String, Value, bool)> =
        schedulers().into_iter().map(|(name, of)| (name.to_owned(), of, false)).collect();
    cases.push(("streamed".to_owned(), Value::Null, true));
    for (name, scheduler, streamed) in cases {
        let sweep = searching(folder.path(), &name, &scheduler, streamed);
        let whole = format!("{name}-whole");
        let begun = Instant::now();
        succeed(folder.path(), &["sweep", &sweep, "--device", "cpu", "--out", &whole, "--quiet"]);
        let took = begun.elapsed().as_millis() as u64;
        let resume = ["sweep", &sweep, "--device", "cpu", "--out", &name, "--quiet", "--resume"];
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        for _ in 0..kills / 2 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut command = command(folder.path(), &resume, &cache);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut child: Child = command.spawn().expect("the binary runs");
            sleep(Duration::from_millis(took / 8 + (seed >> 33) % (took / 2).max(1)));
            let kill = Command::new("kill").args(["-9", &child.id().to_string()]).status();
            kill.expect("kill runs");
            child.wait().expect("it has ended");
        }
        succeed(folder.path(), &resume);
        for file in ["results.csv", "trials.jsonl", "epochs.jsonl", "best.safetensors", "best.json"]
        {
            let read = |of: &str| fs::read(folder.path().join(of).join(file)).expect("a file");
            assert!(read(&whole) == read(&name), "{name}: {file} is another");
        }
    }
}

/// A device that is lost within a sweep is opened again, and the table is the same.
#[test]
fn a_sweep_whose_device_is_lost_goes_on() {
    devices();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_, asha) = schedulers()[1].clone();
    let sweep = searching(folder.path(), "lost", &asha, false);
    let run = ["sweep", &sweep, "--device", "llvmpipe", "--out"];
    succeed(folder.path(), &[&run[..], &["whole", "-q"]].concat());
    // While it is planned, and in the middle of the second group, after some states of it.
    for (out, [flag, when], goes_on) in [
        ("planned", ["--fail-operation", "2:device_lost"], "planned again, for llvmpipe"),
        ("trained", ["--plant-loss", "150"], "goes on from its last state on llvmpipe"),
    ] {
        let output = wgfit(folder.path(), &[&run[..], &[out, "-q", flag, when]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{out}: {said}");
        assert_eq!(said.matches(goes_on).count(), 1, "{out}: {said}");
        assert_eq!(said.matches("the device was lost").count(), 1, "{out}: {said}");
        for file in ["results.csv", "trials.jsonl", "epochs.jsonl", "best.safetensors"] {
            let read = |of: &str| fs::read(folder.path().join(of).join(file)).expect("a file");
            assert!(read("whole") == read(out), "{out}: {file} is another:\n{said}");
        }
    }
}

/// A state that was changed by hand is refused, whatever it says.
#[test]
#[cfg(unix)]
fn a_state_of_other_trials_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sweep = searching(folder.path(), "changed", &Value::Null, false);
    let run = ["sweep", &sweep, "--device", "cpu", "--out", "changed", "-q", "--resume"];
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let progress = folder.path().join("changed/state/progress.json");
    let mut child = command(folder.path(), &run, &cache).spawn().expect("the binary runs");
    let begun = Instant::now();
    while !progress.exists() && begun.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(1));
    }
    let kill = Command::new("kill").args(["-9", &child.id().to_string()]).status();
    kill.expect("kill runs");
    child.wait().expect("it has ended");
    let whole = json(&progress);
    let changes: [(&str, Value); 5] = [
        ("/lanes", object!([])),
        ("/places/0/trial", 9999.into()),
        ("/standing", object!("../../../etc/passwd")),
        ("/trials", 99_999_999.into()),
        ("/places", object!([])),
    ];
    for (place, value) in changes {
        let mut state = whole.clone();
        *state.pointer_mut(place).unwrap_or_else(|| panic!("no {place}")) = value;
        fs::write(&progress, state.to_string()).expect("written");
        let output = wgfit(folder.path(), &run);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{place}: {said}");
        assert!(said.contains("--overwrite") && !said.contains("panicked"), "{place}: {said}");
    }
    fs::write(&progress, whole.to_string()).expect("written");
    succeed(folder.path(), &run);
}

/// A folder that holds a sweep is kept; another sweep does not go on in it.
#[test]
fn a_folder_of_a_sweep_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = write(folder.path(), "base.json", &base());
    let of =
        |rates: Value| object!({ "config": config, "space": { "optimizer.learning_rate": rates } });
    let sweep = write(folder.path(), "sweep.json", &of(object!([0.01, 0.02])));
    let plan = succeed(folder.path(), &["sweep", &sweep, "--device", "cpu", "--dry-run"]);
    assert!(plan.contains("2 trials") && plan.contains("64-16-9-10"), "{plan}");
    assert!(!folder.path().join("runs").exists());
    let path = succeed(folder.path(), &["sweep", &sweep, "--device", "cpu", "--quiet"]);
    assert_eq!(path.trim(), "runs/sweep-1");
    let out: PathBuf = folder.path().join("runs/sweep-1");
    let before = fs::read(out.join("results.csv")).expect("results");
    let again =
        wgfit(folder.path(), &["sweep", &sweep, "--device", "cpu", "--out", "runs/sweep-1"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("already holds a sweep"));
    succeed(folder.path(), &["sweep", &sweep, "--device", "cpu", "--resume", "--quiet"]);
    assert!(fs::read(out.join("results.csv")).expect("results") == before);
    let other = write(folder.path(), "other.json", &of(object!([0.01, 0.03])));
    let mut state = json(&out.join("sweep.json"));
    state["data"] = object!(["x"]);
    let resumed = wgfit(folder.path(), &["train", &config, "--out", "runs/sweep-1"]);
    assert_eq!(resumed.status.code(), Some(2), "a run does not write into a sweep's folder");
    fs::remove_file(out.join("summary.json")).expect("removed");
    let resumed = wgfit(
        folder.path(),
        &["sweep", &other, "--device", "cpu", "--out", "runs/sweep-1", "--resume"],
    );
    assert_eq!(resumed.status.code(), Some(2));
    let said = String::from_utf8_lossy(&resumed.stderr).into_owned();
    assert!(said.contains("begun with another") && said.contains("0.03"), "{said}");
}
