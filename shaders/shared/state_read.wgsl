// The members' state, for kernels that only read it.

@group(0) @binding(2) var<storage, read> state: array<MemberState>;

fn bad_step(member: u32) -> u32 {
    return state[member].bad_step;
}

fn bad_element(member: u32) -> u32 {
    return state[member].bad_element;
}
