//! What verification found wrong on an adapter, kept between runs, and what is left out for it.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::device::AdapterFacts;
use super::fault::WHOLE_STEPS;
use super::tile::{self, Class, Kind, Tile};
use super::tuning::Machine;
use crate::cache;
use crate::kernels::Kernel;
use crate::program::Precision;

/// A file is never near this long.
const MOST_BYTES: u64 = 1 << 20;

/// The version of what is verified.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Something that is held to the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A kernel.
    Kernel(Kernel),
    /// Whole steps, many to a dispatch.
    WholeSteps,
    /// A short training, call by call.
    PlainTraining,
    /// A short training of fused steps.
    FusedTraining,
    /// A short training of fused steps whose gradients are made by parts of the batch.
    SplitTraining,
}

impl Subject {
    /// Those that are no kernels.
    const OTHERS: [Self; 4] =
        [Self::WholeSteps, Self::PlainTraining, Self::FusedTraining, Self::SplitTraining];

    /// Every subject.
    pub fn all() -> impl Iterator<Item = Self> {
        Kernel::ALL.iter().copied().map(Self::Kernel).chain(Self::OTHERS)
    }

    /// The kernel, where it is one.
    pub fn kernel(self) -> Option<Kernel> {
        match self {
            Self::Kernel(kernel) => Some(kernel),
            _ => None,
        }
    }

    /// Its name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel(kernel) => kernel.name(),
            Self::WholeSteps => WHOLE_STEPS,
            Self::PlainTraining => "plain_training",
            Self::FusedTraining => "fused_training",
            Self::SplitTraining => "split_training",
        }
    }

    /// The subject of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|subject| subject.name() == name)
    }
}

/// A variant of a subject that computes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// The subject's name.
    pub subject: String,
    /// The tile of a matrix product.
    pub tile: Option<String>,
    /// What activations are stored in.
    pub precision: Precision,
    /// The smallest size that was found to be wrong.
    pub smallest: String,
}

/// Such as `dense_forward with the tile naive in f16`.
impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)?;
        if let Some(tile) = &self.tile {
            write!(f, " with the tile {tile}")?;
        }
        if self.precision == Precision::F16 { f.write_str(" in f16") } else { Ok(()) }
    }
}

/// As the file has it.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    machine: Machine,
    version: String,
    wrong: Vec<Wrong>,
}

/// What verification found on an adapter, as far as it was verified.
#[derive(Debug)]
pub struct Verified {
    folder: Option<PathBuf>,
    name: String,
    machine: Machine,
    version: String,
    wrong: Vec<Wrong>,
}

impl Verified {
    /// What a cache folder has of a machine; nothing is wrong where nothing is known.
    pub fn open(folder: Option<PathBuf>, machine: Machine) -> Self {
        Self::of_version(folder, machine, VERSION)
    }

    fn of_version(folder: Option<PathBuf>, machine: Machine, version: &str) -> Self {
        let named = serde_json::to_vec(&(&machine, version)).unwrap_or_default();
        let hash: String =
            Sha256::digest(&named).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("verified-{hash}.json");
        let version = version.to_owned();
        let mut verified = Self { folder, name, machine, version, wrong: Vec::new() };
        let bytes =
            verified.folder.as_ref().and_then(|at| cache::read(at, &verified.name, MOST_BYTES));
        let file = bytes.and_then(|bytes| serde_json::from_slice::<File>(&bytes).ok());
        if let Some(file) = file
            && file.machine == verified.machine
            && file.version == verified.version
        {
            verified.wrong = file.wrong;
        }
        verified
    }

    /// What is wrong.
    pub fn wrong(&self) -> &[Wrong] {
        &self.wrong
    }

