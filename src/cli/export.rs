//! `wgfit export`: a trained model in a format that other programs read.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::model::OnnxOptions;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run folder, or a model.safetensors
    run: PathBuf,
    /// The format
    #[arg(long)]
    format: Format,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
    /// Let the ONNX model say how far the members of an ensemble are apart
    #[arg(long)]
    spread: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Raw columns in, predictions out, preprocessing inside
    Onnx,
    /// The weights under the names of torch.nn.Sequential, with all that `wgfit predict` needs
    Safetensors,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let model = super::load_model(&arguments.run)?;
    match arguments.format {
        Format::Onnx => {
            model.save_onnx_with(&arguments.out, OnnxOptions { spread: arguments.spread })?
        }
        Format::Safetensors if arguments.spread => {
            return Err(Error::usage("safetensors hold weights, and no spread")
                .with_help("leave --spread out, or give --format onnx"));
        }
        Format::Safetensors => model.save(&arguments.out)?,
    }
    crate::report::say(&format!("{}", arguments.out.display()));
    Ok(())
}
