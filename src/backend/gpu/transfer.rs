//! Bytes to the device and back, through staging buffers that are made once and used again.

use std::sync::mpsc;

use half::f16;

use super::device::Gpu;
use crate::backend::{Contained, Counters};
use crate::error::{Error, Result};
use crate::program::{Contents, LossScale, MemberState};

/// Bytes of one upload slot.
const SLOT_BYTES: usize = 1 << 20;

/// Upload slots: so many writes can be under way before one waits. The tables of an epoch are
/// uploaded while that before it runs.
const SLOTS: usize = 16;

/// Bytes of a copy of so many elements: copies are of whole words.
pub(super) fn copied_bytes(contents: Contents, length: usize) -> u64 {
    (length as u64 * contents.element_bytes()).next_multiple_of(4)
}

/// What was read of so many elements.
pub(super) fn contained(contents: Contents, length: usize, bytes: &[u8]) -> Result<Contained> {
    match contents {
        Contents::Reals => Ok(Contained::Reals(
            bytes.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        )),
        Contents::Halves => {
            let halves = bytes.as_chunks().0.iter().take(length);
            Ok(Contained::Reals(halves.map(|b| f16::from_le_bytes(*b).to_f64()).collect()))
        }
        Contents::State => {
            Ok(Contained::State(bytemuck::pod_collect_to_vec::<u8, MemberState>(bytes)))
        }
        Contents::Scales => {
            Ok(Contained::Scales(bytemuck::pod_collect_to_vec::<u8, LossScale>(bytes)))
        }
        other => Err(Error::internal(format!("{other:?} are not read back"))),
    }
}

/// One staging buffer of an upload.
#[derive(Debug)]
struct Slot {
    buffer: wgpu::Buffer,
    /// The submission that reads it; none while it is still mapped from its making.
    used_by: Option<wgpu::SubmissionIndex>,
}

/// Uploads and readbacks.
#[derive(Debug)]
pub(super) struct Transfer {
    slots: Vec<Slot>,
    next: usize,
    readbacks: Vec<Staging>,
}

/// Maps a buffer and waits for it.
pub(super) fn map(
    gpu: &Gpu,
    buffer: &wgpu::Buffer,
    mode: wgpu::MapMode,
    length: u64,
    after: Option<wgpu::SubmissionIndex>,
) -> Result<()> {
    let (sender, receiver) = mpsc::channel();
    buffer.map_async(mode, 0..length, move |result| {
        // The receiver is gone only when the wait failed, which is reported in its place.
        let _ = sender.send(result);
    });
    gpu.wait(after)?;
    receiver
        .try_recv()
        .map_err(|_| "the buffer was not mapped".to_owned())
        .and_then(|result| result.map_err(|error| error.to_string()))
        .map_err(|error| gpu.failure(error))
}

/// One staging buffer of a readback.
#[derive(Debug)]
struct Staging {
    buffer: wgpu::Buffer,
    /// The submission that fills it; none while it is free.
    copied_by: Option<wgpu::SubmissionIndex>,
}

