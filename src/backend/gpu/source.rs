//! The source of a call's kernel: fragments of `shaders/`, put together by plain concatenation.

use std::fmt::Write;

use super::fault::{self, PlantedFault};
use super::tile::{self, Grouped, Kind, Product, Tile};
use super::{halves, pairs};
use crate::catalog::loss::Shape;
use crate::kernels::Kernel;
use crate::program::{Call, Half, Precision};

macro_rules! shader {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../shaders/", $name)))
    };
}

/// The files that are no variant of a catalogue table, by their path in `shaders/`.
pub static FILES: &[(&str, &str)] = &[
    shader!("shared/step.wgsl"),
    shader!("shared/state_read.wgsl"),
    shader!("shared/state_write.wgsl"),
    shader!("shared/half_forward.wgsl"),
    shader!("shared/half_backward.wgsl"),
    shader!("shared/half_backward_scaled.wgsl"),
    shader!("shared/narrowed.wgsl"),
    shader!("shared/loss_scale.wgsl"),
    shader!("shared/scaled_plain.wgsl"),
    shader!("shared/scaled_loss.wgsl"),
    shader!("shared/scaled_gradient.wgsl"),
    shader!("shared/scaled_end.wgsl"),
    shader!("shared/scaled_finish.wgsl"),
    shader!("shared/scaled_update.wgsl"),
    shader!("shared/finite.wgsl"),
    shader!("shared/log1p.wgsl"),
    shader!("shared/exp.wgsl"),
    shader!("shared/normal.wgsl"),
    shader!("shared/log1p_ratio.wgsl"),
    shader!("shared/threefry.wgsl"),
    shader!("shared/dropout.wgsl"),
    shader!("shared/dropout_none.wgsl"),
    shader!("shared/noise.wgsl"),
    shader!("shared/slopes.wgsl"),
    shader!("shared/sum_lanes.wgsl"),
    shader!("shared/rows_gathered.wgsl"),
    shader!("shared/rows_direct.wgsl"),
    shader!("shared/pre_activation_kept.wgsl"),
    shader!("shared/pre_activation_dropped.wgsl"),
    shader!("shared/pre_activation_read.wgsl"),
    shader!("shared/pre_activation_absent.wgsl"),
    shader!("shared/delta_activated.wgsl"),
    shader!("shared/delta_plain.wgsl"),
    shader!("shared/residual_read.wgsl"),
    shader!("shared/residual_absent.wgsl"),
    shader!("shared/residual_gradient_kept.wgsl"),
    shader!("shared/residual_gradient_dropped.wgsl"),
    shader!("shared/residual_gradient_read.wgsl"),
    shader!("shared/residual_gradient_absent.wgsl"),
    shader!("shared/elementwise_loss.wgsl"),
    shader!("shared/softmax_loss.wgsl"),
    shader!("shared/outputs_collected.wgsl"),
    shader!("shared/outputs_dropped.wgsl"),
    shader!("shared/prediction_plain.wgsl"),
    shader!("shared/prediction_exponential.wgsl"),
    shader!("shared/reals_single.wgsl"),
    shader!("shared/reals_quads.wgsl"),
    shader!("shared/not_finite_single.wgsl"),
    shader!("shared/not_finite_quads.wgsl"),
    shader!("shared/results_single.wgsl"),
    shader!("shared/results_quads.wgsl"),
    shader!("shared/blocks_differ.wgsl"),
    shader!("shared/blocks_alike.wgsl"),
    shader!("shared/apply_step.wgsl"),
    shader!("shared/pairs.wgsl"),
    shader!("shared/update_even.wgsl"),
    shader!("shared/update_odd.wgsl"),
    shader!("shared/update_gathered.wgsl"),
    shader!("shared/update_gathered_turned.wgsl"),
    shader!("shared/store_turned_quad.wgsl"),
    shader!("shared/store_packed_quad.wgsl"),
    shader!("shared/delta_sum.wgsl"),
    shader!("shared/delta_sums_quads.wgsl"),
    shader!("shared/biases_single.wgsl"),
    shader!("shared/biases_quads.wgsl"),
    shader!("shared/biases_apart.wgsl"),
    shader!("shared/biases_in_tiles.wgsl"),
    shader!("shared/four_biases_single.wgsl"),
    shader!("shared/four_biases_quads.wgsl"),
    shader!("shared/updated_layer.wgsl"),
    shader!("shared/tiles_in_rows.wgsl"),
    shader!("shared/tiles_in_bands.wgsl"),
    shader!("update.wgsl"),
    shader!("partial_gradients.wgsl"),
    shader!("shared/run_product.wgsl"),
    shader!("shared/store_quad.wgsl"),
    shader!("shared/store_whole_quad.wgsl"),
    shader!("shared/embedded_column.wgsl"),
    shader!("adapt_weights.wgsl"),
    shader!("embedding.wgsl"),
    shader!("dense_forward.wgsl"),
    shader!("normalize.wgsl"),
    shader!("layer_output.wgsl"),
    shader!("row_activation.wgsl"),
    shader!("loss.wgsl"),
    shader!("row_activation_gradient.wgsl"),
    shader!("slope_gradient.wgsl"),
    shader!("layer_gradient.wgsl"),
    shader!("scale_gradient.wgsl"),
    shader!("normalize_gradient.wgsl"),
    shader!("weight_gradient.wgsl"),
    shader!("input_gradient.wgsl"),
    shader!("adapter_gradient.wgsl"),
    shader!("zero_gradients.wgsl"),
    shader!("embedding_gradient.wgsl"),
    shader!("share_gradients.wgsl"),
    shader!("gradient_statistics.wgsl"),
    shader!("norm_factors.wgsl"),
    shader!("clip_gradients.wgsl"),
    shader!("muon_momentum.wgsl"),
    shader!("muon_scale.wgsl"),
    shader!("matrix_product.wgsl"),
    shader!("optimizer_step.wgsl"),
    shader!("max_norm.wgsl"),
    shader!("average_parameters.wgsl"),
    shader!("finish_step.wgsl"),
];

