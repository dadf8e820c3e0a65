//! Tests of whole files: what they become, and how the bad ones are refused.

mod class_weights;
mod columns;
mod distributions;
mod embeddings;
mod folds;
mod formats;
mod hostile;
mod images;
mod missing;
mod multilabel;
mod robust;
mod sample_weights;
mod scalings;
mod sets;
mod types;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::{Dataset, Preprocessing, Rows, load};
use crate::config::data::{
    CategoryEncoding, ColumnConfig, ColumnReference, ColumnType, DataSettings, Missing, Portion,
    Scaling, SplitBy, Streaming, TargetScaling, Task,
};
use crate::error::Result;

/// Encoded rows to score.
pub(super) fn load_rows(
    file: &Path,
    labels: Option<&Path>,
    preprocessing: &Preprocessing,
) -> Result<Rows> {
    super::load_rows(file, labels, preprocessing).map(|encoded| encoded.rows)
}

/// Encoded rows to predict.
pub(super) fn load_features(file: &Path, preprocessing: &Preprocessing) -> Result<Rows> {
    super::load_features(file, preprocessing).map(|encoded| encoded.rows)
}

/// A folder of data files.
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(super) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("write");
        path
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("compress");
    encoder.finish().expect("compress")
}

pub(super) fn settings(train: PathBuf, target: &str) -> DataSettings {
    let name = ColumnReference::Name(target.to_owned());
    DataSettings {
        train,
        labels: None,
        validation: Portion::Share(0.0),
        validation_labels: None,
        test: Portion::Share(0.0),
        test_labels: None,
        target: if target.is_empty() { Vec::new() } else { vec![name] },
        task: None,
        columns: BTreeMap::new(),
        scaling: Scaling::None,
        missing: Missing::Auto,
        encoding: CategoryEncoding::Auto,
        split: SplitBy::Random,
        streaming: Streaming::Never,
        streaming_folder: None,
        chunk_rows: None,
        folds: None,
        class_weights: None,
        target_scaling: TargetScaling::Auto,
        shuffle: true,
        stratify: true,
        seed: 7,
    }
}

/// Settings of a file with the targets `a`, `b` and `c`.
pub(super) fn several(train: PathBuf, task: Task) -> DataSettings {
    let target = ["a", "b", "c"].map(|name| ColumnReference::Name(name.to_owned()));
    DataSettings { target: target.into(), task: Some(task), ..settings(train, "") }
}

pub(super) fn typed(kind: ColumnType) -> ColumnConfig {
    ColumnConfig { kind: Some(kind), ..ColumnConfig::default() }
}

/// Loads a CSV text with the target `y`.
pub(super) fn load_text(text: &str) -> Dataset {
    let folder = Folder::new();
    load(&settings(folder.file("rows.csv", text), "y")).expect("a good file")
}

/// The error of a load.
pub(super) fn refused(settings: &DataSettings) -> String {
    load(settings).map(|_| ()).expect_err("a bad file").to_string()
}

/// The error of loading a file with the target `y`.
pub(super) fn refused_file(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let folder = Folder::new();
    refused(&settings(folder.file(name, bytes), "y"))
}

pub(super) fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{said:?} does not say {part:?}");
    }
}

/// 60 rows: number `a`, text `color`, number `b`, and the class `y` of three.
pub(super) fn mixed_rows() -> String {
    let mut text = "a,color,b,y\n".to_owned();
    for i in 0..60 {
        let color = ["red", "green", "blue"][i % 3];
        let class = ["low", "mid", "high"][(i / 2) % 3];
        text.push_str(&format!("{}.25,{color},{},{class}\n", i % 11, (i * i) % 17));
    }
    text
}

pub(super) fn data_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/data")
}
