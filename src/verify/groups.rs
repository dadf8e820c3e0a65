//! What a device is put through, in groups: which cases on which of its forms.

use super::Training;
use super::scenes::{self, Held};
use super::training;
use crate::backend::Backend;
use crate::backend::gpu::{GpuBackend, GpuOptions, Subject, Tile, Verified, WholeSteps, Wrong};
use crate::error::Result;
use crate::kernels::Kernel;

/// Makes a list when its turn comes.
type Make<T> = Box<dyn Fn() -> Result<Vec<T>>>;

/// The cases of a group.
pub(super) enum Cases {
    /// Single calls.
    Scenes(Make<Held>),
    /// Single calls of numbers that are not finite.
    CallsOfNotFinite,
    /// Trainings of such numbers.
    TrainingsOfNotFinite,
    /// Trainings in one form.
    Trainings(Subject, Make<Training>),
}

/// The name of a group.
const NOT_FINITE: &str = "numbers that are not finite";

/// A group of cases, and what runs them.
pub(super) struct Group<'a> {
    /// For the progress.
    pub name: String,
    pub backend: &'a dyn Backend,
    /// The same, where it is a GPU.
    pub gpu: Option<&'a GpuBackend>,
    pub cases: Cases,
}

impl<'a> Group<'a> {
    /// Single calls of some scenes.
    pub fn scenes(
        name: &str,
        backend: &'a dyn Backend,
        gpu: Option<&'a GpuBackend>,
        list: impl Fn() -> Result<Vec<Held>> + 'static,
    ) -> Self {
        Self { name: name.to_owned(), backend, gpu, cases: Cases::Scenes(Box::new(list)) }
    }

    fn trainings(
        backend: &'a dyn Backend,
        subject: Subject,
        list: impl Fn() -> Result<Vec<Training>> + 'static,
    ) -> Self {
        let cases = Cases::Trainings(subject, Box::new(list));
        Self { name: subject.name().replace('_', " "), backend, gpu: None, cases }
    }
}

/// What every backend is put through; `plain` is the one for variants of what is no product.
fn of_any<'a>(
    own: (&'a dyn Backend, Option<&'a GpuBackend>),
    plain: (&'a dyn Backend, Option<&'a GpuBackend>),
) -> Vec<Group<'a>> {
    type List = fn() -> Result<Vec<Held>>;
    let of = |name: &str, (backend, gpu): (&'a dyn Backend, Option<&'a GpuBackend>), list: List| {
        Group::scenes(name, backend, gpu, list)
    };
    let (backend, gpu) = own;
    vec![
        of("steps of all sizes", own, scenes::sizes),
        of("deep networks", own, scenes::deep),
        of("activations", plain, scenes::activations),
        of("normalisations and residuals", plain, scenes::apart),
        of("learned tables", plain, scenes::embeddings),
        of("weights that heads share", plain, scenes::shared),
        of("losses", plain, scenes::losses),
        of("optimizers", plain, scenes::optimizers),
        of("clipping, averages, muon", own, scenes::updates),
        of("products of hostile numbers", own, scenes::hostile_products),
        of("hostile numbers", plain, scenes::hostile),
        Group { name: NOT_FINITE.to_owned(), backend, gpu, cases: Cases::CallsOfNotFinite },
    ]
}

/// The trainings that every backend is put through.
fn trainings_of_any(backend: &dyn Backend) -> Vec<Group<'_>> {
    let name = format!("trainings of {NOT_FINITE}");
    vec![
        Group { name, backend, gpu: None, cases: Cases::TrainingsOfNotFinite },
        Group::trainings(backend, Subject::PlainTraining, training::plain),
    ]
}

/// What the CPU is put through.
pub(super) fn of_cpu(backend: &dyn Backend) -> Vec<Group<'_>> {
    let mut groups = of_any((backend, None), (backend, None));
    groups.extend(trainings_of_any(backend));
    groups.push(Group::trainings(backend, Subject::PlainTraining, training::unfused));
    groups
}

/// A GPU in all its forms.
pub(super) struct Forms {
    /// As it is.
    backend: GpuBackend,
    /// With one tile for all products.
    tiles: Vec<(Tile, GpuBackend)>,
    /// For variants of what is no product.
    plain: GpuBackend,
    /// With whole steps.
    whole: GpuBackend,
    /// What all of them are opened with.
    own: GpuOptions,
    /// Whether it compiles some tiles for many seconds.
    compiles_slowly: bool,
}

