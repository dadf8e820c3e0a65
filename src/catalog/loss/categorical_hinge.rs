//! max(1 + the largest output of another class - the class's own output, 0).
//!
//! Source: Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based
//! vector machines", 2001; `keras.losses.CategoricalHinge`.

use super::RowWise;
use super::softmax::shares;
use crate::kernels::Real;

pub(super) struct Variant;

impl RowWise for Variant {
    fn loss<R: Real>(logits: &[R], targets: &[R], gradient: &mut [R], _p: [R; 3]) -> R {
        let share = shares(targets, logits.len(), R::zero());
        let other = |unit: usize| (R::one() - share(unit)) * logits[unit];
        let at =
            (1..logits.len()).fold(0, |at, unit| if other(unit) > other(at) { unit } else { at });
        let own = (0..logits.len()).map(|unit| share(unit) * logits[unit]).sum::<R>();
        let value = other(at) - own + R::one();
        let none = value <= R::zero();
        for (unit, g) in gradient.iter_mut().enumerate() {
            let away = if unit == at { R::one() - share(unit) } else { R::zero() };
            *g = if none { R::zero() } else { away - share(unit) };
        }
        if none { R::zero() } else { value }
    }
}
