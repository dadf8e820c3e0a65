//! The config as text: JSON with a word on each choice.

use std::fmt::Write;

use serde_json::json;

use super::Request;
use super::profile::Profile;
use super::rules::Choices;
use crate::config::data::Task;
use crate::report::count;

/// Characters of a line of a comment, about.
const WIDTH: usize = 96;

/// Columns that a comment or the config names one by one.
const MOST_NAMED: usize = 200;

/// Text that is written line by line.
#[derive(Default)]
struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}{text}", "  ".repeat(self.depth));
    }

    /// A comment, folded at the width.
    fn comment(&mut self, text: &str) {
        let width = WIDTH.saturating_sub(2 * self.depth);
        let mut line = String::new();
        // A column's name may hold what ends a line.
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                self.line(&format!("// {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            self.line(&format!("// {line}"));
        }
    }

    fn open(&mut self, key: &str) {
        self.line(&format!("{}: {{", json!(key)));
        self.depth += 1;
    }

    fn close(&mut self, end: &str) {
        self.depth -= 1;
        self.line(&format!("}}{end}"));
    }
}

fn percent(share: f64) -> String {
    format!("{} %", (1000.0 * share).round() / 10.0)
}

/// `1 column`, `30 columns`.
fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{} {}", count(number as u64), if number == 1 { one } else { several })
}

pub(super) fn write(request: &Request, profile: &Profile, choices: &Choices) -> String {
    let mut out = Writer::default();
    head(&mut out, request, profile);
    out.line("{");
    out.depth = 1;
    out.line("\"seed\": 1,");
    data(&mut out, request, profile, choices);
    model(&mut out, profile, choices);
    training(&mut out, profile, choices);
    out.depth = 0;
    out.line("}");
    out.text
}

fn head(out: &mut Writer, request: &Request, profile: &Profile) {
    let mut columns = Vec::new();
    if profile.numeric > 0 {
        columns.push(counted(profile.numeric, "numeric column", "numeric columns"));
    }
    if profile.categorical > 0 {
        columns.push(counted(profile.categorical, "categorical column", "categorical columns"));
    }
    let task = match profile.task {
        Task::Classification => format!("one of {} classes", profile.classes.len()),
        Task::Binary => "one of two classes".to_owned(),
        Task::Multilabel => format!("any of {} labels", profile.classes.len()),
        Task::Regression if request.targets.len() > 1 => {
            format!("{} numbers", request.targets.len())
        }
        Task::Regression => "a number".to_owned(),
    };
    out.comment(&format!(
        "A starting config for {}: {}, {} ({}), to predict {task}. Each choice is a rule of thumb by rows, \
         columns and task: a place to begin.",
        request.data,
        counted(profile.rows, "row", "rows"),
        columns.join(" and "),
        counted(profile.inputs, "input", "inputs"),
    ));
    for finding in &profile.findings {
        out.comment(&format!("To look at: {}.", finding.line()));
    }
}

fn data(out: &mut Writer, request: &Request, profile: &Profile, choices: &Choices) {
    out.open("data");
    let stated = request.data();
    for (key, value) in &stated {
        if key != "task" && key != "test_labels" {
            out.line(&format!("{}: {value},", json!(key)));
        }
    }
    let found = if request.task.is_some() { "as asked for" } else { "by what the target holds" };
    out.line(&format!("\"task\": {}, // {found}", json!(profile.task)));
    out.comment(&format!(
        "{} of the rows choose the epoch whose weights are kept, and the linear baseline's penalty.",
        percent(choices.validation)
    ));
    out.line(&format!("\"validation\": {},", choices.validation));
    match &request.test {
        Some(test) => {
            out.line(&format!("\"test\": {},", json!(test)));
            if let Some(labels) = &request.test_labels {
                out.line(&format!("\"test_labels\": {},", json!(labels)));
            }
        }
        None => {
            out.comment("As many are held back to the end: their scores are those to believe.");
            out.line(&format!("\"test\": {},", choices.test));
        }
    }
    if choices.balanced {
        let why = profile.imbalance.clone().unwrap_or_default();
        out.comment(&format!(
            "{why}. Each class counts alike in training; probabilities then lean to the rare one."
        ));
        out.line("\"class_weights\": \"balanced\",");
    }
    columns(out, profile);
    if choices.scaling == "divide_by_255" {
        out.line("\"scaling\": \"divide_by_255\" // pixels of 8 bits");
    } else {
        out.line("\"scaling\": \"standard\" // mean 0 and deviation 1, by the training rows");
    }
    out.close(",");
}

