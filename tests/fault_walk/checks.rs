//! What is asserted of a run that met a fault.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use wgfit::Model;
use wgfit::report::checkpoints::find;

use crate::common::{json, timeless};
use crate::{SPARED, kills};

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How a run ended: killed, or by a warning or an error that says which file and what to do. Returns
/// those of the files that it did without.
pub fn check_ending(output: &Output, kind: &str, name: &str) -> Vec<&'static str> {
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
pub fn check_files(run: &Path, killed: bool, name: &str) {
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
pub fn check_newest(run: &Path, name: &str) {
    let newest = find(run).newest.map_or(0, |newest| newest.checkpoint.state.epoch);
    // The last one may have failed.
    assert!(newest + 1 >= epochs(run), "the last checkpoint is {newest}: {name}");
}

/// At most one epoch is lost of those that the terminal told of, whatever became of the folder.
pub fn check_told(run: &Path, said: &str, name: &str) {
    let newest = find(run).newest.map_or(0, |newest| newest.checkpoint.state.epoch);
    let told = said.lines().filter(|line| line.starts_with("epoch ")).count();
    assert!(newest + 1 >= told, "{told} epochs were told, the last checkpoint is {newest}: {name}");
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

pub fn assert_same(whole: &Path, run: &Path, has_all_looks: bool, name: &str) {
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
