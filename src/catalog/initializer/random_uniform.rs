//! U(minimum, maximum) (`torch.nn.init.uniform_`, whose defaults are 0 and 1;
//! `keras.initializers.RandomUniform`, whose defaults -0.05 and 0.05 are taken here).

use super::{Distribution, Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Drawn(Distribution::Uniform { minimum: request.values[0], maximum: request.values[1] })
}
