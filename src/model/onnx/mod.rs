//! A model as ONNX: raw columns in, what `wgfit predict` says out, with the preprocessing, the network
//! and the meaning of its outputs as operators of ONNX and of its domain for tables and text.
//!
//! Each column that the network takes is an input of its own, named as in the data, `[batch, 1]`: f32, or
//! text where it is categorical. `prediction` comes first: `[batch]` classes as text (of several
//! labels those above one half, parted by spaces), or `[batch, targets]` numbers in the user's units;
//! then, where there are classes or labels, `probabilities`: `[batch, classes]`. Members are averaged as
//! in `predict`.

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

/// The names of the outputs.
const OUTPUTS: [&str; 2] = ["prediction", "probabilities"];

impl Model {
    /// The model as an ONNX file's bytes. Two equal models give equal bytes.
    ///
    /// # Errors
    /// A column named like an output, or a model past the 2 GiB that the format holds.
    pub fn to_onnx(&self) -> Result<Vec<u8>> {
        let mut graph = Graph::default();
        graph.proto.name = "wgfit".to_owned();
        let inputs = columns::encoded(&mut graph, self)?;
        let outputs = layers::outputs(&mut graph, self, inputs)?;
        self.said(&mut graph, outputs)?;
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
        write_atomically(path, &self.to_onnx()?)
    }

    /// What the network's outputs mean.
    fn said(&self, graph: &mut Graph, outputs: Name) -> Result<()> {
        let task = self.preprocessing.task();
        let probabilities = match task {
            Task::Regression => return self.numbers(graph, &outputs),
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
        let probabilities = self.averaged(graph, probabilities);
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
        let [prediction, named] = OUTPUTS;
        graph.output(prediction, &said, STRING, &[None]);
        graph.output(named, &probabilities, FLOAT, &[None, Some(classes.len())]);
        Ok(())
    }

    /// Predictions of a regression, in the user's units.
    fn numbers(&self, graph: &mut Graph, outputs: &str) -> Result<()> {
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
        let value = self.averaged(graph, value);
        let value = graph.cast(&value, FLOAT);
        graph.output(OUTPUTS[0], &value, FLOAT, &[None, Some(width)]);
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
