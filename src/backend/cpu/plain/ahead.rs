//! What the next product needs, fetched into the cache while this one is computed.
//!
//! The weights, moments and activations of a large network are more than the caches of a core hold. A
//! processor sees by itself how a loop goes on within a page of memory, and not where the next piece
//! lies; and each wait is longer where others use the same last-level cache.

#![allow(unsafe_code)]

use super::tile::{PAIRS, Pairs, Row};

/// A product that is next: its pairs, of which the second sides are fetched, and the rows it adds to.
pub(super) type Next<'a> = Option<(Pairs<'a>, &'a [Row])>;

/// Most runs of rows.
const RUNS: usize = PAIRS + 1;

/// Runs of rows that are fetched a share at a time.
pub(super) struct Ahead<'a> {
    runs: [&'a [Row]; RUNS],
    /// Which is being fetched, and how many of its rows have been.
    at: (usize, usize),
    /// Rows of a share.
    share: usize,
}

impl<'a> Ahead<'a> {
    /// What the next product needs, in so many shares.
    #[inline(always)]
    pub fn of(next: &Next<'a>, shares: usize) -> Self {
        let mut runs: [&[Row]; RUNS] = [&[]; RUNS];
        let mut rows = 0;
        if let Some((pairs, out)) = next {
            let from = pairs.get().iter().map(|(_, b)| *b).chain([*out]);
            for (to, from) in runs.iter_mut().zip(from) {
                *to = from;
                rows += from.len();
            }
        }
        Self { runs, at: (0, 0), share: rows.div_ceil(shares.max(1)) }
    }

    /// Asks for the next share.
    #[inline(always)]
    pub fn fetch(&mut self) {
        let mut left = self.share;
        while left > 0 && self.at.0 < RUNS {
            let rows = &self.runs[self.at.0][self.at.1..];
            let now = &rows[..left.min(rows.len())];
            now.iter().for_each(fetch);
            left -= now.len();
            self.at = if now.len() == rows.len() {
                (self.at.0 + 1, 0)
            } else {
                (self.at.0, self.at.1 + now.len())
            };
        }
    }
}

/// Asks for a row. Elsewhere than on these processors nothing is asked for.
#[inline(always)]
fn fetch(row: &Row) {
    for line in row.as_chunks::<16>().0 {
        let line: *const f32 = line.as_ptr();
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86_64 has SSE, and what is asked for is only brought nearer, not read.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(line.cast());
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: what is asked for is only brought nearer, not read.
        unsafe {
            std::arch::asm!(
                "prfm pldl1keep, [{}]",
                in(reg) line,
                options(nostack, preserves_flags, readonly)
            );
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = line;
    }
}
