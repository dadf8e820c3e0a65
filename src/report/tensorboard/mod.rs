//! Event files for TensorBoard: scalars, histograms of what the network looks like inside, and the
//! config as hyperparameters.
//!
//! A file is a sequence of records: a length, its checksum, a Protocol Buffers message, its checksum
//! (TensorFlow's `record_writer.cc`). Steps are optimizer steps. With several members a scalar is
//! their mean, and `{tag}.min` and `{tag}.max` stand beside it.

mod messages;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::config::Config;
use crate::disk::AppendedFile;
use crate::error::Result;
use crate::train::observation::{Histogram, Observation};
use crate::train::{EpochRecord, Outcome, Scores, StepRecord, StopReason};
use messages::{
    Dimension, Event, HParam, HParamValue, HParams, HistogramMessage, PluginData, Session,
    SessionEnd, SessionStart, Status, Summary, SummaryMetadata, SummaryValue, Tensor, TensorShape,
    Value, What,
};

/// How the names of event files begin.
pub const PREFIX: &str = "events.out.tfevents.";

/// Bytes that are written at once.
const BUFFER: usize = 64 << 10;

/// Keys of a config that are no hyperparameters.
const NOT_TUNED: [&str; 4] = ["log", "checkpoint", "metrics", "early_stopping"];

/// An event file that is being written.
#[derive(Debug)]
pub struct EventFile {
    file: AppendedFile,
    /// Records that are not written yet.
    pending: Vec<u8>,
    /// Optimizer steps of the last record.
    step: u64,
    ended: bool,
}

/// Where an event file ends, as a checkpoint knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsEnd {
    /// Its name.
    file: String,
    /// Its bytes.
    bytes: u64,
    /// Optimizer steps of the last record.
    step: u64,
}

impl EventsEnd {
    /// Whether there is such an event file in a run folder, and reaches that far.
    pub fn is_reached(&self, folder: &Path) -> bool {
        let name = Path::new(&self.file).file_name();
        self.file.starts_with(PREFIX)
            && name.is_some_and(|name| *name == *self.file)
            && folder.join(&self.file).metadata().is_ok_and(|found| found.len() >= self.bytes)
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The first event file that is not there yet and comes after those that are: the clock may have been put
/// back.
fn first_free(folder: &Path, seconds: u64) -> PathBuf {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let of_name = |name: &str| name.strip_prefix(PREFIX)?.split('.').next()?.parse::<u64>().ok();
    let others = entries.filter_map(|entry| of_name(&entry.file_name().to_string_lossy()));
    let after = others.max().map_or(0, |last| last.saturating_add(1));
    folder.join(format!("{PREFIX}{}.wgfit", seconds.max(after)))
}

/// A checksum as records hold it.
fn masked(bytes: &[u8]) -> [u8; 4] {
    let sum = crc32c::crc32c(bytes);
    sum.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

impl EventFile {
    /// Makes the file in a run folder, with the config as hyperparameters.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(folder: &Path, config: &Config) -> Result<Self> {
        Self::begin(folder, hyperparameters(&config.without_paths()))
    }

    fn begin(folder: &Path, hparams: BTreeMap<String, HParam>) -> Result<Self> {
        let file = AppendedFile::open(&first_free(folder, now() as u64), 0)?;
        let mut events = Self { file, pending: Vec::new(), step: 0, ended: false };
        events.write(0, What::FileVersion("brain.Event:2".to_owned()))?;
        let start = SessionStart { hparams, start_time_secs: now() };
        events.session("session_start_info", Session::Start(start))?;
        events.flush()?;
        Ok(events)
    }

    /// Writes the whole file of a trial of a sweep: the values of its space's keys as hyperparameters, by
    /// epoch each score (`validation/loss` and so on), and those of the weights kept (`kept/test_loss`).
    /// Scores are numbers, or lists with several members.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of_trial(
        folder: &Path,
        values: &serde_json::Map<String, Json>,
        epochs: &[(u64, &str, &Json)],
        kept: &BTreeMap<String, Json>,
        failed: bool,
    ) -> Result<()> {
        let mut hparams = BTreeMap::new();
        for (key, value) in values {
            flatten(key, value, &mut hparams);
        }
        let mut events = Self::begin(folder, hparams)?;
        for (epoch, set, scores) in epochs {
            let mut values = Vec::new();
            for (name, of_members) in scores.as_object().into_iter().flatten() {
                scalars(&mut values, &format!("{set}/{name}"), &of_json(of_members));
            }
            events.summary(*epoch, values)?;
        }
        let mut values = Vec::new();
        for (set, scores) in kept {
            for (name, of_members) in scores.as_object().into_iter().flatten() {
                scalars(&mut values, &format!("kept/{set}_{name}"), &of_json(of_members));
            }
        }
        events.summary(events.step, values)?;
        events.end(if failed { Status::Failure } else { Status::Success })
    }

    /// Goes on with a file where a checkpoint says that it ends.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn resume(folder: &Path, end: &EventsEnd) -> Result<Self> {
        let file = AppendedFile::open(&folder.join(&end.file), end.bytes)?;
        Ok(Self { file, pending: Vec::new(), step: end.step, ended: false })
    }

