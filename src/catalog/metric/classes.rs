//! Metrics of predicted classes and labels: the confusion matrix and what is counted in it, and
//! whether the class is among the likeliest.
//!
//! With tp the rows of a class that are predicted to be so, "said" those predicted so and "true"
//! those that are: precision = tp / said, recall = tp / true, F1 = 2 tp / (said + true), each 0
//! where the divisor is 0. `macro` is the mean over the classes, `weighted` the mean weighted by
//! "true", `micro` that of the sums over the classes. The classes are those that occur in the set
//! or in its predictions (multilabel: all labels), as in scikit-learn; the name alone is the
//! positive class of a binary task, else `macro`.

use super::outputs::{Outputs, first_largest, mean};
use crate::config::data::Task;

/// Rows of each class (down) that were predicted to be of each class (across); empty for a task
/// without classes. As scikit-learn's `confusion_matrix` with all labels.
pub fn confusion_matrix(outputs: &Outputs) -> Vec<Vec<u64>> {
    if !outputs.has_classes() || !outputs.is_sound() {
        return Vec::new();
    }
    let mut matrix = vec![vec![0; outputs.width]; outputs.width];
    for (class, row) in outputs.classes().zip(outputs.rows()) {
        if let Some(count) =
            matrix.get_mut(class).and_then(|row_of| row_of.get_mut(first_largest(row)))
        {
            *count += 1;
        }
    }
    matrix
}

/// What is counted of one class or label.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Rows that are and are predicted so.
    both: f64,
    /// Rows that are predicted so.
    said: f64,
    /// Rows that are so.
    is: f64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self { both: self.both + other.both, said: self.said + other.said, is: self.is + other.is }
    }

    fn precision(self) -> f64 {
        share(self.both, self.said)
    }

    fn recall(self) -> f64 {
        share(self.both, self.is)
    }

    fn f1(self) -> f64 {
        share(2.0 * self.both, self.said + self.is)
    }
}

/// 0 for a divisor of 0.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The counts of every class, or label.
fn counts(outputs: &Outputs) -> Vec<Counts> {
    if outputs.has_classes() {
        let matrix = confusion_matrix(outputs);
        return (0..outputs.width)
            .map(|class| Counts {
                both: matrix[class][class] as f64,
                said: matrix.iter().map(|row| row[class]).sum::<u64>() as f64,
                is: matrix[class].iter().sum::<u64>() as f64,
            })
            .collect();
    }
    (0..outputs.width)
        .map(|label| {
            let pairs = outputs.is(label).into_iter().zip(outputs.says(label));
            pairs.fold(Counts::default(), |counts, (is, said)| {
                let one = |flag: bool| f64::from(u8::from(flag));
                counts.plus(Counts { both: one(is && said), said: one(said), is: one(is) })
            })
        })
        .collect()
}

/// The counts of the classes that occur, or of all labels.
fn occurring(outputs: &Outputs) -> Vec<Counts> {
    let mut all = counts(outputs);
    if outputs.has_classes() {
        all.retain(|class| class.said > 0.0 || class.is > 0.0);
    }
    all
}

fn macro_mean(outputs: &Outputs, value: fn(Counts) -> f64) -> f64 {
    mean(occurring(outputs).into_iter().map(value))
}

fn of_sums(outputs: &Outputs, value: fn(Counts) -> f64) -> f64 {
    value(occurring(outputs).into_iter().fold(Counts::default(), Counts::plus))
}

fn weighted_mean(outputs: &Outputs, value: fn(Counts) -> f64) -> f64 {
    let all = occurring(outputs);
    let weight: f64 = all.iter().map(|class| class.is).sum();
    if weight > 0.0 {
        all.iter().map(|class| value(*class) * class.is).sum::<f64>() / weight
    } else {
        mean(all.into_iter().map(value))
    }
}

fn of_task(outputs: &Outputs, value: fn(Counts) -> f64) -> f64 {
    match (outputs.task, counts(outputs).get(1)) {
        (Task::Binary, Some(positive)) => value(*positive),
        _ => macro_mean(outputs, value),
    }
}

macro_rules! averages {
    ($($value:ident: $plain:ident $macro:ident $micro:ident $weighted:ident;)*) => {$(
        #[doc = concat!("The ", stringify!($value), " of the positive class, else `macro`.")]
        pub(super) fn $plain(outputs: &Outputs) -> f64 {
            of_task(outputs, Counts::$value)
        }

        #[doc = concat!("The mean ", stringify!($value), " of the classes.")]
        pub(super) fn $macro(outputs: &Outputs) -> f64 {
            macro_mean(outputs, Counts::$value)
        }

        #[doc = concat!("The ", stringify!($value), " of the sums over the classes.")]
        pub(super) fn $micro(outputs: &Outputs) -> f64 {
            of_sums(outputs, Counts::$value)
        }

        #[doc = concat!("The mean ", stringify!($value), " of the rows' classes.")]
        pub(super) fn $weighted(outputs: &Outputs) -> f64 {
            weighted_mean(outputs, Counts::$value)
        }
    )*};
}

averages! {
    precision: precision precision_macro precision_micro precision_weighted;
    recall: recall recall_macro recall_micro recall_weighted;
    f1: f1 f1_macro f1_micro f1_weighted;
}

/// The mean recall of the classes that the set has.
pub(super) fn balanced_accuracy(outputs: &Outputs) -> f64 {
    mean(counts(outputs).into_iter().filter(|class| class.is > 0.0).map(Counts::recall))
}

/// Matthews' correlation coefficient, of several classes as in Gorodkin 2004: with n rows of which
/// c are right, (c n - sum said true) / sqrt((n^2 - sum said^2) (n^2 - sum true^2)); 0 where the
/// divisor is 0.
pub(super) fn matthews(outputs: &Outputs) -> f64 {
    let all = counts(outputs);
    let sum = |value: fn(&Counts) -> f64| all.iter().map(value).sum::<f64>();
    let n = outputs.rows as f64;
    let right = sum(|class| class.both);
    let spread =
        (n * n - sum(|class| class.said * class.said)) * (n * n - sum(|class| class.is * class.is));
    if spread > 0.0 {
        (right * n - sum(|class| class.said * class.is)) / spread.sqrt()
    } else {
        0.0
    }
}

/// Share of rows whose class is among the `k` likeliest; of equally likely classes the later
/// counts as likelier, as in scikit-learn.
fn top_accuracy(outputs: &Outputs, k: usize) -> f64 {
    let hits = outputs.classes().zip(outputs.rows()).map(|(class, row)| {
        let Some(own) = row.get(class) else { return 0.0 };
        let before = row
            .iter()
            .enumerate()
            .filter(|(i, other)| *other > own || (*other == own && *i > class))
            .count();
        f64::from(u8::from(before < k))
    });
    mean(hits)
}

/// Share of rows whose class is among the 2 likeliest.
pub(super) fn top_2_accuracy(outputs: &Outputs) -> f64 {
    top_accuracy(outputs, 2)
}

/// Share of rows whose class is among the 3 likeliest.
pub(super) fn top_3_accuracy(outputs: &Outputs) -> f64 {
    top_accuracy(outputs, 3)
}

/// Share of rows whose class is among the 5 likeliest.
pub(super) fn top_5_accuracy(outputs: &Outputs) -> f64 {
    top_accuracy(outputs, 5)
}
