//! 1.

use super::{Distribution, Request};

pub(super) fn distribution(_: &Request) -> Distribution {
    Distribution::Constant(1.0)
}
