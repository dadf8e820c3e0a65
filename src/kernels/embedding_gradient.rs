//! The gradient of embedded columns' tables: each row's is the sum of the gradients of the vectors
//! that it stood for in the batch. What `zero_gradients` began is added to. Twin of
//! `shaders/embedding_gradient.wgsl`.

use super::embedding::{EmbeddedColumn, MOST_EMBEDDINGS};
use super::{Real, Step};

uniform! {
    /// The uniform of a call.
    pub struct EmbeddingGradient {
        /// M.
        pub members: u32,
        /// Inputs of the first layer: elements between rows in `delta`.
        pub delta_stride: u32,
        /// Elements between members in `delta`.
        pub delta_member_stride: u32,
        /// Elements between members in `gradients`.
        pub parameter_stride: u32,
        /// Embedded columns of the call.
        pub embeddings: u32,
        /// The first of them among the network's.
        pub first_embedding: u32,
        /// Elements between embedded columns in `codes`: rows of the largest batch.
        pub codes_stride: u32,
        /// Elements between members in `codes`.
        pub codes_member_stride: u32,
        /// The embedded columns.
        pub table: [EmbeddedColumn; MOST_EMBEDDINGS],
    }
}

impl EmbeddingGradient {
    /// The embedded columns.
    pub fn columns(&self) -> &[EmbeddedColumn] {
        &self.table[..self.embeddings as usize]
    }
}

/// One member's call.
pub fn embedding_gradient<R: Real>(
    call: &EmbeddingGradient,
    step: &Step<R>,
    codes: &[R],
    delta: &[R],
    gradients: &mut [R],
) {
    let arena = step.member * call.parameter_stride as usize;
    let deltas = step.member * call.delta_member_stride as usize;
    for (i, own) in call.columns().iter().enumerate() {
        let first = step.member * call.codes_member_stride as usize
            + (call.first_embedding as usize + i) * call.codes_stride as usize;
        let size = own.size as usize;
        for (row, code) in codes[first..first + step.rows()].iter().enumerate() {
            if *code < R::zero() {
                continue;
            }
            let from = deltas + row * call.delta_stride as usize + own.input as usize;
            let to = arena + own.offset as usize + code.wide() as usize * size;
            for (sum, d) in gradients[to..to + size].iter_mut().zip(&delta[from..from + size]) {
                *sum += *d * step.unscale;
            }
        }
    }
}
