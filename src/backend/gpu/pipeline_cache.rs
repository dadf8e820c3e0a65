//! Compiled pipelines kept between runs, on backends whose driver hands them out (Vulkan).

#![allow(unsafe_code)]

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::device::Gpu;
use crate::cache;

/// Bytes of a file above which it is begun anew: nothing else takes old pipelines out of it.
const MOST_BYTES: u64 = 64 << 20;

/// Bytes of the hash before the data.
const HASH_BYTES: usize = 32;

/// The pipelines of earlier runs, and the place where this run's are kept.
#[derive(Debug)]
pub(super) struct PipelineCache {
    cache: wgpu::PipelineCache,
    folder: PathBuf,
    name: String,
    /// The file as it was read; empty when there was none that could be used.
    before: Vec<u8>,
}

impl PipelineCache {
    /// The adapter's cache; none where it has none, or there is no folder for it.
    pub(super) fn open(gpu: &Gpu) -> Option<Self> {
        let name = gpu.pipeline_cache_name.clone()?;
        let folder = cache::folder()?;
        let file = cache::read(&folder, &name, MOST_BYTES).unwrap_or_default();
        let (cache, before) = match unseal(&file).and_then(|data| create(gpu, Some(data))) {
            Some(cache) => (cache, file),
            None => (create(gpu, None)?, Vec::new()),
        };
        Some(Self { cache, folder, name, before })
    }

    /// What pipelines are built with.
    pub(super) fn get(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Keeps what has come in since it was opened.
    pub(super) fn save(&self) {
        let Some(data) = self.cache.get_data() else { return };
        let file = seal(&data);
        if file != self.before {
            // A cache that cannot be kept costs the next run time, and is no error.
            let _ = cache::write(&self.folder, &self.name, &file);
        }
    }
}

/// wgpu refuses data of another driver or device; none then.
fn create(gpu: &Gpu, data: Option<&[u8]>) -> Option<wgpu::PipelineCache> {
    let descriptor =
        wgpu::PipelineCacheDescriptor { label: Some("pipelines"), data, fallback: true };
    // SAFETY: the data was taken out of such a cache by `save`: its hash says that not a bit of
    // it has changed since.
    gpu.scoped("the pipeline cache", || unsafe { gpu.device.create_pipeline_cache(&descriptor) })
        .ok()
}

/// Data behind its hash: drivers trust what they are given, and wgpu looks at its header alone.
fn seal(data: &[u8]) -> Vec<u8> {
    let mut file = Sha256::digest(data).to_vec();
    file.extend_from_slice(data);
    file
}

/// The data of a whole and unchanged file.
fn unseal(file: &[u8]) -> Option<&[u8]> {
    let (hash, data) = file.split_at_checked(HASH_BYTES)?;
    (Sha256::digest(data)[..] == *hash).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_not_unsealed() {
        let file = seal(b"pipelines");
        assert_eq!(unseal(&file), Some(&b"pipelines"[..]));
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert_eq!(unseal(&changed), None, "byte {at}");
            assert_eq!(unseal(&file[..at]), None, "cut at {at}");
        }
    }
}
