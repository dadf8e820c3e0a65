//! Permutation importance: how much worse the loss gets when a column's values are dealt out to the rows
//! anew, so that they say nothing any more. All else stays as it is.
//!
//! Source: Breiman 2001, "Random forests", section 10; Fisher, Rudin and Dominici 2019, "All models are
//! wrong, but many are useful", whose difference form this is. It tells what this network goes by, not
//! what is so: of two columns that say the same, either may come out as nothing.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::columns::{Place, image_side, places};
use super::{finite, mean_and_deviation, subject};
use crate::backend::Backend;
use crate::data::Rows;
use crate::error::Result;
use crate::model::Model;
use crate::random::{Purpose, Stream};

/// Operations that it may take: a second or so on a few processors.
const BUDGET: f64 = 6e10;

/// How often each column is dealt out anew, at best.
const REPEATS: usize = 5;

/// Rows that are used at most: more make it no clearer.
const MOST_ROWS: usize = 2000;

/// Rows below which it is repeated less, and of fewer columns, instead.
const FEWEST_ROWS: usize = 100;

/// Columns, or patches of an image, that are looked at at most.
const MOST_GROUPS: usize = 200;

/// Encoded values that are handed to the backend at once.
const AT_ONCE: usize = 1 << 23;

/// What each column matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// Rows that it was found on.
    pub rows: usize,
    /// How often each column was dealt out anew.
    pub repeats: usize,
    /// The mean loss of those rows as they are.
    pub loss: f64,
    /// Columns there are. Of more than are in `columns`, those with the largest weights in the first layer
    /// were taken.
    pub columns_of_data: usize,
    /// The columns, those that matter most first.
    pub columns: Vec<ImportantColumn>,
    /// For images: lines and columns of patches. `columns` holds a patch each.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patches: Option<[usize; 2]>,
}

/// What a column, or a patch of pixels, matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportantColumn {
    /// Its name; of a patch, that of its first pixel.
    pub name: String,
    /// The columns it is made of, from 0 in the order of the network's inputs.
    pub columns: Vec<usize>,
    /// The patch's place, line by line from 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patch: Option<usize>,
    /// How much the mean loss goes up: the mean over the repeats, and the members.
    pub loss: f64,
    /// The deviation of that over the repeats.
    pub deviation: f64,
}

/// Columns that are dealt out together.
struct Group {
    columns: Vec<usize>,
    patch: Option<usize>,
}

/// `None` where there are too few rows, or a loss is no number.
pub(super) fn importance(
    model: &Model,
    rows: &Rows,
    backend: &dyn Backend,
) -> Result<Option<Importance>> {
    if rows.rows < 2 {
        return Ok(None);
    }
    let places = places(&model.preprocessing);
    let side = image_side(&model.preprocessing);
    // Two operations a weight and row, and the other members are carried along.
    let row_cost = 2.0 * model.network.parameters() as f64 * model.network.members as f64;
    let affordable = BUDGET / row_cost;
    let (groups, patches) = match side {
        Some(side) => {
            let (groups, across) = patches(side);
            (groups, Some([across, across]))
        }
        None => (heaviest(model, &places, affordable), None),
    };
    let passes = (affordable / groups.len() as f64) as usize;
    let repeats = (passes / rows.rows.min(FEWEST_ROWS)).clamp(1, REPEATS);
    let count = (passes / repeats).clamp(rows.rows.min(FEWEST_ROWS), MOST_ROWS).min(rows.rows);
    let chosen: Vec<usize> = (0..count).map(|at| at * rows.rows / count).collect();
    let rows = subject::gather(rows, &chosen)?;
    let rows = Rows { sample_weights: Vec::new(), ..rows };

    let jobs: Vec<(usize, usize)> = (0..groups.len())
        .flat_map(|group| (0..repeats).map(move |repeat| (group, repeat)))
        .collect();
    let Some(loss) = losses(model, rows.clone(), count, backend)?.first().copied() else {
        return Ok(None);
    };
    let at_once = (AT_ONCE / rows.features.len()).max(1);
    let mut found: Vec<f64> = Vec::with_capacity(jobs.len());
    for jobs in jobs.chunks(at_once) {
        let mut dealt = Rows { rows: count * jobs.len(), ..Rows::default() };
        dealt.features.reserve(rows.features.len() * jobs.len());
        for (group, repeat) in jobs {
            deal(model, &places, &groups[*group], (*group, *repeat), &rows, &mut dealt.features);
            dealt.targets.extend_from_slice(&rows.targets);
        }
        found.extend(losses(model, dealt, count, backend)?);
    }
    let mut columns: Vec<ImportantColumn> = groups
        .into_iter()
        .zip(found.chunks_exact(repeats))
        .map(|(Group { columns, patch }, found)| {
            let worse: Vec<f64> = found.iter().map(|dealt| dealt - loss).collect();
            let (mean, deviation) = mean_and_deviation(&worse);
            let name = columns.first().map(|at| places[*at].column.name.clone());
            let name = name.unwrap_or_default();
            ImportantColumn { name, columns, patch, loss: mean, deviation }
        })
        .collect();
    if finite(loss).is_none() || columns.iter().any(|column| finite(column.loss).is_none()) {
        return Ok(None);
    }
    columns.sort_by(|a, b| b.loss.total_cmp(&a.loss));
    let columns_of_data = places.len();
    Ok(Some(Importance { rows: count, repeats, loss, columns_of_data, columns, patches }))
}

