//! What a comparison comes to, in words.

use super::document::{short_name, short_names};
use super::result::{
    Axis, BreakEven, BreakEvenOutcome, Comparison, DeviceRun, Form, Outside, Speed,
};
use crate::report::count;

/// A drift is explained by that of the rounded f64 run up to so many times it: two runs that part
/// exponentially are as far apart as when each began to.
const ALIKE: f64 = 100.0;

/// `1.3`, `12`, `4.2e7`: a number of times.
pub(super) fn times(value: f64) -> String {
    match value {
        v if v >= 1e300 => "endlessly many".to_owned(),
        v if v >= 1e5 => format!("{v:.0e}"),
        v if v >= 10.0 => count(v.round() as u64),
        v if v >= 0.1 => format!("{v:.1}"),
        v => format!("{v:.1e}"),
    }
}

/// The name of a form of the step.
pub(super) fn form(form: Form) -> &'static str {
    match form {
        Form::CallByCall => "call by call",
        Form::AsTrained => "as training runs it",
    }
}

fn outside(name: &str, outside: &Outside) -> String {
    let Outside { step, form: own, gap } = outside;
    let how = match gap.of_band >= 1e300 {
        true => "which is not finite, while the f64 step's is".to_owned(),
        false => format!("{} times as far from f64 as rounding explains", times(gap.of_band)),
    };
    format!(
        "{name} computes WRONG: the first to leave its band is {} at step {step} ({}), {how}.",
        gap.tensor,
        form(*own)
    )
}

fn right(comparison: &Comparison, names: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    let mut good = Vec::new();
    for (run, name) in comparison.devices.iter().zip(names) {
        if let Some(gap) = &run.first_outside {
            all.push(outside(name, gap));
        } else if let Some(step) = run.not_finite {
            all.push(format!(
                "{name} computes WRONG: at step {step} it meets a number that is not finite, and \
                 the f64 step from the same weights does not."
            ));
        } else if run.same_in_one_go == Some(false) {
            all.push(format!(
                "{name} computes WRONG: all steps in one go leave other weights than one by one."
            ));
        } else if run.steps.iter().any(|step| !step.checks.is_empty()) {
            good.push((run, name.as_str()));
        }
    }
    if !good.is_empty() {
        let most = good.iter().flat_map(|(run, _)| &run.worst).map(|gap| gap.of_band);
        let (computes, alike) =
            if good.len() == 1 { ("computes", "") } else { ("compute", " alike") };
        let sentence = format!(
            "{} {computes} right{alike}: at {} checked steps no output, gradient or weight is \
             further from f64 than rounding explains (at most {:.2} of that).",
            listed(good.iter().map(|(_, name)| *name)),
            count(comparison.checked_steps),
            most.fold(0.0, f64::max),
        );
        all.push(sentence);
    }
    all
}

/// `a`, `a and b`, `a, b and c`.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Chaos or a bug.
fn parting(comparison: &Comparison, names: &[String]) -> Vec<String> {
    let reference = comparison.reference.rounded_drift.last().copied().unwrap_or_default();
    let runs = || comparison.devices.iter().zip(names).filter(|(run, _)| !run.steps.is_empty());
    let is_rounding = |run: &DeviceRun| run.is_right() && !run.is_apart();
    let mut all = Vec::new();
    let near: Vec<_> = runs().filter(|(run, _)| is_rounding(run)).collect();
    if !near.is_empty() {
        let most = near.iter().map(|(run, _)| run.last_drift()).fold(0.0, f64::max);
        all.push(format!(
            "After {} steps the weights on {} are {most:.1e} from f64's or less: rounding that adds \
             up, no chaos.",
            count(comparison.steps),
            listed(near.iter().map(|(_, name)| name.as_str()))
        ));
    }
    for (run, name) in runs().filter(|(run, _)| !is_rounding(run)) {
        let (drift, steps) = (run.last_drift(), count(run.steps.len() as u64));
        if drift >= 1e300 {
            all.push(format!("After {steps} steps the weights on {name} are not finite."));
            continue;
        }
        let far = format!("After {steps} steps the weights on {name} are {drift:.1e} from f64's");
        let tenfold = match run.growth {
            Some(growth) if growth.tenfold_steps > 0.0 => {
                format!(", tenfold every {} steps", times(growth.tenfold_steps))
            }
            _ => String::new(),
        };
        all.push(if !run.is_right() {
            format!("{far}: a bug, whatever chaos adds to it.")
        } else if drift <= ALIKE * reference {
            format!(
                "{far}{tenfold}: chaos of this training, no bug. An f64 run with f32's rounding \
                 parts from f64 as well, to {reference:.1e}, and every checked step is right."
            )
        } else {
            format!(
                "{far}{tenfold}, and an f64 run with f32's rounding only {reference:.1e}: every \
                 checked step is right, so it is chaos that began early."
            )
        });
    }
    all
}

