//! The order of the rows: which rows each member sees in which step of an epoch.

use rand::seq::SliceRandom;

use crate::random::{Purpose, Stream};

/// Rows 0..rows of one member in one epoch (from 1): shuffled by the stream
/// (seed, batch order, epoch, member), or in file order.
pub fn epoch_order(seed: u64, epoch: usize, member: usize, rows: u32, shuffle: bool) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows).collect();
    if shuffle {
        let epoch = u32::try_from(epoch).unwrap_or(u32::MAX);
        let member = u32::try_from(member).unwrap_or(u32::MAX);
        order.shuffle(&mut Stream::new(seed, Purpose::BatchOrder, epoch, member));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_and_member_has_every_row_once_in_its_own_order() {
        let first = epoch_order(1, 1, 0, 100, true);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(first, epoch_order(1, 1, 0, 100, true));
        assert_ne!(first, epoch_order(1, 2, 0, 100, true));
        assert_ne!(first, epoch_order(1, 1, 1, 100, true));
        assert_ne!(first, epoch_order(2, 1, 0, 100, true));
        assert_eq!(epoch_order(1, 1, 0, 5, false), [0, 1, 2, 3, 4]);
    }
}
