//! Rises in a line through the warmup, then falls as one over the square root of the step. With
//! W warmup steps and t = s + 1,
//! rate = base model_size^-0.5 min(t^-0.5, t W^-1.5); a `model_size` of 0 leaves that factor out
//! and scales the curve so that its peak, at t = W, is the base rate: base min((W/t)^0.5, t/W).
//!
//! Source: Vaswani et al. 2017, "Attention is all you need", equation 3, where base is 1,
//! model_size 512 and W 4000. The warmup is the formula's own: `warmup_steps` and `warmup_epochs`
//! set W.

use super::ScheduleRow;
use super::keys::{At, ScheduleKey};
use crate::catalog::parameter::{Parameter, Range};

const MODEL_SIZE: usize = 0;

pub(super) const ROW: ScheduleRow = ScheduleRow {
    name: "noam",
    page: include_str!("noam.rs"),
    formula: "learning_rate model_size^-0.5 min(t^-0.5, t warmup^-1.5), t = step + 1",
    keys: &[ScheduleKey::Number(Parameter::new(
        "model_size",
        0.0,
        Range::NotNegative,
        "the paper's width of the model; 0 makes the learning rate the peak",
    ))],
    own_warmup: Some(4000),
    rate,
    ..ScheduleRow::PLAIN
};

fn rate(at: &At) -> f64 {
    let (t, warmup) = (at.step as f64 + 1.0, at.warmup as f64);
    let size = at.number(MODEL_SIZE);
    if size > 0.0 {
        let root = libm::sqrt(size);
        at.base / root * f64::min(1.0 / libm::sqrt(t), t / (warmup * libm::sqrt(warmup)))
    } else {
        at.base * f64::min(libm::sqrt(warmup / t), t / warmup)
    }
}
