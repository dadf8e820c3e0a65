//! Normalisation of a layer's sums before its activation: (x - mean) / sqrt(variance + epsilon),
//! times a scale, plus a shift. Twin of `shaders/normalize.wgsl`.

use super::{Real, Step};
use crate::catalog::normalization::NormalizationRow;

uniform! {
    /// The uniform of a call.
    pub struct Normalize {
        /// M.
        pub members: u32,
        /// Units of the layer.
        pub units: u32,
        /// Elements between members in `input`, `output` and `delta`.
        pub member_stride: u32,
        /// Elements between members in `statistics`.
        pub statistics_member_stride: u32,
        /// Elements between members in `parameters` and `gradients`.
        pub parameter_stride: u32,
        /// Where the scales `[units]` begin.
        pub scale_offset: u32,
        /// Where the shifts `[units]` begin, where there are any.
        pub shift_offset: u32,
        /// Where the running means begin, where there are any.
        pub mean_offset: u32,
        /// Where the running variances begin, where there are any.
        pub variance_offset: u32,
        /// 1: by the batch's own statistics; 0: by the running ones, where there are any.
        pub training: u32,
        /// 1: the running variance is that of a sample (n - 1).
        pub unbiased: u32,
        /// Added to the variance.
        pub epsilon: f32,
        /// Share of the batch in the running statistics.
        pub rate: f32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
        /// Unused.
        pub spare2: u32,
    }
}

/// Mean and 1 / sqrt(variance + epsilon) of some numbers, and their variance.
fn moments<R: Real>(
    row: &NormalizationRow,
    epsilon: R,
    count: usize,
    value: impl Fn(usize) -> R,
) -> [R; 3] {
    let n = R::of(count as f64);
    let mean = if row.centered { (0..count).map(&value).sum::<R>() / n } else { R::zero() };
    let square = |i| (value(i) - mean) * (value(i) - mean);
    let variance = (0..count).map(square).sum::<R>() / n;
    [mean, (variance + epsilon).sqrt().recip(), variance]
}

/// One member's call. `statistics` keeps the mean and the factor of each row or column.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn normalize<R: Real>(
    call: &Normalize,
    step: &Step<R>,
    row: &NormalizationRow,
    [epsilon, rate]: [R; 2],
    parameters: &mut [R],
    input: &[R],
    statistics: &mut [R],
    output: &mut [R],
) {
    let (rows, units) = (step.rows(), call.units as usize);
    let arena = step.member * call.parameter_stride as usize;
    let first = step.member * call.member_stride as usize;
    let kept = step.member * call.statistics_member_stride as usize;
    let items = if row.by_column { units } else { rows };
    for item in 0..items {
        let running = [call.mean_offset, call.variance_offset].map(|at| arena + at as usize + item);
        let [mean, factor] = if row.by_column && call.training == 0 {
            let [mean, variance] = running.map(|at| parameters[at]);
            [mean, (variance + epsilon).sqrt().recip()]
        } else {
            let count = if row.by_column { rows } else { units };
            let [mean, factor, variance] = moments(row, epsilon, count, |i| {
                input[first + if row.by_column { i * units + item } else { item * units + i }]
            });
            if row.by_column {
                let n = R::of(rows as f64);
                let sample = call.unbiased == 1 && rows > 1;
                let spread = if sample { variance * n / (n - R::one()) } else { variance };
                for (at, new) in running.into_iter().zip([mean, spread]) {
                    parameters[at] = parameters[at] + (new - parameters[at]) * rate;
                }
            }
            [mean, factor]
        };
        statistics[kept + item * 2] = mean;
        statistics[kept + item * 2 + 1] = factor;
    }
    for r in 0..rows {
        for unit in 0..units {
            let item = kept + 2 * if row.by_column { unit } else { r };
            let at = first + r * units + unit;
            let hat = (input[at] - statistics[item]) * statistics[item + 1];
            let scale = parameters[arena + call.scale_offset as usize + unit];
            let shift = if row.has_shift {
                parameters[arena + call.shift_offset as usize + unit]
            } else {
                R::zero()
            };
            output[at] = hat * scale + shift;
        }
    }
}
