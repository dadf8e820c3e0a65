// Of each group of blocks the norm, and the factor that is made of it. One workgroup a group;
// the partial sums are added in a fixed order. The heads of one network have one norm: all groups are
// ranges of it, the first of what is shared, and one workgroup writes it for all of them.
// Twin: kernels::norm_factors.

struct NormFactors {
    members: u32,
    groups: u32,
    blocks: u32,
    form: u32,
    epsilon: f32,
    heads: u32,          // members that have one norm, one after the other; 1: each its own
    ranges: u32,         // of several heads, the ranges that the norm is of
    shared_ranges: u32,  // of these, the first that hold the same of every head
}

@group(0) @binding(0) var<uniform> call: NormFactors;
@group(0) @binding(6) var<storage, read> partials: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read> groups: array<vec2<u32>>;
@group(0) @binding(8) var<storage, read_write> factors: array<f32>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z * call.heads;
    let settings = step_settings(member, call.members);
    if (settings.updates == 0u || has_stopped(member)) {
        return;
    }
    let is_joint = call.heads > 1u;
    var squares = 0.0;
    if (is_joint) {
        for (var index = 0u; index < call.ranges; index++) {
            let range = groups[index];
            let copies = select(call.heads, 1u, index < call.shared_ranges);
            for (var i = lane; i < range.y * copies; i += LANES) {
                squares += partials[(member + i / range.y) * call.blocks + range.x + i % range.y].x;
            }
        }
    } else {
        let range = groups[workgroup.x];
        let first = member * call.blocks + range.x;
        for (var i = lane; i < range.y; i += LANES) {
            squares += partials[first + i].x;
        }
    }
    let norm = sqrt(sum_lanes(lane, squares));
    if (lane == 0u) {
        var factor = 0.0;
        switch (call.form) {
            case 0u: { factor = min(1.0, settings.clip / (norm + 1e-6)); }
            case 1u: { factor = settings.clip / max(norm, settings.clip); }
            case 2u: { factor = 1.0 / max(norm, call.epsilon); }
            default: { factor = 1.0 / (norm + call.epsilon); }
        }
        for (var own = member; own < member + call.heads; own++) {
            factors[own * call.groups + workgroup.x] = factor;
        }
    }
}