    /// Where the part of the file ends that has reached the disk, and whether that is all of it.
    pub fn settle(&mut self) -> (EventsEnd, Result<()>) {
        let settled = self.flush().and_then(|()| self.file.settle());
        let name = self.file.path().file_name().unwrap_or_default();
        let (file, bytes) = (name.to_string_lossy().into_owned(), self.file.settled());
        (EventsEnd { file, bytes, step: self.step }, settled)
    }

    fn write(&mut self, step: u64, what: What) -> Result<()> {
        let event = Event { wall_time: now(), step: step as i64, what: Some(what) };
        let data = event.encode_to_vec();
        let length = (data.len() as u64).to_le_bytes();
        let parts: [&[u8]; 4] = [&length, &masked(&length), &data, &masked(&data)];
        parts.iter().for_each(|part| self.pending.extend_from_slice(part));
        self.step = self.step.max(step);
        if self.pending.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Writes what is pending, which is gone where that cannot be done.
    fn flush(&mut self) -> Result<()> {
        let written = match self.pending.is_empty() {
            true => Ok(()),
            false => self.file.append(&self.pending),
        };
        self.pending.clear();
        written
    }

    fn summary(&mut self, step: u64, values: Vec<SummaryValue>) -> Result<()> {
        self.write(step, What::Summary(Summary { values }))
    }

    fn session(&mut self, name: &str, session: Session) -> Result<()> {
        let content = HParams { session: Some(session) }.encode_to_vec();
        let plugin = PluginData { name: "hparams".to_owned(), content };
        let shape = TensorShape { dimensions: vec![Dimension { size: 1 }] };
        let tensor = Tensor { dtype: 1, shape: Some(shape), values: vec![0.0] };
        let value = SummaryValue {
            tag: format!("_hparams_/{name}"),
            metadata: Some(SummaryMetadata { plugin: Some(plugin) }),
            value: Some(Value::Tensor(tensor)),
        };
        self.summary(0, vec![value])
    }

    /// Adds a step: `step/loss` and so on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn step(&mut self, record: &StepRecord) -> Result<()> {
        let mut values = Vec::new();
        scalars(&mut values, "step/loss", &record.loss);
        scalars(&mut values, "step/grad_norm", &record.grad_norm);
        scalars(&mut values, "step/penalty", &record.penalty);
        scalars(&mut values, "step/learning_rate", &record.learning_rate);
        self.summary(record.step, values)
    }

