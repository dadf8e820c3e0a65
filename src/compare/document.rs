//! A comparison as tables of text, of which the terminal's and the page's are two settings: every
//! number is written here, once.

use super::layout::Quantity;
use super::result::{Axis, Comparison, DeviceRun, Gap, StepRun};
use super::verdict::{break_even, form, times};
use crate::report::{count, duration, members_of, prefixed};

/// The whole document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// What was compared.
    pub title: String,
    /// Labelled facts.
    pub facts: Vec<(String, String)>,
    /// Its sections.
    pub sections: Vec<Section>,
    /// The verdict, a paragraph each.
    pub verdict: Vec<String>,
}

/// A section with a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// Its title.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// Headers; the columns from `numbers` on are numbers.
    pub headers: Vec<String>,
    /// Where numbers begin.
    pub numbers: usize,
    /// Rows of cells.
    pub rows: Vec<Vec<String>>,
    /// What follows from it.
    pub after: Vec<String>,
}

/// A device's name, without what drivers add in brackets.
pub(super) fn short_name(name: &str) -> &str {
    name.split(" (").next().unwrap_or(name)
}

/// Names that are short enough for a header, and apart.
pub(super) fn short_names(runs: &[DeviceRun]) -> Vec<String> {
    let names: Vec<String> = runs.iter().map(|run| short_name(&run.name).to_owned()).collect();
    let is_unique = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
    let numbered = |(at, name): (usize, &String)| match is_unique(name) {
        true => name.clone(),
        false => format!("{name} #{}", at + 1),
    };
    names.iter().enumerate().map(numbered).collect()
}

fn quantity(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Activation => "output",
        Quantity::Loss => "loss",
        Quantity::Gradient => "gradient",
        Quantity::Weight => "weight",
    }
}

/// A distance: `1.2e-7`, `0`, `not finite`.
fn distance(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v >= 1e300 => "not finite".to_owned(),
        v => format!("{v:.1e}"),
    }
}

fn ulps(value: f64) -> String {
    match value {
        v if v >= 1e6 => distance(v),
        v => format!("{v:.1}"),
    }
}

/// A share of the band.
fn of_band(value: f64) -> String {
    match value {
        v if v >= 1e300 => "not finite".to_owned(),
        v if v > 10.0 => times(v),
        v => format!("{v:.3}"),
    }
}

fn loss(value: Option<f64>) -> String {
    value.map_or("not finite".to_owned(), |value| format!("{value:.6}"))
}

/// 1, 2, 5, 10, 20, 50, ... and the last.
pub(super) fn shown_steps(steps: u64) -> Vec<u64> {
    let mut all = Vec::new();
    let mut decade = 1;
    while decade <= steps {
        all.extend([decade, 2 * decade, 5 * decade].into_iter().filter(|step| *step <= steps));
        decade *= 10;
    }
    if all.last() != Some(&steps) {
        all.push(steps);
    }
    all
}

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn correctness(comparison: &Comparison, names: &[String]) -> Section {
    let mut rows = Vec::new();
    for (run, name) in comparison.devices.iter().zip(names) {
        for gap in &run.worst {
            rows.push(gap_row(name, gap));
        }
    }
    let mut after = Vec::new();
    for (run, name) in comparison.devices.iter().zip(names) {
        if let Some(outside) = &run.first_outside {
            after.push(format!(
                "{name}: the first outside is {} at step {}, {}: {} of the band",
                outside.gap.tensor,
                outside.step,
                form(outside.form),
                of_band(outside.gap.of_band)
            ));
        }
        if let Some(step) = run.not_finite {
            after.push(format!("{name}: not finite at step {step}"));
        }
        after.extend(run.same_in_one_go.map(|same| match same {
            true => format!("{name}: all steps in one go leave the same bits as one by one"),
            false => format!("{name}: all steps in one go do NOT leave what one by one does"),
        }));
    }
    Section {
        title: "Each step beside f64".to_owned(),
        caption: format!(
            "The worst of {} steps, each beside an f64 step from the device's own weights. Ulps and \
             distances are of the tensor's largest element and of its norm; the band is what \
             rounding explains, and right is up to 1 of it.",
            count(comparison.checked_steps)
        ),
        headers: strings([
            "device",
            "quantity",
            "tensor",
            "ulps",
            "largest",
            "by norm",
            "of the band",
        ]),
        numbers: 3,
        rows,
        after,
    }
}

