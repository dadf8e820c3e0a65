// Parameters are stepped one at a time: rows of a matrix that do not begin at a multiple of four.

alias Reals = f32;
const REALS = 1u;

// The element, where it is not finite; else 0xffffffff.
fn first_not_finite(element: u32, gradient: Reals, updated: Reals) -> u32 {
    return select(0xffffffffu, element, !is_finite(gradient) || !is_finite(updated));
}
