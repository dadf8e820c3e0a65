// The backward half of a step whose gradient is scaled, for what follows the gradient: a step whose
// gradient overflowed is left alone.

fn step_settings(member: u32, members: u32) -> StepSettings {
    return steps[state[member].backward * members + member];
}

fn has_stopped(member: u32) -> bool {
    return bad_step(member) != 0xffffffffu
        || has_overflowed(member, step_settings(member, call.members).step);
}
