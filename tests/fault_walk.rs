//! A training whose n-th write, sync, rename, create or remove fails, for every n: it ends with a clear
//! word or goes on with a warning, what it leaves can be read, and it goes on to the same bytes as one
//! that nothing happened to. The same where it is killed there, or the power is lost.
//!
//! All n of a full disk are walked, and of the rest every few; of all of them with `WGFIT_TEST_FAULTS=all`.

#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{command, json, root};
use serde_json::Value;
use wgfit::Model;
use wgfit::report::checkpoints::find;

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
    matches!(kind, "kill" | "kill_halfway" | "power_loss")
}

struct Walk {
    folder: tempfile::TempDir,
    config: String,
    /// The run that nothing happened to.
    whole: PathBuf,
}

impl Walk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = root().join("configs/iris.json").display().to_string();
        let whole = folder.path().join("whole");
        let walk = Self { folder, config, whole };
        let output = walk.train("whole", &[]);
        assert!(output.status.success(), "{}", said(&output));
        walk
    }

    fn run(&self, out: &str) -> PathBuf {
        self.folder.path().join(out)
    }

    fn arguments<'a>(&'a self, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let device: &[&str] = if more.contains(&"--device") { &[] } else { &["--device", "cpu"] };
        let begin = ["train", &self.config, "--no-tune", "--out", out];
        [&begin[..], device, &SETTINGS, more].concat()
    }

    /// Without a cache, so that every run does the same.
    fn train(&self, out: &str, more: &[&str]) -> Output {
        let arguments = self.arguments(out, more);
        command(self.folder.path(), &arguments, Path::new("")).output().expect("the binary runs")
    }

    /// Trains with the n-th operation failing, `before` each in a folder that it has prepared, and
    /// resumes; until nothing fails any more. Returns how many operations there are.
    fn walk(&self, kind: &str, stride: usize, more: &[&str], before: &dyn Fn(&Path)) -> usize {
        let all = std::env::var("WGFIT_TEST_FAULTS").is_ok_and(|value| value == "all");
        let stride = if all { 1 } else { stride };
        let mut spared = BTreeSet::new();
        for n in (1..MOST).step_by(stride) {
            let out = format!("{kind}-{n}");
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

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How a run ended: killed, or by a warning or an error that says which file and what to do. Returns
/// those of the files that it did without.
fn check_ending(output: &Output, kind: &str, name: &str) -> Vec<&'static str> {
    let text = said(output);
    assert!(!text.contains("panicked"), "{name}");
    if kills(kind) {
        assert_eq!(output.status.code(), None, "{name}");
        return Vec::new();
    }
    let lines = |begin: &str| -> Vec<&str> {
        let ours = text.lines().filter(|line| !line.contains("fails on purpose"));
        ours.filter(|line| line.starts_with(begin)).collect()
    };
    let (warnings, errors) = (lines("warning: "), lines("error: "));
    let why = if kind == "eio" { "Input/output error" } else { "No space left on device" };
    for line in warnings.iter().chain(&errors) {
        assert!(line.contains(why), "{name}");
    }
    let named = |line: &str| SPARED.into_iter().find(|file| line.contains(file));
    match output.status.code() {
        Some(0) => {
            assert!(errors.is_empty() && !warnings.is_empty(), "{name}");
            let at_most = if kind == "full" { SPARED.len() + 3 } else { 1 };
            assert!(warnings.len() <= at_most, "{name}");
        }
        Some(1) => {
            assert_eq!(errors.len(), 1, "{name}");
            // Before the first step nothing is lost, and so nothing is spared.
            let has_begun = text.contains("at most 3 epochs of");
            assert!(named(errors[0]).is_none() || !has_begun, "{name}");
            assert!(text.contains("\n  help: free space") || kind == "eio", "{name}");
            assert!(text.contains("the same command"), "{name}");
        }
        code => panic!("{code:?}: {name}"),
    }
    let known = |line: &&str| named(line).unwrap_or_else(|| panic!("{line}: {name}"));
    warnings.iter().map(known).collect()
}

/// Whatever is there can be read.
fn check_files(run: &Path, killed: bool, name: &str) {
    for file in ["config.json", "summary.json", "analysis.json"] {
        if run.join(file).exists() {
            json(&run.join(file));
        }
    }
    for log in ["metrics.jsonl", "observations.jsonl"] {
        let text = fs::read_to_string(run.join(log)).unwrap_or_default();
        let (lines, rest) = text.rsplit_once('\n').unwrap_or(("", &text));
        assert!(rest.is_empty() || killed, "{log} has half a line: {name}");
        for line in lines.lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{log}: {e}: {name}"));
        }
    }
    let model = run.join("model.safetensors");
    if model.exists() {
        Model::load(&model).unwrap_or_else(|error| panic!("{error}: {name}"));
    }
    let page = run.join("report.html");
    let page = page.exists().then(|| fs::read_to_string(page).expect("a page"));
    assert!(page.is_none_or(|page| page.trim_end().ends_with("</html>")), "{name}");
    for file in files(run).iter().filter(|file| file.contains("events.out")) {
        check_events(&fs::read(run.join(file)).expect("events"), killed, name);
    }
    let damaged = find(run).damaged;
    assert!(damaged.is_empty(), "{damaged:?}: {name}");
    assert!(killed || !files(run).iter().any(|file| file.ends_with(".tmp")), "{name}");
}

