//! A training whose n-th write, sync, rename, create or remove fails, for every n: it ends with a clear
//! word or goes on with a warning, what it leaves can be read, and it goes on to the same bytes as one
//! that nothing happened to. The same where it is killed there, or the power is lost; of a sweep; and where
//! its device fails.
//!
//! All n of a full disk are walked, and of the rest every few; of all of them with `WGFIT_TEST_FAULTS=all`.

#![cfg(unix)]

mod checks;
#[path = "../common/mod.rs"]
mod common;
mod devices;
mod sweeps;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use checks::{assert_same, check_ending, check_files, check_newest, check_told, said};
use common::{command, root};

/// Operations are far fewer.
const MOST: usize = 1000;

/// Files that a run does without, with a warning.
const SPARED: [&str; 5] =
    ["/checkpoint", "observations.jsonl", "events.out.tfevents.", "analysis.json", "report.html"];

/// Members, steps on record, looks inside, events, a checkpoint after every epoch.
const SETTINGS: [&str; 7] = [
    "training.epochs=3",
    "training.batch_size=40",
    r#"model.layers=[{"units":3,"dropout":0.1}]"#,
    "members=2",
    "log.every_steps=2",
    "checkpoint.every_seconds=0",
    "early_stopping.patience=9",
];

/// What a fault kills.
fn kills(kind: &str) -> bool {
    matches!(kind, "kill" | "kill_halfway" | "power_loss" | "name_loss")
}

struct Walk {
    folder: tempfile::TempDir,
    config: String,
    device: &'static str,
    /// Empty where there is none, so that every run does the same.
    cache: PathBuf,
    /// The run that nothing happened to.
    whole: PathBuf,
}

impl Walk {
    fn new() -> Self {
        Self::on("cpu", |_| PathBuf::new())
    }

    fn on(device: &'static str, cache: impl FnOnce(&Path) -> PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = root().join("configs/iris.json").display().to_string();
        let whole = folder.path().join("whole");
        let cache = cache(folder.path());
        let walk = Self { folder, config, device, cache, whole };
        let output = walk.train("whole", &[]);
        assert!(output.status.success(), "{}", said(&output));
        walk
    }

    fn run(&self, out: &str) -> PathBuf {
        self.folder.path().join(out)
    }

    fn arguments<'a>(&'a self, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let begin = ["train", &self.config, "--no-tune", "--device", self.device, "--out", out];
        [&begin[..], &SETTINGS, more].concat()
    }

    fn train(&self, out: &str, more: &[&str]) -> Output {
        let arguments = self.arguments(out, more);
        command(self.folder.path(), &arguments, &self.cache).output().expect("the binary runs")
    }

    /// Trains with the n-th operation failing, `before` each in a folder that it has prepared, and
    /// resumes; until nothing fails any more. Returns how many operations there are.
    fn walk(&self, kind: &str, stride: usize, more: &[&str], before: &dyn Fn(&Path)) -> usize {
        let all = std::env::var("WGFIT_TEST_FAULTS").is_ok_and(|value| value == "all");
        let stride = if all { 1 } else { stride };
        let mut spared = BTreeSet::new();
        for n in (1..MOST).step_by(stride) {
            // Where folders above it are made with it, their names may be lost too.
            let is_deep = kind == "name_loss" && more.is_empty();
            let out = format!("{kind}-{n}{}", if is_deep { "/of/run" } else { "" });
            let run = self.run(&out);
            before(&run);
            let fault = format!("{n}:{kind}");
            let output = self.train(&out, &[more, &["--fail-operation", &fault]].concat());
            let name = format!("{fault}\n{}", said(&output));
            if !said(&output).contains("fails on purpose") {
                assert!(output.status.success(), "{name}");
                assert_same(&self.whole, &run, true, &name);
                if stride == 1 && more.is_empty() && !kills(kind) && kind != "full" {
                    assert_eq!(spared, SPARED.into(), "{kind}: what was met on the way");
                }
                return n;
            }
            spared.extend(check_ending(&output, kind, &name));
            check_files(&run, kills(kind), &name);
            check_newest(&run, &name);
            check_told(&run, &said(&output), &name);
            let resumed = self.train(&out, &["--resume"]);
            let name = format!("{name}resumed: {}", said(&resumed));
            assert!(resumed.status.success(), "{name}");
            let has_all_looks = !said(&output).contains("observations.jsonl");
            assert_same(&self.whole, &run, has_all_looks, &name);
            fs::remove_dir_all(&run).expect("the run");
        }
        panic!("{kind}: more than {MOST} operations")
    }
}

