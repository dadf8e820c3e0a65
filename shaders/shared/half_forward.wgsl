// The forward half of a step: up to the loss.

fn step_settings(member: u32, members: u32) -> StepSettings {
    var own: StepSettings;
    if (reads_settings()) {
        own = steps[state[member].cursor * members + member];
    }
    return given_settings(own);
}

// A member that met a number that is not finite stands still, so that the host can look at it.
fn has_stopped(member: u32) -> bool {
    var bad = 0u;
    if (reads_settings()) {
        bad = min(bad_step(member), bad_element(member));
    }
    return given_word(bad) != 0xffffffffu;
}
