// The tiles of a grid row by row.

fn block_at(index: u32, columns: u32, rows: u32) -> Block {
    return Block(index % columns, index / columns);
}
