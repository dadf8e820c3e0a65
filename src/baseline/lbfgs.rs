//! L-BFGS: the minimum of a smooth function by its gradient.
//!
//! Source: Nocedal and Wright, Numerical Optimization, 2nd edition, algorithms 7.4 and 7.5; the step's
//! length is bisected until the weak Wolfe conditions hold (Lewis and Overton 2013, algorithm 2.6).

use std::collections::VecDeque;

/// Steps that are remembered.
const MEMORY: usize = 10;

/// Conditions of Wolfe.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;

/// What a value may rise by rounding, as a share of it. Where a fall is lost in that, the slope decides
/// (Hager and Zhang 2005, the approximate Wolfe conditions).
const ROUNDING: f64 = 1e-13;

/// Lengths of a step that are tried.
const LENGTHS: usize = 40;

/// When to end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Steps at most.
    pub(super) steps: usize,
    /// The largest element of the gradient that is taken for 0.
    pub(super) gradient: f64,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, direction: &[f64]) {
    to.iter_mut().zip(direction).for_each(|(to, d)| *to += factor * d);
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| value.abs().max(most))
}

/// A step that was taken, and how the gradient changed by it.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
}

/// Moves `at` to the minimum of `of`, which gives the value and fills the gradient. Returns whether it
/// was reached: where no step leads further down, it is as near as rounding lets it be.
pub(super) fn minimise(
    at: &mut Vec<f64>,
    of: &mut dyn FnMut(&[f64], &mut [f64]) -> f64,
    limits: Limits,
) -> bool {
    let mut gradient = vec![0.0; at.len()];
    let mut value = of(at, &mut gradient);
    let mut pairs: VecDeque<Pair> = VecDeque::new();
    for _ in 0..limits.steps {
        if largest(&gradient) <= limits.gradient {
            return true;
        }
        let mut direction = descent(&gradient, &pairs);
        let mut slope = dot(&gradient, &direction);
        if slope >= 0.0 {
            pairs.clear();
            direction = descent(&gradient, &pairs);
            slope = dot(&gradient, &direction);
        }
        let (mut low, mut high, mut length) = (0.0, f64::INFINITY, 1.0);
        let mut moved = at.clone();
        let mut found = vec![0.0; at.len()];
        let mut reached = f64::INFINITY;
        let mut accepted = false;
        for _ in 0..LENGTHS {
            moved.copy_from_slice(at);
            add(&mut moved, length, &direction);
            reached = of(&moved, &mut found);
            let slope_there = dot(&found, &direction);
            let falls = reached <= value + DECREASE * length * slope
                || (reached <= value + ROUNDING * value.abs()
                    && slope_there <= (2.0 * DECREASE - 1.0) * slope);
            if !falls {
                high = length;
            } else if slope_there < CURVATURE * slope {
                low = length;
            } else {
                accepted = true;
                break;
            }
            length = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
        }
        // NaN is no fall either.
        let is_lower = reached < value;
        if !accepted && !is_lower {
            return true;
        }
        let step: Vec<f64> = moved.iter().zip(&*at).map(|(new, old)| new - old).collect();
        let change: Vec<f64> = found.iter().zip(&gradient).map(|(new, old)| new - old).collect();
        let product = dot(&step, &change);
        if product > 0.0 {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back(Pair { step, change, product });
        }
        (*at, gradient, value) = (moved, found, reached);
    }
    largest(&gradient) <= limits.gradient
}

/// The direction of the next step: algorithm 7.4. The first one is as long as 1.
fn descent(gradient: &[f64], pairs: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let Some(last) = pairs.back() else {
        let norm = dot(gradient, gradient).sqrt().max(1.0);
        direction.iter_mut().for_each(|d| *d /= norm);
        return direction;
    };
    let mut shares = Vec::with_capacity(pairs.len());
    for Pair { step, change, product } in pairs.iter().rev() {
        let share = dot(step, &direction) / product;
        add(&mut direction, -share, change);
        shares.push(share);
    }
    let scale = last.product / dot(&last.change, &last.change);
    direction.iter_mut().for_each(|d| *d *= scale);
    for (Pair { step, change, product }, share) in pairs.iter().zip(shares.into_iter().rev()) {
        let back = dot(change, &direction) / product;
        add(&mut direction, share - back, step);
    }
    direction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rosenbrock_and_an_ill_conditioned_bowl_are_solved() {
        let limits = Limits { steps: 5000, gradient: 1e-9 };
        let mut at = vec![-1.2, 1.0];
        let reached = minimise(
            &mut at,
            &mut |x, g| {
                let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
                g[0] = -2.0 * a - 400.0 * x[0] * b;
                g[1] = 200.0 * b;
                a * a + 100.0 * b * b
            },
            limits,
        );
        assert!(reached && (at[0] - 1.0).abs() < 1e-8 && (at[1] - 1.0).abs() < 1e-8, "{at:?}");
        let mut at = vec![1.0; 50];
        let reached = minimise(
            &mut at,
            &mut |x, g| {
                let bowl = |i: usize| 10.0_f64.powf(4.0 * i as f64 / 49.0);
                (0..50).for_each(|i| g[i] = bowl(i) * (x[i] - i as f64));
                (0..50).map(|i| 0.5 * bowl(i) * (x[i] - i as f64).powi(2)).sum()
            },
            limits,
        );
        assert!(reached);
        assert!(at.iter().enumerate().all(|(i, x)| (x - i as f64).abs() < 1e-8), "{at:?}");
    }
}
