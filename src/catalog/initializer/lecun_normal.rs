//! Normal of variance scale / fan_in (LeCun et al., "Efficient BackProp", 1998).
//!
//! PyTorch (`torch.nn.init.kaiming_normal_(nonlinearity="linear")`): a plain normal distribution.
//! Keras (`LecunNormal`, `VarianceScaling(scale, "fan_in", "truncated_normal")`): cut at two standard
//! deviations, and widened first so that the variance after the cut is the one above.

use super::{Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Drawn(request.normal_of_variance(request.values[0] * (1.0 / request.fan_in)))
}
