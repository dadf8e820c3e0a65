// The forward half of a step: up to the loss.

fn step_settings(member: u32, members: u32) -> StepSettings {
    return steps[state[member].cursor * members + member];
}

// A member that met a number that is not finite stands still, so that the host can look at it.
fn has_stopped(member: u32) -> bool {
    return bad_step(member) != 0xffffffffu || bad_element(member) != 0xffffffffu;
}
