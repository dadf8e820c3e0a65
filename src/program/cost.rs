//! What a call costs: its floating-point operations, and the bytes that it has to move.
//!
//! Operations of matrix products are counted exactly, a multiplication and an addition as two; of
//! what is done to single values they are a round number a value. Bytes are those of a perfect
//! cache: every value once, however often a kernel reads it. Tables of a few words (steps, state,
//! layers, groups) are left out.

use super::{Call, Precision};
use crate::kernels::Parameters;
use crate::kernels::gradient_statistics::BLOCK;
use crate::kernels::optimizer_step::BLOCK_SETTINGS;
use crate::kernels::update::UpdatedLayer;

/// Bytes of an f32 or of an index.
const WORD: u64 = 4;

/// Operations of an activation, or of its derivative and the product with it, a value.
const ACTIVATION: u64 = 2;

/// Operations of an activation of whole rows (largest, exponential, sum, quotient), a value.
const ROW_ACTIVATION: u64 = 4;

/// Operations of the statistics of a normalisation (mean, squares about it), a value.
const STATISTICS: u64 = 4;

/// Operations of a normalisation (minus the mean, times the factor, scale, shift), a value.
const NORMALIZE: u64 = 4;

/// Operations of a loss and its gradient, an output.
const LOSS: u64 = 8;

/// Operations of an optimizer beside those of its moments, a parameter.
const UPDATE: u64 = 4;

/// Operations of one of an optimizer's moments, a parameter.
const MOMENT: u64 = 4;

/// What a call, or several, cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Cost {
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes that must be read.
    pub bytes_read: u64,
    /// Bytes that must be written.
    pub bytes_written: u64,
}

impl Cost {
    /// Operations, and words read and written, of one member.
    fn words(flops: u64, read: u64, written: u64) -> Self {
        Self { flops, bytes_read: read * WORD, bytes_written: written * WORD }
    }

    fn times(self, count: u64) -> Self {
        Self {
            flops: self.flops * count,
            bytes_read: self.bytes_read * count,
            bytes_written: self.bytes_written * count,
        }
    }

    /// The least seconds it takes at so many operations and so many bytes a second: the longer of
    /// the two.
    pub fn floor(&self, flops_per_second: f64, bytes_per_second: f64) -> f64 {
        let bytes = (self.bytes_read + self.bytes_written) as f64;
        (self.flops as f64 / flops_per_second).max(bytes / bytes_per_second)
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), |all, one| Self {
            flops: all.flops + one.flops,
            bytes_read: all.bytes_read + one.bytes_read,
            bytes_written: all.bytes_written + one.bytes_written,
        })
    }
}

/// How large a call's result is for one member, and over how many values each of its numbers is
/// summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Shape {
    /// Rows of the result.
    pub rows: u64,
    /// Columns of the result.
    pub columns: u64,
    /// Length of the sums; 1 where each value is worked out by itself.
    pub depth: u64,
}

