//! Matrix products at any strides: Muon's Newton-Schulz steps.

use super::memory::Member;
use super::product::{Matrix, Output, product};
use super::work::ProductWork;
use crate::program::StepSettings;

/// Twin of `kernels::matrix_product`.
pub(super) fn matrix_product(
    work: &ProductWork,
    settings: &StepSettings<f32>,
    member: &mut Member,
) {
    if settings.updates == 0 {
        return;
    }
    let call = &work.call;
    let [rows, columns, depth] = [call.rows, call.columns, call.depth].map(|n| n as usize);
    let mut out = std::mem::take(&mut member.reals[work.product]);
    let to = &mut out[call.product_offset as usize..];
    let (row, column) = (call.product_row as usize, call.product_column as usize);
    if call.of_addend != 0.0 {
        let addend = &member.reals[work.addend][call.addend_offset as usize..];
        for r in 0..rows {
            for c in 0..columns {
                let at = r * row + c * column;
                to[at] = call.of_addend * addend[at];
            }
        }
    }
    product(
        Output { values: to, row_stride: row, column_stride: column, adds: call.of_addend != 0.0 },
        [rows, columns, depth],
        Matrix {
            values: &member.reals[work.left][call.left_offset as usize..],
            row_stride: call.left_row as usize,
            column_stride: call.left_depth as usize,
        },
        Matrix {
            values: &member.reals[work.right][call.right_offset as usize..],
            row_stride: call.right_depth as usize,
            column_stride: call.right_column as usize,
        },
        call.of_product,
        work.parallel,
    );
    member.reals[work.product] = out;
}
