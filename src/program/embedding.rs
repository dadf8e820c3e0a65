//! The calls of learned tables: before the first layer's they bring its input together, behind its
//! gradients they make the tables'.

use super::builder::{Builder, PassBuffers, word};
use super::plan::{Pass, Plan, PlanRequest};
use super::{BufferId, Call, Contents, Variants};
use crate::error::{Error, Result};
use crate::kernels::embedding::{EmbeddedColumn, Embedding, MOST_EMBEDDINGS};
use crate::kernels::embedding_gradient::EmbeddingGradient;
use crate::kernels::zero_gradients::ZeroGradients;
use crate::kernels::{Kernel, Parameters};

/// The buffers of a first layer's input that is made of the data set and of learned tables.
pub(super) struct EmbeddedInput {
    /// The input, `[members][rows][inputs of the first layer]`.
    pub input: BufferId,
    /// The gradient by it, in plans that train.
    pub delta: Option<BufferId>,
    /// The batch's codes, `[members][embeddings][rows]`; -1 of one that has no row of its table.
    codes: BufferId,
}

impl EmbeddedInput {
    /// Adds the buffers of batches of up to `rows` rows, to the plan of a network that has tables.
    pub fn new(plan: &mut Plan, request: &PlanRequest, rows: usize) -> Option<Self> {
        let network = request.network;
        let layer = network.layers.first().filter(|_| !network.embeddings.is_empty())?;
        let values = network.members * rows * layer.inputs;
        let codes = network.members * network.embeddings.len() * rows;
        let mut add = |name: &str| plan.add_stored(name, request.precision, values, None);
        let input = add("embedded");
        let delta = request.update.is_some().then(|| add("delta.embedded"));
        Some(Self { input, delta, codes: plan.add("codes", Contents::Reals, codes) })
    }
}

/// The embedded columns of one call, and the first layer's inputs that it makes.
struct Part {
    first: usize,
    count: usize,
    inputs: std::ops::Range<usize>,
    first_column: usize,
}

