// Muon's momentum, and the direction that is to be orthogonalised, with the sum of its squares a
// block; a block of 64 parameters an invocation. Twin: kernels::muon_momentum.

struct MuonMomentum {
    members: u32,
    quads: u32,
    keras: u32,
    nesterov: u32,
}

@group(0) @binding(0) var<uniform> call: MuonMomentum;
@group(0) @binding(6) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> block_settings: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> moment0: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> direction: array<vec4<f32>>;
@group(0) @binding(10) var<storage, read_write> partials: array<vec2<f32>>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let block = (workgroup.y * workgroups.x + workgroup.x) * 64u + lane;
    if (block >= call.quads / 16u || has_stopped(member)) {
        return;
    }
    let settings = step_settings(member, call.members);
    let at = member * (call.quads / 16u) + block;
    if (settings.updates == 0u || block_settings[at * 2u + 1u].x == 0.0) {
        return;
    }
    let mu = settings.momentum;
    var squares = 0.0;
    for (var i = at * 16u; i < at * 16u + 16u; i++) {
        let g = gradients[i];
        var d = vec4<f32>();
        if (call.keras == 1u) {
            let m = mu * moment0[i] + g;
            moment0[i] = m;
            d = select(m, g + mu * m, call.nesterov == 1u);
        } else {
            let m = moment0[i] + (g - moment0[i]) * (1.0 - mu);
            moment0[i] = m;
            d = select(m, g + (m - g) * mu, call.nesterov == 1u);
        }
        direction[i] = d;
        squares += dot(d, d);
    }
    partials[at] = vec2<f32>(squares, 0.0);
}
