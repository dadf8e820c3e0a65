// Batch rows are rows of the data set, found through the order of the epoch.

@group(0) @binding(4) var<storage, read> order: array<u32>;

fn input_row(member: u32, order_stride: u32, first_row: u32, row: u32) -> u32 {
    return order[member * order_stride + first_row + row];
}
