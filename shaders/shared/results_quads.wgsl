// What becomes of four neighbouring results of a dense layer's product.

fn activate(z: Reals, p: vec2<f32>) -> Reals {
    return Reals(act(z.x, p), act(z.y, p), act(z.z, p), act(z.w, p));
}

fn activation_slopes(z: Reals, y: Reals, p: vec2<f32>) -> Reals {
    return Reals(
        act_grad(z.x, y.x, p), act_grad(z.y, y.y, p), act_grad(z.z, y.z, p), act_grad(z.w, y.w, p)
    );
}

fn dropout_scales(layer: LayerSettings, element: u32, batch: u32) -> Reals {
    return Reals(
        dropout_scale(layer, element, batch),
        dropout_scale(layer, element + 1u, batch),
        dropout_scale(layer, element + 2u, batch),
        dropout_scale(layer, element + 3u, batch),
    );
}
