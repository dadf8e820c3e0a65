// One product a call: a workgroup for each tile of a grid of (columns, rows, members).

fn run(workgroup: vec3<u32>, workgroups: vec3<u32>, lane: u32) {
    if (begin(workgroup.z)) {
        tile(Block(workgroup.x, workgroup.y), lane);
    }
}
