// The bias gradients of an update, or of a part of the batch, one unit at a time.

fn bias_gradient(unit: u32) -> Reals {
    return delta_sum(unit);
}
