// The settings of a parameter are those of its block of 64. All blocks of a tensor have the same.

// Two for each block: l1, l2 (the coefficient of w in the gradient), weight-decay factor,
// learning-rate factor; then 1 where the gradient is the step itself, the clip group, the matrix
// among Muon's, unused.
@group(0) @binding(7) var<storage, read> block_settings: array<vec4<f32>>;

struct BlockSettings {
    l1: f32,
    l2: f32,
    decay: f32,
    rate: f32,
    direct: bool,
}

fn settings_of(parameter: u32) -> BlockSettings {
    let block = parameter / 64u * 2u;
    let numbers = block_settings[block];
    let direct = block_settings[block + 1u].x != 0.0;
    return BlockSettings(numbers.x, numbers.y, numbers.z, numbers.w, direct);
}