fn gap_row(name: &str, gap: &Gap) -> Vec<String> {
    vec![
        name.to_owned(),
        quantity(gap.quantity).to_owned(),
        gap.tensor.clone(),
        ulps(gap.ulps),
        distance(gap.relative),
        distance(gap.relative_norm),
        of_band(gap.of_band),
    ]
}

fn parting(comparison: &Comparison, names: &[String]) -> Section {
    let mut headers = strings(["step", "f64 loss"]);
    for name in names {
        headers.push(format!("{name} loss"));
        headers.push("drift".to_owned());
        headers.push("of the band".to_owned());
    }
    headers.push("rounding alone".to_owned());
    let reference = &comparison.reference;
    let mut rows = Vec::new();
    for step in shown_steps(comparison.steps) {
        let at = step as usize - 1;
        let mut row = vec![count(step), loss(reference.losses.get(at).copied().flatten())];
        for run in &comparison.devices {
            row.extend(match run.steps.get(at) {
                Some(step) => [loss(step.loss), distance(step.drift), most(step)],
                None => [String::new(), String::new(), String::new()],
            });
        }
        row.push(reference.rounded_drift.get(at).map_or_else(String::new, |d| distance(*d)));
        rows.push(row);
    }
    let mut after = Vec::new();
    let grows = |name: &str, growth: Option<super::result::Growth>| {
        let growth = growth?;
        let how = match growth.tenfold_steps {
            steps if steps <= 0.0 => "does not grow".to_owned(),
            steps => format!("grows tenfold every {} steps", times(steps)),
        };
        let jump = match growth.largest_jump {
            jump if jump < 2.0 => String::new(),
            jump => format!(", at most {} times in a step", times(jump)),
        };
        Some(format!(
            "{name}: the drift {how} (a line explains {:.0} % of its logarithm){jump}",
            100.0 * growth.explained,
        ))
    };
    // Rounding that adds up is no line.
    let chaotic = comparison.devices.iter().zip(names).filter(|(run, _)| run.is_apart());
    for (run, name) in chaotic {
        after.extend(grows(name, run.growth));
    }
    if !after.is_empty() {
        after.extend(grows("rounding alone", reference.rounded_growth));
    }
    Section {
        title: "Apart from the f64 run".to_owned(),
        caption:
            "Trained freely from the same weights. Drift is the norm of the difference of all \
                  weights from those of the f64 run, by their norm; rounding alone is that of a \
                  second f64 run, with every result rounded as f32 is likely to."
                .to_owned(),
        headers,
        numbers: 0,
        rows,
        after,
    }
}

/// The most that a step fills of a band.
fn most(step: &StepRun) -> String {
    let all = step.checks.iter().map(|gap| gap.of_band);
    all.reduce(f64::max).map_or_else(String::new, of_band)
}

