//! Normal of variance gain^2 2 / fan_in (He et al., "Delving Deep into Rectifiers", 2015).
//!
//! PyTorch (`torch.nn.init.kaiming_normal_(nonlinearity="relu")`, whose own gain of sqrt 2 for the ReLU
//! is in the formula): a plain normal distribution.
//! Keras (`HeNormal`): cut at two standard deviations, and widened first so that the variance after
//! the cut is the one above.

use super::{Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Drawn(
        request.normal_of_variance(request.values[0] * request.values[0] * (2.0 / request.fan_in)),
    )
}
