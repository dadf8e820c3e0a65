//! The tiles that were picked, kept between runs: the same device and the same file give the same
//! tiles, which fix the order of every sum.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::backend::gpu::tile::{self, Tile};
use crate::cache;

/// A file is never near this long.
const MOST_BYTES: u64 = 1 << 20;

/// The version that the shaders are compiled by; a test holds it to Cargo.lock.
pub const WGPU_VERSION: &str = "30.0.1";

/// What a choice depends on beside the product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// PCI numbers of vendor and device.
    pub vendor: u32,
    /// The device's.
    pub device: u32,
    /// The adapter's name.
    pub name: String,
    /// `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// wgpu's version.
    pub wgpu: String,
    /// Whether shaders check every index.
    pub checked: bool,
    /// Of all shaders and tiles, and what is wrong with them on purpose.
    pub shaders: String,
}

/// As the file has it.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    machine: Machine,
    /// Tiles by their names, by the products' names.
    tiles: BTreeMap<String, String>,
    /// Seconds of a whole step, by the program's key; null where its calls are faster.
    #[serde(default)]
    whole_steps: BTreeMap<String, Option<f64>>,
}

/// What was chosen.
#[derive(Debug, Clone, Default)]
struct Choices {
    tiles: BTreeMap<String, Tile>,
    whole_steps: BTreeMap<String, Option<f64>>,
}

/// The choices of a machine.
#[derive(Debug)]
pub struct Kept {
    folder: Option<PathBuf>,
    name: String,
    machine: Machine,
    choices: Choices,
    changed: bool,
}

impl Kept {
    /// Reads a machine's choices out of a cache folder, and says what was wrong with the file.
    pub fn open(folder: Option<PathBuf>, machine: Machine) -> (Self, Option<String>) {
        let named = serde_json::to_vec(&machine).unwrap_or_default();
        let hash: String =
            Sha256::digest(&named).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("tiles-{hash}.json");
        let mut kept = Self { folder, name, machine, choices: Choices::default(), changed: false };
        let bytes = kept.folder.as_ref().and_then(|at| cache::read(at, &kept.name, MOST_BYTES));
        let Some(bytes) = bytes else { return (kept, None) };
        match kept.read(&bytes) {
            Some(choices) => {
                kept.choices = choices;
                (kept, None)
            }
            None => {
                // It is written anew even when there is nothing to tell.
                kept.changed = true;
                let file = kept.folder.as_deref().map(|folder| folder.join(&kept.name));
                let file = file.unwrap_or_default();
                let warning = format!(
                    "{} holds no choice of tiles for this device: it is made anew",
                    file.display()
                );
                (kept, Some(warning))
            }
        }
    }

    /// The choices of a file; none when it is damaged or another machine's.
    fn read(&self, bytes: &[u8]) -> Option<Choices> {
        let file: File = serde_json::from_slice(bytes).ok()?;
        let is_time = |seconds: &Option<f64>| seconds.is_none_or(|x| x.is_finite() && x > 0.0);
        if file.machine != self.machine || !file.whole_steps.values().all(is_time) {
            return None;
        }
        let all = tile::all();
        let tiles = file
            .tiles
            .into_iter()
            .map(|(product, name)| {
                Some((product, *all.iter().find(|tile| tile.to_string() == name)?))
            })
            .collect::<Option<_>>()?;
        Some(Choices { tiles, whole_steps: file.whole_steps })
    }

    /// The choice for a product.
    pub fn get(&self, product: &str) -> Option<Tile> {
        self.choices.tiles.get(product).copied()
    }

    /// Adds a choice.
    pub fn put(&mut self, product: String, tile: Tile) {
        self.choices.tiles.insert(product, tile);
        self.changed = true;
    }

    /// The choice for a program: the seconds of a whole step, or that its calls are faster.
    pub fn whole_steps(&self, program: &str) -> Option<Option<f64>> {
        self.choices.whole_steps.get(program).copied()
    }

    /// Adds such a choice.
    pub fn put_whole_steps(&mut self, program: String, seconds: Option<f64>) {
        self.choices.whole_steps.insert(program, seconds);
        self.changed = true;
    }