/// A piece of a source.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// The file of [`FILES`] that it is; none for a variant's file and for what is generated.
    pub file: Option<&'static str>,
    /// Its text.
    pub text: String,
}

/// A source on its way.
struct Source(Vec<Fragment>);

impl Source {
    /// Adds a file. Names are literals of this module; one that is no file fails every shader test.
    fn file(&mut self, name: &str) {
        if let Some((file, text)) = FILES.iter().find(|(file, _)| *file == name) {
            self.0.push(Fragment { file: Some(file), text: format!("{text}\n") });
        }
    }

    fn text(&mut self, text: &str) {
        self.0.push(Fragment { file: None, text: format!("{text}\n") });
    }
}

/// The WGSL of a call, whose matrix product, if it is one, is cut up into such tiles. Equal sources
/// are equal pipelines.
pub fn compose(call: &Call, tile: Tile) -> String {
    compose_with(call, tile, None)
}

/// The same, with a fault planted where it is this kernel's.
pub(super) fn compose_with(call: &Call, tile: Tile, fault: Option<PlantedFault>) -> String {
    let writes_state = matches!(
        call.kernel,
        Kernel::Loss
            | Kernel::OptimizerStep
            | Kernel::Update
            | Kernel::PartialGradients
            | Kernel::FinishStep
    );
    let enable = if halves::is_concerned(call) { halves::ENABLE } else { "" };
    let tile_of_product = Product::of(call).map(|_| tile);
    let precision = call.variants.precision;
    let is_planted = fault.is_some_and(|f| f.is_in(call.kernel, tile_of_product, precision));
    let fragments = fragments_with(call, tile, writes_state, is_planted);
    std::iter::once(enable).chain(fragments.iter().map(|fragment| fragment.text.as_str())).collect()
}

/// What the WGSL of a call is made of, in its order, with the members' state to be written or only
/// read.
pub fn fragments(call: &Call, tile: Tile, writes_state: bool) -> Vec<Fragment> {
    fragments_with(call, tile, writes_state, false)
}

