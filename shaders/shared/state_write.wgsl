// The members' state, for kernels that report a number that is not finite.
// Atomic minima: the outcome does not depend on the order of the invocations.

struct AtomicMemberState {
    cursor: u32,
    bad_step: atomic<u32>,
    bad_element: atomic<u32>,
    spare: u32,
}

@group(0) @binding(2) var<storage, read_write> state: array<AtomicMemberState>;

fn step_settings(member: u32, members: u32) -> StepSettings {
    return steps[state[member].cursor * members + member];
}

fn has_stopped(member: u32) -> bool {
    return atomicLoad(&state[member].bad_step) != 0xffffffffu;
}
