//! Fuzzing of everything that reads a file, by the doors that tests/hostile uses too.

use std::sync::LazyLock;

#[path = "../../hostile/entries.rs"]
mod entries;

/// One thread does everything: handing work over and back takes longer than to do what a small file
/// asks for, many times as long where the machine has other work.
static ALONE: LazyLock<()> = LazyLock::new(|| {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    pool.build_global().expect("the first pool");
});

/// Does with a file of that kind what users do.
///
/// # Panics
/// Where wgfit does, or there is no such kind.
pub fn run(kind: &str, bytes: &[u8]) {
    LazyLock::force(&ALONE);
    let entry = entries::ENTRIES.iter().find(|entry| entry.name == kind);
    (entry.expect("a kind of file").run)(bytes);
}
