//! What the target says of the task, and the target of every training row.

use std::borrow::Cow;

use super::cell::{Fault, quoted};
use super::column::{Coded, MOST_LABELS, TargetValues};
use super::labels::sort_labels;
use super::preprocessing::LabelValues;
use super::table::{RawTarget, Table, listed};
use crate::config::data::{ColumnType, DataSettings, TargetScaling, Task};
use crate::error::{Error, Place, Result};

/// Whole numbers are classes only up to this many different ones, ...
const MOST_FOUND_CLASSES: usize = 100;
/// ... and with this many rows for each.
const ROWS_A_CLASS: usize = 10;

/// The targets of the training file, not yet scaled.
pub(super) enum Targets {
    /// Each row's class.
    Classes {
        /// The classes in order.
        classes: Vec<String>,
        /// Each row's index in `classes`.
        codes: Vec<u32>,
    },
    /// Numbers, a column a target.
    Numbers(Vec<Vec<f64>>),
    /// Probabilities, a column a class; each row's sum is 1.
    Distributions(Vec<Vec<f64>>),
    /// Labels, each there or not.
    Labels(Vec<Label>),
}

/// A label.
pub(super) struct Label {
    /// Its column's values.
    pub(super) values: LabelValues,
    /// 1 for each row that has it, else 0.
    pub(super) codes: Vec<u32>,
}

impl Targets {
    /// Each row's class, and how many there are: the likeliest one of a distribution (the first
    /// of several), and none for numbers and labels.
    pub(super) fn strata(&self) -> Option<(Cow<'_, [u32]>, usize)> {
        match self {
            Self::Classes { classes, codes } => Some((codes.into(), classes.len())),
            Self::Distributions(columns) => {
                let rows = columns.first().map_or(0, Vec::len);
                let likeliest = |row: usize| {
                    let of = |class: u32| columns[class as usize][row];
                    (1..columns.len() as u32)
                        .fold(0, |best, class| if of(class) > of(best) { class } else { best })
                };
                Some(((0..rows).map(likeliest).collect::<Vec<_>>().into(), columns.len()))
            }
            Self::Numbers(_) | Self::Labels(_) => None,
        }
    }
}

/// The task and the targets, with a remark on how the task was found.
pub(super) struct Resolved {
    pub(super) task: Task,
    pub(super) targets: Targets,
    pub(super) note: String,
}

/// Finds the task, takes the targets out of the table, and checks that they fit each other.
pub(super) fn resolve(table: &mut Table, settings: &DataSettings) -> Result<Resolved> {
    let targets = std::mem::take(&mut table.targets);
    let stated = stated_task(&targets, settings)?;
    let task = match stated {
        Some(task) => task,
        None => find_task(&targets, table)?,
    };
    if task != Task::Regression && settings.target_scaling == TargetScaling::Standard {
        return Err(Error::config("data.target_scaling", format!("the task is {task}"))
            .with_help("only a regression target is scaled"));
    }
    let names: Vec<String> = targets.iter().map(|target| format!("{:?}", target.name)).collect();
    let names = listed(&names);
    if task == Task::Regression {
        let columns: Result<Vec<_>> =
            targets.into_iter().map(|target| numbers(target, stated)).collect();
        let note = if settings.task.is_some() {
            format!("target {names}: regression")
        } else {
            format!("target {names}: numeric, so task regression")
        };
        return Ok(Resolved { task, targets: Targets::Numbers(columns?), note });
    }
    if targets.len() > 1 {
        return several(targets, task, &names, table);
    }
    let Some(target) = targets.into_iter().next().filter(|_| task != Task::Multilabel) else {
        let problem = "a multilabel task takes a list of two target columns or more";
        return Err(Error::config("data.target", problem)
            .with_help("a column for each label; one label alone is a binary task"));
    };
    let (classes, codes) = classes(target, task, table)?;
    let so = if settings.task.is_some() { "task" } else { "so task" };
    let note = format!("target {names}: {} classes, {so} {task}", classes.len());
    Ok(Resolved { task, targets: Targets::Classes { classes, codes }, note })
}

