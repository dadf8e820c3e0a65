// Which block of results a workgroup makes: its place in a grid of (columns, rows, members).

fn block_of(workgroup: vec3<u32>) -> Block {
    return Block(workgroup.x, workgroup.y, workgroup.z);
}
