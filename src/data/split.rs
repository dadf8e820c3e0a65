//! Which rows of the training file are for training, validation and test.

use std::collections::HashMap;
use std::path::Path;

use rand::seq::SliceRandom;

use super::cell::{Cell, Fault, quoted};
use super::encoding::seconds;
use super::folds::{self, Folds};
use super::read::{Cells, Chunk, SchemaColumn};
use super::table::no_such_column;
use crate::config::data::{ColumnReference, DataSettings, Portion, SplitBy};
use crate::error::{Error, Place, Result};
use crate::random::{Purpose, Stream};

/// Row indices of each set, ascending, and the folds of the training rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) train: Vec<usize>,
    pub(super) validation: Vec<usize>,
    pub(super) test: Vec<usize>,
    pub(super) folds: Option<Folds>,
}

/// What rows are split by, beside chance and their classes: a column's values, taken row by row.
#[derive(Debug, Clone)]
pub(super) enum Keys {
    /// Nothing.
    None,
    /// Which group each row is of.
    Groups {
        /// The column's index.
        column: usize,
        lookup: HashMap<String, u32>,
        /// One a row, numbered as they appear.
        codes: Vec<u32>,
    },
    /// When each row is from.
    Times {
        /// The column's index.
        column: usize,
        /// One a row: numbers, or seconds since 1970.
        times: Vec<f64>,
    },
}

impl Keys {
    /// Those of the settings, with no rows yet, in a file whose columns have these names.
    pub(super) fn of(names: &[String], file: &Path, settings: &DataSettings) -> Result<Self> {
        let find = |key: &str, column: &ColumnReference| {
            let index = match column {
                ColumnReference::Index(index) => Some(*index).filter(|index| *index < names.len()),
                ColumnReference::Name(name) => names.iter().position(|known| known == name),
            };
            index.ok_or_else(|| no_such_column(format!("data.split.{key}"), column, names, file))
        };
        Ok(match &settings.split {
            SplitBy::Random => Self::None,
            SplitBy::Group(column) => Self::Groups {
                column: find("group", column)?,
                lookup: HashMap::new(),
                codes: Vec::new(),
            },
            SplitBy::Time(column) => {
                Self::Times { column: find("time", column)?, times: Vec::new() }
            }
        })
    }

    /// The index of the column that they are in.
    pub(super) fn column(&self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Groups { column, .. } | Self::Times { column, .. } => Some(*column),
        }
    }

    /// Takes the next row's cell.
    fn push(&mut self, field: &str) -> Result<(), Fault> {
        let cell = Cell::of(field);
        if cell == Cell::Missing {
            return Err(Fault {
                help: "data.split goes by this column, so every row needs a value".to_owned(),
                ..Fault::missing_target(field)
            });
        }
        match self {
            Self::None => {}
            Self::Groups { lookup, codes, .. } => {
                let next = u32::try_from(lookup.len()).unwrap_or(u32::MAX);
                codes.push(*lookup.entry(field.to_owned()).or_insert(next));
            }
            Self::Times { times, .. } => {
                let time = match cell {
                    Cell::Number(number) => Some(number),
                    _ => seconds(field),
                };
                times.push(time.ok_or_else(|| Fault {
                    problem: format!("{} is neither a number nor a date", quoted(field)),
                    help: "data.split.time goes by numbers or by dates in ISO 8601".to_owned(),
                })?);
            }
        }
        Ok(())
    }

    /// Takes the cells of a chunk's rows.
    pub(super) fn take(
        &mut self,
        chunk: &Chunk,
        column: usize,
        schema: &SchemaColumn,
    ) -> Result<()> {
        let fault = |row: usize, fault: Fault| {
            Error::data(&chunk.file, chunk.place(row, Some(&schema.name)), fault.problem)
                .with_help(fault.help)
        };
        match &chunk.columns[column] {
            Cells::Skipped => Ok(()),
            Cells::Text(texts) => texts
                .iter()
                .enumerate()
                .try_for_each(|(row, field)| self.push(field).map_err(|why| fault(row, why))),
            Cells::Numbers(numbers) => (0..numbers.len()).try_for_each(|row| {
                let value = numbers.get(row).unwrap_or(f64::NAN);
                self.push_number(value).map_err(|why| fault(row, why))
            }),
        }
    }

    /// Takes the next row's value where the column holds numbers or, in seconds since 1970, dates.
    fn push_number(&mut self, value: f64) -> Result<(), Fault> {
        match self {
            Self::Times { times, .. } if !value.is_nan() => times.push(value),
            _ if value.is_nan() => return self.push(""),
            _ => return self.push(&value.to_string()),
        }
        Ok(())
    }
}

