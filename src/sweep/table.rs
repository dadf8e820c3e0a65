//! The results as tables: by rank, for the terminal and as CSV.

use serde_json::Value;

use super::Sweep;
use super::record::TrialRecord;
use crate::report::score;
use crate::train::trials::Leave;

/// Records by rank: the best score first, those without one last, equal ones by their number.
pub fn ranked(sweep: &Sweep, records: &[TrialRecord]) -> Vec<TrialRecord> {
    let mut ranked = records.to_vec();
    let worth = |record: &TrialRecord| record.score.unwrap_or(f64::NAN);
    ranked.sort_by(|a, b| sweep.better.by_rank(worth(a), worth(b)).then(a.trial.cmp(&b.trial)));
    ranked
}

/// Why a trial ended, in a word or two.
pub(super) fn why(why: Leave) -> &'static str {
    match why {
        Leave::Epochs => "epochs",
        Leave::EarlyStopping => "early stopping",
        Leave::Diverged => "diverged",
        Leave::Stopped => "stopped",
        Leave::Paused => "paused",
    }
}

/// A value of the space as people read it: text without quotes, a list of layers as its units.
pub fn value_in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => {
            let units: Option<Vec<String>> =
                items.iter().map(|item| Some(item.get("units")?.to_string())).collect();
            units.map_or_else(|| value.to_string(), |units| units.join("-"))
        }
        Value::Object(entries) => match entries.get("name").and_then(Value::as_str) {
            Some(name) if entries.len() == 1 => name.to_owned(),
            Some(name) => {
                let rest = entries.iter().filter(|(key, _)| *key != "name");
                let rest: Vec<String> =
                    rest.map(|(key, value)| format!("{key}={}", value_in_words(value))).collect();
                format!("{name}({})", rest.join(" "))
            }
            None => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// The shortest ends of dotted keys that tell them apart.
pub fn short_keys(keys: &[String]) -> Vec<String> {
    let end = |key: &str, parts: usize| {
        let all: Vec<&str> = key.split('.').collect();
        all[all.len().saturating_sub(parts)..].join(".")
    };
    keys.iter()
        .map(|key| {
            let own = |parts: usize| end(key, parts);
            let is_alone = |parts: &usize| {
                keys.iter().filter(|other| end(other, *parts) == own(*parts)).count() == 1
            };
            (1..=key.split('.').count()).find(is_alone).map_or_else(|| key.clone(), own)
        })
        .collect()
}

fn keys_of(sweep: &Sweep) -> Vec<String> {
    sweep.config.axes.iter().map(|axis| axis.key.clone()).collect()
}

/// The names of the scores of records, with `set_` before each: `validation_loss` and so on.
fn score_names(ranked: &[TrialRecord]) -> Vec<(String, String)> {
    let Some(first) = ranked.first() else { return Vec::new() };
    let mut names = Vec::new();
    for set in ["train", "validation", "test"] {
        let scores = first.scores.get(set).and_then(Value::as_object);
        names.extend(scores.into_iter().flatten().map(|(name, _)| (set.to_owned(), name.clone())));
    }
    names
}

/// The mean over members that have a value.
pub(super) fn mean(values: &[f64]) -> f64 {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    finite.iter().sum::<f64>() / finite.len() as f64
}

/// The first `most` rows of a table by rank.
pub fn to_text(sweep: &Sweep, ranked: &[TrialRecord], most: usize) -> String {
    let keys = keys_of(sweep);
    let mut header: Vec<String> = vec!["rank".to_owned(), "trial".to_owned()];
    header.extend(short_keys(&keys));
    header.extend(["epochs".to_owned(), "ended by".to_owned(), sweep.monitor.clone()]);
    // Of the metrics, those on validation and test rows that do not rank.
    let names: Vec<(String, String)> = score_names(ranked)
        .into_iter()
        .filter(|(set, name)| {
            let monitored = format!("val_{name}") == sweep.monitor && set == "validation";
            set != "train" && !monitored
        })
        .collect();
    let prefix = |set: &str| if set == "validation" { "val" } else { "test" };
    header.extend(names.iter().map(|(set, name)| format!("{}_{name}", prefix(set))));
    let mut rows = vec![header];
    for (rank, record) in ranked.iter().take(most).enumerate() {
        let mut row = vec![(rank + 1).to_string(), record.trial.to_string()];
        row.extend(
            keys.iter()
                .map(|key| record.values.get(key).map_or_else(|| "-".to_owned(), value_in_words)),
        );
        row.push(record.epochs.to_string());
        row.push(why(record.why).to_owned());
        row.push(record.score.map_or_else(|| "-".to_owned(), score));
        row.extend(names.iter().map(|(set, name)| {
            let mean = mean(&record.of_members(set, name));
            if mean.is_finite() { score(mean) } else { "-".to_owned() }
        }));
        rows.push(row);
    }
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    if ranked.len() > most {
        text.push_str(&format!("... and {} more in results.csv\n", ranked.len() - most));
    }
    text
}

/// All trials by rank as CSV: their numbers, values, and scores as means over the members, with the
/// deviation over the members beside each where there are several.
pub fn to_csv(sweep: &Sweep, ranked: &[TrialRecord]) -> String {
    let keys = keys_of(sweep);
    let names = score_names(ranked);
    let has_members = sweep.groups.iter().any(|group| group.width > 1);
    let mut rows: Vec<Vec<String>> = Vec::with_capacity(ranked.len() + 1);
    let mut header: Vec<String> = vec!["rank".to_owned(), "trial".to_owned()];
    header.extend(keys.clone());
    header.extend(["epochs", "ended_by", "best_epoch", "score"].map(str::to_owned));
    for (set, name) in &names {
        header.push(format!("{set}_{name}"));
        if has_members {
            header.push(format!("{set}_{name}_deviation"));
        }
    }
    rows.push(header);
    for (rank, record) in ranked.iter().enumerate() {
        let mut row = vec![(rank + 1).to_string(), record.trial.to_string()];
        row.extend(keys.iter().map(|key| match record.values.get(key) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }));
        let best: Vec<String> = record.best_epoch.iter().map(ToString::to_string).collect();
        row.push(record.epochs.to_string());
        row.push(why(record.why).to_owned());
        row.push(best.join(" "));
        row.push(record.score.map_or_else(String::new, |score| score.to_string()));
        for (set, name) in &names {
            let values = record.of_members(set, name);
            let mean = mean(&values);
            row.push(if mean.is_finite() { mean.to_string() } else { String::new() });
            if has_members {
                let (_, deviation) = crate::analysis::mean_and_deviation(&values);
                row.push(if deviation.is_finite() { deviation.to_string() } else { String::new() });
            }
        }
        rows.push(row);
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in &rows {
        // Into memory nothing fails.
        let _ = writer.write_record(row);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_as_short_as_tells_them_apart() {
        let keys =
            ["optimizer.learning_rate", "model.layers.0.units", "model.layers.1.units", "seed"];
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(short_keys(&keys), ["learning_rate", "0.units", "1.units", "seed"]);
    }

    #[test]
    fn values_are_told_in_few_words() {
        assert_eq!(value_in_words(&json!("relu")), "relu");
        assert_eq!(value_in_words(&json!(1e-4)), "0.0001");
        assert_eq!(value_in_words(&json!([{"units": 64}, {"units": 32}])), "64-32");
        assert_eq!(
            value_in_words(&json!({"name": "normal", "stddev": 0.01})),
            "normal(stddev=0.01)"
        );
    }
}
