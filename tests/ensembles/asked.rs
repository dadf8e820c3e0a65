//! An ensemble asked about labelled rows by `predict`, `evaluate` and onnxruntime, held to what its members
//! say alone.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use wgfit::Model;
use wgfit::catalog::metric::{METRICS, Outputs};
use wgfit::config::data::Task;
use wgfit::data::load_rows;
use wgfit::model::Predictions;
use wgfit::network::{Network, TensorKind};
use wgfit::train::network_of;

use crate::common::{number, python, root, succeed};

/// What three ways of asking may differ by, of a probability or a score's size.
const TOLERANCE: f64 = 1e-4;

/// Those of which Jensen's inequality holds.
const CONVEX: [&str; 5] = ["log_loss", "brier", "mse", "mae", "rmse"];

/// Columns of a CSV file with a header.
pub struct Table(Vec<(String, Vec<String>)>);

impl Table {
    pub fn read(path: &Path) -> Self {
        let mut reader = csv::Reader::from_path(path).expect("a CSV file");
        let names = reader.headers().expect("a header").clone();
        let mut columns: Vec<_> = names.iter().map(|name| (name.to_owned(), Vec::new())).collect();
        for record in reader.records() {
            for (column, cell) in columns.iter_mut().zip(record.expect("a record").iter()) {
                column.1.push(cell.to_owned());
            }
        }
        Self(columns)
    }

    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn texts(&self, name: &str) -> &[String] {
        &self.0.iter().find(|(own, _)| own == name).expect(name).1
    }

    pub fn numbers(&self, name: &str) -> Vec<f64> {
        self.texts(name).iter().map(|cell| cell.parse().expect("a number")).collect()
    }

    /// The columns of those names, row by row.
    pub fn rows_of(&self, names: &[String]) -> Vec<f64> {
        let columns: Vec<Vec<f64>> = names.iter().map(|name| self.numbers(name)).collect();
        (0..columns[0].len()).flat_map(|row| columns.iter().map(move |own| own[row])).collect()
    }
}

/// The members of a stacked model, each a model of its own. A head's weights are those that are shared,
/// times what its inputs and its sums are multiplied by.
fn members(model: &Model) -> Vec<Model> {
    let mut config = model.config.clone();
    config.members = 1;
    config.model.layers.iter_mut().for_each(|layer| layer.adapters = None);
    let settings = config.validate(Path::new(".")).expect("settings");
    let network = network_of(&settings, &model.preprocessing).expect("a network");
    let parameters = model.parameters.chunks_exact(model.network.stride);
    parameters
        .map(|own| Model {
            config: config.clone(),
            preprocessing: model.preprocessing.clone(),
            network: network.clone(),
            parameters: parameters_of(model, own, &network),
        })
        .collect()
}

/// The parameters of a member as those of a network by itself.
fn parameters_of(model: &Model, member: &[f32], alone: &Network) -> Vec<f32> {
    let tensors = model.network.tensors();
    let values = |name: &str| {
        let tensor = tensors.iter().find(|tensor| tensor.name == name)?;
        Some(&member[tensor.offset..tensor.offset + tensor.length])
    };
    let mut arena = vec![0.0; alone.stride];
    for tensor in alone.tensors() {
        let mut own = values(&tensor.name).expect("the same tensors").to_vec();
        if let (TensorKind::Weight, Some(i)) = (tensor.kind, tensor.layer) {
            let inputs = alone.layers[i].inputs;
            let of_inputs = values(&format!("layers.{i}.adapter.input"));
            let of_units = values(&format!("layers.{i}.adapter.output"));
            for (at, w) in own.iter_mut().enumerate() {
                *w *= of_units.map_or(1.0, |own| own[at / inputs]);
                *w *= of_inputs.map_or(1.0, |own| own[at % inputs]);
            }
        }
        arena[tensor.offset..tensor.offset + tensor.length].copy_from_slice(&own);
    }
    arena
}

/// Every metric of a task, of predictions and true targets as metrics take them.
fn scores(outputs: &Outputs) -> Vec<(&'static str, f64)> {
    let of_task = METRICS.iter().filter(|row| row.tasks.contains(&outputs.task));
    of_task
        .map(|row| (row.name, row.of_outputs(outputs).unwrap_or_else(|| term(row.name, outputs))))
        .collect()
}

