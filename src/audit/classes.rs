//! Classes and labels: how many rows each has.

use super::finding::{Finding, Kind, Severity, named, percent};
use super::sample::{class, sets};
use crate::config::data::Task;
use crate::data::{Dataset, Rows};
use crate::report::count;

/// Training rows below which a class is hard to learn.
const FEW: usize = 10;

/// The share of the training rows below which a class is rare, in equal shares of all classes.
const RARE: f64 = 0.1;

/// Rows of each class or label.
fn counts(rows: &Rows, task: Task, classes: usize) -> Vec<usize> {
    let width = rows.targets.len() / rows.rows.max(1);
    let mut counts = vec![0; classes];
    for own in rows.targets.chunks_exact(width.max(1)) {
        match task {
            Task::Multilabel => {
                counts.iter_mut().zip(own).for_each(|(n, y)| *n += usize::from(*y > 0.5));
            }
            _ => {
                if let Some(count) = counts.get_mut(class(own)) {
                    *count += 1;
                }
            }
        }
    }
    counts
}

pub(super) fn classes(dataset: &Dataset) -> Vec<Finding> {
    let preprocessing = &dataset.preprocessing;
    let (task, names) = (preprocessing.task(), preprocessing.classes());
    // Shares of classes have no count of rows.
    if task == Task::Regression || preprocessing.has_soft_targets() {
        return Vec::new();
    }
    let what = if task == Task::Multilabel { "label" } else { "class" };
    let several = if task == Task::Multilabel { "labels" } else { "classes" };
    let some = |pick: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..names.len()).filter(|at| pick(*at)).map(|at| names[at].clone()).collect()
    };
    let mut findings = Vec::new();
    let train = counts(&dataset.train, task, names.len());
    let none = some(&|at| train[at] == 0);
    if !none.is_empty() {
        let text =
            format!("no training row is of the {} {}", word(&none, what, several), named(&none));
        let advice =
            format!("what no row shows cannot be learned: collect rows, or leave the {what} out");
        findings
            .push(Finding::new(Kind::RareClass, Severity::Warning, text, &advice).of_columns(none));
    }
    let few = some(&|at| (1..FEW).contains(&train[at]));
    if !few.is_empty() {
        let least = train.iter().copied().filter(|count| *count > 0).min().unwrap_or_default();
        let text = format!(
            "few training rows are of the {} {}: {} at least",
            word(&few, what, several),
            named(&few),
            count(least as u64)
        );
        let advice = format!(
            "its score is chance more than skill below {FEW} rows: collect more, or join it with another"
        );
        findings.push(Finding::new(Kind::RareClass, Severity::Note, text, &advice).of_columns(few));
    }
    for (set, rows) in sets(dataset).into_iter().skip(1) {
        let held_out = counts(rows, task, names.len());
        let missing = some(&|at| held_out[at] == 0 && train[at] > 0);
        if missing.is_empty() {
            continue;
        }
        let text =
            format!("no {set} row is of the {} {}", word(&missing, what, several), named(&missing));
        let advice = format!("the {set} scores say nothing of it");
        findings.push(
            Finding::new(Kind::MissingClass, Severity::Note, text, &advice).of_columns(missing),
        );
    }
    findings.extend(imbalance(dataset, &train, names));
    findings
}

fn word<'a>(names: &[String], one: &'a str, several: &'a str) -> &'a str {
    if names.len() == 1 { one } else { several }
}

/// The rarest class, where it has less than [`RARE`] of what it would have in equal shares.
fn imbalance(dataset: &Dataset, train: &[usize], names: &[String]) -> Option<Finding> {
    if !dataset.class_weights.is_empty() || dataset.preprocessing.task() == Task::Multilabel {
        return None;
    }
    let rows = dataset.train.rows as f64;
    let present = || train.iter().enumerate().filter(|(_, count)| **count > 0);
    let (rarest, fewest) = present().min_by_key(|(_, count)| **count)?;
    let (commonest, most) = present().max_by_key(|(_, count)| **count)?;
    if *fewest as f64 >= RARE * rows / train.len() as f64 {
        return None;
    }
    let share = |count: usize| percent(count as f64 / rows);
    let text = format!(
        "the classes are of very different sizes: {:?} has {} of the training rows, {:?} {}",
        names[rarest],
        share(*fewest),
        names[commonest],
        share(*most)
    );
    let advice = "accuracy says little here: watch balanced_accuracy, f1_macro or pr_auc, and try \
                  data.class_weights = \"balanced\"";
    let columns = vec![names[rarest].clone(), names[commonest].clone()];
    Some(Finding::new(Kind::ImbalancedClasses, Severity::Note, text, advice).of_columns(columns))
}
