// What becomes of a result of a dense layer's product, one at a time.

fn activate(z: Reals, p: vec2<f32>) -> Reals {
    return act(z, p);
}

fn activation_slopes(z: Reals, y: Reals, p: vec2<f32>) -> Reals {
    return act_grad(z, y, p);
}

fn dropout_scales(layer: LayerSettings, element: u32, batch: u32) -> Reals {
    return dropout_scale(layer, element, batch);
}
