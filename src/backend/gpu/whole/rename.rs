//! WGSL text with its module-scope names given others, so that the texts of several kernels can
//! stand in one module.

use std::collections::{BTreeSet, HashMap};

/// A piece of WGSL. Written one after the other, the pieces are the text without its comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Number(&'a str),
    Mark(char),
    Space(&'a str),
}

/// A binding as a text declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The variable's name.
    pub name: String,
    /// Its type.
    pub of_type: String,
    /// Whether it is a uniform; else it is a storage buffer.
    pub uniform: bool,
    /// Whether it is written.
    pub written: bool,
}

/// What stands in place of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// Another name.
    Name(String),
    /// An array that begins so many elements into another; the name is replaced where it is indexed.
    Part(String, u64),
}

/// A text in its parts.
#[derive(Debug)]
pub struct Text<'a> {
    tokens: Vec<Token<'a>>,
    /// Its module-scope names, but for those of bindings.
    pub names: BTreeSet<String>,
    /// Its bindings, whose declarations are not among what is written.
    pub bindings: Vec<Declared>,
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let while_all = |fits: &dyn Fn(char) -> bool| rest.find(|c| !fits(c)).unwrap_or(rest.len());
        let length = if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            rest = &rest[length..];
            continue;
        } else if first.is_whitespace() {
            let length = while_all(&char::is_whitespace);
            tokens.push(Token::Space(&rest[..length]));
            length
        } else if first.is_alphabetic() || first == '_' {
            let length = while_all(&|c| c.is_alphanumeric() || c == '_');
            tokens.push(Token::Word(&rest[..length]));
            length
        } else if first.is_ascii_digit() {
            let length = while_all(&|c| c.is_alphanumeric() || c == '.');
            tokens.push(Token::Number(&rest[..length]));
            length
        } else {
            tokens.push(Token::Mark(first));
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The place of the first token from `at` on that is no space.
fn next(tokens: &[Token], at: usize) -> usize {
    let spaces = tokens.iter().skip(at).take_while(|token| matches!(token, Token::Space(_)));
    at + spaces.count()
}

/// The place behind the bracket that closes the one at `at`.
fn behind(tokens: &[Token], at: usize, open: char, close: char) -> usize {
    let mut depth = 0;
    for (place, token) in tokens.iter().enumerate().skip(at) {
        if *token == Token::Mark(open) {
            depth += 1;
        } else if *token == Token::Mark(close) {
            depth -= 1;
            if depth == 0 {
                return place + 1;
            }
        }
    }
    tokens.len()
}

fn written(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map(|token| match token {
            Token::Word(text) | Token::Number(text) | Token::Space(text) => (*text).to_owned(),
            Token::Mark(mark) => mark.to_string(),
        })
        .collect()
}

/// The binding that a declaration is of: `var<...> name: type`.
fn declared(declaration: &[Token]) -> Option<Declared> {
    let var = declaration.iter().position(|token| *token == Token::Word("var"))?;
    let open = next(declaration, var + 1);
    let close = behind(declaration, open, '<', '>');
    let space = declaration.get(open..close)?;
    let at = next(declaration, close);
    let Some(Token::Word(name)) = declaration.get(at) else { return None };
    let colon = next(declaration, at + 1);
    Some(Declared {
        name: (*name).to_owned(),
        of_type: written(declaration.get(next(declaration, colon + 1)..)?).trim().to_owned(),
        uniform: space.contains(&Token::Word("uniform")),
        written: space.contains(&Token::Word("read_write")),
    })
}

impl<'a> Text<'a> {
    /// Takes a text apart. Attributes that are not of bindings are left out: no function of it is
    /// an entry point any more.
    pub fn new(text: &'a str) -> Self {
        let all = tokens(text);
        let mut parsed = Self { tokens: Vec::new(), names: BTreeSet::new(), bindings: Vec::new() };
        let (mut at, mut depth) = (0, 0_usize);
        while let Some(token) = all.get(at) {
            match token {
                Token::Mark('@') if all.get(at + 1) == Some(&Token::Word("group")) => {
                    let rest = all[at..].iter().position(|token| *token == Token::Mark(';'));
                    let end = rest.map_or(all.len(), |length| at + length);
                    parsed.bindings.extend(declared(&all[at..end]));
                    at = end;
                }
                Token::Mark('@') => {
                    let argument = next(&all, at + 2);
                    at = if all.get(argument) == Some(&Token::Mark('(')) {
                        behind(&all, argument, '(', ')') - 1
                    } else {
                        at + 1
                    };
                }
                Token::Word("fn" | "struct" | "const" | "alias" | "var") if depth == 0 => {
                    let mut name = next(&all, at + 1);
                    if all.get(name) == Some(&Token::Mark('<')) {
                        name = next(&all, behind(&all, name, '<', '>'));
                    }
                    if let Some(Token::Word(name)) = all.get(name) {
                        parsed.names.insert((*name).to_owned());
                    }
                    parsed.tokens.push(*token);
                }
                token => {
                    match token {
                        Token::Mark('{' | '(') => depth += 1,
                        Token::Mark('}' | ')') => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    parsed.tokens.push(*token);
                }
            }
            at += 1;
        }
        parsed
    }

    /// The names of a function's parameters.
    pub fn parameters(&self, function: &str) -> Vec<&'a str> {
        let tokens = &self.tokens;
        let begins = |at: &usize| {
            tokens[*at] == Token::Word("fn")
                && matches!(tokens.get(next(tokens, at + 1)), Some(Token::Word(w)) if *w == function)
        };
        let Some(at) = (0..tokens.len()).find(begins) else { return Vec::new() };
        let open = next(tokens, next(tokens, at + 1) + 1);
        (open..behind(tokens, open, '(', ')'))
            .filter_map(|at| match tokens[at] {
                Token::Word(name)
                    if tokens.get(next(tokens, at + 1)) == Some(&Token::Mark(':')) =>
                {
                    Some(name)
                }
                _ => None,
            })
            .collect()
    }

    /// Whether it has such a word.
    pub fn has(&self, word: &str) -> bool {
        self.tokens.contains(&Token::Word(word))
    }

    /// The text with names replaced, but for those of members.
    pub fn replaced(&self, replacements: &HashMap<String, Replacement>) -> String {
        let tokens = &self.tokens;
        let mut text = String::new();
        // Whether what each open square bracket holds was put in brackets of its own.
        let mut indices = Vec::new();
        let mut part = None;
        let mut struct_ends = 0;
        let mut before = Token::Mark(';');
        for (at, token) in tokens.iter().enumerate() {
            let follows = tokens.get(next(tokens, at + 1));
            match token {
                Token::Word(word) => {
                    if *word == "struct" {
                        struct_ends = behind(tokens, at, '{', '}');
                    }
                    let is_member = before == Token::Mark('.')
                        || at < struct_ends && follows == Some(&Token::Mark(':'));
                    match replacements.get(*word).filter(|_| !is_member) {
                        Some(Replacement::Name(name)) => text.push_str(name),
                        Some(Replacement::Part(name, first))
                            if follows == Some(&Token::Mark('[')) =>
                        {
                            text.push_str(name);
                            part = (*first > 0).then_some(*first);
                        }
                        _ => text.push_str(word),
                    }
                }
                Token::Mark('[') => {
                    let first = part.take();
                    indices.push(first.is_some());
                    text.push('[');
                    if let Some(first) = first {
                        text.push_str(&format!("{first}u + ("));
                    }
                }
                Token::Mark(']') => {
                    if indices.pop() == Some(true) {
                        text.push(')');
                    }
                    text.push(']');
                }
                Token::Mark(mark) => text.push(*mark),
                Token::Number(written) | Token::Space(written) => text.push_str(written),
            }
            if !matches!(token, Token::Space(_)) {
                before = *token;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// A comment with twice(x).
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(0) var<uniform> call: Call;
struct Call { twice: u32, values: u32 }
alias Number = f32;
const LIMIT = 1.5e-3;
var<private> kept: u32 = 0u;
fn twice(x: Number) -> Number { return 2.0 * x; }
@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    kept = call.twice;
    values[values_at(lane) & 3u] = twice(values[u32(values[0])]) + LIMIT.xy.twice;
}
";

    fn name(name: &str) -> Replacement {
        Replacement::Name(format!("{name}_7"))
    }

    #[test]
    fn a_text_tells_its_names_and_bindings() {
        let text = Text::new(TEXT);
        let names: Vec<&str> = text.names.iter().map(String::as_str).collect();
        assert_eq!(names, ["Call", "LIMIT", "Number", "kept", "main", "twice"]);
        assert_eq!(text.parameters("main"), ["workgroup", "lane"]);
        assert_eq!(text.parameters("twice"), ["x"]);
        assert!(text.parameters("thrice").is_empty());
        let [values, call] = &text.bindings[..] else { panic!("two bindings") };
        assert_eq!((values.name.as_str(), values.of_type.as_str()), ("values", "array<f32>"));
        assert!(values.written && !values.uniform);
        assert_eq!((call.name.as_str(), call.of_type.as_str()), ("call", "Call"));
        assert!(call.uniform && !call.written);
        assert!(text.has("kept") && !text.has("comment") && !text.has("binding"));
    }

    #[test]
    fn names_are_replaced_but_not_members() {
        let text = Text::new(TEXT);
        let mut all: HashMap<_, _> =
            text.names.iter().map(|word| (word.clone(), name(word))).collect();
        all.insert("call".to_owned(), Replacement::Name("calls.c7".to_owned()));
        all.insert("values".to_owned(), Replacement::Part("arena".to_owned(), 64));
        let text = text.replaced(&all);
        for wanted in [
            "struct Call_7 { twice: u32, values: u32 }",
            "alias Number_7 = f32;",
            "const LIMIT_7 = 1.5e-3;",
            "var<private> kept_7: u32 = 0u;",
            "fn twice_7(x: Number_7) -> Number_7 { return 2.0 * x; }",
            "fn main_7( workgroup: vec3<u32>,  lane: u32) {",
            "kept_7 = calls.c7.twice;",
            "arena[64u + (values_at(lane) & 3u)] = \
             twice_7(arena[64u + (u32(arena[64u + (0)]))]) + LIMIT_7.xy.twice;",
        ] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
        assert!(!text.contains('@') && !text.contains("comment"));
    }

    #[test]
    fn a_part_that_begins_where_its_whole_does_is_only_renamed() {
        let text = Text::new("fn f() { a[b[1u]] = 0.0; }");
        let all = HashMap::from([
            ("a".to_owned(), Replacement::Part("c".to_owned(), 0)),
            ("b".to_owned(), Replacement::Part("d".to_owned(), 3)),
        ]);
        assert_eq!(text.replaced(&all), "fn f() { c[d[3u + (1u)]] = 0.0; }");
    }

    #[test]
    fn text_without_its_ends_is_no_trouble() {
        for text in ["@", "@group(0) var<", "fn", "struct X {", "x[", "var<private", "]", "@a("] {
            let parsed = Text::new(text);
            parsed.replaced(&HashMap::new());
            parsed.parameters("x");
        }
    }
}
