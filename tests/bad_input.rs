//! Everything a config or a file can do wrong: one clear message, the documented exit code, no
//! panic, bounded memory (the binary runs under a limit of 4 GiB of address space).

mod common;

use std::fs;
use std::path::Path;

use common::wgfit;
use serde_json::{Value, json};

/// A config that trains.
fn good_config() -> Value {
    json!({
        "data": { "train": "rows.csv", "target": "y", "validation": 0.2 },
        "model": { "layers": [{ "units": 4, "activation": "relu" }] },
        "training": { "epochs": 2, "batch_size": 8 }
    })
}

fn good_rows() -> String {
    let mut text = "a,b,y\n".to_owned();
    for i in 0..40 {
        text.push_str(&format!("{},{},{}\n", i % 7, i % 5, if i % 3 == 0 { "yes" } else { "no" }));
    }
    text
}

struct Case {
    name: &'static str,
    config: String,
    files: Vec<(&'static str, Vec<u8>)>,
    code: i32,
    says: &'static [&'static str],
}

fn with_config(
    name: &'static str,
    change: impl Fn(&mut Value),
    says: &'static [&'static str],
) -> Case {
    let mut config = good_config();
    change(&mut config);
    let files = vec![("rows.csv", good_rows().into_bytes())];
    Case { name, config: config.to_string(), files, code: 2, says }
}

