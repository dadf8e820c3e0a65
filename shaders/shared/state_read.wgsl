// The members' state, for kernels that only read it.

@group(0) @binding(2) var<storage, read> state: array<MemberState>;

fn step_settings(member: u32, members: u32) -> StepSettings {
    return steps[state[member].cursor * members + member];
}

// A member that met a number that is not finite stands still, so that the host can look at it.
fn has_stopped(member: u32) -> bool {
    return state[member].bad_step != 0xffffffffu;
}
