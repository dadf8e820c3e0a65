// Threefry-2x32, 20 rounds (Salmon et al., SC11). Twin: random::threefry2x32.

fn rotate_left(x: u32, by: u32) -> u32 {
    return (x << by) | (x >> (32u - by));
}

fn threefry_round(x: vec2<u32>, by: u32) -> vec2<u32> {
    let sum = x.x + x.y;
    return vec2<u32>(sum, rotate_left(x.y, by) ^ sum);
}

fn threefry_even(x: vec2<u32>) -> vec2<u32> {
    return threefry_round(threefry_round(threefry_round(threefry_round(x, 13u), 15u), 26u), 6u);
}

fn threefry_odd(x: vec2<u32>) -> vec2<u32> {
    return threefry_round(threefry_round(threefry_round(threefry_round(x, 17u), 29u), 16u), 24u);
}

fn threefry2x32(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
    let third = key.x ^ key.y ^ 0x1BD11BDAu;
    var x = counter + key;
    x = threefry_even(x) + vec2<u32>(key.y, third + 1u);
    x = threefry_odd(x) + vec2<u32>(third, key.x + 2u);
    x = threefry_even(x) + vec2<u32>(key.x, key.y + 3u);
    x = threefry_odd(x) + vec2<u32>(key.y, third + 4u);
    x = threefry_even(x) + vec2<u32>(third, key.x + 5u);
    return x;
}
