//! Golden trajectories of the whole catalogue: every optimizer, loss, normalisation, clipping and
//! average, in both conventions, against what real PyTorch and Keras printed in f64
//! (golden/catalogue.py). The f64 twins follow them to 1e-9, every device to 2e-3.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{json, number, relative, root};
use serde_json::{Value, json};
use wgfit::backend::Backend;
use wgfit::backend::cpu::CpuBackend;
use wgfit::backend::gpu::{GpuBackend, GpuOptions, adapters};
use wgfit::backend::reference::Reference;
use wgfit::catalog::loss::{LOSSES, LossSettings};
use wgfit::catalog::normalization::NORMALIZATIONS;
use wgfit::catalog::optimizer::{Convention, OPTIMIZERS};
use wgfit::config::Config;
use wgfit::train::{Observer, Outcome, StepRecord, fit};
use wgfit::{Result, data};

fn golden() -> std::path::PathBuf {
    root().join("tests/golden")
}

fn cases() -> Vec<Value> {
    let file = json(&golden().join("catalogue.json"));
    file["cases"].as_array().expect("cases").clone()
}

fn config_of(case: &Value) -> Value {
    let mut config = case["config"].clone();
    let mut columns = serde_json::Map::new();
    let named =
        |name: &str| case["target"].as_array().is_some_and(|all| all.contains(&name.into()));
    for name in
        ["label", "flag", "y", "y0", "y1", "count", "p0", "p1", "p2", "p3", "l0", "l1", "l2", "w"]
    {
        // The older files hold nothing but inputs and targets.
        if !named(name) && case.get("data").is_none() {
            columns.insert(name.to_owned(), json!({ "type": "ignore" }));
        }
    }
    let mut data = json!({
        "train": golden().join(case["data"].as_str().unwrap_or("catalogue.csv")),
        "target": case["target"],
        "task": case["task"],
        "validation": 0,
        "scaling": "none",
        "target_scaling": "none",
        "shuffle": false,
        "columns": columns,
    });
    if let Some(given) = config["data"].as_object() {
        for (key, value) in given {
            if key == "columns" {
                for (column, value) in value.as_object().expect("columns") {
                    data["columns"][column] = value.clone();
                }
            } else {
                data[key] = value.clone();
            }
        }
    }
    config["data"] = data;
    config["model"]["init_from"] = json!(golden().join(case["weights"].as_str().expect("a file")));
    config["log"] = json!({ "every_steps": 1 });
    config["metrics"] = json!([]);
    config
}

#[derive(Default)]
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.0.push(record.loss[0]);
        Ok(())
    }
}

/// The cases of trajectories.json that PyTorch printed. (Keras ran on jax there, which rounds to f32.)
fn older_cases() -> Vec<Value> {
    let file = json(&golden().join("trajectories.json"));
    let all = file["cases"].as_array().expect("cases").iter();
    all.filter(|case| case["convention"] == "torch").cloned().collect()
}

/// Trains a case; the loss of each step, and the outcome.
fn trained(case: &Value, backend: &dyn Backend) -> Result<(Vec<f64>, Outcome)> {
    let text = config_of(case).to_string();
    let settings = Config::parse(&text, "golden.json", &[])?.validate(Path::new("/"))?;
    let dataset = data::load(&settings.data)?;
    let task = settings.fit_task(dataset.preprocessing.task())?;
    let mut losses = Losses::default();
    let outcome = fit(&settings, &task, dataset, backend, &mut losses)?;
    Ok((losses.0, outcome))
}

/// What of the cases parts from the library by more than `tolerance`.
fn faults(cases: &[Value], backend: &dyn Backend, tolerance: f64) -> Vec<String> {
    let mut faults = Vec::new();
    let mut worst_of_all = 0.0_f64;
    for case in cases {
        let name = case["name"].as_str().expect("a name").to_owned();
        let losses = case.get("losses").unwrap_or(&case["losses_f64"]);
        let expected: Vec<f64> = losses.as_array().expect("losses").iter().map(number).collect();
        let (losses, outcome) = match trained(case, backend) {
            Ok(found) => found,
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                continue;
            }
        };
        assert_eq!(losses.len(), expected.len(), "{name}: number of steps");
        // A loss near 0 is a difference of numbers near 1.
        let scale = expected.iter().fold(0.0_f64, |most, loss| most.max(loss.abs())) * 0.1;
        let apart = |a: f64, b: f64| {
            let distance = (a - b).abs() / b.abs().max(scale);
            if distance.is_nan() { f64::INFINITY } else { distance }
        };
        let (step, mut worst) = losses
            .iter()
            .zip(&expected)
            .map(|(a, b)| apart(*a, *b))
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .expect("steps");
        if worst > tolerance {
            faults.push(format!(
                "{name}: step {} is {}, expected {} ({worst:.1e})",
                step + 1,
                losses[step],
                expected[step]
            ));
        }
        if let Some(wanted) = case.get("final_loss").map(number) {
            let found = outcome.scores[0].1[0].loss;
            worst = worst.max(apart(found, wanted));
            if apart(found, wanted) > tolerance {
                let by = apart(found, wanted);
                faults.push(format!("{name}: ends at {found}, expected {wanted} ({by:.1e})"));
            }
        }
        worst_of_all = worst_of_all.max(worst);
    }
    eprintln!("{}: worst within {worst_of_all:.1e}", backend.device().name);
    faults
}

