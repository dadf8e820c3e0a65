//! Text that is HTML, and text that becomes it. Column and class names are the user's: whatever they
//! hold is shown, and does nothing.

use std::fmt::Write;

/// Text that is HTML: made by this room alone, out of escaped text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html(pub(super) String);

impl Html {
    /// Plain text as HTML, in content and in quoted attributes alike. Control characters, which would
    /// upset a parser or a reader, become U+FFFD, as do those that turn the direction of text.
    pub fn escape(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                other => html.push(harmless(other)),
            }
        }
        Self(html)
    }

    /// The HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn push(&mut self, html: std::fmt::Arguments) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(html);
    }
}

impl std::fmt::Display for Html {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The character, or U+FFFD for one that is not to be shown.
fn harmless(character: char) -> char {
    match character {
        '\n' | '\t' => character,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        other if other.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

/// A name in so many characters at most, an ellipsis for what is left out, on one line.
pub(super) fn shortened(name: &str, most: usize) -> String {
    let flat = |character: char| if character.is_whitespace() { ' ' } else { harmless(character) };
    if name.chars().count() <= most {
        return name.chars().map(flat).collect();
    }
    let kept: String = name.chars().take(most.saturating_sub(1)).map(flat).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_inert() {
        let hostile = "<script>alert('1')</script> & \"x\"\u{0}\u{202e}";
        assert_eq!(
            Html::escape(hostile).as_str(),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;\u{fffd}\u{fffd}"
        );
        assert_eq!(shortened("a long\nname", 20), "a long name");
        assert_eq!(shortened("a long name", 7), "a long…");
    }
}
