//! `value` (`torch.nn.init.constant_`, `keras.initializers.Constant`).

use super::{Distribution, Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Drawn(Distribution::Constant(request.values[0]))
}
