// For layers whose activation is part of the matrix product: its derivative is too.

@group(0) @binding(8) var<storage, read> below: array<f32>;

fn store(row: u32, column: u32, sum: f32) {
    let layer = layer_settings(member * call.layer_stride + call.layer);
    let element = row * call.inputs + column;
    let index = member * call.below_member_stride + element;
    let scale = dropout_scale(layer, element, settings.batch);
    var result = 0.0;
    if (scale != 0.0) {
        // `below` holds the output after dropout; the derivative wants it before.
        let y = below[index] / scale;
        let p = vec2<f32>(call.alpha, call.beta);
        result = sum * scale * act_grad(read_pre_activation(index), y, p);
    }
    delta_below[index] = result;
}
