//! Starting weights: drawn on the CPU, so that every device starts from the same bits.

use crate::catalog::initializer::InitializerSettings;
use crate::network::Network;
use crate::random::{Purpose, Stream};

/// The initialisers of one layer.
#[derive(Debug, Clone, Copy)]
pub struct LayerInitializers {
    /// Of the weights.
    pub weight: InitializerSettings,
    /// Of the biases.
    pub bias: InitializerSettings,
}

/// Draws the arenas of all members: `[members][stride]`, padding zero.
pub fn draw(network: &Network, initializers: &[LayerInitializers], seed: u64) -> Vec<f32> {
    let mut arena = vec![0.0; network.members * network.stride];
    for (member, mine) in arena.chunks_exact_mut(network.stride).enumerate() {
        for tensor in network.tensors() {
            let layer = &network.layers[tensor.layer];
            let initializer = &initializers[tensor.layer];
            let (purpose, initializer) = if tensor.is_bias {
                (Purpose::Biases, &initializer.bias)
            } else {
                (Purpose::Weights, &initializer.weight)
            };
            let stream = Stream::new(seed, purpose, tensor.layer as u32, member as u32);
            let values = &mut mine[tensor.offset..tensor.offset + tensor.length];
            initializer.fill(&stream, layer.inputs, layer.units, values);
        }
    }
    arena
}
