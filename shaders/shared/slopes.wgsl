// The parameters of an activation at a unit: those of the call, or the unit's learned slope.

fn act_parameters(member: u32, unit: u32) -> vec2<f32> {
    if (call.slopes == 0u) {
        return vec2<f32>(call.alpha, call.beta);
    }
    let first = member * call.parameter_stride + call.slope_offset;
    return vec2<f32>(parameters[first + select(0u, unit, call.slopes > 1u)], 0.0);
}
