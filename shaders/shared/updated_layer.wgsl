// A layer of those whose weight gradients one call makes. Twin: kernels::update::UpdatedLayer.

struct UpdatedLayer {
    inputs: u32,
    units: u32,
    weight_offset: u32,     // [units, inputs] in a member's arena
    bias_offset: u32,
    input_offset: u32,      // [members, batch_rows, inputs] in its place
    delta_offset: u32,      // [members, batch_rows, units]
    place: u32,             // 0: even, 1: odd, 2: even, with the data set's rows as input
    rows: u32,              // of the pass's batches, at most
}

struct Problem {
    rows: u32,
    columns: u32,
    depth: u32,
}

var<private> member: u32;
var<private> settings: StepSettings;
var<private> layer: UpdatedLayer;
