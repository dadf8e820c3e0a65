//! Models that earlier versions wrote say what they said: `version_{n}.safetensors` was written, and
//! `version_{n}.csv` predicted of `rows.csv`, by the program that wrote that version of the format.

#[path = "../common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};

use common::succeed;
use wgfit::model::FORMAT_VERSION;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model_versions").join(name)
}

/// Every cell of a CSV file, line by line.
fn cells(file: &Path) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(file).expect("CSV");
    let records = reader.records().map(|record| record.expect("a record"));
    records.flat_map(|record| record.iter().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn every_earlier_version_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut versions = 0;
    for version in 1..FORMAT_VERSION {
        let model = file(&format!("version_{version}.safetensors"));
        let (model, rows) = (model.to_string_lossy(), file("rows.csv"));
        let out = folder.path().join("said.csv");
        let (rows, said) = (rows.to_string_lossy(), out.to_string_lossy());
        succeed(
            folder.path(),
            &["predict", &model, "--data", &rows, "--device", "cpu", "--out", &said],
        );
        let (said, before) = (cells(&out), cells(&file(&format!("version_{version}.csv"))));
        assert_eq!(said.len(), before.len(), "version {version}");
        for (said, before) in said.iter().zip(&before) {
            let same = match (said.parse::<f64>(), before.parse::<f64>()) {
                // A processor may sum in another order.
                (Ok(said), Ok(before)) => (said - before).abs() <= 1e-5,
                _ => said == before,
            };
            assert!(same, "version {version}: {said}, and {before} before");
        }
        versions += 1;
    }
    assert!(versions >= 1);
}
