// One product a call: a workgroup for each tile of a grid of (columns, rows, members).
// shared/tiles_*.wgsl give the order of the tiles.

fn run(workgroup: vec3<u32>, workgroups: vec3<u32>, lane: u32) {
    if (begin(workgroup.z)) {
        let index = workgroup.y * workgroups.x + workgroup.x;
        tile(block_at(index, workgroups.x, workgroups.y), lane);
    }
}
