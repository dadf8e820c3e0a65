//! N(mean, stddev^2).

use super::{Distribution, Request};

pub(super) fn distribution(request: &Request) -> Distribution {
    Distribution::Normal { mean: request.values[0], stddev: request.values[1] }
}
