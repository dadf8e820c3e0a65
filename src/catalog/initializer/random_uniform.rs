//! U(minimum, maximum).

use super::{Distribution, Request};

pub(super) fn distribution(request: &Request) -> Distribution {
    Distribution::Uniform { minimum: request.values[0], maximum: request.values[1] }
}
