// Operands of product = of_product left right + of_addend addend, for matrices at any strides:
// Muon's Newton-Schulz steps. A is `left`, B is `right`. Twin: kernels::matrix_product.

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
@group(0) @binding(8) var<storage, read> addend: array<f32>;
@group(0) @binding(9) var<storage, read_write> product: array<f32>;

struct Problem {
    rows: u32,
    columns: u32,
    depth: u32,
}

var<private> member: u32;

fn begin(which: u32) -> bool {
    member = which;
    return step_settings(which, call.members).updates == 1u && !has_stopped(which);
}

fn problem() -> Problem {
    return Problem(call.rows, call.columns, call.depth);
}

fn a_line(i: u32) -> u32 {
    let stride = select(call.left_depth, call.left_row, A_ALONG_DEPTH);
    return member * call.left_member_stride + call.left_offset + i * stride;
}

fn load_a(line: u32, j: u32) -> f32 {
    return a_value(line + j * select(call.left_row, call.left_depth, A_ALONG_DEPTH));
}

// Only where neighbours in a line are neighbours in memory.
fn load_a_quad(line: u32, j: u32) -> vec4<f32> {
    return a_quad(line + j);
}

fn b_line(i: u32) -> u32 {
    let stride = select(call.right_depth, call.right_column, B_ALONG_DEPTH);
    return member * call.right_member_stride + call.right_offset + i * stride;
}

fn load_b(line: u32, j: u32) -> f32 {
    return b_value(line + j * select(call.right_column, call.right_depth, B_ALONG_DEPTH));
}

fn load_b_quad(line: u32, j: u32) -> vec4<f32> {
    return b_quad(line + j);
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
