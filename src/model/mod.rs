//! A trained model: the weights kept and, beside them, all that is needed to use them.

mod file;
mod inspect;
mod onnx;
mod predict;
mod predictions;
mod predictor;
mod rows;

use serde::{Deserialize, Serialize};

pub use file::{read_tensor, read_weights};
pub use inspect::{BARS, FileSummary, TensorSummary, summarize};
pub use onnx::OnnxOptions;
pub use predict::{Evaluation, Predictions};
pub use predictions::PredictionsFile;
pub use predictor::Predictor;
pub use rows::{MemberOutputs, RowOutputs};

use crate::config::Config;
use crate::data::Preprocessing;
use crate::network::Network;

/// The version of the model file's layout.
///
/// 1 had an affine scaling or one-hot categories for each column, and no missing values; files of it are
/// read still.
pub const FORMAT_VERSION: u32 = 2;

/// What a model file's metadata holds, as JSON under the key `wgfit`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format_version: u32,
    /// The version of wgfit that wrote it.
    wgfit: String,
    config: Config,
    preprocessing: Preprocessing,
}

/// A trained network with its config and its fitted preprocessing.
#[derive(Debug, Clone)]
pub struct Model {
    /// The config it was trained by, without paths.
    pub config: Config,
    /// How raw columns become inputs, and outputs predictions.
    pub preprocessing: Preprocessing,
    /// The network.
    pub network: Network,
    /// The weights, `[members][stride]`.
    pub parameters: Vec<f32>,
}
