// One optimizer step of the parameters that begin at an element of a member's arena. Decoupled decay
// comes off first; the gradient (with its L1 and L2 terms) is of the weights before it.
// shared/blocks_*.wgsl give BlockSettings; the optimizer file gives opt_step and declares the moments
// it keeps.

@group(0) @binding(8) var<storage, read_write> parameters: array<Reals>;

// The first element whose gradient or update was not finite, of this invocation's.
var<private> first_bad: u32 = 0xffffffffu;

// `own`: the settings of their block. `penalties`: whether the L1 and L2 terms are added here.
fn apply_step(
    member: u32, stride: u32, element: u32, own: BlockSettings, gradient: Reals, penalties: bool,
    settings: StepSettings,
) {
    let at = (member * stride + element) / REALS;
    let w = parameters[at];
    var g = gradient;
    if (penalties) {
        g += own.l1 * sign(w) + own.l2 * w;
    }
    let learning_rate = settings.learning_rate * own.rate;
    let decayed = w - learning_rate * settings.weight_decay * own.decay * w;
    var updated = decayed - learning_rate * g;
    if (!own.direct) {
        updated = opt_step(at, decayed, g, settings, learning_rate);
    }
    first_bad = min(first_bad, first_not_finite(element, g, updated));
    parameters[at] = updated;
}

// Tells of the first: the least of all invocations', in whatever order they come.
fn report_bad(member: u32) {
    if (first_bad != 0xffffffffu) {
        atomicMin(&state[member].bad_element, first_bad);
    }
}
