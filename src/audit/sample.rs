//! The rows that columns are looked at on, and a column of them in order.

use crate::analysis::columns::{Place, image_side, places};
use crate::config::data::Task;
use crate::data::{Dataset, Preprocessing, Rows};

/// Values that are looked at at most.
const MOST_VALUES: usize = 2_000_000;

/// Rows of a set that are looked at at least, where it has them.
const LEAST_ROWS: usize = 1_000;

/// Targets or labels that are looked at at most: the first ones.
const MOST_TARGETS: usize = 16;

/// A set's name with its rows.
pub(super) type Set<'a> = (&'static str, &'a Rows);

/// The training set, then those held out.
pub(super) fn sets(dataset: &Dataset) -> Vec<Set<'_>> {
    let Dataset { train, validation, test, .. } = dataset;
    let held_out = [("validation", validation.as_ref()), ("test", test.as_ref())];
    let held_out = held_out.into_iter().filter_map(|(set, rows)| Some((set, rows?)));
    std::iter::once(("training", train)).chain(held_out).collect()
}

/// Where each row of a set is in its file, from 0.
pub(super) fn numbers(dataset: &Dataset, set: &str, rows: usize) -> Vec<usize> {
    let held_out = &dataset.held_out;
    match set {
        "validation" if !held_out.validation.is_empty() => held_out.validation.clone(),
        "test" if !held_out.test.is_empty() => held_out.test.clone(),
        "training" => {
            // What is not held out, in the file's order.
            let mut taken = [held_out.validation.as_slice(), held_out.test.as_slice()].concat();
            taken.sort_unstable();
            let mut taken = taken.into_iter().peekable();
            (0..).filter(|row| taken.next_if_eq(row).is_none()).take(rows).collect()
        }
        _ => (0..rows).collect(),
    }
}

/// One target of the rows.
pub(super) enum TargetValues {
    /// Classes, and how many there are.
    Classes(Vec<u32>, usize),
    /// Numbers.
    Numbers(Vec<f64>),
}

/// A target with its name.
pub(super) struct SampledTarget {
    pub(super) name: String,
    pub(super) values: TargetValues,
}

/// Rows of every set.
pub(super) struct Sample<'a> {
    /// Each column with its inputs.
    pub(super) places: Vec<Place<'a>>,
    /// Whether the columns are pixels.
    pub(super) is_image: bool,
    /// The encoded rows: those of training first, in the file's order.
    pub(super) rows: Vec<&'a [f32]>,
    /// The set of each row: its index in `sets`.
    pub(super) set_of: Vec<u8>,
    /// The sets' names, that of training first.
    pub(super) sets: Vec<&'static str>,
    /// The targets.
    pub(super) targets: Vec<SampledTarget>,
}

impl<'a> Sample<'a> {
    pub(super) fn of(dataset: &'a Dataset) -> Self {
        let preprocessing = &dataset.preprocessing;
        let inputs = preprocessing.inputs().max(1);
        let sets = sets(dataset);
        let most = (MOST_VALUES / inputs / sets.len()).max(LEAST_ROWS);
        let mut sample = Self {
            places: places(preprocessing),
            is_image: image_side(preprocessing).is_some(),
            rows: Vec::new(),
            set_of: Vec::new(),
            sets: sets.iter().map(|(name, _)| *name).collect(),
            targets: empty_targets(preprocessing),
        };
        for (at, (_, set)) in sets.iter().enumerate() {
            let count = set.rows.min(most);
            let width = set.targets.len() / set.rows.max(1);
            for row in (0..count).map(|i| i * set.rows / count) {
                sample.rows.push(&set.features[row * inputs..(row + 1) * inputs]);
                sample.set_of.push(at as u8);
                sample.push_targets(&set.targets[row * width..(row + 1) * width], preprocessing);
            }
        }
        sample
    }

    fn push_targets(&mut self, own: &[f32], preprocessing: &Preprocessing) {
        for (at, target) in self.targets.iter_mut().enumerate() {
            match &mut target.values {
                TargetValues::Classes(classes, _) => {
                    let class = match preprocessing.task() {
                        Task::Multilabel => u32::from(own[at] > 0.5),
                        _ => class(own) as u32,
                    };
                    classes.push(class);
                }
                TargetValues::Numbers(numbers) => numbers.push(f64::from(own[at])),
            }
        }
    }

    /// The name of a column.
    pub(super) fn name(&self, column: usize) -> String {
        self.places[column].column.name.clone()
    }

    /// Training rows of the sample.
    pub(super) fn training_rows(&self) -> usize {
        self.set_of.iter().take_while(|set| **set == 0).count()
    }
}

/// A row's class: its index, or the likeliest one.
pub(super) fn class(own: &[f32]) -> usize {
    match own {
        [class] => *class as usize,
        shares => (1..shares.len()).fold(0, |b, i| if shares[i] > shares[b] { i } else { b }),
    }
}

fn empty_targets(preprocessing: &Preprocessing) -> Vec<SampledTarget> {
    let names = preprocessing.target_names();
    let classes = |count| TargetValues::Classes(Vec::new(), count);
    match preprocessing.task() {
        Task::Classification | Task::Binary => {
            let name = if names.len() == 1 { names[0].clone() } else { "target".to_owned() };
            vec![SampledTarget { name, values: classes(preprocessing.classes().len()) }]
        }
        task => names
            .iter()
            .take(MOST_TARGETS)
            .map(|name| {
                let values = match task {
                    Task::Multilabel => classes(2),
                    _ => TargetValues::Numbers(Vec::new()),
                };
                SampledTarget { name: name.clone(), values }
            })
            .collect(),
    }
}

/// One column of the sample, in order of its values. A category's value is its index.
pub(super) struct Sorted {
    pub(super) column: usize,
    /// Row and value, ascending.
    pub(super) order: Vec<(u32, f32)>,
    /// Whether the values are categories.
    pub(super) is_categorical: bool,
}

impl Sorted {
    pub(super) fn new(sample: &Sample, column: usize) -> Self {
        let place = &sample.places[column];
        let is_categorical = place.is_categorical();
        let value = |row: &[f32]| {
            let own = &row[place.first..place.first + place.width];
            match is_categorical && place.column.encoding.table().is_none() {
                true => own.iter().position(|x| *x > 0.5).map_or(-1.0, |at| at as f32),
                // A number, or a category's code; 0 and -0 are one value.
                false => own[0] + 0.0,
            }
        };
        let mut order: Vec<(u32, f32)> =
            sample.rows.iter().enumerate().map(|(at, row)| (at as u32, value(row))).collect();
        order.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        Self { column, order, is_categorical }
    }
}
