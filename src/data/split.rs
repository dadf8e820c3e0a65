//! Which rows of the training file are for training, validation and test.

use std::path::Path;

use rand::seq::SliceRandom;

use crate::config::data::{DataSettings, Portion};
use crate::error::{Error, Place, Result};
use crate::random::{Purpose, Stream};

/// Row indices of each set, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) train: Vec<usize>,
    pub(super) validation: Vec<usize>,
    pub(super) test: Vec<usize>,
}

/// Splits `rows` rows. With `classes` (each row's class, and their number) and
/// `settings.stratify`, every class keeps its share in every set, as nearly as whole rows allow,
/// and its last row stays in training where that is possible. Without `settings.shuffle` the
/// file's order decides: training rows first, then validation, then test.
pub(super) fn split(
    file: &Path,
    rows: usize,
    classes: Option<(&[u32], usize)>,
    settings: &DataSettings,
) -> Result<Split> {
    let validation = size(&settings.validation, rows);
    let test = size(&settings.test, rows);
    let held_out = validation.saturating_add(test);
    if held_out >= rows {
        let problem = format!(
            "{rows} rows are too few to split: validation takes {validation} and test {test}, \
             which leaves none for training"
        );
        return Err(Error::data(file, Place::default(), problem)
            .with_help("give smaller shares in data.validation and data.test, or 0"));
    }
    let mut order: Vec<usize> = (0..rows).collect();
    if settings.shuffle && held_out > 0 {
        order.shuffle(&mut Stream::new(settings.seed, Purpose::Split, 0, 0));
    }
    let mut split = match classes {
        Some((codes, count)) if settings.shuffle && settings.stratify && held_out > 0 => {
            stratified(&order, codes, count, validation, test)
        }
        _ => {
            let test = order.split_off(rows - test);
            let validation = order.split_off(rows - held_out);
            Split { train: order, validation, test }
        }
    };
    for set in [&mut split.train, &mut split.validation, &mut split.test] {
        set.sort_unstable();
    }
    Ok(split)
}

/// The rows that a share takes: rounded, and at least one where the share is above 0.
fn size(portion: &Portion, rows: usize) -> usize {
    match portion {
        Portion::Share(share) if *share > 0.0 => {
            // A share is below 1, so the product is a row count.
            ((share * rows as f64).round() as usize).max(1)
        }
        _ => 0,
    }
}

fn stratified(
    order: &[usize],
    codes: &[u32],
    classes: usize,
    validation: usize,
    test: usize,
) -> Split {
    let mut members = vec![Vec::new(); classes];
    for row in order {
        if let Some(class) = usize::try_from(codes[*row]).ok().and_then(|c| members.get_mut(c)) {
            class.push(*row);
        }
    }
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let spare: Vec<usize> = counts.iter().map(|count| count.saturating_sub(1)).collect();
    // Where leaving every class a training row is impossible, classes may lose their last.
    let room = if spare.iter().sum::<usize>() >= validation + test { &spare } else { &counts };
    let for_validation = allocate(validation, &counts, room);
    let left: Vec<usize> =
        room.iter().zip(&for_validation).map(|(room, taken)| room - taken).collect();
    let for_test = allocate(test, &counts, &left);
    let mut split = Split { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
    for ((members, validation), test) in members.iter().zip(for_validation).zip(for_test) {
        let (first, rest) = members.split_at(validation);
        let (second, third) = rest.split_at(test);
        split.validation.extend_from_slice(first);
        split.test.extend_from_slice(second);
        split.train.extend_from_slice(third);
    }
    split
}

/// Parts `size` rows among classes in proportion to `counts`, at most `room` each, by largest
/// remainder; the sum is exact when there is room for it.
fn allocate(size: usize, counts: &[usize], room: &[usize]) -> Vec<usize> {
    let weight = |class: usize| if room[class] > 0 { counts[class] as u128 } else { 0 };
    let total: u128 = (0..counts.len()).map(weight).sum::<u128>().max(1);
    let mut taken = Vec::with_capacity(counts.len());
    let mut remainders = Vec::with_capacity(counts.len());
    for (class, room) in room.iter().enumerate() {
        let product = size as u128 * weight(class);
        taken.push(usize::try_from(product / total).unwrap_or(*room).min(*room));
        remainders.push((product % total, class));
    }
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut left = size - taken.iter().sum::<usize>();
    while left > 0 {
        let before = left;
        for (_, class) in &remainders {
            if left > 0 && taken[*class] < room[*class] {
                taken[*class] += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::allocate;

    #[test]
    fn largest_remainders_get_the_rows_left_over() {
        assert_eq!(allocate(10, &[50, 30, 20], &[49, 29, 19]), [5, 3, 2]);
        // 3.5, 2.1, 1.4: the half goes first.
        assert_eq!(allocate(7, &[50, 30, 20], &[49, 29, 19]), [4, 2, 1]);
        // A class of one row has no room; the others share.
        assert_eq!(allocate(2, &[5, 1, 5], &[4, 0, 4]), [1, 0, 1]);
        // Room runs out in one class, and the rest goes to the next.
        assert_eq!(allocate(5, &[3, 3, 3], &[1, 2, 3]), [1, 2, 2]);
    }
}
