// All parameters have the same settings: no penalties, and the optimizer's own decay and rate.

struct BlockSettings {
    l1: f32,
    l2: f32,
    decay: f32,
    rate: f32,
    direct: bool,
}

fn settings_of(parameter: u32) -> BlockSettings {
    return BlockSettings(0.0, 0.0, 1.0, 1.0, false);
}
