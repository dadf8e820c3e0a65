//! The calls that orthogonalise Muon's matrices by Newton-Schulz steps: A = X X^T,
//! B = b A + c A A, X = a X + B X, with X no taller than it is wide.

use super::builder::{Builder, PassBuffers, word};
use super::plan::{Orthogonalization, Update};
use super::{BufferId, Call, Contents, Variants};
use crate::catalog::optimizer::muon::NEWTON_SCHULZ;
use crate::error::Result;
use crate::kernels::gradient_statistics::BLOCK;
use crate::kernels::matrix_product::MatrixProduct;
use crate::kernels::muon_momentum::MuonMomentum;
use crate::kernels::muon_scale::MuonScale;
use crate::kernels::norm_factors::NormFactor;
use crate::kernels::{Kernel, Parameters};
use crate::network::{Network, Tensor, TensorKind};

/// A matrix in a buffer of all members.
#[derive(Clone, Copy)]
struct Matrix {
    buffer: BufferId,
    member_stride: usize,
    offset: usize,
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl Matrix {
    fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    fn within(self, buffer: BufferId) -> Self {
        Self { buffer, ..self }
    }
}

impl Network {
    /// The weight matrices that Muon takes: PyTorch's advice is the hidden layers', Keras takes
    /// every layer's. Tables of embeddings are no such matrices (Jordan et al., 2024).
    pub fn muon_matrices(&self, keras: bool) -> Vec<Tensor> {
        let last = self.layers.len() - 1;
        let taken = |tensor: &Tensor| {
            tensor.kind == TensorKind::Weight && (keras || tensor.layer < Some(last))
        };
        self.tensors().into_iter().filter(taken).collect()
    }
}

impl Builder<'_> {
    pub(super) fn add_muon_buffers(&mut self) {
        let Some(update) = &self.request.update else { return };
        if update.orthogonalization.is_none() {
            return;
        }
        let network = self.request.network;
        let matrices = network.muon_matrices(update.form.keras);
        let small = matrices.iter().map(|tensor| tensor.shape[0].min(tensor.shape[1])).max();
        let square = small.unwrap_or(1).pow(2);
        let members = self.plan.members;
        let arena = members * network.stride;
        for name in ["muon.even", "muon.odd"] {
            self.plan.add(name, Contents::Reals, arena);
        }
        for name in ["muon.gram", "muon.polynomial"] {
            self.plan.add(name, Contents::Reals, members * square);
        }
        self.plan.add("muon.partials", Contents::Reals, arena / BLOCK * 2);
        self.plan.add("muon.groups", Contents::Words, (matrices.len() * 2).max(2));
        self.plan.add("muon.factors", Contents::Reals, members * matrices.len().max(1));
    }

    pub(super) fn orthogonalize(
        &self,
        update: &Update,
        how: &Orthogonalization,
        buffers: &PassBuffers,
    ) -> Result<Vec<Call>> {
        let network = self.request.network;
        let matrices = network.muon_matrices(update.form.keras);
        if matrices.is_empty() {
            return Ok(Vec::new());
        }
        let members = word("members", self.plan.members)?;
        let quads = word("parameters", network.stride / 4)?;
        let named = |name: &str| self.plan.buffer(name);
        let (even, odd, gradients) = (named("muon.even")?, named("muon.odd")?, named("gradients")?);
        let (partials, factors) = (named("muon.partials")?, named("muon.factors")?);
        let block_settings = named("block_settings")?;
        let mut bindings = self.tables(buffers).to_vec();
        bindings.extend([
            ("gradients", gradients),
            ("block_settings", block_settings),
            ("moment0", named("moment0")?),
            ("direction", even),
            ("partials", partials),
        ]);
        let mut calls = vec![Call {
            kernel: Kernel::MuonMomentum,
            subject: "gradients".to_owned(),
            variants: Variants::default(),
            parameters: Parameters::MuonMomentum(MuonMomentum {
                members,
                quads,
                keras: u32::from(update.form.keras),
                nesterov: u32::from(update.form.nesterov),
            }),
            bindings,
            extent: self.extent(network.stride / BLOCK, 1)?,
        }];
        let unit = if update.form.keras { NormFactor::KerasUnit } else { NormFactor::TorchUnit };
        let groups = [partials, named("muon.groups")?, factors];
        calls.push(self.norm_factors(buffers, groups, unit, how.epsilon)?);
        let mut bindings = self.tables(buffers).to_vec();
        bindings.extend([
            ("block_settings", block_settings),
            ("factors", factors),
            ("direction", even),
        ]);
        calls.push(Call {
            kernel: Kernel::MuonScale,
            subject: "gradients".to_owned(),
            variants: Variants::default(),
            parameters: Parameters::MuonScale(MuonScale {
                members,
                quads,
                groups: word("matrices", matrices.len())?,
                ..MuonScale::default()
            }),
            bindings,
            extent: self.extent(network.stride / 4, 1)?,
        });
        for tensor in &matrices {
            self.newton_schulz(tensor, how, [even, odd, gradients], buffers, &mut calls)?;
        }
        Ok(calls)
    }

