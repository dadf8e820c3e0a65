//! What was found, a row for each variant.

use serde::Serialize;
use serde_json::{Value, json};

use super::comparison::{CallSize, Outcome, Worst};
use super::training::Trained;
use crate::backend::DeviceDescription;
use crate::backend::gpu::{Subject, Wrong};
use crate::error::Error;
use crate::program::Precision;
use crate::report::duration;

/// A kernel with one tile in one precision, or another subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Variant {
    /// What it is.
    pub subject: Subject,
    /// The tile of a matrix product.
    pub tile: Option<String>,
    /// What activations are stored in.
    pub precision: Precision,
}

/// What is wrong with a variant.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The smallest size that fails.
    pub smallest: String,
    /// Its amount.
    #[serde(skip)]
    volume: u64,
    /// What the call was made for, there.
    pub case: String,
    /// What is wrong, there.
    pub text: String,
    /// Cases that fail.
    pub cases: usize,
}

/// What was found of a variant.
#[derive(Debug, Clone)]
pub struct Row {
    /// The variant.
    pub variant: Variant,
    /// Cases that it was put through.
    pub cases: usize,
    /// The largest errors of those that are right.
    pub worst: Worst,
    /// The time that they took.
    pub seconds: f64,
    /// What is wrong.
    pub failure: Option<Failure>,
}

/// What was found on a device.
#[derive(Debug, Clone)]
pub struct Findings {
    /// The device.
    pub device: DeviceDescription,
    /// What is computed wrong on it on purpose.
    pub planted_fault: Option<String>,
    /// A row for each variant.
    pub rows: Vec<Row>,
    /// The time that it took.
    pub seconds: f64,
}

impl Findings {
    /// Nothing yet.
    pub(super) fn new(device: DeviceDescription, planted_fault: Option<String>) -> Self {
        Self { device, planted_fault, rows: Vec::new(), seconds: 0.0 }
    }

    /// Whether all is right.
    pub fn are_right(&self) -> bool {
        self.rows.iter().all(|row| row.failure.is_none())
    }

    /// What is wrong, as it is kept.
    pub fn wrong(&self) -> Vec<Wrong> {
        let wrong = |row: &Row| {
            row.failure.as_ref().map(|failure| Wrong {
                subject: row.variant.subject.name().to_owned(),
                tile: row.variant.tile.clone(),
                precision: row.variant.precision,
                smallest: failure.smallest.clone(),
            })
        };
        self.rows.iter().filter_map(wrong).collect()
    }

    fn row(&mut self, variant: Variant) -> Option<&mut Row> {
        let place = self.rows.iter().position(|row| row.variant == variant);
        let place = place.unwrap_or_else(|| {
            self.rows.push(Row {
                variant,
                cases: 0,
                worst: Worst::default(),
                seconds: 0.0,
                failure: None,
            });
            self.rows.len() - 1
        });
        self.rows.get_mut(place)
    }

    /// Adds what became of a call of a case of such a name.
    pub(super) fn add(&mut self, case: &str, outcome: &Outcome) {
        let variant = Variant {
            subject: Subject::Kernel(outcome.kernel),
            tile: outcome.tile.clone(),
            precision: outcome.precision,
        };
        let Some(row) = self.row(variant) else { return };
        row.add(outcome.worst, outcome.seconds);
        if let Some(first) = outcome.differences.first() {
            let case = format!("{}: {case}", outcome.subject);
            let size = outcome.size;
            row.fail(&size.to_string(), size.volume(), &case, &first.text);
        }
    }

    /// Adds a call that the device refused.
    pub(super) fn refuse(&mut self, variant: Variant, size: &CallSize, case: &str, why: &str) {
        let Some(row) = self.row(variant) else { return };
        row.add(Worst::default(), 0.0);
        row.fail(&size.to_string(), size.volume(), case, why);
    }

    /// Adds what became of a training.
    pub(super) fn add_training(&mut self, subject: Subject, case: &str, trained: &Trained) {
        let variant = Variant { subject, tile: None, precision: Precision::F32 };
        let Some(row) = self.row(variant) else { return };
        row.add(trained.worst, trained.seconds);
        if let Some(first) = trained.differences.first() {
            row.fail(case, trained.volume, case, &first.text);
        }
    }

    /// Adds a training that the device refused.
    pub(super) fn refuse_training(&mut self, subject: Subject, case: &str, why: &Error) {
        let variant = Variant { subject, tile: None, precision: Precision::F32 };
        let Some(row) = self.row(variant) else { return };
        row.add(Worst::default(), 0.0);
        row.fail(case, u64::MAX, case, &why.to_string());
    }

    /// What is wrong.
    pub(super) fn failing(&self) -> impl Iterator<Item = &Variant> {
        self.rows.iter().filter(|row| row.failure.is_some()).map(|row| &row.variant)
    }

    /// Adds what was found of the same device elsewhere.
    pub(super) fn merge(&mut self, other: Self) {
        for theirs in other.rows {
            let Some(row) = self.row(theirs.variant) else { continue };
            row.cases += theirs.cases;
            row.worst = row.worst.max(theirs.worst);
            row.seconds += theirs.seconds;
            if let Some(Failure { smallest, volume, case, text, cases }) = theirs.failure {
                let before = row.failure.as_ref().map_or(0, |failure| failure.cases);
                row.fail(&smallest, volume, &case, &text);
                if let Some(failure) = &mut row.failure {
                    failure.cases = before + cases;
                }
            }
        }
    }

