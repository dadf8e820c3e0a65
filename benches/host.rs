//! What a step costs the host: recorded and submitted to wgpu's `noop` backend, where no device
//! takes any time. At most 20 microseconds with three layers.

mod common;

use std::time::Instant;

use common::{criterion, fill, network, plan, update};
use criterion::{Criterion, criterion_group, criterion_main};
use wgfit::backend::Backend;
use wgfit::backend::gpu::{GpuBackend, GpuOptions};
use wgfit::program::ProgramId;

fn host(criterion: &mut Criterion) {
    let backend = GpuBackend::noop(GpuOptions::default(), 16).expect("wgpu has a noop backend");
    let network = network(1, 64, &[128, 64], 10);
    for (form, fuses) in [("", true), (" that is not fused", false)] {
        let plan = plan(&network, 64, update("adam"), [fuses, false]);
        let mut executor = backend.load(&plan).expect("the plan loads");
        fill(&plan, &network, 64, executor.as_mut()).expect("the buffers are filled");
        criterion.bench_function(
            &format!("host time of a step of three layers{form}"),
            |bencher| {
                bencher.iter_custom(|steps| {
                    let begun = Instant::now();
                    executor.run(ProgramId(0), steps as usize).expect("the steps are recorded");
                    begun.elapsed()
                });
            },
        );
    }
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = host
}
criterion_main!(benches);
