//! output = residual + dropout(act(input) + noise), of layers whose activation is not part of the
//! matrix product. Twin of `shaders/layer_output.wgsl`.

use super::{Real, Step, dropout_scale};
use crate::catalog::activation::Functions;
use crate::program::LayerSettings;
use crate::random::threefry2x32;

uniform! {
    /// The uniform of a call.
    pub struct LayerOutput {
        /// M.
        pub members: u32,
        /// Units of the layer.
        pub units: u32,
        /// Elements between members in `input`, `residual` and `output`.
        pub member_stride: u32,
        /// Elements between members in `parameters`.
        pub parameter_stride: u32,
        /// Where the learned slopes begin.
        pub slope_offset: u32,
        /// Learned slopes: 0, 1 for all units, or one a unit.
        pub slopes: u32,
        /// Row of the layer table.
        pub layer: u32,
        /// Rows of the layer table a member.
        pub layer_stride: u32,
        /// 1: with dropout and noise.
        pub training: u32,
        /// The activation's first parameter.
        pub alpha: f32,
        /// Its second parameter.
        pub beta: f32,
        /// Unused.
        pub spare0: u32,
    }
}

/// The parameters of an activation at a unit: those of the call, or the unit's learned slope.
pub(super) fn act_parameters<R: Real>(
    parameters: &[R],
    slopes_at: usize,
    slopes: u32,
    unit: usize,
    values: [R; 2],
) -> [R; 2] {
    match slopes {
        0 => values,
        1 => [parameters[slopes_at], R::zero()],
        _ => [parameters[slopes_at + unit], R::zero()],
    }
}

/// A standard normal number by Box and Muller (1958). Twin of `noise` in
/// `shaders/shared/noise.wgsl`. The stream is the mask's with the words of its key swapped.
fn noise<R: Real>(layer: &LayerSettings, element: u32, batch: u32) -> R {
    let bits = threefry2x32([layer.key1, layer.key0], [element, batch]);
    let uniform = |bits: u32| (R::of(f64::from(bits >> 8)) + R::of(0.5)) / R::of(16_777_216.0);
    let radius = (R::of(-2.0) * uniform(bits[0]).ln()).sqrt();
    radius * (R::of(std::f64::consts::TAU) * uniform(bits[1])).cos()
}

/// One member's call.
#[allow(clippy::too_many_arguments)] // one for each binding, as in the WGSL
pub fn layer_output<R: Real>(
    call: &LayerOutput,
    step: &Step<R>,
    activation: &Functions<R>,
    values: [R; 2],
    layers: &[LayerSettings],
    parameters: &[R],
    input: &[R],
    residual: Option<&[R]>,
    output: &mut [R],
) {
    let units = call.units as usize;
    let layer = &layers[step.member * call.layer_stride as usize + call.layer as usize];
    let slopes_at = step.member * call.parameter_stride as usize + call.slope_offset as usize;
    let batch = step.settings.batch;
    for element in 0..step.rows() * units {
        let at = step.member * call.member_stride as usize + element;
        let p = act_parameters(parameters, slopes_at, call.slopes, element % units, values);
        let mut y = (activation.act)(input[at], p);
        if call.training == 1 {
            if layer.noise > 0.0 {
                y += R::of(f64::from(layer.noise)) * noise(layer, element as u32, batch);
            }
            let scale = dropout_scale(layer, element as u32, batch);
            y = if scale == 0.0 {
                R::of(f64::from(layer.dropped))
            } else {
                y * R::of(f64::from(scale)) + R::of(f64::from(layer.keep_offset))
            };
        }
        output[at] = residual.map_or(R::zero(), |residual| residual[at]) + y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_is_standard_normal_and_its_own_stream() {
        const COUNT: u32 = 400_000;
        let layer = LayerSettings::dropout(0.5, [0x1234_5678, 0x9abc_def0]);
        let of = |element: u32| noise::<f64>(&layer, element, 7);
        let mean_of = |f: &dyn Fn(u32) -> f64| (0..COUNT).map(f).sum::<f64>() / f64::from(COUNT);
        // Each bound is five standard deviations of that mean; E x^2 = 1, E x^4 = 3, E x^8 = 105.
        let deviation = f64::from(COUNT).sqrt().recip();
        assert!(mean_of(&of).abs() < 5.0 * deviation);
        assert!((mean_of(&|i| of(i).powi(2)) - 1.0).abs() < 5.0 * deviation * 2_f64.sqrt());
        assert!((mean_of(&|i| of(i).powi(4)) - 3.0).abs() < 5.0 * deviation * 96_f64.sqrt());
        // Neighbours, batches and the mask know nothing of each other.
        assert!(mean_of(&|i| of(i) * of(i + 1)).abs() < 5.0 * deviation);
        assert!(mean_of(&|i| of(i) * noise::<f64>(&layer, i, 8)).abs() < 5.0 * deviation);
        let mask = |i: u32| f64::from(dropout_scale(&layer, i, 7)) - 1.0;
        assert!(mean_of(&|i| of(i) * mask(i)).abs() < 5.0 * deviation);
    }
}
