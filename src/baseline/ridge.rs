//! Ridge regression in closed form: the weights that minimise
//! `sum of w (y - b - x . v)^2 + alpha |v|^2`, by Cholesky's factors of the normal equations.

use rayon::prelude::*;

use super::job::{Job, features, targets};
use super::linear::{Model, chunks};

/// The normal equations of centred rows.
pub(super) struct Equations {
    inputs: usize,
    outputs: usize,
    means: Vec<f64>,
    target_means: Vec<f64>,
    /// `[inputs, inputs]`, its lower triangle.
    gram: Vec<f64>,
    /// `[outputs, inputs]`.
    products: Vec<f64>,
}

impl Equations {
    /// Those of some of a job's training rows, at equal distances.
    pub(super) fn of(job: &Job, rows: usize) -> Self {
        let (inputs, outputs) = (job.inputs, job.train.target_width);
        let row = |at: usize| at * job.train.rows / rows;
        let (mut means, mut target_means) = (vec![0.0; inputs], vec![0.0; outputs]);
        let total: f64 = (0..rows).map(|at| job.weights[row(at)]).sum();
        for row in (0..rows).map(row) {
            let weight = job.weights[row] / total;
            let add = |sums: &mut [f64], values: &[f32]| {
                sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += weight * f64::from(*x));
            };
            add(&mut means, features(&job.train, row));
            add(&mut target_means, targets(&job.train, row));
        }
        let of_chunk = |chunk: std::ops::Range<usize>| {
            let mut gram = vec![0.0; inputs * inputs];
            let mut products = vec![0.0; outputs * inputs];
            let mut centred = vec![0.0; inputs];
            for row in chunk.map(row) {
                let weight = job.weights[row];
                for ((c, x), mean) in centred.iter_mut().zip(features(&job.train, row)).zip(&means)
                {
                    *c = f64::from(*x) - mean;
                }
                pulp::Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        for i in 0..inputs {
                            let factor = weight * centred[i];
                            if factor == 0.0 {
                                continue;
                            }
                            let line = &mut gram[i * inputs..i * inputs + i + 1];
                            line.iter_mut().zip(&centred).for_each(|(g, c)| *g += factor * c);
                        }
                        for (output, y) in targets(&job.train, row).iter().enumerate() {
                            let factor = weight * (f64::from(*y) - target_means[output]);
                            let line = &mut products[output * inputs..(output + 1) * inputs];
                            line.iter_mut().zip(&centred).for_each(|(p, c)| *p += factor * c);
                        }
                    },
                );
            }
            (gram, products)
        };
        let parts: Vec<_> = chunks(rows, inputs * inputs).into_par_iter().map(of_chunk).collect();
        let mut gram = vec![0.0; inputs * inputs];
        let mut products = vec![0.0; outputs * inputs];
        for (own_gram, own_products) in parts {
            gram.iter_mut().zip(&own_gram).for_each(|(sum, own)| *sum += own);
            products.iter_mut().zip(&own_products).for_each(|(sum, own)| *sum += own);
        }
        Self { inputs, outputs, means, target_means, gram, products }
    }

    /// The model of a penalty; none where the equations cannot be solved.
    pub(super) fn solve(&self, penalty: f64) -> Option<Model> {
        let n = self.inputs;
        let mut factor = self.gram.clone();
        for i in 0..n {
            factor[i * n + i] += penalty;
        }
        // Cholesky's, row by row.
        for i in 0..n {
            for j in 0..=i {
                let (before, own) = factor.split_at(i * n);
                let known: f64 = match j < i {
                    true => {
                        own[..j].iter().zip(&before[j * n..j * n + j]).map(|(a, b)| a * b).sum()
                    }
                    false => own[..j].iter().map(|a| a * a).sum(),
                };
                let rest = factor[i * n + j] - known;
                factor[i * n + j] = match j < i {
                    true => rest / factor[j * n + j],
                    false if rest > 0.0 => rest.sqrt(),
                    false => return None,
                };
            }
        }
        let mut weights = self.products.clone();
        let mut biases = Vec::with_capacity(self.outputs);
        for (weights, mean) in weights.chunks_exact_mut(n).zip(&self.target_means) {
            for i in 0..n {
                let line = &factor[i * n..i * n + i];
                let known: f64 = line.iter().zip(&*weights).map(|(l, w)| l * w).sum();
                weights[i] = (weights[i] - known) / factor[i * n + i];
            }
            for i in (0..n).rev() {
                let known: f64 = (i + 1..n).map(|j| factor[j * n + i] * weights[j]).sum();
                weights[i] = (weights[i] - known) / factor[i * n + i];
            }
            let centre: f64 = weights.iter().zip(&self.means).map(|(w, mean)| w * mean).sum();
            biases.push(mean - centre);
        }
        Some(Model { inputs: n, weights, biases, converged: true })
    }
}
