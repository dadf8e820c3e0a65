//! Faults planted on purpose: what verification finds, seen to be found.
//!
//! A fault is in the source of one kernel's pipelines: some of the numbers that it stores are a
//! thousandth too large. No driver objects, no result looks odd.

use std::fmt;
use std::str::FromStr;

use super::source::Fragment;
use super::tile::{self, Tile};
use crate::error::{Error, Result};
use crate::kernels::Kernel;
use crate::program::Precision;

/// The name of whole steps among those of kernels.
pub const WHOLE_STEPS: &str = "whole_steps";

/// Something that is computed wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlantedFault {
    /// The kernel; none for whole steps.
    pub kernel: Option<Kernel>,
    /// The only tile that is wrong, of a matrix product.
    pub tile: Option<Tile>,
    /// The only precision in which it is.
    pub precision: Option<Precision>,
}

impl PlantedFault {
    /// Whether the pipeline of a kernel with such a tile has it.
    pub fn is_in(self, kernel: Kernel, tile: Option<Tile>, precision: Precision) -> bool {
        self.kernel == Some(kernel)
            && self.tile.is_none_or(|own| Some(own) == tile)
            && self.precision.is_none_or(|own| own == precision)
    }

    /// Whether whole steps have it.
    pub fn is_in_whole_steps(self) -> bool {
        self.kernel.is_none()
    }
}

/// `KERNEL[/TILE][/f16]`, as it is parsed.
impl fmt::Display for PlantedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kernel.map_or(WHOLE_STEPS, Kernel::name))?;
        if let Some(tile) = self.tile {
            write!(f, "/{tile}")?;
        }
        self.precision.map_or(Ok(()), |precision| write!(f, "/{}", precision.name()))
    }
}

impl FromStr for PlantedFault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split('/');
        let name = parts.next().unwrap_or_default();
        let kernel = Kernel::ALL.iter().find(|kernel| kernel.name() == name).copied();
        if kernel.is_none() && name != WHOLE_STEPS {
            let names: Vec<&str> = Kernel::ALL.iter().map(|kernel| kernel.name()).collect();
            return Err(Error::usage(format!("there is no kernel {name:?}"))
                .with_help(format!("the kernels are {}, {WHOLE_STEPS}", names.join(", "))));
        }
        let mut fault = Self { kernel, tile: None, precision: None };
        for part in parts {
            match part {
                "f16" => fault.precision = Some(Precision::F16),
                "f32" => fault.precision = Some(Precision::F32),
                _ => {
                    let tiles = tile::all();
                    let found = tiles.iter().find(|tile| tile.to_string() == part);
                    fault.tile = Some(*found.ok_or_else(|| {
                        let names: Vec<String> = tiles.iter().map(Tile::to_string).collect();
                        Error::usage(format!("there is no tile {part:?}"))
                            .with_help(format!("the tiles are {}", names.join(", ")))
                    })?);
                }
            }
        }
        Ok(fault)
    }
}

/// The factor by which a number that is stored at a place is wrong.
const FACTOR: &str = "
fn planted_fault(at: u32) -> f32 {
    return select(1.0, 1.001, at % 7u == 5u);
}
";

/// Plants a fault: every store of reals to a buffer is multiplied by a factor that is not always 1.
pub(super) fn plant(fragments: &mut Vec<Fragment>) {
    let names: Vec<String> =
        fragments.iter().flat_map(|fragment| written(&fragment.text)).collect();
    for fragment in fragments.iter_mut() {
        for name in &names {
            fragment.text = spoiled(&fragment.text, name);
        }
    }
    fragments.push(Fragment { file: None, text: FACTOR.to_owned() });
}

/// A whole source with a fault planted.
pub(super) fn planted(text: String) -> String {
    let mut fragments = vec![Fragment { file: None, text }];
    plant(&mut fragments);
    fragments.into_iter().map(|fragment| fragment.text).collect()
}

/// The buffers of reals that a source declares to be written.
fn written(source: &str) -> Vec<String> {
    let declared = source.split("var<storage, read_write> ").skip(1);
    let reals = declared.filter_map(|text| text.split_once(';')).filter_map(|(declared, _)| {
        let (name, of_type) = declared.split_once(": ")?;
        (of_type.contains("f32") || of_type.contains("Reals")).then(|| name.to_owned())
    });
    reals.collect()
}

/// The text with what is stored in one buffer multiplied.
fn spoiled(text: &str, name: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(&format!("{name}[")) {
        let is_part = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let index = at + name.len() + 1;
        let end = index + closing(&rest[index..]);
        let (before, behind) = rest.split_at(end);
        let store = [" = ", " += ", " *= "].into_iter().find(|mark| behind.starts_with(mark));
        match (store, behind.find(';')) {
            (Some(mark), Some(stop)) if !is_part => {
                let place = before[index..].strip_suffix(']').unwrap_or_default();
                let value = &behind[mark.len()..stop];
                written.push_str(&format!("{before}{mark}({value}) * planted_fault({place})"));
                rest = &behind[stop..];
            }
            _ => {
                written.push_str(&rest[..index]);
                rest = &rest[index..];
            }
        }
    }
    written + rest
}

/// The length of an index with its closing bracket.
fn closing(text: &str) -> usize {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in [
            "dense_forward",
            "dense_forward/naive",
            "update/shared_64x64x16_4x4",
            "loss/f16",
            "weight_gradient/direct_8x4_16/f16",
            "whole_steps",
        ] {
            let fault: PlantedFault = name.parse().expect(name);
            assert_eq!(fault.to_string(), name);
        }
        for name in ["", "dense", "dense_forward/none", "dense_forward/"] {
            assert!(name.parse::<PlantedFault>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn every_store_of_reals_is_spoiled_and_nothing_else() {
        let mut fragments = vec![Fragment {
            file: None,
            text: "@group(0) @binding(3) var<storage, read_write> output: array<f32>;
@group(0) @binding(4) var<storage, read_write> state: array<MemberState>;
@group(0) @binding(5) var<storage, read> input: array<f32>;
    x.output[at] = 1.0; my_output[at] = 2.0; let same = output[at] == y;
    output[a[i] + 1u] = y + z; state[m] = s; output[at] += select(y, z, at > 2u);
    output[0] *= y;"
                .to_owned(),
        }];
        plant(&mut fragments);
        assert!(fragments[0].text.ends_with(
            "x.output[at] = 1.0; my_output[at] = 2.0; let same = output[at] == y;
    output[a[i] + 1u] = (y + z) * planted_fault(a[i] + 1u); state[m] = s; \
             output[at] += (select(y, z, at > 2u)) * planted_fault(at);
    output[0] *= (y) * planted_fault(0);"
        ));
        assert_eq!(fragments.len(), 2);
    }
}
