//! Raw columns as inputs of the network, in operators: computed in f64 and rounded once, as `predict`
//! does. Where a column is embedded, its vectors are looked up here: each member's own.

use super::graph::{Graph, Name};
use super::messages::{Attribute, DOUBLE, FLOAT, STRING};
use crate::data::{
    Encoding, LEAST_PROBABILITY, MIDDLE, MIDDLE_HALF, MIDDLE_SQUARE, MissingCategory,
    MissingNumber, Quantiles, SMOOTH_CLIP, Scale, Scaler, TAIL, TAIL_START,
};
use crate::error::{Error, Result};
use crate::model::Model;

/// The columns as the first layer takes them: `[batch, inputs]`; `[members, batch, inputs]` where several
/// members have tables of their own.
/// `outputs` are names that no column may have.
pub(super) fn encoded(graph: &mut Graph, model: &Model, outputs: &[&str]) -> Result<Name> {
    // Each with whether every member has its own.
    let mut parts: Vec<(Name, bool)> = Vec::new();
    let mut affine = Affine::default();
    let mut tables = 0;
    for column in model.preprocessing.columns() {
        let name = &column.name;
        if outputs.contains(&name.as_str()) || name.starts_with("wgfit/") || name.is_empty() {
            return Err(Error::usage(format!("the column {name:?} cannot be an ONNX input"))
                .with_help(format!(
                    "the outputs are named {}; rename the column and train again",
                    outputs.join(" and ")
                )));
        }
        match &column.encoding {
            Encoding::Numeric { scaler: Scaler::Affine(scale), missing }
                if !indicates(*missing) =>
            {
                let number = graph.input(name, FLOAT);
                affine.push(number, *scale, *missing);
            }
            Encoding::Numeric { scaler, missing } => {
                parts.extend(affine.take(graph));
                let number = graph.input(name, FLOAT);
                let (wide, is_missing) = filled(graph, &number, *missing);
                let scaled = scaled(graph, wide, scaler);
                parts.push((graph.cast(&scaled, FLOAT), false));
                parts.extend(indicator(graph, is_missing, *missing));
            }
            Encoding::Boolean { missing } => {
                parts.extend(affine.take(graph));
                let number = graph.input(name, FLOAT);
                let (wide, is_missing) = filled(graph, &number, *missing);
                parts.push((graph.cast(&wide, FLOAT), false));
                parts.extend(indicator(graph, is_missing, *missing));
            }
            Encoding::Categorical { categories, missing } => {
                parts.extend(affine.take(graph));
                let text = graph.input(name, STRING);
                parts.push((one_hot(graph, &text, categories, *missing), false));
            }
            Encoding::Embedding { categories, size, missing } => {
                parts.extend(affine.take(graph));
                let text = graph.input(name, STRING);
                let none = categories.len() + usize::from(*missing == MissingCategory::Own);
                let code = code(graph, &text, categories, *missing, none);
                let vectors = vectors(graph, model, &code, tables, [none, *size])?;
                parts.push((vectors, model.network.members > 1));
                tables += 1;
            }
            Encoding::Date(_) => {
                return Err(Error::usage(format!("the column {name:?} holds dates")).with_help(
                    "ONNX has no operator that reads dates: train on numbers made of them, or \
                         leave the column out",
                ));
            }
        }
    }
    parts.extend(affine.take(graph));
    if parts.iter().any(|(_, of_members)| *of_members) {
        let members = graph.integers(&[model.network.members as i64, 1, 1]);
        for (part, _) in parts.iter_mut().filter(|(_, of_members)| !of_members) {
            *part = graph.op("Expand", &[part, &members]);
        }
    }
    let parts: Vec<Name> = parts.into_iter().map(|(part, _)| part).collect();
    Ok(graph.beside(&parts))
}

fn indicates(missing: MissingNumber) -> bool {
    matches!(missing, MissingNumber::Fill { indicator: true, .. })
}

/// Neighbouring columns of numbers that an affine scaling alone is done to.
#[derive(Default)]
struct Affine {
    numbers: Vec<Name>,
    scales: Vec<Scale>,
    /// What fills a missing number; "not a number" where it is refused.
    fills: Vec<f64>,
}

