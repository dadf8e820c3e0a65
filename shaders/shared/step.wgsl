// What every kernel of a step reads: the row of settings of the step that the member stands at.

// One step of one member. Twin: program::StepSettings.
struct StepSettings {
    first_row: u32,      // where the batch begins in `order`
    rows: u32,           // rows of the batch; the last one may be short
    position: u32,       // rows of the pass before this batch
    batch: u32,          // batches since the start of training, from 1
    step: u32,           // optimizer steps since the start of training, from 1
    accumulates: u32,    // 1: the gradient is added to that of the batches before
    updates: u32,        // 1: the optimizer takes its step after this batch
    spare0: u32,
    share: f32,          // 1 / the rows, or their weights, of the step
    learning_rate: f32,
    weight_decay: f32,   // decoupled
    clip: f32,           // threshold that gradients are clipped at
    epsilon: f32,
    beta1: f32,
    beta2: f32,
    momentum: f32,
    dampening: f32,
    rho: f32,
    average_rate: f32,   // share of the new weights in their running average
    spare1: u32,
    coefficients: vec4<f32>, // what the optimizer works out of the step's number
    loss: vec4<f32>,         // the loss's parameters, where members differ in them
}

// Where one member stands. Twin: program::MemberState.
struct MemberState {
    cursor: u32,         // row of the settings table, up to the loss; moved on at the step's end
    bad_step: u32,       // the step that met a number that is not finite; 0xffffffff: none
    bad_element: u32,    // the first parameter whose gradient or value was not finite; 0xffffffff: none
    backward: u32,       // row of the settings table after the loss, which sets it
}

@group(0) @binding(1) var<storage, read> steps: array<StepSettings>;
