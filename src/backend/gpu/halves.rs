//! Sources of plans of f16: the same files, in which what is stored in f16 is declared so, widened
//! where it is read and narrowed where it is written. All that is computed stays f32.
//!
//! Which names those are says [`Kernel::STORED`]; a store is the only place where a kernel must know
//! more: whether the number is a gradient, which is multiplied by the loss scale and may overflow.

use std::collections::HashSet;

use super::accesses::{Rewrite, rewritten};
use super::source::Fragment;
use crate::kernels::Kernel;
use crate::program::{Call, Precision};

/// The first line of a module with 16-bit floats.
pub(super) const ENABLE: &str = "enable f16;\n";

/// Whether a call's source has 16-bit floats.
pub(super) fn is_concerned(call: &Call) -> bool {
    let works_on_weights = matches!(
        call.kernel,
        Kernel::AdaptWeights
            | Kernel::AdapterGradient
            | Kernel::ShareGradients
            | Kernel::GradientStatistics
            | Kernel::ZeroGradients
            | Kernel::FinishStep
    );
    let works_on_weights = works_on_weights || call.kernel.follows_gradient();
    call.variants.precision == Precision::F16 && !works_on_weights
}

/// The shared files that only sources of such plans have, behind those of a step.
pub(super) fn files(call: &Call) -> Vec<&'static str> {
    let mut files = Vec::new();
    if is_concerned(call) {
        files.push("shared/narrowed.wgsl");
    }
    if call.buffer("loss_scale").is_some() {
        files.push("shared/loss_scale.wgsl");
        files.extend_from_slice(match call.kernel {
            Kernel::Loss => &["shared/scaled_loss.wgsl", "shared/scaled_gradient.wgsl"],
            Kernel::InputGradient
            | Kernel::LayerGradient
            | Kernel::NormalizeGradient
            | Kernel::RowActivationGradient => {
                &["shared/scaled_plain.wgsl", "shared/scaled_gradient.wgsl"][..]
            }
            Kernel::Update => {
                &["shared/scaled_plain.wgsl", "shared/scaled_end.wgsl", "shared/scaled_update.wgsl"]
            }
            Kernel::FinishStep => &["shared/scaled_end.wgsl", "shared/scaled_finish.wgsl"],
            _ => &["shared/scaled_plain.wgsl"],
        });
    }
    files
}

/// What becomes of the accesses to one name.
#[derive(Debug, Clone, Copy)]
struct Access {
    /// Whether it is stored in f16.
    half: bool,
    /// The function around what is read, beside the widening.
    read: Option<&'static str>,
    /// The function around what is written.
    written: Option<&'static str>,
}

/// What becomes of the accesses to a name, in a kernel that binds a loss scale or not.
fn access(kernel: Kernel, name: &str, scaled: bool) -> Option<Access> {
    let half = Kernel::STORED.contains(&name);
    let sums_gradients =
        matches!(kernel, Kernel::SlopeGradient | Kernel::ScaleGradient | Kernel::EmbeddingGradient);
    let is_gradient = matches!(name, "delta" | "delta_below" | "residual_gradient");
    let read = (scaled && sums_gradients && name == "delta").then_some("unscaled");
    let written = match kernel {
        Kernel::WeightGradient if scaled && name == "gradients" => Some("unscaled"),
        Kernel::Loss if scaled && name == "delta" => Some("narrowed_loss_gradient"),
        _ if scaled && half && is_gradient => Some("narrowed_gradient"),
        _ if half => Some("narrowed"),
        _ => None,
    };
    (half || written.is_some()).then_some(Access { half, read, written })
}

/// Names of functions that a file of a scaled step has in place of a kernel's own, which it calls by
/// this ending.
const UNSCALED: &str = "_unscaled";

/// Functions that are given that ending.
fn replaced_functions(kernel: Kernel) -> &'static [&'static str] {
    if kernel == Kernel::Update { &["apply_step", "finish"] } else { &[] }
}

/// Rewrites the fragments of a call of a plan of f16. `scaled`: whether it binds a loss scale.
pub(super) fn store_in_f16(kernel: Kernel, scaled: bool, fragments: &mut [Fragment]) {
    let mut quads = HashSet::new();
    for fragment in fragments.iter() {
        for name in Kernel::STORED {
            if fragment.text.contains(&format!(" {name}: array<vec4<f32>>")) {
                quads.insert(*name);
            }
        }
    }
    let writer = Writer { kernel, scaled, quads };
    for fragment in fragments {
        let text = rewritten(&fragment.text, &writer);
        fragment.text = if scaled { with_member(&text) } else { text };
        let is_replacement = fragment.file.is_some_and(|file| file.contains("scaled"));
        if scaled && !is_replacement {
            for name in replaced_functions(kernel) {
                let (own, other) = (format!("fn {name}("), format!("fn {name}{UNSCALED}("));
                fragment.text = fragment.text.replace(&own, &other);
            }
        }
    }
}

/// The text with the member kept for the functions of `shared/loss_scale.wgsl`, where `main` begins.
fn with_member(text: &str) -> String {
    let Some(main) = text.find("fn main(") else { return text.to_owned() };
    let Some(body) = text[main..].find('{').map(|at| main + at + 1) else { return text.to_owned() };
    format!("{}\n    begin_scaled(workgroup, lane);{}", &text[..body], &text[body..])
}

