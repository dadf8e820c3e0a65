//! Dispatches that by themselves take so long that drivers take them for a hang, in pieces: each is a
//! submission of its own, of some of the workgroups. No workgroup waits for another of its dispatch, so
//! that it does not matter when they run, and no bit changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::device::Gpu;
use super::pace::Longest;
use super::pipelines::{Dispatch, Source, pipeline_in_pieces};
use super::recorded::record;
use crate::error::{Error, Result};

/// Steps that are timed, dispatch by dispatch: the first may find pipelines that are not compiled yet.
const TIMED: u32 = 2;

/// Most pieces of a dispatch.
const MOST_PIECES: u32 = 256;

/// Multiplications and additions that are submitted before anything is timed: a tenth of a second of a
/// slow GPU, and less than drivers take for a hang on the slowest.
pub(super) const MOST_UNTIMED: u64 = 32_000_000_000;

/// The name of the uniform that says which workgroups a piece has.
const UNIFORM: &str = "piece";

/// A kernel of which a dispatch runs those workgroups that a uniform of group 1 says, out of as many as it
/// says: its first, and all. None where it has no entry point as the kernels have it.
pub fn in_pieces(source: &str) -> Option<String> {
    const OWN: &str = "@builtin(workgroup_id) workgroup: vec3<u32>";
    const ALL: &str = "@builtin(num_workgroups) workgroups: vec3<u32>,";
    let main = source.find("fn main(")?;
    let body = main + source[main..].find('{')? + 1;
    let (before, head, rest) = (&source[..main], &source[main..body], &source[body..]);
    if !head.contains(OWN) {
        return None;
    }
    let head = head.replace(OWN, "@builtin(workgroup_id) of_piece: vec3<u32>").replace(ALL, "");
    Some(format!(
        "{before}{head}
    let workgroup = of_piece + {UNIFORM}.first.xyz;
    let workgroups = {UNIFORM}.all.xyz;
{rest}
struct Piece {{
    first: vec4<u32>,
    all: vec4<u32>,
}}

@group(1) @binding(0) var<uniform> {UNIFORM}: Piece;
"
    ))
}

/// Some of a grid's workgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    first: [u32; 3],
    size: [u32; 3],
}

/// A grid in about so many parts, along its last axis first.
fn parts(grid: [u32; 3], count: u32) -> Vec<Part> {
    let mut parts = vec![Part { first: [0; 3], size: grid }];
    for axis in [2, 1, 0] {
        let wanted = count.div_ceil(parts.len() as u32).clamp(1, grid[axis].max(1));
        let length = grid[axis].div_ceil(wanted).max(1);
        parts = parts
            .into_iter()
            .flat_map(|part| {
                (0..grid[axis]).step_by(length as usize).map(move |first| {
                    let mut part = part;
                    part.first[axis] = first;
                    part.size[axis] = length.min(grid[axis] - first);
                    part
                })
            })
            .collect();
    }
    parts
}

/// A dispatch in pieces.
#[derive(Debug)]
struct Pieces {
    pipeline: Arc<wgpu::ComputePipeline>,
    groups: Vec<(wgpu::BindGroup, [u32; 3])>,
}

impl Pieces {
    fn new(gpu: &Gpu, dispatch: &Dispatch, checked: bool, count: u32) -> Result<Option<Self>> {
        let Some(source) = &dispatch.source else { return Ok(None) };
        let parts = parts(dispatch.workgroups, count.min(MOST_PIECES));
        if parts.len() < 2 {
            return Ok(None);
        }
        let text = in_pieces(&source.text)
            .ok_or_else(|| Error::internal(format!("{} has no entry point", source.label)))?;
        let label = format!("a piece of {}", source.label);
        let layout = gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(UNIFORM),
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            }],
        });
        let of_piece = Source { label: label.clone(), text };
        let pipeline = pipeline_in_pieces(gpu, &of_piece, checked, &layout)?;
        let stride = (gpu.limits.min_uniform_buffer_offset_alignment as usize).max(32);
        let mut bytes = Vec::with_capacity(parts.len() * stride);
        for part in &parts {
            for [x, y, z] in [part.first, dispatch.workgroups] {
                bytes.extend_from_slice(bytemuck::bytes_of(&[x, y, z, 0]));
            }
            bytes.resize(bytes.len().next_multiple_of(stride), 0);
        }
        let buffer = gpu.uniform_buffer(&label, &bytes)?;
        let group = |(at, part): (usize, Part)| {
            let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(UNIFORM),
                layout: &layout,
                entries: &[wgpu::BindGroupEntry {
                    binding: 0,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: &buffer,
                        offset: (at * stride) as u64,
                        size: std::num::NonZeroU64::new(32),
                    }),
                }],
            });
            (group, part.size)
        };
        let groups = parts.into_iter().enumerate().map(group).collect();
        Ok(Some(Self { pipeline, groups }))
    }

    fn submit(&self, gpu: &Gpu, dispatch: &Dispatch) {
        for (group, [x, y, z]) in &self.groups {
            submit(gpu, |pass| {
                pass.set_pipeline(&self.pipeline);
                pass.set_bind_group(0, &dispatch.bind_group, &[]);
                pass.set_bind_group(1, group, &[]);
                pass.dispatch_workgroups(*x, *y, *z);
            });
        }
    }
}

