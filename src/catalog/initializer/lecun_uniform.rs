//! U(+-sqrt(3 / fan_in)) (LeCun et al., 1998).

use super::{Distribution, Request};

pub(super) fn distribution(request: &Request) -> Distribution {
    Distribution::symmetric((3.0 / request.fan_in).sqrt())
}
