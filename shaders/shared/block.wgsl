// Which tile of a matrix product a workgroup makes, in tiles, and of which member.

struct Block {
    column: u32,
    row: u32,
    member: u32,
}
