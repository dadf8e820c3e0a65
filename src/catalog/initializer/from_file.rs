//! The values of a tensor in a safetensors file: `file`, relative to the config file, and `tensor`, by
//! default the tensor's own name, `layers.{i}.weight` or `layers.{i}.bias`. Weights are `[units,
//! inputs]` and biases `[units]`, both with or without a leading axis of members; values are F32 or
//! F64. `model.init_from` takes the whole network from a file instead.
//!
//! Source: the safetensors format, <https://huggingface.co/docs/safetensors>; the names are those of
//! a `torch.nn.Sequential` called `layers`.

use super::{Request, Start};

pub(super) fn start(_: &Request) -> Start {
    Start::File
}
