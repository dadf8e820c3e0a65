//! How the trials learned: the ranked value by epoch.

use super::Told;
use crate::error::Result;
use crate::report::page::Page;
use crate::report::page::plot::{Axis, Chart, Ink, Layer};

/// Trials whose curves have a colour.
const COLOURED: usize = 5;

/// Trials whose curves are drawn.
const DRAWN: usize = 300;

pub(super) fn curves(page: &mut Page, told: &Told) -> Result<()> {
    if told.ranked.is_empty() {
        return Ok(());
    }
    page.section("Learning curves");
    let curve = |trial: usize| -> Vec<(f64, f64)> {
        let own = told.epochs.iter().filter(|record| record.trial == trial);
        own.map(|record| (record.epoch as f64, record.value.unwrap_or(f64::NAN))).collect()
    };
    let values = told.epochs.iter().filter_map(|record| record.value);
    let caption = match told.ranked.len() {
        0..=COLOURED => "Each trial, the best with the first colour.".to_owned(),
        n => format!(
            "The {COLOURED} best trials in colour, {} in the background.",
            n.min(DRAWN) - COLOURED
        ),
    };
    let y = Axis::fitting(&told.sweep.monitor, values, 1.0);
    let mut chart = Chart::new("By epoch", &caption, Axis::whole("epoch"), y);
    chart.wide = true;
    for record in told.ranked.iter().take(DRAWN).skip(COLOURED).rev() {
        chart.layers.push(Layer::line("", Ink::Faint, curve(record.trial)));
    }
    for (rank, record) in told.ranked.iter().take(COLOURED).enumerate().rev() {
        let name = format!("trial {}: {}", record.trial, told.sweep.values_in_words(record.trial));
        chart.layers.push(Layer::line(&name, Ink::Series(rank), curve(record.trial)));
    }
    page.figures(&[chart.figure()?]);
    Ok(())
}
