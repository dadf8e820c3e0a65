//! Matrix products through the `gemm` crate. The only unsafe code of the backend.

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

/// `out` [rows, columns], row-major, = `a` [rows, depth] times `b` [depth, columns].
///
/// The sum over the depth has one order whatever the number of threads: threads share rows and
/// columns of `out` alone.
///
/// # Panics
/// When a matrix does not lie within its slice.
pub(super) fn product(
    out: &mut [f32],
    [rows, columns, depth]: [usize; 3],
    a: Matrix,
    b: Matrix,
    parallel: bool,
) {
    assert!(out.len() >= rows * columns, "the output is too short");
    assert!(a.holds(rows, depth) && b.holds(depth, columns), "an operand is too short");
    let parallelism = if parallel { Parallelism::Rayon(0) } else { Parallelism::None };
    // SAFETY: the assertions above keep every element that these sizes and strides reach within
    // the three slices; strides are below their lengths and so fit isize; `out` is borrowed
    // mutably, so it overlaps neither operand; f32 has no invalid bits.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            out.as_mut_ptr(),
            1,
            columns as isize,
            false,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}
