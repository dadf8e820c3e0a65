//! `wgfit verify`: what is right passes, what is wrong is found, named and routed around.

mod common;

use std::path::Path;
use std::process::Output;

use common::{command, devices, json, number, records, relative, root, software_drivers};
use serde_json::Value;
use wgfit::backend::Backend;
use wgfit::backend::gpu::{GpuBackend, GpuOptions, PlantedFault};
use wgfit::kernels::Kernel;
use wgfit::program::Contents;
use wgfit::verify::{Held, scenes};

/// Runs with every adapter in sight.
fn run_any(folder: &Path, cache: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments, cache).output().expect("the binary runs")
}

/// Runs with llvmpipe for the only adapter.
fn run(folder: &Path, cache: &Path, arguments: &[&str]) -> Output {
    let (name, driver) = &software_drivers()[0];
    assert_eq!(*name, "llvmpipe");
    let mut command = command(folder, arguments, cache);
    command.env("VK_ICD_FILENAMES", driver).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Trains a little; the losses of the epochs, and what was said on the way.
fn train(folder: &Path, cache: &Path, out: &str, extra: &[&str]) -> (Vec<f64>, String) {
    let config = root().join("configs/digits.json");
    let config = config.to_string_lossy();
    let mut arguments = vec!["train", &config, "training.epochs=2", "log.every_steps=0"];
    arguments.extend(["--no-tune", "--out", out]);
    arguments.extend(extra);
    let output = run(folder, cache, &arguments);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let losses = records(&folder.join(out), "epoch");
    let losses: Vec<f64> = losses.iter().map(|epoch| number(&epoch["train"]["loss"])).collect();
    assert_eq!(losses.len(), 2);
    (losses, said)
}

/// The name of the device that a run was trained on.
fn device_of(run: &Path) -> String {
    let summary = json(&run.join("summary.json"));
    summary["device"]["backend"].as_str().expect("a backend").to_owned()
}

/// The tiles of the forward products of a training.
fn forward_tiles(folder: &Path, cache: &Path, extra: &[&str]) -> Vec<String> {
    let config = root().join("configs/digits.json");
    let config = config.to_string_lossy();
    let mut arguments = vec!["train", &config, "--explain", "--json", "--no-tune"];
    arguments.extend(["--device", "llvmpipe"]);
    arguments.extend(extra);
    let output = run(folder, cache, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let explanation: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let calls = explanation["calls"].as_array().expect("a list of calls").iter();
    let forward = calls.filter(|call| call["kernel"] == "dense_forward");
    forward.map(|call| call["tile"].as_str().expect("a tile").to_owned()).collect()
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| relative(*a, *b)).fold(0.0, f64::max)
}

#[test]
fn the_cpu_is_right_and_the_table_has_the_numbers_of_the_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let verified = |extra: &[&str]| {
        let arguments = [&["verify", "--device", "cpu"], extra].concat();
        let output = run(folder.path(), &folder.path().join("cache"), &arguments);
        assert!(output.status.success(), "{}", text(&output.stdout));
        text(&output.stdout)
    };
    let document: Value = serde_json::from_str(&verified(&["--json"])).expect("one JSON document");
    let table = verified(&[]);
    assert_eq!((&document["passed"], &document["planted_fault"]), (&true.into(), &Value::Null));
    let rows = document["kernels"].as_array().expect("the kernels");
    assert!(rows.len() > 20, "{rows:?}");
    let mut cases = 0;
    for row in rows {
        let name = row["kernel"].as_str().expect("a name");
        let line = table.lines().find(|line| line.split_whitespace().next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not in\n{table}"));
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(cells[1], row["cases"].to_string(), "{line}");
        assert_eq!(cells[2], format!("{:.2}", number(&row["worst_ulp"])), "{line}");
        let share = 100.0 * number(&row["worst_share_of_bound"]);
        assert_eq!(cells[3], format!("{share:.1}"), "{line}");
        assert_eq!((cells.last(), &row["passed"]), (Some(&"right"), &true.into()), "{line}");
        cases += row["cases"].as_u64().expect("a count");
    }
    assert_eq!(document["cases"], cases);
    let verdict = table.lines().last().expect("a verdict");
    assert!(verdict.starts_with("right: ") && verdict.contains(&cases.to_string()), "{verdict}");
    assert!(!folder.path().join("cache").exists(), "nothing is kept of the CPU");
}

/// What has no tile, and the smallest of what has, on every adapter that is here.
#[test]
fn software_adapters_are_right() {
    let folder = tempfile::tempdir().expect("a folder");
    for device in devices() {
        let mut arguments = vec!["verify", "--device", device, "--json"];
        for kernel in [
            "finish_step",
            "norm_factors",
            "max_norm",
            "row_activation",
            "embedding",
            "zero_gradients",
            "embedding_gradient",
            "adapt_weights",
            "adapter_gradient",
            "share_gradients",
        ] {
            arguments.extend(["--kernel", kernel]);
        }
        for kernel in ["dense_forward/naive", "weight_gradient/naive", "input_gradient/naive"] {
            // The CPU has no tiles.
            arguments.extend(if device == "cpu" {
                ["--kernel", "loss"]
            } else {
                ["--kernel", kernel]
            });
        }
        let output = run_any(folder.path(), &folder.path().join("cache"), &arguments);
        let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        assert_eq!(output.status.code(), Some(0), "{device}: {document:#}");
        let rows = document["kernels"].as_array().expect("the kernels");
        let of_tiles = rows.iter().filter(|row| row["tile"] == "naive").count();
        assert_eq!(of_tiles > 2, device != "cpu", "{document:#}");
        assert!(rows.iter().all(|row| number(&row["cases"]) > 0.0));
    }
}

#[test]
fn a_wrong_tile_is_found_named_and_not_taken() {
    devices();
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, cache) = (folder.path(), &folder.path().join("cache"));
    let llvmpipe = ["--device", "llvmpipe"];
    let tile = &forward_tiles(folder, cache, &[])[0];
    let fault = format!("dense_forward/{tile}");
    let planted = ["--device", "llvmpipe", "--plant-fault", &fault];

    // Silent without verification: nobody is told, and the losses are others.
    let (right, said) = train(folder, cache, "right", &llvmpipe);
    assert!(!said.contains("warning"), "{said}");
    let (wrong, said) = train(folder, cache, "wrong", &planted);
    assert!(said.contains("WRONG RESULTS on purpose"), "{said}");
    assert!(largest_difference(&right, &wrong) > 1e-5, "{right:?} {wrong:?}");

    let arguments = [&["verify", "--kernel", &fault][..], &planted].concat();
    let output = run(folder, cache, &arguments);
    let table = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{table}\n{}", text(&output.stderr));
    let named = format!("WRONG: dense_forward with the tile {tile} on llvmpipe");
    assert!(table.contains(&named) && table.contains("Mesa"), "{table}");
    // Of the sizes that are tried, 1x1x1 has too few results for one that is wrong.
    assert!(table.contains("the smallest is 1x5x1"), "{table}");
    assert!(table.lines().last().is_some_and(|line| line.starts_with("wrong: ")), "{table}");

    // Now it is known: another tile is taken, and the losses are right.
    assert!(!forward_tiles(folder, cache, &planted[2..]).contains(tile));
    let (routed, said) = train(folder, cache, "routed", &planted);
    assert!(said.contains(&format!("dense_forward with the tile {tile} wrong")), "{said}");
    assert!(said.contains("wgfit verify"), "{said}");
    assert_eq!(device_of(&folder.join("routed")), "vulkan");
    assert!(largest_difference(&right, &routed) < 1e-5, "{right:?} {routed:?}");
    // Without the fault nothing is left out.
    assert!(forward_tiles(folder, cache, &[]).contains(tile));
    let (again, said) = train(folder, cache, "again", &llvmpipe);
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(right, again);
}

