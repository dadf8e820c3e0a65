//! Starting weights: made on the CPU, so that every device starts from the same bits.

use std::sync::Arc;

use super::member::Member;
use crate::catalog::initializer::{Distribution, InitializerSettings};
use crate::catalog::optimizer::Convention;
use crate::config::Settings;
use crate::error::Result;
use crate::model::{read_tensor, read_weights};
use crate::network::{Network, Tensor, TensorKind};
use crate::random::{Purpose, Stream};

/// The initialisers of one layer.
#[derive(Debug, Clone)]
pub struct LayerInitializers {
    /// Of the weights.
    pub weight: InitializerSettings,
    /// Of the biases.
    pub bias: InitializerSettings,
}

/// Makes the arenas of all members: `[members][stride]`, padding zero.
///
/// # Errors
/// A file of starting values that cannot be read, or does not hold them.
pub fn draw(
    network: &Network,
    initializers: &[LayerInitializers],
    convention: Convention,
    seed: u64,
) -> Result<Vec<f32>> {
    let mut arena = vec![0.0; network.members * network.stride];
    draw_tables(network, convention, seed, &mut arena);
    for tensor in network.tensors() {
        let Some(index) = tensor.layer else { continue };
        let layer = &network.layers[index];
        let initializers = &initializers[index];
        let (purpose, initializer) = match tensor.kind {
            TensorKind::Weight => (Purpose::Weights, &initializers.weight),
            TensorKind::Bias => (Purpose::Biases, &initializers.bias),
            kind => {
                let value = match kind {
                    TensorKind::Scale | TensorKind::RunningVariance => 1.0,
                    TensorKind::InputAdapter => {
                        draw_signs(network, &tensor, index, seed, &mut arena);
                        continue;
                    }
                    TensorKind::OutputAdapter => 1.0,
                    TensorKind::Slope => layer.shape.activation.values[0] as f32,
                    _ => 0.0,
                };
                for mine in arena.chunks_exact_mut(network.stride) {
                    mine[tensor.offset..tensor.offset + tensor.length].fill(value);
                }
                continue;
            }
        };
        if let Some(source) = &initializer.source {
            let name = source.tensor.as_deref().unwrap_or(&tensor.name);
            read_tensor(&source.file, name, &tensor, network, &mut arena)?;
            continue;
        }
        for (member, mine) in arena.chunks_exact_mut(network.stride).enumerate() {
            let stream = stream_of(network, &tensor, seed, purpose, index, member);
            let values = &mut mine[tensor.offset..tensor.offset + tensor.length];
            initializer.fill(&stream, layer.inputs, layer.units, values);
        }
    }
    Ok(arena)
}

/// The random numbers that a tensor of a member is drawn from. Heads share those of what they share, and
/// of the biases beside: in TabM too they begin alike.
fn stream_of(
    network: &Network,
    tensor: &Tensor,
    seed: u64,
    purpose: Purpose,
    index: usize,
    member: usize,
) -> Stream {
    let shares = network.layers[index].shape.sharing.is_some();
    let is_alike = tensor.is_shared || shares && tensor.kind == TensorKind::Bias;
    let first = member - member % network.heads;
    Stream::new(seed, purpose, index as u32, if is_alike { first } else { member } as u32)
}

/// What heads' inputs are multiplied by begins with random signs in the first layer, which is what makes
/// them differ, and with 1 above, as in TabM (Gorishniy et al. 2025, section 3.3).
fn draw_signs(network: &Network, tensor: &Tensor, layer: usize, seed: u64, arena: &mut [f32]) {
    for (member, mine) in arena.chunks_exact_mut(network.stride).enumerate() {
        let values = &mut mine[tensor.offset..tensor.offset + tensor.length];
        values.fill(1.0);
        if layer == 0 {
            let stream = stream_of(network, tensor, seed, Purpose::Adapters, layer, member);
            Distribution::Uniform { minimum: -1.0, maximum: 1.0 }.fill(&stream, values);
            values.iter_mut().for_each(|value| *value = value.signum());
        }
    }
}

