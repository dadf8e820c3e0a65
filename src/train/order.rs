//! The order of the rows: which rows each member sees in which step of an epoch.
//!
//! Without chunks, an epoch's order is one shuffle of all rows. With `data.chunk_rows` of C it is made
//! so that it can be read from a disk in long pieces:
//!
//! 1. The training rows, in file order, are cut into blocks of C rows; the last may be short. The epoch
//!    shuffles the blocks, those of all members alike, by the stream (seed, block order, epoch).
//! 2. The rows of the blocks, one behind the other, are cut into windows of 16 C rows, rounded up to
//!    whole batches; the last may be short.
//! 3. Each member shuffles the rows of each window by a stream of its own: (seed, window order, epoch,
//!    member), part (window).
//!
//! Everything follows from (seed, epoch, window, member), wherever the rows are and whatever was
//! trained before. It is weaker than a shuffle of all rows in that the rows of a block always meet in
//! one window or in two neighbours: a batch is drawn from about 17 places of the file, not from as
//! many as it has rows. Of a file that is sorted, say by its classes, batches are that much more alike;
//! a file that was shuffled once mends it, and so do larger chunks.

use std::cell::RefCell;
use std::ops::Range;

use rand::seq::SliceRandom;

use super::shares::Shares;
use crate::random::{Purpose, Stream};

/// Blocks of a window.
const WINDOW_BLOCKS: usize = 16;

/// How the rows of an epoch are shuffled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shuffle {
    /// Not at all: they come in file order.
    Never,
    /// All of them together.
    All,
    /// Blocks, and rows within windows.
    Windows {
        /// Rows of a block.
        block: usize,
        /// Rows of a window.
        window: usize,
    },
}

impl Shuffle {
    /// That of the settings: whether rows are shuffled, in blocks of how many (none: all as one), and
    /// the rows of a batch.
    pub fn new(shuffles: bool, chunk_rows: Option<usize>, batch: usize) -> Self {
        match chunk_rows {
            _ if !shuffles => Self::Never,
            None => Self::All,
            Some(rows) => {
                let (block, batch) = (rows.max(1), batch.max(1));
                let batches = block.saturating_mul(WINDOW_BLOCKS).div_ceil(batch);
                Self::Windows { block, window: batches.saturating_mul(batch) }
            }
        }
    }

    /// Rows of a window, where there are windows.
    pub fn window(self) -> Option<usize> {
        match self {
            Self::Windows { window, .. } => Some(window),
            Self::Never | Self::All => None,
        }
    }
}

/// What a member's order of an epoch is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// The seed.
    pub seed: u64,
    /// The epoch, from 1.
    pub epoch: u32,
    /// The member, as its stream is numbered.
    pub member: u32,
}

impl Draws {
    /// Those of the members of one run, in an epoch from 1.
    pub fn of_run(seed: u64, epoch: usize, members: usize) -> Vec<Self> {
        let epoch = u32::try_from(epoch).unwrap_or(u32::MAX);
        let of = |member| Self { seed, epoch, member: u32::try_from(member).unwrap_or(u32::MAX) };
        (0..members).map(of).collect()
    }

    fn stream(self, purpose: Purpose) -> Stream {
        Stream::new(self.seed, purpose, self.epoch, self.member)
    }
}

/// The order of the rows of one epoch, for each member. It is worked out window by window unless it
/// is held.
#[derive(Debug)]
pub struct EpochOrder {
    shuffle: Shuffle,
    /// What each member's order is drawn from.
    draws: Vec<Draws>,
    rows: usize,
    /// The shuffled blocks.
    blocks: Vec<u32>,
    /// Place of the short block among them, and the rows that it lacks.
    short: (usize, usize),
    /// Each member's rows in order, where they are held.
    held: Vec<Vec<u32>>,
}

impl EpochOrder {
    /// That of an epoch. A shuffle of all rows is held, any other where `holds`. Blocks are shuffled for
    /// all members alike, by what the first one's order is drawn from.
    pub fn new(shuffle: Shuffle, draws: Vec<Draws>, rows: usize, holds: bool) -> Self {
        let mut blocks = Vec::new();
        let mut short = (0, 0);
        if let (Shuffle::Windows { block, .. }, Some(first)) = (shuffle, draws.first()) {
            let count = rows.div_ceil(block);
            blocks = (0..count as u32).collect();
            blocks.shuffle(&mut Stream::new(first.seed, Purpose::BlockOrder, first.epoch, 0));
            let last = count.wrapping_sub(1) as u32;
            let place = blocks.iter().position(|at| *at == last).unwrap_or(0);
            short = (place, count * block - rows);
        }
        let mut order = Self { shuffle, draws, rows, blocks, short, held: Vec::new() };
        if holds || shuffle == Shuffle::All {
            order.held = (0..order.members()).map(|member| order.all_rows(member)).collect();
        }
        order
    }

