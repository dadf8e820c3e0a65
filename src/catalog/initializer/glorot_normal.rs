//! Normal of variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010).

use super::{Distribution, Request};

pub(super) fn distribution(request: &Request) -> Distribution {
    request.normal_of_variance(2.0 / (request.fan_in + request.fan_out))
}
