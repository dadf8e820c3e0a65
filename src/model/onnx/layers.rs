//! The network as operators: one set for all members, whose weights are stacked, `[members, inputs,
//! units]`, where there are several. What heads share stands there once.

use super::graph::{Graph, Name};
use super::messages::Attribute;
use crate::catalog::activation::ActivationSettings;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::network::{Dense, Tensor, TensorKind};

/// The network's outputs of its encoded inputs: `[batch, outputs]`, or `[members, batch, outputs]`.
pub(super) fn outputs(graph: &mut Graph, model: &Model, inputs: Name) -> Result<Name> {
    let tensors = model.network.tensors();
    let mut value = inputs;
    for (i, layer) in model.network.layers.iter().enumerate() {
        let own = Layer {
            model,
            layer,
            tensors: tensors.iter().filter(|t| t.layer == Some(i)).collect(),
        };
        value = own.write(graph, value)?;
    }
    Ok(value)
}

struct Layer<'a> {
    model: &'a Model,
    layer: &'a Dense,
    tensors: Vec<&'a Tensor>,
}

impl Layer<'_> {
    fn write(&self, graph: &mut Graph, input: Name) -> Result<Name> {
        let weight = self.weight(graph)?;
        let sharing = self.layer.shape.sharing;
        let mut adapted = input.clone();
        if sharing.is_some_and(|sharing| sharing.input_adapter) {
            let factors = self.vector(graph, TensorKind::InputAdapter)?;
            adapted = graph.op("Mul", &[&adapted, &factors]);
        }
        let mut product = graph.op("MatMul", &[&adapted, &weight]);
        if sharing.is_some_and(|sharing| sharing.output_adapter) {
            let factors = self.vector(graph, TensorKind::OutputAdapter)?;
            product = graph.op("Mul", &[&product, &factors]);
        }
        let bias = self.vector(graph, TensorKind::Bias)?;
        let mut value = graph.op("Add", &[&product, &bias]);
        let shape = &self.layer.shape;
        if let Some(normalization) = shape.normalization {
            value = match normalization.row.by_column {
                true => self.by_column(graph, value, normalization.epsilon())?,
                false => {
                    let centered = normalization.row.centered;
                    let hat = by_row(graph, value, normalization.epsilon(), centered);
                    let scale = self.vector(graph, TensorKind::Scale)?;
                    let mut value = graph.op("Mul", &[&hat, &scale]);
                    if normalization.row.has_shift {
                        let shift = self.vector(graph, TensorKind::Shift)?;
                        value = graph.op("Add", &[&value, &shift]);
                    }
                    value
                }
            };
        }
        value = match shape.row_activation {
            Some(row) => {
                let op = match row.name {
                    "softmax" => "Softmax",
                    "log_softmax" => "LogSoftmax",
                    other => return Err(not_known(other)),
                };
                graph.op_with(op, &[&value], vec![Attribute::int("axis", -1)])
            }
            None if shape.slopes > 0 => {
                let slope = self.slopes(graph)?;
                let above = graph.op("Relu", &[&value]);
                let below = graph.op("Sub", &[&value, &above]);
                let below = graph.op("Mul", &[&below, &slope]);
                graph.op("Add", &[&above, &below])
            }
            None => activation(graph, value, shape.activation)?,
        };
        Ok(if shape.residual { graph.op("Add", &[&value, &input]) } else { value })
    }

    /// Each member's values of a tensor; those that heads share once.
    fn values(&self, kind: TensorKind) -> Result<(&Tensor, Vec<&[f32]>)> {
        let tensor = self.tensors.iter().find(|tensor| tensor.kind == kind);
        let tensor = tensor.ok_or_else(|| Error::internal(format!("a layer has no {kind:?}")))?;
        let members = self.model.parameters.chunks_exact(self.model.network.stride);
        let members = members.take(self.model.network.copies(tensor));
        let values = members.map(|m| &m[tensor.offset..tensor.offset + tensor.length]);
        Ok((tensor, values.collect()))
    }

    /// The shape of so many vectors, which go along the last axis.
    fn dims(copies: usize, length: usize) -> Vec<usize> {
        match copies {
            1 => vec![length],
            copies => vec![copies, 1, length],
        }
    }

    fn vector(&self, graph: &mut Graph, kind: TensorKind) -> Result<Name> {
        let (tensor, values) = self.values(kind)?;
        Ok(graph.floats(&tensor.name, &Self::dims(values.len(), tensor.length), &values.concat()))
    }

    /// Slopes: one that all units share, or one a unit.
    fn slopes(&self, graph: &mut Graph) -> Result<Name> {
        self.vector(graph, TensorKind::Slope)
    }

    /// The weights turned: `[inputs, units]`.
    fn weight(&self, graph: &mut Graph) -> Result<Name> {
        let (tensor, members) = self.values(TensorKind::Weight)?;
        let (inputs, units) = (self.layer.inputs, self.layer.units);
        let mut turned = Vec::with_capacity(members.len() * inputs * units);
        for values in &members {
            for input in 0..inputs {
                turned.extend((0..units).map(|unit| values[unit * inputs + input]));
            }
        }
        let mut dims = vec![inputs, units];
        if members.len() > 1 {
            dims.insert(0, members.len());
        }
        Ok(graph.floats(&tensor.name, &dims, &turned))
    }

    /// Batch normalisation by the running statistics: a factor and a term.
    fn by_column(&self, graph: &mut Graph, value: Name, epsilon: f64) -> Result<Name> {
        let all = |kind| self.values(kind).map(|(_, values)| values.concat());
        let (scale, shift) = (all(TensorKind::Scale)?, all(TensorKind::Shift)?);
        let (mean, variance) = (all(TensorKind::RunningMean)?, all(TensorKind::RunningVariance)?);
        let factors: Vec<f64> = scale
            .iter()
            .zip(&variance)
            .map(|(scale, variance)| f64::from(*scale) / (f64::from(*variance) + epsilon).sqrt())
            .collect();
        let terms: Vec<f32> = shift
            .iter()
            .zip(&mean)
            .zip(&factors)
            .map(|((shift, mean), factor)| (f64::from(*shift) - f64::from(*mean) * factor) as f32)
            .collect();
        let factors: Vec<f32> = factors.into_iter().map(|factor| factor as f32).collect();
        let dims = Self::dims(self.model.network.members, self.layer.units);
        let factors = graph.floats("", &dims, &factors);
        let terms = graph.floats("", &dims, &terms);
        let value = graph.op("Mul", &[&value, &factors]);
        Ok(graph.op("Add", &[&value, &terms]))
    }
}

