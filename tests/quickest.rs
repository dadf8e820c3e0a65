//! `auto` takes the device that is the quickest for the job: with a software adapter in the place of
//! a GPU, as if it were a real one.

mod common;

use std::fs;
use std::path::Path;

use common::root;
use wgfit::backend::gpu::GpuOptions;
use wgfit::backend::{DeviceOptions, Found, Listed, list, look_for, open_candidates};
use wgfit::config::{Config, Settings, TaskSettings};
use wgfit::data::{self, Preprocessing};
use wgfit::train::quickest::quickest;

struct Job {
    settings: Settings,
    task: TaskSettings,
    preprocessing: Preprocessing,
}

fn job(more: &[&str]) -> Job {
    let overrides: Vec<String> = more.iter().map(|text| (*text).to_owned()).collect();
    let config = Config::load(&root().join("configs/digits.json"), &overrides).expect("a config");
    let settings = config.validate(&root().join("configs")).expect("settings");
    let dataset = data::load(&settings.data).expect("data");
    let task = settings.fit_task(dataset.preprocessing.task()).expect("a task");
    Job { settings, task, preprocessing: dataset.preprocessing }
}

/// Why a device was taken, and whether it is the CPU.
fn taken(devices: &[&Listed], job: &Job, folder: &Path) -> (bool, String) {
    let candidates = open_candidates(devices, DeviceOptions::default()).expect("devices");
    let found = Found::Several(candidates);
    let Job { settings, task, preprocessing } = job;
    let chosen = quickest(found, settings, task, preprocessing, Some(folder.to_owned()));
    let chosen = chosen.expect("a device");
    (chosen.backend.device().backend == "cpu", chosen.why)
}

fn kept(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").path());
    files.collect()
}

#[test]
fn the_quicker_one_is_taken_and_the_measurement_kept() {
    let devices = list().expect("devices");
    let both: Vec<&Listed> = devices.iter().take(2).collect();
    assert!(both.len() == 2 && both[1].adapter.is_some(), "a software adapter is needed");
    let folder = tempfile::tempdir().expect("a folder");
    let small = job(&[]);
    // Eight or nine times as quick: no measurement is that far off.
    let (is_cpu, why) = taken(&both, &small, folder.path());
    assert!(is_cpu && why.starts_with("cpu: "), "{why}");
    assert!(why.contains("x ") && why.contains("samples/s, measured"), "{why}");
    assert!(!why.contains("before"), "{why}");
    assert_eq!(kept(folder.path()).len(), 1);
    let (is_cpu, again) = taken(&both, &small, folder.path());
    assert_eq!((is_cpu, again), (true, format!("{why} before")));

    // What is kept decides.
    let file = &kept(folder.path())[0];
    let text = fs::read_to_string(file).expect("the file");
    let mut measured: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    measured["samples_per_second"] = serde_json::json!([1000.0, 3100.0]);
    fs::write(file, measured.to_string()).expect("written");
    let (is_cpu, why) = taken(&both, &small, folder.path());
    assert!(!is_cpu && why.contains("auto: 3.1x the CPU's 1,000 samples/s"), "{why}");

    // A rate is no shape, a batch is one; what is damaged is measured again.
    taken(&both, &job(&["optimizer.learning_rate=0.5"]), folder.path());
    assert_eq!(kept(folder.path()).len(), 1);
    taken(&both, &job(&["training.batch_size=64"]), folder.path());
    assert_eq!(kept(folder.path()).len(), 2);
    fs::write(file, "{").expect("written");
    let (is_cpu, why) = taken(&both, &small, folder.path());
    assert!(is_cpu && !why.contains("before"), "{why}");
}

/// f16 does not run on the CPU, so what does is taken.
#[test]
fn a_device_that_cannot_run_the_job_is_not_taken() {
    let devices = list().expect("devices");
    let both: Vec<&Listed> = devices.iter().take(2).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let (is_cpu, why) = taken(&both, &job(&["training.precision=f16"]), folder.path());
    assert!(!is_cpu && why.contains("cannot run this job"), "{why}");
}

/// Software adapters are no candidates, so that here it is the CPU at once.
#[test]
fn without_a_real_gpu_nothing_is_measured() {
    let gpu = GpuOptions { tunes: true, ..GpuOptions::default() };
    let found = look_for("auto", DeviceOptions { gpu, ..DeviceOptions::default() });
    match found.expect("a device") {
        Found::One(chosen) => assert!(chosen.why.contains("there is no GPU"), "{}", chosen.why),
        Found::Several(_) => panic!("a software adapter is taken for a GPU"),
    }
}
