//! The weights kept on rows held out: what is taken for what, curves, residuals.

use super::calibration::calibration;
use super::numbers::{score_of, score_of_some, signed};
use crate::analysis::{Analysis, Classes, Confusion, Ranking, TargetErrors};
use crate::config::data::Task;
use crate::error::Result;
use crate::report::page::plot::{Axis, Chart, Figure, HeatMap, Ink, Layer, Shape};
use crate::report::page::{Cell, Page, Table, Tone, shortened};
use crate::report::{count, score};

/// Classes up to which the matrix is drawn.
const DRAWN: usize = 60;

/// Classes that the table names at most.
const LISTED: usize = 100;

/// Characters of a name in a legend.
pub(super) const NAME: usize = 20;

/// Mix-ups that are told.
const MIXED_UP: usize = 8;

pub(super) fn rows(page: &mut Page, analysis: &Analysis) -> Result<()> {
    page.section(&format!("On the {} rows", set_name(analysis)));
    page.paragraph(&subject(analysis));
    if analysis.set == "train" {
        page.remark(
            Tone::Note,
            "No rows were held out, so these are rows that the network was trained on: it will do worse on \
             new ones. data.validation and data.test hold some out.",
        );
    }
    if analysis.members.is_empty() {
        page.remark(
            Tone::Warning,
            "What the network puts out is not all numbers: there is nothing to show.",
        );
        return Ok(());
    }
    if let Some(classes) = &analysis.classes {
        of_classes(page, analysis, classes)?;
    }
    of_targets(page, analysis)?;
    let metrics = analysis.metrics.iter();
    let metrics: Vec<(String, String)> = metrics
        .map(|metric| (metric.name.replace('_', " "), score_of_some(&metric.values)))
        .collect();
    if !metrics.is_empty() {
        page.heading("More metrics");
        page.facts(&metrics);
    }
    Ok(())
}

pub(super) fn set_name(analysis: &Analysis) -> &str {
    if analysis.set == "train" { "training" } else { &analysis.set }
}

/// Which rows were looked at, and which members.
fn subject(analysis: &Analysis) -> String {
    let set = set_name(analysis);
    let mut text = if analysis.rows < analysis.rows_of_set {
        format!(
            "What the weights kept say of {} evenly spaced ones of the {} {set} rows.",
            count(analysis.rows as u64),
            count(analysis.rows_of_set as u64)
        )
    } else {
        format!("What the weights kept say of all {} {set} rows.", count(analysis.rows as u64))
    };
    if analysis.members.len() > 1 {
        text.push_str(&format!(
            " Numbers are the mean ± deviation over {} members, curves their mean with a band from the \
             smallest to the largest; counts are summed over the members.",
            analysis.members.len()
        ));
    }
    text
}

