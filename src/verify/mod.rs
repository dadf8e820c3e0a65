//! Whether a device computes right.

mod case;
mod check;
mod comparison;
mod fill;
mod findings;
pub mod finiteness;
mod scene;
pub mod scenes;
mod tolerance;
pub mod training;

pub use case::Case;
pub use check::verify;
pub use comparison::{CallSize, Difference, Outcome, Worst, compare, compare_within, examine};
pub use fill::{Fill, Noise, step_settings};
pub use findings::{Failure, Findings, Row, Variant};
pub use scene::Scene;
pub use scenes::Held;
pub use tolerance::{Tolerance, U};
pub use training::{Trained, Training};