/// A metric that the device sums as it goes, by its definition.
fn term(name: &str, outputs: &Outputs) -> f64 {
    let rows = outputs.rows as f64;
    let of_rows = |value: &dyn Fn(&[f64], usize) -> f64| {
        outputs.rows().zip(outputs.classes()).map(|(row, class)| value(row, class)).sum::<f64>()
            / rows
    };
    let of_targets = |value: &dyn Fn(&[f64], &[f64]) -> f64| {
        let units = 0..outputs.width;
        units.map(|unit| value(&outputs.column(unit), &outputs.target_column(unit))).sum::<f64>()
            / outputs.width as f64
    };
    let mean = |of: &dyn Fn(f64, f64) -> f64, said: &[f64], true_: &[f64]| {
        said.iter().zip(true_).map(|(p, y)| of(*p, *y)).sum::<f64>() / rows
    };
    let square = |p: f64, y: f64| (p - y) * (p - y);
    match name {
        "accuracy" => of_rows(&|row, class| {
            f64::from(u8::from(row.iter().enumerate().all(|(k, p)| k == class || *p < row[class])))
        }),
        "log_loss" => of_rows(&|row, class| -row[class].ln()),
        "mae" => of_targets(&|said, is| mean(&|p, y| (p - y).abs(), said, is)),
        "mse" => of_targets(&|said, is| mean(&square, said, is)),
        "rmse" => of_targets(&|said, is| mean(&square, said, is).sqrt()),
        "r2" => of_targets(&|said, is| {
            let about = is.iter().sum::<f64>() / rows;
            1.0 - mean(&square, said, is) / mean(&|y, _| square(y, about), is, is)
        }),
        other => panic!("{other} is no metric of a term"),
    }
}

pub fn close(found: f64, wanted: f64, what: &str) {
    let size = wanted.abs().max(1.0);
    assert!((found - wanted).abs() <= TOLERANCE * size, "{what}: {found}, not {wanted}");
}

/// A trained ensemble, asked about labelled rows in every way.
pub struct Asked<'a> {
    folder: &'a Path,
    name: &'a str,
    /// The labelled rows.
    file: &'a str,
    targets: Vec<String>,
    model: Model,
}

