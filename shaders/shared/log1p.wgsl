// log(1 + x) for x >= 0, without the loss of x's digits in the sum
// (Kahan's correction; HP-15C Advanced Functions Handbook).

fn log1p(x: f32) -> f32 {
    let sum = 1.0 + x;
    let rounded = sum - 1.0;
    if (rounded == 0.0) {
        return x;
    }
    return log(sum) * (x / rounded);
}
