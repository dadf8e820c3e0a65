// The end of a step: the scale is halved where the gradient overflowed, and doubled after so many
// steps where none did, as by torch.amp.GradScaler. A gradient that overflows without a scale is at
// fault itself: the member's last. Twin: program::LossScale::end_step.

fn end_scaled_step(member: u32, settings: StepSettings) {
    if (settings.updates == 0u || bad_step(member) != 0xffffffffu) {
        return;
    }
    var scale = loss_scale[member].backward;
    var count = loss_scale[member].steps + 1u;
    if (has_overflowed(member, settings.step)) {
        scale *= 0.5;
        count = 0u;
        if (scale < 1.0) {
            atomicMin(&state[member].bad_element, 0xfffffffeu);
        }
    } else if (count >= 2000u) {
        scale = min(scale * 2.0, 1.2676506e30);
        count = 0u;
    }
    loss_scale[member].scale = scale;
    loss_scale[member].steps = count;
}
