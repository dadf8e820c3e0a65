//! Compiled pipelines are kept between runs, and nothing depends on it.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use common::{command, json, number, root};

/// Trains a little on lavapipe with that folder for caches; the weights.
fn train(folder: &Path, cache: &Path, out: &str) -> Vec<u8> {
    let config = root().join("configs/iris.json");
    let config = config.to_str().expect("the path is text");
    let arguments = ["train", config, "training.epochs=2", "--device", "llvmpipe", "--out", out];
    let output = command(folder, &arguments, cache).output().expect("the binary runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    fs::read(folder.join(out).join("model.safetensors")).expect("a model")
}

/// The one file of the folder.
fn only_file(cache: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(cache)
        .expect("the folder for caches")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains("pipeline_cache"))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

fn written(file: &Path) -> SystemTime {
    fs::metadata(file).and_then(|facts| facts.modified()).expect("the file's time")
}

#[test]
fn pipelines_are_kept_and_a_damaged_file_is_made_anew() {
    common::devices();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path().join("not/yet/there");
    let first = train(folder.path(), &cache, "first");
    let file = only_file(&cache);
    let whole = fs::read(&file).expect("the file");
    let at = written(&file);
    assert!(train(folder.path(), &cache, "second") == first, "the cache changed the weights");
    assert_eq!(written(&file), at, "nothing came in, yet the file was written");
    let mut changed = whole.clone();
    *changed.last_mut().expect("a byte") ^= 1;
    let foreign = vec![7; 1000];
    for (name, damaged) in [("changed", &changed[..]), ("cut", &whole[..40]), ("foreign", &foreign)]
    {
        fs::write(&file, damaged).expect("damage");
        assert!(train(folder.path(), &cache, name) == first, "{name}: the weights changed");
        assert!(fs::read(&file).expect("the file") == whole, "{name}: it was not made anew");
    }
    let summary = json(&folder.path().join("second/summary.json"));
    let startup = number(&summary["startup_seconds"]);
    assert!(startup > 0.0 && startup < 600.0, "{startup}");
}

#[test]
fn a_folder_that_cannot_be_written_and_one_that_is_not_wanted_are_no_errors() {
    common::devices();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let blocked = folder.path().join("a_file");
    fs::write(&blocked, "not a folder").expect("a file");
    let first = train(folder.path(), &blocked, "blocked");
    assert_eq!(fs::read(&blocked).expect("the file"), b"not a folder");
    assert!(train(folder.path(), Path::new(""), "unwanted") == first);
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["a_file", "blocked", "unwanted"]);
}

#[test]
fn processes_may_share_it_at_once() {
    common::devices();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path().join("cache");
    let config = root().join("configs/iris.json");
    let config = config.to_str().expect("the path is text");
    let running: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|out| {
            let device = ["--device", "llvmpipe", "--no-tune"];
            let arguments = ["train", config, "training.epochs=2", "--out", out];
            let arguments = [&arguments[..], &device].concat();
            command(folder.path(), &arguments, &cache)
                .stderr(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .expect("the binary runs")
        })
        .collect();
    for child in running {
        let output = child.wait_with_output().expect("the binary ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let whole = fs::read(only_file(&cache)).expect("the file");
    assert_eq!(fs::read_dir(&cache).expect("the folder").count(), 1, "a file was left behind");
    train(folder.path(), &cache, "d");
    assert!(fs::read(only_file(&cache)).expect("the file") == whole, "it was not taken as whole");
}
