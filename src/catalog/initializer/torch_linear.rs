//! U(+-1 / sqrt(fan_in)), which `torch.nn.Linear` draws its weights *and* its biases from.

use super::{Distribution, Request, Start};

pub(super) fn start(request: &Request) -> Start {
    Start::Drawn(Distribution::symmetric((1.0 / request.fan_in).sqrt()))
}
