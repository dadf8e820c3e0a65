//! N(mean, stddev^2), cut and not corrected for the variance that the cut takes away.
//!
//! PyTorch (`trunc_normal_`): cut at the absolute values -2 and 2.
//! Keras (`TruncatedNormal`): cut at two standard deviations from the mean.

use super::{Distribution, Request};
use crate::catalog::optimizer::Convention;

pub(super) fn distribution(request: &Request) -> Distribution {
    let [mean, stddev] = request.values;
    let (minimum, maximum) = match request.convention {
        Convention::Torch => (-2.0, 2.0),
        Convention::Keras => (mean - 2.0 * stddev, mean + 2.0 * stddev),
    };
    Distribution::TruncatedNormal { mean, stddev, minimum, maximum }
}
