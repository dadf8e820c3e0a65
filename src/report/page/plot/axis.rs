//! Axes: their range, where their ticks stand, and what these say.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::report::count;

/// One axis of a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Axis {
    /// What it shows, with its unit.
    pub title: String,
    /// Whether it is logarithmic. Values that are not above 0 are left out then.
    pub log: bool,
    /// The range, if it is not that of the values.
    pub range: Option<(f64, f64)>,
    /// Whether 0 belongs to the range whatever the values.
    pub from_zero: bool,
    /// Whether the values are whole numbers, such as epochs.
    pub whole: bool,
}

impl Axis {
    /// A linear axis.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }

    /// An axis of whole numbers.
    pub fn whole(title: &str) -> Self {
        Self { whole: true, ..Self::new(title) }
    }

    /// An axis from `low` to `high`.
    pub fn within(title: &str, low: f64, high: f64) -> Self {
        Self { range: Some((low, high)), ..Self::new(title) }
    }

    /// An axis for these values: logarithmic where all are above 0 and they go over more than `decades`
    /// powers of ten.
    pub fn fitting(title: &str, values: impl IntoIterator<Item = f64>, decades: f64) -> Self {
        let mut extent = None;
        values.into_iter().filter(|value| value.is_finite()).for_each(|value| {
            extent = Some(extent.map_or((value, value), |(low, high): (f64, f64)| {
                (low.min(value), high.max(value))
            }));
        });
        let log = extent.is_some_and(|(low, high)| low > 0.0 && (high / low).log10() > decades);
        Self { log, ..Self::new(title) }
    }

    /// Where a value stands, in the coordinates that are drawn; `None` for one that has no place.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let placed = if self.log { value.log10() } else { value };
        (value.is_finite() && (!self.log || value > 0.0)).then_some(placed)
    }

    /// The range drawn of values that reach from `low` to `high`, all in the coordinates drawn; `room`
    /// is the share of it that is left free at each end.
    pub(super) fn extent(&self, low: f64, high: f64, room: f64) -> (f64, f64) {
        if let Some((low, high)) = self.range {
            return (self.place(low).unwrap_or(low), self.place(high).unwrap_or(high));
        }
        let (low, high) =
            if self.from_zero && !self.log { (low.min(0.0), high.max(0.0)) } else { (low, high) };
        let size = high - low;
        // Two neighbours in f64 are too close to be told apart.
        if size <= 1e-12 * low.abs().max(high.abs()) || size == 0.0 {
            let half = if self.log || self.whole { 0.5 } else { (low.abs() * 0.1).max(1e-3) };
            return (low - half, high + half);
        }
        let below = if self.from_zero && low == 0.0 { 0.0 } else { size * room };
        let above = if self.from_zero && high == 0.0 { 0.0 } else { size * room };
        (low - below, high + above)
    }

    /// About `most` ticks at round numbers, in the coordinates drawn, each with what it says.
    pub(super) fn ticks(&self, low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
        if self.log { log_ticks(low, high, most) } else { self.linear_ticks(low, high, most) }
    }

    fn linear_ticks(&self, low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
        let rough = (high - low) / most.max(1) as f64;
        if !rough.is_finite() || rough <= 0.0 {
            return Vec::new();
        }
        let power = 10.0_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].iter().map(|m| m * power).find(|step| *step >= rough);
        let mut step = step.unwrap_or(10.0 * power);
        if self.whole {
            step = step.max(1.0).round();
        }
        let slack = 1e-9 * step;
        let first = ((low - slack) / step).ceil();
        (0..=2 * most)
            .map(|at| (first + at as f64) * step)
            .take_while(|tick| *tick <= high + slack)
            .map(|tick| (tick, label(tick, step)))
            .collect()
    }
}

/// A range with its ticks, as plotters takes it.
#[derive(Debug, Clone)]
pub(super) struct Ticked {
    pub(super) range: Range<f64>,
    pub(super) ticks: Vec<(f64, String)>,
}