/// The fastest of some devices.
fn fastest<'a>(
    comparison: &'a Comparison,
    among: &dyn Fn(&DeviceRun) -> bool,
) -> Option<(&'a DeviceRun, Speed)> {
    let devices = comparison.devices.iter().filter(|run| among(run));
    let speeds = devices.filter_map(|run| Some((run, run.speed?)));
    speeds.max_by(|a, b| a.1.samples_per_second.total_cmp(&b.1.samples_per_second))
}

fn speed(comparison: &Comparison) -> Option<String> {
    let (first, own) = fastest(comparison, &|_| true)?;
    let others: Vec<String> = comparison
        .devices
        .iter()
        .filter(|run| !std::ptr::eq(*run, first))
        .filter_map(|run| {
            let quotient = own.samples_per_second / run.speed?.samples_per_second;
            Some(format!("{} times as many as {}", times(quotient), short_name(&run.name)))
        })
        .collect();
    let rate = count(own.samples_per_second.round() as u64);
    let name = short_name(&first.name);
    if others.is_empty() {
        return Some(format!("{name} trains this job at {rate} samples/s."));
    }
    Some(format!("{name} is the fastest for this job: {rate} samples/s, {}.", others.join(", ")))
}

/// Where a break-even lies.
pub(super) fn break_even(found: &BreakEven) -> String {
    let what = |size: u64| match found.axis {
        Axis::BatchRows => format!("{} rows a batch", count(size)),
        Axis::HiddenUnits => format!("{} units in the widest hidden layer", count(size)),
    };
    let sizes = found.points.first().zip(found.points.last());
    let Some((least, most)) = sizes.map(|(least, most)| (least.size, most.size)) else {
        return String::new();
    };
    let device = short_name(&found.device);
    match (found.outcome, found.at) {
        (BreakEvenOutcome::Crosses, Some(at)) => {
            format!("{device} is faster than the CPU from about {} on.", what(at.round() as u64))
        }
        (BreakEvenOutcome::AlwaysFaster, _) => {
            format!("{device} is faster than the CPU from {} on, the least measured.", what(least))
        }
        _ => format!("{device} is never faster than the CPU, up to {}.", what(most)),
    }
}

fn advice(comparison: &Comparison) -> Option<String> {
    if !comparison.is_right() {
        let beware = "Do not train on a device that computes wrong: update its driver, see what \
                      `wgfit verify --device ...` says of its kernels, and report it.";
        let seen_right = |run: &DeviceRun| {
            run.is_right() && run.steps.iter().any(|step| !step.checks.is_empty())
        };
        return Some(match fastest(comparison, &seen_right) {
            Some((run, _)) => format!("{beware} {}", take(run)),
            None => beware.to_owned(),
        });
    }
    if comparison.reference.not_finite.is_some() {
        return Some(
            "The training diverges whatever it runs on: lower optimizer.learning_rate, or scale \
             the data."
                .to_owned(),
        );
    }
    fastest(comparison, &|_| true).map(|(run, _)| take(run))
}

/// The word to take a device.
fn take(run: &DeviceRun) -> String {
    match run.backend.as_str() {
        "cpu" => "Train it with --device cpu.".to_owned(),
        _ => format!("Train it with --device {:?}.", short_name(&run.name)),
    }
}

/// The verdict: right or wrong, chaos or a bug, which is faster, from where on a GPU is, what to do.
pub(super) fn verdict(comparison: &Comparison) -> Vec<String> {
    let names = short_names(&comparison.devices);
    let mut all = right(comparison, &names);
    all.extend(parting(comparison, &names));
    all.extend(speed(comparison));
    all.extend(comparison.break_even.iter().map(break_even));
    all.extend(advice(comparison));
    all
}
