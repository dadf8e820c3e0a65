//! Counter-based random numbers: the same bits on the CPU and on every GPU, whatever the
//! dispatch shape.
//!
//! The generator is Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as
//! easy as 1, 2, 3", SC11). Its WGSL twin is `shaders/shared/threefry.wgsl`. A stream is keyed
//! by (seed, purpose, index, member); within it a number is a function of its counter alone.

use std::convert::Infallible;

/// What a stream of random numbers is for. The value is part of the stream's key and so of
/// every result: it must never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Which rows go to training, validation and test.
    Split = 1,
    /// The order of the training rows; the index is the epoch.
    BatchOrder = 2,
    /// Starting weights; the index is the layer.
    Weights = 3,
    /// Starting biases; the index is the layer.
    Biases = 4,
    /// Dropout masks; the index is the layer.
    Dropout = 5,
    /// Which rows a column's values are moved to, to see how much it matters; the index is the column.
    Importance = 6,
    /// The order of the blocks of training rows; the index is the epoch.
    BlockOrder = 7,
    /// The order of the rows within a window of blocks; the index is the epoch, and each window has a
    /// part.
    WindowOrder = 8,
    /// Starting tables of embedded columns; the index is the embedding.
    Embeddings = 9,
    /// Points of a sweep's space; the index is the axis, the member the trial.
    Sweep = 10,
    /// Starting vectors of heads' adapters; the index is the layer.
    Adapters = 11,
}

const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
const PARITY: u32 = 0x1BD1_1BDA;

/// Threefry-2x32-20: a bijection of the 64-bit counter for each 64-bit key.
#[inline(always)] // that many are drawn in vectors
pub fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    let schedule = [key[0], key[1], key[0] ^ key[1] ^ PARITY];
    let mut x = [counter[0].wrapping_add(schedule[0]), counter[1].wrapping_add(schedule[1])];
    for block in 0..5_u32 {
        for rotation in ROTATIONS[(block % 2) as usize] {
            x[0] = x[0].wrapping_add(x[1]);
            x[1] = x[1].rotate_left(rotation) ^ x[0];
        }
        let next = (block + 1) as usize;
        x[0] = x[0].wrapping_add(schedule[next % 3]);
        x[1] = x[1].wrapping_add(schedule[(next + 1) % 3]).wrapping_add(block + 1);
    }
    x
}

/// The key of the stream (seed, purpose, index, member).
pub fn stream_key(seed: u64, purpose: Purpose, index: u32, member: u32) -> [u32; 2] {
    let seed_key = [seed as u32, (seed >> 32) as u32];
    let purpose_key = threefry2x32(seed_key, [purpose as u32, index]);
    threefry2x32(purpose_key, [member, 0])
}

/// A uniform number in [0, 1) with 24 bits, the same in f32 on host and device.
pub fn uniform_f32(bits: u32) -> f32 {
    (bits >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// A stream read in sequence; a [`rand::Rng`], so that `rand`'s shuffles run on it.
#[derive(Debug, Clone)]
pub struct Stream {
    key: [u32; 2],
    counter: u64,
}

impl Stream {
    /// The stream (seed, purpose, index, member), from its start.
    pub fn new(seed: u64, purpose: Purpose, index: u32, member: u32) -> Self {
        Self { key: stream_key(seed, purpose, index, member), counter: 0 }
    }

    /// One of 2^32 streams of its own, from its start.
    #[must_use]
    pub fn part(&self, part: u32) -> Self {
        // Far behind every counter that is read.
        Self { key: threefry2x32(self.key, [part, u32::MAX]), counter: 0 }
    }

    /// The two words at `counter`, wherever the stream stands.
    pub fn at(&self, counter: u64) -> [u32; 2] {
        threefry2x32(self.key, [counter as u32, (counter >> 32) as u32])
    }

    /// A uniform number in (0, 1) with 53 bits, at `counter`. Never 0, so its logarithm is finite.
    pub fn uniform_f64(&self, counter: u64) -> f64 {
        let [low, high] = self.at(counter);
        let bits = (u64::from(high) << 32) | u64::from(low);
        ((bits >> 11) as f64 + 0.5) * (1.0 / 9_007_199_254_740_992.0)
    }
}

impl rand::TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.try_next_u64()? as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let [low, high] = self.at(self.counter);
        self.counter += 1;
        Ok((u64::from(high) << 32) | u64::from(low))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known-answer vectors of Random123 (`kat_vectors`, threefry2x32 with 20 rounds).
    #[test]
    fn known_answers() {
        assert_eq!(threefry2x32([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(threefry2x32([!0, !0], [!0, !0]), [0x1cb9_96fc, 0xbb00_2be7]);
        assert_eq!(
            threefry2x32([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3]),
            [0xc492_3a9c, 0x483d_f7a0]
        );
    }

    #[test]
    fn streams_part_by_every_part_of_their_key() {
        let base = stream_key(7, Purpose::Weights, 1, 2);
        assert_ne!(base, stream_key(8, Purpose::Weights, 1, 2));
        assert_ne!(base, stream_key(7 + (1 << 32), Purpose::Weights, 1, 2));
        assert_ne!(base, stream_key(7, Purpose::Dropout, 1, 2));
        assert_ne!(base, stream_key(7, Purpose::Weights, 2, 2));
        assert_ne!(base, stream_key(7, Purpose::Weights, 1, 3));
    }

    #[test]
    fn uniforms_stay_inside_their_interval() {
        assert_eq!(uniform_f32(0), 0.0);
        assert!(uniform_f32(u32::MAX) < 1.0);
        let stream = Stream::new(1, Purpose::Weights, 0, 0);
        let mean = (0..10_000).map(|i| stream.uniform_f64(i)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
    }
}
