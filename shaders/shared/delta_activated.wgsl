// For layers whose activation is part of the matrix product: its derivative is too.

@group(0) @binding(8) var<storage, read> below: array<Reals>;

var<private> layer: LayerSettings;

fn begin_store(which: u32) {
    layer = layer_settings(which * call.layer_stride + call.layer);
}

fn store(row: u32, column: u32, sum: Reals) {
    let element = row * call.inputs + column;
    let at = (member * call.below_member_stride + element) / REALS;
    let scale = dropout_scales(layer, element, settings.batch);
    let dropped = scale == Reals();
    // `below` holds the output after dropout; the derivative wants it before.
    let y = below[at] / select(scale, Reals(1.0), dropped);
    let slope = activation_slopes(read_pre_activation(at), y, vec2<f32>(call.alpha, call.beta));
    delta_below[at] = select(sum * scale * slope, Reals(), dropped);
}
