//! A model as ONNX: raw columns in, what `wgfit predict` says out, with the preprocessing, the network
//! and the meaning of its outputs as operators of ONNX and of its domain for tables and text.
//!
//! Each column that the network takes is an input of its own, named as in the data, `[batch, 1]`: f32, or
//! text where it is categorical. `prediction` comes first: `[batch]` classes as text (of several
//! labels those above one half, parted by spaces), or `[batch, targets]` numbers in the user's units;
//! then, where there are classes or labels, `probabilities`: `[batch, classes]`. Members are averaged as
//! in `predict`. Where it is asked for, their `spread` follows, of the shape of what is averaged, and of
//! classes and labels `mutual_information`: `[batch]`.

mod columns;
mod graph;
mod layers;
mod messages;

use std::path::Path;

use prost::Message;

use super::Model;
use crate::config::data::Task;
use crate::disk::write_atomically;
use crate::error::{Error, Result};
use graph::{Graph, ML, Name};
use messages::{Attribute, DOUBLE, FLOAT, ModelProto, OperatorSetId, STRING, StringStringEntry};

/// Version of the IR, and of the operator sets: all of ONNX 1.15.
const IR_VERSION: i64 = 9;
const OPSET: i64 = 20;
const ML_OPSET: i64 = 3;

/// What Protocol Buffers hold at most.
const MOST_BYTES: usize = (1 << 31) - 1;

/// The names of the outputs; the first two are always there.
const OUTPUTS: [&str; 4] = ["prediction", "probabilities", "spread", "mutual_information"];

/// What an ONNX file has beside predictions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OnnxOptions {
    /// How far members are apart, as [`Predictions`](super::Predictions) has it.
    pub spread: bool,
}

impl Model {
    /// The model as an ONNX file's bytes. Two equal models give equal bytes.
    ///
    /// # Errors
    /// A column named like an output, or a model past the 2 GiB that the format holds.
    pub fn to_onnx(&self) -> Result<Vec<u8>> {
        self.to_onnx_with(OnnxOptions::default())
    }

    /// [`Model::to_onnx`] with further outputs.
    ///
    /// # Errors
    /// Those of [`Model::to_onnx`], and the spread of a single network.
    pub fn to_onnx_with(&self, options: OnnxOptions) -> Result<Vec<u8>> {
        if options.spread {
            self.check_spread()?;
        }
        let mut graph = Graph::default();
        graph.proto.name = "wgfit".to_owned();
        let taken = if options.spread { &OUTPUTS[..] } else { &OUTPUTS[..2] };
        let inputs = columns::encoded(&mut graph, self, taken)?;
        let outputs = layers::outputs(&mut graph, self, inputs)?;
        self.said(&mut graph, outputs, options)?;
        let property = |key: &str, value: String| StringStringEntry { key: key.to_owned(), value };
        let model = ModelProto {
            ir_version: IR_VERSION,
            producer_name: "wgfit".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: format!("{}, {}", self.network.shape(), self.preprocessing.task()),
            graph: Some(graph.proto),
            opset_import: vec![
                OperatorSetId { domain: String::new(), version: OPSET },
                OperatorSetId { domain: ML.to_owned(), version: ML_OPSET },
            ],
            metadata_props: vec![
                property("task", self.preprocessing.task().to_string()),
                property("members", self.network.members.to_string()),
            ],
        };
        if model.encoded_len() > MOST_BYTES {
            return Err(Error::usage(format!(
                "the model takes {} bytes as ONNX, which holds at most {MOST_BYTES}",
                model.encoded_len()
            ))
            .with_help("export it as safetensors"));
        }
        Ok(model.encode_to_vec())
    }

    /// Writes the model as ONNX.
    ///
    /// # Errors
    /// Those of [`Model::to_onnx`]; when the file cannot be written.
    pub fn save_onnx(&self, path: &Path) -> Result<()> {
        self.save_onnx_with(path, OnnxOptions::default())
    }

    /// Writes the model as ONNX with further outputs.
    ///
    /// # Errors
    /// Those of [`Model::to_onnx_with`]; when the file cannot be written.
    pub fn save_onnx_with(&self, path: &Path, options: OnnxOptions) -> Result<()> {
        write_atomically(path, &self.to_onnx_with(options)?)
    }

    /// What the network's outputs mean.
    fn said(&self, graph: &mut Graph, outputs: Name, options: OnnxOptions) -> Result<()> {
        let task = self.preprocessing.task();
        let probabilities = match task {
            Task::Regression => return self.numbers(graph, &outputs, options),
            Task::Classification => {
                graph.op_with("Softmax", &[&outputs], vec![Attribute::int("axis", -1)])
            }
            Task::Multilabel => graph.op("Sigmoid", &[&outputs]),
            Task::Binary => {
                let second = graph.op("Sigmoid", &[&outputs]);
                let turned = graph.op("Neg", &[&outputs]);
                let first = graph.op("Sigmoid", &[&turned]);
                graph.op_with("Concat", &[&first, &second], vec![Attribute::int("axis", -1)])
            }
        };
        let each = probabilities;
        let probabilities = self.averaged(graph, each.clone());
        let classes = self.preprocessing.classes();
        let said = match task {
            Task::Multilabel => labels(graph, &probabilities, classes),
            _ => {
                let attributes = vec![Attribute::int("axis", 1), Attribute::int("keepdims", 0)];
                let likeliest = graph.op_with("ArgMax", &[&probabilities], attributes);
                let names = graph.texts(classes);
                graph.op("Gather", &[&names, &likeliest])
            }
        };
        let [prediction, named, ..] = OUTPUTS;
        graph.output(prediction, &said, STRING, &[None]);
        graph.output(named, &probabilities, FLOAT, &[None, Some(classes.len())]);
        if options.spread {
            let spread = spread(graph, &each, &probabilities);
            graph.output(OUTPUTS[2], &spread, FLOAT, &[None, Some(classes.len())]);
            let known = entropy(graph, task, &each);
            let known = self.averaged(graph, known);
            let whole = entropy(graph, task, &probabilities);
            let told = graph.op("Sub", &[&whole, &known]);
            // Below 0 by rounding alone.
            let told = graph.op("Relu", &[&told]);
            graph.output(OUTPUTS[3], &told, FLOAT, &[None]);
        }
        Ok(())
    }

