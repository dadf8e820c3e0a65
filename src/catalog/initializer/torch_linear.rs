//! U(+-1 / sqrt(fan_in)), which `torch.nn.Linear` draws its weights *and* its biases from.

use super::{Distribution, Request};

pub(super) fn distribution(request: &Request) -> Distribution {
    Distribution::symmetric((1.0 / request.fan_in).sqrt())
}
