//! Lists of classes or categories: their order, and finding a value in them.

use std::collections::HashMap;

use super::cell::Cell;

/// A list of labels with quick look-up. Labels that are all numbers are matched as numbers, so
/// that `1`, `1.0` and `01` are one label; else as text.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    texts: HashMap<String, usize>,
    numbers: Option<HashMap<u64, usize>>,
}

impl Labels {
    /// The look-up of a list as it stands.
    pub(super) fn new(list: &[String]) -> Self {
        let texts = list.iter().enumerate().map(|(index, label)| (label.clone(), index)).collect();
        let numbers =
            list.iter().enumerate().map(|(index, label)| Some((key(label)?, index))).collect();
        Self { texts, numbers }
    }

    /// The index of a label.
    pub(super) fn find(&self, label: &str) -> Option<usize> {
        self.texts
            .get(label)
            .or_else(|| self.numbers.as_ref().and_then(|numbers| numbers.get(&key(label)?)))
            .copied()
    }
}

/// One key for all the ways to write a number.
fn key(label: &str) -> Option<u64> {
    match Cell::of(label) {
        Cell::Number(number) => Some((number + 0.0).to_bits()),
        _ => None,
    }
}

/// Sorts labels, by value when all are numbers and else as text, and makes equal numbers one
/// (the first spelling stays). Gives the list and, for each label given, its index in it.
pub(super) fn sort_labels(found: Vec<String>) -> (Vec<String>, Vec<u32>) {
    let numbers: Option<Vec<f64>> = found
        .iter()
        .map(|label| match Cell::of(label) {
            Cell::Number(number) => Some(number + 0.0),
            _ => None,
        })
        .collect();
    let mut order: Vec<usize> = (0..found.len()).collect();
    match &numbers {
        Some(numbers) => order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b])),
        None => order.sort_by(|a, b| found[*a].cmp(&found[*b])),
    }
    let mut list: Vec<String> = Vec::new();
    let mut new = vec![0_u32; found.len()];
    let mut last: Option<usize> = None;
    let mut next = 0_u32;
    for index in order {
        let same = last.is_some_and(|last| match &numbers {
            Some(numbers) => numbers[last] == numbers[index],
            None => found[last] == found[index],
        });
        if !same {
            list.push(found[index].clone());
            next += 1;
            last = Some(index);
        }
        new[index] = next - 1;
    }
    (list, new)
}
