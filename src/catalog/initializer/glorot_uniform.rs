//! U(+-gain sqrt(6 / (fan_in + fan_out))), of variance gain^2 2 / (fan_in + fan_out) (Glorot and
//! Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010;
//! `torch.nn.init.xavier_uniform_(gain)`; `keras.initializers.GlorotUniform`, which is
//! `VarianceScaling(gain^2, "fan_avg", "uniform")` at gain 1).

use super::{Distribution, Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Drawn(Distribution::symmetric(
        request.values[0] * (6.0 / (request.fan_in + request.fan_out)).sqrt(),
    ))
}
