// The members' state, for kernels that report a number that is not finite or move a member on.
// Atomic minima: the outcome does not depend on the order of the invocations.

struct AtomicMemberState {
    cursor: u32,
    bad_step: atomic<u32>,
    bad_element: atomic<u32>,
    backward: u32,
}

@group(0) @binding(2) var<storage, read_write> state: array<AtomicMemberState>;

fn bad_step(member: u32) -> u32 {
    return atomicLoad(&state[member].bad_step);
}

fn bad_element(member: u32) -> u32 {
    return atomicLoad(&state[member].bad_element);
}
