//! What a hostile file meets: every kind of file that users hand in, opened as commands open it.
//! The tests here and the fuzz targets in tests/fuzz share this.

#[path = "sweeps.rs"]
mod sweeps;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use safetensors::SafeTensors;
use tempfile::TempDir;
use wgfit::backend::Backend;
use wgfit::backend::cpu::CpuBackend;
use wgfit::catalog::activation::ActivationSettings;
use wgfit::config::{Settings, TaskSettings};
use wgfit::data::{self, FeatureFile, Preprocessing};
use wgfit::model::{self, Predictor};
use wgfit::network::{LayerShape, Network};
use wgfit::proposal::{self, Request};
use wgfit::report::{FolderLock, RunFolder, checkpoints};
use wgfit::{Config, Dataset, Model, Result};

/// A kind of file.
pub struct Entry {
    /// Its name here and in tests/corpus; so is that of its fuzz target.
    pub name: &'static str,
    /// Does with such a file what users do. It may refuse what it likes, and must come back: with
    /// whether any of that went well.
    pub run: fn(&[u8]) -> bool,
}

/// Every kind of file that is read.
pub const ENTRIES: [Entry; 14] = [
    Entry { name: "config", run: config },
    Entry { name: "csv", run: |bytes| tables(bytes, "rows.csv", "labels.csv") },
    Entry { name: "gzip", run: |bytes| tables(bytes, "rows.csv.gz", "labels.csv.gz") },
    Entry { name: "zstd", run: |bytes| tables(bytes, "rows.csv.zst", "labels.csv.zst") },
    Entry { name: "idx", run: |bytes| tables(bytes, "rows-ubyte", "labels-ubyte") },
    Entry { name: "npy", run: |bytes| tables(bytes, "rows.npy", "labels.npy") },
    Entry { name: "npz", run: |bytes| tables(bytes, "rows.npz", "labels.npz") },
    Entry { name: "parquet", run: |bytes| tables(bytes, "rows.parquet", "labels.parquet") },
    Entry { name: "arrow", run: |bytes| tables(bytes, "rows.arrow", "labels.arrow") },
    Entry { name: "model", run: model },
    Entry { name: "weights", run: weights },
    Entry { name: "checkpoint", run: checkpoint },
    Entry { name: "sweep", run: sweeps::sweep },
    Entry { name: "sweep_state", run: sweeps::sweep_state },
];

/// Rows of a table, in the corpus' own columns.
pub const ROWS: &str = include_str!("../corpus/seeds/csv/plain");
/// Rows of a matrix.
pub const NUMBERS: &str = include_str!("../corpus/seeds/csv/numbers");

/// What is made once.
struct Fixture {
    folder: TempDir,
    /// Fitted to [`ROWS`], and to [`NUMBERS`].
    fitted: [Preprocessing; 2],
    backend: CpuBackend,
    network: Network,
    /// What checkpoints are of.
    training: (Settings, TaskSettings, Dataset),
}

/// The config that the corpus' checkpoints are of.
const TRAINING: &str = include_str!("training.json");

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let (table, matrix) = (folder.path().join("table.csv"), folder.path().join("matrix.csv"));
    std::fs::write(&table, ROWS).expect("a file");
    std::fs::write(&matrix, NUMBERS).expect("a file");
    let fit = |text: &str| load(text, folder.path()).expect("a good file").preprocessing;
    let fitted = [fit(&of_table("table.csv", false)), fit(&plain("matrix.csv", "3"))];
    let hidden = [LayerShape::new(4, ActivationSettings::linear())];
    let network = Network::new(2, 3, &hidden, 2).expect("a network");
    let backend = CpuBackend::with_threads(1).expect("threads");
    std::fs::write(folder.path().join("rows.csv"), ROWS).expect("a file");
    let config = Config::parse(TRAINING, "training.json", &[]).expect("a good config");
    let settings = config.validate(folder.path()).expect("a good config");
    let dataset = data::load(&settings.data).expect("a good file");
    let task = settings.fit_task(dataset.preprocessing.task()).expect("a task that fits");
    let training = (settings, task, dataset);
    Fixture { folder, fitted, backend, network, training }
});