    /// That of an epoch in which each member has rows of its own. They are shuffled all together or
    /// not at all, and held.
    pub fn of_shares(shuffle: Shuffle, draws: Vec<Draws>, shares: &Shares) -> Self {
        let mut order = Self::new(Shuffle::Never, draws, shares.most(), false);
        order.shuffle = shuffle;
        let own = |member| {
            let mut rows = shares.of(member).to_vec();
            if shuffle != Shuffle::Never {
                rows.shuffle(&mut order.draws[member].stream(Purpose::BatchOrder));
            }
            rows
        };
        order.held = (0..order.members()).map(own).collect();
        order
    }

    /// How the rows are shuffled.
    pub fn shuffle(&self) -> Shuffle {
        self.shuffle
    }

    /// Members.
    pub fn members(&self) -> usize {
        self.draws.len()
    }

    /// Each member's rows in order, where they are held.
    pub fn held(&self) -> &[Vec<u32>] {
        &self.held
    }

    /// The rows at those places before windows are shuffled, as ranges of rows in file order. None in
    /// a shuffle of all rows, which has no such ranges.
    pub fn ranges(&self, places: Range<usize>) -> Vec<Range<usize>> {
        let block = match self.shuffle {
            Shuffle::All => return Vec::new(),
            Shuffle::Never => return vec![places],
            Shuffle::Windows { block, .. } => block,
        };
        let (short_at, lacks) = self.short;
        let start = |at: usize| at * block - if at > short_at { lacks } else { 0 };
        // The block of a place: the short one makes those behind it begin earlier.
        let mut at = if places.start < start(short_at + 1) {
            (places.start / block).min(short_at)
        } else {
            (places.start + lacks) / block
        };
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut place = places.start;
        while place < places.end && at < self.blocks.len() {
            let end = start(at + 1).min(places.end);
            let first = self.blocks[at] as usize * block + (place - start(at));
            let range = first..first + (end - place);
            match ranges.last_mut() {
                Some(before) if before.end == range.start => before.end = range.end,
                _ => ranges.push(range),
            }
            place = end;
            at += 1;
        }
        ranges
    }

    /// A member's order of the rows within a window, from 0: places among those of
    /// [`EpochOrder::ranges`]. `into` has one element a row of the window.
    pub fn within(&self, window: usize, member: usize, into: &mut [u32]) {
        (0..).zip(into.iter_mut()).for_each(|(place, at): (u32, _)| *at = place);
        if self.shuffle != Shuffle::Never {
            let window = u32::try_from(window).unwrap_or(u32::MAX);
            into.shuffle(&mut self.draws[member].stream(Purpose::WindowOrder).part(window));
        }
    }

    /// Rows of a member's window in order.
    fn window_rows(&self, window: usize, member: usize, rows: usize) -> Vec<u32> {
        let first = window * rows;
        let places = first..(first + rows).min(self.rows);
        let mut order = vec![0; places.len()];
        self.within(window, member, &mut order);
        let unshuffled: Vec<u32> =
            self.ranges(places).into_iter().flatten().map(|row| row as u32).collect();
        order.iter_mut().for_each(|at| *at = unshuffled[*at as usize]);
        order
    }

    fn all_rows(&self, member: usize) -> Vec<u32> {
        match self.shuffle {
            Shuffle::Never => (0..self.rows as u32).collect(),
            Shuffle::All => {
                let mut order: Vec<u32> = (0..self.rows as u32).collect();
                order.shuffle(&mut self.draws[member].stream(Purpose::BatchOrder));
                order
            }
            Shuffle::Windows { window, .. } => (0..self.rows.div_ceil(window))
                .flat_map(|at| self.window_rows(at, member, window))
                .collect(),
        }
    }

    /// Looks up rows by their places.
    pub fn lookup(&self) -> Lookup<'_> {
        Lookup {
            order: self,
            windows: RefCell::new(vec![(usize::MAX, Vec::new()); self.members()]),
        }
    }
}

