//! N(mean, stddev^2) (`torch.nn.init.normal_`, whose defaults are 0 and 1;
//! `keras.initializers.RandomNormal`, whose defaults 0 and 0.05 are taken here).

use super::{Distribution, Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Drawn(Distribution::Normal { mean: request.values[0], stddev: request.values[1] })
}
