//! Products of small tiles, in vector registers.
//!
//! A matrix lies in panels of [`PANEL`] columns, each panel row after row: a tile's operands and its
//! result are then consecutive in memory, and nothing is packed before a product. Every sum goes over
//! its terms one by one in their order, each added by a fused multiply-add where the processor has
//! one: how the rows are cut into tiles, and tiles among threads, changes no bit.

use pulp::Simd;

use super::ahead::{Ahead, Next};

/// Columns of a panel.
pub(super) const PANEL: usize = 32;

/// Rows that a tile has at most.
pub(super) const TILE: usize = 8;

/// Terms that one turn of a loop over a panel adds: what the loop costs by itself is lost for products
/// where two threads share a core.
const PANEL_TERMS: usize = 8;

/// Terms that one turn of a loop over a batch's rows adds.
const BATCH_TERMS: usize = 4;

/// A row of a panel.
pub(super) type Row = [f32; PANEL];

/// Rows of one panel of each matrix that are multiplied with each other.
pub(super) type Pair<'a> = (&'a [Row], &'a [Row]);

/// Most pairs of one product.
pub(super) const PAIRS: usize = 8;

/// The pairs of a product, looked up once for all of its tiles.
#[derive(Clone, Copy)]
pub(super) struct Pairs<'a> {
    pairs: [Pair<'a>; PAIRS],
    count: usize,
}

impl<'a> Pairs<'a> {
    /// The first [`PAIRS`].
    #[inline(always)]
    pub fn of(from: impl Iterator<Item = Pair<'a>>) -> Self {
        let mut pairs: [Pair<'a>; PAIRS] = [(&[], &[]); PAIRS];
        let mut count = 0;
        for (to, from) in pairs.iter_mut().zip(from) {
            *to = from;
            count += 1;
        }
        Self { pairs, count }
    }

    /// The pairs.
    #[inline(always)]
    pub fn get(&self) -> &[Pair<'a>] {
        &self.pairs[..self.count]
    }
}

/// Panels of so many columns.
pub(super) fn panels(columns: usize) -> usize {
    columns.div_ceil(PANEL)
}

#[inline(always)]
fn vectors<S: Simd>(row: &Row) -> &[S::f32s] {
    S::as_simd_f32s(row).0
}

#[inline(always)]
fn vectors_mut<S: Simd>(row: &mut Row) -> &mut [S::f32s] {
    S::as_mut_simd_f32s(row).0
}

/// Sums of `R` rows by `V` vectors, from the one at `at` on.
#[inline(always)]
fn sums<S: Simd, const R: usize, const V: usize>(
    simd: S,
    out: &[Row],
    at: usize,
    adds: bool,
) -> [[S::f32s; V]; R] {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    if adds {
        for (sums, out) in sums.iter_mut().zip(out) {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = vectors::<S>(out)[at + v];
            }
        }
    }
    sums
}

#[inline(always)]
fn store<S: Simd, const R: usize, const V: usize>(
    sums: [[S::f32s; V]; R],
    out: &mut [Row],
    at: usize,
) {
    for (sums, out) in sums.into_iter().zip(out) {
        for (v, sum) in sums.into_iter().enumerate() {
            vectors_mut::<S>(out)[at + v] = sum;
        }
    }
}

/// `sums[r] += x[r] * b`.
#[allow(
    clippy::manual_memcpy,
    clippy::needless_range_loop,
    reason = "loops over constants, which become registers"
)]
#[inline(always)]
fn add_product<S: Simd, const R: usize, const V: usize>(
    simd: S,
    sums: &mut [[S::f32s; V]; R],
    x: impl Fn(usize) -> f32,
    b: &Row,
    at: usize,
) {
    let row = vectors::<S>(b);
    let mut b = [simd.splat_f32s(0.0); V];
    for v in 0..V {
        b[v] = row[at + v];
    }
    for r in 0..R {
        let x = simd.splat_f32s(x(r));
        for v in 0..V {
            sums[r][v] = simd.mul_add_e_f32s(x, b[v], sums[r][v]);
        }
    }
}

#[inline(always)]
fn rows_tile<S: Simd, const R: usize, const V: usize>(
    simd: S,
    panels: &[Pair],
    row: usize,
    out: &mut [Row],
    at: usize,
    adds: bool,
) {
    let mut sums = sums::<S, R, V>(simd, out, at, adds);
    for (a, b) in panels {
        let Some(a) = a[row..].first_chunk::<R>() else { return };
        let (groups, rest) = b.as_chunks::<PANEL_TERMS>();
        for (g, b) in groups.iter().enumerate() {
            for (k, b) in b.iter().enumerate() {
                add_product(
                    simd,
                    &mut sums,
                    // `b` has a panel's rows at most. Were that known from the loop's bounds, the compiler
                    // would unroll it whole, and run out of registers.
                    #[inline(always)]
                    |r| a[r][(g * PANEL_TERMS + k) % PANEL],
                    b,
                    at,
                );
            }
        }
        for (k, b) in (groups.len() * PANEL_TERMS..PANEL).zip(rest) {
            add_product(
                simd,
                &mut sums,
                #[inline(always)]
                |r| a[r][k],
                b,
                at,
            );
        }
    }
    store::<S, R, V>(sums, out, at);
}

