//! Whether the sets are alike, column by column: the largest distance between the distribution functions
//! of the training rows and of a set held out (Kolmogorov and Smirnov).
//!
//! It is told from a distance of [`FAR`] on whose probability between alike sets is 1e-6 or less: columns are
//! many.

use super::finding::{Finding, Kind, Severity, named};
use super::sample::{Sample, Sorted, TargetValues};

/// A distance of distribution functions that matters.
const FAR: f64 = 0.2;

/// `distance * sqrt(n m / (n + m))` that alike sets exceed with a probability of 2 exp(-2 x^2) = 1e-6.
const UNLIKELY: f64 = 2.69;

/// How far apart a set held out is from training.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift {
    /// Its index in the sample's sets.
    set: usize,
    distance: f64,
}

/// The sets held out that differ from training in some values, given in their order.
fn far<V: PartialEq + Copy>(sample: &Sample, order: impl Iterator<Item = (u32, V)>) -> Vec<Shift> {
    let sets = sample.sets.len();
    let mut totals = vec![0_usize; sets];
    sample.set_of.iter().for_each(|set| totals[usize::from(*set)] += 1);
    let (mut counts, mut most) = (vec![0_usize; sets], vec![0.0_f64; sets]);
    let share = |counts: &[usize], set: usize| counts[set] as f64 / totals[set].max(1) as f64;
    let mut order = order.peekable();
    while let Some((row, value)) = order.next() {
        counts[usize::from(sample.set_of[row as usize])] += 1;
        if order.peek().is_none_or(|(_, next)| *next != value) {
            for (set, most) in most.iter_mut().enumerate().skip(1) {
                let distance = (share(&counts, 0) - share(&counts, set)).abs();
                *most = most.max(distance);
            }
        }
    }
    (1..sets)
        .map(|set| Shift { set, distance: most[set] })
        .filter(|shift| {
            let (n, m) = (totals[0] as f64, totals[shift.set] as f64);
            shift.distance >= FAR && shift.distance * (n * m / (n + m)).sqrt() >= UNLIKELY
        })
        .collect()
}

pub(super) fn shifts(sample: &Sample, sorted: &Sorted) -> Vec<Shift> {
    far(sample, sorted.order.iter().copied())
}

fn of_target(sample: &Sample, target: usize) -> Vec<Shift> {
    let rows = 0..sample.rows.len() as u32;
    match &sample.targets[target].values {
        TargetValues::Classes(classes, _) => {
            let mut order: Vec<_> = rows.map(|row| (row, classes[row as usize])).collect();
            order.sort_unstable_by_key(|(row, class)| (*class, *row));
            far(sample, order.into_iter())
        }
        TargetValues::Numbers(numbers) => {
            let mut order: Vec<_> = rows.map(|row| (row, numbers[row as usize])).collect();
            order.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            far(sample, order.into_iter())
        }
    }
}

pub(super) fn shifted(sample: &Sample, of_columns: &[Vec<Shift>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (set, set_name) in sample.sets.iter().enumerate().skip(1) {
        let of_set = |shifts: &[Shift]| shifts.iter().find(|shift| shift.set == set).copied();
        let mut far: Vec<(String, f64)> = of_columns
            .iter()
            .enumerate()
            .filter_map(|(column, shifts)| Some((sample.name(column), of_set(shifts)?.distance)))
            .collect();
        far.sort_by(|a, b| b.1.total_cmp(&a.1));
        let advice = "scores on them may differ from those on training rows for that alone: is the \
                      set drawn from what the network will meet?";
        if let Some((_, most)) = far.first() {
            let distance = *most;
            let names: Vec<String> = far.into_iter().map(|(name, _)| name).collect();
            let text = format!(
                "the {set_name} rows differ from the training rows in {}, by {distance:.2} of 1 at most",
                named(&names)
            );
            findings.push(
                Finding::new(Kind::ShiftedColumn, Severity::Warning, text, advice)
                    .of_columns(names),
            );
        }
        for (at, target) in sample.targets.iter().enumerate() {
            let Some(shift) = of_set(&of_target(sample, at)) else { continue };
            let text = format!(
                "the {set_name} rows differ from the training rows in the target {:?}, by {:.2} of 1",
                target.name, shift.distance
            );
            findings.push(
                Finding::new(Kind::ShiftedTarget, Severity::Warning, text, advice)
                    .of_columns(vec![target.name.clone()]),
            );
        }
    }
    findings
}