/// Copies a folder to where there is none.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(status.expect("cp runs").success());
}

/// Nothing is there yet.
fn nothing(_: &Path) {}

#[test]
fn a_full_disk() {
    let walk = Walk::new();
    let operations = walk.walk("enospc", 1, &[], &nothing) - 1;
    eprintln!("{operations} operations");
    assert!(operations > 80, "{operations}");
    walk.walk("full", 7, &[], &nothing);
}

#[test]
fn a_broken_disk() {
    Walk::new().walk("eio", 5, &[], &nothing);
}

#[test]
fn an_end_at_any_operation() {
    let walk = Walk::new();
    walk.walk("kill", 5, &[], &nothing);
    walk.walk("kill_halfway", 3, &[], &nothing);
}

#[test]
fn a_loss_of_power() {
    let walk = Walk::new();
    walk.walk("power_loss", 3, &[], &nothing);
    walk.walk("name_loss", 3, &[], &nothing);
}

/// Two epochs are there, to which a third is added.
#[test]
fn a_run_that_goes_on() {
    let walk = Walk::new();
    let output = walk.train("two", &["training.epochs=2"]);
    assert!(output.status.success(), "{}", said(&output));
    let copied = |run: &Path| copy(&walk.run("two"), run);
    for (kind, stride) in [("enospc", 4), ("kill_halfway", 4), ("power_loss", 7), ("name_loss", 5)]
    {
        walk.walk(kind, stride, &["--resume"], &copied);
    }
}

impl Walk {
    /// Trains by a shell's script, which gets the binary and its arguments.
    fn train_by(&self, script: &str, out: &str) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_wgfit")]).args(self.arguments(out, &[]));
        let command = command.current_dir(self.folder.path()).env("WGFIT_CACHE", "");
        command.output().expect("sh runs")
    }

    /// What is left of a run that had too little room is whole, and goes on where it has more. Returns
    /// whether anything failed for want of it.
    fn check_without_room(&self, out: &str, output: &Output, why: &str, help: &str) -> bool {
        let (run, text) = (self.run(out), said(output));
        let name = format!("{out}\n{text}");
        assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}: {name}", output.status);
        assert!(!text.contains("panicked"), "{name}");
        let fails = text.contains(why);
        assert!(fails || output.status.success() && !text.contains("warning: "), "{name}");
        assert!(output.status.success() || text.contains(help), "{name}");
        check_files(&run, false, &name);
        let has_checkpoints = !text.contains("/checkpoint");
        if has_checkpoints {
            check_newest(&run, &name);
        }
        // Where every checkpoint was too large, there is nothing to go on from.
        let is_done = run.join("model.safetensors").exists() && !has_checkpoints;
        let resumed = self.train(out, &[if is_done { "--overwrite" } else { "--resume" }]);
        assert!(resumed.status.success(), "{name}resumed: {}", said(&resumed));
        assert_same(&self.whole, &run, is_done || !text.contains("observations.jsonl"), &name);
        fails
    }
}

/// The signal that comes with the limit is ignored, so that a write says what is wrong.
#[test]
fn files_that_may_not_grow() {
    let walk = Walk::new();
    // A block is 512 bytes, or 1024.
    let fails = [0, 1, 4, 16, 64, 256, 1 << 20].map(|blocks| {
        let out = format!("limited-{blocks}");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let output = walk.train_by(&script, &out);
        walk.check_without_room(&out, &output, "File too large", "help: raise the limit")
    });
    assert!(fails[..5].iter().all(|fails| *fails) && !fails[6], "{fails:?}");
}

