//! The catalogue as people meet it: a page for every variant, `wgfit list`, README's table.

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{root, succeed, wgfit};
use wgfit::catalog::describe::{Section, catalogue};

const BEGIN: &str = "<!-- catalogue: written by WGFIT_WRITE_README=1 cargo test --test catalog -->";
const END: &str = "<!-- end of the catalogue -->";

/// README's table: a line a table, each variant with the names of its parameters.
fn table(sections: &[Section]) -> String {
    let mut text = String::from("| | |\n|---|---|\n");
    for section in sections {
        let variants: Vec<String> = section
            .variants
            .iter()
            .map(|variant| {
                let names: Vec<&str> =
                    variant.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
                // The rate and the decay are every optimizer's.
                let of_all = ["learning_rate", "weight_decay"];
                let own: Vec<&str> =
                    names.into_iter().filter(|name| !of_all.contains(name)).collect();
                if own.is_empty() {
                    variant.name.to_owned()
                } else {
                    format!("{} ({})", variant.name, own.join(", "))
                }
            })
            .collect();
        let kind = section.kind.replace('_', " ");
        text.push_str(&format!("| {kind} | {} |\n", variants.join(", ")));
    }
    text
}

#[test]
fn readmes_table_is_the_catalogue() {
    let file = root().join("README.md");
    let readme = fs::read_to_string(&file).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("where the table begins");
    let (_, after) = rest.split_once(END).expect("where the table ends");
    let wanted = format!("{before}{BEGIN}\n{}{END}{after}", table(&catalogue()));
    if std::env::var("WGFIT_WRITE_README").is_ok_and(|value| value == "1") {
        fs::write(&file, wanted).expect("README.md");
        return;
    }
    assert!(
        readme == wanted,
        "README's table is not the catalogue: WGFIT_WRITE_README=1 cargo test --test catalog"
    );
}

#[test]
fn every_variant_has_a_page_with_its_source() {
    let mut pages = 0;
    for section in catalogue() {
        let mut names = BTreeSet::new();
        for variant in &section.variants {
            let name = format!("{} {}", section.kind, variant.name);
            assert!(names.insert(variant.name), "{name} is there twice");
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(variant.name.chars().all(letters), "{name} is not snake_case");
            assert!(!variant.formula.is_empty(), "{name} has no formula");
            let page = variant.page.to_lowercase();
            let marks = ["source", "torch.", "keras.", "19", "20"];
            let plain = ["linear", "zeros", "ones", "constant", "from_file", "identity"];
            let sourced = marks.iter().any(|mark| page.contains(mark));
            assert!(sourced || plain.contains(&variant.name), "{name} names no source:\n{page}");
            assert!(page.len() > 15, "{name}: {page}");
            for parameter in &variant.parameters {
                let named = format!("{name} {}", parameter.name);
                assert!(!parameter.description.is_empty(), "{named} has no description");
                assert!(!parameter.takes.is_empty(), "{named} takes nothing");
            }
            pages += 1;
        }
    }
    assert!(pages >= 110, "only {pages}");
}

#[test]
fn list_prints_all_a_table_or_a_variant() {
    let folder = root();
    let all = succeed(folder, &["list"]);
    for section in catalogue() {
        assert!(all.lines().any(|line| line == section.kind), "{}", section.kind);
        let own = succeed(folder, &["list", section.kind]);
        for variant in &section.variants {
            let begins = format!("  {} ", variant.name);
            assert!(own.lines().any(|line| line.starts_with(&begins)), "{}", variant.name);
            assert!(own.contains(variant.formula), "{}", variant.name);
        }
    }
    let huber = succeed(folder, &["list", "huber"]);
    for part in ["losses\n", "delta = 1: ", "above 0", "Huber, \"Robust estimation"] {
        assert!(huber.contains(part), "{huber}");
    }
    let leaky = succeed(folder, &["list", "leaky_relu"]);
    assert!(leaky.contains("slope = 0.01 (torch), 0.2 (keras)"), "{leaky}");
    let json = succeed(folder, &["list", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&json).expect("one document");
    assert_eq!(document.as_array().map(Vec::len), Some(catalogue().len()));
    let wrong = wgfit(folder, &["list", "hubber"]);
    assert_eq!(wrong.status.code(), Some(2));
    let message = String::from_utf8_lossy(&wrong.stderr);
    assert!(message.contains("did you mean \"huber\"?"), "{message}");
}