fn hold(cases: &[Value], backend: &dyn Backend, tolerance: f64) {
    let faults = faults(cases, backend, tolerance);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_f64_twins_follow_to_nine_digits() {
    let all = [cases(), older_cases()].concat();
    assert!(all.len() >= 190, "only {}", all.len());
    hold(&all, &Reference::<f64>::new(), 1e-9);
}

#[test]
fn the_cpu_follows() {
    hold(&cases(), &CpuBackend::with_threads(1).expect("a thread"), 2e-3);
}

#[test]
fn a_gpu_follows() {
    let adapters = adapters();
    let adapter = adapters
        .first()
        .expect("no GPU adapter, not even a software one: apt-get install mesa-vulkan-drivers");
    let gpu = GpuBackend::new(adapter, GpuOptions::default()).expect("an adapter");
    hold(&cases(), &gpu, 2e-3);
}

/// Single rows, extreme ones among them, against PyTorch in f64.
#[test]
fn losses_of_single_rows_agree() {
    let file = json(&golden().join("losses.json"));
    let mut checked = 0;
    for table in file["losses"].as_array().expect("losses") {
        let name = table["name"].as_str().expect("a name");
        let row = wgfit::catalog::loss::find(name).unwrap_or_else(|| panic!("no loss {name}"));
        let values = LossSettings::new(row, Convention::Torch).values;
        for example in table["rows"].as_array().expect("rows") {
            let all = |key: &str| -> Vec<f64> {
                example[key].as_array().expect("numbers").iter().map(number).collect()
            };
            let (outputs, targets) = (all("outputs"), all("targets"));
            let mut gradient = vec![0.0; outputs.len()];
            let value = (row.double)(&outputs, &targets, &mut gradient, values);
            let wanted = std::iter::once(number(&example["value"])).chain(all("gradient"));
            for (found, wanted) in std::iter::once(value).chain(gradient).zip(wanted) {
                let apart = (found - wanted).abs();
                // PyTorch takes differences of numbers up to 1 itself.
                assert!(apart <= 1e-14 * wanted.abs() + 1e-15, "{name} {example}: {found}");
                checked += 1;
            }
        }
    }
    assert!(checked > 200, "only {checked}");
}

/// A row without a golden case is seen here.
#[test]
fn every_optimizer_loss_and_normalization_has_a_case_in_each_convention() {
    let trajectories = json(&golden().join("trajectories.json"));
    let mut seen = BTreeSet::new();
    for case in cases().iter().chain(trajectories["cases"].as_array().expect("cases")) {
        let config = &case["config"];
        let convention = config["optimizer"]["convention"].as_str().expect("a convention");
        let mut note = |given: &Value| {
            let name = given.as_str().or_else(|| given["name"].as_str()).unwrap_or_default();
            seen.insert((name.to_owned(), convention.to_owned()));
        };
        note(&config["optimizer"]);
        note(&config["loss"]);
        config["model"]["layers"].as_array().expect("layers").iter().for_each(|layer| {
            note(&layer["norm"]);
        });
    }
    let both = OPTIMIZERS.iter().map(|row| row.name);
    for name in both.chain(NORMALIZATIONS.iter().map(|row| row.name)) {
        for convention in ["torch", "keras"] {
            // PyTorch has no Lion.
            let exists = (name, convention) != ("lion", "torch");
            let found = seen.contains(&(name.to_owned(), convention.to_owned()));
            assert_eq!(found, exists, "{name} in the {convention} convention");
        }
    }
    for row in &LOSSES {
        assert!(seen.iter().any(|(name, _)| name == row.name), "{}", row.name);
    }
    assert!(
        cases().iter().all(|case| case["losses"].as_array().is_some_and(|all| all.len() >= 22))
    );
    assert!(relative(1.0, 1.0 + 1e-12) < 1e-9);
}
