// An update of scaled gradients: a step whose gradient overflowed is skipped as a whole.

fn apply_step(
    member: u32, stride: u32, element: u32, own: BlockSettings, gradient: Reals, penalties: bool,
    settings: StepSettings,
) {
    if (!has_overflowed(member, settings.step)) {
        let unscaled = gradient * inverse_scale();
        apply_step_unscaled(member, stride, element, own, unscaled, penalties, settings);
    }
}

fn finish(lane: u32) {
    if (lane == 0u) {
        end_scaled_step(member, settings);
    }
    finish_unscaled(lane);
}
