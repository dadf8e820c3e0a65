//! Matrix products through the `gemm` crate: with `team`, the unsafe code of the backend.

#![allow(unsafe_code)]

use gemm::Parallelism;

/// A matrix within a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<'a> {
    /// Where it lies.
    pub values: &'a [f32],
    /// Elements between rows.
    pub row_stride: usize,
    /// Elements between columns.
    pub column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after the other, `columns` elements each.
    pub fn row_major(values: &'a [f32], columns: usize) -> Self {
        Self { values, row_stride: columns, column_stride: 1 }
    }

    /// The matrix of which `values` holds the transpose, `rows` elements a row.
    pub fn transposed(values: &'a [f32], rows: usize) -> Self {
        Self { values, row_stride: 1, column_stride: rows }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.values.len()
    }
}

/// Where a product goes.
#[derive(Debug)]
pub(super) struct Output<'a> {
    /// Where it lies.
    pub values: &'a mut [f32],
    /// Elements between rows.
    pub row_stride: usize,
    /// Elements between columns.
    pub column_stride: usize,
    /// Whether it is added to what is there.
    pub adds: bool,
}

impl<'a> Output<'a> {
    /// Rows one after the other, `columns` elements each.
    pub fn row_major(values: &'a mut [f32], columns: usize, adds: bool) -> Self {
        Self { values, row_stride: columns, column_stride: 1, adds }
    }
}

/// `out` [rows, columns] = `scale` `a` [rows, depth] times `b` [depth, columns].
///
/// The sum over the depth has one order whatever the number of threads: threads share rows and
/// columns of `out` alone.
///
/// # Panics
/// When a matrix does not lie within its slice.
pub(super) fn product(
    out: Output,
    [rows, columns, depth]: [usize; 3],
    a: Matrix,
    b: Matrix,
    scale: f32,
    parallel: bool,
) {
    let place =
        Matrix { values: out.values, row_stride: out.row_stride, column_stride: out.column_stride };
    assert!(place.holds(rows, columns), "the output is too short");
    assert!(a.holds(rows, depth) && b.holds(depth, columns), "an operand is too short");
    let parallelism = if parallel { Parallelism::Rayon(0) } else { Parallelism::None };
    // SAFETY: the assertions above keep every element that these sizes and strides reach within
    // the three slices; strides are below their lengths and so fit isize; `out` is borrowed
    // mutably, so it overlaps neither operand; its strides put no two elements in one place, as
    // one of them is 1 and the other at least a row or a column long; f32 has no invalid bits.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            out.values.as_mut_ptr(),
            out.column_stride as isize,
            out.row_stride as isize,
            out.adds,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}
