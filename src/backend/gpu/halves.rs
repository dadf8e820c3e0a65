//! Sources of plans of f16: the same files, in which what is stored in f16 is declared so, widened
//! where it is read and narrowed where it is written. All that is computed stays f32.
//!
//! Which names those are says [`Kernel::STORED`]; a store is the only place where a kernel must know
//! more: whether the number is a gradient, which is multiplied by the loss scale and may overflow.

use std::collections::HashSet;

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
        let text = writer.text(&fragment.text);
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

/// The place behind the bracket that closes the one that a text begins with.
fn behind(text: &str, open: char, close: char) -> usize {
    let mut depth = 0;
    for (at, mark) in text.char_indices() {
        if mark == open {
            depth += 1;
        } else if mark == close {
            depth -= 1;
            if depth == 0 {
                return at + close.len_utf8();
            }
        }
    }
    text.len()
}

/// The length of the word that a text begins with.
fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

impl Writer {
    fn text(&self, text: &str) -> String {
        let mut written = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if rest.starts_with("//") {
                let (comment, after) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
                written.push_str(comment);
                rest = after;
            } else if first.is_alphanumeric() || first == '_' {
                let (name, after) = rest.split_at(word(rest));
                rest = after;
                let is_member = written.ends_with('.');
                match access(self.kernel, name, self.scaled).filter(|_| !is_member) {
                    Some(access) if rest.starts_with('[') => {
                        rest = self.element(name, access, rest, &mut written);
                    }
                    Some(Access { half: true, .. }) if rest.starts_with(": array<") => {
                        let end = rest.find(';').unwrap_or(rest.len());
                        written.push_str(name);
                        written.push_str(&rest[..end].replace("f32", "f16"));
                        rest = &rest[end..];
                    }
                    _ => written.push_str(name),
                }
            } else {
                written.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        written
    }

    /// Writes the access to an element, whose index `text` begins with; returns what is left.
    fn element<'a>(
        &self,
        name: &str,
        access: Access,
        text: &'a str,
        written: &mut String,
    ) -> &'a str {
        let mut end = behind(text, '[', ']');
        let mut of_quad = self.quads.contains(name);
        if of_quad && text[end..].starts_with('[') {
            end += behind(&text[end..], '[', ']');
            of_quad = false;
        }
        let element = format!("{name}{}", self.text(&text[..end]));
        let rest = &text[end..];
        let stores = [" = ", " += "].into_iter().find(|mark| rest.starts_with(mark));
        if let (Some(mark), Some(function)) = (stores, access.written) {
            let (value, rest) = rest[mark.len()..].split_once(';').unwrap_or((rest, ""));
            written.push_str(&format!("{element}{mark}{function}({});", self.text(value)));
            return rest;
        }
        let wide = match (access.half, of_quad) {
            (true, true) => format!("vec4<f32>({element})"),
            (true, false) => format!("f32({element})"),
            (false, _) => element,
        };
        match access.read {
            Some(function) => written.push_str(&format!("{function}({wide})")),
            None => written.push_str(&wide),
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(kernel: Kernel, scaled: bool, text: &str) -> String {
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
            rewritten(Kernel::LayerGradient, false, text),
            "// delta[0] stays.
@group(0) @binding(9) var<storage, read_write> delta: array<f16>;
fn f(at: u32) { delta[at] = narrowed(x.delta[1] + f32(input[u32(f32(input[at]))]) == 1.0); \
             parameters[at] = f32(delta[0]); }"
        );
        assert_eq!(
            rewritten(Kernel::Loss, true, "delta[i] = slope;"),
            "delta[i] = narrowed_loss_gradient(slope);"
        );
        assert_eq!(
            rewritten(Kernel::InputGradient, true, "delta_below[i] = sum + residual_gradient[i];"),
            "delta_below[i] = narrowed_gradient(sum + f32(residual_gradient[i]));"
        );
    }

    #[test]
    fn quads_are_widened_whole_or_by_component() {
        let text = "var<storage, read> even: array<vec4<f32>>;
return even[at / 4u][at % 4u]; return even[at / 4u]; return odd[at];";
        assert_eq!(
            rewritten(Kernel::DenseForward, false, text),
            "var<storage, read> even: array<vec4<f16>>;
return f32(even[at / 4u][at % 4u]); return vec4<f32>(even[at / 4u]); return f32(odd[at]);"
        );
    }

    #[test]
    fn gradients_of_weights_are_unscaled() {
        let text = "gradients[at] += sum; let d = delta[at];";
        assert_eq!(
            rewritten(Kernel::WeightGradient, true, text),
            "gradients[at] += unscaled(sum); let d = f32(delta[at]);"
        );
        assert_eq!(
            rewritten(Kernel::ScaleGradient, true, text),
            "gradients[at] += sum; let d = unscaled(f32(delta[at]));"
        );
        assert_eq!(
            rewritten(Kernel::WeightGradient, false, text),
            "gradients[at] += sum; let d = f32(delta[at]);"
        );
    }

    #[test]
    fn a_scaled_kernel_begins_with_its_member() {
        let text = "fn main(\n    lane: u32,\n) {\n    run();\n}\nfn finish(lane: u32) {}";
        assert_eq!(
            rewritten(Kernel::Update, true, text),
            "fn main(\n    lane: u32,\n) {\n    begin_scaled(workgroup, lane);\n    run();\n}\n\
             fn finish_unscaled(lane: u32) {}"
        );
        assert_eq!(rewritten(Kernel::Update, false, text), text);
    }

    #[test]
    fn text_without_its_ends_is_no_trouble() {
        for text in ["delta[", "delta[0] = ", "delta: array<", "fn main(", "//", "delta"] {
            rewritten(Kernel::Loss, true, text);
        }
    }
}
