//! Columns that are the pixels of images.

/// Fewest pixels of a side.
const LEAST_SIDE: usize = 8;

/// The side of the square image that columns of these names may be, line by line: as many as a square has,
/// named alike but for digits. And whether their names say that they are pixels.
pub(crate) fn square<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Option<(usize, bool)> {
    let side = names.len().isqrt();
    if side < LEAST_SIDE || side * side != names.len() {
        return None;
    }
    let mut stems =
        names.map(|name| name.chars().filter(|c| !c.is_ascii_digit()).collect::<String>());
    let first = stems.next()?;
    stems.all(|stem| stem == first).then(|| (side, first.to_lowercase().contains("pixel")))
}
