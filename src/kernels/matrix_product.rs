//! product = of_product left right + of_addend addend, for matrices at any strides: Muon's
//! Newton-Schulz steps. Twin of `shaders/matrix_product.wgsl`.

use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct MatrixProduct {
        /// M.
        pub members: u32,
        /// Rows of the product.
        pub rows: u32,
        /// Columns of the product.
        pub columns: u32,
        /// Columns of the left operand, rows of the right one.
        pub depth: u32,
        /// Where the left operand begins in a member's part.
        pub left_offset: u32,
        /// Elements between its rows.
        pub left_row: u32,
        /// Elements between its columns.
        pub left_depth: u32,
        /// Elements between members in `left`.
        pub left_member_stride: u32,
        /// Where the right operand begins.
        pub right_offset: u32,
        /// Elements between its rows.
        pub right_depth: u32,
        /// Elements between its columns.
        pub right_column: u32,
        /// Elements between members in `right`.
        pub right_member_stride: u32,
        /// Where the product and the addend begin.
        pub product_offset: u32,
        /// Elements between their rows.
        pub product_row: u32,
        /// Elements between their columns.
        pub product_column: u32,
        /// Elements between members in `product`.
        pub product_member_stride: u32,
        /// Elements between members in `addend`.
        pub addend_member_stride: u32,
        /// Where the addend begins.
        pub addend_offset: u32,
        /// What the product is multiplied by.
        pub of_product: f32,
        /// What the addend is multiplied by; 0: there is none.
        pub of_addend: f32,
    }
}

/// One member's call. The addend lies as the product does, from its own offset.
pub fn matrix_product<R: Real>(
    call: &MatrixProduct,
    step: &Step<R>,
    [of_product, of_addend]: [R; 2],
    left: &[R],
    right: &[R],
    addend: &[R],
    product: &mut [R],
) {
    if step.settings.updates == 0 {
        return;
    }
    let place = |stride: u32, offset: u32| step.member * stride as usize + offset as usize;
    let left_at = place(call.left_member_stride, call.left_offset);
    let right_at = place(call.right_member_stride, call.right_offset);
    let addend_at = place(call.addend_member_stride, call.addend_offset);
    let product_at = place(call.product_member_stride, call.product_offset);
    for row in 0..call.rows as usize {
        for column in 0..call.columns as usize {
            let mut sum = R::zero();
            for k in 0..call.depth as usize {
                let a = left[left_at + row * call.left_row as usize + k * call.left_depth as usize];
                let b = right[right_at
                    + k * call.right_depth as usize
                    + column * call.right_column as usize];
                sum += a * b;
            }
            let within = row * call.product_row as usize + column * call.product_column as usize;
            let mut result = of_product * sum;
            if of_addend != R::zero() {
                result += of_addend * addend[addend_at + within];
            }
            product[product_at + within] = result;
        }
    }
}