    /// Puts what was found of some subjects, of all their tiles or of one, in the place of what was
    /// known of them, and keeps it. A cache that cannot be kept is no error.
    pub fn keep(&mut self, verified: &[(Subject, Option<String>)], found: Vec<Wrong>) {
        let is_older = |known: &Wrong| {
            verified.iter().any(|(subject, tile)| {
                subject.name() == known.subject && (tile.is_none() || *tile == known.tile)
            })
        };
        self.wrong.retain(|known| !is_older(known));
        self.wrong.extend(found);
        let file = File {
            machine: self.machine.clone(),
            version: self.version.clone(),
            wrong: self.wrong.clone(),
        };
        if let (Some(folder), Ok(bytes)) = (&self.folder, serde_json::to_vec_pretty(&file)) {
            let _ = cache::write(folder, &self.name, &bytes);
        }
    }
}

/// What an adapter does without, since it computes it wrong.
#[derive(Debug, Clone, Default)]
pub struct LeftOut {
    /// Tiles of kernels.
    pub tiles: HashSet<(Kernel, Tile)>,
    /// Fused steps.
    pub fused: bool,
    /// Steps whose gradients are made by parts of the batch.
    pub split: bool,
    /// Whole steps.
    pub whole_steps: bool,
    /// Plans of f16.
    pub halves: bool,
    /// What has no variant left that is right.
    pub without: Vec<&'static str>,
}

impl LeftOut {
    /// What is left out for what is wrong, of an adapter that takes one of such tiles without
    /// measuring.
    pub fn of(wrong: &[Wrong], taken: &[Tile]) -> Self {
        let mut left_out = Self::default();
        let all = tile::all();
        let tile_of = |own: &Wrong| {
            let name = own.tile.as_ref()?;
            all.iter().find(|tile| tile.to_string() == *name).copied()
        };
        let is_wrong = |kernel: Kernel, tile: Tile, precision: Precision| {
            wrong.iter().any(|own| {
                own.subject == kernel.name()
                    && own.precision == precision
                    && tile_of(own) == Some(tile)
            })
        };
        for own in wrong {
            let Some(subject) = Subject::find(&own.subject) else { continue };
            let is_half = own.precision == Precision::F16;
            let is_last = match (subject.kernel(), own.tile.is_some()) {
                (Some(kernel), true) => {
                    let Some(tile) = tile_of(own) else { continue };
                    let is_last = taken.iter().all(|tile| is_wrong(kernel, *tile, own.precision));
                    // One that is wrong in f16 alone is left out of f32 too, if there are others.
                    if !(is_half && is_last) {
                        left_out.tiles.insert((kernel, tile));
                    }
                    is_last
                }
                _ => true,
            };
            match subject {
                _ if !is_last => {}
                _ if is_half => left_out.halves = true,
                Subject::FusedTraining | Subject::Kernel(Kernel::Update) => left_out.fused = true,
                Subject::SplitTraining | Subject::Kernel(Kernel::PartialGradients) => {
                    left_out.split = true;
                }
                Subject::WholeSteps => left_out.whole_steps = true,
                Subject::PlainTraining | Subject::Kernel(_) => {
                    if !left_out.without.contains(&subject.name()) {
                        left_out.without.push(subject.name());
                    }
                }
            }
        }
        left_out
    }
}

/// The tiles that an adapter may be given; last those that it takes only after measuring them.
pub(super) fn usable(class: Class, facts: &AdapterFacts) -> Vec<Tile> {
    let cooperative = facts.fixed_subgroup.into_iter().flat_map(tile::cooperative_candidates);
    let mut tiles = tile::candidates(class);
    tiles.push(Tile::NAIVE);
    tiles.extend(cooperative);
    tiles.retain(|tile| tile.fits(facts));
    tiles.sort_by_key(|tile| is_only_measured(class, *tile));
    tiles
}

