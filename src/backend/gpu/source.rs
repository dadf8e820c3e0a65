//! The source of a call's kernel: fragments of `shaders/`, put together by plain concatenation.

use std::fmt::Write;

use crate::kernels::Kernel;
use crate::program::Call;

/// How a matrix product is cut up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tile {
    /// `matmul_direct`: 4x4 results an invocation straight from storage, for software adapters.
    Direct,
    /// `matmul_tiled`: 64x64 results a workgroup through workgroup memory, for real GPUs.
    Tiled,
}

impl Tile {
    /// Every tile.
    pub const ALL: [Self; 2] = [Self::Direct, Self::Tiled];

    /// (columns, rows) of results that a workgroup makes.
    pub fn results(self) -> (u32, u32) {
        match self {
            Self::Direct => (DIRECT_COLUMNS * 4, DIRECT_ROWS * 4),
            Self::Tiled => (64, 64),
        }
    }
}

/// Invocations of a `matmul_direct` workgroup.
const DIRECT_COLUMNS: u32 = 8;
const DIRECT_ROWS: u32 = 2;

macro_rules! shader {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../shaders/", $name)))
    };
}

/// The files that are no variant of a catalogue table, by their path in `shaders/`.
pub static FILES: [(&str, &str); 23] = [
    shader!("shared/step.wgsl"),
    shader!("shared/state_read.wgsl"),
    shader!("shared/state_write.wgsl"),
    shader!("shared/finite.wgsl"),
    shader!("shared/log1p.wgsl"),
    shader!("shared/threefry.wgsl"),
    shader!("shared/dropout.wgsl"),
    shader!("shared/rows_gathered.wgsl"),
    shader!("shared/rows_direct.wgsl"),
    shader!("shared/pre_activation_kept.wgsl"),
    shader!("shared/pre_activation_dropped.wgsl"),
    shader!("shared/pre_activation_read.wgsl"),
    shader!("shared/pre_activation_absent.wgsl"),
    shader!("shared/store_rows.wgsl"),
    shader!("dense_forward.wgsl"),
    shader!("weight_gradient.wgsl"),
    shader!("input_gradient.wgsl"),
    shader!("loss.wgsl"),
    shader!("gradient_statistics.wgsl"),
    shader!("optimizer_step.wgsl"),
    shader!("finish_step.wgsl"),
    shader!("matmul_direct.wgsl"),
    shader!("matmul_tiled.wgsl"),
];

/// A source on its way.
struct Source(String);

impl Source {
    fn file(&mut self, name: &str) {
        // Names are literals of this module; one that is no file fails every shader test.
        if let Some((_, text)) = FILES.iter().find(|(file, _)| *file == name) {
            self.text(text);
        }
    }

    fn text(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }
}

/// The WGSL of a call. Equal sources are equal pipelines.
pub fn compose(call: &Call, tile: Tile) -> String {
    let mut source = Source(String::new());
    source.file("shared/step.wgsl");
    source.file(match call.kernel {
        Kernel::Loss | Kernel::OptimizerStep | Kernel::FinishStep => "shared/state_write.wgsl",
        _ => "shared/state_read.wgsl",
    });
    if matches!(call.kernel, Kernel::DenseForward | Kernel::InputGradient) {
        source.file("shared/threefry.wgsl");
        source.file("shared/dropout.wgsl");
    }
    if matches!(call.kernel, Kernel::DenseForward | Kernel::WeightGradient | Kernel::Loss) {
        let gathered = call.variants.gathered;
        source.file(if gathered { "shared/rows_gathered.wgsl" } else { "shared/rows_direct.wgsl" });
    }
    let kept = call.buffer("pre_activation").is_some();
    match (call.kernel, kept) {
        (Kernel::DenseForward, true) => source.file("shared/pre_activation_kept.wgsl"),
        (Kernel::DenseForward, false) => source.file("shared/pre_activation_dropped.wgsl"),
        (Kernel::InputGradient, true) => source.file("shared/pre_activation_read.wgsl"),
        (Kernel::InputGradient, false) => source.file("shared/pre_activation_absent.wgsl"),
        _ => {}
    }
    if let Some(activation) = call.variants.activation {
        source.text(activation.row.wgsl);
    }
    if matches!(call.kernel, Kernel::Loss | Kernel::OptimizerStep) {
        source.file("shared/finite.wgsl");
    }
    if let Some(loss) = call.variants.loss {
        source.file("shared/log1p.wgsl");
        source.text(loss.wgsl);
        for term in &call.variants.terms {
            source.text(term.wgsl);
        }
        source.text(&write_metrics(call));
    }
    if let Some((optimizer, form)) = call.variants.optimizer {
        source.text(&form.wgsl());
        source.text(optimizer.wgsl);
    }
    source.file(&format!("{}.wgsl", call.kernel.name()));
    if call.kernel.is_matmul() {
        source.file("shared/store_rows.wgsl");
        match tile {
            Tile::Direct => {
                source.text(&format!(
                    "const DIRECT_COLUMNS = {DIRECT_COLUMNS}u;\nconst DIRECT_ROWS = {DIRECT_ROWS}u;"
                ));
                source.file("matmul_direct.wgsl");
            }
            Tile::Tiled => source.file("matmul_tiled.wgsl"),
        }
    }
    source.0
}

/// The function that writes a row's metric terms behind its loss.
fn write_metrics(call: &Call) -> String {
    let mut text =
        "fn write_metrics(statistics_at: u32, logits_at: u32, targets_at: u32) {\n    var at = statistics_at + 1u;\n".to_owned();
    for term in &call.variants.terms {
        let count = if term.per_output { "call.outputs" } else { "1u" };
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
        Kernel::DenseForward | Kernel::WeightGradient | Kernel::InputGradient => {
            let (tile_columns, tile_rows) = tile.results();
            [columns.div_ceil(tile_columns), rows.div_ceil(tile_rows), members]
        }
        Kernel::Loss => [rows.div_ceil(64), 1, members],
        Kernel::GradientStatistics | Kernel::OptimizerStep => {
            // Folded over x and y; the kernel puts the index together again.
            let groups = columns.div_ceil(64);
            let high = groups.div_ceil(limit);
            [groups.div_ceil(high), high, members]
        }
        Kernel::FinishStep => [1, 1, members],
    }
}
