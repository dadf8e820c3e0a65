//! Numbers as people read them.

/// `17226` as `17,226`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What stands before what one of several members is: `8 members of `, `8 heads that share weights of `;
/// nothing where there is one.
pub fn members_of(members: u64, heads: u64) -> String {
    match members {
        1 => String::new(),
        members if members == heads => format!("{members} heads that share weights of "),
        members => format!("{members} members of "),
    }
}

/// A score in about four significant digits: `0.0123`, `0.9833`, `54.31`, `1.2e-5`.
pub fn score(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || value == 0.0 {
        format!("{value}")
    } else if size < 1e-3 {
        format!("{value:.1e}")
    } else if size < 10.0 {
        format!("{value:.4}")
    } else if size < 1000.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    }
}

/// A number with a prefix, in three or so digits: `12.9 M`.
pub fn prefixed(value: f64, unit: &str) -> String {
    let (scaled, prefix) = match value {
        v if v >= 1e12 => (v / 1e12, "T"),
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e3 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let decimals = if prefix.is_empty() || scaled >= 100.0 { 0 } else { 1 };
    format!("{scaled:.decimals$} {prefix}{unit}").trim_end().to_owned()
}

/// Seconds in the unit that suits them: `12.3 us`.
pub fn duration(seconds: f64) -> String {
    let (scaled, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "us"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let decimals = if scaled < 10.0 { 2 } else { 1 };
    format!("{scaled:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(score(0.98333), "0.9833");
        assert_eq!(score(54.309), "54.31");
        assert_eq!(score(0.000_012), "1.2e-5");
        assert_eq!(score(f64::NAN), "NaN");
    }
}
