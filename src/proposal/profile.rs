//! What a file is like: read as training reads it.

use std::collections::BTreeMap;

use serde_json::json;

use super::Request;
use crate::analysis::columns::{Place, image_side, places};
use crate::audit::{Finding, Kind, Severity, audit};
use crate::config::Config;
use crate::config::data::Task;
use crate::data::{self, Dataset};
use crate::error::{Error, Result};

/// A column has heavy tails where a value is so many interquartile ranges from the median.
const HEAVY: f64 = 30.0;

/// Rows that columns are looked at on at most.
const MOST_ROWS: usize = 20_000;

/// What a file is like.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) rows: usize,
    /// Inputs of the network.
    pub(super) inputs: usize,
    pub(super) numeric: usize,
    pub(super) categorical: usize,
    pub(super) task: Task,
    /// Classes or labels.
    pub(super) classes: Vec<String>,
    /// The rarest class and the commonest, and their rows, where they are of very different sizes.
    pub(super) imbalance: Option<String>,
    /// Whether the columns are pixels; then their largest value.
    pub(super) pixels: Option<f64>,
    /// Columns with heavy tails.
    pub(super) heavy: Vec<String>,
    /// Columns to leave out, and why.
    pub(super) ignored: BTreeMap<String, String>,
    /// Columns that may give the target away.
    pub(super) leaks: Vec<String>,
    /// What else there is to know.
    pub(super) findings: Vec<Finding>,
    /// Rows of a test file.
    pub(super) test_rows: Option<usize>,
}

/// Reads the file. The request comes back with its targets as the file has them.
pub(super) fn look(request: &Request) -> Result<(Profile, Request)> {
    let mut ignored: BTreeMap<String, String> = BTreeMap::new();
    let mut request = request.clone();
    if request.targets.is_empty() && request.labels.is_none() {
        return Err(no_target(request));
    }
    // What was wrong with the column that was left out last.
    let mut last: Option<(String, Error)> = None;
    let dataset = loop {
        match load(&request, &ignored) {
            Ok(dataset) => break dataset,
            Err(Error::Config { path, .. })
                if path.starts_with("data.target") && by_index(&mut request) => {}
            // A whole column is at fault, not a cell of it: the others may do.
            Err(Error::Data { file, place, problem, help })
                if place.line.is_none()
                    && place.byte.is_none()
                    && place.column.as_ref().is_some_and(|column| {
                        !ignored.contains_key(column) && !request.targets.contains(column)
                    }) =>
            {
                let column = place.column.clone().unwrap_or_default();
                ignored.insert(column.clone(), problem.clone());
                last = Some((column, Error::Data { file, place, problem, help }));
            }
            Err(error) => {
                // A target by its index is known by its name when it cannot be left out.
                let refused = match (&error, last) {
                    (Error::Config { path, .. }, Some((column, of_target)))
                        if *path == format!("data.columns.{column}.type") =>
                    {
                        of_target
                    }
                    _ => error,
                };
                return Err(as_flags(refused));
            }
        }
    };
    let mut findings = audit(&dataset)?;
    let pixels = largest_pixel(&dataset);
    let is_image = pixels.is_some();
    // The rim of an image stays.
    for (kind, why) in [
        (Kind::IdColumn, "a different whole number for each row"),
        (Kind::ConstantColumn, "one value in every row"),
    ] {
        for finding in findings.iter().filter(|finding| finding.kind == kind && !is_image) {
            let names = finding.columns.iter().cloned();
            ignored.extend(names.map(|name| (name, why.to_owned())));
        }
    }
    let places = places(&dataset.preprocessing);
    if places.iter().all(|place| ignored.contains_key(&place.column.name)) {
        // There is nothing else to learn from.
        places.iter().for_each(|place| drop(ignored.remove(&place.column.name)));
    }
    let of_kind = |kind: Kind| findings.iter().filter(move |finding| finding.kind == kind);
    let leaks = of_kind(Kind::LeakingColumn).flat_map(|finding| finding.columns.clone()).collect();
    let imbalance = of_kind(Kind::ImbalancedClasses).map(|finding| finding.text.clone()).next();
    let kept: Vec<&Place> =
        places.iter().filter(|place| !ignored.contains_key(&place.column.name)).collect();
    let numeric = kept.iter().filter(|place| !place.is_categorical()).count();
    let heavy = kept
        .iter()
        .filter(|place| !is_image && has_heavy_tails(&dataset, place))
        .map(|place| place.column.name.clone())
        .collect();
    let told = [Kind::IdColumn, Kind::ConstantColumn, Kind::ImbalancedClasses, Kind::LeakingColumn];
    let (inputs, categorical) =
        (kept.iter().map(|place| place.column.encoding.inputs()).sum(), kept.len() - numeric);
    findings.retain(|finding| finding.severity > Severity::Info && !told.contains(&finding.kind));
    let profile = Profile {
        rows: dataset.train.rows,
        inputs,
        numeric,
        categorical,
        task: dataset.preprocessing.task(),
        classes: dataset.preprocessing.classes().to_vec(),
        imbalance,
        pixels,
        heavy,
        ignored,
        leaks,
        findings,
        test_rows: dataset.test.as_ref().map(|test| test.rows),
    };
    Ok((profile, request))
}