    /// Adds an epoch: `loss/train`, `loss/validation`, `accuracy/train` and so on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        let mut values = Vec::new();
        scores(&mut values, "train", &record.train);
        if let Some(validation) = &record.validation {
            scores(&mut values, "validation", validation);
        }
        scalars(&mut values, "learning_rate", &record.learning_rate);
        scalars(&mut values, "samples_per_second", &[record.samples_per_second]);
        self.summary(record.step, values)?;
        self.flush()
    }

    /// Adds a look inside: by layer the histograms of weights, biases, their gradients, outputs and
    /// deltas (`layers.0/weight`, `layers.0/weight.gradient`, `layers.0/outputs`), and scalars.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn observation(&mut self, observation: &Observation) -> Result<()> {
        let mut values = Vec::new();
        for layer in &observation.layers {
            let name = &layer.name;
            for tensor in &layer.tensors {
                let own = tensor.name.strip_prefix(&format!("{name}.")).unwrap_or(&tensor.name);
                values.push(histogram(format!("{name}/{own}"), &tensor.values));
                values.push(histogram(format!("{name}/{own}.gradient"), &tensor.gradient));
                let tensor_name = &tensor.name;
                scalars(&mut values, &format!("norm/{tensor_name}"), &tensor.norm);
                let gradient = format!("gradient_norm/{tensor_name}");
                scalars(&mut values, &gradient, &tensor.gradient_norm);
                let ratio = format!("update_ratio/{tensor_name}");
                scalars(&mut values, &ratio, &tensor.update_ratio);
            }
            values.push(histogram(format!("{name}/outputs"), &layer.outputs.histogram));
            values.push(histogram(format!("{name}/deltas"), &layer.deltas.histogram));
            scalars(&mut values, &format!("dead_units/{name}"), &layer.dead);
            scalars(&mut values, &format!("saturated/{name}"), &layer.saturated);
        }
        self.summary(observation.step, values)?;
        self.flush()
    }

    /// Adds the scores of the weights that are kept (`kept/test_loss`), and ends the session.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(&mut self, outcome: &Outcome) -> Result<()> {
        let mut values = Vec::new();
        for (set, members) in &outcome.scores {
            for (name, of_members) in by_name(members) {
                scalars(&mut values, &format!("kept/{set}_{name}"), &of_members);
            }
        }
        self.summary(self.step, values)?;
        let failed = outcome.failure.is_some() || outcome.stop_reason == StopReason::Diverged;
        self.end(if failed { Status::Failure } else { Status::Success })
    }

    fn end(&mut self, status: Status) -> Result<()> {
        self.ended = true;
        let end = SessionEnd { status: status as i32, end_time_secs: now() };
        self.session("session_end_info", Session::End(end))?;
        self.flush()
    }
}

impl Drop for EventFile {
    /// A training that an error ended has failed.
    fn drop(&mut self) {
        if !self.ended {
            // Whoever drops it has an error of its own to tell.
            let _ = self.end(Status::Failure);
        }
    }
}

/// A number, or a list of them.
fn of_json(value: &Json) -> Vec<f64> {
    match value {
        Json::Array(all) => all.iter().map(|own| own.as_f64().unwrap_or(f64::NAN)).collect(),
        one => vec![one.as_f64().unwrap_or(f64::NAN)],
    }
}

fn scalar(tag: String, value: f64) -> SummaryValue {
    SummaryValue { tag, metadata: None, value: Some(Value::Simple(value as f32)) }
}

/// The value of one member; of several the mean of those that are numbers, and the extremes.
fn scalars(into: &mut Vec<SummaryValue>, tag: &str, of_members: &[f64]) {
    match of_members {
        [] => {}
        [value] => into.push(scalar(tag.to_owned(), *value)),
        _ => {
            let finite: Vec<f64> = of_members.iter().copied().filter(|v| v.is_finite()).collect();
            let mean = finite.iter().sum::<f64>() / finite.len() as f64;
            let low = finite.iter().copied().fold(f64::NAN, f64::min);
            let high = finite.iter().copied().fold(f64::NAN, f64::max);
            into.push(scalar(tag.to_owned(), mean));
            into.push(scalar(format!("{tag}.min"), low));
            into.push(scalar(format!("{tag}.max"), high));
        }
    }
}

/// The loss and every metric, with each member's value.
fn by_name(members: &[Scores]) -> Vec<(&'static str, Vec<f64>)> {
    let metrics = members.first().map_or(&[][..], |scores| &scores.metrics);
    std::iter::once("loss")
        .chain(metrics.iter().map(|(name, _)| *name))
        .map(|name| (name, members.iter().map(|s| s.get(name).unwrap_or(f64::NAN)).collect()))
        .collect()
}