impl Asked<'_> {
    /// Trains a config with every metric of its task.
    pub fn new<'a>(
        folder: &'a Path,
        name: &'a str,
        file: &'a str,
        task: Task,
        mut config: Value,
    ) -> Asked<'a> {
        let all = METRICS.iter().filter(|row| row.tasks.contains(&task));
        config["metrics"] = all.map(|row| row.name).collect();
        config["log"] = json!({ "tensorboard": false, "histograms_every": 0 });
        let target = &config["data"]["target"];
        let names = target.as_array().cloned().unwrap_or_else(|| vec![target.clone()]);
        let targets = names.iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
        let path = format!("{name}.json");
        fs::write(folder.join(&path), config.to_string()).expect("a config");
        succeed(folder, &["train", &path, "--device", "cpu", "--out", name, "--quiet"]);
        let model = Model::load(&folder.join(name).join("model.safetensors")).expect("a model");
        Asked { folder, name, file, targets, model }
    }

    fn task(&self) -> Task {
        self.model.preprocessing.task()
    }

    fn names(&self, what: &str) -> Vec<String> {
        let with = |names: &[String]| names.iter().map(|name| format!("{what}_{name}")).collect();
        match (self.task(), self.targets.as_slice()) {
            (Task::Regression, [_]) => vec![what.to_owned()],
            (Task::Regression, _) => with(self.model.preprocessing.target_names()),
            _ => with(self.model.preprocessing.classes()),
        }
    }

    /// True targets as metrics take them.
    pub fn truth(&self) -> Vec<f64> {
        let table = Table::read(&self.folder.join(self.file));
        let classes = self.model.preprocessing.classes();
        match self.task() {
            Task::Regression | Task::Multilabel => table.rows_of(&self.targets),
            _ => {
                let class = |text: &String| classes.iter().position(|class| class == text);
                let texts = table.texts(&self.targets[0]).iter();
                texts.map(|text| class(text).expect("a known class") as f64).collect()
            }
        }
    }

    /// What each member says alone.
    fn alone(&self) -> Vec<Predictions> {
        let cpu = wgfit::backend::choose("cpu", Default::default()).expect("the CPU").backend;
        let preprocessing = &self.model.preprocessing;
        let rows = load_rows(&self.folder.join(self.file), None, preprocessing).expect("rows").rows;
        let said = |member: &Model| member.predict(rows.clone(), cpu.as_ref()).expect("said");
        members(&self.model).iter().map(said).collect()
    }

    pub fn predicted(&self, device: &str) -> Table {
        let out = format!("{}-{device}.csv", self.name);
        let spread = ["--spread", "--device", device, "--out", &out];
        succeed(self.folder, &[&["predict", self.name, "--data", self.file][..], &spread].concat());
        Table::read(&self.folder.join(out))
    }

    pub fn evaluated(&self, device: &str) -> Value {
        let arguments = ["evaluate", self.name, "--data", self.file, "--device", device, "--json"];
        serde_json::from_str(&succeed(self.folder, &arguments)).expect("JSON")
    }

    fn in_onnxruntime(&self) -> Value {
        let out = format!("{}.onnx", self.name);
        let export = ["export", self.name, "--format", "onnx", "--spread", "--out", &out];
        succeed(self.folder, &export);
        let run = root().join("tests/onnx/run.py");
        let mut command = Command::new(python());
        command.arg(run).arg(self.file).arg(&out).current_dir(self.folder);
        let output = command.output().expect("Python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        said[&out].clone()
    }

    /// Holds every way of asking to the members' own words.
    pub fn hold(&self, device: &str) {
        let (name, task) = (self.name, self.task());
        let (alone, truth) = (self.alone(), self.truth());
        let (rows, width) = (alone[0].rows, alone[0].width);
        let has_classes = task != Task::Regression;
        let members = alone.len() as f64;
        let score = |predictions: &[f64]| {
            scores(&Outputs { task, rows, width, predictions, targets: &truth })
        };

        // predict
        let predicted = self.predicted(device);
        let what = if has_classes { "probability" } else { "prediction" };
        let said = predicted.rows_of(&self.names(what));
        let spread = predicted.rows_of(&self.names("spread"));
        let last = self.names("prediction").pop().filter(|_| !has_classes);
        let last = last.unwrap_or("prediction".to_owned());
        assert_eq!(predicted.names().last(), Some(&last.as_str()), "{name}");
        let size = said.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
        let close_to = |found: f64, wanted: f64, what: &str| {
            assert!(
                (found - wanted).abs() <= TOLERANCE * size,
                "{name}: {what} {found}, not {wanted}"
            );
        };
        assert_eq!(said.len(), rows * width, "{name}");
        let mut most_spread = 0.0_f64;
        for (at, value) in said.iter().enumerate() {
            let own = || alone.iter().map(|member| member.values[at]);
            let mean = own().sum::<f64>() / members;
            let variance = own().map(|x| (x - mean) * (x - mean)).sum::<f64>() / members;
            close_to(*value, mean, "the mean");
            close_to(spread[at], variance.sqrt(), "the spread");
            most_spread = most_spread.max(variance.sqrt());
        }
        assert!(most_spread > 0.01, "{name}: the members are alike");
        let entropy = |values: &[f64]| {
            let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
            let others = if task == Task::Multilabel { 1.0 } else { 0.0 };
            values.iter().map(|p| term(*p) + others * term(1.0 - p)).sum::<f64>()
        };
        let told = has_classes.then(|| predicted.numbers("mutual_information"));
        for (row, told) in told.iter().flatten().enumerate() {
            let of = |values: &[f64]| entropy(&values[row * width..(row + 1) * width]);
            let own = alone.iter().map(|member| of(&member.values)).sum::<f64>() / members;
            close(*told, of(&said) - own, &format!("{name}: mutual information"));
            assert!(*told >= 0.0, "{name}: {told}");
        }

        // evaluate
        let evaluated = self.evaluated(device);
        let of_members: Vec<_> = alone.iter().map(|member| score(&member.values)).collect();
        for (at, (metric, value)) in score(&said).into_iter().enumerate() {
            let what = format!("{name}: {metric}");
            close(number(&evaluated[metric]), value, &what);
            let own: Vec<f64> = of_members.iter().map(|scores| scores[at].1).collect();
            let mean = own.iter().sum::<f64>() / members;
            let deviation = own.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / members;
            for (found, own) in
                evaluated["members"][metric].as_array().expect("a list").iter().zip(&own)
            {
                close(number(found), *own, &format!("{what} of a member"));
            }
            close(number(&evaluated["mean"][metric]), mean, &format!("mean {what}"));
            close(number(&evaluated["deviation"][metric]), deviation.sqrt(), &what);
            if CONVEX.contains(&metric) {
                assert!(value < mean, "{what} {value}, that of the members {mean}");
                assert!(number(&evaluated[metric]) < number(&evaluated["mean"][metric]), "{what}");
            }
        }

        // onnxruntime
        let onnx = self.in_onnxruntime();
        let flat = |of: &Value| -> Vec<f64> {
            let rows = of.as_array().expect("rows").iter();
            rows.flat_map(|row| row.as_array().expect("a row").iter().map(number)).collect()
        };
        let key = if has_classes { "probabilities" } else { "prediction" };
        let in_onnx = flat(&onnx[key]);
        for (found, wanted) in in_onnx.iter().zip(&said) {
            close_to(*found, *wanted, "in onnxruntime");
        }
        for (found, wanted) in flat(&onnx["spread"]).iter().zip(&spread) {
            close_to(*found, *wanted, "the spread in onnxruntime");
        }
        if let Some(told) = told {
            for (found, wanted) in
                onnx["mutual_information"].as_array().expect("rows").iter().zip(told)
            {
                close(number(found), wanted, "mutual information in onnxruntime");
            }
            let said: Vec<&str> = onnx["prediction"]
                .as_array()
                .expect("rows")
                .iter()
                .map(|text| text.as_str().expect("text"))
                .collect();
            assert_eq!(said, predicted.texts("prediction"), "{name}");
        }
        for (at, (metric, value)) in score(&in_onnx).into_iter().enumerate() {
            if CONVEX.contains(&metric) {
                let mean = of_members.iter().map(|scores| scores[at].1).sum::<f64>() / members;
                assert!(
                    value < mean,
                    "{name}: {metric} {value} in onnxruntime, the members {mean}"
                );
                close(
                    value,
                    number(&evaluated[metric]),
                    &format!("{name}: {metric} in onnxruntime"),
                );
            }
        }
    }
}
