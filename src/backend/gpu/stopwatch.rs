//! The time that dispatches take, by the device's timestamps where it has them, else by the host's
//! clock.

use std::time::Instant;

use super::device::Gpu;
use super::recorded::Recorded;
use super::transfer::map;
use crate::backend::Counters;
use crate::error::Result;

/// Bytes of the two timestamps.
const BYTES: u64 = 16;

/// A pair of timestamps, and the buffers by which it reaches the host.
#[derive(Debug)]
pub(super) struct Stopwatch {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readback: wgpu::Buffer,
}

impl Gpu {
    /// Whether the device has a clock that can be read.
    pub(super) fn has_timestamps(&self) -> bool {
        self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }
}

impl Stopwatch {
    pub(super) fn new(gpu: &Gpu, counters: &mut Counters) -> Result<Self> {
        counters.buffers += 2;
        gpu.scoped("the timestamps", || {
            let buffer = |label, usage| {
                gpu.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some(label),
                    size: BYTES,
                    usage,
                    mapped_at_creation: false,
                })
            };
            use wgpu::BufferUsages as Usage;
            Self {
                queries: gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("stopwatch"),
                    ty: wgpu::QueryType::Timestamp,
                    count: 2,
                }),
                resolved: buffer("timestamps", Usage::QUERY_RESOLVE | Usage::COPY_SRC),
                readback: buffer("timestamps read", Usage::COPY_DST | Usage::MAP_READ),
            }
        })
    }

    /// Seconds between the two timestamps of a submission.
    fn read(&self, gpu: &Gpu, submission: wgpu::SubmissionIndex) -> Result<f64> {
        map(gpu, &self.readback, wgpu::MapMode::Read, BYTES, Some(submission))?;
        let ticks = {
            let view =
                self.readback.get_mapped_range(0..BYTES).map_err(|error| gpu.failure(error))?;
            let bytes: &[u8] = &view;
            let both: [u64; 2] = bytemuck::pod_read_unaligned(bytes);
            both[1].saturating_sub(both[0])
        };
        self.readback.unmap();
        Ok(ticks as f64 * f64::from(gpu.queue.get_timestamp_period()) * 1e-9)
    }
}

/// Runs so many steps in one pass, and returns the seconds that it took.
pub(super) fn time(
    gpu: &Gpu,
    stopwatch: Option<&Stopwatch>,
    form: Recorded,
    steps: usize,
) -> Result<f64> {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    {
        let timestamp_writes = stopwatch.map(|watch| wgpu::ComputePassTimestampWrites {
            query_set: &watch.queries,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        });
        let descriptor = wgpu::ComputePassDescriptor { label: Some("timed"), timestamp_writes };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        form.record(steps, &mut pass);
    }
    if let Some(watch) = stopwatch {
        encoder.resolve_query_set(&watch.queries, 0..2, &watch.resolved, 0);
        encoder.copy_buffer_to_buffer(&watch.resolved, 0, &watch.readback, 0, BYTES);
    }
    let commands = encoder.finish();
    let begun = Instant::now();
    let submission = gpu.queue.submit([commands]);
    match stopwatch {
        Some(watch) => watch.read(gpu, submission),
        None => {
            gpu.wait(Some(submission))?;
            Ok(begun.elapsed().as_secs_f64())
        }
    }
}
