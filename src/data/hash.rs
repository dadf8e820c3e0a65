//! The hash of a data set: whether two runs saw the same numbers.

use sha2::{Digest, Sha256};

use super::Rows;

/// Takes values in, little-endian.
pub(super) fn hash_reals(hasher: &mut Sha256, values: &[f32]) {
    if cfg!(target_endian = "little") {
        hasher.update(bytemuck::cast_slice(values));
        return;
    }
    for value in values {
        hasher.update(value.to_le_bytes());
    }
}

fn digest(values: &[f32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hash_reals(&mut hasher, values);
    hasher.finalize().into()
}

/// SHA-256, in hexadecimal, over the number of rows of each set and the SHA-256 of each of its arrays,
/// and over the classes' weights.
pub(super) fn hash(sets: &[Option<&Rows>], class_weights: &[f64]) -> String {
    let mut hasher = Sha256::new();
    for set in sets {
        let empty = Rows::default();
        let set = set.unwrap_or(&empty);
        hasher.update((set.rows as u64).to_le_bytes());
        let features = match &set.spill {
            Some(spill) => spill.digest,
            None => digest(&set.features),
        };
        for digest in [features, digest(&set.targets), digest(&set.sample_weights)] {
            hasher.update(digest);
        }
    }
    for weight in class_weights {
        hasher.update(weight.to_le_bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
