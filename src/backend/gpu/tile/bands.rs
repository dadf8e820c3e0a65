//! The order in which the tiles of a product are made.

use super::{Kind, Tile};

/// The file that gives the order of a tile: in bands, for the cache of a GPU, or row by row.
pub fn order(tile: Tile) -> &'static str {
    match tile.kind {
        Kind::Shared { .. } | Kind::Cooperative { .. } => "shared/tiles_in_bands.wgsl",
        Kind::Naive | Kind::Direct { .. } => "shared/tiles_in_rows.wgsl",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    /// Twin of `BAND` in `shaders/shared/tiles_in_bands.wgsl`.
    const BAND: u32 = 8;

    /// Twin of `block_at` in `shaders/shared/tiles_in_bands.wgsl`: (column, row).
    fn block_at(index: u32, columns: u32, rows: u32) -> (u32, u32) {
        let tiles = BAND * columns;
        let first = index / tiles * BAND;
        let height = (rows - first).min(BAND);
        let within = index % tiles;
        (within / height, first + within % height)
    }

    #[test]
    fn bands_hold_every_tile_once() {
        for rows in 1..=35 {
            for columns in [1, 2, 3, 7, 8, 9, 31] {
                let blocks: Vec<_> =
                    (0..rows * columns).map(|i| block_at(i, columns, rows)).collect();
                assert!(blocks.iter().all(|(column, row)| *column < columns && *row < rows));
                let apart: HashSet<_> = blocks.iter().collect();
                assert_eq!(apart.len(), blocks.len(), "{rows} rows of {columns}");
                // A band is done before the next is begun.
                assert!(blocks.windows(2).all(|pair| pair[0].1 / BAND <= pair[1].1 / BAND));
            }
        }
    }

    /// 64 workgroups at a time share 8 rows and 8 columns, not 1 and 64.
    #[test]
    fn workgroups_that_run_together_share_operands() {
        let blocks: Vec<_> = (0..64).map(|i| block_at(i, 64, 64)).collect();
        let columns: HashSet<_> = blocks.iter().map(|block| block.0).collect();
        let rows: HashSet<_> = blocks.iter().map(|block| block.1).collect();
        assert_eq!((columns.len(), rows.len()), (8, 8));
    }

    /// The shader has the same number.
    #[test]
    fn the_twin_is_of_the_shader() {
        let shader = include_str!("../../../../shaders/shared/tiles_in_bands.wgsl");
        assert!(shader.contains(&format!("const BAND = {BAND}u;")));
    }
}