#[test]
fn a_kernel_that_is_wrong_in_all_its_forms_leaves_the_cpu() {
    devices();
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, cache) = (folder.path(), &folder.path().join("cache"));
    let planted = ["--plant-fault", "loss"];
    let named = ["--device", "llvmpipe"];
    let arguments = [&["verify", "--json", "--kernel", "loss"][..], &named, &planted].concat();
    let output = run(folder, cache, &arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(document["planted_fault"], "loss");
    let rows = document["kernels"].as_array().expect("the kernels");
    for row in rows {
        assert_eq!((&row["kernel"], &row["passed"]), (&"loss".into(), &false.into()));
        let failure = &row["failure"];
        let texts = ["smallest", "case", "text"].map(|key| failure[key].as_str().map(str::len));
        assert!(texts.iter().all(|length| length.is_some_and(|length| length > 2)), "{failure}");
    }

    // A named GPU is refused; whoever left the choice to wgfit gets the CPU, and is told.
    let config = root().join("configs/digits.json");
    let config = config.to_string_lossy();
    let refused = [&["train", &config, "--out", "refused"][..], &named, &planted].concat();
    let output = run(folder, cache, &refused);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("computes loss wrong") && said.contains("--device cpu"), "{said}");
    let (routed, said) =
        train(folder, cache, "routed", &["--device", "gpu", "--plant-fault", "loss"]);
    assert!(said.contains("computes loss wrong: the CPU trains in its place"), "{said}");
    assert_eq!(device_of(&folder.join("routed")), "cpu");
    let (right, _) = train(folder, cache, "right", &["--device", "cpu"]);
    assert_eq!(right, routed);
    // Verified again without the fault, it is trained on.
    let (_, said) = train(folder, cache, "unplanted", &named);
    assert!(!said.contains("warning"), "{said}");
}