fn with_rows(name: &'static str, rows: impl Into<Vec<u8>>, says: &'static [&'static str]) -> Case {
    Case {
        name,
        config: good_config().to_string(),
        files: vec![("rows.csv", rows.into())],
        code: 2,
        says,
    }
}

fn with_idx(name: &'static str, images: Vec<u8>, says: &'static [&'static str]) -> Case {
    let config = json!({
        "data": { "train": "images-idx3-ubyte", "labels": "labels-idx1-ubyte", "validation": 0.2 },
        "model": { "layers": [{ "units": 4 }] }
    });
    let labels: Vec<u8> =
        [0, 0, 8, 1, 0, 0, 0, 20].into_iter().chain((0..20).map(|i| i % 2)).collect();
    Case {
        name,
        config: config.to_string(),
        files: vec![("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)],
        code: 2,
        says,
    }
}

/// A safetensors file of that header and that many bytes of zeros.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn with_weights(name: &'static str, weights: Vec<u8>, says: &'static [&'static str]) -> Case {
    let mut case =
        with_config(name, |c| c["model"]["init_from"] = "start.safetensors".into(), says);
    case.files.push(("start.safetensors", weights));
    case
}

fn with_initial_weights(weights: Vec<u8>, says: &'static [&'static str]) -> Case {
    let mut case = with_config(
        "from_file of a wrong shape",
        |c| {
            let init = serde_json::json!({ "name": "from_file", "file": "start.safetensors" });
            c["model"]["output"] = serde_json::json!({ "init": init });
        },
        says,
    );
    case.files.push(("start.safetensors", weights));
    case
}

/// Another training file than `rows.csv`.
fn with_train(
    name: &'static str,
    file: &'static str,
    bytes: Vec<u8>,
    says: &'static [&'static str],
) -> Case {
    let mut case = with_config(name, |c| c["data"]["train"] = file.into(), says);
    if !bytes.is_empty() {
        case.files.push((file, bytes));
    }
    case
}

fn with_held_out(name: &'static str, rows: &str, says: &'static [&'static str]) -> Case {
    let mut case = with_config(name, |c| c["data"]["test"] = "test.csv".into(), says);
    case.files.push(("test.csv", rows.into()));
    case
}

/// An array of NumPy with that description, and bytes after its header.
fn npy(description: &str, bytes: usize) -> Vec<u8> {
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    let header = format!("{description:117}\n");
    array.extend((header.len() as u16).to_le_bytes());
    array.extend(header.as_bytes());
    array.resize(array.len() + bytes, 0);
    array
}

/// A Parquet file with a column of lists beside one of numbers.
fn nested_parquet() -> Vec<u8> {
    use arrow_array::builder::{Float64Builder, ListBuilder};
    use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    let mut lists = ListBuilder::new(Float64Builder::new());
    for row in 0..40 {
        lists.append_value([Some(f64::from(row)), None]);
    }
    let numbers = || Float64Array::from_iter_values((0..40).map(f64::from));
    let batch = RecordBatch::try_from_iter([
        ("l", std::sync::Arc::new(lists.finish()) as ArrayRef),
        ("a", std::sync::Arc::new(numbers())),
        ("y", std::sync::Arc::new(numbers())),
    ])
    .expect("a batch");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.into_inner().expect("a file")
}

fn cases() -> Vec<Case> {
    let mut strict = good_config();
    strict["data"]["missing"] = "error".into();
    let no_target = good_rows().replacen("\n1,1,no\n", "\n1,1,\n", 1);
    let twice = good_rows().replacen("a,b,y", "a,a,y", 1);
    let beside = |cell: &dyn Fn(usize) -> String| {
        let rows: String =
            (0..40).map(|i| format!("{},{},{}\n", i % 7, cell(i), ["no", "yes"][i % 2])).collect();
        format!("a,b,y\n{rows}")
    };
    let each = beside(&|row| format!("name {row}"));
    let dates = beside(&|row| format!("2024-03-{:02}", 1 + row % 28));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, good_rows().as_bytes()).expect("compress");
    let mut cut_gzip = gzip.finish().expect("compress");
    cut_gzip.truncate(cut_gzip.len() / 2);
    let objects = npy("{'descr': '|O', 'fortran_order': False, 'shape': (9, 4), }", 64);
    let short = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (999, 4), }", 800);
    let ragged = good_rows().replacen("\n1,1,no\n", "\n1,1\n", 1);
    let text = good_rows().replacen("\n1,1,no\n", "\n1,one,no\n", 1);
    let missing = good_rows().replacen("\n1,1,no\n", "\n1,,no\n", 1);
    let mut latin = good_rows().into_bytes();
    latin.extend_from_slice(b"1,2,\xe9\n");
    let mut nul = good_rows().into_bytes();
    nul.extend_from_slice(b"1,\x002,no\n");
    let huge: Vec<u8> = [0, 0, 8, 3].into_iter().chain([0x00, 0x10, 0, 0].repeat(3)).collect();
    let cut: Vec<u8> = [0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 2, 0, 0, 0, 2, 7, 7, 7].to_vec();
    let wrong_shape = r#"{"layers.0.weight":{"dtype":"F32","shape":[2,4],"data_offsets":[0,32]}}"#;
    let beyond = r#"{"layers.0.weight":{"dtype":"F32","shape":[4,2],"data_offsets":[0,99999999]}}"#;
    let mut broken = with_config("broken JSON", |_| {}, &["config.json:3:", "JSON"]);
    broken.config = "{\n  // a comment\n  \"data\": [,]\n}".to_owned();
    let mut absent = with_config("missing file", |_| {}, &["rows.csv", "cannot read"]);
    absent.files.clear();
    absent.code = 1;
    let mut nested = with_config("nested too deep", |_| {}, &["config.json"]);
    nested.config = "[".repeat(200_000);
    vec![
        broken,
        nested,
        absent,
        with_config(
            "unknown key",
            |c| c["model"]["layers"][0]["unitz"] = 3.into(),
            &["model.layers[0]", "unitz", "did you mean", "units"],
        ),
        with_config(
            "unknown variant",
            |c| c["model"]["layers"][0]["activation"] = "rellu".into(),
            &["model.layers[0].activation", "rellu", "did you mean", "relu"],
        ),
        with_config(
            "zero units",
            |c| c["model"]["layers"][0]["units"] = 0.into(),
            &["model.layers[0].units"],
        ),
        with_config(
            "dropout 1.5",
            |c| c["model"]["layers"][0]["dropout"] = 1.5.into(),
            &["model.layers[0].dropout", "1.5"],
        ),
        with_config(
            "batch 0",
            |c| c["training"]["batch_size"] = 0.into(),
            &["training.batch_size"],
        ),
        with_config(
            "validation 1.0",
            |c| c["data"]["validation"] = 1.0.into(),
            &["data.validation"],
        ),
        with_config(
            "negative rate",
            |c| c["optimizer"] = json!({ "name": "adam", "learning_rate": -0.1 }),
            &["optimizer.learning_rate", "-0.1"],
        ),
        with_config(
            "missing target",
            |c| c["data"]["target"] = "z".into(),
            &["rows.csv", "z", "a, b, y"],
        ),
        with_config(
            "no target",
            |c| {
                c["data"].as_object_mut().map(|d| d.remove("target"));
            },
            &["data.target"],
        ),
        with_config(
            "loss that does not fit",
            |c| c["loss"] = "mse".into(),
            &["loss", "mse", "binary"],
        ),
        with_config(
            "a network too large",
            |c| c["model"]["layers"][0]["units"] = 4_000_000_000_u64.into(),
            &["model.layers[0].units"],
        ),
        with_config(
            "unknown column",
            |c| c["data"]["columns"] = json!({"q": {"type": "ignore"}}),
            &["data.columns", "q"],
        ),
        with_config(
            "early stopping without validation",
            |c| {
                c["data"]["validation"] = 0.into();
                c["early_stopping"] = json!({ "patience": 3 });
            },
            &["early_stopping", "data.validation"],
        ),
        with_rows("empty CSV", "", &["rows.csv", "empty"]),
        with_rows("header alone", "a,b,y\n", &["rows.csv", "no rows"]),
        with_rows("ragged row", ragged, &["rows.csv", "line 3", "2", "3"]),
        with_rows("text in a numeric column", text, &["rows.csv", "line 3", "\"b\"", "one"]),
        Case {
            config: strict.to_string(),
            ..with_rows("missing cell", missing, &["rows.csv", "line 3", "\"b\"", "missing"])
        },
        with_rows("empty target", no_target, &["rows.csv", "line 3", "\"y\"", "missing"]),
        with_rows("two columns of one name", twice, &["rows.csv", "line 1", "\"a\"", "rename"]),
        with_rows(
            "as many categories as rows",
            each,
            &["rows.csv", "\"b\"", "one in each row", "data.columns.b.type"],
        ),
        with_rows("dates", dates, &["rows.csv", "line 2", "\"b\"", "date", "data.columns.b.type"]),
        with_train("gzip cut short", "rows.csv.gz", cut_gzip, &["rows.csv.gz", "cut short"]),
        with_train("a pattern of nothing", "part-*.csv", Vec::new(), &["part-*.csv", "no file"]),
        with_train("NPY of objects", "a.npy", objects, &["a.npy", "object", "astype"]),
        with_train("NPY past its end", "a.npy", short, &["a.npy", "999 x 4", "complete"]),
        with_train(
            "text named as Parquet",
            "rows.parquet",
            good_rows().into_bytes(),
            &["rows.parquet", "not Parquet"],
        ),
        with_train(
            "nested Parquet",
            "nested.parquet",
            nested_parquet(),
            &["nested.parquet", "\"l\"", "list", "data.columns.l.type"],
        ),
        with_held_out("a test file that lacks a column", "b,y\n1,no\n", &["test.csv", "\"a\""]),
        with_held_out(
            "a test file of another type",
            "a,b,y\nred,1,no\n",
            &["test.csv", "line 2", "\"a\"", "not a number"],
        ),
        with_rows("not UTF-8", latin, &["rows.csv", "line 42", "UTF-8"]),
        with_rows("NUL bytes", nul, &["rows.csv", "line 42", "NUL"]),
        with_rows(
            "one class only",
            good_rows().replace("yes", "no"),
            &["rows.csv", "y", "one class"],
        ),
        with_idx("IDX whose header claims 2^60 bytes", huge, &["images-idx3-ubyte", "byte"]),
        with_idx("IDX cut short", cut, &["images-idx3-ubyte", "byte"]),
        with_weights(
            "init_from of a wrong shape",
            safetensors(wrong_shape, 32),
            &["start.safetensors", "layers.0.weight", "[2, 4]", "[4, 2]"],
        ),
        with_initial_weights(
            safetensors(&wrong_shape.replace("layers.0", "layers.1"), 32),
            &["start.safetensors", "layers.1.weight", "[2, 4]", "needs"],
        ),
        with_weights(
            "init_from whose header lies of its offsets",
            safetensors(beyond, 32),
            &["start.safetensors"],
        ),
        with_weights(
            "init_from whose header lies of its length",
            [u64::MAX.to_le_bytes().to_vec(), vec![b'{'; 64]].concat(),
            &["start.safetensors"],
        ),
        with_weights(
            "init_from that is none",
            b"not at all".to_vec(),
            &["start.safetensors", "safetensors"],
        ),
    ]
}

