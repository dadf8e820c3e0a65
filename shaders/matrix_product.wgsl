// Operands of product = of_product left right + of_addend addend, for matrices at any strides:
// Muon's Newton-Schulz steps. Twin: kernels::matrix_product.

struct MatrixProduct {
    members: u32,
    rows: u32,
    columns: u32,
    depth: u32,
    left_offset: u32,
    left_row: u32,
    left_depth: u32,
    left_member_stride: u32,
    right_offset: u32,
    right_depth: u32,
    right_column: u32,
    right_member_stride: u32,
    product_offset: u32,
    product_row: u32,
    product_column: u32,
    product_member_stride: u32,
    addend_member_stride: u32,
    addend_offset: u32,
    of_product: f32,
    of_addend: f32,
}

@group(0) @binding(0) var<uniform> call: MatrixProduct;
@group(0) @binding(6) var<storage, read> left: array<f32>;
@group(0) @binding(7) var<storage, read> right: array<f32>;
@group(0) @binding(8) var<storage, read> addend: array<f32>;
@group(0) @binding(9) var<storage, read_write> product: array<f32>;

struct Problem {
    rows: u32,
    columns: u32,
    depth: u32,
}

const A_DEPTH_FIRST = true;
const DEPTH_OR_TILE_A = 16u;
const B_DEPTH_FIRST = false;
const DEPTH_OR_TILE_B = 64u;

var<private> member: u32;

fn begin(which: u32) -> bool {
    member = which;
    return step_settings(which, call.members).updates == 1u && !has_stopped(which);
}

fn problem() -> Problem {
    return Problem(call.rows, call.columns, call.depth);
}

fn a_base(row: u32) -> u32 {
    return member * call.left_member_stride + call.left_offset + row * call.left_row;
}

fn load_a(base: u32, k: u32) -> f32 {
    return left[base + k * call.left_depth];
}

fn b_base(k: u32) -> u32 {
    return member * call.right_member_stride + call.right_offset + k * call.right_depth;
}

fn load_b(base: u32, column: u32) -> f32 {
    return right[base + column * call.right_column];
}

fn store(row: u32, column: u32, sum: f32) {
    let within = row * call.product_row + column * call.product_column;
    var result = call.of_product * sum;
    if (call.of_addend != 0.0) {
        let at = member * call.addend_member_stride + call.addend_offset + within;
        result += call.of_addend * addend[at];
    }
    product[member * call.product_member_stride + call.product_offset + within] = result;
}
