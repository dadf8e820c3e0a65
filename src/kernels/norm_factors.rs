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
        /// Members that have one norm, one after the other: the heads of one network; 1: each its own.
        pub heads: u32,
        /// Of several heads, the ranges of blocks that the norm is of.
        pub ranges: u32,
        /// Of these, the first that hold the same of every head, and are counted once.
        pub shared_ranges: u32,
    }
}

impl NormFactors {
    /// The factor that is made of a norm.
    pub fn factor<R: Real>(&self, norm: R, clip: R, epsilon: R) -> R {
        match self.form {
            0 => R::one().min(clip / (norm + R::of(1e-6))),
            1 => clip / norm.max(clip),
            2 => R::one() / norm.max(epsilon),
            _ => R::one() / (norm + epsilon),
        }
    }

    /// The norm of all heads' ranges together, of each head's `partials`.
    pub fn joint_norm<R: Real>(&self, partials: &[&[R]], groups: &[u32]) -> R {
        let squares = |own: &[R], range: &[u32; 2]| -> R {
            let pairs = &own[range[0] as usize * 2..(range[0] + range[1]) as usize * 2];
            pairs.iter().step_by(2).copied().sum()
        };
        let ranges = groups.as_chunks::<2>().0.iter().enumerate();
        let of_range = |(index, range): (usize, &[u32; 2])| -> R {
            let is_shared = index < self.shared_ranges as usize;
            let heads = if is_shared { &partials[..1] } else { partials };
            heads.iter().map(|own| squares(own, range)).sum()
        };
        ranges.map(of_range).sum::<R>().sqrt()
    }
}

/// One member's call, or that of a network whose first head is the step's member. `groups` holds the
/// first block and the number of blocks of each group.
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
    let clip = step.settings.clip;
    if call.heads > 1 {
        let all = partials.chunks_exact(call.blocks as usize * 2);
        let heads = step.member..step.member + call.heads as usize;
        let own: Vec<&[R]> = all.skip(heads.start).take(heads.len()).collect();
        factors[heads].fill(call.factor(call.joint_norm(&own, groups), clip, epsilon));
        return;
    }
    for (group, range) in groups.as_chunks::<2>().0.iter().enumerate() {
        let first = step.member * call.blocks as usize + range[0] as usize;
        let pairs = &partials[first * 2..(first + range[1] as usize) * 2];
        let norm = pairs.iter().step_by(2).copied().sum::<R>().sqrt();
        factors[step.member * call.groups as usize + group] = call.factor(norm, clip, epsilon);
    }
}
