//! Brings the input of the first layer together: the values of the gathered data rows, and in place
//! of each code the row of its learned table. Twin of `shaders/embedding.wgsl`.

use super::{Real, Step};

/// Most embedded columns of one call.
pub const MOST_EMBEDDINGS: usize = 16;

/// One embedded column of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct EmbeddedColumn {
    /// Its place in a data row.
    pub column: u32,
    /// Where its vector begins among the first layer's inputs.
    pub input: u32,
    /// Rows of the table.
    pub categories: u32,
    /// Columns of the table.
    pub size: u32,
    /// Where the table `[categories, size]` begins in a member's arena.
    pub offset: u32,
    /// Unused.
    pub spare0: u32,
    /// Unused.
    pub spare1: u32,
    /// Unused.
    pub spare2: u32,
}

uniform! {
    /// The uniform of a call, which makes so many of the first layer's inputs that lie side by side.
    pub struct Embedding {
        /// M.
        pub members: u32,
        /// Inputs that the call makes.
        pub inputs: u32,
        /// The first of them among the first layer's.
        pub first_input: u32,
        /// The place in a data row of what it is made of.
        pub first_column: u32,
        /// Values of a data row.
        pub data_stride: u32,
        /// Elements between members in `order`.
        pub order_stride: u32,
        /// Inputs of the first layer.
        pub output_stride: u32,
        /// Elements between members in `output`.
        pub output_member_stride: u32,
        /// Elements between members in `parameters`.
        pub parameter_stride: u32,
        /// Embedded columns of the call.
        pub embeddings: u32,
        /// The first of them among the network's.
        pub first_embedding: u32,
        /// Elements between embedded columns in `codes`: rows of the largest batch.
        pub codes_stride: u32,
        /// Elements between members in `codes`.
        pub codes_member_stride: u32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
        /// Unused.
        pub spare2: u32,
        /// The embedded columns.
        pub table: [EmbeddedColumn; MOST_EMBEDDINGS],
    }
}

impl Embedding {
    /// The embedded columns.
    pub fn columns(&self) -> &[EmbeddedColumn] {
        &self.table[..self.embeddings as usize]
    }

    /// Values of a data row that it reads.
    pub fn data_values(&self) -> u32 {
        self.inputs - self.columns().iter().map(|own| own.size - 1).sum::<u32>()
    }
}

/// One member's call. A code that has no row of its table gives zeros, and is kept as -1.
pub fn embedding<R: Real>(
    call: &Embedding,
    step: &Step<R>,
    input: &[R],
    parameters: &[R],
    output: &mut [R],
    codes: &mut [R],
) {
    let arena = &parameters[step.member * call.parameter_stride as usize..];
    for row in 0..step.rows() {
        let first = step.input_row(call.order_stride, row) * call.data_stride as usize;
        let data = &input[first..first + call.data_stride as usize];
        let at = step.member * call.output_member_stride as usize
            + row * call.output_stride as usize
            + call.first_input as usize;
        let mut rest = &mut output[at..at + call.inputs as usize];
        let mut next = call.first_column as usize;
        for (i, own) in call.columns().iter().enumerate() {
            let before = own.column as usize - next;
            let (plain, behind) = rest.split_at_mut(before);
            plain.copy_from_slice(&data[next..next + before]);
            let (vector, behind) = behind.split_at_mut(own.size as usize);
            let code = data[own.column as usize];
            let known = code >= R::zero() && code < R::of(f64::from(own.categories));
            if known {
                let row = code.wide() as usize;
                let first = own.offset as usize + row * own.size as usize;
                vector.copy_from_slice(&arena[first..first + own.size as usize]);
            } else {
                vector.fill(R::zero());
            }
            let kept = step.member * call.codes_member_stride as usize
                + (call.first_embedding as usize + i) * call.codes_stride as usize
                + row;
            codes[kept] = if known { code } else { -R::one() };
            (rest, next) = (behind, own.column as usize + 1);
        }
        let behind = rest.len();
        rest.copy_from_slice(&data[next..next + behind]);
    }
}