    /// The last step writes the scaled matrix over the gradient.
    fn newton_schulz(
        &self,
        tensor: &Tensor,
        how: &Orthogonalization,
        [even, odd, gradients]: [BufferId; 3],
        buffers: &PassBuffers,
        calls: &mut Vec<Call>,
    ) -> Result<()> {
        let (rows, columns) = (tensor.shape[0], tensor.shape[1]);
        let stored = Matrix {
            buffer: even,
            member_stride: self.request.network.stride,
            offset: tensor.offset,
            rows,
            columns,
            row_stride: columns,
            column_stride: 1,
        };
        let mut x = if rows > columns { stored.transposed() } else { stored };
        let small = x.rows;
        let square = self.plan.buffer("muon.gram")?;
        let gram = Matrix {
            buffer: square,
            member_stride: self.plan.buffers[square.0].words as usize / self.plan.members,
            offset: 0,
            rows: small,
            columns: small,
            row_stride: small,
            column_stride: 1,
        };
        let polynomial = gram.within(self.plan.buffer("muon.polynomial")?);
        let [a, b, c] = NEWTON_SCHULZ;
        for step in 0..how.steps {
            let last = step + 1 == how.steps;
            let scale = if last { how.adjust.scale(rows, columns) } else { 1.0 };
            let next = if last {
                gradients
            } else if x.buffer == even {
                odd
            } else {
                even
            };
            let name = &tensor.name;
            calls.push(self.product(name, buffers, [x, x.transposed(), x], gram, [1.0, 0.0])?);
            calls.push(self.product(name, buffers, [gram, gram, gram], polynomial, [c, b])?);
            let to = x.within(next);
            calls.push(self.product(name, buffers, [polynomial, x, x], to, [scale, scale * a])?);
            x = to;
        }
        Ok(())
    }

    fn product(
        &self,
        subject: &str,
        buffers: &PassBuffers,
        [left, right, addend]: [Matrix; 3],
        product: Matrix,
        numbers: [f64; 2],
    ) -> Result<Call> {
        let number = |value: usize| word("an element of a matrix", value);
        let mut bindings = self.tables(buffers).to_vec();
        bindings.extend([
            ("left", left.buffer),
            ("right", right.buffer),
            ("addend", addend.buffer),
            ("product", product.buffer),
        ]);
        Ok(Call {
            kernel: Kernel::MatrixProduct,
            subject: subject.to_owned(),
            variants: Variants { numbers, ..Variants::default() },
            parameters: Parameters::MatrixProduct(MatrixProduct {
                members: word("members", self.plan.members)?,
                rows: number(left.rows)?,
                columns: number(right.columns)?,
                depth: number(left.columns)?,
                left_offset: number(left.offset)?,
                left_row: number(left.row_stride)?,
                left_depth: number(left.column_stride)?,
                left_member_stride: number(left.member_stride)?,
                right_offset: number(right.offset)?,
                right_depth: number(right.row_stride)?,
                right_column: number(right.column_stride)?,
                right_member_stride: number(right.member_stride)?,
                product_offset: number(product.offset)?,
                product_row: number(product.row_stride)?,
                product_column: number(product.column_stride)?,
                product_member_stride: number(product.member_stride)?,
                addend_member_stride: number(addend.member_stride)?,
                addend_offset: number(addend.offset)?,
                of_product: numbers[0] as f32,
                of_addend: numbers[1] as f32,
            }),
            bindings,
            extent: self.extent(right.columns, left.rows)?,
        })
    }
}