/// Encoded values that are looked at of data that does not fit in memory.
const STREAMED_VALUES: usize = 1 << 24;

/// All rows of the file, none held out.
fn load(request: &Request, ignored: &BTreeMap<String, String>) -> Result<Dataset> {
    let mut data = request.data();
    data.insert("validation".into(), json!(0));
    if let Some(test) = &request.test {
        data.insert("test".into(), json!(test));
    }
    let columns: BTreeMap<_, _> =
        ignored.keys().map(|name| (name, json!({ "type": "ignore" }))).collect();
    data.insert("columns".into(), json!(columns));
    let config = Config::parse(&json!({ "data": data }).to_string(), "", &[])?;
    let dataset = data::load(&config.validate(&request.folder)?.data)?;
    if dataset.is_streamed() { dataset.sampled(STREAMED_VALUES) } else { Ok(dataset) }
}

/// Takes targets that no column is named by, and that are whole numbers, for indices; returns whether
/// that changed anything.
fn by_index(request: &mut Request) -> bool {
    let index = |target: &String| target.parse::<usize>().ok();
    let are_indices = !request.targets.is_empty()
        && !request.by_index
        && request.targets.iter().all(|target| index(target).is_some());
    request.by_index |= are_indices;
    are_indices
}

/// The error of a request without a target: what the columns are, the file says.
fn no_target(mut request: Request) -> Error {
    // No column has such a name.
    request.targets.push("\u{0}".to_owned());
    match load(&request, &BTreeMap::new()) {
        Err(Error::Config { path, help, .. }) if path == "data.target" => {
            Error::usage("--target: which column is to be predicted?").with_help(help)
        }
        Err(error) => as_flags(error),
        Ok(_) => Error::internal("a column that is not there was found"),
    }
}

/// An error of a config's key as one of the command line.
fn as_flags(error: Error) -> Error {
    let Error::Config { path, problem, help, .. } = error else { return error };
    let flag = match path.split(['[', '.']).nth(1) {
        Some("target") => "--target",
        Some("labels") => "--labels",
        Some("test") => "--test",
        Some("test_labels") => "--test-labels",
        Some("task") => "--task",
        _ => return Error::config(path, problem).with_help(help),
    };
    Error::usage(format!("{flag}: {problem}")).with_help(help)
}

/// The values of a numeric column, in its own unit, in rows at equal distances.
fn values(dataset: &Dataset, place: &Place) -> Vec<f64> {
    let inputs = dataset.preprocessing.inputs();
    let rows = dataset.train.rows;
    let count = rows.min(MOST_ROWS);
    (0..count)
        .map(|at| at * rows / count)
        .filter_map(|row| place.number(&dataset.train.features[row * inputs..(row + 1) * inputs]))
        .collect()
}

/// The largest value of columns that are pixels, none of them below 0.
fn largest_pixel(dataset: &Dataset) -> Option<f64> {
    image_side(&dataset.preprocessing)?;
    let places = places(&dataset.preprocessing);
    crate::analysis::columns::brightest(&places, &dataset.train)
}

fn has_heavy_tails(dataset: &Dataset, place: &Place) -> bool {
    if place.is_categorical() {
        return false;
    }
    let mut values = values(dataset, place);
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| values.get((share * values.len() as f64) as usize).copied();
    let (Some(low), Some(median), Some(high)) = (at(0.25), at(0.5), at(0.75)) else { return false };
    let (Some(least), Some(most)) = (values.first(), values.last()) else { return false };
    let range = high - low;
    range > 0.0 && (most - median).max(median - least) > HEAVY * range
}
