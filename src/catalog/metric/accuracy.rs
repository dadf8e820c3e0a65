//! 1 for a row whose class is predicted, else 0. One output: the class is 1 where the logit is
//! above 0; several: the first of the largest.
//!
//! The metric is the mean over the rows; of labels, the share of rows all of whose labels are
//! predicted, each where its probability is above 1/2.
//!
//! Source: `sklearn.metrics.accuracy_score`.

use super::Formula;
use crate::catalog::loss::class_of;
use crate::kernels::Real;

pub(super) struct Variant;

impl Formula for Variant {
    fn term<R: Real>(logits: &[R], targets: &[R], _unit: usize) -> R {
        let predicted = match logits {
            [logit] => usize::from(*logit > R::zero()),
            _ => {
                (1..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best })
            }
        };
        let class = if targets.len() > 1 {
            (1..targets.len()).fold(0, |best, i| if targets[i] > targets[best] { i } else { best })
        } else {
            class_of(targets[0])
        };
        if predicted == class { R::one() } else { R::zero() }
    }
}
