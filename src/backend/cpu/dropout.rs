//! Dropout: masks are drawn again wherever they are needed, in the vectors of the processor at hand.

use pulp::{Arch, Simd, WithSimd};

use crate::catalog::activation::Functions;
use crate::kernels::dropout_scale;
use crate::program::LayerSettings;

/// Elements whose mask is drawn at once.
const MASK: usize = 64;

/// Neighbouring elements of a layer, by the place of the first in its member's batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub layer: &'a LayerSettings,
    pub batch: u32,
    pub first: usize,
}

impl Place<'_> {
    fn behind(self, elements: usize) -> Self {
        Self { first: self.first + elements, ..self }
    }

    /// What the elements are multiplied by.
    #[inline(always)]
    fn draw(self, scales: &mut [f32]) {
        let (layer, first) = (*self.layer, self.first as u32);
        for (element, scale) in (0..scales.len() as u32).zip(scales) {
            *scale = dropout_scale(&layer, first.wrapping_add(element), self.batch);
        }
    }
}

/// Multiplies elements by their mask.
pub(super) fn drop_elements(y: &mut [f32], place: Place) {
    Arch::new().dispatch(Forward { y, place });
}

struct Forward<'a> {
    y: &'a mut [f32],
    place: Place<'a>,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut scales = [0.0; MASK];
        for (part, y) in self.y.chunks_mut(MASK).enumerate() {
            let scales = &mut scales[..y.len()];
            self.place.behind(part * MASK).draw(scales);
            y.iter_mut().zip(scales).for_each(|(y, scale)| *y *= *scale);
        }
    }
}

/// Gradients of what neighbouring elements were after dropout, to be made those of what the activation
/// was given.
pub(super) struct Masked<'a> {
    pub activation: &'a Functions<f32>,
    pub parameters: [f32; 2],
    pub d: &'a mut [f32],
    /// What the activation was given; empty where its slope is told from its output.
    pub x: &'a [f32],
    /// The output after dropout.
    pub y: &'a [f32],
}

/// Multiplies gradients by the mask of their elements and by the activation's slopes.
pub(super) fn mask_gradient(masked: Masked, place: Place) {
    let Masked { activation, parameters, d, x, y } = masked;
    let (mut scales, mut outputs) = ([0.0; MASK], [0.0; MASK]);
    for (part, (d, y)) in d.chunks_mut(MASK).zip(y.chunks(MASK)).enumerate() {
        let x = if x.is_empty() { x } else { &x[part * MASK..][..d.len()] };
        let (scales, outputs) = (&mut scales[..d.len()], &mut outputs[..d.len()]);
        let place = place.behind(part * MASK);
        Arch::new().dispatch(Backward { place, scales, d, y, outputs });
        (activation.act_grad_slice)(d, x, outputs, parameters);
        // A slope of a dropped element may be no number.
        for (d, scale) in d.iter_mut().zip(&*scales) {
            *d = if *scale == 0.0 { 0.0 } else { *d };
        }
    }
}

/// Draws the mask, multiplies gradients by it, and gives the outputs before dropout, which slopes are
/// told from.
struct Backward<'a> {
    place: Place<'a>,
    scales: &'a mut [f32],
    d: &'a mut [f32],
    y: &'a [f32],
    outputs: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { place, scales, d, y, outputs } = self;
        place.draw(scales);
        d.iter_mut().zip(&*scales).for_each(|(d, scale)| *d *= scale);
        let keep_scale = place.layer.keep_scale;
        for ((output, y), scale) in outputs.iter_mut().zip(y).zip(&*scales) {
            let before = y / keep_scale;
            *output = if *scale == 0.0 { 0.0 } else { before };
        }
    }
}
