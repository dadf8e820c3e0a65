//! U(+-sqrt(3 scale / fan_in)), of variance scale / fan_in (LeCun et al., "Efficient BackProp", 1998;
//! `keras.initializers.LecunUniform`, which is `VarianceScaling(scale, "fan_in", "uniform")` at scale
//! 1).

use super::{Distribution, Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Drawn(Distribution::symmetric((request.values[0] * (3.0 / request.fan_in)).sqrt()))
}
