//! Nothing is allocated in the loop of the CPU backend, whatever thread does it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use wgfit::backend::Backend;
use wgfit::backend::cpu::CpuBackend;
use wgfit::catalog::optimizer::OptimizerForm;
use wgfit::kernels::optimizer_step::BLOCK_SETTINGS;
use wgfit::program::{MemberState, ProgramId};
use wgfit::verify::{Case, Fill, Scene};

/// The system's allocator, with a count.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The fewest allocations of twenty runs of three steps, after a first one: threads that start and end
/// beside them allocate too.
fn allocations(case: &Case, threads: usize) -> usize {
    let mut scene = Scene::new(case).unwrap();
    scene.begin();
    let settings = scene.reals_mut("block_settings").unwrap();
    settings.as_chunks_mut::<BLOCK_SETTINGS>().0.fill([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    for row in scene.steps_mut().unwrap() {
        row.accumulates = 0;
        row.learning_rate = 1e-3;
    }
    assert!(scene.fills.iter().any(|fill| matches!(fill, Fill::Reals(_))));
    let backend = CpuBackend::with_threads(threads).expect("threads");
    let mut executor = backend.load(&scene.plan).expect("a plan that loads");
    scene.upload(executor.as_mut()).unwrap();
    let state = scene.buffer("train.train.state").unwrap();
    let start = vec![MemberState::START; case.members];
    executor.run(ProgramId(0), 3).expect("a run");
    let mut fewest = usize::MAX;
    for _ in 0..20 {
        executor.write_state(state, &start).expect("a write");
        let before = COUNT.load(Ordering::SeqCst);
        executor.run(ProgramId(0), 3).expect("a run");
        fewest = fewest.min(COUNT.load(Ordering::SeqCst) - before);
    }
    fewest
}

#[test]
fn a_plain_step_allocates_nothing() {
    let adam = ("adam", OptimizerForm::default());
    let case = Case { optimizer: adam, statistics: false, ..Case::default() };
    let wide = Case { rows: 200, inputs: 300, hidden: vec![150, 70], ..case.clone() };
    for dropout in [0.0, 0.2] {
        for threads in [1, 2, 3] {
            for members in [1, 2, 9] {
                for shape in [&case, &wide] {
                    let case = Case { members, dropout, ..shape.clone() };
                    assert_eq!(allocations(&case, threads), 0, "{case:?} on {threads} threads");
                }
            }
        }
    }
    // The count counts.
    let before = COUNT.load(Ordering::SeqCst);
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert!(COUNT.load(Ordering::SeqCst) > before);
}
