//! What came of it: the headline.

use serde_json::Value;

use super::numbers::{known, mean, score_of};
use crate::report::page::{Cell, Page, Table, Tone};
use crate::report::run_record::{MemberScores, RunRecord, by_member, scores};
use crate::report::{count, duration};

/// The sets of a summary, the most telling first.
const SETS: [&str; 3] = ["test", "validation", "train"];

/// Baselines in a summary, and their names here.
const BASELINES: [(&str, &str); 2] = [("constant", "a constant"), ("linear", "a linear model")];

/// Rise of the validation loss above its best from which it is told: a twentieth.
const RISE: f64 = 1.05;

pub(super) fn outcome(page: &mut Page, record: &RunRecord) {
    page.section("Outcome");
    page.paragraph(&sentence(record));
    let tiles = tiles(record);
    if !tiles.is_empty() {
        page.headline(&tiles);
    }
    for problem in &record.problems {
        page.remark(Tone::Warning, problem);
    }
    for (tone, remark) in remarks(record) {
        page.remark(tone, &remark);
    }
    let table = table(record);
    if !table.is_empty() {
        page.heading("Scores of the weights kept");
        page.table(&table);
        if let Some(words) = baselines(record) {
            page.paragraph(&words);
        }
        if record.members() > 1 {
            page.paragraph(match record.summary["folds"].as_u64() {
                Some(_) => {
                    "Mean ± deviation over the folds, each scored by the network that did not \
                            train on it."
                }
                None if record.summary["ensemble"].is_object() => {
                    "Mean ± deviation over the members; the ensemble averages what they say, as \
                     predictions do."
                }
                None => "Mean ± deviation over the members.",
            });
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The epochs whose weights are kept, of each member; 0 stands for the weights as they stood.
pub(super) fn best_epochs(record: &RunRecord) -> Vec<f64> {
    match &record.summary["best_epoch"] {
        Value::Null => Vec::new(),
        value => known(&by_member(value)),
    }
}

/// What was trained, on what, and why it ended.
fn sentence(record: &RunRecord) -> String {
    let summary = &record.summary;
    let members = match record.members() {
        1 => "One network".to_owned(),
        members => format!("{} networks side by side", count(members as u64)),
    };
    let mut text_of = format!("{members} of {}", text(summary, "network"));
    if summary.is_null() {
        text_of = format!("{members}; the training has not come to its end");
    }
    if let Some(task) = summary["task"].as_str() {
        text_of.push_str(&format!(", trained for {task}"));
    }
    if let Some(file) = record.config["data"]["train"].as_str() {
        text_of.push_str(&format!(" on {file}"));
    }
    if let Some(device) = summary["device"]["name"].as_str() {
        text_of.push_str(&format!(", by {device}"));
    }
    let epochs = summary["epochs"].as_u64().unwrap_or(record.epochs.len() as u64);
    let after = count(epochs);
    let ended = match text(summary, "stop_reason") {
        "epochs" => format!("All {after} epochs were done"),
        "early_stopping" => {
            format!("It was stopped early after {after} epochs, as there was no more improvement")
        }
        "interrupted" => format!("It was interrupted in epoch {after}"),
        "diverged" => format!("It diverged in epoch {after}: a number was no longer finite"),
        _ => format!("{after} epochs are on record"),
    };
    let kept = match best_epochs(record).as_slice() {
        [] => String::new(),
        [0.0] => " The weights as they stood were kept.".to_owned(),
        [epoch] => format!(" The weights of epoch {epoch} were kept."),
        epochs => {
            let low = epochs.iter().copied().fold(f64::INFINITY, f64::min);
            let high = epochs.iter().copied().fold(0.0, f64::max);
            format!(" Each member's best weights were kept, those of epochs {low} to {high}.")
        }
    };
    format!("{text_of}. {ended}.{kept}")
}

/// The scores of the most telling set that there is.
fn telling(record: &RunRecord) -> Option<(&'static str, MemberScores)> {
    let set = SETS.into_iter().find(|set| record.summary[*set].is_object())?;
    Some((set, scores(&record.summary[set])))
}

fn tiles(record: &RunRecord) -> Vec<(String, String)> {
    let summary = &record.summary;
    let mut tiles = Vec::new();
    if let Some((set, scores)) = telling(record) {
        let metrics = scores.iter().filter(|(name, _)| name != "loss").take(2);
        let loss = scores.iter().filter(|(name, _)| name == "loss");
        for (name, values) in metrics.chain(loss) {
            tiles.push((format!("{} ({set})", name.replace('_', " ")), score_of(values)));
        }
    }
    if let Some(epochs) = summary["epochs"].as_u64() {
        tiles.push(("epochs".to_owned(), count(epochs)));
    }
    if let Some(parameters) = summary["parameters"].as_u64() {
        tiles.push(("parameters".to_owned(), count(parameters)));
    }
    if let Some(seconds) = summary["seconds"].as_f64() {
        tiles.push(("of training".to_owned(), duration(seconds)));
    }
    tiles
}

fn table(record: &RunRecord) -> Table {
    let sets: Vec<&str> = ["train", "validation", "test"]
        .into_iter()
        .filter(|set| record.summary[*set].is_object())
        .collect();
    let all: Vec<_> = sets.iter().map(|set| scores(&record.summary[*set])).collect();
    let mut headers = vec!["set".to_owned()];
    let first = all.first().cloned().unwrap_or_default();
    headers.extend(first.iter().map(|(name, _)| name.replace('_', " ")));
    let counts = &record.summary["rows"];
    if counts.is_object() {
        headers.push("rows".to_owned());
    }
    let mut table = Table::new(&headers);
    for (set, scores) in sets.iter().zip(all) {
        let mut row = vec![Cell::text(set)];
        row.extend(scores.iter().map(|(_, values)| Cell::number(&score_of(values))));
        if counts.is_object() {
            let rows = counts[*set].as_u64().map(count);
            row.push(Cell::number(&rows.unwrap_or_default()));
        }
        table.row(row);
        let baselines = BASELINES.map(|(key, name)| (&record.summary["baselines"][key], name));
        let ensemble = (&record.summary["ensemble"], "the ensemble");
        for (own, name) in std::iter::once(ensemble).chain(baselines) {
            let own = &own[set];
            if !own.is_object() {
                continue;
            }
            let mut row = vec![Cell::text(&format!("{set}, {name}"))];
            let own = crate::report::run_record::scores(own);
            let values = |name: &str| own.iter().find(|(own, _)| own == name).map(|(_, v)| v);
            row.extend(first.iter().map(|(name, _)| {
                Cell::number(&values(name).map(|values| score_of(values)).unwrap_or_default())
            }));
            if counts.is_object() {
                row.push(Cell::number(""));
            }
            table.row(row);
        }
    }
    table
}

/// The network beside its baselines, and what those are.
fn baselines(record: &RunRecord) -> Option<String> {
    let baselines = record.summary["baselines"].as_object()?;
    let verdict = baselines.get("verdict").and_then(Value::as_str).map(capitalised);
    let mut words = verdict.map(|verdict| format!("{verdict}. ")).unwrap_or_default();
    words.push_str(
        "The constant is the same for every row: what minimises the loss of the training rows. ",
    );
    if let Some(linear) = baselines.get("linear").filter(|linear| linear.is_object()) {
        let rows = linear["rows"].as_u64().map(count).unwrap_or_default();
        words.push_str(&format!(
            "The linear model is fitted to {rows} training rows with a penalty of {} on its squared \
             weights.",
            linear["penalty"]
        ));
        if linear["converged"] == false {
            words.push_str(" Its fit was ended before it had come to rest.");
        }
    }
    Some(words)
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|c| c.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Members without a training loss in the last epoch on record.
fn lost_members(record: &RunRecord) -> usize {
    record.epochs.last().map_or(0, |last| {
        let loss = last.train.iter().find(|(name, _)| name == "loss");
        loss.map_or(0, |(_, values)| values.iter().filter(|value| !value.is_finite()).count())
    })
}

/// What the curves say.
fn remarks(record: &RunRecord) -> Vec<(Tone, String)> {
    let mut remarks = Vec::new();
    let lost = lost_members(record);
    let all_lost = lost == record.members() || record.epochs.is_empty();
    match text(&record.summary, "stop_reason") {
        "" if all_lost && !record.observations.is_empty() => remarks.push((
            Tone::Warning,
            "No epoch is on record that ended with finite numbers, and no weights were kept: the training \
             diverged, or could not go on. A smaller learning rate, clipped gradients \
             (optimizer.clip_global_norm) or scaled inputs usually help."
                .to_owned(),
        )),
        "diverged" => remarks.push((
            Tone::Warning,
            "Training met a number that is not finite. A smaller learning rate, clipped gradients \
             (optimizer.clip_global_norm) or scaled inputs usually help."
                .to_owned(),
        )),
        "interrupted" => remarks.push((
            Tone::Note,
            "The run was interrupted: what follows is of the weights that it had kept by then."
                .to_owned(),
        )),
        _ => {}
    }
    if lost > 0 && record.members() > 1 {
        let members = record.members();
        remarks.push((
            Tone::Note,
            format!(
                "{lost} of {members} members had stopped, or diverged, before the last epoch: curves and \
                 means are over those that have a number."
            ),
        ));
    }
    remarks.extend(fit(record));
    let inside = super::inside::warnings(&record.observations);
    if inside > 0 {
        let warnings = match inside {
            1 => "There is a warning".to_owned(),
            several => format!("There are {several} warnings"),
        };
        let text = format!("{warnings} on what the network is like inside: see that section.");
        remarks.push((Tone::Note, text));
    }
    remarks
}

/// Whether the validation loss rose while that of training fell, or still fell at the end.
fn fit(record: &RunRecord) -> Option<(Tone, String)> {
    let loss = |scores: &[(String, Vec<f64>)]| {
        scores.iter().find(|(name, _)| name == "loss").map(|(_, values)| mean(values))
    };
    let curve: Vec<(f64, f64, f64)> = record
        .epochs
        .iter()
        .filter_map(|line| Some((line.epoch, loss(&line.train)?, loss(&line.validation)?)))
        .filter(|(_, train, validation)| train.is_finite() && validation.is_finite())
        .collect();
    let best = curve.iter().min_by(|a, b| a.2.total_cmp(&b.2))?;
    let last = curve.last()?;
    if best.0 < last.0 && best.2 > 0.0 && last.2 > RISE * best.2 && last.1 < best.1 {
        let text = format!(
            "The validation loss was lowest at epoch {} ({}) and rose to {} while the training loss went \
             on falling: from there on the network learnt its training rows by heart. More data, \
             dropout, l2 or a smaller network would let it train for longer.",
            best.0,
            crate::report::score(best.2),
            crate::report::score(last.2)
        );
        return Some((Tone::Note, text));
    }
    let at_the_end = best.0 >= last.0 - 1.0 && curve.len() > 2;
    let done = text(&record.summary, "stop_reason") == "epochs";
    (at_the_end && done).then(|| {
        let text = "The validation loss was still falling when the epochs were done: more epochs \
                    (training.epochs) may do better.";
        (Tone::Note, text.to_owned())
    })
}