/// Whether a tile of so many rows is for these vectors where so many are left. By two vectors, eight rows
/// fill the registers of AVX-512 and NEON (32 of them), and six those of AVX2 (16). There the last eight
/// are two tiles of four: the sums of two rows are too few to keep multiply-adds in flight.
#[inline(always)]
fn fits<S: Simd>(rows: usize, left: usize) -> bool {
    if S::F32_LANES == 8 { rows < TILE && (rows, left) != (6, 8) } else { rows != 6 }
}

/// The vectors that hold so many columns, and how a tile goes over them.
macro_rules! by_vectors {
    ($S:ty, $columns:expr, |$at:ident, $v:ident| $tile:block) => {{
        let lanes = <$S>::F32_LANES;
        let count = usize::div_ceil($columns, lanes).min(PANEL / lanes);
        let mut $at = 0;
        while $at + 1 < count {
            const $v: usize = 2;
            $tile
            $at += 2;
        }
        if $at < count {
            const $v: usize = 1;
            $tile
        }
    }};
}

/// `out[r] (+)= sum over k of a[r][k] b[k]`, over the first so many columns of `b`'s panel.
///
/// `panels` are those of `a`, and for each the rows of `b` that belong to its columns. Meanwhile `next` is
/// fetched.
#[inline(always)]
pub(super) fn rows_by_panel<S: Simd>(
    simd: S,
    panels: &Pairs,
    out: &mut [Row],
    columns: usize,
    adds: bool,
    next: &Next,
) {
    let (panels, rows) = (panels.get(), out.len());
    let tiles = rows.div_ceil(TILE) * columns.div_ceil(2 * S::F32_LANES);
    let mut ahead = Ahead::of(next, tiles);
    macro_rules! tiles {
        ($at:ident, $V:ident, $($R:literal)*) => {
            let mut r = 0;
            $(
                while rows - r >= $R && fits::<S>($R, rows - r) {
                    rows_tile::<S, $R, $V>(simd, panels, r, &mut out[r..], $at, adds);
                    ahead.fetch();
                    r += $R;
                }
            )*
            debug_assert_eq!(r, rows);
        };
    }
    // All rows by some of `b`'s columns, and then by the next: so much of `b` stays in the cache.
    by_vectors!(S, columns, |at, V| {
        tiles!(at, V, 8 6 4 2 1);
    });
}

/// `sums[r] += a[FIRST + r] * b`.
#[inline(always)]
fn add_column<S: Simd, const FIRST: usize, const R: usize, const V: usize>(
    simd: S,
    sums: &mut [[S::f32s; V]; R],
    a: &Row,
    b: &Row,
    at: usize,
) {
    add_product(
        simd,
        sums,
        #[inline(always)]
        |r| a[FIRST + r],
        b,
        at,
    );
}

#[inline(always)]
fn columns_tile<S: Simd, const FIRST: usize, const R: usize, const V: usize>(
    simd: S,
    rows: &[Pair],
    out: &mut [Row; PANEL],
    at: usize,
    adds: bool,
) {
    let out = &mut out[FIRST..];
    let mut sums = sums::<S, R, V>(simd, out, at, adds);
    for (a, b) in rows {
        let count = a.len().min(b.len());
        let (a, rest_a) = a[..count].as_chunks::<BATCH_TERMS>();
        let (b, rest_b) = b[..count].as_chunks::<BATCH_TERMS>();
        for (a, b) in a.iter().zip(b) {
            for (a, b) in a.iter().zip(b) {
                add_column::<S, FIRST, R, V>(simd, &mut sums, a, b, at);
            }
        }
        for (a, b) in rest_a.iter().zip(rest_b) {
            add_column::<S, FIRST, R, V>(simd, &mut sums, a, b, at);
        }
    }
    store::<S, R, V>(sums, out, at);
}

/// `out[i] (+)= sum over k of a[k][i] b[k]`, for the first `count` columns of `a`'s panel (those that
/// share a tile with them too), over the first so many columns of `b`'s. `rows` are runs of rows of both
/// panels.
#[inline(always)]
pub(super) fn columns_by_panel<S: Simd>(
    simd: S,
    rows: &Pairs,
    out: &mut [Row; PANEL],
    [count, columns]: [usize; 2],
    adds: bool,
) {
    let rows = rows.get();
    macro_rules! tiles {
        ($at:ident, $V:ident, $($first:literal $R:literal),*) => {
            $(
                if $first < count {
                    columns_tile::<S, $first, $R, $V>(simd, rows, out, $at, adds);
                }
            )*
        };
    }
    by_vectors!(S, columns, |at, V| {
        if S::F32_LANES == 8 {
            tiles!(at, V, 0 6, 6 6, 12 6, 18 6, 24 4, 28 4);
        } else {
            tiles!(at, V, 0 8, 8 8, 16 8, 24 8);
        }
    });
}
