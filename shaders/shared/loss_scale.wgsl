// The members' loss scales, of plans of f16: what the gradient is multiplied by from the loss on to
// the gradients of weights.

// A power of two for each member. Twin: program::LossScale.
struct LossScale {
    scale: f32,               // of the step that comes next
    backward: f32,            // of the step under way after the loss, which sets it
    overflowed: atomic<u32>,  // the last step whose gradient overflowed f16; 0: none has
    steps: u32,               // since the scale was changed
}

@group(0) @binding(15) var<storage, read_write> loss_scale: array<LossScale>;

// The invocation's member.
var<private> scaled_member: u32;

// 1 / scale, exactly.
fn inverse_scale() -> f32 {
    return bitcast<f32>(0x7f000000u - bitcast<u32>(loss_scale[scaled_member].backward));
}

fn unscaled(x: f32) -> f32 {
    return x * inverse_scale();
}

// Whether the gradient of that step overflowed.
fn has_overflowed(member: u32, step: u32) -> bool {
    return atomicLoad(&loss_scale[member].overflowed) == step;
}
