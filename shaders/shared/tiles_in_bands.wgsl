// The tiles of a grid in bands of BAND rows, each column by column: workgroups that run at the same
// time share rows and columns of the operands in a cache.

const BAND = 8u;

fn block_at(index: u32, columns: u32, rows: u32) -> Block {
    let tiles = BAND * columns;
    let first = index / tiles * BAND;
    // The last band may have fewer rows.
    let height = min(rows - first, BAND);
    let within = index % tiles;
    return Block(within / height, first + within % height);
}