    /// Writes what is new. A cache that cannot be kept costs the next run time, and is no error.
    pub fn save(&mut self) {
        let Some(folder) = self.folder.as_ref().filter(|_| self.changed) else { return };
        // What another process has picked meanwhile stays.
        let now = cache::read(folder, &self.name, MOST_BYTES).and_then(|bytes| self.read(&bytes));
        let mut choices = self.choices.clone();
        if let Some(now) = now {
            choices.tiles.extend(now.tiles);
            choices.whole_steps.extend(now.whole_steps);
        }
        let file = File {
            machine: self.machine.clone(),
            whole_steps: choices.whole_steps,
            tiles: choices
                .tiles
                .into_iter()
                .map(|(product, tile)| (product, tile.to_string()))
                .collect(),
        };
        if let Ok(bytes) = serde_json::to_vec_pretty(&file) {
            let _ = cache::write(folder, &self.name, &bytes);
        }
        self.changed = false;
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
            wgpu: WGPU_VERSION.to_owned(),
            checked: false,
            shaders: "abc".to_owned(),
        }
    }

    fn open(folder: &std::path::Path, machine: Machine) -> (Kept, Option<String>) {
        Kept::open(Some(folder.to_owned()), machine)
    }

    const TILE: Tile = Tile::shared([64, 64, 16], [8, 8]);

    #[test]
    fn what_was_kept_is_found_by_its_machine_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut kept, warning) = open(folder.path(), machine());
        assert_eq!((kept.get("a"), warning), (None, None));
        kept.put("a".to_owned(), TILE);
        kept.save();
        let (kept, warning) = open(folder.path(), machine());
        assert_eq!((kept.get("a"), kept.get("b"), warning), (Some(TILE), None, None));
        let others: [fn(&mut Machine); 8] = [
            |m| m.vendor = 9,
            |m| m.device = 9,
            |m| m.name.push('x'),
            |m| m.backend.push('x'),
            |m| m.driver.push('x'),
            |m| m.wgpu.push('x'),
            |m| m.checked = true,
            |m| m.shaders.push('x'),
        ];
        for change in others {
            let mut other = machine();
            change(&mut other);
            let (kept, warning) = open(folder.path(), other.clone());
            assert_eq!((kept.get("a"), warning), (None, None), "{other:?}");
        }
    }

    #[test]
    fn two_at_once_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut first, _) = open(folder.path(), machine());
        let (mut second, _) = open(folder.path(), machine());
        first.put("a".to_owned(), TILE);
        first.put_whole_steps("c".to_owned(), None);
        second.put("b".to_owned(), Tile::direct(8, 4, 16, 0));
        second.put_whole_steps("d".to_owned(), Some(2.5e-5));
        first.save();
        second.save();
        let (kept, _) = open(folder.path(), machine());
        assert_eq!(kept.get("a"), Some(TILE));
        assert_eq!(kept.get("b"), Some(Tile::direct(8, 4, 16, 0)));
        let whole_steps = ["c", "d", "e"].map(|program| kept.whole_steps(program));
        assert_eq!(whole_steps, [Some(None), Some(Some(2.5e-5)), None]);
    }

    #[test]
    fn a_damaged_or_foreign_file_is_told_once_and_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut kept, _) = open(folder.path(), machine());
        kept.put("a".to_owned(), TILE);
        kept.put_whole_steps("b".to_owned(), Some(0.5));
        kept.save();
        let path = folder.path().join(&kept.name);
        let whole = std::fs::read_to_string(&path).expect("the file");
        let spoiled = [
            String::new(),
            whole[..whole.len() / 2].to_owned(),
            whole.replace("shared_64x64x16_8x8", "shared_1x1x1_1x1"),
            whole.replace("a device", "another"),
            whole.replace("0.5", "-0.5"),
            "[]".to_owned(),
        ];
        for text in spoiled {
            std::fs::write(&path, &text).expect("written");
            let (mut kept, warning) = open(folder.path(), machine());
            assert!(warning.is_some_and(|text| text.contains("tiles-")), "{text}");
            assert_eq!(kept.get("a"), None, "{text}");
            kept.save();
            let (_, warning) = open(folder.path(), machine());
            assert_eq!(warning, None, "{text}");
        }
    }

    #[test]
    fn no_folder_is_no_cache() {
        let (mut kept, warning) = Kept::open(None, machine());
        assert_eq!(warning, None);
        kept.put("a".to_owned(), TILE);
        kept.save();
        assert_eq!(kept.get("a"), Some(TILE));
    }

    #[test]
    fn the_version_of_wgpu_is_the_one_of_the_lock_file() {
        let lock = include_str!("../../../../Cargo.lock");
        let wanted = format!("name = \"wgpu\"\nversion = \"{WGPU_VERSION}\"");
        assert!(lock.contains(&wanted), "Cargo.lock has another wgpu than {WGPU_VERSION}");
    }
}
