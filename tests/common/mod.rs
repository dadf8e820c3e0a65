//! What the tests of the whole program share.

#![allow(dead_code)] // each test file uses its own part

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Vulkan driver manifests of the software adapters found on this machine. They are written once:
/// a process started by another test may be reading them.
pub fn software_drivers() -> Vec<(&'static str, PathBuf)> {
    static FOUND: OnceLock<Vec<(&'static str, PathBuf)>> = OnceLock::new();
    FOUND.get_or_init(find_drivers).clone()
}

fn find_drivers() -> Vec<(&'static str, PathBuf)> {
    let mut found = Vec::new();
    for folder in ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"]
    {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd")) {
                found.push(("llvmpipe", path));
            }
        }
    }
    found.truncate(1);
    let swiftshader = Path::new("/usr/lib/chromium/libvk_swiftshader.so");
    if swiftshader.exists() {
        // Chromium's own manifest names the library by a path relative to itself.
        let text = format!(
            r#"{{"file_format_version":"1.0.0","ICD":{{"library_path":"{}","api_version":"1.1.0"}}}}"#,
            swiftshader.display()
        );
        // Whole or not at all: tests of other processes read and write it too.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let manifest = folder.join("swiftshader.json");
        let mut written = tempfile::NamedTempFile::new_in(folder).expect("a file in target/");
        written.write_all(text.as_bytes()).expect("room for the manifest");
        written.persist(&manifest).expect("the manifest is renamed");
        found.push(("SwiftShader", manifest));
    }
    found
}

/// The devices that whole runs are tested on: the CPU, and every software adapter.
///
/// # Panics
/// When there is no adapter: a GPU test never passes for want of one.
pub fn devices() -> Vec<&'static str> {
    let adapters = software_drivers();
    assert!(
        !adapters.is_empty(),
        "no software Vulkan adapter found: on Debian or Ubuntu, apt-get install mesa-vulkan-drivers"
    );
    std::iter::once("cpu").chain(adapters.into_iter().map(|(name, _)| name)).collect()
}

/// The binary, with every software adapter in its sight and its memory bounded to 4 GiB. Its
/// caches are apart from the user's, and nothing hangs on what a clock measures.
pub fn wgfit(folder: &Path, arguments: &[&str]) -> Output {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let mut arguments = arguments.to_vec();
    if matches!(arguments.first(), Some(&("train" | "lr-find" | "compare"))) {
        arguments.push("--no-tune");
    }
    command(folder, &arguments, &cache).output().expect("the binary runs")
}

/// The same, yet to be started, with its caches in a folder of the test's own.
pub fn command(folder: &Path, arguments: &[&str], cache: &Path) -> Command {
    let drivers = software_drivers();
    let manifests: Vec<_> = drivers.iter().map(|(_, path)| path.display().to_string()).collect();
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg("ulimit -v 4194304; exec \"$0\" \"$@\"")
        .arg(env!("CARGO_BIN_EXE_wgfit"))
        .args(arguments)
        .current_dir(folder)
        .env("VK_ICD_FILENAMES", manifests.join(":"))
        .env("WGFIT_CACHE", cache);
    command
}

/// A Python that has the programs which read what wgfit writes; `tests/run` makes it.
///
/// # Panics
/// When there is none.
pub fn python() -> PathBuf {
    let made = root().join("target/python/bin/python");
    let python = std::env::var_os("WGFIT_TEST_PYTHON").map_or(made, PathBuf::from);
    assert!(
        python.exists(),
        "{} does not exist: run tests/run, which makes it, or name a Python that has \
         tests/requirements.txt in WGFIT_TEST_PYTHON",
        python.display()
    );
    python
}

/// stdout, when the command succeeded.
///
/// # Panics
/// When it did not.
pub fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = wgfit(folder, arguments);
    assert!(
        output.status.success(),
        "wgfit {arguments:?} failed with {:?}:\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("stdout is text")
}

/// A JSON file.
pub fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// The records of a metrics.jsonl of that kind.
pub fn records(run: &Path, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).expect("metrics.jsonl");
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is a JSON object"))
        .filter(|record| record["kind"] == kind)
        .collect()
}

/// A log of JSON lines, without the times that differ from run to run.
pub fn timeless(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let parse = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("a line is JSON");
        for key in ["seconds", "samples_per_second"] {
            line.as_object_mut().expect("an object").remove(key);
        }
        line
    };
    text.lines().map(parse).collect()
}

/// An epoch as an observer is told of it, without the times that differ from run to run.
pub fn told(record: &wgfit::train::EpochRecord) -> String {
    let timeless =
        wgfit::train::EpochRecord { seconds: 0.0, samples_per_second: 0.0, ..record.clone() };
    format!("{timeless:?}")
}

/// A number of a JSON value.
pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

/// |a - b| relative to the larger; NaN on one side is infinitely far.
pub fn relative(a: f64, b: f64) -> f64 {
    let distance = (a - b).abs() / a.abs().max(b.abs()).max(f64::MIN_POSITIVE);
    if distance.is_nan() { f64::INFINITY } else { distance }
}