fn fragments_with(call: &Call, tile: Tile, writes_state: bool, is_planted: bool) -> Vec<Fragment> {
    let mut source = Source(Vec::new());
    let scaled = call.buffer("loss_scale").is_some();
    let directives = tile::directives(tile);
    if !directives.is_empty() {
        source.text(directives);
    }
    source.file("shared/step.wgsl");
    source.file(if writes_state { "shared/state_write.wgsl" } else { "shared/state_read.wgsl" });
    source.file(match call.kernel.half() {
        Half::Forward => "shared/half_forward.wgsl",
        Half::Backward if scaled && call.kernel.follows_gradient() => {
            "shared/half_backward_scaled.wgsl"
        }
        Half::Backward => "shared/half_backward.wgsl",
    });
    halves::files(call).iter().for_each(|file| source.file(file));
    shared(call, tile, &mut source);
    variants(call, &mut source);
    if call.kernel == Kernel::Loss {
        source.text(&format!("const ROWS = {}u;", tile.lanes()));
    }
    source.file(&format!("{}.wgsl", call.kernel.name()));
    if let Some(grouped) = Grouped::of(&call.parameters) {
        let gathered = if grouped.turns(tile) { "gathered_turned" } else { "gathered" };
        for place in ["even", "odd", gathered] {
            source.file(&format!("shared/update_{place}.wgsl"));
        }
        if grouped.turns(tile) {
            let form = if grouped.packs(tile) { "packed" } else { "turned" };
            source.file(&format!("shared/store_{form}_quad.wgsl"));
        }
        source.file(tile::order(tile));
        source.text(&grouped.text(tile));
    } else if let Some(product) = Product::of(call) {
        let in_quads = tile::stores_quads(tile, &product);
        source.file(if in_quads {
            "shared/store_whole_quad.wgsl"
        } else {
            "shared/store_quad.wgsl"
        });
        source.file("shared/run_product.wgsl");
        source.file(tile::order(tile));
        source.text(&tile::text(tile, &product));
    }
    if is_planted {
        fault::plant(&mut source.0);
    }
    if call.variants.precision == Precision::F16 {
        halves::store_in_f16(call.kernel, scaled, &mut source.0);
    }
    if matches!(tile.kind, Kind::Direct { pairs: true, .. }) {
        pairs::store_in_pairs(&mut source.0);
        source.file(pairs::FILE);
    }
    source.0
}

/// The shared fragments that a kernel is made of, by what the call binds.
fn shared(call: &Call, tile: Tile, source: &mut Source) {
    let binds = |name: &str| call.buffer(name).is_some();
    let mut either = |condition: bool, yes: &str, no: &str| {
        source.file(&format!("shared/{}.wgsl", if condition { yes } else { no }));
    };
    let plain_delta = call.kernel == Kernel::InputGradient && call.variants.activation.is_none();
    let masks = matches!(
        call.kernel,
        Kernel::DenseForward
            | Kernel::InputGradient
            | Kernel::LayerOutput
            | Kernel::LayerGradient
            | Kernel::SlopeGradient
    );
    let dense = matches!(call.kernel, Kernel::DenseForward | Kernel::InputGradient);
    if masks && !plain_delta {
        // A mask that is not needed costs some adapters its time all the same.
        let draws = call.variants.drops || !dense;
        if draws {
            either(true, "threefry", "");
        }
        either(draws, "dropout", "dropout_none");
    }
    if let (true, Some(product)) = (dense, Product::of(call)) {
        let quads = tile::stores_quads(tile, &product);
        either(quads, "reals_quads", "reals_single");
        if !plain_delta {
            either(quads, "results_quads", "results_single");
        }
    }
    match call.kernel {
        Kernel::Embedding => {
            either(true, "rows_gathered", "");
            either(true, "embedded_column", "");
        }
        Kernel::EmbeddingGradient => {
            either(true, "sum_lanes", "");
            either(true, "embedded_column", "");
        }
        Kernel::DenseForward => {
            either(call.variants.gathered, "rows_gathered", "rows_direct");
            either(binds("pre_activation"), "pre_activation_kept", "pre_activation_dropped");
        }
        Kernel::WeightGradient => either(call.variants.gathered, "rows_gathered", "rows_direct"),
        Kernel::InputGradient if plain_delta => {
            either(true, "delta_plain", "");
            let round = binds("residual_gradient");
            either(round, "residual_gradient_read", "residual_gradient_absent");
        }
        Kernel::InputGradient => {
            either(true, "delta_activated", "");
            either(binds("pre_activation"), "pre_activation_read", "pre_activation_absent");
        }
        Kernel::LayerOutput => {
            either(true, "noise", "");
            either(true, "slopes", "");
            either(binds("residual"), "residual_read", "residual_absent");
        }
        Kernel::LayerGradient => {
            either(true, "slopes", "");
            let round = binds("residual_gradient");
            either(round, "residual_gradient_kept", "residual_gradient_dropped");
        }
        Kernel::Loss => {
            either(call.variants.gathered, "rows_gathered", "rows_direct");
            either(true, "finite", "");
            either(true, "log1p", "");
            either(binds("collected"), "outputs_collected", "outputs_dropped");
        }
        Kernel::ClipGradients => either(true, "finite", ""),
        Kernel::OptimizerStep => {
            either(true, "reals_quads", "");
            either(true, "not_finite_quads", "");
        }
        Kernel::Update | Kernel::PartialGradients => {
            either(true, "rows_gathered", "");
            either(true, "finite", "");
            either(true, "updated_layer", "");
            let grouped = Grouped::of(&call.parameters);
            let quads = grouped.is_some_and(|grouped| grouped.reals(tile) == 4);
            either(quads, "reals_quads", "reals_single");
            either(quads, "not_finite_quads", "not_finite_single");
            if grouped.is_some_and(|grouped| grouped.sums_biases(tile)) {
                either(true, "biases_in_tiles", "");
                either(quads, "four_biases_quads", "four_biases_single");
            } else if call.kernel == Kernel::Update {
                either(true, "delta_sum", "");
                either(quads, "delta_sums_quads", "biases_single");
                either(true, "biases_apart", "");
            } else {
                either(quads, "biases_quads", "biases_single");
            }
            either(quads, "store_whole_quad", "store_quad");
        }
        Kernel::SlopeGradient | Kernel::NormFactors | Kernel::MaxNorm => {
            either(true, "sum_lanes", "");
        }
        _ => {}
    }
}

