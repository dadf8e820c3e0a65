//! U(+-gain sqrt(6 / fan_in)), of variance gain^2 2 / fan_in (He et al., "Delving Deep into
//! Rectifiers", 2015; `torch.nn.init.kaiming_uniform_(nonlinearity="relu")`, whose own gain of sqrt 2 for
//! the ReLU is in the formula; `keras.initializers.HeUniform`).

use super::{Distribution, Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Drawn(Distribution::symmetric(request.values[0] * (6.0 / request.fan_in).sqrt()))
}