/// Finds the rows at the places of an order, of which it holds one window a member.
#[derive(Debug)]
pub struct Lookup<'a> {
    order: &'a EpochOrder,
    windows: RefCell<Vec<(usize, Vec<u32>)>>,
}

impl Lookup<'_> {
    /// The row at a place of a member's order.
    pub fn row(&self, member: usize, place: usize) -> usize {
        if let Some(held) = self.order.held.get(member) {
            return held[place] as usize;
        }
        let Shuffle::Windows { window, .. } = self.order.shuffle else { return place };
        let mut windows = self.windows.borrow_mut();
        let (at, rows) = &mut windows[member];
        if *at != place / window {
            *at = place / window;
            *rows = self.order.window_rows(*at, member, window);
        }
        rows[place % window] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(shuffle: Shuffle, seed: u64, epoch: usize, rows: usize, member: usize) -> Vec<u32> {
        let draws = Draws::of_run(seed, epoch, member + 1);
        EpochOrder::new(shuffle, draws, rows, true).held()[member].clone()
    }

    #[test]
    fn each_epoch_and_member_has_every_row_once_in_its_own_order() {
        for shuffle in [Shuffle::All, Shuffle::Windows { block: 3, window: 20 }] {
            let first = order(shuffle, 1, 1, 100, 0);
            let mut sorted = first.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<_>>());
            assert_eq!(first, order(shuffle, 1, 1, 100, 0));
            assert_ne!(first, order(shuffle, 1, 2, 100, 0));
            assert_ne!(first, order(shuffle, 1, 1, 100, 1));
            assert_ne!(first, order(shuffle, 2, 1, 100, 0));
        }
        assert_eq!(order(Shuffle::Never, 1, 1, 5, 0), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn windows_are_whole_batches_of_several_blocks() {
        let windows = |chunk, batch| Shuffle::new(true, Some(chunk), batch);
        assert_eq!(windows(7, 10), Shuffle::Windows { block: 7, window: 120 });
        assert_eq!(windows(1, 64), Shuffle::Windows { block: 1, window: 64 });
        assert_eq!(Shuffle::new(true, None, 64), Shuffle::All);
        assert_eq!(Shuffle::new(false, Some(1000), 64), Shuffle::Never);
    }

    /// Ragged sizes: what is worked out window by window is what is held, covers every row once, and
    /// keeps to the blocks of its window.
    #[test]
    fn windows_cover_every_row_once_whatever_divides_what() {
        for rows in [1, 2, 31, 32, 33, 97, 100, 1009] {
            for (block, window) in [(1, 1), (1, 7), (3, 7), (7, 7), (10, 4), (16, 64), (2000, 9)] {
                let shuffle = Shuffle::Windows { block, window };
                let lazy = EpochOrder::new(shuffle, Draws::of_run(5, 3, 2), rows, false);
                let held = EpochOrder::new(shuffle, Draws::of_run(5, 3, 2), rows, true);
                let lookup = lazy.lookup();
                for member in [1, 0] {
                    let found: Vec<usize> = (0..rows).map(|at| lookup.row(member, at)).collect();
                    let expected: Vec<usize> =
                        held.held()[member].iter().map(|row| *row as usize).collect();
                    assert_eq!(found, expected, "{rows} rows, {shuffle:?}");
                    let mut sorted = found;
                    sorted.sort_unstable();
                    assert_eq!(sorted, (0..rows).collect::<Vec<_>>(), "{rows} rows, {shuffle:?}");
                }
                // Members share the rows of a window, whatever their order in it.
                for at in 0..rows.div_ceil(window) {
                    let places = at * window..((at + 1) * window).min(rows);
                    let mut own: Vec<Vec<u32>> =
                        held.held().iter().map(|rows| rows[places.clone()].to_vec()).collect();
                    own.iter_mut().for_each(|rows| rows.sort_unstable());
                    assert_eq!(own[0], own[1], "{rows} rows, {shuffle:?}");
                    let ranges = lazy.ranges(places);
                    assert!(ranges.len() <= window.div_ceil(block) + 2, "{ranges:?}");
                    let mut rows: Vec<u32> =
                        ranges.into_iter().flatten().map(|row| row as u32).collect();
                    rows.sort_unstable();
                    assert_eq!(own[0], rows);
                }
            }
        }
    }
}
