//! The gradient before an activation of whole rows, in place. Twin of
//! `shaders/row_activation_gradient.wgsl`.

use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct RowActivationGradient {
        /// M.
        pub members: u32,
        /// Units of the layer.
        pub units: u32,
        /// Elements between members in `input`, `output` and `delta`.
        pub member_stride: u32,
        /// Unused.
        pub spare0: u32,
    }
}

/// One member's call. `act_grad` turns the gradient by a row's outputs into that by its inputs.
pub fn row_activation_gradient<R: Real>(
    call: &RowActivationGradient,
    step: &Step<R>,
    act_grad: fn(&[R], &mut [R]),
    output: &[R],
    delta: &mut [R],
) {
    let units = call.units as usize;
    for row in 0..step.rows() {
        let at = step.member * call.member_stride as usize + row * units;
        act_grad(&output[at..at + units], &mut delta[at..at + units]);
    }
}
