//! N(mean, stddev^2), cut and not corrected for the variance that the cut takes away.
//!
//! PyTorch (`torch.nn.init.trunc_normal_`): cut at the absolute values -2 and 2.
//! Keras (`TruncatedNormal`): cut at two standard deviations from the mean.

use super::{Distribution, Request, Start};
use crate::catalog::optimizer::Convention;

pub(super) fn start(request: &Request) -> Start {
    let [mean, stddev] = request.values;
    let (minimum, maximum) = match request.convention {
        Convention::Torch => (-2.0, 2.0),
        Convention::Keras => (mean - 2.0 * stddev, mean + 2.0 * stddev),
    };
    Start::Drawn(Distribution::TruncatedNormal { mean, stddev, minimum, maximum })
}

/// Further away the interval holds so little of the distribution that nothing can be drawn.
pub(super) fn check([mean, stddev]: [f64; 2], convention: Convention) -> Option<(usize, String)> {
    let out = convention == Convention::Torch && mean.abs() > 2.0 + 2.0 * stddev;
    out.then(|| (0, "a number within two stddev of the cuts at -2 and 2".to_owned()))
}