impl Builder<'_> {
    /// Inputs of the first layer.
    pub(super) fn embedded_width(&self) -> usize {
        self.request.network.layers.first().map_or(0, |layer| layer.inputs)
    }

    fn embedded(&self) -> Result<&EmbeddedInput> {
        self.embedded.as_ref().ok_or_else(|| Error::internal("the network has no embeddings"))
    }

    /// The calls' shares of the first layer's inputs. Each ends behind its last vector, the last one
    /// behind the last input.
    fn parts(&self) -> Vec<Part> {
        let all = &self.request.network.embeddings;
        let (mut next, mut column) = (0, 0);
        let mut parts = Vec::new();
        for (index, chunk) in all.chunks(MOST_EMBEDDINGS).enumerate() {
            let first = index * MOST_EMBEDDINGS;
            let (mut end, first_column) = (self.embedded_width(), column);
            if let Some(last) = chunk.last().filter(|_| first + chunk.len() < all.len()) {
                end = last.input + last.shape.size;
                column = last.shape.column + 1;
            }
            parts.push(Part { first, count: chunk.len(), inputs: next..end, first_column });
            next = end;
        }
        parts
    }

    fn columns(&self, part: &Part) -> Result<[EmbeddedColumn; MOST_EMBEDDINGS]> {
        let mut table = [EmbeddedColumn::default(); MOST_EMBEDDINGS];
        let all = &self.request.network.embeddings[part.first..part.first + part.count];
        for (row, own) in table.iter_mut().zip(all) {
            *row = EmbeddedColumn {
                column: word("columns", own.shape.column)?,
                input: word("inputs", own.input)?,
                categories: word("categories", own.shape.categories)?,
                size: word("the size of an embedding", own.shape.size)?,
                offset: word("parameters", own.offset)?,
                ..EmbeddedColumn::default()
            };
        }
        Ok(table)
    }

    /// What a call is about, such as `embeddings.0` or `embeddings.0-15`.
    fn subject(part: &Part) -> String {
        match part.count {
            1 => format!("embeddings.{}", part.first),
            count => format!("embeddings.{}-{}", part.first, part.first + count - 1),
        }
    }

    /// The calls that bring the first layer's input together; none where it is the data set's.
    pub(super) fn embed(&self, pass: &Pass, buffers: &PassBuffers) -> Result<Vec<Call>> {
        let network = self.request.network;
        let width = self.embedded_width();
        let call = |part: Part| {
            let embedded = self.embedded()?;
            let columns = pass.batch_rows.saturating_mul(part.inputs.len());
            Ok(Call {
                kernel: Kernel::Embedding,
                subject: Self::subject(&part),
                variants: Variants { gathered: true, ..Variants::default() },
                parameters: Parameters::Embedding(Embedding {
                    members: word("members", self.plan.members)?,
                    inputs: word("inputs", part.inputs.len())?,
                    first_input: word("inputs", part.inputs.start)?,
                    first_column: word("columns", part.first_column)?,
                    data_stride: word("columns", network.inputs)?,
                    order_stride: word("rows", pass.resident_rows)?,
                    output_stride: word("inputs", width)?,
                    output_member_stride: word("activations", self.rows * width)?,
                    parameter_stride: word("parameters", network.stride)?,
                    embeddings: word("embeddings", part.count)?,
                    first_embedding: word("embeddings", part.first)?,
                    codes_stride: word("rows", self.rows)?,
                    codes_member_stride: word("codes", self.rows * network.embeddings.len())?,
                    table: self.columns(&part)?,
                    ..Embedding::default()
                }),
                bindings: vec![
                    ("steps", buffers.steps),
                    ("state", buffers.state),
                    ("order", buffers.order),
                    ("input", buffers.features),
                    ("parameters", self.weights_of(pass)),
                    ("output", embedded.input),
                    ("codes", embedded.codes),
                ],
                extent: self.extent(columns, 1)?,
            })
        };
        self.parts().into_iter().map(call).collect()
    }

    /// The calls that make the gradients of the tables; none where there are no tables.
    pub(super) fn embedding_gradients(
        &self,
        pass: &Pass,
        buffers: &PassBuffers,
    ) -> Result<Vec<Call>> {
        let network = self.request.network;
        let Some(embedded) = &self.embedded else { return Ok(Vec::new()) };
        let delta = self.of_layer(0, embedded.delta)?;
        let gradients = self.plan.buffer("gradients")?;
        let tables = self.tables(buffers);
        let quads = network.tables_end() / 4;
        let mut bindings = tables.to_vec();
        bindings.push(("gradients", gradients));
        let mut calls = vec![Call {
            kernel: Kernel::ZeroGradients,
            subject: "embeddings".to_owned(),
            variants: Variants::default(),
            parameters: Parameters::ZeroGradients(ZeroGradients {
                members: word("members", self.plan.members)?,
                quads: word("parameters", quads)?,
                member_stride: word("parameters", network.stride / 4)?,
                ..ZeroGradients::default()
            }),
            bindings,
            extent: self.extent(quads, 1)?,
        }];
        let width = self.embedded_width();
        for part in self.parts() {
            let mut bindings = tables.to_vec();
            bindings.extend([
                ("codes", embedded.codes),
                ("delta", delta),
                ("gradients", gradients),
            ]);
            calls.push(Call {
                kernel: Kernel::EmbeddingGradient,
                subject: Self::subject(&part),
                variants: Variants::default(),
                parameters: Parameters::EmbeddingGradient(EmbeddingGradient {
                    members: word("members", self.plan.members)?,
                    delta_stride: word("inputs", width)?,
                    delta_member_stride: word("activations", self.rows * width)?,
                    parameter_stride: word("parameters", network.stride)?,
                    embeddings: word("embeddings", part.count)?,
                    first_embedding: word("embeddings", part.first)?,
                    codes_stride: word("rows", self.rows)?,
                    codes_member_stride: word("codes", self.rows * network.embeddings.len())?,
                    table: self.columns(&part)?,
                }),
                bindings,
                extent: self.extent(pass.batch_rows.saturating_mul(part.count), 1)?,
            });
        }
        Ok(calls)
    }
}