/// What is said of single columns.
fn columns(out: &mut Writer, profile: &Profile) {
    if !profile.leaks.is_empty() {
        let names: Vec<String> = profile.leaks.iter().map(|name| json!(name).to_string()).collect();
        out.comment(&format!(
            "{} alone nearly gives the target away: if it is not known before the target is, leave it \
             out, by \"columns\": {{ {}: {{ \"type\": \"ignore\" }} }}.",
            names.join(", "),
            names[0]
        ));
    }
    let ignored =
        profile.ignored.iter().map(|(name, why)| (name, "\"type\": \"ignore\"", why.clone()));
    let heavy = profile.heavy.iter().map(|name| {
        (name, "\"scaling\": \"robust\"", "values far from the others would sway a mean".to_owned())
    });
    let all: Vec<_> = ignored.chain(heavy).collect();
    if all.is_empty() {
        return;
    }
    out.open("columns");
    for (at, (name, what, why)) in all.iter().enumerate() {
        let comma = if at + 1 < all.len() { "," } else { "" };
        if at < MOST_NAMED {
            out.comment(why);
        }
        out.line(&format!("{}: {{ {what} }}{comma}", json!(name)));
    }
    out.close(",");
}

fn model(out: &mut Writer, profile: &Profile, choices: &Choices) {
    out.open("model");
    let layers = match choices.units.len() {
        1 => "One layer: the rows are few for a deeper network, or for so many inputs.",
        _ => "Two layers: the rows are enough for them.",
    };
    let mut why = layers.to_owned();
    why.push_str(" Dropout");
    if choices.l2 > 0.0 {
        why.push_str(&format!(
            " and l2, the stronger the fewer rows there are for {},",
            counted(profile.inputs, "input", "inputs")
        ));
    }
    why.push_str(" keep");
    if choices.l2 == 0.0 {
        why.push('s');
    }
    why.push_str(" it from learning rows by heart.");
    out.comment(&why);
    out.line("\"layers\": [");
    out.depth += 1;
    let l2 = if choices.l2 > 0.0 { format!(", \"l2\": {}", choices.l2) } else { String::new() };
    for (at, units) in choices.units.iter().enumerate() {
        let comma = if at + 1 < choices.units.len() { "," } else { "" };
        out.line(&format!(
            "{{ \"units\": {units}, \"activation\": \"{}\", \"dropout\": {}{l2} }}{comma}",
            choices.activation, choices.dropout
        ));
    }
    out.depth -= 1;
    out.line("]");
    out.close(",");
}

fn training(out: &mut Writer, profile: &Profile, choices: &Choices) {
    out.comment("`wgfit lr-find` measures a rate for these very rows.");
    out.line(&format!(
        "\"optimizer\": {{ \"name\": \"adam\", \"learning_rate\": {} }},",
        choices.learning_rate
    ));
    out.line("\"schedule\": \"cosine\", // down to 0 over all epochs");
    let shares = 1.0 - choices.validation - choices.test;
    let trained = (profile.rows as f64 * shares).round();
    let steps = (trained / choices.batch_size as f64).ceil();
    out.comment(&format!(
        "About {} of {} rows; as long as it takes so many rows to be learnt.",
        counted(steps as usize * choices.epochs, "step", "steps"),
        choices.batch_size
    ));
    out.line(&format!(
        "\"training\": {{ \"epochs\": {}, \"batch_size\": {} }},",
        choices.epochs, choices.batch_size
    ));
    out.comment("A third of the epochs without a lower validation loss end it.");
    out.line(&format!(
        "\"early_stopping\": {{ \"monitor\": \"val_loss\", \"patience\": {} }},",
        choices.patience
    ));
    if choices.balanced {
        out.comment("Accuracy alone says little where classes are of very different sizes.");
    }
    out.line(&format!("\"metrics\": {}", json!(choices.metrics)));
}
