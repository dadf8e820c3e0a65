//! The band of a step: by how much each of its tensors may differ from the f64 step, for no other
//! reason than rounding.

use super::layout::{Difference, Layout, Tensor, Trace, ratio};
use super::oracle::Rounding;
use super::result::Gap;

/// What the largest difference of some rounded steps is multiplied by. The rounded steps take each
/// rounding at its bound, but of the ways in which roundings can meet they are a few: a tensor is as
/// far off at the most unlucky of them.
const SAFETY: f64 = 2.0;

/// Rounded steps that a band is made of.
pub const SAMPLES: u64 = 3;

/// Rounded steps that are added before a tensor is said to be outside: where a number is about to
/// flip, such as the derivative of relu at 0, half of them flip it.
pub const MORE_SAMPLES: u64 = 29;

/// What the least distance is that counts: processors may take numbers below f32's least normal
/// one for 0, and sums of them.
const UNDERFLOW: f64 = 64.0 * f32::MIN_POSITIVE as f64;

/// The roundings of some samples: the first one's are all outward.
pub fn roundings(step: u64, samples: std::ops::Range<u64>) -> impl Iterator<Item = Rounding> {
    samples.map(move |sample| match sample {
        0 => Rounding::Outward,
        _ => Rounding::Bound(step << 8 | sample),
    })
}

/// How far each tensor of a step may be off.
#[derive(Debug, Clone, Default)]
pub struct Band {
    /// Of each tensor of the layout, the largest difference of a rounded step.
    largest: Vec<(f64, f64)>,
}

impl Band {
    /// Widens it by a rounded step, beside the step as it is.
    pub fn widen(&mut self, layout: &Layout, rounded: &Trace, exact: &Trace, rows: usize) {
        self.largest.resize(layout.tensors.len(), (0.0, 0.0));
        for (tensor, (largest, norm)) in layout.tensors.iter().zip(&mut self.largest) {
            let difference = layout.difference(tensor, rounded, exact, rows);
            *largest = largest.max(difference.largest);
            *norm = norm.max(difference.norm);
        }
    }

    /// How much of its band a tensor's difference is.
    fn share(&self, at: usize, difference: &Difference) -> f64 {
        let (largest, norm) = self.largest.get(at).copied().unwrap_or_default();
        let of = |found: f64, allowed: f64, underflow: f64| {
            ratio((found - underflow).max(0.0), SAFETY * allowed)
        };
        let by_norm = of(difference.norm, norm, UNDERFLOW * (difference.count as f64).sqrt());
        of(difference.largest, largest, UNDERFLOW).max(by_norm)
    }

    /// The tensors of `which`, in the order of the step, beside the f64 step.
    pub fn gaps(
        &self,
        layout: &Layout,
        found: &Trace,
        exact: &Trace,
        rows: usize,
        which: impl Fn(&Tensor) -> bool,
    ) -> Vec<Gap> {
        let tensors = layout.tensors.iter().enumerate().filter(|(_, tensor)| which(tensor));
        tensors
            .map(|(at, tensor)| {
                let difference = layout.difference(tensor, found, exact, rows);
                Gap {
                    tensor: tensor.name.clone(),
                    quantity: tensor.quantity,
                    // JSON has no infinity.
                    ulps: difference.ulps().min(f64::MAX),
                    relative: difference.relative().min(f64::MAX),
                    relative_norm: difference.relative_norm().min(f64::MAX),
                    of_band: self.share(at, &difference).min(f64::MAX),
                }
            })
            .collect()
    }
}

/// The gap of each quantity that fills most of its band.
pub fn worst<'a>(gaps: impl IntoIterator<Item = &'a Gap>) -> Vec<Gap> {
    let mut worst: Vec<Gap> = Vec::new();
    for gap in gaps {
        match worst.iter_mut().find(|own| own.quantity == gap.quantity) {
            Some(own) if own.of_band >= gap.of_band => {}
            Some(own) => *own = gap.clone(),
            None => worst.push(gap.clone()),
        }
    }
    worst.sort_by_key(|gap| gap.quantity as u8);
    worst
}
