//! What columns hold: one value, nearly one, a number for each row; and how many there are.

use super::finding::{Finding, Kind, Severity, named};
use super::sample::{Sample, Sorted};
use crate::data::Dataset;
use crate::report::count;

/// Training rows below which a column is not called nearly constant or an id.
const LEAST_ROWS: usize = 20;

/// A column is nearly constant when so many rows, and this share of them, differ at most.
const OTHER_ROWS: usize = 2;
const OTHER_SHARE: f64 = 0.001;

/// What a column holds in the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// One value.
    Constant,
    /// One value but in so many rows.
    NearlyConstant(usize),
    /// A whole number that grows from row to row.
    Ascending,
    /// Different whole numbers, one for each row, without a gap between them.
    Numbering,
    /// Anything else.
    Other,
}

pub(super) fn content(sample: &Sample, sorted: &Sorted) -> Content {
    let training = || sorted.order.iter().filter(|(row, _)| sample.set_of[*row as usize] == 0);
    let rows = sample.training_rows();
    let (mut longest, mut length, mut distinct, mut last) = (0, 0, 0, f32::NAN);
    for (_, value) in training() {
        length = if *value == last { length + 1 } else { 1 };
        distinct += usize::from(length == 1);
        longest = longest.max(length);
        last = *value;
    }
    let others = rows - longest;
    match others {
        0 => return Content::Constant,
        others if rows >= LEAST_ROWS => {
            let few = OTHER_ROWS.max((OTHER_SHARE * rows as f64) as usize);
            if others <= few {
                return Content::NearlyConstant(others);
            }
        }
        _ => return Content::Other,
    }
    if distinct < rows || sorted.is_categorical {
        return Content::Other;
    }
    let place = &sample.places[sorted.column];
    let raw: Option<Vec<f64>> = (0..rows).map(|row| place.number(sample.rows[row])).collect();
    let Some(raw) = raw else { return Content::Other };
    let (least, most) = raw.iter().fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
    // Scaling and rounding to f32 cost digits: a few units in the last place of the range.
    let tolerance = 4.0 * f64::from(f32::EPSILON) * (most - least).max(most.abs()).max(1.0);
    if tolerance > 0.25 || raw.iter().any(|x| (x - x.round()).abs() > tolerance) {
        return Content::Other;
    }
    if raw.windows(2).all(|pair| pair[1] > pair[0]) {
        return Content::Ascending;
    }
    let of_all = sample.rows.len().max(rows) as f64;
    if most - least < 1.5 * of_all { Content::Numbering } else { Content::Other }
}

pub(super) fn columns(sample: &Sample, contents: &[Content]) -> Vec<Finding> {
    let some = |pick: &dyn Fn(Content) -> bool| -> Vec<String> {
        (0..contents.len()).filter(|at| pick(contents[*at])).map(|at| sample.name(at)).collect()
    };
    let mut findings = Vec::new();
    let constant = some(&|content| content == Content::Constant);
    if !constant.is_empty() {
        let text = format!("constant in the training rows: {}", named(&constant));
        let advice = "such columns say nothing";
        // The encoding tells of it already.
        findings.push(
            Finding::new(Kind::ConstantColumn, Severity::Info, text, advice).of_columns(constant),
        );
    }
    let nearly = some(&|content| matches!(content, Content::NearlyConstant(_)));
    if !nearly.is_empty() {
        // The rim of an image is like that.
        let severity = if sample.is_image { Severity::Info } else { Severity::Note };
        let text = format!("one value in nearly every training row: {}", named(&nearly));
        let advice = "the few other rows have much to say in training: are they right?";
        findings.push(
            Finding::new(Kind::NearlyConstantColumn, severity, text, advice).of_columns(nearly),
        );
    }
    let is_id = |content| matches!(content, Content::Ascending | Content::Numbering);
    let ids = some(&is_id);
    // A single input is what there is to learn from.
    if !ids.is_empty() && contents.len() > 1 {
        let keys: Vec<String> =
            ids.iter().map(|name| format!("data.columns.{name}.type")).collect();
        let text = format!("a different whole number for each row, as an id has: {}", named(&ids));
        let advice = format!(
            "it says nothing of new rows: leave it out with {} = \"ignore\" (if it is a time, \
             data.shuffle = false holds the last rows out)",
            keys[0]
        );
        findings
            .push(Finding::new(Kind::IdColumn, Severity::Warning, text, &advice).of_columns(ids));
    }
    findings
}

/// More inputs than training rows.
pub(super) fn few_rows(dataset: &Dataset) -> Option<Finding> {
    let columns = dataset.preprocessing.columns().iter();
    let inputs = columns.map(|column| column.encoding.inputs()).sum();
    let rows = dataset.train.rows;
    if rows >= inputs {
        return None;
    }
    let text = format!(
        "{} training rows for {} inputs: a network can learn them by heart",
        count(rows as u64),
        count(inputs as u64)
    );
    let advice = "leave columns out, or use a strong l2, dropout and a small network; the linear \
                  baseline may do better";
    Some(Finding::new(Kind::FewRows, Severity::Note, text, advice))
}