impl Forms {
    /// The forms of a device that is opened with such options. `all_tiles`: also those that a software
    /// adapter takes only after measuring them.
    pub fn new(backend: GpuBackend, own: GpuOptions, all_tiles: bool) -> Self {
        backend.keep_pipelines();
        let of_tile = |tile: Tile| backend.variant(GpuOptions { tile: Some(tile), ..own });
        let compiles_slowly = backend.device().kind == "software";
        let usable = backend.usable_tiles().into_iter();
        let tiles: Vec<Tile> =
            usable.filter(|tile| all_tiles || !backend.is_only_measured(*tile)).collect();
        // What becomes of a product's results is the same text with any tile.
        let plain = if compiles_slowly { of_tile(Tile::NAIVE) } else { backend.variant(own) };
        let whole = backend.variant(GpuOptions { whole_steps: Some(WholeSteps::Always), ..own });
        let tiles = tiles.into_iter().map(|tile| (tile, of_tile(tile))).collect();
        Self { backend, tiles, plain, whole, own, compiles_slowly }
    }

    /// The same device without what is wrong.
    pub fn without(&self, wrong: &[Wrong]) -> Self {
        let Self { backend, own, compiles_slowly, .. } = self;
        let whole = GpuOptions { whole_steps: Some(WholeSteps::Always), ..*own };
        let of = |options| backend.variant_without(options, wrong);
        Self {
            backend: of(*own),
            tiles: Vec::new(),
            plain: of(*own),
            whole: of(whole),
            own: *own,
            compiles_slowly: *compiles_slowly,
        }
    }

    /// Whether it would ever run a subject.
    pub fn runs(&self, subject: Subject) -> bool {
        let capacity = self.backend.capacity();
        match subject {
            Subject::Kernel(Kernel::Update) | Subject::FusedTraining | Subject::WholeSteps => {
                capacity.fuses
            }
            Subject::Kernel(Kernel::PartialGradients) | Subject::SplitTraining => {
                capacity.fuses && capacity.splits
            }
            _ => true,
        }
    }

    /// What was found of it before.
    pub fn verified(&self) -> Verified {
        self.backend.verified()
    }

    /// With one tile for all products.
    pub fn with_tile(&self, name: &str) -> Option<&GpuBackend> {
        self.tiles.iter().find(|(tile, _)| tile.to_string() == name).map(|(_, backend)| backend)
    }

    /// What it is put through.
    pub fn groups<'a>(&'a self) -> Vec<Group<'a>> {
        let Self { backend, plain, .. } = self;
        let capacity = backend.capacity();
        let of = |name: &str, gpu: &'a GpuBackend, list: fn() -> Result<Vec<Held>>| {
            Group::scenes(name, gpu, Some(gpu), list)
        };
        // The longest first, so that none waits for the last one.
        let mut groups = self.of_tiles();
        if capacity.halves {
            groups.push(of("everything in f16", plain, scenes::halves));
        }
        if capacity.fuses {
            groups.push(of("fused steps", plain, scenes::fused_sizes));
            groups.push(of("optimizers of fused steps", plain, scenes::fused_optimizers));
        }
        if capacity.splits && capacity.fuses {
            groups.push(of("split steps", backend, scenes::split_sizes));
            groups.push(of("optimizers of split steps", plain, scenes::split_optimizers));
        }
        groups.extend(of_any((backend, Some(backend)), (plain, Some(plain))));
        groups.push(of("a large arena", backend, scenes::large_arena));
        groups
    }

    /// The trainings that it is put through.
    pub fn trainings(&self) -> Vec<Group<'_>> {
        let capacity = self.backend.capacity();
        let mut groups = Vec::new();
        if capacity.fuses {
            groups.push(Group::trainings(&self.backend, Subject::FusedTraining, training::fused));
            let list = match self.compiles_slowly {
                true => training::whole_of_sizes,
                false => training::whole,
            };
            groups.push(Group::trainings(&self.whole, Subject::WholeSteps, list));
        }
        if capacity.splits && capacity.fuses {
            groups.push(Group::trainings(&self.backend, Subject::SplitTraining, training::split));
        }
        groups.extend(trainings_of_any(&self.backend));
        groups
    }

    /// What each tile is put through.
    fn of_tiles(&self) -> Vec<Group<'_>> {
        let capacity = self.backend.capacity();
        let slowly = self.compiles_slowly;
        let mut groups = Vec::new();
        for (tile, backend) in self.tiles.iter().rev() {
            let mut of = |what: &str, list: fn() -> Result<Vec<Held>>| {
                let name = format!("{what} by {tile}");
                groups.push(Group::scenes(&name, backend, Some(backend), list));
            };
            match slowly {
                true => of("products", scenes::products_of_slow_tiles),
                false => {
                    of("products", scenes::products_of_tiles);
                    of("products of hostile numbers", scenes::hostile_products);
                    of("directions", scenes::directions_of_tiles);
                }
            }
            if capacity.fuses {
                match slowly {
                    true => of("updates", scenes::updates_of_slow_tiles),
                    false => of("updates", scenes::updates_of_tiles),
                }
            }
            if capacity.halves {
                match slowly {
                    true => of("f16", scenes::halves_of_slow_tiles),
                    false => of("f16", scenes::halves_of_tiles),
                }
            }
        }
        groups
    }
}
