//! Whether a device computes right: everything that it may run, held to the f64 reference.
//!
//! A [`Scene`] is a plan with the contents of all its buffers. [`examine`] runs single calls of it on a
//! device and on the reference and compares every buffer, within bounds that are derived for each
//! kernel; a [`Training`] runs several steps in some form against the plain one. [`scenes`] and
//! [`training`] list what there is; [`verify`] puts a device through all of it and keeps what is wrong
//! for those who open the device later. The tests hold backends to the same lists.

mod case;
mod check;
mod comparison;
mod fill;
mod findings;
#[doc(hidden)]
pub mod finiteness;
mod groups;
mod scene;
#[doc(hidden)]
pub mod scenes;
mod tolerance;
#[doc(hidden)]
pub mod training;

pub use case::Case;
pub use check::{Extent, Wanted, verify};
pub use comparison::{CallSize, Difference, Outcome, Worst, compare, compare_within, examine};
pub use fill::{Fill, Noise, step_settings};
pub use findings::{Failure, Findings, Row, Variant};
pub use scene::Scene;
pub use scenes::Held;
pub use tolerance::{Tolerance, U};
pub use training::{Trained, Training};
