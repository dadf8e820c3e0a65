//! Normal of variance 1 / fan_in (LeCun et al., 1998).

use super::{Distribution, Request};

pub(super) fn distribution(request: &Request) -> Distribution {
    request.normal_of_variance(1.0 / request.fan_in)
}
