//! What a kernel's source says of its bindings: the WGSL is the one truth, the host binds by name.

use wgpu::naga;

use crate::error::{Error, Result};

/// One binding of group 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Its number.
    pub number: u32,
    /// The variable's name.
    pub name: String,
    /// What kind of buffer it is.
    pub kind: BindingKind,
}

/// What kind of buffer a binding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingKind {
    /// A uniform.
    Uniform,
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is read and written.
    ReadWrite,
}

/// The bindings of a source's group 0, by number.
///
/// # Errors
/// When the source is not valid WGSL, with naga's own message.
pub fn bindings(label: &str, source: &str) -> Result<Vec<Binding>> {
    let module = naga::front::wgsl::parse_str(source)
        .map_err(|error| Error::internal(format!("{label}: {}", error.emit_to_string(source))))?;
    let mut found: Vec<Binding> = module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| {
            let number = variable.binding.as_ref().filter(|at| at.group == 0)?.binding;
            let kind = match variable.space {
                naga::AddressSpace::Uniform => BindingKind::Uniform,
                naga::AddressSpace::Storage { access }
                    if access.contains(naga::StorageAccess::STORE) =>
                {
                    BindingKind::ReadWrite
                }
                naga::AddressSpace::Storage { .. } => BindingKind::Read,
                _ => return None,
            };
            Some(Binding { number, name: variable.name.clone().unwrap_or_default(), kind })
        })
        .collect();
    found.sort_by_key(|binding| binding.number);
    Ok(found)
}
