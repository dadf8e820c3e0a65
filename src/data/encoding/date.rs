//! Dates: read, and brought to numbers that a network can use.

use std::f64::consts::TAU;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};

use super::{MissingNumber, Scale};

/// Seconds of a day.
pub(in crate::data) const DAY: f64 = 86_400.0;

/// How dates are encoded: days since 1970, scaled; sine and cosine of the part of the year that has
/// gone by, of the week (from Monday on), and, where the training rows have times of day, of the day;
/// last, where it is asked for, whether the date was missing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateEncoding {
    /// The scaling of the days.
    pub days: Scale,
    /// Whether there are times of day.
    pub time_of_day: bool,
    /// What a missing date becomes; its value is in seconds since 1970.
    pub missing: MissingNumber,
}

impl DateEncoding {
    /// Inputs, without that of missing dates.
    pub(super) fn width(&self) -> usize {
        if self.time_of_day { 7 } else { 5 }
    }

    /// Encodes a date in seconds since 1970; not finite where the calendar does not go so far.
    pub(super) fn encode(&self, seconds: f64, out: &mut [f32]) {
        let days = seconds / DAY;
        let whole = days.floor();
        let day = days - whole;
        let year = year_part(whole, day);
        let week = ((whole + 3.0).rem_euclid(7.0) + day) / 7.0;
        let mut inputs = out.iter_mut();
        let mut put = |value: f64| {
            if let Some(input) = inputs.next() {
                *input = value as f32;
            }
        };
        put(self.days.wide(days));
        let parts = [year, week, day];
        for part in &parts[..if self.time_of_day { 3 } else { 2 }] {
            put(libm::sin(TAU * part));
            put(libm::cos(TAU * part));
        }
    }

    /// The date that inputs stand for, in seconds since 1970, as nearly as f32 tells.
    pub(super) fn decode(&self, inputs: &[f32]) -> f64 {
        let scaled = inputs.first().copied().map_or(0.0, f64::from);
        let days = scaled * self.days.scale + self.days.shift;
        let angle = |at: usize| match inputs.get(at..at + 2) {
            Some([sine, cosine]) => {
                f64::from(*sine).atan2(f64::from(*cosine)).rem_euclid(TAU) / TAU
            }
            _ => 0.0,
        };
        if !self.time_of_day {
            return days.round() * DAY;
        }
        // The time of day is known better than the days.
        let day = angle(5);
        ((days - day).round() + day) * DAY
    }
}

/// The part of its year, in [0, 1), that has gone by on a day counted from 1970; NaN beyond the
/// calendar.
fn year_part(whole_days: f64, day: f64) -> f64 {
    let seconds = whole_days * DAY;
    // So large a number is beyond any calendar, and a smaller one fits.
    if seconds.is_nan() || seconds.abs() > 1e15 {
        return f64::NAN;
    }
    let Some(date) = DateTime::from_timestamp(seconds as i64, 0) else { return f64::NAN };
    let date = date.date_naive();
    let length = if date.leap_year() { 366.0 } else { 365.0 };
    (f64::from(date.ordinal0()) + day) / length
}

/// The date and time of a field in ISO 8601 (`2024-03-31`, `2024-03-31T18:05:00`, with a blank for
/// the T, fractions of a second, `Z` or an offset), in seconds since the beginning of 1970, UTC.
pub(in crate::data) fn seconds(field: &str) -> Option<f64> {
    // Nothing else is tried on what cannot be one: it begins with a year.
    let bytes = field.as_bytes();
    let year = bytes.get(..4).is_some_and(|year| year.iter().all(u8::is_ascii_digit));
    if bytes.len() < 8 || !year {
        return None;
    }
    if let Ok(date) = NaiveDate::parse_from_str(field, "%Y-%m-%d") {
        return Some(date.and_time(NaiveTime::MIN).and_utc().timestamp() as f64);
    }
    let exact = |date: DateTime<chrono::Utc>| {
        date.timestamp() as f64 + f64::from(date.timestamp_subsec_nanos()) * 1e-9
    };
    if let Ok(date) = DateTime::parse_from_rfc3339(field) {
        return Some(exact(date.to_utc()));
    }
    let plain =
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let found = plain.iter().find_map(|form| NaiveDateTime::parse_from_str(field, form).ok());
    if let Some(date) = found {
        return Some(exact(date.and_utc()));
    }
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"];
    zoned
        .iter()
        .find_map(|form| DateTime::parse_from_str(field, form).ok())
        .map(|date| exact(date.to_utc()))
}

