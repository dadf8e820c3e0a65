//! The gradient behind a normalisation, from that before its activation, in place. Twin of
//! `shaders/normalize_gradient.wgsl`.
//!
//! With d the gradient by x^ = (x - mean) factor and means over the row or column:
//! factor (d - mean(d) - x^ mean(d x^)); what is not centered has no mean(d). Source: Ioffe and
//! Szegedy, "Batch normalization", 2015, section 3.

use super::{Real, Step};
use crate::catalog::normalization::NormalizationRow;

uniform! {
    /// The uniform of a call.
    pub struct NormalizeGradient {
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
pub fn normalize_gradient<R: Real>(
    call: &NormalizeGradient,
    step: &Step<R>,
    row: &NormalizationRow,
    parameters: &[R],
    input: &[R],
    statistics: &[R],
    delta: &mut [R],
) {
    let (rows, units) = (step.rows(), call.units as usize);
    let scales = step.member * call.parameter_stride as usize + call.scale_offset as usize;
    let first = step.member * call.member_stride as usize;
    let kept = step.member * call.statistics_member_stride as usize;
    let (items, count) = if row.by_column { (units, rows) } else { (rows, units) };
    for item in 0..items {
        let (mean, factor) = (statistics[kept + item * 2], statistics[kept + item * 2 + 1]);
        let place = |i: usize| if row.by_column { (i, item) } else { (item, i) };
        let at = |i: usize| {
            let (r, unit) = place(i);
            (first + r * units + unit, parameters[scales + unit])
        };
        let mut sums = [R::zero(); 2];
        for i in 0..count {
            let (at, scale) = at(i);
            let d = delta[at] * scale;
            sums[0] += d;
            sums[1] += d * (input[at] - mean) * factor;
        }
        let [plain, along] = sums.map(|sum| sum / R::of(count as f64));
        let plain = if row.centered { plain } else { R::zero() };
        for i in 0..count {
            let (at, scale) = at(i);
            let hat = (input[at] - mean) * factor;
            delta[at] = factor * (delta[at] * scale - plain - hat * along);
        }
    }
}
