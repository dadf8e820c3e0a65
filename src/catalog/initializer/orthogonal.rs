//! A matrix whose rows, or columns where there are fewer of them, are at right angles and of length
//! `gain`: the Q of the QR decomposition of a standard normal matrix of shape (max, min) of units and
//! inputs, times the sign of R's diagonal, transposed where units < inputs, times gain (Saxe et al.,
//! "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2013;
//! `torch.nn.init.orthogonal_(gain)`, `keras.initializers.Orthogonal(gain)`). The sign makes Q uniform
//! over all such matrices (Mezzadri, Notices of the AMS 54, 2007). Weights only.
//!
//! QR is Householder's (Golub and Van Loan, "Matrix Computations", algorithm 5.2.1), in f64. Every
//! column is worked on by one thread at a time and every sum has one order, so the bits depend on
//! neither the machine nor the number of threads.

use rayon::prelude::*;

use super::sampling::normal_quantile;
use super::{Request, Start};
use crate::random::Stream;

pub(super) fn start(request: &Request) -> Start {
    Start::Orthogonal { gain: request.values[0] }
}

/// Elements a thread takes at least: fewer are not worth waking one.
const GRAIN: usize = 16_384;

/// Fills `[units, inputs]`. Element (i, j) of the normal matrix is that of counter i min + j.
pub(super) fn fill(gain: f64, stream: &Stream, inputs: usize, values: &mut [f32]) {
    let inputs = inputs.max(1);
    let units = values.len() / inputs;
    let (long, short) = (units.max(inputs), units.min(inputs));
    if short == 0 {
        return;
    }
    let grain = (GRAIN / long).max(1);
    // Column after column.
    let mut a = vec![0.0; long * short];
    a.par_chunks_exact_mut(long).with_min_len(grain).enumerate().for_each(|(j, column)| {
        for (i, value) in column.iter_mut().enumerate() {
            *value = normal_quantile(stream.uniform_f64((i * short + j) as u64));
        }
    });
    let reflections: Vec<Reflection> = (0..short)
        .map(|k| {
            let (done, rest) = a.split_at_mut((k + 1) * long);
            let reflection = Reflection::of(&done[k * long + k..]);
            reflection.apply(&mut rest[..], long, k, grain);
            reflection
        })
        .collect();
    // Q = H_0 H_1 .. times the first columns of the identity, from the right.
    let mut q = vec![0.0; long * short];
    for k in 0..short {
        q[k * long + k] = 1.0;
    }
    for (k, reflection) in reflections.iter().enumerate().rev() {
        reflection.apply(&mut q[k * long..], long, k, grain);
    }
    for (unit, row) in values.chunks_exact_mut(inputs).enumerate() {
        for (input, value) in row.iter_mut().enumerate() {
            let (i, j) = if units >= inputs { (unit, input) } else { (input, unit) };
            *value = (gain * reflections[j].sign * q[j * long + i]) as f32;
        }
    }
}

/// H = I - 2 v v^T / (v^T v), which takes a column to a multiple of the first axis.
struct Reflection {
    v: Vec<f64>,
    /// 2 / (v^T v).
    scale: f64,
    /// The sign of that multiple, R's element on the diagonal.
    sign: f64,
}

impl Reflection {
    fn of(column: &[f64]) -> Self {
        let mut v = column.to_vec();
        let norm = dot(&v, &v).sqrt();
        // Away from the column's own direction, so that nothing cancels.
        let sign = if v[0] > 0.0 { -1.0 } else { 1.0 };
        v[0] -= sign * norm;
        let square = dot(&v, &v);
        Self { v, scale: if square > 0.0 { 2.0 / square } else { 0.0 }, sign }
    }

    /// Applies it to the rows from `first` on of each column.
    fn apply(&self, columns: &mut [f64], long: usize, first: usize, grain: usize) {
        columns.par_chunks_exact_mut(long).with_min_len(grain).for_each(|column| {
            let column = &mut column[first..];
            let share = self.scale * dot(&self.v, column);
            for (value, v) in column.iter_mut().zip(&self.v) {
                *value -= share * v;
            }
        });
    }
}

/// A sum in one order, of eight interleaved parts that a processor can sum side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut parts = [0.0; 8];
    let (a, rest_a) = a.as_chunks::<8>();
    let (b, rest_b) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for ((part, a), b) in parts.iter_mut().zip(a).zip(b) {
            *part += a * b;
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    parts.iter().sum::<f64>() + rest
}
