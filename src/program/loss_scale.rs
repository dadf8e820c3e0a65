//! The scale of a member's gradient, where that is stored in f16: small gradients would round to 0.
//! It follows `torch.amp.GradScaler`: it is halved at a step whose gradient overflowed, which is
//! skipped, and doubled after so many steps that were not. One thing differs: a step's number comes
//! from the table of steps, so that a skipped one counts in schedules and bias corrections.

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};

use super::{MemberState, NONE};

/// [`MemberState::bad_element`] of a member whose gradient overflows f16 without any scale.
pub const PAST_F16: u32 = u32::MAX - 1;

/// Steps in a row without an overflow after which the scale is doubled.
const GROWTH_STEPS: u32 = 2000;

/// The largest scale, 2^100: the gradient of all weights may be 0 for ever.
const LARGEST: f32 = 1.267_650_6e30;

/// The loss scale of one member, a power of two. A table of its own beside the members' states:
/// those the host writes at every epoch, this goes on.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable, Serialize, Deserialize)]
#[repr(C)]
pub struct LossScale {
    /// Of the step that comes next: what the loss multiplies its gradient by.
    pub scale: f32,
    /// Of the step under way after the loss, which sets it: no kernel reads what it writes.
    pub backward: f32,
    /// The last step whose gradient overflowed f16; 0: none has. All batches of a step have its
    /// number, so that nothing has to be cleared.
    pub overflowed: u32,
    /// Steps since the scale was changed.
    pub steps: u32,
}

impl LossScale {
    /// As `torch.amp.GradScaler` begins.
    pub const START: Self = Self { scale: 65536.0, backward: 65536.0, overflowed: 0, steps: 0 };

    /// A step's loss: its gradient is multiplied by what is returned.
    pub fn begin_step(&mut self) -> f32 {
        self.backward = self.scale;
        self.scale
    }

    /// Whether the gradient of that step overflowed.
    pub fn has_overflowed(&self, step: u32) -> bool {
        self.overflowed == step
    }

    /// Ends a step that updates. Where the gradient overflows without a scale it is at fault, not
    /// the scale: the member's last. Twin of `end_scaled_step` in `shaders/shared/scaled_end.wgsl`.
    pub fn end_step(&mut self, step: u32, state: &mut MemberState) {
        if state.bad_step != NONE {
            return;
        }
        let mut scale = self.backward;
        let mut steps = self.steps + 1;
        if self.has_overflowed(step) {
            (scale, steps) = (scale * 0.5, 0);
            if scale < 1.0 {
                state.bad_element = state.bad_element.min(PAST_F16);
            }
        } else if steps >= GROWTH_STEPS {
            (scale, steps) = ((scale * 2.0).min(LARGEST), 0);
        }
        (self.scale, self.steps) = (scale, steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(steps: std::ops::Range<u32>, scale: &mut LossScale, overflows: bool) -> MemberState {
        let mut state = MemberState::START;
        for step in steps {
            scale.begin_step();
            if overflows {
                scale.overflowed = step;
            }
            scale.end_step(step, &mut state);
        }
        state
    }

    #[test]
    fn a_scale_grows_and_backs_off_as_grad_scaler() {
        let mut scale = LossScale::START;
        after(1..2000, &mut scale, false);
        assert_eq!((scale.scale, scale.steps), (65536.0, 1999));
        after(2000..2001, &mut scale, false);
        assert_eq!((scale.scale, scale.steps), (131_072.0, 0));
        after(2001..2003, &mut scale, true);
        assert_eq!((scale.scale, scale.backward, scale.steps), (32768.0, 65536.0, 0));
        // An overflow begins the count anew.
        after(2003..3003, &mut scale, false);
        after(3003..3004, &mut scale, true);
        after(3004..5003, &mut scale, false);
        assert_eq!(scale.scale, 16384.0);
        after(5003..5004, &mut scale, false);
        assert_eq!(scale.scale, 32768.0);
    }

    #[test]
    fn an_overflow_without_a_scale_is_the_members_last() {
        let mut scale = LossScale::START;
        assert_eq!(after(1..17, &mut scale, true), MemberState::START);
        assert_eq!(scale.scale, 1.0);
        assert_eq!(after(17..18, &mut scale, true).bad_element, PAST_F16);
    }

    #[test]
    fn a_scale_has_a_largest() {
        let mut scale = LossScale { scale: LARGEST, ..LossScale::START };
        after(1..2001, &mut scale, false);
        assert_eq!(scale.scale, 2_f32.powi(100));
    }
}
