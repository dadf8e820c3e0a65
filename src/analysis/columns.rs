//! The user's columns in encoded rows: where they are, what they hold, and whether they are an image.

use crate::data::{
    Encoding, InputColumn, Preprocessing, Rows, Value, square_of_pixels, written_date,
};

/// A column with its inputs.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    pub(crate) column: &'a InputColumn,
    /// The first of its inputs.
    pub(crate) first: usize,
    /// How many there are.
    pub(crate) width: usize,
}

/// Every column with its inputs.
pub(crate) fn places<'a>(preprocessing: &'a Preprocessing) -> Vec<Place<'a>> {
    let mut first = 0;
    let place = |column: &'a InputColumn| {
        let width = column.encoding.width();
        first += width;
        Place { column, first: first - width, width }
    };
    preprocessing.columns().iter().map(place).collect()
}

impl Place<'_> {
    /// Whether it holds categories.
    pub(crate) fn is_categorical(&self) -> bool {
        self.column.encoding.categories().is_some()
    }

    /// The column's inputs of an encoded row.
    fn own<'r>(&self, row: &'r [f32]) -> &'r [f32] {
        &row[self.first..self.first + self.width]
    }

    /// What an encoded row holds, in the column's own unit; none where it is no number.
    pub(crate) fn number(&self, row: &[f32]) -> Option<f64> {
        match self.column.encoding.decode(self.own(row)) {
            Value::Number(number, _) => Some(number),
            _ => None,
        }
    }

    /// What an encoded row holds, as the user writes it.
    pub(crate) fn text(&self, row: &[f32]) -> String {
        let own = self.own(row);
        match self.column.encoding.decode(own) {
            Value::Missing => String::new(),
            Value::Unseen => "(not seen in training)".to_owned(),
            Value::Number(number, unit) => {
                let scaled = own.first().copied().unwrap_or_default();
                certain(number, f64::from(scaled.abs().max(1.0)) * unit)
            }
            Value::Boolean(yes) => if yes { "yes" } else { "no" }.to_owned(),
            Value::Date(seconds) => written_date(seconds),
            Value::Category(code) => {
                let categories = self.column.encoding.categories().unwrap_or_default();
                categories.get(code).cloned().unwrap_or_default()
            }
        }
    }
}

/// A number of a column of that size, without the digits that f32 does not have for certain.
fn certain(number: f64, size: f64) -> String {
    // f32 has 24 bits: 1 in 10^7.
    let digits = 5 - size.log10().floor() as i32;
    let rounded = if digits <= 0 {
        let unit = 10.0_f64.powi(-digits);
        (number / unit).round() * unit
    } else {
        let decimals = digits.min(40) as usize;
        format!("{number:.decimals$}").parse().unwrap_or(number)
    };
    if rounded != 0.0 && !(1e-4..1e9).contains(&f64::abs(rounded)) {
        format!("{rounded:e}")
    } else {
        // -0 is 0.
        format!("{}", rounded + 0.0)
    }
}

/// The side of the square image that the columns are, line by line from its top, if they are one: as many
/// numbers as a square has, of an IDX file or named as pixels.
pub(crate) fn image_side(preprocessing: &Preprocessing) -> Option<usize> {
    let columns = preprocessing.columns();
    let (side, named) = square_of_pixels(columns.iter().map(|column| column.name.as_str()))?;
    let is_number = |column: &InputColumn| {
        matches!(column.encoding, Encoding::Numeric { .. }) && column.encoding.width() == 1
    };
    let is_image = columns.iter().all(is_number) && (preprocessing.has_labels_apart() || named);
    is_image.then_some(side)
}

/// The row as an image of 256 greys, 0 for the smallest value of all the rows.
pub(crate) fn image(places: &[Place], side: usize, row: &[f32], most: f64) -> Vec<Vec<u8>> {
    let grey = |place: &Place| {
        let value = place.number(row).unwrap_or_default();
        (255.0 * (value / most).clamp(0.0, 1.0)).round() as u8
    };
    places.chunks(side).map(|line| line.iter().map(grey).collect()).collect()
}

/// The largest pixel of some rows; none where any is below 0, or all are 0: then it is no image.
pub(crate) fn brightest(places: &[Place], rows: &Rows) -> Option<f64> {
    let width = rows.width();
    let mut most = 0.0_f64;
    for row in rows.features.chunks_exact(width.max(1)) {
        for value in places.iter().filter_map(|place| place.number(row)) {
            // What is stored is rounded to f32.
            if value < -1e-3 {
                return None;
            }
            most = most.max(value);
        }
    }
    (most > 0.0).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::certain;

    #[test]
    fn numbers_are_as_the_user_wrote_them() {
        // Standardised, through f32 and back.
        let through = |number: f64, mean: f64, deviation: f64| {
            let scaled = ((number - mean) / deviation) as f32;
            let size = f64::from(scaled.abs().max(1.0)) * deviation;
            certain(f64::from(scaled) * deviation + mean, size)
        };
        assert_eq!(through(0.3, 0.1, 0.7), "0.3");
        assert_eq!(through(0.0009, 1.0, 2.0), "0.0009");
        assert_eq!(through(1234.56, 1000.0, 300.0), "1234.56");
        assert_eq!(through(5.0, 0.0, 1.0), "5");
        assert_eq!(through(-0.000_012_5, 0.0, 0.000_01), "-1.25e-5");
        assert_eq!(through(0.0, 10.0, 3.0), "0");
        assert_eq!(through(7.0e12, 0.0, 1.0e12), "7e12");
    }
}
