//! `wgfit inspect`: what stands in a model's tensors.

use std::path::PathBuf;

use serde_json::json;

use crate::error::Result;
use crate::model::{self, FileSummary, Model, TensorSummary};
use crate::report::{count, score};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run folder, or any safetensors file
    run: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let file = super::model_file(&arguments.run)?;
    let FileSummary { is_model, tensors } = model::summarize(&file)?;
    // A model that cannot be used is one to look at all the more.
    let model = is_model.then(|| Model::load(&file)).and_then(|loaded| {
        loaded
            .inspect_err(|error| {
                crate::report::say(&format!("warning: this model cannot be used\n{error}"))
            })
            .ok()
    });
    if arguments.json {
        let network = model.as_ref().map(|model| {
            json!({
                "layers": model.network.shape(),
                "members": model.network.members,
                "parameters": model.network.parameters(),
                "config": model.config,
            })
        });
        return super::print_json(&json!({ "model": network, "tensors": tensors }));
    }
    if let Some(model) = &model {
        super::print(&about(model))?;
    }
    super::print(&table(&tensors))
}

/// What the model is, in two lines.
fn about(model: &Model) -> String {
    let network = &model.network;
    let layers = network.layers.iter().map(|layer| {
        let mut text = format!("{} {}", layer.units, layer.shape.activation.row.name);
        if let Some(settings) = layer.shape.normalization {
            text.push_str(&format!(", {}", settings.row.name));
        }
        text
    });
    let layers: Vec<String> = layers.collect();
    let members = match network.members {
        1 => String::new(),
        members if network.heads == members => format!("{members} heads that share weights, "),
        members => format!("{members} members, each with "),
    };
    let inputs = network.layers.first().map_or(network.inputs, |layer| layer.inputs);
    let embedded = match network.embeddings.as_slice() {
        [] => String::new(),
        tables => {
            let size = tables.iter().map(|table| table.shape.size).sum::<usize>();
            let columns = if tables.len() == 1 { "column" } else { "columns" };
            format!(" ({size} of {} embedded {columns})", tables.len())
        }
    };
    format!(
        "{}: {members}{} parameters\n{} inputs{embedded} -> {}\n\n",
        network.shape(),
        count(network.parameters() as u64),
        count(inputs as u64),
        layers.join(" -> "),
    )
}

/// A tensor a line.
fn table(tensors: &[TensorSummary]) -> String {
    let shape = |tensor: &TensorSummary| {
        let axes: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
        if axes.is_empty() { "scalar".to_owned() } else { axes.join(" x ") }
    };
    let widest = |least: usize, of: &dyn Fn(&TensorSummary) -> usize| {
        tensors.iter().map(of).max().unwrap_or(0).max(least)
    };
    let names = widest(6, &|tensor| tensor.name.chars().count());
    let shapes = widest(5, &|tensor| shape(tensor).len());
    let mut text = format!(
        "{:<names$}  {:<shapes$}  {:<4}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  distribution\n",
        "tensor", "shape", "type", "mean", "deviation", "least", "largest", "norm"
    );
    for tensor in tensors {
        let numbers =
            [tensor.mean, tensor.deviation, tensor.least, tensor.largest, tensor.norm].map(score);
        text.push_str(&format!(
            "{:<names$}  {:<shapes$}  {:<4}  {}  {}\n",
            tensor.name,
            shape(tensor),
            tensor.dtype.to_lowercase(),
            numbers.map(|number| format!("{number:>9}")).join("  "),
            distribution(tensor),
        ));
    }
    text
}

/// The histogram as a line of bars, or what to say in its place; and what is out of the ordinary.
fn distribution(tensor: &TensorSummary) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = tensor.histogram.iter().copied().max().unwrap_or(0);
    let mut text: String = tensor
        .histogram
        .iter()
        .map(|count| match count {
            0 => ' ',
            // The fullest part has the highest bar, one value at least the lowest.
            count => BARS[((count * 8).div_ceil(most) - 1) as usize],
        })
        .collect();
    if tensor.count == 0 {
        text.push_str("empty");
    } else if tensor.zeros == tensor.count {
        text.push_str("all zero");
    } else if tensor.histogram.is_empty() && tensor.not_finite < tensor.count {
        text.push_str("all equal");
    }
    if tensor.not_finite > 0 {
        text.push_str(&format!("  {} NOT FINITE", count(tensor.not_finite as u64)));
    }
    let share = tensor.zeros as f64 / tensor.count.max(1) as f64;
    if share > 0.01 && share < 1.0 {
        text.push_str(&format!("  {:.0} % zero", share * 100.0));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(histogram: Vec<u64>, zeros: usize, not_finite: usize) -> TensorSummary {
        TensorSummary {
            name: "x".to_owned(),
            shape: vec![10],
            dtype: "F32".to_owned(),
            count: 10,
            not_finite,
            zeros,
            mean: 0.0,
            deviation: 0.0,
            least: 0.0,
            largest: 0.0,
            norm: 0.0,
            histogram,
        }
    }

    #[test]
    fn bars_tell_none_from_one_and_the_most() {
        assert_eq!(distribution(&tensor(vec![0, 1, 400, 800], 0, 0)), " ▁▄█");
        assert_eq!(distribution(&tensor(vec![2, 8], 3, 2)), "▂█  2 NOT FINITE  30 % zero");
        assert_eq!(distribution(&tensor(vec![], 10, 0)), "all zero");
        assert_eq!(distribution(&tensor(vec![], 0, 0)), "all equal");
        assert_eq!(distribution(&tensor(vec![], 0, 10)), "  10 NOT FINITE");
    }
}