/// Draws the tables of embedded columns: N(0, 1) as `torch.nn.Embedding`, or U(-0.05, 0.05) as
/// `keras.layers.Embedding`.
fn draw_tables(network: &Network, convention: Convention, seed: u64, arena: &mut [f32]) {
    let distribution = match convention {
        Convention::Torch => Distribution::Normal { mean: 0.0, stddev: 1.0 },
        Convention::Keras => Distribution::Uniform { minimum: -0.05, maximum: 0.05 },
    };
    let is_shared = network.tensors().first().is_some_and(|tensor| tensor.is_shared);
    for (member, mine) in arena.chunks_exact_mut(network.stride).enumerate() {
        for (index, embedding) in network.embeddings.iter().enumerate() {
            let first = member - member % network.heads;
            let own = if is_shared { first } else { member };
            let stream = Stream::new(seed, Purpose::Embeddings, index as u32, own as u32);
            let values = &mut mine[embedding.offset..embedding.offset + embedding.values()];
            distribution.fill(&stream, values);
        }
    }
}

/// The starting weights of all members, those of one run beside each other.
pub(super) fn starting_arena(members: &[Member], network: &Network) -> Result<Vec<f32>> {
    let mut arena = Vec::with_capacity(members.len() * network.stride);
    for run in members.chunk_by(|one, next| Arc::ptr_eq(&one.settings, &next.settings)) {
        let network = Network { members: run.len(), ..network.clone() };
        arena.extend(run_arena(&run[0].settings, &network)?);
    }
    Ok(arena)
}

