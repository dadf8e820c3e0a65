//! Windows of a set that a device does not hold whole: while it works on one, a thread readies the next
//! ones, in buffers that are used again and again.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

use super::device_set::DeviceSet;
use super::order::{EpochOrder, Shuffle};
use super::steps::Batches;
use crate::error::{Error, Result};

/// Buffers of a pass: one on the device, one that is ready, one that is being filled.
pub(super) const BUFFERS: usize = 3;

/// The rows of some steps, as the device takes them.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Features.
    pub(super) features: Arc<[f32]>,
    /// Targets, and the rows' weights.
    pub(super) targets: Arc<[f32]>,
    /// `[members][resident rows]`: the rows of each member in order. Empty where they come as they lie.
    pub(super) order: Vec<u32>,
}

/// How a pass goes over its set.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// The set.
    pub(super) set: Arc<DeviceSet>,
    /// How it is cut; a window is so many batches.
    pub(super) batches: Batches,
    /// The order of the rows; none: that of the file, with nothing to say of it.
    pub(super) order: Option<Arc<EpochOrder>>,
}

impl Way {
    /// Whether all members take the same rows from a window, and each only orders them.
    fn shares_rows(&self) -> bool {
        let rows = self.batches.window.saturating_mul(self.batches.batch);
        match self.order.as_ref().map(|order| order.shuffle()) {
            None | Some(Shuffle::Never) => true,
            Some(Shuffle::Windows { window, .. }) => window == rows,
            Some(Shuffle::All) => false,
        }
    }

    /// Fills a window with the rows of the steps from `first` on.
    fn fill(&self, first: usize, window: &mut Window) -> Result<()> {
        let Self { set, batches, order } = self;
        let from = first * batches.batch;
        let rows = batches.window.saturating_mul(batches.batch).min(set.rows - from);
        let (inputs, stride) = (set.inputs, set.target_stride);
        let resident = set.resident_rows;
        let features = own(&mut window.features, resident * inputs);
        // Rows that are predicted have no targets.
        let stride = if set.targets.is_empty() { 0 } else { stride };
        let targets = own(&mut window.targets, resident * stride);
        let mut copy = |row: Range<usize>, at: usize| {
            let end = at + row.len();
            targets[at * stride..end * stride]
                .copy_from_slice(&set.targets[row.start * stride..row.end * stride]);
            set.features.copy(row.start, inputs, &mut features[at * inputs..end * inputs])
        };
        let Some(order) = order else { return copy(from..from + rows, 0) };
        window.order.resize(resident * order.members(), 0);
        if self.shares_rows() {
            let mut at = 0;
            for range in order.ranges(from..from + rows) {
                let count = range.len();
                copy(range, at)?;
                at += count;
            }
            for (member, own) in window.order.chunks_exact_mut(resident).enumerate() {
                order.within(first / batches.window, member, &mut own[..rows]);
            }
            return Ok(());
        }
        // Each member's own rows, one behind the other.
        let rows = rows.min(batches.covered() - from);
        let lookup = order.lookup();
        for (member, own) in window.order.chunks_exact_mut(resident).enumerate() {
            for (place, at) in own[..rows].iter_mut().enumerate() {
                let row = lookup.row(member, from + place);
                *at = (member * rows + place) as u32;
                copy(row..row + 1, member * rows + place)?;
            }
        }
        Ok(())
    }
}

/// The buffer, for one's own use: a new one where it is too short, or where another still has it.
fn own(buffer: &mut Arc<[f32]>, length: usize) -> &mut [f32] {
    if buffer.len() != length || Arc::get_mut(buffer).is_none() {
        *buffer = std::iter::repeat_n(0.0, length).collect();
    }
    // It is no one else's now.
    Arc::get_mut(buffer).unwrap_or_default()
}

/// The windows of a pass, in their order.
#[derive(Debug)]
pub(super) struct Windows {
    order: Option<Arc<EpochOrder>>,
    /// Steps of a window.
    steps: usize,
    /// The step that the next one begins with.
    next: usize,
    filled: Receiver<Result<Window>>,
    emptied: Sender<Window>,
    /// The one that the device has.
    current: Option<Window>,
}

