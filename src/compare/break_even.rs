//! From where on a GPU is faster than the CPU: the training step of this very network, at growing
//! batches and at growing widths, measured on both.

use std::collections::BTreeMap;
use std::time::Instant;

use super::result::{Axis, BreakEven, BreakEvenOutcome, BreakEvenPoint};
use super::{Target, Watch};
use crate::backend::Backend;
use crate::config::Settings;
use crate::error::Result;
use crate::train::step_time::time_step;

/// Seconds that a step is measured for.
const PATIENCE: f64 = 0.05;

/// From one size to the next; where the times cross, the power of two between is measured too.
const STRIDE: u64 = 4;

/// The largest sizes that are tried.
const LARGEST_BATCH: u64 = 1 << 16;
const LARGEST_WIDTH: u64 = 1 << 13;

/// A search along one axis, on one CPU and any number of GPUs.
pub(super) struct Search<'a> {
    target: Target<'a>,
    cpu: &'a dyn Backend,
    axis: Axis,
    /// The CPU's times, which every GPU is held against.
    of_cpu: BTreeMap<u64, f64>,
}

impl<'a> Search<'a> {
    pub(super) fn new(target: Target<'a>, cpu: &'a dyn Backend, axis: Axis) -> Self {
        Self { target, cpu, axis, of_cpu: BTreeMap::new() }
    }

    /// Where the config stands on the axis; none where the network has no hidden layer.
    fn own_size(&self) -> Option<u64> {
        match self.axis {
            Axis::BatchRows => Some(self.target.settings.training.batch_size as u64),
            Axis::HiddenUnits => {
                let layers = self.target.settings.model.layers.iter();
                layers.map(|layer| layer.units as u64).max()
            }
        }
    }

    /// The settings at another size, and how large that is: layers have whole units.
    fn settings(&self, size: u64) -> Settings {
        let mut settings = self.target.settings.clone();
        match (self.axis, self.own_size()) {
            (Axis::BatchRows, _) => settings.training.batch_size = size as usize,
            (Axis::HiddenUnits, Some(own)) => {
                for layer in &mut settings.model.layers {
                    let units = layer.units as u64 * size / own.max(1);
                    layer.units = units.max(1) as usize;
                }
            }
            (Axis::HiddenUnits, None) => {}
        }
        settings
    }

    fn seconds(&self, backend: &dyn Backend, size: u64) -> Result<f64> {
        let Target { task, dataset, .. } = self.target;
        let settings = self.settings(size);
        let time = time_step(&settings, task, &dataset.preprocessing, backend, PATIENCE)?;
        Ok(time.seconds)
    }

    fn point(&mut self, gpu: &dyn Backend, size: u64) -> Result<BreakEvenPoint> {
        let cpu_seconds = match self.of_cpu.get(&size) {
            Some(seconds) => *seconds,
            None => self.seconds(self.cpu, size)?,
        };
        self.of_cpu.insert(size, cpu_seconds);
        Ok(BreakEvenPoint { size, cpu_seconds, gpu_seconds: self.seconds(gpu, size)? })
    }

    /// A point measured once more, the quicker time of each kept: a hiccup is no crossing.
    fn again(&mut self, gpu: &dyn Backend, point: BreakEvenPoint) -> Result<BreakEvenPoint> {
        let cpu_seconds = point.cpu_seconds.min(self.seconds(self.cpu, point.size)?);
        self.of_cpu.insert(point.size, cpu_seconds);
        let gpu_seconds = point.gpu_seconds.min(self.seconds(gpu, point.size)?);
        Ok(BreakEvenPoint { cpu_seconds, gpu_seconds, ..point })
    }

    /// Goes from the config's size up by [`STRIDE`] while the GPU is slower, or down while it is
    /// faster, until the times cross, `seconds` are over, or a size does not fit.
    ///
    /// # Errors
    /// When the config's own size cannot be measured.
    pub(super) fn run(
        &mut self,
        gpu: &dyn Backend,
        seconds: f64,
        watch: &dyn Watch,
    ) -> Result<Option<BreakEven>> {
        let Some(own) = self.own_size() else { return Ok(None) };
        let begun = Instant::now();
        let mut points = vec![self.point(gpu, own)?];
        let starts_faster = points[0].is_faster();
        let largest = match self.axis {
            Axis::BatchRows => LARGEST_BATCH,
            Axis::HiddenUnits => LARGEST_WIDTH,
        };
        let mut size = own;
        while !watch.interrupted() {
            let next = if starts_faster { size / STRIDE } else { size * STRIDE };
            if next == 0 || next > largest.max(own) {
                break;
            }
            let last = Instant::now();
            // What does not fit ends the search, as time does.
            let Ok(mut point) = self.point(gpu, next) else { break };
            if point.is_faster() != starts_faster {
                point = self.again(gpu, point)?;
            }
            points.push(point);
            if point.is_faster() != starts_faster {
                points.push(self.point(gpu, size.min(next) * STRIDE / 2)?);
                break;
            }
            size = next;
            // The next one takes longer.
            let took = last.elapsed().as_secs_f64();
            if begun.elapsed().as_secs_f64() + 2.0 * took > seconds {
                break;
            }
        }
        points.sort_by_key(|point| point.size);
        let at = crossing(&points);
        let outcome = match at {
            Some(_) => BreakEvenOutcome::Crosses,
            None if starts_faster => BreakEvenOutcome::AlwaysFaster,
            None => BreakEvenOutcome::NeverFaster,
        };
        Ok(Some(BreakEven {
            device: gpu.device().name.clone(),
            beside: self.cpu.device().name.clone(),
            axis: self.axis,
            points,
            at,
            outcome,
        }))
    }
}

impl BreakEvenPoint {
    /// Whether the GPU is faster.
    pub fn is_faster(&self) -> bool {
        self.gpu_seconds < self.cpu_seconds
    }

    /// How many times as long as the CPU the GPU takes.
    fn quotient(&self) -> f64 {
        self.gpu_seconds / self.cpu_seconds
    }
}

/// The size from which on the GPU is faster: between the last two points where the quotient of the
/// times falls to 1, on a line through the logarithms.
fn crossing(points: &[BreakEvenPoint]) -> Option<f64> {
    let pair = points.windows(2).rev().find(|pair| !pair[0].is_faster() && pair[1].is_faster())?;
    let (low, high) = (pair[0].quotient().ln(), pair[1].quotient().ln());
    let share = low / (low - high);
    let (from, to) = ((pair[0].size as f64).ln(), (pair[1].size as f64).ln());
    Some((from + share * (to - from)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(quotients: &[(u64, f64)]) -> Vec<BreakEvenPoint> {
        quotients
            .iter()
            .map(|(size, quotient)| BreakEvenPoint {
                size: *size,
                cpu_seconds: 1e-3,
                gpu_seconds: 1e-3 * quotient,
            })
            .collect()
    }

    #[test]
    fn times_cross_between_two_points() {
        let at = crossing(&points(&[(32, 8.0), (64, 2.0), (128, 0.5)])).expect("a crossing");
        assert!((at - 64.0 * 2_f64.sqrt()).abs() < 1e-9, "{at}");
        let at = crossing(&points(&[(64, 1.0), (128, 0.5)])).expect("a crossing");
        assert!((at - 64.0).abs() < 1e-9, "{at}");
        assert_eq!(crossing(&points(&[(32, 8.0), (64, 2.0)])), None);
        assert_eq!(crossing(&points(&[(32, 0.5), (64, 0.2)])), None);
    }
}