/// Splits `rows` rows. With `classes` (each row's class, and their number) and
/// `settings.stratify`, every class keeps its share in every set, as nearly as whole rows allow,
/// and its last row stays in training where that is possible. Without `settings.shuffle` the
/// file's order decides: training rows first, then validation, then test. Groups stay together and
/// times part them where `keys` has some.
pub(super) fn split(
    file: &Path,
    rows: usize,
    keys: &Keys,
    classes: Option<(&[u32], usize)>,
    settings: &DataSettings,
) -> Result<Split> {
    let validation = size(&settings.validation, rows);
    let test = size(&settings.test, rows);
    let held_out = validation.saturating_add(test);
    if held_out >= rows {
        let problem = format!(
            "{rows} rows are too few to split: validation takes {validation} and test {test}, \
             which leaves none for training"
        );
        return Err(Error::data(file, Place::default(), problem)
            .with_help("give smaller shares in data.validation and data.test, or 0"));
    }
    let Ok(count) = u32::try_from(rows) else {
        let problem = format!("{rows} rows are too many");
        return Err(Error::data(file, Place::default(), problem)
            .with_help("at most 2^32 - 1 rows can be addressed"));
    };
    // Not a word more a row than it takes: the rows may be very many.
    let mut order: Vec<u32> = (0..count).collect();
    if settings.shuffle && held_out > 0 {
        order.shuffle(&mut Stream::new(settings.seed, Purpose::Split, 0, 0));
    }
    if let Keys::Times { times, .. } = keys {
        // A stable sort: rows of one time stay in file order.
        order = (0..count).collect();
        order.sort_by(|a, b| times[*a as usize].total_cmp(&times[*b as usize]));
    }
    let mut split = match classes {
        _ if let Keys::Groups { codes, .. } = keys => {
            grouped(&order, codes, validation, test).ok_or_else(|| too_few_groups(file, codes))?
        }
        Some((codes, count))
            if matches!(keys, Keys::None)
                && settings.shuffle
                && settings.stratify
                && held_out > 0 =>
        {
            stratified(order, codes, count, validation, test)
        }
        _ => {
            let (order, test) = order.split_at(rows - test);
            let (train, validation) = order.split_at(rows - held_out);
            let mut split = Split::default();
            split.train.extend(rows_of(train));
            split.validation.extend(rows_of(validation));
            split.test.extend(rows_of(test));
            split
        }
    };
    for set in [&mut split.train, &mut split.validation, &mut split.test] {
        set.sort_unstable();
    }
    if let Some(count) = settings.folds {
        split.folds = Some(folds::part(file, count, &split.train, keys, classes, settings)?);
    }
    Ok(split)
}

/// Rows as indices.
fn rows_of(rows: &[u32]) -> impl Iterator<Item = usize> {
    rows.iter().map(|row| *row as usize)
}

/// The rows that a share takes: rounded, and at least one where the share is above 0.
fn size(portion: &Portion, rows: usize) -> usize {
    match portion {
        Portion::Share(share) if *share > 0.0 => {
            // A share is below 1, so the product is a row count.
            ((share * rows as f64).round() as usize).max(1)
        }
        _ => 0,
    }
}

fn too_few_groups(file: &Path, codes: &[u32]) -> Error {
    let groups = codes.iter().max().map_or(0, |last| last + 1);
    let problem = format!("{groups} groups are too few to split: each set needs one of its own");
    Error::data(file, Place::default(), problem)
        .with_help("is data.split.group the right column? its values are the groups")
}