impl Call {
    /// Its shape, with `batch` rows a batch.
    pub fn shape(&self, batch: u64) -> Shape {
        let shape = |rows: u64, columns: u64, depth: u64| Shape { rows, columns, depth };
        match &self.parameters {
            Parameters::AdaptWeights(call) => shape(wide(call.units), wide(call.inputs), 1),
            Parameters::Embedding(call) => shape(batch, wide(call.inputs), 1),
            Parameters::DenseForward(call) => shape(batch, wide(call.outputs), wide(call.inputs)),
            Parameters::WeightGradient(call) => {
                shape(wide(call.outputs), wide(call.inputs) + 1, batch)
            }
            Parameters::InputGradient(call) => shape(batch, wide(call.inputs), wide(call.outputs)),
            Parameters::MatrixProduct(call) => {
                shape(wide(call.rows), wide(call.columns), wide(call.depth))
            }
            Parameters::Normalize(call) => shape(batch, wide(call.units), 1),
            Parameters::LayerOutput(call) => shape(batch, wide(call.units), 1),
            Parameters::RowActivation(call) => shape(batch, wide(call.units), 1),
            Parameters::Loss(call) => shape(batch, wide(call.outputs), 1),
            Parameters::RowActivationGradient(call) => shape(batch, wide(call.units), 1),
            Parameters::SlopeGradient(call) => {
                let slopes = wide(call.slopes).max(1);
                shape(1, slopes, batch * wide(call.units) / slopes)
            }
            Parameters::LayerGradient(call) => shape(batch, wide(call.units), 1),
            Parameters::ScaleGradient(call) => shape(2, wide(call.units), batch),
            Parameters::NormalizeGradient(call) => shape(batch, wide(call.units), 1),
            Parameters::AdapterGradient(call) => {
                let [of_inputs, of_units] = [call.input_adapter, call.output_adapter].map(wide);
                let (inputs, units) = (wide(call.inputs), wide(call.units));
                let depth = (of_inputs * units).max(of_units * inputs);
                shape(1, of_inputs * inputs + of_units * units, depth)
            }
            Parameters::ShareGradients(call) => {
                let columns = wide(call.columns).max(1);
                shape(wide(call.length) / columns, columns, wide(call.heads))
            }
            Parameters::ZeroGradients(call) => shape(1, wide(call.quads) * 4, 1),
            Parameters::EmbeddingGradient(call) => {
                shape(batch, call.columns().iter().map(|own| wide(own.size)).sum(), batch)
            }
            Parameters::GradientStatistics(call) => shape(wide(call.blocks), 2, BLOCK as u64),
            Parameters::NormFactors(call) => {
                let groups = wide(call.groups).max(1);
                shape(1, groups, wide(call.blocks) / groups)
            }
            Parameters::ClipGradients(call) => shape(1, wide(call.quads) * 4, 1),
            Parameters::MuonMomentum(call) => shape(1, wide(call.quads) * 4, 1),
            Parameters::MuonScale(call) => shape(1, wide(call.quads) * 4, 1),
            Parameters::OptimizerStep(call) => shape(1, wide(call.quads) * 4, 1),
            Parameters::MaxNorm(call) => shape(wide(call.units), wide(call.inputs), 1),
            Parameters::AverageParameters(call) => shape(1, wide(call.quads) * 4, 1),
            // Its largest layer's.
            Parameters::Update(_) => shape(wide(self.extent[1]), wide(self.extent[0]), batch),
            Parameters::PartialGradients(call) => {
                let depth = batch.min(wide(call.part_rows));
                shape(wide(self.extent[1]), wide(self.extent[0]), depth)
            }
            Parameters::FinishStep(call) => shape(1, wide(call.log_width), batch),
        }
    }

    /// What it costs, all members counted, with `batch` rows a batch.
    pub fn cost(&self, batch: u64) -> Cost {
        let mut cost = self.member_cost(batch);
        if self.variants.precision == Precision::F16 {
            let [read, written] = self.stored_values(batch);
            let saved = WORD - Precision::F16.bytes() as u64;
            cost.bytes_read -= saved * read;
            cost.bytes_written -= saved * written;
        }
        cost.times(wide(self.extent[2]))
    }

