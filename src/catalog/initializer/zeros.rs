//! 0.

use super::{Distribution, Request};

pub(super) fn distribution(_: &Request) -> Distribution {
    Distribution::Constant(0.0)
}