/// Rows by their groups, in the order in which groups and rows come.
pub(super) fn in_groups(
    rows: impl Iterator<Item = usize>,
    code: impl Fn(usize) -> u32,
) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut places = HashMap::new();
    for row in rows {
        let place = *places.entry(code(row)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

/// Gives whole groups to the sets: to the test as many as come nearest to its rows, then to
/// validation, the others to training. Without chance the last groups of the file go first. None
/// where some set would have none.
fn grouped(order: &[u32], codes: &[u32], validation: usize, test: usize) -> Option<Split> {
    // From the end, as the other splits take validation and test from there.
    let mut members = in_groups(order.iter().rev().map(|row| *row as usize), |row| codes[row]);
    let mut take = |wanted: usize| -> Option<Vec<usize>> {
        if wanted == 0 {
            return Some(Vec::new());
        }
        let mut taken: Vec<Vec<usize>> = Vec::new();
        let mut rows = 0;
        let mut left = Vec::new();
        for group in members.drain(..) {
            let with = rows + group.len();
            if rows < wanted && with.abs_diff(wanted) < wanted - rows {
                rows = with;
                taken.push(group);
            } else {
                left.push(group);
            }
        }
        // One group too many may have come in before one that alone comes nearer.
        let apart = |rows: usize| rows.abs_diff(wanted);
        let worst = (0..taken.len()).min_by_key(|at| apart(rows - taken[*at].len()));
        if let Some(at) = worst.filter(|at| apart(rows - taken[*at].len()) < apart(rows)) {
            left.push(taken.remove(at));
        }
        members = left;
        let mut taken: Vec<usize> = taken.into_iter().flatten().collect();
        if taken.is_empty() {
            // All of them are too large: the smallest, the first of several.
            let smallest = (0..members.len()).min_by_key(|at| members[*at].len())?;
            taken = members.remove(smallest);
        }
        Some(taken)
    };
    let test = take(test)?;
    let validation = take(validation)?;
    let train: Vec<usize> = members.into_iter().flatten().collect();
    (!train.is_empty()).then_some(Split { train, validation, test, folds: None })
}

fn stratified(
    order: Vec<u32>,
    codes: &[u32],
    classes: usize,
    validation: usize,
    test: usize,
) -> Split {
    let mut sizes = vec![0; classes];
    for code in codes {
        if let Some(size) = sizes.get_mut(*code as usize) {
            *size += 1;
        }
    }
    let mut members: Vec<Vec<u32>> = sizes.into_iter().map(Vec::with_capacity).collect();
    for row in &order {
        if let Some(class) = members.get_mut(codes[*row as usize] as usize) {
            class.push(*row);
        }
    }
    drop(order);
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let spare: Vec<usize> = counts.iter().map(|count| count.saturating_sub(1)).collect();
    // Where leaving every class a training row is impossible, classes may lose their last.
    let room = if spare.iter().sum::<usize>() >= validation + test { &spare } else { &counts };
    let for_validation = allocate(validation, &counts, room);
    let left: Vec<usize> =
        room.iter().zip(&for_validation).map(|(room, taken)| room - taken).collect();
    let for_test = allocate(test, &counts, &left);
    let mut split = Split::default();
    for ((members, validation), test) in members.iter().zip(for_validation).zip(for_test) {
        let (first, rest) = members.split_at(validation);
        let (second, third) = rest.split_at(test);
        split.validation.extend(rows_of(first));
        split.test.extend(rows_of(second));
        split.train.extend(rows_of(third));
    }
    split
}

/// Parts `size` rows among classes in proportion to `counts`, at most `room` each, by largest
/// remainder; the sum is exact when there is room for it.
fn allocate(size: usize, counts: &[usize], room: &[usize]) -> Vec<usize> {
    let weight = |class: usize| if room[class] > 0 { counts[class] as u128 } else { 0 };
    let total: u128 = (0..counts.len()).map(weight).sum::<u128>().max(1);
    let mut taken = Vec::with_capacity(counts.len());
    let mut remainders = Vec::with_capacity(counts.len());
    for (class, room) in room.iter().enumerate() {
        let product = size as u128 * weight(class);
        taken.push(usize::try_from(product / total).unwrap_or(*room).min(*room));
        remainders.push((product % total, class));
    }
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut left = size - taken.iter().sum::<usize>();
    while left > 0 {
        let before = left;
        for (_, class) in &remainders {
            if left > 0 && taken[*class] < room[*class] {
                taken[*class] += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::{allocate, grouped};

    #[test]
    fn groups_are_given_whole_and_as_near_to_the_share_as_they_come() {
        let codes = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3];
        let order: Vec<u32> = (0..10).collect();
        let split = grouped(&order, &codes, 2, 1).expect("groups enough");
        assert_eq!((split.test, split.validation), (vec![9], vec![4, 3]));
        assert_eq!(split.train.len(), 7);
        // The group of one does not make up for four.
        let split = grouped(&order, &codes, 0, 4).expect("groups enough");
        assert_eq!(split.test.len(), 4);
        // Two groups, three sets.
        assert!(grouped(&[0, 1, 2], &[0, 1, 1], 1, 1).is_none());
        assert!(grouped(&[0, 1, 2], &[0, 1, 1], 0, 1).is_some());
    }

    #[test]
    fn largest_remainders_get_the_rows_left_over() {
        assert_eq!(allocate(10, &[50, 30, 20], &[49, 29, 19]), [5, 3, 2]);
        // 3.5, 2.1, 1.4: the half goes first.
        assert_eq!(allocate(7, &[50, 30, 20], &[49, 29, 19]), [4, 2, 1]);
        // A class of one row has no room; the others share.
        assert_eq!(allocate(2, &[5, 1, 5], &[4, 0, 4]), [1, 0, 1]);
        // Room runs out in one class, and the rest goes to the next.
        assert_eq!(allocate(5, &[3, 3, 3], &[1, 2, 3]), [1, 2, 2]);
    }
}
