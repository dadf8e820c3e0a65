//! Keeps what a crate does with a damaged file from ending the program.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what trusts a file more than it should: none where it panics, of which nothing is printed.
/// What `run` was working on must not be used after that.
pub(super) fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                print(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(before);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn a_panic_is_no_more_than_none() {
        assert_eq!(guarded(|| 3), Some(3));
        let nothing: Vec<u8> = Vec::new();
        assert_eq!(guarded(|| nothing[nothing.len()]), None);
    }
}