    /// Puts the rows in the order of a step, f32 first.
    pub(super) fn sort(&mut self) {
        let place = |subject: Subject| Subject::all().position(|other| other == subject);
        self.rows.sort_by_cached_key(|Row { variant, .. }| {
            let is_half = variant.precision == Precision::F16;
            (place(variant.subject), is_half, variant.tile.clone())
        });
    }

    /// One JSON document.
    pub fn to_json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "kernel": row.variant.subject.name(),
                    "tile": row.variant.tile,
                    "precision": row.variant.precision.name(),
                    "cases": row.cases,
                    "worst_ulp": row.worst.ulp,
                    "worst_share_of_bound": row.worst.share,
                    "seconds": row.seconds,
                    "passed": row.failure.is_none(),
                    "failure": row.failure,
                })
            })
            .collect();
        json!({
            "device": self.device,
            "version": env!("CARGO_PKG_VERSION"),
            "planted_fault": self.planted_fault,
            "kernels": rows,
            "cases": self.cases(),
            "seconds": self.seconds,
            "passed": self.are_right(),
        })
    }

    fn cases(&self) -> usize {
        self.rows.iter().map(|row| row.cases).sum()
    }

    /// The device, on one line.
    fn device_line(&self) -> String {
        let DeviceDescription { name, backend, driver, kind } = &self.device;
        let driver = if driver.is_empty() { String::new() } else { format!(", {driver}") };
        match kind.as_str() == backend.as_str() {
            true => format!("{name} ({backend}{driver})"),
            false => format!("{name} ({backend}, {kind}{driver})"),
        }
    }

    /// A table of the variants, what is wrong, and one line of verdict.
    pub fn to_text(&self) -> String {
        let head = ["kernel", "variant", "cases", "worst ulp", "of bound", "time", ""];
        let lines: Vec<[String; 7]> = self.rows.iter().map(Row::cells).collect();
        let mut widths = head.map(str::len);
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.len());
            }
        }
        let written = |cells: [&str; 7]| {
            let mut text = String::new();
            for (i, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
                match i {
                    0 => text.push_str(&format!("{cell:<width$}")),
                    1 | 6 => text.push_str(&format!("  {cell:<width$}")),
                    _ => text.push_str(&format!("  {cell:>width$}")),
                }
            }
            format!("{}\n", text.trim_end())
        };
        let mut text = format!("{}\n\n{}", self.device_line(), written(head));
        for line in &lines {
            text.push_str(&written(line.each_ref().map(String::as_str)));
        }
        for row in &self.rows {
            let Some(Failure { smallest, case, text: wrong, cases, .. }) = &row.failure else {
                continue;
            };
            text.push_str(&format!(
                "\nWRONG: {} on {}\n  {cases} of {} cases; the smallest is {smallest}\n  {wrong}\n  \
                 in {case}\n",
                row.variant.describe(),
                self.device_line(),
                row.cases
            ));
        }
        text.push_str(&format!("\n{}\n", self.verdict()));
        text
    }

    /// The verdict, on one line.
    pub fn verdict(&self) -> String {
        let wrong: Vec<String> = self
            .rows
            .iter()
            .filter(|row| row.failure.is_some())
            .map(|row| row.variant.describe())
            .collect();
        let (cases, took) = (self.cases(), duration(self.seconds));
        let name = &self.device.name;
        if wrong.is_empty() {
            let worst = self.rows.iter().map(|row| row.worst.share).fold(0.0, f64::max);
            format!(
                "right: {name} computes as the reference does, in {cases} cases of {} variants \
                 ({took}); no error is above {:.0} % of its bound",
                self.rows.len(),
                100.0 * worst
            )
        } else {
            format!(
                "wrong: {name} computes {} of {} variants wrong ({took}): {}",
                wrong.len(),
                self.rows.len(),
                wrong.join(", ")
            )
        }
    }
}

impl Variant {
    /// Such as `dense_forward with the tile naive in f16`.
    fn describe(&self) -> String {
        let tile = self.tile.as_ref().map(|tile| format!(" with the tile {tile}"));
        let halves = if self.precision == Precision::F16 { " in f16" } else { "" };
        format!("{}{}{halves}", self.subject.name(), tile.unwrap_or_default())
    }
}

impl Row {
    fn add(&mut self, worst: Worst, seconds: f64) {
        self.cases += 1;
        self.worst = self.worst.max(worst);
        self.seconds += seconds;
    }

    fn fail(&mut self, size: &str, volume: u64, case: &str, text: &str) {
        let cases = self.failure.as_ref().map_or(0, |failure| failure.cases) + 1;
        let is_smaller = self.failure.as_ref().is_none_or(|failure| volume < failure.volume);
        match &mut self.failure {
            Some(failure) if !is_smaller => failure.cases = cases,
            failure => {
                *failure = Some(Failure {
                    smallest: size.to_owned(),
                    volume,
                    case: case.to_owned(),
                    text: text.to_owned(),
                    cases,
                });
            }
        }
    }

    /// The cells of its line.
    fn cells(&self) -> [String; 7] {
        let halves = self.variant.precision == Precision::F16;
        let tile = match (&self.variant.tile, halves) {
            (Some(tile), true) => format!("{tile} f16"),
            (Some(tile), false) => tile.clone(),
            (None, true) => "f16".to_owned(),
            (None, false) => String::new(),
        };
        [
            self.variant.subject.name().to_owned(),
            tile,
            self.cases.to_string(),
            ulps(self.worst.ulp),
            format!("{:.1} %", 100.0 * self.worst.share),
            duration(self.seconds),
            if self.failure.is_some() { "WRONG" } else { "right" }.to_owned(),
        ]
    }
}

/// A number of units in the last place.
fn ulps(count: f64) -> String {
    if count < 1e4 { format!("{count:.2}") } else { format!("{count:.1e}") }
}