/// Rewrites texts.
struct Writer {
    kernel: Kernel,
    scaled: bool,
    /// Names whose elements are quads.
    quads: HashSet<&'static str>,
}

impl Writer {
    fn access(&self, name: &str) -> Option<Access> {
        access(self.kernel, name, self.scaled)
    }

    fn is_half(&self, name: &str) -> bool {
        self.access(name).is_some_and(|access| access.half)
    }
}

impl Rewrite for Writer {
    fn concerns(&self, name: &str) -> bool {
        self.access(name).is_some()
    }

    fn declared(&self, name: &str, of_type: &str) -> String {
        // Reals are single ones in sources of f16.
        if self.is_half(name) {
            of_type.replace("f32", "f16").replace("Reals", "f16")
        } else {
            of_type.to_owned()
        }
    }

    fn is_of_vectors(&self, name: &str) -> bool {
        self.quads.contains(name)
    }

    fn read(&self, name: &str, element: &str, component: &str) -> String {
        let of_quad = component.is_empty() && self.quads.contains(name);
        let wide = match (self.is_half(name), of_quad) {
            (true, true) => format!("vec4<f32>({element})"),
            (true, false) => format!("f32({element}{component})"),
            (false, _) => format!("{element}{component}"),
        };
        match self.access(name).and_then(|access| access.read) {
            Some(function) => format!("{function}({wide})"),
            None => wide,
        }
    }

    fn written(&self, name: &str, element: &str, mark: &str, value: &str) -> String {
        match self.access(name).and_then(|access| access.written) {
            Some(function) => format!("{element}{mark}{function}({value})"),
            None => format!("{element}{mark}{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_f16(kernel: Kernel, scaled: bool, text: &str) -> String {
        let mut fragments = [Fragment { file: None, text: text.to_owned() }];
        store_in_f16(kernel, scaled, &mut fragments);
        let [Fragment { text, .. }] = fragments;
        text
    }

    #[test]
    fn what_is_read_is_widened_and_what_is_written_narrowed() {
        let text = "// delta[0] stays.
@group(0) @binding(9) var<storage, read_write> delta: array<f32>;
fn f(at: u32) { delta[at] = x.delta[1] + input[u32(input[at])] == 1.0; parameters[at] = delta[0]; }";
        assert_eq!(
            in_f16(Kernel::LayerGradient, false, text),
            "// delta[0] stays.
@group(0) @binding(9) var<storage, read_write> delta: array<f16>;
fn f(at: u32) { delta[at] = narrowed(x.delta[1] + f32(input[u32(f32(input[at]))]) == 1.0); \
             parameters[at] = f32(delta[0]); }"
        );
        assert_eq!(
            in_f16(Kernel::Loss, true, "delta[i] = slope;"),
            "delta[i] = narrowed_loss_gradient(slope);"
        );
        assert_eq!(
            in_f16(Kernel::InputGradient, true, "delta_below[i] = sum + residual_gradient[i];"),
            "delta_below[i] = narrowed_gradient(sum + f32(residual_gradient[i]));"
        );
    }

    #[test]
    fn quads_are_widened_whole_or_by_component() {
        let text = "var<storage, read> even: array<vec4<f32>>;
return even[at / 4u][at % 4u]; return even[at / 4u]; return odd[at];";
        assert_eq!(
            in_f16(Kernel::DenseForward, false, text),
            "var<storage, read> even: array<vec4<f16>>;
return f32(even[at / 4u][at % 4u]); return vec4<f32>(even[at / 4u]); return f32(odd[at]);"
        );
    }

    #[test]
    fn gradients_of_weights_are_unscaled() {
        let text = "gradients[at] += sum; let d = delta[at];";
        assert_eq!(
            in_f16(Kernel::WeightGradient, true, text),
            "gradients[at] += unscaled(sum); let d = f32(delta[at]);"
        );
        assert_eq!(
            in_f16(Kernel::ScaleGradient, true, text),
            "gradients[at] += sum; let d = unscaled(f32(delta[at]));"
        );
        assert_eq!(
            in_f16(Kernel::WeightGradient, false, text),
            "gradients[at] += sum; let d = f32(delta[at]);"
        );
    }

    #[test]
    fn a_scaled_kernel_begins_with_its_member() {
        let text = "fn main(\n    lane: u32,\n) {\n    run();\n}\nfn finish(lane: u32) {}";
        assert_eq!(
            in_f16(Kernel::Update, true, text),
            "fn main(\n    lane: u32,\n) {\n    begin_scaled(workgroup, lane);\n    run();\n}\n\
             fn finish_unscaled(lane: u32) {}"
        );
        assert_eq!(in_f16(Kernel::Update, false, text), text);
    }

    #[test]
    fn text_without_its_ends_is_no_trouble() {
        for text in ["delta[", "delta[0] = ", "delta: array<", "fn main(", "//", "delta"] {
            in_f16(Kernel::Loss, true, text);
        }
    }
}