/// The files of the call's variants.
fn variants(call: &Call, source: &mut Source) {
    if let Some(activation) = call.variants.activation {
        activation.row.shared.iter().for_each(|name| source.file(name));
        source.text(activation.row.wgsl);
    }
    if let Some(row) = call.variants.row_activation {
        source.text(row.wgsl);
    }
    if let Some(row) = call.variants.normalization {
        source.text(row.wgsl);
    }
    if let Some(loss) = call.variants.loss {
        match loss.row.shape {
            Shape::Elementwise => source.file("shared/elementwise_loss.wgsl"),
            Shape::Softmax => source.file("shared/softmax_loss.wgsl"),
            Shape::Row => {}
        }
        source.text(loss.row.wgsl);
        source.file(if loss.predicts_exponentials() {
            "shared/prediction_exponential.wgsl"
        } else {
            "shared/prediction_plain.wgsl"
        });
        for term in &call.variants.terms {
            source.text(term.wgsl);
        }
        source.text(&write_metrics(call));
    }
    if let Some((optimizer, form)) = call.variants.optimizer {
        source.text(&form.wgsl());
        source.text(optimizer.wgsl);
        source.file(if call.variants.by_block {
            "shared/blocks_differ.wgsl"
        } else {
            "shared/blocks_alike.wgsl"
        });
        source.file("shared/apply_step.wgsl");
    }
}

/// The function that writes a row's metric terms behind its loss.
fn write_metrics(call: &Call) -> String {
    let mut text =
        "fn write_metrics(statistics_at: u32, logits_at: u32, targets_at: u32) {\n    var at = statistics_at + 1u;\n".to_owned();
    for term in &call.variants.terms {
        let count = if term.per_output { "call.targets" } else { "1u" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "    for (var unit = 0u; unit < {count}; unit++) {{\n        row_statistics[at] = metric_{}(logits_at, targets_at, unit);\n        at++;\n    }}",
            term.name
        );
    }
    text.push_str("}\n");
    text
}

/// Workgroups of a call along each axis, for an adapter that allows `limit` along one.
pub fn workgroups(call: &Call, tile: Tile, limit: u32) -> [u32; 3] {
    let [columns, rows, members] = call.extent;
    match call.kernel {
        kernel if kernel.is_matmul() => {
            let (tile_columns, tile_rows) = tile.results();
            [columns.div_ceil(tile_columns), rows.div_ceil(tile_rows), members]
        }
        Kernel::Update | Kernel::PartialGradients => match Grouped::of(&call.parameters) {
            Some(grouped) => {
                let [x, y] = folded(grouped.workgroups(tile), limit);
                [x, y, grouped.members()]
            }
            None => [0, 0, 0],
        },
        Kernel::Loss => [rows.div_ceil(tile.lanes()), 1, members],
        // An item a workgroup; the kernel strides over what is past the limit, or has few.
        Kernel::NormFactors => [columns, 1, members],
        Kernel::MaxNorm | Kernel::SlopeGradient => [columns.min(limit), 1, members],
        Kernel::FinishStep => [1, 1, members],
        Kernel::EmbeddingGradient => {
            let [x, y] = folded(columns, limit);
            [x, y, members]
        }
        // An item an invocation.
        Kernel::Normalize
        | Kernel::NormalizeGradient
        | Kernel::ScaleGradient
        | Kernel::AdapterGradient
        | Kernel::RowActivation
        | Kernel::RowActivationGradient => [columns.div_ceil(64), 1, members],
        _ => {
            let [x, y] = folded(columns.div_ceil(64), limit);
            [x, y, members]
        }
    }
}

/// Workgroups folded over x and y; the kernel puts the index together again.
fn folded(groups: u32, limit: u32) -> [u32; 2] {
    let high = groups.div_ceil(limit).max(1);
    [groups.div_ceil(high), high]
}
