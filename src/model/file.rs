//! Model files: safetensors, written whole or not at all.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{FORMAT_VERSION, Metadata, Model};
use crate::config::Config;
use crate::disk::write_atomically;
use crate::error::{Error, Result, short};
use crate::network::{Network, Tensor, TensorKind};
use crate::train::network_of;

/// Room for a header and for tensors that are not ours.
const SLACK_BYTES: u64 = 256 << 20;

impl Model {
    /// Writes the model. Two equal models give equal bytes.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            wgfit: env!("CARGO_PKG_VERSION").to_owned(),
            config: self.config.clone(),
            preprocessing: self.preprocessing.clone(),
        };
        let metadata = serde_json::to_string(&metadata)
            .map_err(|error| Error::internal(format!("cannot write the metadata: {error}")))?;
        let mut tensors = Vec::new();
        for tensor in self.network.tensors() {
            // What heads share stands there once.
            let copies = self.network.copies(&tensor);
            let mut values = Vec::with_capacity(copies * tensor.length);
            for member in self.parameters.chunks_exact(self.network.stride).take(copies) {
                values.extend_from_slice(&member[tensor.offset..tensor.offset + tensor.length]);
            }
            let mut shape = tensor.shape;
            if copies > 1 {
                shape.insert(0, copies);
            }
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            tensors.push((tensor.name, shape, bytes));
        }
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                TensorView::new(Dtype::F32, shape.clone(), bytes)
                    .map(|view| (name.as_str(), view))
                    .map_err(|error| Error::internal(format!("{name}: {error}")))
            })
            .collect::<Result<Vec<_>>>()?;
        // One key: a map of several would be written in no fixed order.
        let header = HashMap::from([("wgfit".to_owned(), metadata)]);
        let bytes = safetensors::serialize(views, Some(header))
            .map_err(|error| Error::internal(format!("cannot write safetensors: {error}")))?;
        write_atomically(path, &bytes)
    }

    /// Reads a model that wgfit wrote.
    ///
    /// # Errors
    /// A file that is not one, or whose parts contradict each other.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = read_bounded(path, u64::MAX)?;
        let bad = |problem: String| Error::model(path, problem);
        let (_, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| bad(format!("not a safetensors file: {error}")))?;
        let text =
            header.metadata().as_ref().and_then(|map| map.get("wgfit")).ok_or_else(|| {
                bad("no wgfit metadata in it, so it does not say how to use the weights".to_owned())
                    .with_help("give the model.safetensors of a run folder")
            })?;
        let version = serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .and_then(|value| value.get("format_version").and_then(serde_json::Value::as_u64));
        if version.is_some_and(|version| version > u64::from(FORMAT_VERSION)) {
            return Err(
                bad("written by a newer version of wgfit".to_owned()).with_help("update wgfit")
            );
        }
        let damaged = |error| bad(format!("the metadata is damaged: {error}"));
        let mut metadata: serde_json::Value = serde_json::from_str(text).map_err(damaged)?;
        if version == Some(1) {
            from_version_1(&mut metadata);
        }
        let metadata: Metadata = serde_json::from_value(metadata).map_err(damaged)?;
        metadata
            .preprocessing
            .validate()
            .map_err(|error| bad(format!("the preprocessing is damaged: {error}")))?;
        let config: Config = metadata.config;
        let wrong = |error| bad(format!("its config is damaged: {error}"));
        let settings = config.validate(Path::new(".")).map_err(wrong)?;
        settings.fit_task(metadata.preprocessing.task()).map_err(wrong)?;
        let network = network_of(&settings, &metadata.preprocessing).map_err(wrong)?;
        check_length(path, bytes.len() as u64, &network)?;
        let mut parameters = vec![0.0; network.members * network.stride];
        fill(path, &bytes, &network, &mut parameters, false)?;
        Ok(Self { config, preprocessing: metadata.preprocessing, network, parameters })
    }
}

/// Brings the metadata of version 1 to that of version 2.
fn from_version_1(metadata: &mut serde_json::Value) {
    use serde_json::json;
    let inputs =
        metadata.pointer_mut("/preprocessing/inputs").and_then(|inputs| inputs.as_array_mut());
    for encoding in inputs.into_iter().flatten().filter_map(|input| input.get_mut("encoding")) {
        let Some(encoding) = encoding.as_object_mut() else { continue };
        if let (Some(shift), Some(scale)) = (encoding.remove("shift"), encoding.remove("scale")) {
            let scaler = json!({ "type": "affine", "shift": shift, "scale": scale });
            encoding.insert("scaler".to_owned(), scaler);
        }
        encoding.insert("missing".to_owned(), json!("error"));
    }
}