/// A file of that content.
fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    (folder, path)
}

fn plain(train: &str, target: &str) -> String {
    format!(r#"{{ "data": {{ "train": "{train}", "target": {target}, "streaming": false }} }}"#)
}

/// All that a config can say of columns; with the ways that data goes, where there are others.
fn of_table(train: &str, streaming: bool) -> String {
    let folder = if streaming { r#""streaming_folder": ".", "test": 0.2,"# } else { "" };
    let split = if streaming { r#"{ "group": "n" }"# } else { r#""random""# };
    format!(
        r#"{{ "data": {{ "train": "{train}", "target": "y", "streaming": {streaming}, {folder}
            "split": {split}, "columns": {{ "when": {{ "type": "date" }}, "w": {{ "type": "weight" }},
            "color": {{ "encoding": "embedding" }}, "a": {{ "missing": "mean", "scaling": "quantile" }} }}
        }} }}"#
    )
}

fn load(config: &str, folder: &Path) -> Result<data::Dataset> {
    let config = Config::parse(config, "config.json", &[])?;
    data::load(&config.validate(folder)?.data)
}

/// A file of rows or of labels: trained on in memory and streamed, predicted, scored, proposed for.
fn tables(bytes: &[u8], name: &str, labels: &str) -> bool {
    let (folder, path) = file(name, bytes);
    let folder = folder.path();
    let mut went_well = load(&plain(name, "0"), folder).is_ok();
    went_well |= load(&plain(name, "\"y\""), folder).is_ok();
    went_well |= load(&of_table(name, true), folder).is_ok();
    let several = format!(
        r#"{{ "data": {{ "train": "{name}", "target": [0, 1], "streaming": true,
            "streaming_folder": ".", "validation": "{name}", "missing": "error" }} }}"#
    );
    went_well |= load(&several, folder).is_ok();
    for fitted in &FIXTURE.fitted {
        let _ = data::load_features(&path, fitted);
        let _ = data::load_rows(&path, None, fitted);
        let _ = data::load_rows(&path, Some(&path), fitted);
        let copied = ["a".to_owned(), "when".to_owned()];
        if let Ok(mut pieces) = FeatureFile::open(&path, fitted, &copied) {
            while let Ok(Some(_)) = pieces.next_piece() {}
        }
    }
    let own = format!(r#"{{ "data": {{ "train": "{name}", "labels": "{name}" }} }}"#);
    let _ = load(&own, folder);
    let target = ["0".to_owned()];
    let proposed = proposal::propose(&Request {
        data: name.to_owned(),
        targets: target.to_vec(),
        by_index: true,
        folder: folder.to_owned(),
        ..Request::default()
    });
    went_well |= proposed.is_ok();
    // As the labels of good rows.
    std::fs::rename(&path, folder.join(labels)).expect("another name");
    std::fs::write(folder.join("good.csv"), NUMBERS).expect("a file");
    let apart = format!(r#"{{ "data": {{ "train": "good.csv", "labels": "{labels}" }} }}"#);
    went_well |= load(&apart, folder).is_ok();
    went_well
}

/// A config, as far as no data is needed.
fn config(bytes: &[u8]) -> bool {
    let folder = FIXTURE.folder.path();
    let (_own, path) = file("config.json", bytes);
    let Ok(config) = Config::load(&path, &[]) else { return false };
    let overridden = ["model.layers[0].units=3".to_owned(), "optimizer=sgd".to_owned()];
    let _ = Config::load(&path, &overridden);
    // Only with paths cut down to names may anything be looked for.
    let Ok(settings) = config.without_paths().validate(folder) else { return false };
    let written = serde_json::to_string(&config).expect("JSON");
    let again = Config::parse(&written, "written", &[]).expect("what was read is written");
    assert_eq!(again.without_paths(), config.without_paths());
    for fitted in &FIXTURE.fitted {
        if settings.fit_task(fitted.task()).is_ok() {
            let _ = wgfit::train::network_of(&settings, fitted);
        }
    }
    true
}

/// A model: summed up, exported, and predicted with.
fn model(bytes: &[u8]) -> bool {
    let (folder, path) = file("model.safetensors", bytes);
    let _ = model::summarize(&path);
    let Ok(model) = Model::load(&path) else { return false };
    let again = folder.path().join("again.safetensors");
    model.save(&again).expect("what was read is written");
    assert_eq!(Model::load(&again).expect("what was written is read").parameters, model.parameters);
    let _ = model.to_onnx();
    let rows = folder.path().join("rows.csv");
    for text in [ROWS, include_str!("../model_versions/rows.csv")] {
        std::fs::write(&rows, text).expect("a file");
        if let Ok(encoded) = data::load_features(&rows, &model.preprocessing) {
            let _ = model.predict(encoded.rows, &FIXTURE.backend);
        }
        if let Ok(encoded) = data::load_rows(&rows, None, &model.preprocessing) {
            let _ = model.evaluate(encoded.rows, &FIXTURE.backend);
        }
    }
    let of_device: &dyn Backend = &FIXTURE.backend;
    if let Ok(mut predictor) = model.predictor(of_device, Some(1)) {
        let predict =
            |predictor: &mut Predictor| predictor.predict(&vec![0.5; model.preprocessing.inputs()]);
        let _ = predict(&mut predictor);
    }
    true
}

/// Starting weights.
fn weights(bytes: &[u8]) -> bool {
    let (_folder, path) = file("weights.safetensors", bytes);
    let network = &FIXTURE.network;
    let mut arena = vec![0.0; network.members * network.stride];
    let went_well = model::read_weights(&path, network, &mut arena).is_ok();
    for tensor in network.tensors() {
        let _ = model::read_tensor(&path, &tensor.name, &tensor, network, &mut arena);
    }
    let _ = model::summarize(&path);
    assert!(arena.iter().all(|value| value.is_finite()), "starting weights that are not finite");
    went_well
}

/// A checkpoint in a run's folder, as it is and with a checksum that is right, and a training that goes on
/// from it.
fn checkpoint(bytes: &[u8]) -> bool {
    let mut went_well = false;
    let sealed = sealed(bytes);
    for bytes in std::iter::once(bytes).chain(sealed.as_deref()) {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path().join("run");
        std::fs::create_dir_all(run.join("checkpoint")).expect("a folder");
        std::fs::write(run.join("checkpoint/1.safetensors"), bytes).expect("a file");
        std::fs::write(run.join("metrics.jsonl"), [b'\n'; 4096]).expect("a file");
        let Some(found) = checkpoints::find(&run).newest else { continue };
        let _ = found.chunk_rows();
        let fixture = &FIXTURE;
        let (settings, task, dataset) = &fixture.training;
        let told = &mut wgfit::train::Silent;
        let (dataset, from) = (dataset.clone(), Some(&found.checkpoint));
        went_well |=
            wgfit::train::resume(settings, task, dataset, &fixture.backend, told, from).is_ok();
        let config = Config::parse(TRAINING, "training.json", &[]).expect("a good config");
        if let Ok(lock) = FolderLock::take(&run) {
            let _ = RunFolder::resume(&run, &found, &config, lock);
        }
        let there = std::fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(there, 1, "something was written beside the run");
    }
    went_well
}

/// The file with its checksum put right, where it has one.
fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let file = SafeTensors::deserialize(bytes).ok()?;
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let mut metadata = header.metadata().clone()?;
    let text = metadata.get("wgfit_checkpoint")?;
    let mut tensors = file.tensors();
    tensors.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let parts = tensors.iter().flat_map(|(name, view)| [name.as_bytes(), view.data()]);
    let sum = std::iter::once(text.as_bytes()).chain(parts).fold(0, crc32c::crc32c_append);
    metadata.insert("checksum".to_owned(), format!("{sum:08x}"));
    safetensors::serialize(tensors, Some(metadata)).ok()
}
