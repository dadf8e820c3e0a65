//! Whole training steps, on the CPU and on the first adapter, by the device's clock; throughput in
//! samples.

mod common;

use common::{backends, criterion, fill, network, plan, time_steps, update};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wgfit::program::ProgramId;

/// Members, inputs, hidden units, classes, rows of a batch.
const STEPS: [(usize, usize, &[usize], usize, usize); 5] = [
    (1, 784, &[32], 10, 32),
    (1, 784, &[128, 64], 10, 64),
    (1, 784, &[512, 512], 10, 256),
    (1, 13, &[32, 16], 3, 16),
    (64, 13, &[32, 16], 3, 16),
];

fn steps(criterion: &mut Criterion) {
    for (name, backend) in backends() {
        let mut group = criterion.benchmark_group(&name);
        for (members, inputs, hidden, classes, batch) in STEPS {
            let network = network(members, inputs, hidden, classes);
            let capacity = backend.capacity();
            let forms = [capacity.fuses, capacity.splits];
            let plan = plan(&network, batch, update("adam"), forms);
            let mut executor = backend.load(&plan).expect("the plan loads");
            fill(&plan, &network, batch, executor.as_mut()).expect("the buffers are filled");
            let of_members =
                if members == 1 { String::new() } else { format!("{members} members of ") };
            group.throughput(Throughput::Elements((members * batch) as u64));
            group.bench_function(
                format!("{of_members}{} at {batch}", network.shape()),
                |bencher| {
                    bencher.iter_custom(|steps| {
                        time_steps(&plan, members, executor.as_mut(), ProgramId(0), steps)
                    });
                },
            );
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = steps
}
criterion_main!(benches);
