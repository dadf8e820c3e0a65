//! What a run leaves behind and shows while it goes: the run folder, progress, numbers for people,
//! curves, the page that explains it.

pub mod checkpoints;
mod curve;
mod explanation;
mod lock;
mod logs;
mod number;
pub mod page;
mod progress;
mod run_folder;
mod run_page;
mod run_record;
pub(crate) mod tensorboard;

pub use curve::{as_svg, in_terminal};
pub use lock::FolderLock;
pub use number::{count, duration, members_of, prefixed, score};
pub use progress::{Progress, say};
pub use run_folder::{RunFacts, RunFolder};
pub use run_page::run_page;
pub use run_record::{EpochLine, MemberScores, RunRecord, StepLine};

use serde_json::{Map, Value, json};

use crate::train::Scores;

/// A number, or null when it is none.
pub(crate) fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// One value for a single network, a list for several.
pub(crate) fn each_member(values: impl ExactSizeIterator<Item = Value>) -> Value {
    let mut values: Vec<Value> = values.collect();
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}

/// `{"loss": .., "accuracy": ..}`, each a number, or a list with several members.
pub fn scores_json(scores: &[Scores]) -> Value {
    let mut map = Map::new();
    map.insert("loss".to_owned(), each_member(scores.iter().map(|s| number(s.loss))));
    if let Some(first) = scores.first() {
        for (at, (name, _)) in first.metrics.iter().enumerate() {
            let values = scores.iter().map(|s| number(s.metrics[at].1));
            map.insert((*name).to_owned(), each_member(values));
        }
    }
    json!(map)
}