fn speed(comparison: &Comparison, names: &[String]) -> Section {
    let rows = comparison.devices.iter().zip(names).map(|(run, name)| {
        let mut row = vec![name.clone(), run.form.clone()];
        row.extend(match &run.speed {
            Some(speed) => [
                count(speed.steps_per_second.round() as u64),
                count(speed.samples_per_second.round() as u64),
                prefixed(speed.flops_per_second, "FLOP/s"),
                prefixed(speed.bytes_per_second, "B/s"),
                speed
                    .host_share
                    .map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share)),
            ],
            None => std::array::from_fn(|_| String::new()),
        });
        row.push(prefixed(run.memory.bytes as f64, "B"));
        row.push(format!(
            "{} {}",
            run.memory.largest,
            prefixed(run.memory.largest_bytes as f64, "B")
        ));
        row
    });
    Section {
        title: "Speed".to_owned(),
        caption: "In the form that training runs, the host's work included; host is the share of \
                  the time in which the device does not compute."
            .to_owned(),
        headers: strings([
            "device",
            "form",
            "steps/s",
            "samples/s",
            "operations",
            "traffic",
            "host",
            "buffers",
            "largest",
        ]),
        numbers: 2,
        rows: rows.collect(),
        after: Vec::new(),
    }
}

fn break_evens(comparison: &Comparison) -> Section {
    let mut rows = Vec::new();
    for found in &comparison.break_even {
        let short = short_name(&found.device);
        for point in &found.points {
            rows.push(vec![
                short.to_owned(),
                match found.axis {
                    Axis::BatchRows => "rows a batch".to_owned(),
                    Axis::HiddenUnits => "widest hidden layer".to_owned(),
                },
                count(point.size),
                duration(point.cpu_seconds),
                duration(point.gpu_seconds),
                format!("{:.2}", point.cpu_seconds / point.gpu_seconds),
            ]);
        }
    }
    Section {
        title: "Break-even".to_owned(),
        caption: "A training step of this network at other sizes, measured.".to_owned(),
        headers: strings(["device", "what grows", "size", "CPU", "GPU", "GPU's speed by CPU's"]),
        numbers: 2,
        rows,
        after: comparison.break_even.iter().map(break_even).collect(),
    }
}

/// Writes a comparison down.
pub fn document(comparison: &Comparison) -> Document {
    let job = &comparison.job;
    let names = short_names(&comparison.devices);
    let members = members_of(job.members, job.heads);
    let mut facts = vec![
        (
            "network".to_owned(),
            format!("{members}{}, {} parameters", job.network, count(job.parameters)),
        ),
        (
            "training".to_owned(),
            format!(
                "{} of {} rows, {}, {}, {} rows a batch, {}{}",
                job.task,
                count(job.rows),
                job.loss,
                job.optimizer,
                count(job.batch_rows),
                job.precision,
                match job.accumulate {
                    1 => String::new(),
                    batches => format!(", {batches} batches a step"),
                }
            ),
        ),
    ];
    for run in &comparison.devices {
        let driver =
            if run.driver.is_empty() { String::new() } else { format!(", {}", run.driver) };
        let what = match run.backend.as_str() {
            "cpu" => "the CPU backend".to_owned(),
            backend => format!("{backend}, {}{driver}", run.kind),
        };
        facts.push(("device".to_owned(), format!("{} ({what})", run.name)));
    }
    let steps = format!(
        "{} of {}, {} of them checked; one in f64 takes {}",
        count(comparison.steps),
        count(comparison.asked_steps),
        count(comparison.checked_steps),
        duration(comparison.reference.step_seconds)
    );
    let why = comparison.limit.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    facts.push(("steps".to_owned(), format!("{steps}{why}")));
    let mut sections = vec![correctness(comparison, &names), parting(comparison, &names)];
    if comparison.devices.iter().any(|run| run.speed.is_some()) {
        sections.push(speed(comparison, &names));
    }
    if !comparison.break_even.is_empty() {
        sections.push(break_evens(comparison));
    }
    Document {
        title: format!("{} on {}", comparison.config, names.join(" and ")),
        facts,
        sections,
        verdict: comparison.verdict.clone(),
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_shown_in_ones_twos_and_fives() {
        assert_eq!(shown_steps(1), [1]);
        assert_eq!(shown_steps(60), [1, 2, 5, 10, 20, 50, 60]);
        assert_eq!(shown_steps(200), [1, 2, 5, 10, 20, 50, 100, 200]);
    }
}
