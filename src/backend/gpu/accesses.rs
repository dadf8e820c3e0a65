//! Sources in which what is stored in some buffers is declared otherwise, and converted where it is
//! read and written: the files stay as they are, and compute with what they always did.

/// What becomes of the accesses to buffers.
pub(super) trait Rewrite {
    /// Whether a buffer's accesses are rewritten.
    fn concerns(&self, name: &str) -> bool;

    /// The type that a buffer is declared to be of, such as `array<f32>`.
    fn declared(&self, name: &str, of_type: &str) -> String;

    /// Whether a buffer's elements are vectors, of which a component can be read.
    fn is_of_vectors(&self, name: &str) -> bool;

    /// What is read: an element, or the component of it that `component` gives, such as `[at % 4u]`.
    fn read(&self, name: &str, element: &str, component: &str) -> String;

    /// The statement that writes an element, up to its semicolon. `mark`: ` = ` or ` += `.
    fn written(&self, name: &str, element: &str, mark: &str, value: &str) -> String;
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

/// A text with its accesses rewritten.
pub(super) fn rewritten(text: &str, by: &impl Rewrite) -> String {
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
            if is_member || !by.concerns(name) {
                written.push_str(name);
            } else if rest.starts_with('[') {
                rest = access(name, rest, by, &mut written);
            } else if rest.starts_with(": array<") {
                let (of_type, after) =
                    rest[2..].split_at(rest[2..].find(';').unwrap_or(rest.len() - 2));
                written.push_str(&format!("{name}: {}", by.declared(name, of_type)));
                rest = after;
            } else {
                written.push_str(name);
            }
        } else {
            written.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    written
}

/// Writes the access to an element, whose index `text` begins with; returns what is left.
fn access<'a>(name: &str, text: &'a str, by: &impl Rewrite, written: &mut String) -> &'a str {
    let (index, mut rest) = text.split_at(behind(text, '[', ']'));
    let element = format!("{name}{}", rewritten(index, by));
    let mut component = "";
    if by.is_of_vectors(name) && rest.starts_with('[') {
        (component, rest) = rest.split_at(behind(rest, '[', ']'));
    }
    let mark = [" = ", " += "].into_iter().find(|mark| rest.starts_with(mark));
    if let Some(mark) = mark {
        let (value, after) = rest[mark.len()..].split_once(';').unwrap_or((rest, ""));
        written.push_str(&by.written(name, &element, mark, &rewritten(value, by)));
        written.push(';');
        return after;
    }
    written.push_str(&by.read(name, &element, &rewritten(component, by)));
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Buffers `a` of reals and `v` of vectors are read by `r` and written by `w`.
    struct Marked;

    impl Rewrite for Marked {
        fn concerns(&self, name: &str) -> bool {
            matches!(name, "a" | "v")
        }

        fn declared(&self, _: &str, of_type: &str) -> String {
            of_type.replace("f32", "T")
        }

        fn is_of_vectors(&self, name: &str) -> bool {
            name == "v"
        }

        fn read(&self, _: &str, element: &str, component: &str) -> String {
            format!("r({element}){component}")
        }

        fn written(&self, _: &str, element: &str, mark: &str, value: &str) -> String {
            format!("{element}{mark}w({value})")
        }
    }

    #[test]
    fn accesses_are_told_from_what_only_looks_like_them() {
        let text = "// a[0] stays.
var<storage, read_write> a: array<f32>;
fn a(a: f32) { x.a[1] = ab[a[i]] + a[j[k]]; a[a[0]] = v[b[1]][a[2]]; v[0] += v[1].x == a; }";
        assert_eq!(
            rewritten(text, &Marked),
            "// a[0] stays.
var<storage, read_write> a: array<T>;
fn a(a: f32) { x.a[1] = ab[r(a[i])] + r(a[j[k]]); a[r(a[0])] = w(r(v[b[1]])[r(a[2])]); \
             v[0] += w(r(v[1]).x == a); }"
        );
    }

    #[test]
    fn text_without_its_ends_is_no_trouble() {
        for text in ["a[", "v[0][", "a[0] = ", "a: array<", "//", "a"] {
            rewritten(text, &Marked);
        }
    }
}
