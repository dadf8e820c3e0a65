//! `wgfit list`: the catalogue, out of its tables.

use crate::catalog::describe::{Described, Section, catalogue};
use crate::error::{Error, Result, did_you_mean};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A table, such as losses, or a variant, such as huber [default: every table]
    what: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let sections = wanted(catalogue(), arguments.what.as_deref())?;
    if arguments.json {
        let document = serde_json::to_value(&sections)
            .map_err(|error| Error::internal(format!("cannot write JSON: {error}")))?;
        return super::print_json(&document);
    }
    let whole = |variant: &Described| arguments.what.as_deref() == Some(variant.name);
    let mut text = String::new();
    for section in &sections {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}\n", section.kind));
        for variant in &section.variants {
            text.push_str(&described(variant, whole(variant)));
        }
    }
    super::print(&text)
}

/// The sections, or what of them goes by that name.
fn wanted(mut sections: Vec<Section>, what: Option<&str>) -> Result<Vec<Section>> {
    let Some(what) = what else { return Ok(sections) };
    let names: Vec<&str> = sections
        .iter()
        .flat_map(|section| {
            std::iter::once(section.kind).chain(section.variants.iter().map(|variant| variant.name))
        })
        .collect();
    if !names.contains(&what) {
        let near = did_you_mean(what, names.iter().copied());
        let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
        let kinds: Vec<_> = sections.iter().map(|section| section.kind).collect();
        return Err(Error::usage(format!("the catalogue has no {what:?}")).with_help(format!(
            "{near}`wgfit list` prints all of it; its tables are {}",
            kinds.join(", ")
        )));
    }
    sections.retain_mut(|section| {
        if section.kind != what {
            section.variants.retain(|variant| variant.name == what);
        }
        !section.variants.is_empty()
    });
    Ok(sections)
}

/// A variant: a line, then a line a parameter, and its page where it is asked for by name.
fn described(variant: &Described, whole: bool) -> String {
    let mut text = format!("  {:<26} {}\n", variant.name, variant.formula);
    let mut facts: Vec<String> = Vec::new();
    if !variant.tasks.is_empty() {
        let tasks: Vec<String> = variant.tasks.iter().map(ToString::to_string).collect();
        facts.push(tasks.join(", "));
    }
    facts.extend(variant.better.map(|better| format!("better: {better}")));
    if !facts.is_empty() {
        text.push_str(&format!("  {:<26} {}\n", "", facts.join("; ")));
    }
    for parameter in &variant.parameters {
        text.push_str(&format!(
            "      {}: {}; {}\n",
            parameter.with_default(),
            parameter.description,
            parameter.takes
        ));
    }
    if whole {
        text.push('\n');
        for line in variant.page.lines() {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
    }
    text
}
