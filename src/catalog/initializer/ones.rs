//! 1 (`torch.nn.init.ones_`, `keras.initializers.Ones`).

use super::{Distribution, Request, Start};

pub(super) fn start(_: &Request) -> Start {
    Start::Drawn(Distribution::Constant(1.0))
}