impl Staging {
    fn new(gpu: &Gpu, bytes: u64, counters: &mut Counters) -> Result<Self> {
        counters.buffers += 1;
        let buffer = gpu.allocated("a readback buffer", || {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("readback"),
                size: bytes.max(16),
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        Ok(Self { buffer, copied_by: None })
    }
}

impl Transfer {
    /// With staging buffers for readbacks of so many bytes, smallest first.
    pub(super) fn new(gpu: &Gpu, readback_bytes: &[u64], counters: &mut Counters) -> Result<Self> {
        let readbacks = readback_bytes
            .iter()
            .map(|bytes| Staging::new(gpu, *bytes, counters))
            .collect::<Result<_>>()?;
        let slots = (0..SLOTS)
            .map(|_| {
                counters.buffers += 1;
                let buffer = gpu.allocated("an upload buffer", || {
                    gpu.device.create_buffer(&wgpu::BufferDescriptor {
                        label: Some("upload"),
                        size: SLOT_BYTES as u64,
                        usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                        mapped_at_creation: true,
                    })
                })?;
                Ok(Slot { buffer, used_by: None })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { slots, next: 0, readbacks })
    }

    /// Overwrites the start of a buffer. `bytes` is a multiple of 4 long.
    pub(super) fn upload(&mut self, gpu: &Gpu, to: &wgpu::Buffer, bytes: &[u8]) -> Result<()> {
        gpu.check()?;
        if bytes.len() as u64 > to.size() {
            return Err(Error::internal(format!(
                "{} bytes for a buffer of {}",
                bytes.len(),
                to.size()
            )));
        }
        let mut offset = 0;
        for chunk in bytes.chunks(SLOT_BYTES) {
            let slot = &mut self.slots[self.next];
            self.next = (self.next + 1) % SLOTS;
            if let Some(submission) = slot.used_by.take() {
                map(gpu, &slot.buffer, wgpu::MapMode::Write, SLOT_BYTES as u64, Some(submission))?;
            }
            let length = chunk.len() as u64;
            slot.buffer
                .get_mapped_range_mut(0..length)
                .map_err(|error| gpu.failure(error))?
                .slice(..)
                .copy_from_slice(chunk);
            slot.buffer.unmap();
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&slot.buffer, 0, to, offset, length);
            slot.used_by = Some(gpu.queue.submit([encoder.finish()]));
            offset += length;
        }
        gpu.check()
    }

    /// Queues a copy of ranges (first byte, bytes) of several buffers into a staging buffer; which,
    /// is returned. The largest that is free stays free where a smaller one will do.
    pub(super) fn begin_read(
        &mut self,
        gpu: &Gpu,
        wanted: &[(&wgpu::Buffer, u64, u64)],
        counters: &mut Counters,
    ) -> Result<usize> {
        gpu.check()?;
        let total: u64 = wanted.iter().map(|(.., bytes)| bytes).sum();
        let free = |staging: &&Staging| staging.copied_by.is_none();
        let fits = |staging: &Staging| staging.buffer.size() >= total;
        let place = self.readbacks.iter().position(|staging| free(&staging) && fits(staging));
        let place = match place.or_else(|| self.readbacks.iter().position(|s| free(&s))) {
            Some(place) if fits(&self.readbacks[place]) => place,
            Some(place) => {
                self.readbacks[place] = Staging::new(gpu, total, counters)?;
                place
            }
            None => {
                self.readbacks.push(Staging::new(gpu, total, counters)?);
                self.readbacks.len() - 1
            }
        };
        let staging = &mut self.readbacks[place];
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut offset = 0;
        for (buffer, first, bytes) in wanted {
            encoder.copy_buffer_to_buffer(buffer, *first, &staging.buffer, offset, *bytes);
            offset += bytes;
        }
        staging.copied_by = Some(gpu.queue.submit([encoder.finish()]));
        Ok(place)
    }

    /// Waits for such a copy, and cuts it into its parts, so many bytes each.
    pub(super) fn take(
        &mut self,
        gpu: &Gpu,
        place: usize,
        parts: impl Iterator<Item = u64> + Clone,
        counters: &mut Counters,
    ) -> Result<Vec<Vec<u8>>> {
        let staging = self.readbacks.get_mut(place);
        let Some((staging, submission)) =
            staging.and_then(|staging| staging.copied_by.take().map(|by| (staging, by)))
        else {
            return Err(Error::internal("a readback is taken that was not begun"));
        };
        let total: u64 = parts.clone().sum();
        if total == 0 {
            return Ok(parts.map(|_| Vec::new()).collect());
        }
        counters.readbacks += 1;
        map(gpu, &staging.buffer, wgpu::MapMode::Read, total, Some(submission))?;
        let read = {
            let view =
                staging.buffer.get_mapped_range(0..total).map_err(|error| gpu.failure(error))?;
            let mut rest: &[u8] = &view;
            parts
                .map(|bytes| {
                    let (mine, others) = rest.split_at(bytes as usize);
                    rest = others;
                    mine.to_vec()
                })
                .collect()
        };
        staging.buffer.unmap();
        gpu.check()?;
        Ok(read)
    }
}
