//! An activation of whole rows, such as softmax. Twin of `shaders/row_activation.wgsl`.

use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct RowActivation {
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

/// One member's call. `act` fills the outputs of a row from its inputs.
pub fn row_activation<R: Real>(
    call: &RowActivation,
    step: &Step<R>,
    act: fn(&[R], &mut [R]),
    input: &[R],
    output: &mut [R],
) {
    let units = call.units as usize;
    for row in 0..step.rows() {
        let at = step.member * call.member_stride as usize + row * units;
        act(&input[at..at + units], &mut output[at..at + units]);
    }
}
