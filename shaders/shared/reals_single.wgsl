// Parameters are stepped one at a time: rows of a matrix that do not begin at a multiple of four.

alias Reals = f32;
const REALS = 1u;

fn flag_not_finite(member: u32, element: u32, gradient: Reals, updated: Reals) {
    if (!is_finite(gradient) || !is_finite(updated)) {
        atomicMin(&state[member].bad_element, element);
    }
}
