//! The scenes that every device is put through, and the calls of them that are held to the
//! reference. Sizes are ragged: none is a multiple of what a kernel works on at a time, unless another
//! one is not.

mod halves;
mod hostile;
mod layers;
mod sharing;
mod steps;
mod tiles;

pub use halves::{halves, halves_of_slow_tiles, halves_of_tiles};
pub use hostile::{hostile, hostile_products};
pub(super) use layers::embedded;
pub use layers::{activations, apart, deep, embeddings, sizes};
pub use sharing::shared;
pub use steps::{
    directions_of_tiles, fused_optimizers, fused_sizes, losses, optimizers, shorten, split_case,
    split_optimizers, split_sizes, updates,
};
pub use tiles::{
    products_of_slow_tiles, products_of_tiles, updates_of_slow_tiles, updates_of_tiles,
};

use super::{Case, Scene};
use crate::error::Result;
use crate::kernels::Kernel;
use crate::program::Call;

/// A scene, and which of its calls are held to the reference.
#[derive(Debug, Clone)]
pub struct Held {
    /// The scene.
    pub scene: Scene,
    /// The calls.
    pub which: fn(&Call) -> bool,
}

impl Held {
    /// Every call of a scene.
    pub fn all(scene: Scene) -> Self {
        Self { scene, which: |_| true }
    }

    /// Every call of a case's scene.
    fn case(case: &Case) -> Result<Self> {
        Scene::new(case).map(Self::all)
    }
}

/// Large arenas: more workgroups than one axis of a grid holds.
///
/// # Errors
/// Never, of a case that a plan is made of.
pub fn large_arena() -> Result<Vec<Held>> {
    let case = Case { rows: 1, inputs: 4100, hidden: Vec::new(), outputs: 4100, ..Case::default() };
    let scene = Scene::new(&case)?;
    Ok(vec![Held { scene, which: |call| call.kernel == Kernel::OptimizerStep }])
}
