//! Normal of variance gain^2 2 / (fan_in + fan_out) (Glorot and Bengio, "Understanding the difficulty
//! of training deep feedforward neural networks", 2010).
//!
//! PyTorch (`torch.nn.init.xavier_normal_(gain)`): a plain normal distribution.
//! Keras (`GlorotNormal`, `VarianceScaling(gain^2, "fan_avg", "truncated_normal")`): cut at two standard
//! deviations, and widened first so that the variance after the cut is the one above.

use super::{Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Drawn(request.normal_of_variance(
        request.values[0] * request.values[0] * (2.0 / (request.fan_in + request.fan_out)),
    ))
}
