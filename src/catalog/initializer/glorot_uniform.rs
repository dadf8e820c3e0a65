//! U(+-sqrt(6 / (fan_in + fan_out))) (Glorot and Bengio, 2010).

use super::{Distribution, Request};

pub(super) fn distribution(request: &Request) -> Distribution {
    Distribution::symmetric((6.0 / (request.fan_in + request.fan_out)).sqrt())
}
