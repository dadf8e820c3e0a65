//! `gain` where unit and input have the same index, 0 elsewhere: a rectangular eye, so that a layer
//! hands its first inputs on (`torch.nn.init.eye_`, `keras.initializers.Identity(gain)`). Weights only.

use super::{Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Identity { gain: request.values[0] }
}

/// Fills `[units, inputs]`.
pub(super) fn fill(gain: f64, inputs: usize, values: &mut [f32]) {
    values.fill(0.0);
    for (unit, row) in values.chunks_exact_mut(inputs.max(1)).enumerate() {
        if let Some(value) = row.get_mut(unit) {
            *value = gain as f32;
        }
    }
}