/// Whether an adapter takes a tile only after measuring it, and compiles it for many seconds: those of
/// a software adapter that are no choice of its class.
pub(super) fn is_only_measured(class: Class, tile: Tile) -> bool {
    match (class, tile.kind) {
        (Class::Software { subgroup: 1.. }, Kind::Direct { handed_round, .. }) => {
            handed_round == 0 || tile.each[1] != 4
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            vendor: 1,
            device: 2,
            name: "a device".to_owned(),
            backend: "vulkan".to_owned(),
            driver: "1.0".to_owned(),
            wgpu: "30".to_owned(),
            checked: false,
            shaders: "abc".to_owned(),
        }
    }

    fn wrong(subject: &str, tile: Option<Tile>, precision: Precision) -> Wrong {
        let tile = tile.map(|tile| tile.to_string());
        Wrong { subject: subject.to_owned(), tile, precision, smallest: "1x1x1".to_owned() }
    }

    #[test]
    fn what_was_found_is_known_of_its_machine_and_version_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |machine: Machine, version: &str| {
            Verified::of_version(Some(folder.path().to_owned()), machine, version)
        };
        let found = wrong("loss", None, Precision::F32);
        open(machine(), "1").keep(&[], vec![found.clone()]);
        assert_eq!(open(machine(), "1").wrong(), &[found]);
        assert!(open(machine(), "2").wrong().is_empty());
        let others: [fn(&mut Machine); 4] = [
            |m| m.driver.push('x'),
            |m| m.name.push('x'),
            |m| m.checked = true,
            // Such as a planted fault.
            |m| m.shaders.push('x'),
        ];
        for change in others {
            let mut other = machine();
            change(&mut other);
            assert!(open(other, "1").wrong().is_empty());
        }
        // What was verified again is what was found then.
        let other = wrong("update", None, Precision::F32);
        open(machine(), "1").keep(&[(Subject::Kernel(Kernel::Update), None)], vec![other.clone()]);
        assert_eq!(open(machine(), "1").wrong().len(), 2);
        open(machine(), "1").keep(&[(Subject::Kernel(Kernel::Loss), None)], Vec::new());
        assert_eq!(open(machine(), "1").wrong(), &[other]);
        let file = folder.path().join(&open(machine(), "1").name);
        std::fs::write(file, "damaged").expect("written");
        assert!(open(machine(), "1").wrong().is_empty());
    }

    #[test]
    fn a_wrong_tile_leaves_the_others_and_the_last_nothing() {
        let usable = [Tile::direct(8, 4, 16, 0), Tile::NAIVE];
        let own = |kernel: &str, tile| wrong(kernel, Some(tile), Precision::F32);
        let one = [own("dense_forward", usable[0])];
        let left_out = LeftOut::of(&one, &usable);
        assert!(left_out.tiles.contains(&(Kernel::DenseForward, usable[0])));
        assert_eq!((left_out.tiles.len(), left_out.without.len()), (1, 0));
        let both = [own("dense_forward", usable[0]), own("dense_forward", usable[1])];
        assert_eq!(LeftOut::of(&both, &usable).without, ["dense_forward"]);
        let both = [own("update", usable[0]), own("update", usable[1])];
        let left_out = LeftOut::of(&both, &usable);
        assert!(left_out.fused && left_out.without.is_empty());
        let loss = [wrong("loss", None, Precision::F32)];
        assert_eq!(LeftOut::of(&loss, &usable).without, ["loss"]);
        let of_half = |tile| wrong("dense_forward", Some(tile), Precision::F16);
        let left_out = LeftOut::of(&[of_half(usable[0])], &usable);
        assert!(!left_out.halves && left_out.tiles.contains(&(Kernel::DenseForward, usable[0])));
        let left_out = LeftOut::of(&[of_half(usable[0]), of_half(usable[1])], &usable);
        assert!(left_out.halves && left_out.tiles.is_empty() && left_out.without.is_empty());
        let halves = LeftOut::of(&[wrong("loss", None, Precision::F16)], &usable);
        assert!(halves.halves && halves.without.is_empty());
        let whole = LeftOut::of(&[wrong("whole_steps", None, Precision::F32)], &usable);
        assert!(whole.whole_steps && whole.without.is_empty());
        let training = LeftOut::of(&[wrong("plain_training", None, Precision::F32)], &usable);
        assert_eq!(training.without, ["plain_training"]);
    }

    #[test]
    fn names_are_found() {
        for subject in Subject::all() {
            assert_eq!(Subject::find(subject.name()), Some(subject));
        }
        assert_eq!(Subject::find("none"), None);
    }
}
