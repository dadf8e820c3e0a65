//! A graph while it is built: operators are appended, each with one output, whose name is handed on.

use super::messages::{
    Attribute, DOUBLE, Dimension, FLOAT, GraphProto, INT64, Length, NodeProto, STRING, TensorProto,
    TensorShape, TensorType, TypeProto, ValueInfo,
};

/// The domain of the operators for tables and text.
pub(super) const ML: &str = "ai.onnx.ml";

/// The name of a value in the graph.
pub(super) type Name = String;

/// A graph on its way.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) proto: GraphProto,
    named: usize,
}

impl Graph {
    fn fresh(&mut self, of: &str) -> Name {
        self.named += 1;
        format!("wgfit/{of}.{}", self.named)
    }

    /// An input of shape `[batch, 1]`.
    pub(super) fn input(&mut self, name: &str, elem_type: i32) -> Name {
        self.proto.input.push(value(name, elem_type, &[None, Some(1)]));
        name.to_owned()
    }

    /// Gives a value the name of an output; none stands for the length of the batch.
    pub(super) fn output(&mut self, name: &str, of: &str, elem_type: i32, shape: &[Option<usize>]) {
        self.node("Identity", "", &[of], name, Vec::new());
        self.proto.output.push(value(name, elem_type, shape));
    }

    fn node(&mut self, op: &str, domain: &str, of: &[&str], to: &str, attribute: Vec<Attribute>) {
        self.proto.node.push(NodeProto {
            input: of.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![to.to_owned()],
            name: format!("{op}:{to}"),
            op_type: op.to_owned(),
            attribute,
            domain: domain.to_owned(),
        });
    }

    /// An operator of ONNX.
    pub(super) fn op(&mut self, op: &str, of: &[&str]) -> Name {
        self.op_with(op, of, Vec::new())
    }

    /// An operator with attributes.
    pub(super) fn op_with(&mut self, op: &str, of: &[&str], attributes: Vec<Attribute>) -> Name {
        let name = self.fresh(op);
        self.node(op, "", of, &name, attributes);
        name
    }

    /// An operator for tables and text.
    pub(super) fn ml(&mut self, op: &str, of: &[&str], attributes: Vec<Attribute>) -> Name {
        let name = self.fresh(op);
        self.node(op, ML, of, &name, attributes);
        name
    }

    fn constant(&mut self, name: &str, dims: &[usize], data_type: i32, raw: Vec<u8>) -> Name {
        self.proto.initializer.push(TensorProto {
            dims: dims.iter().map(|length| *length as i64).collect(),
            data_type,
            name: name.to_owned(),
            raw_data: Some(raw),
            ..TensorProto::default()
        });
        name.to_owned()
    }

    /// Constants in f32; an empty shape is a single number.
    pub(super) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Name {
        let name = if name.is_empty() { self.fresh("constant") } else { name.to_owned() };
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(&name, dims, FLOAT, raw)
    }

    /// A single number.
    pub(super) fn number(&mut self, value: f64) -> Name {
        self.floats("", &[], &[value as f32])
    }

    /// Constants in f64.
    pub(super) fn doubles(&mut self, values: &[f64]) -> Name {
        let name = self.fresh("constant");
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(&name, &[values.len()], DOUBLE, raw)
    }

    /// A list of integers.
    pub(super) fn integers(&mut self, values: &[i64]) -> Name {
        let name = self.fresh("constant");
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(&name, &[values.len()], INT64, raw)
    }

    /// A list of texts.
    pub(super) fn texts<S: AsRef<str>>(&mut self, values: &[S]) -> Name {
        let name = self.fresh("constant");
        self.proto.initializer.push(TensorProto {
            dims: vec![values.len() as i64],
            data_type: STRING,
            string_data: values.iter().map(|text| text.as_ref().as_bytes().to_vec()).collect(),
            name: name.clone(),
            raw_data: None,
        });
        name
    }

    /// Converts to another element type.
    pub(super) fn cast(&mut self, of: &str, to: i32) -> Name {
        self.op_with("Cast", &[of], vec![Attribute::int("to", i64::from(to))])
    }

    /// Columns side by side.
    pub(super) fn beside(&mut self, parts: &[Name]) -> Name {
        if let [one] = parts {
            return one.clone();
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.op_with("Concat", &parts, vec![Attribute::int("axis", -1)])
    }
}

fn value(name: &str, elem_type: i32, shape: &[Option<usize>]) -> ValueInfo {
    let dim = shape.iter().map(|length| Dimension {
        length: Some(match length {
            Some(length) => Length::Value(*length as i64),
            None => Length::Name("batch".to_owned()),
        }),
    });
    let shape = TensorShape { dim: dim.collect() };
    let tensor = TensorType { elem_type, shape: Some(shape) };
    ValueInfo { name: name.to_owned(), kind: Some(TypeProto { tensor: Some(tensor) }) }
}
