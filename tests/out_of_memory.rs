//! A device without room for what is asked of it: it says how much that is, or does with less.

mod common;

use common::root;
use wgfit::backend::gpu::{GpuBackend, GpuOptions};
use wgfit::backend::{Backend, DeviceOptions, choose};
use wgfit::data::Columns;
use wgfit::error::{Error, Result};
use wgfit::train::{Observer, Outcome, fit};
use wgfit::{Config, Dataset};

#[derive(Default)]
struct Warnings(Vec<String>);

impl Observer for Warnings {
    fn warn(&mut self, text: &str) -> Result<()> {
        self.0.push(text.to_owned());
        Ok(())
    }
}

fn train(
    config: &Config,
    dataset: Option<Dataset>,
    backend: &dyn Backend,
) -> (Result<Outcome>, Vec<String>) {
    let settings = config.validate(&root().join("configs")).expect("settings");
    let dataset = dataset.map_or_else(|| wgfit::data::load(&settings.data), Ok);
    let dataset = dataset.expect("the data");
    let task = settings.fit_task(dataset.preprocessing.task()).expect("the task");
    let mut warnings = Warnings::default();
    let outcome = fit(&settings, &task, dataset, backend, &mut warnings);
    (outcome, warnings.0)
}

#[test]
fn what_does_not_fit_is_refused_with_its_sizes() {
    let overrides = ["model.layers.0.units=4096".to_owned()];
    let config = Config::load(&root().join("configs/iris.json"), &overrides).expect("the config");
    let options = GpuOptions { memory_limit: Some(400 << 10), ..GpuOptions::default() };
    let backend = GpuBackend::noop(options, 16).expect("wgpu has a noop backend");
    let (outcome, warnings) = train(&config, None, &backend);
    let error = outcome.expect_err("it does not fit");
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 1);
    let text = error.to_string();
    for part in [
        "has not enough memory for the buffer ",
        " together are ",
        "the largest ",
        "one may have 128 MiB",
        "smaller training.batch_size, fewer members or units, or --device cpu",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(warnings.is_empty(), "{warnings:?}");
}

/// 60,000 rows of 400 inputs are 92 MiB, and a window is 64.
#[test]
fn rows_that_do_not_fit_come_in_windows_and_change_no_bit() {
    common::devices();
    let (rows, inputs) = (60_000_u32, 400_u32);
    let value = |at: u32| f64::from(at.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
    let mut columns = Columns::new();
    for input in 0..inputs {
        let cells: Vec<f64> = (0..rows).map(|row| value(row * inputs + input)).collect();
        columns = columns.numbers(&format!("x{input}"), cells);
    }
    let targets: Vec<f64> =
        (0..rows).map(|row| value(row * inputs) - value(row * inputs + 1)).collect();
    columns = columns.numbers("y", targets);
    let text = r#"{
        "data": { "train": "memory", "target": "y", "validation": 0 },
        "model": { "layers": [{ "units": 4 }] },
        "early_stopping": null,
        "training": { "epochs": 2, "batch_size": 1000 }
    }"#;
    let config = Config::parse(text, "a config", &[]).expect("the config");
    let dataset = Dataset::of_columns(&columns, &config).expect("the data");
    drop(columns);
    let trained = |memory_limit: Option<u64>| {
        let gpu = GpuOptions { memory_limit, ..GpuOptions::default() };
        let chosen = choose("llvmpipe", DeviceOptions { gpu, ..DeviceOptions::default() });
        let backend = chosen.expect("llvmpipe: apt-get install mesa-vulkan-drivers").backend;
        train(&config, Some(dataset.clone()), backend.as_ref())
    };
    let (whole, warnings) = trained(None);
    let whole = whole.expect("it trains");
    assert!(!warnings.iter().any(|line| line.contains("memory")), "{warnings:?}");
    let (windows, warnings) = trained(Some(80 << 20));
    let windows = windows.expect("it trains");
    let told: Vec<_> = warnings.iter().filter(|line| line.contains("memory")).collect();
    assert_eq!(told.len(), 1, "{warnings:?}");
    assert!(told[0].contains("the buffer train.features of 91.6 MiB"), "{told:?}");
    assert!(told[0].ends_with("its rows come and go in windows"), "{told:?}");
    assert!(whole.parameters == windows.parameters, "the weights");
    assert_eq!(format!("{:?}", whole.scores), format!("{:?}", windows.scores));
    // With no room for windows either it is refused.
    let (refused, _) = trained(Some(8 << 20));
    assert!(matches!(refused, Err(Error::OutOfMemory { .. })), "{refused:?}");
}
