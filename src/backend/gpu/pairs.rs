//! Sources of tiles that read and write quads as pairs of 64-bit integers, for software adapters that
//! load a lane's numbers one after the other: a load of 64 bits takes them less time than two of 32.

use std::collections::HashSet;

use super::accesses::{Rewrite, rewritten};
use super::source::Fragment;

/// The file that converts.
pub(super) const FILE: &str = "shared/pairs.wgsl";

/// Rewrites the fragments of a source: buffers of quads become buffers of pairs.
pub(super) fn store_in_pairs(fragments: &mut [Fragment]) {
    let in_quads = fragments.iter().any(|f| f.text.contains("alias Reals = vec4<f32>;"));
    let mut names = HashSet::new();
    for fragment in fragments.iter() {
        for declared in fragment.text.split("var<storage, ").skip(1) {
            let Some((_, declared)) = declared.split_once("> ") else { continue };
            let Some((name, of_type)) = declared.split_once(": ") else { continue };
            if of_type.starts_with(QUADS) || in_quads && of_type.starts_with(REALS) {
                names.insert(name.to_owned());
            }
        }
    }
    for fragment in fragments {
        fragment.text = rewritten(&fragment.text, &Names(&names));
    }
}

const QUADS: &str = "array<vec4<f32>>;";
const REALS: &str = "array<Reals>;";

/// The buffers of quads.
struct Names<'a>(&'a HashSet<String>);

impl Rewrite for Names<'_> {
    fn concerns(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    fn declared(&self, _: &str, _: &str) -> String {
        "array<vec2<u64>>".to_owned()
    }

    fn is_of_vectors(&self, _: &str) -> bool {
        true
    }

    /// Half a pair where one component is read.
    fn read(&self, _: &str, element: &str, component: &str) -> String {
        match component.strip_prefix('[').and_then(|component| component.strip_suffix(']')) {
            Some(which) => format!("real_of_half({element}[({which}) / 2u], {which})"),
            None => format!("quad_of_pair({element})"),
        }
    }

    fn written(&self, _: &str, element: &str, mark: &str, value: &str) -> String {
        if mark == " += " {
            return format!("{element} = pair_of_quad(quad_of_pair({element}) + {value})");
        }
        format!("{element} = pair_of_quad({value})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quads_are_read_and_written_as_pairs() {
        let fragment = |text: &str| Fragment { file: None, text: text.to_owned() };
        let quads = "@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> r: array<Reals>;
@group(0) @binding(3) var<storage, read> s: array<f32>;
fn f(at: u32) { r[at] = q[at] * s[0]; r[at] += q[at / 4u][at % 4u]; }";
        let text = |reals: &str| {
            let mut fragments = [fragment(reals), fragment(quads)];
            store_in_pairs(&mut fragments);
            fragments[1].text.clone()
        };
        assert_eq!(
            text("alias Reals = vec4<f32>;"),
            "@group(0) @binding(1) var<storage, read> q: array<vec2<u64>>;
@group(0) @binding(2) var<storage, read_write> r: array<vec2<u64>>;
@group(0) @binding(3) var<storage, read> s: array<f32>;
fn f(at: u32) { r[at] = pair_of_quad(quad_of_pair(q[at]) * s[0]); \
             r[at] = pair_of_quad(quad_of_pair(r[at]) + \
             real_of_half(q[at / 4u][(at % 4u) / 2u], at % 4u)); }"
        );
        assert!(text("alias Reals = f32;").contains("r: array<Reals>;"));
    }
}
