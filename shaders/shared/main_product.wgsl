// One product a call: a tile a workgroup.

@compute @workgroup_size(LANES, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    if (begin(workgroup.z)) {
        tile(Block(workgroup.x, workgroup.y, workgroup.z), lane);
    }
}
