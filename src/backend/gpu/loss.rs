//! A device that is lost on purpose, to see that training goes on.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// When a device is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlantedLoss {
    /// After how many steps of a training, those of its evaluations counted: how many are measured before it
    /// is a matter of the clock.
    pub step: u64,
    /// How many devices of the adapter are lost, each after so many steps of its own.
    pub times: u32,
    /// Whether the adapter is gone with the last of them.
    pub is_gone: bool,
}

impl PlantedLoss {
    /// What becomes of the device that is opened in the place of the one that was lost.
    pub(super) fn next(self) -> Option<Self> {
        (self.times > 1).then(|| Self { times: self.times - 1, ..self })
    }
}

/// `STEP[xTIMES][/gone]`, as it is parsed.
impl fmt::Display for PlantedLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}{}", self.step, self.times, if self.is_gone { "/gone" } else { "" })
    }
}

impl FromStr for PlantedLoss {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (when, is_gone) = match text.strip_suffix("/gone") {
            Some(when) => (when, true),
            None => (text, false),
        };
        let (step, times) = when.split_once('x').unwrap_or((when, "1"));
        match (step.parse(), times.parse()) {
            (Ok(step), Ok(times)) if step > 0 && times > 0 => Ok(Self { step, times, is_gone }),
            _ => Err(Error::usage(format!("{text:?} does not say when a device is lost"))
                .with_help("write STEP, STEPxTIMES or STEP/gone")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_read_as_they_are_written() {
        let read = |text: &str| text.parse::<PlantedLoss>();
        assert_eq!(read("7").expect("7"), PlantedLoss { step: 7, times: 1, is_gone: false });
        for text in ["7x1", "40x2", "3x1/gone"] {
            assert_eq!(read(text).expect(text).to_string(), text);
        }
        for text in ["", "0", "x2", "3x0", "3x", "-1", "gone"] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert_eq!(read("5x2").expect("5x2").next(), read("5").ok());
        assert_eq!(read("5").expect("5").next(), None);
    }
}
