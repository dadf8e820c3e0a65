//! softmax(x)_k = exp(x_k) / sum_j exp(x_j), about the largest x.
//!
//! The gradient is y (d - sum of d y). Source: Bridle, "Probabilistic interpretation of feedforward
//! classification network outputs", 1990; `torch.nn.Softmax`; `keras.activations.softmax`.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(inputs: &[R], outputs: &mut [R]) {
        let largest = inputs.iter().copied().fold(R::neg_infinity(), R::max);
        let mut sum = R::zero();
        for (y, x) in outputs.iter_mut().zip(inputs) {
            *y = (*x - largest).exp();
            sum += *y;
        }
        outputs.iter_mut().for_each(|y| *y /= sum);
    }

    fn act_grad<R: Real>(outputs: &[R], delta: &mut [R]) {
        let along = outputs.iter().zip(&*delta).map(|(y, d)| *y * *d).sum::<R>();
        for (d, y) in delta.iter_mut().zip(outputs) {
            *d = *y * (*d - along);
        }
    }
}