impl Ranged for Ticked {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|tick| tick.0).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Ticked {
    fn format_ext(&self, value: &f64) -> String {
        let said = self.ticks.iter().find(|tick| tick.0 == *value);
        said.map(|tick| tick.1.clone()).unwrap_or_default()
    }
}

/// What a tick says, among others that are `step` away.
fn label(value: f64, step: f64) -> String {
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    let size = value.abs().max(step);
    if size >= 1e7 || step < 1e-5 {
        let digits = (size.log10().floor() - step.log10().floor()).clamp(0.0, 6.0) as usize;
        return if value == 0.0 {
            "0".to_owned()
        } else {
            typographic(&format!("{value:.digits$e}"))
        };
    }
    let decimals = (-(step * 1.000_001).log10().floor()).max(0.0) as usize;
    if decimals == 0 && size >= 1e4 {
        let sign = if value < 0.0 { "−" } else { "" };
        // Below 1e7, so it is a whole number of u64.
        return format!("{sign}{}", count(value.abs().round() as u64));
    }
    typographic(&format!("{value:.decimals$}"))
}

/// A number with the sign that it has in print.
fn typographic(number: &str) -> String {
    number.replace('-', "−")
}

/// Powers of ten, or 1, 2 and 5 times them where these are few.
fn log_ticks(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let decades = high - low;
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    let factors: &[f64] = if decades < 0.7 {
        &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    } else if decades <= 2.5 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let every = ((decades / most.max(1) as f64).ceil() as i32).max(1);
    let mut ticks = Vec::new();
    for power in (first..=last).filter(|power| power.rem_euclid(every) == 0) {
        for factor in factors {
            let place = factor.log10() + f64::from(power);
            if place >= low - 1e-9 && place <= high + 1e-9 {
                ticks.push((place, log_label(*factor, power)));
            }
        }
    }
    if ticks.len() < 2 {
        // Within one step of those: numbers as they stand at both ends.
        let plain = |place: f64| (place, typographic(&format!("{:.3e}", 10.0_f64.powf(place))));
        ticks = vec![plain(low + 0.1 * decades), plain(low + 0.9 * decades)];
    }
    ticks
}

fn log_label(factor: f64, power: i32) -> String {
    let value = factor * 10.0_f64.powi(power);
    match power {
        -3..=-1 => {
            format!("{value:.*}", power.unsigned_abs() as usize + usize::from(factor == 1.5))
        }
        0..=3 => format!("{value}"),
        _ => format!("{factor}e{}", typographic(&power.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis, low: f64, high: f64) -> Vec<String> {
        axis.ticks(low, high, 5).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_say_what_they_are() {
        let axis = Axis::new("");
        assert_eq!(texts(&axis, 0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&axis, -0.011, 0.012), ["−0.010", "−0.005", "0.000", "0.005", "0.010"]);
        assert_eq!(texts(&axis, 0.0, 40_000.0), ["0", "10,000", "20,000", "30,000", "40,000"]);
        assert_eq!(texts(&axis, 0.0, 3e-7), ["0", "1e−7", "2e−7", "3e−7"]);
        assert_eq!(texts(&Axis::whole("epoch"), 1.0, 3.0), ["1", "2", "3"]);
        let log = Axis { log: true, ..Axis::new("") };
        assert_eq!(texts(&log, -4.2, 0.1), ["1e−4", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(texts(&log, -0.1, 1.1), ["1", "2", "5", "10"]);
        assert!(texts(&log, 0.301, 0.302).len() == 2);
    }

    #[test]
    fn an_axis_is_logarithmic_where_values_go_far() {
        assert!(Axis::fitting("", [1e-5, 1.0, f64::NAN], 2.0).log);
        assert!(!Axis::fitting("", [0.5, 1.0], 2.0).log);
        assert!(!Axis::fitting("", [0.0, 1e6], 2.0).log);
        assert!(!Axis::fitting("", [], 2.0).log);
        let axis = Axis::new("");
        assert_eq!(axis.place(f64::NAN), None);
        assert_eq!(Axis { log: true, ..axis.clone() }.place(0.0), None);
        let (low, high) = axis.extent(3.0, 3.0, 0.05);
        assert!(low < 3.0 && high > 3.0);
    }
}
