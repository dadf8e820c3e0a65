// Inverted dropout: the mask is a function of (stream, element, batch), so the backward pass
// draws it again and nothing is stored.

// One layer of one member. Twin: program::LayerSettings.
struct LayerSettings {
    drop_below: u32,     // an element is dropped when its 24 random bits are below this
    keep_scale: f32,     // 1 / (1 - rate) for plain dropout
    keep_offset: f32,    // 0 but for alpha dropout
    dropped: f32,        // 0 but for alpha dropout
    key0: u32,
    key1: u32,
    noise: f32,          // standard deviation of the Gaussian noise
    spare: u32,
}

@group(0) @binding(3) var<storage, read> layers: array<LayerSettings>;

fn layer_settings(at: u32) -> LayerSettings {
    return layers[at];
}

// 0 for a dropped element, else the scale of a kept one.
fn dropout_scale(layer: LayerSettings, element: u32, batch: u32) -> f32 {
    if (layer.drop_below == 0u) {
        return 1.0;
    }
    let bits = threefry2x32(vec2<u32>(layer.key0, layer.key1), vec2<u32>(element, batch)).x;
    return select(layer.keep_scale, 0.0, (bits >> 8u) < layer.drop_below);
}