/// A network needs at least its parameters' bytes: nothing is allocated for a config that claims
/// more than the file holds.
fn check_length(path: &Path, length: u64, network: &Network) -> Result<()> {
    let needed = network.values().saturating_mul(4);
    if length < needed {
        return Err(Error::model(
            path,
            format!(
                "the network {} needs {needed} bytes of weights, the file has {length}",
                network.shape()
            ),
        ));
    }
    Ok(())
}

/// Reads starting weights into the arenas of all members: tensors named as in a model file, with
/// or without the leading member axis.
///
/// # Errors
/// A missing tensor, a wrong shape or type, values that are not finite.
pub fn read_weights(path: &Path, network: &Network, arena: &mut [f32]) -> Result<()> {
    let needed = network.values().saturating_mul(8);
    let bytes = read_bounded(path, needed.saturating_add(SLACK_BYTES))?;
    fill(path, &bytes, network, arena, true)
}

/// The whole file, when it is not longer than `limit`.
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let fail = |source| Error::io("read", path, source);
    let file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    if length > limit {
        return Err(Error::model(
            path,
            format!("{length} bytes long, but the weights wanted need at most {limit}"),
        )
        .with_help(
            "is this the file of another network? a tensor can be saved in a file of its own",
        ));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Reads the starting values of one tensor of the network into the arenas of all members, from the
/// tensor `name` of a file, with or without the leading member axis.
///
/// # Errors
/// A file without that tensor, a wrong shape or type, values that are not finite.
pub fn read_tensor(
    path: &Path,
    name: &str,
    tensor: &Tensor,
    network: &Network,
    arena: &mut [f32],
) -> Result<()> {
    let needed = (network.members as u64).saturating_mul(tensor.length as u64 * 8);
    let bytes = read_bounded(path, needed.saturating_add(SLACK_BYTES))?;
    copy(path, &open(path, &bytes)?, name, tensor, network, arena)
}

fn open<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
    SafeTensors::deserialize(bytes)
        .map_err(|error| Error::model(path, format!("not a safetensors file: {error}")))
}

/// Fills the arena. What a layer has beside its weights and biases may be missing where `starts`:
/// it then keeps its starting values. Tables of embeddings may not.
fn fill(
    path: &Path,
    bytes: &[u8],
    network: &Network,
    arena: &mut [f32],
    starts: bool,
) -> Result<()> {
    let file = open(path, bytes)?;
    for tensor in network.tensors() {
        let is_extra =
            !matches!(tensor.kind, TensorKind::Embedding | TensorKind::Weight | TensorKind::Bias);
        if starts && is_extra && file.tensor(&tensor.name).is_err() {
            continue;
        }
        copy(path, &file, &tensor.name, &tensor, network, arena)?;
    }
    Ok(())
}

/// Copies the tensor `name` of a file to where `tensor` is.
fn copy(
    path: &Path,
    file: &SafeTensors<'_>,
    name: &str,
    tensor: &Tensor,
    network: &Network,
    arena: &mut [f32],
) -> Result<()> {
    let bad = |problem: String| Error::model(path, problem);
    let view = file.tensor(name).map_err(|_| {
        let mut names = file.names();
        names.sort_unstable();
        bad(format!("no tensor {name:?} in it"))
            .with_help(format!("it holds: {}", shortened(&names)))
    })?;
    let mut members_shape = tensor.shape.clone();
    members_shape.insert(0, network.members);
    let apart = view.shape() == members_shape && !tensor.is_shared;
    if !apart && view.shape() != tensor.shape {
        return Err(bad(format!(
            "{name} has shape {:?}, but {} of the network {} needs {:?}",
            view.shape(),
            tensor.name,
            short(&network.shape()),
            tensor.shape
        ))
        .with_help(match tensor.kind {
            TensorKind::Embedding => {
                "tables are [categories, size]; the columns must be as when they were saved"
            }
            _ => "weights are [units, inputs]; model.layers must be as when they were saved",
        }));
    }
    let values: Vec<f32> = match view.dtype() {
        Dtype::F32 => view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F64 => {
            view.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()
        }
        other => {
            return Err(bad(format!("{name} is of type {other:?}, expected F32 or F64")));
        }
    };
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(bad(format!("{name} holds {} at element {at}", values[at])));
    }
    for (member, mine) in arena.chunks_exact_mut(network.stride).enumerate() {
        let first = if apart { member * tensor.length } else { 0 };
        mine[tensor.offset..tensor.offset + tensor.length]
            .copy_from_slice(&values[first..first + tensor.length]);
    }
    Ok(())
}

fn shortened(names: &[&str]) -> String {
    if names.is_empty() {
        return "no tensors".to_owned();
    }
    let mut text = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 12 {
        text.push_str(", ...");
    }
    text
}
