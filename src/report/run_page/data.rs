//! What was found in the data before training.

use crate::audit::{Finding, Severity};
use crate::report::page::{Page, Tone};
use crate::report::run_record::RunRecord;

pub(super) fn data(page: &mut Page, record: &RunRecord) {
    let found = record.summary.get("audit").cloned().unwrap_or_default();
    let Ok(findings) = serde_json::from_value::<Vec<Finding>>(found) else { return };
    if findings.is_empty() {
        return;
    }
    page.section("The data");
    for finding in findings {
        let tone = match finding.severity {
            Severity::Warning => Tone::Warning,
            Severity::Note | Severity::Info => Tone::Note,
        };
        page.remark(tone, &sentence(&finding.line()));
    }
}

/// A phrase as a sentence.
fn sentence(phrase: &str) -> String {
    let mut characters = phrase.chars();
    let first = characters.next().map(|c| c.to_uppercase().chain(characters).collect::<String>());
    let end = if phrase.ends_with('?') { "" } else { "." };
    format!("{}{end}", first.unwrap_or_default())
}
