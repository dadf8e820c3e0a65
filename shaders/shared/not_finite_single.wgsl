// The element, where it is not finite; else 0xffffffff.
fn first_not_finite(element: u32, gradient: Reals, updated: Reals) -> u32 {
    return select(0xffffffffu, element, !is_finite(gradient) || !is_finite(updated));
}