/// Layer and RMS normalisation, before scale and shift.
fn by_row(graph: &mut Graph, value: Name, epsilon: f64, centered: bool) -> Name {
    let axis = graph.integers(&[-1]);
    let mean = |graph: &mut Graph, of: &str| graph.op("ReduceMean", &[of, &axis]);
    let mut apart = value;
    if centered {
        let center = mean(graph, &apart);
        apart = graph.op("Sub", &[&apart, &center]);
    }
    let square = graph.op("Mul", &[&apart, &apart]);
    let variance = mean(graph, &square);
    let epsilon = graph.number(epsilon);
    let variance = graph.op("Add", &[&variance, &epsilon]);
    let deviation = graph.op("Sqrt", &[&variance]);
    graph.op("Div", &[&apart, &deviation])
}

fn not_known(name: &str) -> Error {
    Error::internal(format!("{name} has no ONNX operators"))
}

/// An activation without parameters of its own.
fn activation(graph: &mut Graph, x: Name, settings: ActivationSettings) -> Result<Name> {
    let [first, second] = settings.values;
    let alpha = || vec![Attribute::float("alpha", first)];
    Ok(match settings.row.name {
        "linear" => x,
        "relu" => graph.op("Relu", &[&x]),
        "relu6" => clipped(graph, &x, 0.0, 6.0),
        "leaky_relu" => graph.op_with("LeakyRelu", &[&x], alpha()),
        "elu" => graph.op_with("Elu", &[&x], alpha()),
        "celu" => graph.op_with("Celu", &[&x], alpha()),
        "selu" => graph.op("Selu", &[&x]),
        "gelu" => {
            let half = scaled(graph, &x, 0.5);
            let inner = scaled(graph, &x, std::f64::consts::FRAC_1_SQRT_2);
            let erf = graph.op("Erf", &[&inner]);
            let one = graph.number(1.0);
            let sum = graph.op("Add", &[&erf, &one]);
            graph.op("Mul", &[&half, &sum])
        }
        "gelu_tanh" => {
            let square = graph.op("Mul", &[&x, &x]);
            let cube = graph.op("Mul", &[&square, &x]);
            let cube = scaled(graph, &cube, 0.044_715);
            let sum = graph.op("Add", &[&x, &cube]);
            let inner = scaled(graph, &sum, (2.0 / std::f64::consts::PI).sqrt());
            let tanh = graph.op("Tanh", &[&inner]);
            let one = graph.number(1.0);
            let sum = graph.op("Add", &[&tanh, &one]);
            let half = scaled(graph, &x, 0.5);
            graph.op("Mul", &[&half, &sum])
        }
        "silu" => {
            let gate = graph.op("Sigmoid", &[&x]);
            graph.op("Mul", &[&x, &gate])
        }
        "mish" => {
            let softplus = graph.op("Softplus", &[&x]);
            let tanh = graph.op("Tanh", &[&softplus]);
            graph.op("Mul", &[&x, &tanh])
        }
        "softplus" => {
            let steep = scaled(graph, &x, first);
            let softplus = graph.op("Softplus", &[&steep]);
            scaled(graph, &softplus, first.recip())
        }
        "softsign" => graph.op("Softsign", &[&x]),
        "log_sigmoid" => {
            let turned = graph.op("Neg", &[&x]);
            let softplus = graph.op("Softplus", &[&turned]);
            graph.op("Neg", &[&softplus])
        }
        "tanh" => graph.op("Tanh", &[&x]),
        "sigmoid" => graph.op("Sigmoid", &[&x]),
        "hard_sigmoid" => hard_sigmoid(graph, &x),
        "hard_silu" => {
            let gate = hard_sigmoid(graph, &x);
            graph.op("Mul", &[&x, &gate])
        }
        "hard_tanh" => clipped(graph, &x, first, second),
        other => return Err(not_known(other)),
    })
}

fn hard_sigmoid(graph: &mut Graph, x: &str) -> Name {
    let attributes = vec![Attribute::float("alpha", 1.0 / 6.0), Attribute::float("beta", 0.5)];
    graph.op_with("HardSigmoid", &[x], attributes)
}

fn scaled(graph: &mut Graph, x: &str, factor: f64) -> Name {
    let factor = graph.number(factor);
    graph.op("Mul", &[x, &factor])
}

fn clipped(graph: &mut Graph, x: &str, low: f64, high: f64) -> Name {
    let (low, high) = (graph.number(low), graph.number(high));
    graph.op("Clip", &[x, &low, &high])
}