impl Affine {
    fn push(&mut self, number: Name, scale: Scale, missing: MissingNumber) {
        self.numbers.push(number);
        self.scales.push(scale);
        self.fills.push(match missing {
            MissingNumber::Error => f64::NAN,
            MissingNumber::Fill { value, .. } => value,
        });
    }

    fn take(&mut self, graph: &mut Graph) -> Option<(Name, bool)> {
        let Self { numbers, scales, fills } = std::mem::take(self);
        if numbers.is_empty() {
            return None;
        }
        let columns = graph.beside(&numbers);
        let mut wide = graph.cast(&columns, DOUBLE);
        if fills.iter().any(|fill| !fill.is_nan()) {
            let is_missing = graph.op("IsNaN", &[&wide]);
            let fills = graph.doubles(&fills);
            wide = graph.op("Where", &[&is_missing, &fills, &wide]);
        }
        let shifts: Vec<f64> = scales.iter().map(|scale| scale.shift).collect();
        let divisors: Vec<f64> = scales.iter().map(|scale| scale.scale).collect();
        let (shifts, divisors) = (graph.doubles(&shifts), graph.doubles(&divisors));
        let apart = graph.op("Sub", &[&wide, &shifts]);
        let scaled = graph.op("Div", &[&apart, &divisors]);
        Some((graph.cast(&scaled, FLOAT), false))
    }
}

/// A column of numbers in f64 with what is missing filled, and which were missing.
fn filled(graph: &mut Graph, number: &str, missing: MissingNumber) -> (Name, Name) {
    let wide = graph.cast(number, DOUBLE);
    let is_missing = graph.op("IsNaN", &[&wide]);
    let filled = match missing {
        MissingNumber::Error => wide,
        MissingNumber::Fill { value, .. } => {
            let value = graph.doubles(&[value]);
            graph.op("Where", &[&is_missing, &value, &wide])
        }
    };
    (filled, is_missing)
}

fn indicator(graph: &mut Graph, is_missing: Name, missing: MissingNumber) -> Option<(Name, bool)> {
    indicates(missing).then(|| (graph.cast(&is_missing, FLOAT), false))
}

/// One-hot categories. A text that is none of them, which training did not see, has zeros; the empty
/// text is what is missing.
fn one_hot(graph: &mut Graph, text: &str, categories: &[String], missing: MissingCategory) -> Name {
    let hot_of = |graph: &mut Graph, texts: &[String]| {
        let attributes =
            vec![Attribute::strings("cats_strings", texts), Attribute::int("zeros", 1)];
        let hot = graph.ml("OneHotEncoder", &[text], attributes);
        graph.op_with("Flatten", &[&hot], vec![Attribute::int("axis", 1)])
    };
    match missing {
        MissingCategory::Error | MissingCategory::None => hot_of(graph, categories),
        MissingCategory::Own => {
            let own = [categories, &[String::new()]].concat();
            hot_of(graph, &own)
        }
        MissingCategory::Category(code) => {
            let hot = hot_of(graph, categories);
            let empty = hot_of(graph, &[String::new()]);
            let category: Vec<f32> =
                (0..categories.len()).map(|at| f32::from(u8::from(at == code))).collect();
            let category = graph.floats("", &[categories.len()], &category);
            let filled = graph.op("Mul", &[&empty, &category]);
            graph.op("Add", &[&hot, &filled])
        }
    }
}

/// The code of each text, `[batch]`; `none` of one that training did not see. The empty text is what is
/// missing.
fn code(
    graph: &mut Graph,
    text: &str,
    categories: &[String],
    missing: MissingCategory,
    none: usize,
) -> Name {
    let of_missing = match missing {
        MissingCategory::Error | MissingCategory::None => none,
        MissingCategory::Own => categories.len(),
        MissingCategory::Category(code) => code,
    };
    let keys = [categories, &[String::new()]].concat();
    let codes = (0..categories.len()).chain([of_missing]).map(|code| code as i64);
    let attributes = vec![
        Attribute::int("default_int64", none as i64),
        Attribute::strings("keys_strings", &keys),
        Attribute::ints("values_int64s", codes.collect()),
    ];
    let code = graph.ml("LabelEncoder", &[text], attributes);
    let shape = graph.integers(&[-1]);
    graph.op("Reshape", &[&code, &shape])
}