fn write(folder: &Path, case: &Case) {
    fs::write(folder.join("config.json"), &case.config).expect("write");
    for (name, bytes) in &case.files {
        fs::write(folder.join(name), bytes).expect("write");
    }
}

#[test]
fn every_fault_has_its_message_and_its_exit_code() {
    let mut faults = Vec::new();
    for case in cases() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), &case);
        let output = wgfit(folder.path(), &["train", "config.json", "--device", "cpu", "--quiet"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let lower = said.to_lowercase();
        let mut wrong = Vec::new();
        if output.status.code() != Some(case.code) {
            wrong.push(format!("exit code {:?}, expected {}", output.status.code(), case.code));
        }
        for part in case.says {
            if !lower.contains(&part.to_lowercase()) {
                wrong.push(format!("does not say {part:?}"));
            }
        }
        if !said.starts_with("error: ")
            || lower.contains("panicked")
            || said.contains("RUST_BACKTRACE")
        {
            wrong.push("is not one error block".to_owned());
        }
        if folder.path().join("runs").exists() {
            wrong.push("left a run folder behind".to_owned());
        }
        if !wrong.is_empty() {
            faults.push(format!("{}: {}\n{said}", case.name, wrong.join("; ")));
        }
    }
    assert!(faults.is_empty(), "{} cases:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_good_config_is_good() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), &with_config("good", |_| {}, &[]));
    let stdout = common::succeed(folder.path(), &["train", "config.json", "--device", "cpu"]);
    assert_eq!(stdout.trim_end(), "runs/config-1");
}

#[test]
fn overrides_and_usage_have_their_exit_codes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), &with_config("good", |_| {}, &[]));
    let run = |arguments: &[&str]| {
        let output = wgfit(folder.path(), arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&["train", "config.json", "training.epoch=3"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("training.epochs") || said.contains("did you mean"), "{said}");
    let (code, said) = run(&["train", "config.json", "model.layers.7.units=3"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("model.layers"), "{said}");
    let (code, said) = run(&["train", "nowhere.json"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nowhere.json"), "{said}");
    let (code, said) = run(&["train", "config.json", "--device", "voodoo2"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("voodoo2") && said.contains("wgfit devices"), "{said}");
    assert_eq!(run(&["fly"]).0, Some(2));
    let (code, said) = run(&["predict", "config.json", "--data", "rows.csv"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("safetensors"), "{said}");
}
