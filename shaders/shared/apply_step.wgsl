// One optimizer step of the parameters that begin at an element of a member's arena. Decoupled decay
// comes off first; the gradient (with its L1 and L2 terms) is of the weights before it.
// The optimizer file gives opt_step and declares the moments it keeps.

// Two for each 64 parameters: l1, l2 (the coefficient of w in the gradient), weight-decay factor,
// learning-rate factor; then 1 where the gradient is the step itself, the clip group, the matrix
// among Muon's, unused.
@group(0) @binding(7) var<storage, read> block_settings: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> parameters: array<Reals>;

// `penalties`: whether the L1 and L2 terms are added here.
fn apply_step(
    member: u32, stride: u32, element: u32, gradient: Reals, penalties: bool, settings: StepSettings,
) {
    let first = member * stride + element;
    let at = first / REALS;
    let block = first / 64u * 2u;
    let block_setting = block_settings[block];
    let w = parameters[at];
    var g = gradient;
    if (penalties) {
        g += block_setting.x * sign(w) + block_setting.y * w;
    }
    let learning_rate = settings.learning_rate * block_setting.w;
    let decayed = w - learning_rate * settings.weight_decay * block_setting.z * w;
    var updated = decayed - learning_rate * g;
    if (block_settings[block + 1u].x == 0.0) {
        updated = opt_step(at, decayed, g, settings, learning_rate);
    }
    flag_not_finite(member, element, g, updated);
    parameters[at] = updated;
}