fn of_classes(page: &mut Page, analysis: &Analysis, classes: &Classes) -> Result<()> {
    let multilabel = analysis.task == Task::Multilabel;
    let mut figures = Vec::new();
    match classes.confusion.as_slice() {
        [Confusion { label: None, matrix }] if matrix.len() <= DRAWN => {
            figures.push(confusion(matrix, &classes.names).figure()?);
        }
        labels if multilabel && !labels.is_empty() && labels.len() <= DRAWN => {
            figures.push(labels_map(labels, &classes.names).figure()?);
        }
        _ => {}
    }
    figures.extend(curves(analysis, classes)?);
    figures.extend(calibration(classes)?);
    page.figures(&figures);
    let table = class_table(classes, multilabel);
    if !table.is_empty() {
        page.heading(if multilabel { "By label" } else { "By class" });
        page.table(&table);
        if classes.names.len() > LISTED {
            page.paragraph(&format!(
                "The first {LISTED} of {}.",
                count(classes.names.len() as u64)
            ));
        }
    }
    let mixed = mixed_up(classes);
    if !mixed.is_empty() && classes.names.len() > 2 {
        page.heading("Most often mixed up");
        page.table(&mixed);
    }
    Ok(())
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn confusion(matrix: &[Vec<u64>], names: &[String]) -> HeatMap {
    let strength = |row: &Vec<u64>| {
        let all = row.iter().sum();
        row.iter().map(|count| share(*count, all)).collect()
    };
    let texts = |row: &Vec<u64>| {
        row.iter().map(|rows| if *rows == 0 { String::new() } else { count(*rows) }).collect()
    };
    HeatMap {
        title: "Confusion matrix".to_owned(),
        caption:
            "Rows of each class, by what they are taken for; the stronger, the larger the share of \
                  the true class. Right ones lie on the diagonal."
                .to_owned(),
        down: "true class".to_owned(),
        across: "predicted class".to_owned(),
        rows: names.to_vec(),
        columns: names.to_vec(),
        strength: matrix.iter().map(strength).collect(),
        texts: matrix.iter().map(texts).collect(),
    }
}

/// A line for each label: its confusion matrix, as shares of the rows with and without it.
fn labels_map(labels: &[Confusion], names: &[String]) -> HeatMap {
    let cells = |label: &Confusion| {
        let matrix = &label.matrix;
        let (without, with) = (matrix[0].iter().sum(), matrix[1].iter().sum());
        [
            (matrix[1][1], share(matrix[1][1], with)),
            (matrix[1][0], share(matrix[1][0], with)),
            (matrix[0][1], share(matrix[0][1], without)),
            (matrix[0][0], share(matrix[0][0], without)),
        ]
    };
    let name =
        |label: &Confusion| label.label.and_then(|at| names.get(at)).cloned().unwrap_or_default();
    HeatMap {
        title: "Confusion by label".to_owned(),
        caption: "Rows that have a label and are said to or not, and rows that do not; the stronger, the \
                  larger the share of those."
            .to_owned(),
        down: "label".to_owned(),
        across: String::new(),
        rows: labels.iter().map(name).collect(),
        columns: ["found", "missed", "false alarm", "rightly not"].map(str::to_owned).to_vec(),
        strength: labels.iter().map(|l| cells(l).iter().map(|cell| cell.1).collect()).collect(),
        texts: labels.iter().map(|l| cells(l).iter().map(|cell| count(cell.0)).collect()).collect(),
    }
}

/// The receiver operating characteristic, and precision against recall.
fn curves(analysis: &Analysis, classes: &Classes) -> Result<Vec<Figure>> {
    let drawn: Vec<&Ranking> =
        classes.rankings.iter().filter(|ranking| !ranking.precision_recall.is_empty()).collect();
    if drawn.is_empty() {
        return Ok(Vec::new());
    }
    let of = match analysis.task {
        Task::Binary => {
            let name = classes.names.get(1).map_or("1", String::as_str);
            format!("Of the class {name}, by its probability.")
        }
        Task::Multilabel => "Of each label, by its probability.".to_owned(),
        _ => "Of each class against all others, by its probability.".to_owned(),
    };
    let some = if drawn.len() < classes.rankings.len() {
        format!(" Drawn are the {} of the smallest areas.", drawn.len())
    } else {
        String::new()
    };
    let mut roc = Chart::new(
        "Receiver operating characteristic",
        &format!("{of}{some} The dashed line is chance."),
        Axis::within("false positive rate", 0.0, 1.0),
        Axis::within("true positive rate", 0.0, 1.0),
    );
    let chance = vec![(0.0, 0.0), (1.0, 1.0)];
    roc.layers.push(Layer::line("", Ink::Reference, chance));
    let mut precision = Chart::new(
        "Precision and recall",
        &format!("{of}{some} Numbers are average precision."),
        Axis::within("recall", 0.0, 1.0),
        Axis::within("precision", 0.0, 1.0),
    );
    (roc.square, precision.square) = (true, true);
    for (at, ranking) in drawn.iter().enumerate() {
        let name = classes.names.get(ranking.class).cloned().unwrap_or_default();
        let of =
            |value: &[Option<f64>]| format!("{}: {}", shortened(&name, NAME), score_of_some(value));
        let ink = Ink::Series(at);
        if !ranking.roc.is_empty() {
            roc.layers.extend(spread(&of(&ranking.roc_auc), ink, &ranking.roc));
        }
        let curve = &ranking.precision_recall;
        precision.layers.extend(spread(&of(&ranking.average_precision), ink, curve));
    }
    Ok(vec![roc.figure()?, precision.figure()?])
}

/// A curve of (x, mean, smallest, largest).
fn spread(name: &str, ink: Ink, curve: &[[f64; 4]]) -> Vec<Layer> {
    let mut layers = Vec::new();
    if curve.iter().any(|[_, _, low, high]| low < high) {
        let band = curve.iter().map(|[x, _, low, high]| (*x, *low, *high)).collect();
        layers.push(Layer::band("", ink, 0.16, band));
    }
    layers.push(Layer::line(name, ink, curve.iter().map(|[x, mean, ..]| (*x, *mean)).collect()));
    layers
}

/// Precision, recall and areas of every class or label.
fn class_table(classes: &Classes, multilabel: bool) -> Table {
    let what = if multilabel { "label" } else { "class" };
    let headers = [what, "rows", "precision", "recall", "F1", "ROC area", "average precision"];
    let mut table = Table::new(&headers);
    for (class, name) in classes.names.iter().enumerate().take(LISTED) {
        let counts = match classes.confusion.as_slice() {
            [Confusion { label: None, matrix }] => {
                let said = matrix.iter().map(|row| row[class]).sum::<u64>();
                Some((matrix[class][class], said, matrix[class].iter().sum()))
            }
            labels => labels.iter().find(|confusion| confusion.label == Some(class)).map(|label| {
                let matrix = &label.matrix;
                (matrix[1][1], matrix[0][1] + matrix[1][1], matrix[1][0] + matrix[1][1])
            }),
        };
        let ranking = classes.rankings.iter().find(|ranking| ranking.class == class);
        let mut row = vec![Cell::text(name)];
        match counts {
            Some((both, said, is)) => row.extend([
                Cell::number(&count(is)),
                Cell::number(&score(share(both, said))),
                Cell::number(&score(share(both, is))),
                Cell::number(&score(share(2 * both, said + is))),
            ]),
            None => {
                row.push(Cell::number(&ranking.map(|r| count(r.rows)).unwrap_or_default()));
                row.extend(std::iter::repeat_n(Cell::number("–"), 3));
            }
        }
        let area = |of: fn(&Ranking) -> &[Option<f64>]| {
            Cell::number(&ranking.map(|ranking| score_of_some(of(ranking))).unwrap_or_default())
        };
        row.extend([area(|ranking| &ranking.roc_auc), area(|ranking| &ranking.average_precision)]);
        table.row(row);
    }
    table
}

fn mixed_up(classes: &Classes) -> Table {
    let mut table = Table::new(&["true class", "taken for", "rows", "share of the class"]);
    let [Confusion { label: None, matrix }] = classes.confusion.as_slice() else { return table };
    let mut pairs: Vec<(u64, usize, usize)> = Vec::new();
    for (class, row) in matrix.iter().enumerate() {
        let wrong = row.iter().enumerate().filter(|(other, rows)| *other != class && **rows > 0);
        pairs.extend(wrong.map(|(other, rows)| (*rows, class, other)));
    }
    pairs.sort_by(|a, b| b.0.cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    for (rows, class, other) in pairs.into_iter().take(MIXED_UP) {
        let of = share(rows, matrix[class].iter().sum());
        let name = |class: usize| classes.names.get(class).cloned().unwrap_or_default();
        table.row(vec![
            Cell::text(&name(class)),
            Cell::text(&name(other)),
            Cell::number(&count(rows)),
            Cell::number(&format!("{:.1} %", 100.0 * of)),
        ]);
    }
    table
}

fn of_targets(page: &mut Page, analysis: &Analysis) -> Result<()> {
    let several = analysis.members.len() > 1;
    let mut headers =
        vec!["target", "mean error", "deviation", "5 %", "25 %", "median", "75 %", "95 %"];
    if several {
        headers.push("disagreement");
    }
    let mut table = Table::new(&headers);
    for errors in &analysis.errors {
        if analysis.errors.len() > 1 {
            page.heading(&errors.target);
        }
        page.figures(&residuals(errors, analysis)?);
        let some = |value: Option<f64>| Cell::number(&score_of(&[value.unwrap_or(f64::NAN)]));
        let mut row = vec![Cell::text(&errors.target), some(errors.bias), some(errors.deviation)];
        row.extend(errors.quantiles.iter().map(|residual| Cell::number(&signed(*residual))));
        if several {
            row.push(some(errors.disagreement));
        }
        table.row(row);
    }
    if !table.is_empty() {
        page.heading("Errors");
        let members = if several {
            " The prediction is the mean of the members; disagreement is how far they are apart, as a \
             deviation."
        } else {
            ""
        };
        page.paragraph(&format!(
            "Prediction − truth, in the target's own unit; of so many of 100 rows it is below the value \
             told.{members}"
        ));
        page.table(&table);
    }
    Ok(())
}

fn residuals(errors: &TargetErrors, analysis: &Analysis) -> Result<Vec<Figure>> {
    let shown = if errors.rows.len() < analysis.rows {
        format!(" {} of {} rows.", count(errors.rows.len() as u64), count(analysis.rows as u64))
    } else {
        String::new()
    };
    let pairs: Vec<(f64, f64)> = errors.rows.iter().map(|row| (row.truth, row.predicted)).collect();
    let all = || pairs.iter().flat_map(|(truth, predicted)| [*truth, *predicted]);
    let low = all().fold(f64::INFINITY, f64::min);
    let high = all().fold(f64::NEG_INFINITY, f64::max);
    let mut against = Chart::new(
        "Predicted against true",
        &format!("A perfect prediction lies on the dashed line.{shown}"),
        Axis::new(&format!("true {}", errors.target)),
        Axis::new(&format!("predicted {}", errors.target)),
    );
    against.layers.push(Layer::line("", Ink::Reference, vec![(low, low), (high, high)]));
    let dots = Shape::Dots(pairs);
    against.layers.push(Layer { name: String::new(), ink: Ink::Series(0), shape: dots });

    let mut residuals = Chart::new(
        "Residuals against predictions",
        &format!("A slope, a bend or a funnel is something that the network missed.{shown}"),
        Axis::new(&format!("predicted {}", errors.target)),
        Axis::new("prediction − truth"),
    );
    residuals.layers.push(Layer::horizontal(0.0, ""));
    let dots = Shape::Dots(
        errors.rows.iter().map(|row| (row.predicted, row.predicted - row.truth)).collect(),
    );
    residuals.layers.push(Layer { name: String::new(), ink: Ink::Series(0), shape: dots });

    let [low, high] = errors.extent;
    let width = (high - low) / errors.histogram.len().max(1) as f64;
    let columns = errors.histogram.iter().enumerate().map(|(at, rows)| {
        let from = low + width * at as f64;
        (from, from + width, *rows as f64)
    });
    let mut histogram = Chart::new(
        "Residuals",
        "How far predictions are off; the dashed line is where they would be right.",
        Axis::new("prediction − truth"),
        Axis { from_zero: true, whole: true, ..Axis::new("rows") },
    );
    let shape = Shape::Columns(columns.collect());
    histogram.layers.push(Layer { name: String::new(), ink: Ink::Series(0), shape });
    histogram.layers.push(Layer::vertical(0.0, ""));
    Ok(vec![against.figure()?, residuals.figure()?, histogram.figure()?])
}
