// The backward half of a step: after the loss.

fn step_settings(member: u32, members: u32) -> StepSettings {
    return steps[state[member].backward * members + member];
}

// An update that is not finite is seen from the next step on: what it does to this one must not
// depend on the order of the invocations.
fn has_stopped(member: u32) -> bool {
    return bad_step(member) != 0xffffffffu;
}
