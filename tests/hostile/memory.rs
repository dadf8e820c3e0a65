//! How much memory is held, and a bound on it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with a count, and no more than [`MOST`] bytes to give at once.
pub struct Bounded;

/// The most bytes of one allocation: no file of the corpus can need as many.
pub const MOST: usize = 256 << 20;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// What is being done, to be told where a bound is broken.
static DOING: Mutex<String> = Mutex::new(String::new());

fn taken(size: usize) {
    let held = HELD.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(held, Ordering::Relaxed);
}

/// Whether so many bytes are refused, which is said: it mostly ends the process.
fn refused(size: usize) -> bool {
    if size <= MOST {
        return false;
    }
    if let Ok(doing) = DOING.try_lock() {
        let mut to = std::io::stderr();
        let _ = to.write_all(b"an allocation of more bytes than any of it can need: ");
        let _ = to.write_all(doing.as_bytes());
        let _ = to.write_all(b"\n");
    }
    true
}

// SAFETY: every call is handed to the system's allocator as it is, or refused by null.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refused(layout.size()) {
            return std::ptr::null_mut();
        }
        taken(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if refused(layout.size()) {
            return std::ptr::null_mut();
        }
        taken(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if refused(size) {
            return std::ptr::null_mut();
        }
        taken(size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Runs something of that name, and gives the most bytes that were held beside those before.
pub fn peak_of(name: &str, run: impl FnOnce()) -> usize {
    if let Ok(mut doing) = DOING.lock() {
        doing.clear();
        doing.push_str(name);
    }
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    run();
    PEAK.load(Ordering::Relaxed).saturating_sub(before)
}
