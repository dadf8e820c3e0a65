// Batch rows are the rows of the layer below, where they stand.

fn input_row(member: u32, order_stride: u32, first_row: u32, row: u32) -> u32 {
    return row;
}
