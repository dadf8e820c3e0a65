//! Normal of variance 2 / fan_in (He et al., 2015).

use super::{Distribution, Request};

pub(super) fn distribution(request: &Request) -> Distribution {
    request.normal_of_variance(2.0 / request.fan_in)
}
