//! Truth values as text.

/// The words for yes and for no, whatever the case of their letters.
const WORDS: [(&str, &str); 4] = [("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n")];

/// What a field says: yes or no, in words or as 1 or 0.
pub(in crate::data) fn boolean(field: &str) -> Option<bool> {
    for (yes, no) in WORDS {
        if field.eq_ignore_ascii_case(yes) {
            return Some(true);
        }
        if field.eq_ignore_ascii_case(no) {
            return Some(false);
        }
    }
    match field.parse::<f64>() {
        Ok(1.0) => Some(true),
        Ok(0.0) => Some(false),
        _ => None,
    }
}

/// Whether all of a column's different texts are words for yes and no.
pub(in crate::data) fn are_boolean<S: AsRef<str>>(texts: &[S]) -> bool {
    let word = |text: &S| {
        let text = text.as_ref();
        WORDS.iter().any(|(yes, no)| [yes, no].iter().any(|word| text.eq_ignore_ascii_case(word)))
    };
    !texts.is_empty() && texts.iter().all(word)
}