/// The vectors of codes out of the table of that index, whose last row, of zeros, is that of no category:
/// `[batch, size]`, or `[members, batch, size]`.
fn vectors(
    graph: &mut Graph,
    model: &Model,
    code: &str,
    table: usize,
    [rows, size]: [usize; 2],
) -> Result<Name> {
    let name = format!("embeddings.{table}.weight");
    let tensors = model.network.tensors();
    let tensor = tensors.iter().find(|tensor| tensor.name == name);
    let tensor = tensor.filter(|tensor| tensor.length == rows * size);
    let tensor = tensor.ok_or_else(|| Error::internal(format!("the network has no {name}")))?;
    let mut values = Vec::with_capacity(model.network.members * (rows + 1) * size);
    for member in model.parameters.chunks_exact(model.network.stride) {
        values.extend_from_slice(&member[tensor.offset..tensor.offset + tensor.length]);
        values.extend(std::iter::repeat_n(0.0, size));
    }
    let (dims, axis) = match model.network.members {
        1 => (vec![rows + 1, size], 0),
        members => (vec![members, rows + 1, size], 1),
    };
    let values = graph.floats(&name, &dims, &values);
    Ok(graph.op_with("Gather", &[&values, code], vec![Attribute::int("axis", axis)]))
}

fn affine(graph: &mut Graph, wide: &str, scale: Scale) -> Name {
    let shift = graph.doubles(&[scale.shift]);
    let divisor = graph.doubles(&[scale.scale]);
    let apart = graph.op("Sub", &[wide, &shift]);
    graph.op("Div", &[&apart, &divisor])
}

fn scaled(graph: &mut Graph, wide: Name, scaler: &Scaler) -> Name {
    match scaler {
        Scaler::Affine(scale) => affine(graph, &wide, *scale),
        Scaler::Log1p(scale) => {
            let (zero, one) = (graph.doubles(&[0.0]), graph.doubles(&[1.0]));
            let from_zero = graph.op("Max", &[&wide, &zero]);
            let next = graph.op("Add", &[&from_zero, &one]);
            let logarithm = graph.op("Log", &[&next]);
            affine(graph, &logarithm, *scale)
        }
        Scaler::SmoothClip(scale) => {
            let z = affine(graph, &wide, *scale);
            let (end, one) = (graph.doubles(&[SMOOTH_CLIP]), graph.doubles(&[1.0]));
            let share = graph.op("Div", &[&z, &end]);
            let square = graph.op("Mul", &[&share, &share]);
            let sum = graph.op("Add", &[&square, &one]);
            let root = graph.op("Sqrt", &[&sum]);
            graph.op("Div", &[&z, &root])
        }
        Scaler::Quantile(quantiles) => {
            let share = probability(graph, &wide, quantiles);
            normal_quantile(graph, share)
        }
    }
}

