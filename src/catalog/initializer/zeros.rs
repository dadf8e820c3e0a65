//! 0 (`torch.nn.init.zeros_`, `keras.initializers.Zeros`).

use super::{Distribution, Request, Start};

pub(super) fn start(_: &Request) -> Start {
    Start::Drawn(Distribution::Constant(0.0))
}