    /// Predictions of a regression, in the user's units.
    fn numbers(&self, graph: &mut Graph, outputs: &str, options: OnnxOptions) -> Result<()> {
        let interpreter = self.interpreter()?;
        let all = self.network.outputs();
        let width = interpreter.width(all);
        let mut value = outputs.to_owned();
        if width < all {
            let [first, last, axis] = [0, width as i64, -1].map(|value| graph.integers(&[value]));
            value = graph.op("Slice", &[&value, &first, &last, &axis]);
        }
        // In f64, as `predict` does.
        value = graph.cast(&value, DOUBLE);
        if interpreter.loss.predicts_exponentials() {
            value = graph.op("Exp", &[&value]);
        } else {
            let (means, deviations): (Vec<f64>, Vec<f64>) =
                interpreter.target_scale.iter().copied().unzip();
            let (means, deviations) = (graph.doubles(&means), graph.doubles(&deviations));
            value = graph.op("Mul", &[&value, &deviations]);
            value = graph.op("Add", &[&value, &means]);
        }
        let mean = self.averaged(graph, value.clone());
        let said = graph.cast(&mean, FLOAT);
        graph.output(OUTPUTS[0], &said, FLOAT, &[None, Some(width)]);
        if options.spread {
            let spread = spread(graph, &value, &mean);
            let spread = graph.cast(&spread, FLOAT);
            graph.output(OUTPUTS[2], &spread, FLOAT, &[None, Some(width)]);
        }
        Ok(())
    }

    /// The mean over the members.
    fn averaged(&self, graph: &mut Graph, value: Name) -> Name {
        if self.network.members == 1 {
            return value;
        }
        let axis = graph.integers(&[0]);
        graph.op_with("ReduceMean", &[&value, &axis], vec![Attribute::int("keepdims", 0)])
    }
}

/// The standard deviation over the members, about their mean.
fn spread(graph: &mut Graph, each: &str, mean: &str) -> Name {
    let apart = graph.op("Sub", &[each, mean]);
    let square = graph.op("Mul", &[&apart, &apart]);
    let axis = graph.integers(&[0]);
    let variance =
        graph.op_with("ReduceMean", &[&square, &axis], vec![Attribute::int("keepdims", 0)]);
    graph.op("Sqrt", &[&variance])
}

/// The entropy of each row's class, or that of its labels one by one, in nats.
fn entropy(graph: &mut Graph, task: Task, probabilities: &str) -> Name {
    let term = |graph: &mut Graph, p: &str| {
        // 0 log 0 is 0.
        let least = graph.number(f64::from(f32::MIN_POSITIVE));
        let kept = graph.op("Max", &[p, &least]);
        let log = graph.op("Log", &[&kept]);
        graph.op("Mul", &[p, &log])
    };
    let mut terms = term(graph, probabilities);
    if task == Task::Multilabel {
        let one = graph.number(1.0);
        let other = graph.op("Sub", &[&one, probabilities]);
        let other = term(graph, &other);
        terms = graph.op("Add", &[&terms, &other]);
    }
    let axis = graph.integers(&[-1]);
    let sum = graph.op_with("ReduceSum", &[&terms, &axis], vec![Attribute::int("keepdims", 0)]);
    graph.op("Neg", &[&sum])
}

/// The labels above one half, parted by spaces.
fn labels(graph: &mut Graph, probabilities: &str, names: &[String]) -> Name {
    let half = graph.number(0.5);
    let has = graph.op("Greater", &[probabilities, &half]);
    let nothing = graph.texts(&[""]);
    let mut said: Option<(Name, Name)> = None;
    for (at, name) in names.iter().enumerate() {
        let index = graph.integers(&[at as i64]);
        let own = graph.op_with("Gather", &[&has, &index], vec![Attribute::int("axis", 1)]);
        let shape = graph.integers(&[-1]);
        let own = graph.op("Reshape", &[&own, &shape]);
        let first = graph.texts(&[name.as_str()]);
        said = Some(match said {
            None => (graph.op("Where", &[&own, &first, &nothing]), own),
            Some((before, any)) => {
                let after = graph.texts(&[format!(" {name}")]);
                let text = graph.op("Where", &[&any, &after, &first]);
                let text = graph.op("Where", &[&own, &text, &nothing]);
                (graph.op("StringConcat", &[&before, &text]), graph.op("Or", &[&any, &own]))
            }
        });
    }
    said.map(|(text, _)| text).unwrap_or(nothing)
}
