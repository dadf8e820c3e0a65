//! `value`.

use super::{Distribution, Request};

pub(super) fn distribution(request: &Request) -> Distribution {
    Distribution::Constant(request.values[0])
}
