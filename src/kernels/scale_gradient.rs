//! Gradients of a normalisation's scale and shift: column sums of delta x^ and of delta. Twin of
//! `shaders/scale_gradient.wgsl`.

use super::{Real, Step};
use crate::catalog::normalization::NormalizationRow;

uniform! {
    /// The uniform of a call.
    pub struct ScaleGradient {
        /// M.
        pub members: u32,
        /// Units of the layer.
        pub units: u32,
        /// Elements between members in `input` and `delta`.
        pub member_stride: u32,
        /// Elements between members in `statistics`.
        pub statistics_member_stride: u32,
        /// Elements between members in `parameters` or `gradients`.
        pub parameter_stride: u32,
        /// Where the scales `[units]` begin.
        pub scale_offset: u32,
        /// Where the shifts `[units]` begin, where there are any.
        pub shift_offset: u32,
        /// Unused.
        pub spare0: u32,
    }
}

/// One member's call.
pub fn scale_gradient<R: Real>(
    call: &ScaleGradient,
    step: &Step<R>,
    row: &NormalizationRow,
    input: &[R],
    statistics: &[R],
    delta: &[R],
    gradients: &mut [R],
) {
    let units = call.units as usize;
    let arena = step.member * call.parameter_stride as usize;
    let first = step.member * call.member_stride as usize;
    let kept = step.member * call.statistics_member_stride as usize;
    let before = if step.settings.accumulates == 1 { R::one() } else { R::zero() };
    for unit in 0..units {
        let mut sums = [R::zero(); 2];
        for r in 0..step.rows() {
            let item = kept + 2 * if row.by_column { unit } else { r };
            let at = first + r * units + unit;
            sums[0] += delta[at] * (input[at] - statistics[item]) * statistics[item + 1];
            sums[1] += delta[at];
        }
        let scale = arena + call.scale_offset as usize + unit;
        gradients[scale] = sums[0] * step.unscale + before * gradients[scale];
        if row.has_shift {
            let shift = arena + call.shift_offset as usize + unit;
            gradients[shift] = sums[1] * step.unscale + before * gradients[shift];
        }
    }
}
