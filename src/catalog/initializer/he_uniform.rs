//! U(+-sqrt(6 / fan_in)) (He et al., 2015).

use super::{Distribution, Request};

pub(super) fn distribution(request: &Request) -> Distribution {
    Distribution::symmetric((6.0 / request.fan_in).sqrt())
}
