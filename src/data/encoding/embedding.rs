//! Embedded columns: how many categories there may be, and how long their vectors are.

use crate::config::data::MOST_EMBEDDING_SIZE;

/// Categories up to which a column is one-hot encoded, where nobody says how.
pub(in crate::data) const MOST_ONE_HOT: usize = 20;

/// The most categories of an embedded column. Every code must be exact in f32, which holds whole numbers
/// up to 2^24.
pub(in crate::data) const MOST_CATEGORIES: usize = 1_000_000;

/// The longest vector that is chosen.
const LONGEST: f64 = 50.0;

/// The length of the vectors of a column with so many categories, that of missing cells counted:
/// `min(50, round(1.6 n^0.56))`.
///
/// Source: fastai's `emb_sz_rule`, whose largest is 600; its courses' tables hold 50 at most.
pub(in crate::data) fn embedding_size(categories: usize) -> usize {
    (1.6 * (categories as f64).powf(0.56)).round().clamp(1.0, LONGEST) as usize
}

/// Checks what was read from a file.
///
/// # Errors
/// What is wrong with it, as a phrase that follows the column's name.
pub(super) fn check(categories: usize, size: usize) -> Result<(), String> {
    if !(1..=MOST_EMBEDDING_SIZE).contains(&size) {
        return Err(format!("has vectors of {size}, not of 1 to {MOST_EMBEDDING_SIZE}"));
    }
    if categories > MOST_CATEGORIES {
        return Err(format!("has {categories} categories, more than {MOST_CATEGORIES}"));
    }
    Ok(())
}