fn scores(into: &mut Vec<SummaryValue>, set: &str, members: &[Scores]) {
    for (name, of_members) in by_name(members) {
        scalars(into, &format!("{name}/{set}"), &of_members);
    }
}

fn histogram(tag: String, of: &Histogram) -> SummaryValue {
    let buckets = of.counts.len().max(1);
    let width = (of.high - of.low) / buckets as f64;
    let message = HistogramMessage {
        min: of.low,
        max: of.high,
        num: of.count() as f64,
        sum: of.sum,
        sum_squares: of.sum_squares,
        bucket_limit: (1..=buckets)
            .map(|i| if i == buckets { of.high } else { of.low + width * i as f64 })
            .collect(),
        bucket: match of.counts.as_slice() {
            [] => vec![0.0],
            counts => counts.iter().map(|count| *count as f64).collect(),
        },
    };
    SummaryValue { tag, metadata: None, value: Some(Value::Histogram(message)) }
}

/// Every number, text and truth value of a config by its dotted path, as on the command line.
fn hyperparameters(config: &Config) -> BTreeMap<String, HParam> {
    let mut found = BTreeMap::new();
    if let Json::Object(keys) = json!(config) {
        for (key, value) in &keys {
            if !NOT_TUNED.contains(&key.as_str()) {
                flatten(key, value, &mut found);
            }
        }
    }
    found
}

fn flatten(path: &str, value: &Json, into: &mut BTreeMap<String, HParam>) {
    let value = match value {
        Json::Null => return,
        Json::Bool(value) => HParamValue::Bool(*value),
        Json::Number(value) => HParamValue::Number(value.as_f64().unwrap_or(f64::NAN)),
        Json::String(value) => HParamValue::Text(value.clone()),
        Json::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(&format!("{path}.{at}"), item, into);
            }
            return;
        }
        Json::Object(keys) => {
            for (key, item) in keys {
                flatten(&format!("{path}.{key}"), item, into);
            }
            return;
        }
    };
    into.insert(path.to_owned(), HParam { value: Some(value) });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720's check value of CRC-32C, masked as TensorFlow's `crc32c.h` does.
    #[test]
    fn checksums_are_masked() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b"123456789"), 0xc78a_b0e5_u32.to_le_bytes());
    }

    /// Nor is an older one written over.
    #[test]
    fn a_file_comes_after_others_though_the_clock_went_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(name(first_free(folder.path(), 7)), "events.out.tfevents.7.wgfit");
        for other in ["90.wgfit", "900.wgfit", "another.wgfit"] {
            std::fs::write(folder.path().join(format!("{PREFIX}{other}")), "").expect("a file");
        }
        for seconds in [0, 7, 900] {
            let file = name(first_free(folder.path(), seconds));
            assert_eq!(file, "events.out.tfevents.901.wgfit", "{seconds}");
        }
        assert_eq!(name(first_free(folder.path(), 902)), "events.out.tfevents.902.wgfit");
    }

    #[test]
    fn members_have_a_mean_and_extremes() {
        let mut values = Vec::new();
        scalars(&mut values, "loss/train", &[1.0, f64::NAN, 3.0]);
        let got: Vec<_> = values
            .iter()
            .map(|v| match v.value {
                Some(Value::Simple(x)) => (v.tag.as_str(), x),
                _ => panic!("no scalar"),
            })
            .collect();
        assert_eq!(got, [("loss/train", 2.0), ("loss/train.min", 1.0), ("loss/train.max", 3.0)]);
    }

    #[test]
    fn a_histogram_of_nothing_is_one_empty_bucket() {
        let value = histogram("x".to_owned(), &Histogram::of(&[f64::NAN]));
        let Some(Value::Histogram(message)) = value.value else { panic!("no histogram") };
        assert_eq!((message.bucket, message.bucket_limit), (vec![0.0], vec![0.0]));
    }
}