/// Several targets that are a column for each class or label.
fn several(targets: Vec<RawTarget>, task: Task, names: &str, table: &Table) -> Result<Resolved> {
    let count = targets.len();
    match task {
        Task::Multilabel => {
            let labels: Vec<Label> =
                targets.into_iter().map(|target| label(target, table)).collect::<Result<_>>()?;
            let mut note = format!("targets {names}: {count} labels, task {task}");
            if let Some(other) = labels.iter().find(|label| label.values.positive != "1") {
                let positive = quoted(&other.values.positive);
                note.push_str(&format!("; rows with such a value as {positive} have the label"));
            }
            Ok(Resolved { task, targets: Targets::Labels(labels), note })
        }
        Task::Classification => {
            let columns = targets.into_iter().map(|target| numbers(target, Some(task)));
            let targets = Targets::Distributions(columns.collect::<Result<_>>()?);
            let note = format!("targets {names}: probabilities of {count} classes, task {task}");
            Ok(Resolved { task, targets, note })
        }
        Task::Binary | Task::Regression => {
            let problem = format!("a {task} task takes one target column");
            Err(Error::config("data.target", problem).with_help(
                "several targets are possible for regression, classification (a probability for \
                 each class) and multilabel tasks",
            ))
        }
    }
}

fn label(target: RawTarget, table: &Table) -> Result<Label> {
    let fault = |problem: String| Error::data(&table.file, Place::column(&target.name), problem);
    let Some(Coded { codes, texts }) = &target.values.coded else {
        return Err(fault(format!("a label has 2 values, not more than {MOST_LABELS}"))
            .with_help("yes and no, or 1 and 0: is it the right column?"));
    };
    let (values, new) = sort_labels(texts.clone());
    match values.as_slice() {
        [negative, positive] => {
            let values = LabelValues { negative: negative.clone(), positive: positive.clone() };
            Ok(Label { values, codes: sorted_codes(codes, &new)? })
        }
        [only] => {
            let (only, rows) = (quoted(only), table.rows);
            Err(fault(format!("the label has one value only, {only}, in all {rows} rows"))
                .with_help("there is nothing to tell apart: leave it out of data.target"))
        }
        _ => Err(fault(format!("a label has 2 values, and this column has {}", values.len()))
            .with_help(format!("its values: {}", listed(&values)))),
    }
}

/// Codes in the order of a sorted list of classes.
fn sorted_codes(codes: &[u32], new: &[u32]) -> Result<Vec<u32>> {
    let place = |code: &u32| usize::try_from(*code).ok().and_then(|code| new.get(code)).copied();
    let codes: Option<Vec<u32>> = codes.iter().map(place).collect();
    codes.ok_or_else(|| Error::internal("a class has no place in the list of classes"))
}

/// The task that the user's words leave open or not.
fn stated_task(targets: &[RawTarget], settings: &DataSettings) -> Result<Option<Task>> {
    for target in targets {
        let soft = settings.task == Some(Task::Classification) && targets.len() > 1;
        let takes_numbers = soft || settings.task == Some(Task::Regression);
        let clash = match target.stated {
            Some(ColumnType::Categorical) if takes_numbers => "categorical",
            Some(ColumnType::Numeric) if settings.task.is_some() && !takes_numbers => "numeric",
            _ => continue,
        };
        let task = settings.task.map(|task| task.to_string()).unwrap_or_default();
        let path = format!("data.columns.{}.type", target.name);
        return Err(Error::config(path, format!("{clash}, but data.task is {task}"))
            .with_help("leave one of the two out"));
    }
    if settings.task.is_none()
        && targets.iter().any(|target| target.stated == Some(ColumnType::Numeric))
    {
        return Ok(Some(Task::Regression));
    }
    Ok(settings.task)
}