/// The share of the training rows below each number, as `Quantiles` has it.
fn probability(graph: &mut Graph, wide: &str, quantiles: &Quantiles) -> Name {
    let all = &quantiles.quantiles;
    let last = all.len().saturating_sub(1);
    let (narrow, list) = (graph.cast(wide, FLOAT), graph.doubles(all));
    let x = graph.cast(&narrow, DOUBLE);
    let axis = graph.integers(&[1]);
    let count = |graph: &mut Graph, op: &str| {
        let holds = graph.op(op, &[&x, &list]);
        let ones = graph.cast(&holds, DOUBLE);
        graph.op("ReduceSum", &[&ones, &axis])
    };
    // Quantiles below each number, and those up to it.
    let below = count(graph, "Greater");
    let up_to = count(graph, "GreaterOrEqual");
    let (zero, one, half) = (graph.doubles(&[0.0]), graph.doubles(&[1.0]), graph.doubles(&[0.5]));
    let most = graph.doubles(&[last as f64]);
    let neighbour = |graph: &mut Graph, place: &str| {
        let low = graph.op("Max", &[place, &zero]);
        let within = graph.op("Min", &[&low, &most]);
        let index = graph.cast(&within, super::messages::INT64);
        graph.op("Gather", &[&list, &index])
    };
    let before = graph.op("Sub", &[&below, &one]);
    let (left, right) = (neighbour(graph, &before), neighbour(graph, &below));
    // Between two quantiles by a straight line. Where they are one, the other branch is taken, and this
    // one must not divide by 0.
    let apart = graph.op("Sub", &[&right, &left]);
    let is_flat = graph.op("Equal", &[&apart, &zero]);
    let apart = graph.op("Where", &[&is_flat, &one, &apart]);
    let beyond = graph.op("Sub", &[&x, &left]);
    let part = graph.op("Div", &[&beyond, &apart]);
    let between = graph.op("Add", &[&before, &part]);
    // Halfway where a number equals several.
    let sum = graph.op("Add", &[&before, &up_to]);
    let halfway = graph.op("Mul", &[&sum, &half]);
    let equals = graph.op("Greater", &[&up_to, &below]);
    let place = graph.op("Where", &[&equals, &halfway, &between]);
    let share = graph.op("Div", &[&place, &most]);
    let (first, end) = (
        graph.doubles(&[all.first().copied().unwrap_or_default()]),
        graph.doubles(&[all.last().copied().unwrap_or_default()]),
    );
    let at_least = graph.op("LessOrEqual", &[&x, &first]);
    let at_most = graph.op("GreaterOrEqual", &[&x, &end]);
    let share = graph.op("Where", &[&at_least, &zero, &share]);
    graph.op("Where", &[&at_most, &one, &share])
}

/// The quantile of the standard normal distribution: AS 241, both of its branches.
fn normal_quantile(graph: &mut Graph, share: Name) -> Name {
    let (least, most) =
        (graph.doubles(&[LEAST_PROBABILITY]), graph.doubles(&[1.0 - LEAST_PROBABILITY]));
    let low = graph.op("Max", &[&share, &least]);
    let p = graph.op("Min", &[&low, &most]);
    let (half, one) = (graph.doubles(&[0.5]), graph.doubles(&[1.0]));
    let q = graph.op("Sub", &[&p, &half]);

    let square = graph.op("Mul", &[&q, &q]);
    let start = graph.doubles(&[MIDDLE_SQUARE]);
    let r = graph.op("Sub", &[&start, &square]);
    let ratio = rational(graph, &r, &MIDDLE);
    let middle = graph.op("Mul", &[&q, &ratio]);

    let other = graph.op("Sub", &[&one, &p]);
    let tail = graph.op("Min", &[&p, &other]);
    let logarithm = graph.op("Log", &[&tail]);
    let turned = graph.op("Neg", &[&logarithm]);
    let root = graph.op("Sqrt", &[&turned]);
    let start = graph.doubles(&[TAIL_START]);
    let r = graph.op("Sub", &[&root, &start]);
    let size = rational(graph, &r, &TAIL);
    let sign = graph.op("Sign", &[&q]);
    let tail = graph.op("Mul", &[&size, &sign]);

    let distance = graph.op("Abs", &[&q]);
    let end = graph.doubles(&[MIDDLE_HALF]);
    let is_middle = graph.op("LessOrEqual", &[&distance, &end]);
    graph.op("Where", &[&is_middle, &middle, &tail])
}

/// A quotient of two polynomials, whose coefficients begin with the constant term.
fn rational(graph: &mut Graph, r: &str, coefficients: &[[f64; 8]; 2]) -> Name {
    let [above, below] = coefficients.each_ref().map(|terms| {
        let mut sum: Option<Name> = None;
        for term in terms.iter().rev() {
            let term = graph.doubles(&[*term]);
            sum = Some(match sum {
                None => term,
                Some(sum) => {
                    let product = graph.op("Mul", &[&sum, r]);
                    graph.op("Add", &[&product, &term])
                }
            });
        }
        sum.unwrap_or_default()
    });
    graph.op("Div", &[&above, &below])
}
