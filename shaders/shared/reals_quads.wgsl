// Parameters are stepped four at a time.

alias Reals = vec4<f32>;
const REALS = 4u;

fn flag_not_finite(member: u32, element: u32, gradient: Reals, updated: Reals) {
    for (var i = 0u; i < 4u; i++) {
        if (!is_finite(gradient[i]) || !is_finite(updated[i])) {
            atomicMin(&state[member].bad_element, element + i);
        }
    }
}