/// Submits one dispatch.
pub(super) fn submit(gpu: &Gpu, record: impl FnOnce(&mut wgpu::ComputePass)) {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    record(&mut encoder.begin_compute_pass(&Default::default()));
    gpu.queue.submit([encoder.finish()]);
}

/// The calls of a step that takes too long in one submission: each has its own, or several.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// Steps that were timed.
    timed: u32,
    /// The shortest time of each call.
    shortest: Vec<Duration>,
    /// Of each call that is in pieces.
    pieces: Vec<Option<Pieces>>,
}

impl Apart {
    /// Calls that are in pieces.
    pub(super) fn in_pieces(&self) -> usize {
        self.pieces.iter().flatten().count()
    }

    /// Submits a step, and learns from the first few.
    pub(super) fn run(
        &mut self,
        gpu: &Gpu,
        calls: &[Dispatch],
        checked: bool,
        longest: Longest,
    ) -> Result<()> {
        let times = longest.cuts && self.timed < TIMED;
        if times && self.timed == 0 {
            self.shortest = vec![Duration::MAX; calls.len()];
            let expected = |call: &Dispatch| call.products.div_ceil(MOST_UNTIMED);
            self.cut(gpu, calls, checked, |at| expected(&calls[at]))?;
        }
        for (at, call) in calls.iter().enumerate() {
            let begun = Instant::now();
            match self.pieces.get(at) {
                Some(Some(pieces)) => pieces.submit(gpu, call),
                _ => submit(gpu, |pass| record(call, pass)),
            }
            if times {
                gpu.wait(None)?;
                self.shortest[at] = self.shortest[at].min(begun.elapsed());
            }
        }
        if times {
            self.timed += 1;
            if self.timed == TIMED {
                let shortest = std::mem::take(&mut self.shortest);
                self.cut(gpu, calls, checked, |at| longest.pieces(shortest[at]))?;
            }
        }
        Ok(())
    }

    fn cut(
        &mut self,
        gpu: &Gpu,
        calls: &[Dispatch],
        checked: bool,
        count: impl Fn(usize) -> u64,
    ) -> Result<()> {
        let pieces = calls.iter().enumerate().map(|(at, call)| match count(at) {
            0 | 1 => Ok(None),
            count => {
                let count = u32::try_from(count).unwrap_or(MOST_PIECES);
                Pieces::new(gpu, call, checked, count)
            }
        });
        self.pieces = pieces.collect::<Result<_>>()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_every_workgroup_once() {
        for grid in [[1, 1, 1], [7, 1, 1], [5, 3, 1], [4, 9, 16], [65_535, 3, 1], [1, 1, 40]] {
            for count in [1, 2, 3, 7, 100, 256] {
                let parts = parts(grid, count);
                let groups = |size: [u32; 3]| size.iter().map(|n| u64::from(*n)).product::<u64>();
                let all: u64 = parts.iter().map(|part| groups(part.size)).sum();
                assert_eq!(all, groups(grid), "{grid:?} in {count}");
                let fits = |part: &Part| {
                    (0..3).all(|axis| part.first[axis] + part.size[axis] <= grid[axis])
                };
                assert!(parts.iter().all(fits), "{grid:?} in {count}");
                let overlap = |a: &Part, b: &Part| {
                    (0..3).all(|axis| {
                        a.first[axis] < b.first[axis] + b.size[axis]
                            && b.first[axis] < a.first[axis] + a.size[axis]
                    })
                };
                for (at, part) in parts.iter().enumerate() {
                    let later = parts[at + 1..].iter();
                    assert!(!later.clone().any(|other| overlap(part, other)), "{grid:?}, {count}");
                }
                let wanted = u64::from(count).min(groups(grid));
                assert!(parts.len() as u64 * 2 > wanted, "{grid:?} in {count}: {}", parts.len());
                assert!(parts.len() as u32 <= 4 * count, "{grid:?} in {count}: {}", parts.len());
            }
        }
        assert!(parts([0, 4, 1], 3).is_empty());
    }

    #[test]
    fn an_entry_point_is_told_of_its_piece() {
        let source = "fn main(\n    @builtin(workgroup_id) workgroup: vec3<u32>,\n    \
            @builtin(num_workgroups) workgroups: vec3<u32>,\n) {\n    run(workgroup);\n}\n";
        let text = in_pieces(source).expect("an entry point");
        assert!(text.contains("let workgroup = of_piece + piece.first.xyz;"), "{text}");
        assert!(!text.contains("num_workgroups"), "{text}");
        assert_eq!(in_pieces("fn main() {}"), None);
    }
}
