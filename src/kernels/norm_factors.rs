//! Of each group of blocks the norm, and the factor that is made of it: the second stage of
//! clipping by norm, and of Muon's scaling. Twin of `shaders/norm_factors.wgsl`.

use super::{Real, Step};

/// Which factor is made of a norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum NormFactor {
    /// min(1, clip / (norm + 1e-6)): `torch.nn.utils.clip_grad_norm_`.
    TorchClip = 0,
    /// clip / max(norm, clip): Keras' clipnorm and global_clipnorm.
    KerasClip = 1,
    /// 1 / max(norm, epsilon): `torch.optim.Muon`.
    TorchUnit = 2,
    /// 1 / (norm + epsilon): `keras.optimizers.Muon`.
    KerasUnit = 3,
}

uniform! {
    /// The uniform of a call.
    pub struct NormFactors {
        /// M.
        pub members: u32,
        /// Groups of blocks a member.
        pub groups: u32,
        /// Blocks of 64 parameters a member.
        pub blocks: u32,
        /// Which factor is made of a norm: see [`NormFactor`].
        pub form: u32,
        /// Keeps a norm of 0 from being divided by, in the forms for Muon.
        pub epsilon: f32,
        /// Unused.
        pub spare0: u32,
        /// Unused.
        pub spare1: u32,
        /// Unused.
        pub spare2: u32,
    }
}

/// One member's call. `groups` holds the first block and the number of blocks of each group.
pub fn norm_factors<R: Real>(
    call: &NormFactors,
    step: &Step<R>,
    epsilon: R,
    partials: &[R],
    groups: &[u32],
    factors: &mut [R],
) {
    if step.settings.updates == 0 {
        return;
    }
    for (group, range) in groups.as_chunks::<2>().0.iter().enumerate() {
        let first = step.member * call.blocks as usize + range[0] as usize;
        let pairs = &partials[first * 2..(first + range[1] as usize) * 2];
        let norm = pairs.iter().step_by(2).copied().sum::<R>().sqrt();
        let clip = step.settings.clip;
        factors[step.member * call.groups as usize + group] = match call.form {
            0 => R::one().min(clip / (norm + R::of(1e-6))),
            1 => clip / norm.max(clip),
            2 => R::one() / norm.max(epsilon),
            _ => R::one() / (norm + epsilon),
        };
    }
}