/// The starting weights of a run: drawn, then overlaid by `model.init_from`.
fn run_arena(settings: &Settings, network: &Network) -> Result<Vec<f32>> {
    let mut initializers: Vec<LayerInitializers> = settings
        .model
        .layers
        .iter()
        .map(|layer| LayerInitializers {
            weight: layer.init.clone(),
            bias: layer.bias_init.clone(),
        })
        .collect();
    let output = &settings.model.output;
    initializers
        .push(LayerInitializers { weight: output.init.clone(), bias: output.bias_init.clone() });
    let mut arena = draw(network, &initializers, settings.optimizer.convention, settings.seed)?;
    if let Some(file) = &settings.model.init_from {
        read_weights(file, network, &mut arena)?;
    }
    Ok(arena)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use safetensors::tensor::{Dtype, TensorView};

    use super::*;
    use crate::catalog::activation::ActivationSettings;
    use crate::catalog::initializer::{self, InitializerRow, TensorFile};
    use crate::error::Error;
    use crate::network::{EmbeddingShape, LayerShape};

    fn row(name: &str) -> &'static InitializerRow {
        initializer::find(name).expect("a row")
    }

    /// 2-3-2, two members: the hidden layer's weights from `tensor`, the output layer's biases from
    /// the tensor of their own name, all else 0.
    fn draw_from(file: &Path, tensor: Option<&str>) -> Result<(Network, Vec<f32>)> {
        let hidden = [LayerShape::new(3, ActivationSettings::linear())];
        let network = Network::new(2, 2, &hidden, 2)?;
        let zeros = || InitializerSettings::new(row("zeros"), Convention::Torch);
        let from = |tensor: Option<&str>| InitializerSettings {
            source: Some(TensorFile { file: file.into(), tensor: tensor.map(str::to_owned) }),
            ..InitializerSettings::new(row("from_file"), Convention::Torch)
        };
        let layers = [
            LayerInitializers { weight: from(tensor), bias: zeros() },
            LayerInitializers { weight: zeros(), bias: from(None) },
        ];
        let arena = draw(&network, &layers, Convention::Torch, 1)?;
        Ok((network, arena))
    }

    fn write(path: &Path, tensors: &[(&str, &[usize], &[f32])]) {
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
            (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("a view"))
        });
        let file = safetensors::serialize(views, None).expect("safetensors");
        std::fs::write(path, file).expect("write");
    }

    #[test]
    fn tensors_of_a_file_start_the_layers_that_name_them() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("w.safetensors");
        // One set of weights for both members, biases for each.
        let weights = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        write(
            &path,
            &[
                ("mine", &[3, 2], &weights),
                ("layers.1.bias", &[2, 2], &[7.0, 8.0, 9.0, 10.0]),
                ("spare", &[1], &[f32::NAN]),
            ],
        );
        let (network, arena) = draw_from(&path, Some("mine"))?;
        let [hidden, output] = [network.layers[0], network.layers[1]];
        for (member, biases) in arena.chunks_exact(network.stride).zip([[7.0, 8.0], [9.0, 10.0]]) {
            assert_eq!(member[hidden.offsets.weight..][..6], weights);
            assert_eq!(member[output.offsets.bias..][..2], biases);
            assert_eq!(member.iter().filter(|value| **value != 0.0).count(), 8);
        }
        Ok(())
    }

    /// As `torch.nn.Embedding` and `keras.layers.Embedding` begin, each table and member by itself, and
    /// the layers as without them.
    #[test]
    fn tables_start_as_the_convention_has_them() -> Result<()> {
        let shape = |column| EmbeddingShape { column, categories: 500, size: 8 };
        let output = LayerShape::new(2, ActivationSettings::linear());
        let network = Network::embedded(2, 2, &[shape(0), shape(1)], &[], output)?;
        let layer = LayerInitializers {
            weight: InitializerSettings::new(row("glorot_uniform"), Convention::Torch),
            bias: InitializerSettings::new(row("zeros"), Convention::Torch),
        };
        for (convention, deviation, largest) in
            [(Convention::Torch, 1.0, 6.0), (Convention::Keras, 0.1 / 12_f64.sqrt(), 0.05)]
        {
            let arena = draw(&network, std::slice::from_ref(&layer), convention, 7)?;
            let mut seen = Vec::new();
            for member in arena.chunks_exact(network.stride) {
                for table in &network.embeddings {
                    let values = &member[table.offset..table.offset + table.values()];
                    let wide = || values.iter().map(|x| f64::from(*x));
                    let count = values.len() as f64;
                    let mean = wide().sum::<f64>() / count;
                    let own = (wide().map(|x| x * x).sum::<f64>() / count - mean * mean).sqrt();
                    assert!(mean.abs() < 4.0 * deviation / count.sqrt(), "{mean}");
                    assert!((own / deviation - 1.0).abs() < 0.05, "{own}");
                    assert!(wide().all(|x| x.abs() <= largest));
                    assert!(!seen.contains(&values), "two tables are alike");
                    seen.push(values);
                }
            }
            let plain = Network::new(2, 16, &[], 2)?;
            let alone = draw(&plain, std::slice::from_ref(&layer), convention, 7)?;
            let weights = |network: &Network, arena: &[f32]| {
                arena[network.layers[0].offsets.weight..][..32].to_vec()
            };
            assert_eq!(weights(&network, &arena), weights(&plain, &alone));
        }
        Ok(())
    }

    #[test]
    fn a_file_of_weights_must_hold_the_tables() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("w.safetensors");
        let shape = EmbeddingShape { column: 0, categories: 3, size: 2 };
        let output = LayerShape::new(1, ActivationSettings::linear());
        let network = Network::embedded(2, 1, &[shape], &[], output)?;
        let layer: [(&str, &[usize], &[f32]); 2] =
            [("layers.0.weight", &[1, 2], &[7.0, 8.0]), ("layers.0.bias", &[1], &[9.0])];
        let mut arena = vec![0.0; 2 * network.stride];
        let table = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        write(&path, &[layer[0], layer[1], ("embeddings.0.weight", &[3, 2], &table)]);
        read_weights(&path, &network, &mut arena)?;
        for member in arena.chunks_exact(network.stride) {
            assert_eq!(member[..6], table);
            assert_eq!(member.iter().sum::<f32>(), 21.0 + 24.0);
        }
        let mut message = || read_weights(&path, &network, &mut arena).unwrap_err().to_string();
        write(&path, &layer);
        assert!(message().contains("embeddings.0.weight"), "{}", message());
        write(&path, &[layer[0], layer[1], ("embeddings.0.weight", &[2, 3], &table)]);
        assert!(message().contains("[categories, size]"), "{}", message());
        Ok(())
    }

    #[test]
    fn a_file_that_does_not_fit_says_what_is_wrong() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("w.safetensors");
        let message = |tensor: Option<&str>| match draw_from(&path, tensor) {
            Err(error @ (Error::Model { .. } | Error::Io { .. })) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(message(None).contains("cannot read"), "{}", message(None));
        let biases: (&str, &[usize], &[f32]) = ("layers.1.bias", &[2], &[0.0; 2]);
        write(&path, &[("a", &[2, 3], &[0.0; 6]), ("b", &[3, 2], &[f32::INFINITY; 6]), biases]);
        let has = |tensor: Option<&str>, parts: &[&str]| {
            let text = message(tensor);
            let all = parts.iter().all(|part| text.contains(part));
            assert!(all && text.contains("w.safetensors"), "{text}");
        };
        has(None, &["no tensor \"layers.0.weight\"", "it holds: a, b, layers.1.bias"]);
        has(Some("a"), &["a has shape [2, 3]", "layers.0.weight", "2-3-2", "needs [3, 2]"]);
        has(Some("b"), &["b holds inf at element 0"]);
        std::fs::write(&path, b"not at all").expect("write");
        has(None, &["not a safetensors file"]);
    }
}
