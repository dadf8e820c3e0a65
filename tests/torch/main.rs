//! PyTorch and wgfit make the same of a model's file: `sequential.py` loads it into
//! torch.nn.Sequential by renaming its tensors, and printed the logits that are beside it.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;
use wgfit::backend::cpu::CpuBackend;
use wgfit::config::data::Task;
use wgfit::{Model, data};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torch").join(name)
}

/// What PyTorch said: `[member][row][output]`.
fn logits(name: &str) -> Vec<Vec<Vec<f64>>> {
    let text = std::fs::read_to_string(file(name)).expect("the logits");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    serde_json::from_value(document["logits"].clone()).expect("numbers")
}

/// The mean over the members of what the logits mean.
fn meant(task: Task, logits: &[Vec<Vec<f64>>]) -> Vec<f64> {
    let members = logits.len() as f64;
    let mut all = Vec::new();
    for row in 0..logits[0].len() {
        let mut mean = vec![0.0; logits[0][row].len()];
        for member in logits {
            let own = &member[row];
            let most = own.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = own.iter().map(|logit| (logit - most).exp()).sum();
            for (mean, logit) in mean.iter_mut().zip(own) {
                *mean += match task {
                    Task::Regression => *logit,
                    _ => (logit - most).exp() / sum,
                } / members;
            }
        }
        all.extend(mean);
    }
    all
}

#[test]
fn pytorch_says_what_predict_says() {
    for (name, outputs) in [("norms", 3), ("plain", 1)] {
        let model = Model::load(&file(&format!("{name}.safetensors"))).expect("a model");
        let rows = data::load_features(&file(&format!("{name}.csv")), &model.preprocessing);
        let cpu = CpuBackend::new().expect("the CPU");
        let said = model.predict(rows.expect("rows").rows, &cpu).expect("predictions");
        let expected = meant(model.preprocessing.task(), &logits(&format!("{name}.json")));
        assert_eq!((said.width, said.values.len()), (outputs, expected.len()), "{name}");
        for (at, (said, expected)) in said.values.iter().zip(&expected).enumerate() {
            let apart = (said - expected).abs() / expected.abs().max(1.0);
            assert!(apart <= 1e-5, "{name}, value {at}: {said}, and PyTorch says {expected}");
        }
    }
}

/// What PyTorch loaded is what is written today: the same tensors, to the byte.
#[test]
fn a_model_written_again_has_the_tensors_that_pytorch_loads() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["norms", "plain"] {
        let before = std::fs::read(file(&format!("{name}.safetensors"))).expect("the file");
        let model = Model::load(&file(&format!("{name}.safetensors"))).expect("a model");
        let again = folder.path().join(name);
        model.save(&again).expect("a file");
        let after = std::fs::read(again).expect("the file");
        let (before, after) = (SafeTensors::deserialize(&before), SafeTensors::deserialize(&after));
        let (before, after) = (before.expect("safetensors"), after.expect("safetensors"));
        let names = |file: &SafeTensors| {
            let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
            names.sort();
            names
        };
        assert_eq!(names(&before), names(&after), "{name}");
        for tensor in names(&before) {
            let (old, new) = (before.tensor(&tensor), after.tensor(&tensor));
            let (old, new) = (old.expect("a tensor"), new.expect("a tensor"));
            assert_eq!((old.shape(), old.data()), (new.shape(), new.data()), "{name}: {tensor}");
        }
    }
}
