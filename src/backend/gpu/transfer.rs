//! Bytes to the device and back, through staging buffers that are made once and used again.

use std::sync::mpsc;

use super::device::Gpu;
use crate::backend::Counters;
use crate::error::{Error, Result};

/// Bytes of one upload slot.
const SLOT_BYTES: usize = 4 << 20;

/// Upload slots: so many writes can be under way before one waits.
const SLOTS: usize = 4;

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
    readback: wgpu::Buffer,
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
        .map_err(|error| Error::device(format!("{}: {error}", gpu.description.name)))
}

fn readback_buffer(gpu: &Gpu, bytes: u64, counters: &mut Counters) -> Result<wgpu::Buffer> {
    counters.buffers += 1;
    gpu.scoped("the readback buffer", || {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    })
}

impl Transfer {
    /// `readback_bytes` is the most that will be read at once.
    pub(super) fn new(gpu: &Gpu, readback_bytes: u64, counters: &mut Counters) -> Result<Self> {
        let readback = readback_buffer(gpu, readback_bytes.max(16), counters)?;
        let slots = (0..SLOTS)
            .map(|_| {
                counters.buffers += 1;
                gpu.scoped("an upload buffer", || Slot {
                    buffer: gpu.device.create_buffer(&wgpu::BufferDescriptor {
                        label: Some("upload"),
                        size: SLOT_BYTES as u64,
                        usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                        mapped_at_creation: true,
                    }),
                    used_by: None,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { slots, next: 0, readback })
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
                .map_err(|error| Error::device(format!("{}: {error}", gpu.description.name)))?
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

    /// Reads ranges (first byte, bytes) of several buffers at once: one wait.
    pub(super) fn read(
        &mut self,
        gpu: &Gpu,
        wanted: &[(&wgpu::Buffer, u64, u64)],
        counters: &mut Counters,
    ) -> Result<Vec<Vec<u8>>> {
        gpu.check()?;
        let total: u64 = wanted.iter().map(|(.., bytes)| bytes).sum();
        if total == 0 {
            return Ok(vec![Vec::new(); wanted.len()]);
        }
        if total > self.readback.size() {
            self.readback = readback_buffer(gpu, total, counters)?;
        }
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut offset = 0;
        for (buffer, first, bytes) in wanted {
            encoder.copy_buffer_to_buffer(buffer, *first, &self.readback, offset, *bytes);
            offset += bytes;
        }
        let submission = gpu.queue.submit([encoder.finish()]);
        counters.readbacks += 1;
        map(gpu, &self.readback, wgpu::MapMode::Read, total, Some(submission))?;
        let read = {
            let view = self
                .readback
                .get_mapped_range(0..total)
                .map_err(|error| Error::device(format!("{}: {error}", gpu.description.name)))?;
            let mut rest: &[u8] = &view;
            wanted
                .iter()
                .map(|(.., bytes)| {
                    let (mine, others) = rest.split_at(*bytes as usize);
                    rest = others;
                    mine.to_vec()
                })
                .collect()
        };
        self.readback.unmap();
        gpu.check()?;
        Ok(read)
    }
}
