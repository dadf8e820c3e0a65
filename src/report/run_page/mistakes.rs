//! The rows that the network is most wrong about, and the columns that it goes by.

use super::numbers::signed;
use super::rows::set_name;
use crate::analysis::{Analysis, Example, ImportantColumn};
use crate::config::data::Task;
use crate::error::Result;
use crate::report::page::plot::{Bar, Bars, HeatMap};
use crate::report::page::{Cell, Page, Table};
use crate::report::{count, score};

/// Columns whose bars are drawn.
const BARS: usize = 20;

pub(super) fn mistakes(page: &mut Page, analysis: &Analysis) {
    let examples = &analysis.examples;
    if examples.rows.is_empty() {
        return;
    }
    page.section("Worst rows");
    let set = set_name(analysis);
    page.paragraph(&format!(
        "The {set} rows with the largest loss. Row numbers count from 1 in the file that they are from, \
         without its header. A wrong label in the data often shows here.{}",
        if matches!(analysis.task, Task::Classification | Task::Binary) {
            " p is the probability that the network gives to a class."
        } else {
            ""
        }
    ));
    let classed = matches!(analysis.task, Task::Classification | Task::Binary);
    let pictured = examples.rows.iter().any(|example| !example.pixels.is_empty());
    let mut headers = Vec::new();
    if pictured {
        headers.push("");
    }
    headers.extend(["row", "loss", "true", "predicted"]);
    if classed {
        headers.extend(["p(predicted)", "p(true)"]);
    }
    headers.extend(examples.columns.iter().map(String::as_str));
    let mut table = Table::new(&headers);
    for example in &examples.rows {
        table.row(cells(example, pictured, classed));
    }
    page.table(&table);
    if !examples.columns.is_empty() {
        page.paragraph("Of the columns, those that matter most are told.");
    }
}

fn cells(example: &Example, pictured: bool, classed: bool) -> Vec<Cell> {
    let mut row = Vec::new();
    if pictured {
        let name = format!("row {}: {}", example.row, example.truth);
        row.push(Cell::image(&example.pixels, &name));
    }
    let loss = example.loss.map_or("not finite".to_owned(), score);
    row.extend([
        Cell::number(&count(example.row as u64)),
        Cell::number(&loss),
        Cell::text(&example.truth),
        Cell::text(&example.predicted),
    ]);
    if classed {
        let probability = |value: Option<f64>| Cell::number(&value.map(score).unwrap_or_default());
        row.extend([probability(example.probability), probability(example.probability_of_truth)]);
    }
    row.extend(example.values.iter().map(|value| match value.parse::<f64>() {
        Ok(_) => Cell::number(&value.replace('-', "−")),
        Err(_) => Cell::text(value),
    }));
    row
}

/// A section on what each column matters; none where that is not known.
pub(super) fn importance(page: &mut Page, analysis: &Analysis) -> Result<()> {
    let Some(importance) = &analysis.importance else { return Ok(()) };
    page.section("What it goes by");
    let what = if importance.patches.is_some() { "a patch of pixels" } else { "a column" };
    page.paragraph(&format!(
        "Permutation importance: how much the loss goes up when the values of {what} are dealt out to the \
         rows anew, so that they say nothing any more. Found on {} {} rows, whose loss is {}, {}. Of columns \
         that say the same, each alone may seem to matter little.",
        count(importance.rows as u64),
        set_name(analysis),
        score(importance.loss),
        match importance.repeats {
            1 => "dealt out once".to_owned(),
            repeats if importance.patches.is_some() => format!("dealt out {repeats} times"),
            repeats => format!("dealt out {repeats} times; whiskers are the deviation over those"),
        },
    ));
    let drawn = match importance.patches {
        Some([lines, columns]) => patches(&importance.columns, lines, columns).figure()?,
        None => bars(&importance.columns).figure()?,
    };
    page.figures(&[drawn]);
    if importance.patches.is_none() && importance.columns.len() < importance.columns_of_data {
        page.paragraph(&format!(
            "Of {} columns the {} with the largest weights in the first layer were tried.",
            count(importance.columns_of_data as u64),
            count(importance.columns.len() as u64)
        ));
    }
    Ok(())
}

fn bars(columns: &[ImportantColumn]) -> Bars {
    let bar = |column: &ImportantColumn| Bar {
        name: column.name.clone(),
        value: column.loss,
        deviation: column.deviation,
        text: signed(column.loss),
    };
    let all = columns.len();
    Bars {
        title: "Importance of columns".to_owned(),
        caption: if all > BARS {
            format!("The first {BARS} of {}.", count(all as u64))
        } else {
            "All columns, those that matter most first.".to_owned()
        },
        axis: "rise of the loss".to_owned(),
        bars: columns.iter().take(BARS).map(bar).collect(),
    }
}

fn patches(columns: &[ImportantColumn], lines: usize, across: usize) -> HeatMap {
    let most = columns.iter().map(|column| column.loss).fold(0.0, f64::max);
    let mut strength = vec![vec![0.0; across]; lines];
    for column in columns {
        let Some(patch) = column.patch else { continue };
        if let Some(cell) = strength.get_mut(patch / across).and_then(|l| l.get_mut(patch % across))
        {
            *cell = if most > 0.0 { column.loss.max(0.0) / most } else { 0.0 };
        }
    }
    let pixels = columns.iter().map(|column| column.columns.len()).max().unwrap_or(1);
    let size = if pixels == 1 {
        "Each cell is a pixel".to_owned()
    } else {
        format!("Each cell is a patch of up to {pixels} pixels")
    };
    HeatMap {
        title: "Importance of the image's parts".to_owned(),
        caption: format!(
            "{size}, dealt out at once: the stronger, the more it matters. The strongest raises the loss \
             by {}.",
            score(most)
        ),
        down: String::new(),
        across: String::new(),
        rows: Vec::new(),
        columns: Vec::new(),
        strength,
        texts: Vec::new(),
    }
}
