//! The measured choice of tiles: candidates are held to f64, what was picked is kept and used again,
//! and a damaged file is told of and made anew.

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use common::{command, json, root};
use wgfit::backend::gpu::tile::{self, Along, Class, Kind, Operand, Product};
use wgfit::backend::gpu::tuning::{Trial, pick};
use wgfit::backend::gpu::{Adapter, GpuBackend, GpuOptions, Tile, adapters};
use wgfit::kernels::Kernel;

fn adapter() -> Adapter {
    adapters().into_iter().next().expect(
        "no GPU adapter: on Debian or Ubuntu, apt-get install mesa-vulkan-drivers gives lavapipe",
    )
}

/// Products of every way that operands lie in, of scalars and of quads.
fn products() -> Vec<Product> {
    let mut all = Vec::new();
    for a in [Along::Depth, Along::Breadth] {
        for b in [Along::Depth, Along::Breadth] {
            for quads in [false, true] {
                let operand = |along| Operand { buffer: "left", along, quads, gathered: false };
                all.push(Product {
                    kernel: Kernel::DenseForward,
                    rows: 33,
                    columns: 65,
                    depth: 18,
                    members: 1,
                    a: operand(a),
                    b: operand(b),
                    quads: false,
                });
            }
        }
    }
    all
}

/// A tile that leaves every third column out.
const WRONG: Tile = Tile {
    kind: Kind::Direct { handed_round: 0, pairs: false },
    each: [8, 6],
    invocations: [1, 8],
};

#[test]
fn a_planted_wrong_candidate_never_wins() {
    let adapter = adapter();
    let backend = GpuBackend::new(&adapter, GpuOptions::default()).expect("a device");
    for product in products() {
        let default = tile::by_class(Class::of(&adapter.description, &adapter.facts), &product);
        for on_device in [false, true] {
            if on_device && !adapter.facts.features.contains(&"timestamps") {
                continue;
            }
            let mut lab = backend.lab(&product, on_device).expect("a trial");
            assert!(lab.is_right(default).expect("it runs"), "{default} {product:?}");
            assert!(!lab.is_right(WRONG).expect("it runs"), "{product:?}");
            let seconds = lab.seconds(default).expect("it runs");
            assert!(seconds > 0.0 && seconds < 1.0, "{seconds} s");
            let picked = pick(default, &[WRONG, default], &mut lab, Duration::from_secs(2));
            assert_eq!(picked, default, "{product:?}");
        }
    }
}

/// Cooperative tiles are right where the adapter has them; elsewhere the driver's refusal is an error,
/// and the default wins.
#[test]
fn cooperative_candidates_are_right_or_refused() {
    let adapter = adapter();
    let facts = &adapter.facts;
    let backend = GpuBackend::new(&adapter, GpuOptions::default()).expect("a device");
    let subgroup = facts.fixed_subgroup.filter(|size| tile::SUBGROUPS.contains(size)).unwrap_or(32);
    let candidates = tile::cooperative_candidates(subgroup);
    assert_eq!(candidates.len(), 3);
    for product in products() {
        let default = tile::by_class(Class::of(&adapter.description, facts), &product);
        let mut lab = backend.lab(&product, false).expect("a trial");
        for tile in &candidates {
            let found = lab.is_right(*tile);
            if tile.fits(facts) {
                assert!(found.expect("it runs"), "{tile} {product:?}");
            } else if !facts.features.contains(&"cooperative_matrix") {
                assert!(found.is_err(), "{tile} {product:?}");
                let picked = pick(default, &[*tile], &mut lab, Duration::from_secs(2));
                assert_eq!(picked, default, "{product:?}");
            }
        }
    }
}

fn config(folder: &Path) -> PathBuf {
    let table = root().join("tests/golden/classification.csv");
    let path = folder.join("config.json");
    let text = format!(
        r#"{{
            "data": {{ "train": {:?}, "target": "label" }},
            "model": {{ "layers": [{{ "units": 24, "activation": "relu" }}] }},
            "training": {{ "epochs": 2, "batch_size": 32 }}
        }}"#,
        table.display().to_string()
    );
    std::fs::write(&path, text).expect("a config");
    path
}

struct Run {
    output: Output,
    tiles: serde_json::Value,
    model: Vec<u8>,
}

fn train(folder: &Path, cache: &Path, name: &str, more: &[&str]) -> Run {
    let config = config(folder);
    let mut arguments =
        vec!["train", config.to_str().expect("a path"), "--device", "llvmpipe", "--out", name];
    arguments.extend(more);
    let output = command(folder, &arguments, cache).output().expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let run = folder.join(name);
    Run {
        output,
        tiles: json(&run.join("summary.json"))["tiles"].clone(),
        model: std::fs::read(run.join("model.safetensors")).expect("a model"),
    }
}

fn kept(cache: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(cache).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("tiles-")))
        .collect()
}

#[test]
fn choices_are_kept_and_used_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let untuned = train(folder.path(), &cache, "untuned", &["--no-tune"]);
    assert_eq!(kept(&cache), Vec::<PathBuf>::new(), "--no-tune measures nothing");
    let programs = untuned.tiles.as_object().expect("tiles by program");
    assert!(programs["train.train"].as_object().is_some_and(|calls| calls.len() >= 3));

    let first = train(folder.path(), &cache, "first", &[]);
    let [file] = &kept(&cache)[..] else { panic!("{:?}", kept(&cache)) };
    let text = std::fs::read_to_string(file).expect("the file");
    let second = train(folder.path(), &cache, "second", &[]);
    assert_eq!(first.tiles, second.tiles);
    assert!(first.model == second.model, "the same device and the same cache: the same bits");
    assert_eq!(std::fs::read_to_string(file).expect("the file"), text);

    // Another choice in the file is taken, whatever is fastest.
    let other = "direct_8x4_16";
    let mut edited: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for tile in edited["tiles"].as_object_mut().expect("tiles").values_mut() {
        *tile = other.into();
    }
    std::fs::write(file, edited.to_string()).expect("written");
    let third = train(folder.path(), &cache, "third", &[]);
    // An update on a software adapter has the tile of its class.
    let programs = third.tiles.as_object().expect("tiles").values();
    let calls = programs.flat_map(|calls| calls.as_object().expect("calls"));
    let tried: Vec<_> = calls.filter(|(call, _)| !call.starts_with("update")).collect();
    assert!(tried.len() >= 3, "{tried:?}");
    assert!(tried.iter().all(|(_, tile)| *tile == other), "{tried:?}");

    std::fs::write(file, &text[..text.len() / 2]).expect("written");
    let fourth = train(folder.path(), &cache, "fourth", &[]);
    let told = String::from_utf8_lossy(&fourth.output.stderr).into_owned();
    assert_eq!(told.matches("warning: ").count(), 1, "{told}");
    assert!(told.contains("is made anew"), "{told}");
    let fifth = train(folder.path(), &cache, "fifth", &[]);
    assert!(!String::from_utf8_lossy(&fifth.output.stderr).contains("warning: "));
    assert_eq!(fourth.tiles, fifth.tiles);
}
