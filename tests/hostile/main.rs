//! Hostile files: whatever stands in a file that a user hands in, wgfit reads it or says what is
//! wrong with it. Nothing panics, and no number in a header makes memory of its size.
//!
//! Every file of tests/corpus is one that once did harm, or is like one. Each of tests/corpus/seeds is
//! good, and harmed here in many ways. tests/fuzz looks for more.

mod entries;
mod memory;
mod mutator;
mod program;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use entries::{ENTRIES, Entry};
use memory::{Bounded, peak_of};
use mutator::{Dice, harmed};

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

/// Ways in which the seeds of a kind are harmed, all of them together.
const HARMS: usize = 400;
/// The most bytes that reading a small file may hold, and how many more for each byte of its own:
/// buffers of some megabytes, and what compression stands for.
const MOST_HELD: usize = 64 << 20;
const MOST_HELD_A_BYTE: usize = 64;

/// Memory is counted for the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The files of a folder, by name; none where there is no such folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let named = |path: PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read(path).expect("a file that is read"))
    };
    files.into_iter().map(named).collect()
}

fn seeds(entry: &Entry) -> Vec<(String, Vec<u8>)> {
    let seeds = files(&corpus().join("seeds").join(entry.name));
    assert!(!seeds.is_empty(), "{} has no seeds", entry.name);
    seeds
}

/// Reads every seed, of which nothing is refused.
fn read_seeds(entry: &Entry) -> Vec<(String, Vec<u8>)> {
    let seeds = seeds(entry);
    let refused = seeds.iter().filter(|(_, good)| !(entry.run)(good));
    let refused: Vec<&str> = refused.map(|(name, _)| name.as_str()).collect();
    assert!(refused.is_empty(), "{} that are good were refused: {refused:?}", entry.name);
    seeds
}

fn said(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Reads a file as users do. What is wrong with that, if anything.
fn fault(entry: &Entry, name: &str, bytes: &[u8]) -> Option<String> {
    let mut panicked = None;
    let held = peak_of(name, || {
        panicked = catch_unwind(AssertUnwindSafe(|| _ = (entry.run)(bytes))).err();
    });
    if let Some(panic) = panicked {
        return Some(format!("{name}: {}", said(panic.as_ref())));
    }
    let most = MOST_HELD + MOST_HELD_A_BYTE * bytes.len();
    (held > most).then(|| format!("{name}: {held} bytes held, for a file of {}", bytes.len()))
}

#[test]
fn files_that_did_harm_do_none() {
    let _alone = alone();
    let mut faults = Vec::new();
    let mut count = 0;
    for entry in &ENTRIES {
        // What is kept between files, such as threads, is not a file's.
        read_seeds(entry);
        for (name, bytes) in files(&corpus().join(entry.name)) {
            faults.extend(fault(entry, &format!("{}/{name}", entry.name), &bytes));
            count += 1;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 10, "{count} files");
}

#[test]
fn harmed_files_are_read_or_refused() {
    let _alone = alone();
    let mut faults = Vec::new();
    for entry in &ENTRIES {
        let seeds = read_seeds(entry);
        for number in 0..HARMS {
            let (seed, good) = &seeds[number % seeds.len()];
            let bad = harmed(good, &mut Dice::new(number as u64));
            let name = format!("{} harmed in way {number} from {seed}", entry.name);
            if let Some(fault) = fault(entry, &name, &bad) {
                let kept =
                    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", entry.name));
                std::fs::write(&kept, &bad).expect("a file");
                faults.push(format!("{fault}; it is in {}", kept.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn checkpoints_of_states_that_no_training_comes_to_are_refused() {
    let _alone = alone();
    let entry = ENTRIES.iter().find(|entry| entry.name == "checkpoint").expect("a kind of file");
    for (name, bytes) in files(&corpus().join(entry.name)) {
        // The same file, its state as a training left it, says that nothing else is wrong with them.
        assert_eq!((entry.run)(&bytes), name == "as_it_was", "{name}");
    }
}

#[test]
fn every_kind_of_file_is_fuzzed() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/fuzz_targets");
    let names = |folder: &Path| -> Vec<String> {
        files(folder).into_iter().map(|(name, _)| name).collect()
    };
    let mut expected: Vec<String> =
        ENTRIES.iter().map(|entry| format!("{}.rs", entry.name)).collect();
    expected.sort();
    // They are not published with the crate.
    if targets.exists() {
        assert_eq!(names(&targets), expected);
    }
}
