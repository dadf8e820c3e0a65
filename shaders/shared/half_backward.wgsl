// The backward half of a step: after the loss.

fn step_settings(member: u32, members: u32) -> StepSettings {
    var own: StepSettings;
    if (reads_settings()) {
        own = steps[state[member].backward * members + member];
    }
    return given_settings(own);
}

// An update that is not finite is seen from the next step on: what it does to this one must not
// depend on the order of the invocations.
fn has_stopped(member: u32) -> bool {
    var bad = 0u;
    if (reads_settings()) {
        bad = bad_step(member);
    }
    return given_word(bad) != 0xffffffffu;
}
