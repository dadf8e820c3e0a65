//! sweep.html: one page that tells what was tried, what came of it, and which keys mattered.

mod curves;
mod keys;
mod signal;

use super::comparison::{Comparison, in_words};
use super::record::{EpochRecord, TrialRecord};
use super::start::StartRecord;
use super::table::{mean, short_keys, value_in_words, why};
use super::{Plan, Sweep};
use crate::error::Result;
use crate::report::page::{Cell, Page, Table, Tone};
use crate::report::{count, score};
use crate::train::trials::Leave;

/// Rows of the table of trials.
const ROWS: usize = 100;

/// What the page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The sweep.
    pub sweep: &'a Sweep,
    /// Its plan.
    pub plan: &'a Plan,
    /// What became of its trials, the best first.
    pub ranked: &'a [TrialRecord],
    /// The best against the others.
    pub compared: &'a [Comparison],
    /// Every epoch of every trial.
    pub epochs: &'a [EpochRecord],
    /// What the networks looked like before their first step.
    pub starts: &'a [StartRecord],
    /// The sweep's name.
    pub name: &'a str,
}

impl Told<'_> {
    fn keys(&self) -> Vec<String> {
        self.sweep.config.axes.iter().map(|axis| axis.key.clone()).collect()
    }
}

/// The page. The same records give the same bytes.
///
/// # Errors
/// When a drawing cannot be made, which is a fault of the program.
pub fn sweep_page(told: &Told) -> Result<String> {
    let mut page = Page::new(&format!("Sweep {}", told.name));
    outcome(&mut page, told);
    curves::curves(&mut page, told)?;
    keys::keys(&mut page, told)?;
    signal::signal(&mut page, told)?;
    trials(&mut page, told);
    about(&mut page, told);
    Ok(page.finish())
}

fn outcome(page: &mut Page, told: &Told) {
    page.section("Outcome");
    let Some(best) = told.ranked.first() else {
        page.paragraph("No trial has ended.");
        return;
    };
    let epochs: usize = told.ranked.iter().map(|record| record.epochs).sum();
    let most: usize = told.sweep.trials.iter().map(|own| own.settings.training.epochs).sum();
    let number = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), score);
    page.headline(&[
        (format!("best {}", told.sweep.monitor), number(best.score)),
        ("trial".to_owned(), best.trial.to_string()),
        ("trials".to_owned(), count(told.ranked.len() as u64)),
        ("epochs trained".to_owned(), count(epochs as u64)),
        ("of at most".to_owned(), count(most as u64)),
    ]);
    page.paragraph(&format!("{}.", capital(&in_words(told.ranked, told.compared))));
    let of = |why: Leave| told.ranked.iter().filter(|record| record.why == why).count();
    if of(Leave::Diverged) > 0 {
        page.remark(
            Tone::Note,
            &format!(
                "{} trials diverged: their numbers were no longer finite.",
                of(Leave::Diverged)
            ),
        );
    }
    if of(Leave::Stopped) > 0 {
        page.remark(
            Tone::Note,
            &format!(
                "{} trials were stopped before their last epoch: their scores are those of shorter \
                 trainings.",
                of(Leave::Stopped)
            ),
        );
    }
    let values = told.keys().into_iter().filter_map(|key| {
        let value = value_in_words(best.values.get(&key)?);
        Some((key, value))
    });
    page.heading("The best trial");
    page.facts(&values.collect::<Vec<_>>());
    page.paragraph("best.json is its config, ready to train; best.safetensors its weights.");
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|c| c.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

fn trials(page: &mut Page, told: &Told) {
    page.section("Trials");
    if told.ranked.len() > ROWS {
        page.paragraph(&format!(
            "The first {ROWS} of {} by rank; results.csv has all.",
            count(told.ranked.len() as u64)
        ));
    }
    let keys = told.keys();
    let mut headers: Vec<String> = vec!["rank".to_owned(), "trial".to_owned()];
    headers.extend(short_keys(&keys));
    headers.extend(["epochs".to_owned(), "ended by".to_owned(), told.sweep.monitor.clone()]);
    let names = |set: &str| -> Vec<String> {
        let scores = told.ranked.first().and_then(|record| record.scores.get(set)?.as_object());
        scores.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let columns: Vec<(&str, String)> = ["validation", "test"]
        .into_iter()
        .flat_map(|set| names(set).into_iter().map(move |name| (set, name)))
        .filter(|(set, name)| {
            !(*set == "validation" && format!("val_{name}") == told.sweep.monitor)
        })
        .collect();
    headers.extend(columns.iter().map(|(set, name)| format!("{set} {name}")));
    if !told.compared.is_empty() {
        headers.push("the best against it".to_owned());
    }
    let mut table = Table::new(&headers);
    for (rank, record) in told.ranked.iter().take(ROWS).enumerate() {
        let number =
            |value: f64| Cell::number(&if value.is_finite() { score(value) } else { "-".into() });
        let mut row =
            vec![Cell::number(&(rank + 1).to_string()), Cell::number(&record.trial.to_string())];
        row.extend(keys.iter().map(|key| match record.values.get(key) {
            Some(value) if value.is_number() => Cell::number(&value_in_words(value)),
            Some(value) => Cell::text(&value_in_words(value)),
            None => Cell::text("-"),
        }));
        row.push(Cell::number(&record.epochs.to_string()));
        row.push(Cell::text(why(record.why)));
        row.push(number(record.score.unwrap_or(f64::NAN)));
        row.extend(columns.iter().map(|(set, name)| number(mean(&record.of_members(set, name)))));
        if !told.compared.is_empty() {
            let own = told.compared.iter().find(|own| own.trial == record.trial);
            row.push(Cell::text(&own.map_or_else(String::new, |own| {
                let verdict = if own.beaten { "better" } else { "not told apart" };
                format!(
                    "{verdict}: p {:.3}, better in {} of {} (sign test p {:.3})",
                    own.p_value, own.wins, own.pairs, own.sign_p_value
                )
            })));
        }
        table.row(row);
    }
    page.table(&table);
    if !told.compared.is_empty() {
        page.paragraph(
            "p is that of a paired t-test over folds or seeds, after Holm's correction for all \
             comparisons; over folds with the variance of Nadeau and Bengio (2003), since their training \
             rows overlap.",
        );
    }
}

fn about(page: &mut Page, told: &Told) {
    page.section("How it was made");
    page.facts(&told.plan.facts());
    page.facts(&[
        ("device".to_owned(), told.plan.device.clone()),
        ("wgfit".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
}