/// At most one epoch is lost.
fn check_newest(run: &Path, name: &str) {
    let newest = find(run).newest.map_or(0, |newest| newest.checkpoint.state.epoch);
    // The last one may have failed.
    assert!(newest + 1 >= epochs(run), "the last checkpoint is {newest}: {name}");
}

fn epochs(run: &Path) -> usize {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    text.lines().filter(|line| line.contains(r#""kind":"epoch""#)).count()
}

/// Names in a run's folder and its folder of checkpoints.
fn files(run: &Path) -> Vec<String> {
    let of = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    [of(run), of(&run.join("checkpoint"))].concat()
}

/// Records of a length, its checksum, so many bytes, their checksum.
fn check_events(mut bytes: &[u8], killed: bool, name: &str) {
    let masked = |bytes: &[u8]| crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8);
    let mut record = || -> Option<bool> {
        let (length, rest) = bytes.split_at_checked(8)?;
        let (sum, rest) = rest.split_at_checked(4)?;
        let count = u64::from_le_bytes(length.try_into().ok()?);
        let (data, rest) = rest.split_at_checked(usize::try_from(count).ok()?)?;
        let (data_sum, rest) = rest.split_at_checked(4)?;
        bytes = rest;
        Some(sum == masked(length).to_le_bytes() && data_sum == masked(data).to_le_bytes())
    };
    while let Some(is_right) = record() {
        assert!(is_right, "an event is damaged: {name}");
    }
    assert!(bytes.is_empty() || killed, "half an event: {name}");
}

/// A log of JSON lines without times.
fn timeless(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let parse = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("a line is JSON");
        for key in ["seconds", "samples_per_second"] {
            line.as_object_mut().expect("an object").remove(key);
        }
        line
    };
    text.lines().map(parse).collect()
}

fn assert_same(whole: &Path, run: &Path, has_all_looks: bool, name: &str) {
    check_files(run, false, name);
    check_newest(run, name);
    let model = |run: &Path| fs::read(run.join("model.safetensors")).expect("a model");
    assert!(model(whole) == model(run), "the model differs: {name}");
    let log = |run: &Path, log: &str| timeless(&run.join(log));
    assert_eq!(log(whole, "metrics.jsonl"), log(run, "metrics.jsonl"), "{name}");
    let looks = log(whole, "observations.jsonl");
    if has_all_looks {
        assert_eq!(looks, log(run, "observations.jsonl"), "{name}");
    } else if run.join("observations.jsonl").exists() {
        assert!(log(run, "observations.jsonl").iter().all(|look| looks.contains(look)), "{name}");
    }
    let ended = |run: &Path| {
        let summary = json(&run.join("summary.json"));
        ["train", "validation", "test", "best_epoch", "epochs", "stop_reason"]
            .map(|key| summary[key].clone())
    };
    assert_eq!(ended(whole), ended(run), "{name}");
    for file in ["config.json", "analysis.json", "report.html"] {
        assert!(run.join(file).exists(), "{file}: {name}");
    }
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
    Walk::new().walk("power_loss", 3, &[], &nothing);
}

/// Two epochs are there, to which a third is added.
#[test]
fn a_run_that_goes_on() {
    let walk = Walk::new();
    let output = walk.train("two", &["training.epochs=2"]);
    assert!(output.status.success(), "{}", said(&output));
    let copy = |run: &Path| {
        let status = Command::new("cp").arg("-a").arg(walk.run("two")).arg(run).status();
        assert!(status.expect("cp runs").success());
    };
    for (kind, stride) in [("enospc", 4), ("kill_halfway", 4), ("power_loss", 7)] {
        walk.walk(kind, stride, &["--resume"], &copy);
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