/// A fault in f16 alone leaves f32 as it is.
#[test]
fn a_kernel_that_is_wrong_in_f16_leaves_f32() {
    devices();
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, cache) = (folder.path(), &folder.path().join("cache"));
    let planted = ["--device", "llvmpipe", "--plant-fault", "loss/f16"];
    let output = run(folder, cache, &[&["verify", "--kernel", "loss"][..], &planted].concat());
    let table = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{table}");
    assert!(table.contains("WRONG: loss in f16 on llvmpipe"), "{table}");
    assert!(!table.contains("WRONG: loss on"), "{table}");
    let (losses, said) = train(folder, cache, "f32", &planted);
    assert!(said.contains("computes loss in f16 wrong"), "{said}");
    let (right, _) = train(folder, cache, "right", &planted[..2]);
    assert_eq!(losses, right);
    let config = root().join("configs/digits.json");
    let config = config.to_string_lossy();
    let arguments = [&["train", &config, "training.precision=f16"][..], &planted].concat();
    let output = run(folder, cache, &arguments);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("training.precision"), "{}", text(&output.stderr));
}

/// A fault can be planted in every kernel.
#[test]
fn every_kernel_with_a_fault_builds() {
    let lists = [
        scenes::apart,
        scenes::embeddings,
        scenes::shared,
        scenes::updates,
        scenes::fused_sizes,
        scenes::split_sizes,
        scenes::halves,
    ];
    let scenes: Vec<Held> = lists.into_iter().flat_map(|list| list().expect("scenes")).collect();
    for kernel in Kernel::ALL {
        let planted_fault =
            Some(PlantedFault { kernel: Some(*kernel), tile: None, precision: None });
        let options = GpuOptions { planted_fault, ..GpuOptions::default() };
        let backend = GpuBackend::noop(options, 20).expect("a device");
        let mut built = 0;
        for Held { scene, .. } in &scenes {
            let mut plan = scene.apart();
            let halves = plan.buffers.iter().any(|buffer| buffer.contents == Contents::Halves);
            plan.programs.retain(|program| program.calls[0].kernel == *kernel);
            if !halves && !plan.programs.is_empty() && built < 4 {
                backend.load(&plan).unwrap_or_else(|error| panic!("{}: {error}", kernel.name()));
                built += 1;
            }
        }
        assert!(built > 0, "{}", kernel.name());
    }
}

#[test]
fn a_name_that_is_none_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, help) in [
        (["--kernel", "dense"], "dense_forward"),
        (["--kernel", "loss/none"], "naive"),
        (["--plant-fault", "dense"], "dense_forward"),
    ] {
        let arguments = [&["verify", "--device", "cpu"][..], &arguments].concat();
        let output = run(folder.path(), folder.path(), &arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(help), "{said}");
    }
}
