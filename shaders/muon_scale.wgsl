// Scales each of Muon's matrices to a norm of 1, four parameters an invocation.
// Twin: kernels::muon_scale.

struct MuonScale {
    members: u32,
    quads: u32,
    groups: u32,
    spare0: u32,
}

@group(0) @binding(0) var<uniform> call: MuonScale;
@group(0) @binding(6) var<storage, read> block_settings: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> factors: array<f32>;
@group(0) @binding(8) var<storage, read_write> direction: array<vec4<f32>>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = workgroup.z;
    let quad = (workgroup.y * workgroups.x + workgroup.x) * 64u + lane;
    if (quad >= call.quads || has_stopped(member)) {
        return;
    }
    let at = member * call.quads + quad;
    let block = block_settings[at / 16u * 2u + 1u];
    if (step_settings(member, call.members).updates == 1u && block.x != 0.0) {
        direction[at] *= factors[member * call.groups + u32(block.z)];
    }
}
