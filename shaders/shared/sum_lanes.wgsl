// Sums over a workgroup of 64.

const LANES = 64u;

var<workgroup> sums: array<f32, 64>;

// The sum of all lanes' values, at every lane, as a tree of fixed shape.
fn sum_lanes(lane: u32, value: f32) -> f32 {
    workgroupBarrier();
    sums[lane] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    return sums[0];
}