/// The pixels of square patches, as small as makes [`MOST_GROUPS`] of them at most; and how many stand
/// side by side.
fn patches(side: usize) -> (Vec<Group>, usize) {
    let size = (1..=side).find(|size| side.div_ceil(*size).pow(2) <= MOST_GROUPS).unwrap_or(side);
    let across = side.div_ceil(size);
    let patch = |patch: usize| {
        let (top, left) = (patch / across * size, patch % across * size);
        let lines = top..(top + size).min(side);
        let pixels = lines
            .flat_map(|line| (left..(left + size).min(side)).map(move |x| line * side + x))
            .collect();
        Group { columns: pixels, patch: Some(patch) }
    };
    ((0..across * across).map(patch).collect(), across)
}

/// Every column; of too many, those with the largest weights in the first layer, over all members.
fn heaviest(model: &Model, places: &[Place], affordable: f64) -> Vec<Group> {
    let most = ((affordable / FEWEST_ROWS as f64) as usize).clamp(10, MOST_GROUPS);
    let mut order: Vec<usize> = (0..places.len()).collect();
    if order.len() > most {
        let stride = model.parameters.len() / model.network.members.max(1);
        let inputs = model.network.layers.first().map_or(0, |layer| layer.inputs);
        let mut squares = vec![0.0_f64; inputs];
        if let Some(layer) = model.network.layers.first().filter(|_| inputs > 0) {
            for member in model.parameters.chunks_exact(stride.max(1)) {
                let weights = member[layer.offsets.weight..].chunks_exact(inputs);
                for unit in weights.take(layer.units) {
                    squares.iter_mut().zip(unit).for_each(|(sum, w)| *sum += f64::from(w * w));
                }
            }
        }
        // A column's inputs of the first layer are as many as its values, or its vector's.
        let mut rest = squares.as_slice();
        let weights: Vec<f64> = places
            .iter()
            .map(|place| {
                let own = place.column.encoding.inputs().min(rest.len());
                rest.split_off(..own).unwrap_or_default().iter().sum()
            })
            .collect();
        let weight = |at: usize| weights[at];
        order.sort_by(|a, b| weight(*b).total_cmp(&weight(*a)).then(a.cmp(b)));
        order.truncate(most);
    }
    order.into_iter().map(|at| Group { columns: vec![at], patch: None }).collect()
}

/// Appends the rows with the values of a group dealt out anew.
fn deal(
    model: &Model,
    places: &[Place],
    group: &Group,
    (number, repeat): (usize, usize),
    rows: &Rows,
    into: &mut Vec<f32>,
) {
    let width = rows.features.len() / rows.rows;
    // Both are far below 2^32.
    let mut stream =
        Stream::new(model.config.seed, Purpose::Importance, number as u32, repeat as u32);
    let mut order: Vec<usize> = (0..rows.rows).collect();
    order.shuffle(&mut stream);
    let start = into.len();
    into.extend_from_slice(&rows.features);
    for (row, other) in order.into_iter().enumerate() {
        for place in group.columns.iter().map(|at| &places[*at]) {
            let from = other * width + place.first;
            let to = start + row * width + place.first;
            into[to..to + place.width].copy_from_slice(&rows.features[from..from + place.width]);
        }
    }
}

/// The mean loss of each `count` rows, over the members whose losses are all numbers.
fn losses(model: &Model, rows: Rows, count: usize, backend: &dyn Backend) -> Result<Vec<f64>> {
    let parts = rows.rows / count;
    let outputs = model.row_outputs(rows, super::MEMBERS, backend)?;
    let sound = |losses: &&Vec<f64>| losses.iter().all(|loss| !loss.is_nan());
    let members: Vec<&Vec<f64>> =
        outputs.members.iter().map(|member| &member.losses).filter(sound).collect();
    let mean = |part: usize| {
        let own = members.iter().flat_map(|losses| &losses[part * count..(part + 1) * count]);
        own.sum::<f64>() / (count * members.len()) as f64
    };
    Ok((0..parts).map(mean).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_cover_every_pixel_once() {
        for side in [8, 14, 27, 28, 32, 100] {
            let (groups, across) = patches(side);
            assert!(groups.len() <= MOST_GROUPS && groups.len() == across * across);
            let mut pixels: Vec<usize> =
                groups.iter().flat_map(|group| group.columns.clone()).collect();
            pixels.sort_unstable();
            assert!(pixels.into_iter().eq(0..side * side), "side {side}");
        }
    }
}