    fn member_cost(&self, batch: u64) -> Cost {
        let binds = |name: &str| u64::from(self.buffer(name).is_some());
        let order = batch * binds("order");
        match &self.parameters {
            Parameters::AdaptWeights(call) => {
                let (weights, units) = (wide(call.inputs) * wide(call.units), wide(call.units));
                let factors = wide(call.input_adapter) * wide(call.inputs)
                    + wide(call.output_adapter) * units;
                let products = wide(call.input_adapter) + wide(call.output_adapter);
                Cost::words(products * weights, weights + units + factors, weights + units)
            }
            // Of a table no more is read than the rows of the batch's codes.
            Parameters::Embedding(call) => {
                let vectors: u64 = call.columns().iter().map(|own| wide(own.size)).sum();
                Cost::words(
                    0,
                    order + batch * (wide(call.data_values()) + vectors),
                    batch * (wide(call.inputs) + wide(call.embeddings)),
                )
            }
            Parameters::DenseForward(call) => {
                let (inputs, outputs) = (wide(call.inputs), wide(call.outputs));
                let result = batch * outputs;
                let activation = self.variants.activation.is_some_and(|a| a.row.name != "linear");
                Cost::words(
                    2 * result * inputs + result + u64::from(activation) * ACTIVATION * result,
                    order + batch * inputs + (inputs + 1) * outputs,
                    result * (1 + binds("pre_activation")),
                )
            }
            Parameters::WeightGradient(call) => {
                let (inputs, outputs) = (wide(call.inputs), wide(call.outputs));
                let delta = batch * outputs;
                Cost::words(
                    2 * delta * inputs + delta,
                    order + batch * inputs + delta,
                    (inputs + 1) * outputs,
                )
            }
            Parameters::InputGradient(call) => {
                let (inputs, outputs) = (wide(call.inputs), wide(call.outputs));
                let result = batch * inputs;
                // With the activation fused the derivative is of what the layer below kept; else
                // at most a residual's gradient is added.
                let kept = binds("below").max(binds("pre_activation")) + binds("residual_gradient");
                Cost::words(
                    2 * result * outputs + kept * ACTIVATION * result,
                    batch * outputs + inputs * outputs + kept * result,
                    result,
                )
            }
            Parameters::MatrixProduct(call) => {
                let (rows, columns, depth) =
                    (wide(call.rows), wide(call.columns), wide(call.depth));
                let (result, added) = (rows * columns, u64::from(call.of_addend != 0.0));
                let square = binds("left") == 1 && self.buffer("left") == self.buffer("right");
                // A matrix times itself, or its own transpose, is read once.
                let shared = square && rows == columns;
                let factors = rows * depth + if shared { 0 } else { depth * columns };
                Cost::words(
                    2 * result * depth + (1 + 2 * added) * result,
                    factors + added * result,
                    result,
                )
            }
            Parameters::Normalize(call) => {
                let values = batch * wide(call.units);
                let by_column = self.variants.normalization.is_some_and(|row| row.by_column);
                let items = if by_column { wide(call.units) } else { batch };
                let own = call.training == 1 || !by_column;
                let running = if by_column { 2 * wide(call.units) } else { 0 };
                let moved = u64::from(call.training == 1) * running;
                Cost::words(
                    (NORMALIZE + u64::from(own) * STATISTICS) * values,
                    values + 2 * wide(call.units) + running,
                    values + 2 * items + moved,
                )
            }
            Parameters::LayerOutput(call) => {
                let values = batch * wide(call.units);
                let residual = binds("residual");
                Cost::words(
                    (ACTIVATION + residual) * values,
                    (1 + residual) * values + wide(call.slopes),
                    values,
                )
            }
            Parameters::RowActivation(call) => {
                let values = batch * wide(call.units);
                Cost::words(ROW_ACTIVATION * values, values, values)
            }
            Parameters::Loss(call) => {
                let values = batch * wide(call.outputs);
                Cost::words(
                    LOSS * values,
                    order + values + batch * wide(call.target_stride),
                    u64::from(call.training == 1) * values
                        + batch * wide(call.statistics)
                        + binds("collected") * values,
                )
            }
            Parameters::RowActivationGradient(call) => {
                let values = batch * wide(call.units);
                Cost::words(ROW_ACTIVATION * values, 2 * values, values)
            }
            Parameters::SlopeGradient(call) => {
                let values = batch * wide(call.units);
                Cost::words(2 * values, 2 * values, wide(call.slopes))
            }
            Parameters::LayerGradient(call) => {
                let values = batch * wide(call.units);
                Cost::words(
                    ACTIVATION * values,
                    2 * values + wide(call.slopes),
                    (1 + binds("residual_gradient")) * values,
                )
            }
            Parameters::ScaleGradient(call) => {
                let values = batch * wide(call.units);
                let statistics = self.statistics(batch, call.units);
                Cost::words(5 * values, 2 * values + statistics, 2 * wide(call.units))
            }
            Parameters::NormalizeGradient(call) => {
                let values = batch * wide(call.units);
                let read = 2 * values + self.statistics(batch, call.units) + wide(call.units);
                Cost::words((NORMALIZE + STATISTICS) * values, read, values)
            }
            Parameters::AdapterGradient(call) => {
                let weights = wide(call.inputs) * wide(call.units);
                let factors = wide(call.input_adapter) * wide(call.inputs)
                    + wide(call.output_adapter) * wide(call.units);
                let sums = wide(call.input_adapter) + wide(call.output_adapter);
                Cost::words(3 * sums * weights, 2 * weights + factors, factors)
            }
            // One call is of all heads.
            Parameters::ShareGradients(call) => {
                let (heads, length) = (wide(call.heads), wide(call.length));
                let rows = length / wide(call.columns).max(1);
                let factors = wide(call.input_adapter) * wide(call.columns)
                    + wide(call.output_adapter) * rows;
                let products = 1 + wide(call.input_adapter) + wide(call.output_adapter);
                let all = heads * length;
                Cost::words(products * all, all + heads * factors, all)
            }
            Parameters::ZeroGradients(call) => Cost::words(0, 0, wide(call.quads) * 4),
            // Every row's code is compared with every other's; the sums are of each row once.
            Parameters::EmbeddingGradient(call) => {
                let vectors: u64 = call.columns().iter().map(|own| wide(own.size)).sum();
                let codes = batch * wide(call.embeddings);
                let read = codes + 2 * batch * vectors;
                Cost::words(codes * batch + batch * vectors, read, batch * vectors)
            }
            Parameters::GradientStatistics(call) => {
                let blocks = wide(call.blocks);
                let parameters = blocks * BLOCK as u64;
                Cost::words(10 * parameters, 2 * parameters + settings(parameters), 2 * blocks)
            }
            Parameters::NormFactors(call) => {
                let (blocks, heads) = (wide(call.blocks) * wide(call.heads), wide(call.heads));
                Cost::words(blocks, 2 * blocks, wide(call.groups) * heads)
            }
            Parameters::ClipGradients(call) => {
                let parameters = wide(call.quads) * 4;
                let read = 2 * parameters + settings(parameters) + wide(call.groups);
                Cost::words(5 * parameters, read, parameters)
            }
            Parameters::MuonMomentum(call) => {
                let parameters = wide(call.quads) * 4;
                let partials = 2 * parameters / BLOCK as u64;
                let read = 2 * parameters + settings(parameters);
                Cost::words((MOMENT + 4) * parameters, read, 2 * parameters + partials)
            }
            Parameters::MuonScale(call) => {
                let parameters = wide(call.quads) * 4;
                let read = parameters + settings(parameters) + wide(call.groups);
                Cost::words(parameters, read, parameters)
            }
            Parameters::OptimizerStep(call) => {
                let (parameters, kept) = (wide(call.quads) * 4, self.moments());
                let parts = call.parts(batch.max(1));
                Cost::words(
                    (UPDATE + MOMENT * kept + parts - 1) * parameters,
                    (1 + parts + kept) * parameters + settings(parameters),
                    (1 + kept) * parameters,
                )
            }
            Parameters::Update(call) => {
                let kept = self.moments();
                let statistics = wide(call.finishes) * wide(call.statistics);
                let of_layer = |layer: &UpdatedLayer| {
                    let (inputs, units) = (wide(layer.inputs), wide(layer.units));
                    let (delta, parameters) = (batch * units, (inputs + 1) * units);
                    Cost::words(
                        2 * delta * inputs + delta + (UPDATE + MOMENT * kept) * parameters,
                        batch * inputs + delta + (1 + kept) * parameters + settings(parameters),
                        (1 + kept) * parameters,
                    )
                };
                let layers = call.layers().iter().map(of_layer);
                let log = Cost::words(statistics * batch, order + statistics * batch, statistics);
                layers.chain([log]).sum()
            }
            Parameters::PartialGradients(call) => {
                let statistics = wide(call.finishes) * wide(call.statistics);
                let parts = batch.div_ceil(wide(call.part_rows).max(1));
                let of_layer = |layer: &UpdatedLayer| {
                    let (inputs, units) = (wide(layer.inputs), wide(layer.units));
                    let delta = batch * units;
                    let written = parts * (inputs + 1) * units;
                    Cost::words(2 * delta * inputs + delta, batch * inputs + delta, written)
                };
                let layers = call.layers().iter().map(of_layer);
                let log = Cost::words(statistics * batch, order + statistics * batch, statistics);
                layers.chain([log]).sum()
            }
            Parameters::MaxNorm(call) => {
                let weights = wide(call.units) * wide(call.inputs);
                Cost::words(3 * weights, weights, weights)
            }
            Parameters::AverageParameters(call) => {
                let parameters = wide(call.quads) * 4;
                Cost::words(3 * parameters, 2 * parameters + settings(parameters), parameters)
            }
            Parameters::FinishStep(call) => {
                let read = batch * wide(call.statistics) + 2 * wide(call.partials);
                Cost::words(read, read, wide(call.log_width))
            }
        }
    }

    /// Moments that its optimizer keeps.
    fn moments(&self) -> u64 {
        self.variants.optimizer.map_or(0, |(row, form)| {
            (row.moments)(form).into_iter().filter(|kept| *kept).count() as u64
        })
    }

    /// Words of a normalisation's statistics: a mean and a factor a column or a row.
    fn statistics(&self, batch: u64, units: u32) -> u64 {
        let by_column = self.variants.normalization.is_some_and(|row| row.by_column);
        2 * if by_column { wide(units) } else { batch }
    }
}

fn wide(count: u32) -> u64 {
    u64::from(count)
}

/// Words of the settings of the blocks that so many parameters stand in.
fn settings(parameters: u64) -> u64 {
    parameters / BLOCK as u64 * BLOCK_SETTINGS as u64
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