fn find_task(targets: &[RawTarget], table: &Table) -> Result<Task> {
    let [target] = targets else {
        return Ok(Task::Regression);
    };
    let values = &target.values;
    let by_count = |count: usize| if count == 2 { Task::Binary } else { Task::Classification };
    let Some(coded) = &values.coded else {
        return match values.numbers {
            Some(_) => Ok(Task::Regression),
            None => Err(slip(target).unwrap_or_else(|| too_many(target, table))),
        };
    };
    let distinct = sort_labels(coded.texts.clone()).0;
    let Some(numbers) = &values.numbers else {
        return match slip(target) {
            Some(error) if target.stated.is_none() => Err(error),
            _ => Ok(by_count(distinct.len())),
        };
    };
    let whole = numbers.iter().all(|number| number.fract() == 0.0);
    let enough = table.rows >= distinct.len().saturating_mul(ROWS_A_CLASS);
    Ok(match distinct.len() {
        1 => return Err(one_class(target, &distinct, table)),
        count if count == 2 || target.stated == Some(ColumnType::Categorical) => by_count(count),
        count if whole && count <= MOST_FOUND_CLASSES && enough => Task::Classification,
        _ => Task::Regression,
    })
}

/// The error of a text among a target's numbers, when there are so few that it is a slip.
fn slip(target: &RawTarget) -> Option<Error> {
    let found = target.values.first_text.clone()?;
    if !target.values.mostly_numbers {
        return None;
    }
    let problem = format!("{} is not a number, but most of the target is", quoted(&found.text));
    Some(found.error(problem).with_help(
        "correct the cell, or set data.task to \"classification\" if the target's values are \
         classes",
    ))
}

fn one_class(target: &RawTarget, classes: &[String], table: &Table) -> Error {
    let class = classes.first().map(|class| quoted(class)).unwrap_or_default();
    let problem = format!("the target has one class only, {class}, in all {} rows", table.rows);
    Error::data(&table.file, Place::column(&target.name), problem)
        .with_help("there is nothing to tell apart: is it the right column?")
}

fn too_many(target: &RawTarget, table: &Table) -> Error {
    let problem = format!("the target has more than {MOST_LABELS} different values, too many");
    Error::data(&table.file, Place::column(&target.name), format!("{problem} to be classes"))
        .with_help("is it the right column?")
}

fn numbers(target: RawTarget, stated: Option<Task>) -> Result<Vec<f64>> {
    let TargetValues { numbers, first_text, .. } = target.values;
    if let Some(numbers) = numbers {
        return Ok(numbers);
    }
    let Some(found) = first_text else { return Err(Error::internal("no number and no text")) };
    let help = if stated.is_some() {
        "a regression target must be a number in every row"
    } else {
        "several targets mean regression, and each must be a number in every row"
    };
    let fault = Fault::text(&found.text, help.to_owned());
    Err(found.error(fault.problem).with_help(fault.help))
}

fn classes(target: RawTarget, task: Task, table: &Table) -> Result<(Vec<String>, Vec<u32>)> {
    let Some(Coded { codes, texts }) = &target.values.coded else {
        return Err(too_many(&target, table));
    };
    let (classes, new) = sort_labels(texts.clone());
    let count = classes.len();
    if count < 2 {
        return Err(one_class(&target, &classes, table));
    }
    let fault = |problem: String| Error::data(&table.file, Place::column(&target.name), problem);
    if task == Task::Binary && count != 2 {
        let problem = format!("a binary task has 2 classes, and the target has {count}");
        return Err(fault(problem).with_help(format!("classes: {}", listed(&classes))));
    }
    if count > 2 && count == table.rows {
        let problem = format!("the target differs in each of the {count} rows");
        return Err(fault(problem).with_help("classes must repeat: is it the right column?"));
    }
    Ok((classes, sorted_codes(codes, &new)?))
}