impl Windows {
    /// Begins to ready windows, from that of the step `first` on.
    pub(super) fn begin(way: Way, first: usize) -> Result<Self> {
        let (to_device, filled) = sync_channel(1);
        let (emptied, to_fill) = channel();
        for _ in 0..BUFFERS {
            // The other end is there.
            let _ = emptied.send(Window::default());
        }
        let (order, steps) = (way.order.clone(), way.batches.window);
        let work = move || {
            for first in (first..way.batches.steps()).step_by(way.batches.window) {
                let Ok(mut window) = to_fill.recv() else { return };
                let filled = way.fill(first, &mut window).map(|()| window);
                let failed = filled.is_err();
                if to_device.send(filled).is_err() || failed {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("windows".to_owned())
            .spawn(work)
            .map_err(|error| Error::device(format!("there is no thread to read rows: {error}")))?;
        Ok(Self { order, steps, next: first, filled, emptied, current: None })
    }

    /// Whether the window that begins with that step of that order comes next.
    pub(super) fn comes_next(&self, step: usize, order: Option<&Arc<EpochOrder>>) -> bool {
        let same = match (&self.order, order) {
            (Some(own), Some(order)) => Arc::ptr_eq(own, order),
            (own, order) => own.is_none() && order.is_none(),
        };
        same && self.next == step
    }

    /// The next window, for which it waits. The one before is filled anew once `take` has handed this
    /// one to the device.
    pub(super) fn next(&mut self, take: &mut dyn FnMut(&Window) -> Result<()>) -> Result<()> {
        let window = self
            .filled
            .recv()
            .map_err(|_| Error::internal("the thread that reads rows has ended"))??;
        take(&window)?;
        if let Some(before) = self.current.replace(window) {
            // It has no taker once all windows are filled.
            let _ = self.emptied.send(before);
        }
        self.next += self.steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Capacity;
    use crate::data::Rows;
    use crate::program::Precision;
    use crate::train::device_set::Fit;
    use crate::train::order::Draws;

    const ROWS: usize = 23;

    fn set(resident_rows: usize) -> Arc<DeviceSet> {
        let rows = Rows {
            rows: ROWS,
            features: (0..ROWS * 2).map(|at| at as f32).collect(),
            targets: (0..ROWS).map(|at| at as f32 + 0.5).collect(),
            ..Rows::default()
        };
        let capacity = Capacity {
            buffer_bytes: 1 << 20,
            fuses: false,
            splits: false,
            halves: false,
            queues: false,
        };
        let fit =
            Fit { capacity, precision: Precision::F32, largest_batch: 1, shuffle: Shuffle::Never };
        let set = DeviceSet::new("train", rows.into(), 2, 1, fit).expect("a set");
        Arc::new(DeviceSet { resident_rows, ..set })
    }

    /// What each member reads through its order, window by window, is its order of the rows.
    #[test]
    fn members_find_their_rows_in_every_window() {
        for (shuffle, resident, window) in [
            (Shuffle::Windows { block: 2, window: 8 }, 8, 2),
            (Shuffle::Never, 8, 2),
            // Rows of their own: as many for each.
            (Shuffle::All, 16, 2),
            (Shuffle::Windows { block: 2, window: 12 }, 16, 2),
        ] {
            let batches = Batches { rows: ROWS, batch: 4, drop_last: false, window };
            let order = Arc::new(EpochOrder::new(shuffle, Draws::of_run(3, 1, 2), ROWS, true));
            let way = Way { set: set(resident), batches, order: Some(Arc::clone(&order)) };
            let mut windows = Windows::begin(way, 0).expect("a thread");
            let mut found = vec![Vec::new(); 2];
            for first in (0..batches.steps()).step_by(window) {
                assert!(
                    windows.comes_next(first, Some(&order)) && !windows.comes_next(first, None)
                );
                let rows = (window * 4).min(ROWS - first * 4);
                let mut look = |window: &Window| {
                    for (member, found) in found.iter_mut().enumerate() {
                        for at in &window.order[member * resident..][..rows] {
                            let row = *at as usize;
                            assert_eq!(window.features[row * 2] / 2.0 + 0.5, window.targets[row]);
                            found.push(window.targets[row] as u32);
                        }
                    }
                    Ok(())
                };
                windows.next(&mut look).expect("a window");
            }
            let expected: Vec<_> = order.held().to_vec();
            assert_eq!(found, expected, "{shuffle:?}");
            assert!(windows.next(&mut |_| Ok(())).is_err(), "a window too many");
        }
    }
}