/// A file system of a few pages, in a name space of its own, so that no mount stays behind. Where none
/// may be mounted, the limit above and the walk of `full` stand for it, which need no rights.
#[test]
#[cfg(target_os = "linux")]
fn a_file_system_that_is_full() {
    let walk = Walk::new();
    let mount = "mount -t tmpfs -o size=";
    let may = Command::new("unshare")
        .args(["-rm", "sh", "-c", &format!("{mount}16k full \"$0\"")])
        .arg(walk.folder.path())
        .output();
    if !may.as_ref().is_ok_and(|tried| tried.status.success()) {
        eprintln!("SKIPPED: no tmpfs may be mounted here ({may:?}); a_full_disk stands for it");
        return;
    }
    let mut fails = Vec::new();
    // Steps of a page where the run's files are begun, then larger ones.
    for kib in [4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 192, 256, 1 << 14] {
        let out = format!("full-{kib}");
        let (run, small) = (walk.run(&out), walk.run(&format!("small-{kib}")));
        fs::create_dir(&small).expect("a folder");
        fs::create_dir(&run).expect("a folder");
        // The file system is gone with the shell: what it held is copied.
        let script = format!(
            "exec unshare -rm sh -c '{mount}{kib}k full {small} && cd {small} && \"$0\" \"$@\"; \
             code=$?; cp -a {small}/{out}/. {run}; exit $code' \"$0\" \"$@\"",
            small = small.display(),
            run = run.display()
        );
        let output = walk.train_by(&script, &out);
        let why = "No space left on device";
        fails.push(walk.check_without_room(&out, &output, why, "help: free space"));
    }
    assert!(fails[0] && fails[4] && fails.last() == Some(&false), "{fails:?}");
}

/// Its log on a full disk is no reason to end a run.
#[test]
fn a_log_that_cannot_be_written() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(stderr) = full() else {
        eprintln!("SKIPPED: there is no /dev/full on this system");
        return;
    };
    let walk = Walk::new();
    let arguments = walk.arguments("run", &[]);
    let mut run = command(walk.folder.path(), &arguments, Path::new(""));
    let status = run.stderr(stderr).stdout(Stdio::null()).status().expect("it runs");
    assert!(status.success(), "{status:?}");
    assert_same(&walk.whole, &walk.run("run"), true, "stderr is full");
    let arguments = walk.arguments("other", &[]);
    let mut run = command(walk.folder.path(), &arguments, Path::new(""));
    let stdout = full().expect("/dev/full");
    let output = run.stderr(Stdio::piped()).stdout(stdout).spawn().expect("it runs");
    let output = output.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("cannot write stdout"), "{}", said(&output));
    assert_same(&walk.whole, &walk.run("other"), true, "stdout is full");
}

/// A folder that cannot be made: below a file, which refuses root as well; and one that must not be
/// written to, which does not.
#[test]
fn a_folder_that_takes_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let walk = Walk::new();
    fs::write(walk.run("file"), "").expect("a file");
    let output = walk.train("file/run", &[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("file/run: cannot create it: Not a directory"), "{text}");
    assert!(text.contains("help: name another folder with --out"), "{text}");

    let closed = walk.run("closed");
    fs::create_dir(&closed).expect("a folder");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("closed");
    if fs::write(closed.join("try"), "").is_ok() {
        eprintln!("SKIPPED in part: this user (root?) may write into folders of mode 555");
        return;
    }
    for (out, more) in [("closed", &[][..]), ("closed", &["--resume"]), ("closed/run", &[])] {
        let output = walk.train(out, more);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{out}: {text}");
        assert!(text.contains("Permission denied"), "{out}: {text}");
        assert!(text.contains("help: let this user write there"), "{out}: {text}");
    }
}

/// The temporary file of rows that are streamed: nothing has begun, and no file stays behind.
#[test]
fn rows_that_cannot_be_streamed() {
    let walk = Walk::new();
    let spill = walk.run("spill");
    let folder = format!("data.streaming_folder={}", spill.display());
    let streamed = ["data.streaming=true", "data.chunk_rows=9", &folder];
    let mut n = 1;
    loop {
        let fault = format!("{n}:enospc");
        let output = walk.train("run", &[&streamed[..], &["--fail-operation", &fault]].concat());
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{n}: {text}");
        if text.contains("run: cannot create it") {
            break;
        }
        assert!(text.contains("data.streaming_folder"), "{n}: {text}");
        assert!(!walk.run("run").exists(), "{n}: {text}");
        assert!(n < 3 || fs::read_dir(&spill).expect("a folder").count() == 0, "{n}");
        let _ = fs::remove_dir(&spill);
        n += 1;
    }
    // The folder, its name, and a file for each of three sets, created and written.
    assert!(n > 8, "{n}");
}