/// Whether a field is written as a date is, in ISO 8601 or in another way: three numbers of at most
/// four digits with dots, slashes or hyphens between them, and perhaps a time.
pub(in crate::data) fn looks_like_date(field: &str) -> bool {
    let date = field.split(['T', ' ']).next().unwrap_or_default();
    ['-', '/', '.'].iter().any(|mark| {
        let parts: Vec<&str> = date.split(*mark).collect();
        let number = |part: &&str| {
            (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let year = [parts.first(), parts.last()];
        parts.len() == 3
            && parts.iter().all(number)
            && year.iter().flatten().any(|part| part.len() == 4 || *mark != '-')
    })
}

/// A date as text: the day, and the time where there is one.
pub(crate) fn written(seconds: f64) -> String {
    // Beyond the range of i64 it is beyond the calendar too.
    let Some(date) = DateTime::from_timestamp(seconds.round() as i64, 0) else {
        return format!("{seconds} s since 1970");
    };
    let form = if seconds.rem_euclid(DAY) == 0.0 { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%M:%S" };
    date.format(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_dates_are_read() {
        for (field, expected) in [
            ("1970-01-01", 0.0),
            ("2024-03-31", 1_711_843_200.0),
            ("1969-12-31", -86_400.0),
            ("2024-03-31T18:05:00", 1_711_908_300.0),
            ("2024-03-31 18:05", 1_711_908_300.0),
            ("2024-03-31T18:05:00.5", 1_711_908_300.5),
            ("2024-03-31T18:05:00Z", 1_711_908_300.0),
            ("2024-03-31T20:05:00+02:00", 1_711_908_300.0),
            ("2024-03-31 20:05:00+0200", 1_711_908_300.0),
        ] {
            assert_eq!(seconds(field), Some(expected), "{field}");
        }
        for field in
            ["", "31.03.2024", "2024-02-30", "2024-13-01", "10-12-14", "a-b-c-d-e", "20240331"]
        {
            assert_eq!(seconds(field), None, "{field}");
        }
        assert_eq!(written(1_711_843_200.0), "2024-03-31");
        assert_eq!(written(1_711_908_300.0), "2024-03-31T18:05:00");
    }

    #[test]
    fn a_date_is_days_and_places_in_year_week_and_day() {
        let missing = MissingNumber::Error;
        let days = Scale { shift: 19_000.0, scale: 100.0 };
        let date = DateEncoding { days, time_of_day: true, missing };
        let mut out = [0.0; 7];
        // Monday, 1 July 2024, 6:00: half of the leap year less a day, a quarter of the day.
        date.encode(seconds("2024-07-01T06:00").expect("a date"), &mut out);
        let year = TAU * (182.25 / 366.0);
        let week = TAU * (0.25 / 7.0);
        let expected = [9.0525, year.sin(), year.cos(), week.sin(), week.cos(), 1.0, 0.0];
        for (found, expected) in out.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{out:?} {expected}");
        }
        assert_eq!(written(date.decode(&out).round()), "2024-07-01T06:00:00");
        let date = DateEncoding { time_of_day: false, ..date };
        // Thursday, the first day of the calendar.
        date.encode(0.0, &mut out[..5]);
        let week = TAU * (3.0 / 7.0);
        let expected = [-190.0, 0.0, 1.0, week.sin(), week.cos()];
        for (found, expected) in out[..5].iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{out:?} {expected}");
        }
        assert_eq!(date.decode(&out[..5]), 0.0);
        date.encode(1e17, &mut out[..5]);
        assert!(out[1].is_nan());
    }
}
