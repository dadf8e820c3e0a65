//! A call's matrix product as a tile sees it.

use super::Grouped;
use crate::kernels::{Kernel, Parameters};
use crate::program::{Call, Precision};

/// Which way an operand's lines lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Along {
    /// A line is a row of A, or a column of B.
    Depth,
    /// A line is a step in depth: all rows of A, or all columns of B.
    Breadth,
}

/// An operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operand {
    /// The binding it is read from.
    pub buffer: &'static str,
    /// Which way its lines lie.
    pub along: Along,
    /// Whether all its lines are made of whole, aligned quads.
    pub quads: bool,
    /// Whether where a line begins is read, from the order of the data set's rows.
    pub gathered: bool,
}

/// rows x columns results, each the sum of `depth` products, for each member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Product {
    /// The kernel that it is of.
    pub kernel: Kernel,
    /// Rows of results, at most.
    pub rows: u32,
    /// Columns of results, at most.
    pub columns: u32,
    /// Products in a result, at most.
    pub depth: u32,
    /// Members.
    pub members: u32,
    /// The left operand, rows x depth.
    pub a: Operand,
    /// The right operand, depth x columns.
    pub b: Operand,
    /// Whether every row of results is made of whole, aligned quads that can be stored as such.
    pub quads: bool,
}

/// Whether quads begin at all of these.
fn aligned(numbers: &[u32]) -> bool {
    numbers.iter().all(|number| number % 4 == 0)
}

impl Product {
    /// What products share that are cut up alike: how their operands are read, and their sizes up to
    /// the next powers of two. Such as `depth4 depth4 64x128x1024 x1`.
    pub fn bucket(&self) -> String {
        let operand = |operand: &Operand| match (operand.along, operand.quads) {
            (Along::Depth, true) => "depth4",
            (Along::Depth, false) => "depth1",
            (Along::Breadth, true) => "breadth4",
            (Along::Breadth, false) => "breadth1",
        };
        let size = |size: u32| size.max(1).checked_next_power_of_two().unwrap_or(size);
        let [rows, columns, depth] = [self.rows, self.columns, self.depth].map(size);
        let (a, b) = (operand(&self.a), operand(&self.b));
        format!("{a} {b} {rows}x{columns}x{depth} x{}", size(self.members))
    }

    /// Multiplications and additions of all members, at most.
    pub fn multiplications(&self) -> u64 {
        let factors = [self.rows, self.columns, self.depth, self.members].map(u64::from);
        factors.into_iter().fold(2, u64::saturating_mul)
    }

    /// The same of fewer members and rows, so many multiplications and additions of them at most: cut up
    /// alike, as both have far more tiles than an adapter runs at once.
    pub fn of_at_most(mut self, most: u64) -> Self {
        while self.multiplications() > most && (self.members > 1 || self.rows > 4) {
            match self.members {
                0 | 1 => self.rows = (self.rows / 2).next_multiple_of(4),
                members => self.members = members / 2,
            }
        }
        self
    }

    /// What the results of a column begin with: its bias, where the operand file has one.
    pub(super) fn start(&self, column: &str) -> String {
        match self.kernel {
            Kernel::DenseForward => format!("bias({column})"),
            _ => "0.0".to_owned(),
        }
    }

    /// The same of a quad of columns.
    pub(super) fn start_quad(&self, column: &str) -> String {
        match self.kernel {
            Kernel::DenseForward => format!("bias_quad(min({column}, last_column & ~3u))"),
            _ => "vec4<f32>()".to_owned(),
        }
    }

    /// The matrix product of a call; none for other kernels.
    pub fn of(call: &Call) -> Option<Self> {
        use Along::{Breadth, Depth};
        let operand = |buffer, along, numbers: &[u32]| Operand {
            buffer,
            along,
            quads: aligned(numbers),
            gathered: false,
        };
        let (depth, a, b) = match &call.parameters {
            Parameters::DenseForward(p) => (
                p.inputs,
                operand("input", Depth, &[p.inputs, p.input_member_stride]),
                operand("parameters", Depth, &[p.inputs, p.parameter_stride, p.weight_offset]),
            ),
            Parameters::InputGradient(p) => (
                p.outputs,
                operand("delta", Depth, &[p.outputs, p.delta_member_stride]),
                operand("parameters", Breadth, &[p.inputs, p.parameter_stride, p.weight_offset]),
            ),
            Parameters::WeightGradient(p) => (
                p.delta_member_stride / p.outputs.max(1),
                operand("delta", Breadth, &[p.outputs, p.delta_member_stride]),
                Operand {
                    gathered: call.variants.gathered,
                    ..operand("input", Breadth, &[p.inputs, p.input_member_stride])
                },
            ),
            Parameters::MatrixProduct(p) => {
                // (along, the line's length, the stride in a line, the stride of lines)
                let left = if p.left_depth == 1 {
                    (Depth, [p.depth, p.left_depth, p.left_row])
                } else {
                    (Breadth, [p.rows, p.left_row, p.left_depth])
                };
                let right = if p.right_depth == 1 {
                    (Depth, [p.depth, p.right_depth, p.right_column])
                } else {
                    (Breadth, [p.columns, p.right_column, p.right_depth])
                };
                let of = |buffer,
                          (along, [length, step, stride]): (Along, [u32; 3]),
                          offsets: [u32; 2]| {
                    let aligned = aligned(&[length, stride]) && aligned(&offsets);
                    Operand { buffer, along, quads: step == 1 && aligned, gathered: false }
                };
                (
                    p.depth,
                    of("left", left, [p.left_offset, p.left_member_stride]),
                    of("right", right, [p.right_offset, p.right_member_stride]),
                )
            }
            grouped => return Grouped::of(grouped).map(|grouped| grouped.largest()),
        };
        let quads = call.variants.precision == Precision::F32
            && match &call.parameters {
                Parameters::DenseForward(p) => aligned(&[p.outputs, p.output_member_stride]),
                Parameters::InputGradient(p) => aligned(&[p.inputs, p.below_member_stride]),
                _ => false,
            };
        let [columns, rows, members] = call.extent;
        Some(Self { kernel: call.kernel, rows, columns, depth, members, a, b, quads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_that_takes_too_long_is_tried_with_fewer_rows() {
        let operand =
            |buffer| Operand { buffer, along: Along::Breadth, quads: true, gathered: false };
        let product = |rows, members| Product {
            kernel: Kernel::MatrixProduct,
            rows,
            columns: 4096,
            depth: 4096,
            members,
            a: operand("left"),
            b: operand("right"),
            quads: false,
        };
        let most = 32_000_000_000;
        assert_eq!(product(64, 1).of_at_most(most), product(64, 1));
        assert_eq!(product(64, 64).of_at_most(most), product(64, 8));
        assert_eq!(product(20_000, 5).of_at_most(most), product(628, 1));
        let huge = product(u32::MAX, u32::MAX).of_at_most(most);
        assert!(huge.multiplications() <= most && huge.rows % 4 == 0, "{huge:?}");
        // Nothing is less.
        assert_eq!(product(4, 1).of_at_most(1), product(4, 1));
    }
}
