//! log_softmax(x)_k = x_k - log sum_j exp(x_j), about the largest x.
//!
//! The gradient is d - exp(y) times the sum of d. Source: `torch.nn.LogSoftmax`;
//! `keras.activations.log_softmax`.

use super::Formula;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn act<R: Real>(inputs: &[R], outputs: &mut [R]) {
        let largest = inputs.iter().copied().fold(R::neg_infinity(), R::max);
        let log_sum = inputs.iter().map(|x| (*x - largest).exp()).sum::<R>().ln();
        for (y, x) in outputs.iter_mut().zip(inputs) {
            *y = (*x - largest) - log_sum;
        }
    }

    fn act_grad<R: Real>(outputs: &[R], delta: &mut [R]) {
        let sum = delta.iter().copied().sum::<R>();
        for (d, y) in delta.iter_mut().zip(outputs) {
            *d -= y.exp() * sum;
        }
    }
}
