//! A team of threads that shares pieces of work of some microseconds, thousands of times a second.
//!
//! A pool of tasks costs more than such a piece: here work is published by a few stores, and claimed
//! by one compare-and-swap a piece. Each thread has a run of pieces of its own, so that what it wrote
//! the time before is in its cache; who is done first takes over from the others. The head, which
//! publishes, works too, and waits for finished pieces rather than for threads: a thread that the
//! system put aside holds up the piece that it is at, and nothing else.

#![allow(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Looks at what is waited for before the processor is offered to others.
const SPINS: u32 = 1_500;

/// How long a thread stays awake after the last piece.
const LINGER: Duration = Duration::from_micros(200);

/// `(thread, piece)`.
type Work<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What is being shared: lives on the head's stack until every piece is finished.
struct Job<'a> {
    work: Work<'a>,
}

/// A cache line of its own, and that which processors fetch with it.
#[repr(align(128))]
struct Apart<T>(T);

/// The run of pieces of one thread: where it ends, and in one word the job's number and the pieces
/// that nobody has claimed.
struct Run {
    end: AtomicUsize,
    ticket: AtomicU64,
}

struct Shared {
    runs: Box<[Apart<Run>]>,
    job: AtomicPtr<()>,
    number: Apart<AtomicU32>,
    finished: Apart<AtomicUsize>,
    /// Threads that sleep until `published`.
    asleep: AtomicUsize,
    sleep: Mutex<()>,
    published: Condvar,
    ends: AtomicBool,
    /// What a piece panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// The threads. The one that shares work is their head, thread 0.
pub(super) struct Team {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    /// Whether somebody's work is being shared.
    taken: AtomicBool,
}

impl std::fmt::Debug for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Team").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

impl Team {
    /// A team of so many threads, of which the caller is one.
    ///
    /// # Errors
    /// When the system does not start them.
    pub fn new(threads: usize) -> Result<Self> {
        let threads = threads.max(1);
        let run = || Apart(Run { end: AtomicUsize::new(0), ticket: AtomicU64::new(0) });
        let shared = Arc::new(Shared {
            runs: (0..threads).map(|_| run()).collect(),
            job: AtomicPtr::new(std::ptr::null_mut()),
            number: Apart(AtomicU32::new(0)),
            finished: Apart(AtomicUsize::new(0)),
            asleep: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            published: Condvar::new(),
            ends: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let mut team = Self { shared, helpers: Vec::new(), taken: AtomicBool::new(false) };
        for thread in 1..threads {
            let shared = Arc::clone(&team.shared);
            let helper = std::thread::Builder::new()
                .name(format!("wgfit-{thread}"))
                .spawn(move || shared.help(thread))
                .map_err(|error| {
                    Error::device(format!("the CPU's threads do not start: {error}"))
                })?;
            team.helpers.push(helper);
        }
        Ok(team)
    }

    /// Its number of threads.
    pub fn threads(&self) -> usize {
        self.shared.runs.len()
    }

    /// Does every piece once, and returns when all are done.
    ///
    /// # Panics
    /// With what a piece panicked with.
    pub fn each(&self, pieces: usize, work: Work) {
        let alone = pieces < 2 || self.helpers.is_empty();
        if alone || self.taken.swap(true, Ordering::Acquire) {
            // One piece, no helper, or a team that is busy with another head's work.
            (0..pieces).for_each(|piece| work(0, piece));
            return;
        }
        let job = Job { work };
        self.shared.publish(&job, pieces);
        self.shared.work(0);
        let mut waits = 0;
        while self.shared.finished.0.load(Ordering::Acquire) < pieces {
            relax(&mut waits);
        }
        let panic = lock(&self.shared.panic).take();
        self.taken.store(false, Ordering::Release);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// [`Team::each`] over the items of a slice: `(thread, index, item)`.
    pub fn each_mut<T: Send>(&self, items: &mut [T], work: &(dyn Fn(usize, usize, &mut T) + Sync)) {
        let first = Items(items.as_mut_ptr());
        self.each(items.len(), &|thread, index| {
            // SAFETY: `index` is below the slice's length, and `each` hands out each index once, so
            // that no two references to an item exist; `items` is borrowed until `each` returns,
            // which is after every piece is finished; T may be sent to the thread.
            let item = unsafe { &mut *first.at(index) };
            work(thread, index, item);
        });
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        drop(lock(&self.shared.sleep));
        self.shared.published.notify_all();
        for helper in self.helpers.drain(..) {
            // A helper catches what its pieces panic with.
            let _ = helper.join();
        }
    }
}

/// The first of a slice's items.
struct Items<T>(*mut T);

impl<T> Items<T> {
    fn at(&self, index: usize) -> *mut T {
        self.0.wrapping_add(index)
    }
}

// SAFETY: the pointer is used through `Team::each_mut` alone, which gives each item to one thread.
unsafe impl<T: Send> Sync for Items<T> {}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits a little: first at the processor, then by giving it to whoever wants it.
fn relax(waits: &mut u32) {
    *waits = waits.saturating_add(1);
    if *waits < SPINS {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

impl Shared {
    fn publish(&self, job: &Job, pieces: usize) {
        let number = self.number.0.load(Ordering::Relaxed).wrapping_add(1);
        self.finished.0.store(0, Ordering::Relaxed);
        self.job.store(std::ptr::from_ref(job).cast_mut().cast(), Ordering::Relaxed);
        let threads = self.runs.len();
        for (thread, Apart(run)) in self.runs.iter().enumerate() {
            let (start, end) = (thread * pieces / threads, (thread + 1) * pieces / threads);
            run.end.store(end, Ordering::Relaxed);
            let ticket = u64::from(number) << 32 | (end - start) as u64;
            // What was stored above is seen by whoever sees the ticket.
            run.ticket.store(ticket, Ordering::Release);
        }
        self.number.0.store(number, Ordering::Release);
        // Either this sees that a helper sleeps, or the helper sees the number before it does.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) > 0 {
            drop(lock(&self.sleep));
            self.published.notify_all();
        }
    }

    /// Claims a piece of a thread's run, if one is left.
    fn claim(&self, thread: usize) -> Option<(*const Job<'_>, usize)> {
        let Apart(run) = &self.runs[thread];
        let mut ticket = run.ticket.load(Ordering::Acquire);
        loop {
            let left = (ticket & u64::from(u32::MAX)) as usize;
            if left == 0 {
                return None;
            }
            let (job, end) = (self.job.load(Ordering::Relaxed), run.end.load(Ordering::Relaxed));
            // The exchange succeeds while the ticket is that of the job with a piece unclaimed: the
            // job was then not finished, so nothing was published between the loads.
            match run.ticket.compare_exchange_weak(
                ticket,
                ticket - 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some((job.cast_const().cast(), end - left)),
                Err(now) => ticket = now,
            }
        }
    }

    /// Works off its own run, then what is left of the others'.
    fn work(&self, thread: usize) {
        let threads = self.runs.len();
        for other in 0..threads {
            while let Some((job, piece)) = self.claim((thread + other) % threads) {
                // SAFETY: the claimed piece is not finished, so `each` has not returned and the
                // job on its stack, with all that it borrows, is alive.
                let work = unsafe { (*job).work };
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(thread, piece))) {
                    *lock(&self.panic) = Some(panic);
                }
                self.finished.0.fetch_add(1, Ordering::Release);
            }
        }
    }

    /// A helper's life.
    fn help(&self, thread: usize) {
        let mut seen = 0;
        loop {
            let mut waits = 0;
            let mut idle_since = None;
            while self.number.0.load(Ordering::Acquire) == seen {
                if self.ends.load(Ordering::Relaxed) {
                    return;
                }
                relax(&mut waits);
                if waits >= SPINS && idle_since.get_or_insert_with(Instant::now).elapsed() > LINGER
                {
                    self.sleep_until_not(seen);
                }
            }
            seen = self.number.0.load(Ordering::Acquire);
            self.work(thread);
        }
    }

    fn sleep_until_not(&self, seen: u32) {
        let mut guard = lock(&self.sleep);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        while self.number.0.load(Ordering::Relaxed) == seen && !self.ends.load(Ordering::Relaxed) {
            guard = self.published.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once() {
        for threads in [1, 2, 3, 7] {
            let team = Team::new(threads).expect("threads");
            for round in 0..300 {
                let mut done = vec![0_u32; round % 41];
                team.each_mut(&mut done, &|thread, _, item| {
                    assert!(thread < threads);
                    *item += 1;
                });
                assert!(done.iter().all(|times| *times == 1), "{threads} threads: {done:?}");
                if round % 100 == 99 {
                    // Long enough for the helpers to fall asleep.
                    std::thread::sleep(2 * LINGER);
                }
            }
        }
    }

    #[test]
    fn a_team_within_a_team_and_two_heads_do_all_their_work() {
        let team = Team::new(3).expect("threads");
        let count = AtomicUsize::new(0);
        let add = |_: usize, _: usize| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        team.each(5, &|_, _| team.each(4, &add));
                    }
                });
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 2 * 100 * 5 * 4);
    }

    #[test]
    fn a_panic_comes_out_at_the_head_and_the_team_goes_on() {
        let team = Team::new(2).expect("threads");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            team.each(8, &|_, piece| assert!(piece != 5, "piece five"));
        }));
        assert!(panicked.is_err());
        let done = AtomicUsize::new(0);
        team.each(8, &|_, _| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.load(Ordering::Relaxed), 8);
    }
}
