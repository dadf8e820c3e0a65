//! What is needed to know and to repeat the run.

use serde_json::Value;

use crate::report::page::Page;
use crate::report::run_record::RunRecord;
use crate::report::{count, duration};

pub(super) fn about(page: &mut Page, record: &RunRecord) {
    page.section("About this run");
    let summary = &record.summary;
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let device = |key: &str| text(&summary["device"][key]);
    let seconds = |key: &str| summary[key].as_f64().map(duration);
    let number = |value: &Value| value.as_u64().map(count);
    let config = &record.config;
    let named = |value: &Value| text(&value["name"]).or_else(|| text(value));
    let facts = [
        ("network", text(&summary["network"])),
        ("parameters", number(&summary["parameters"])),
        ("members", number(&summary["members"])),
        ("loss", text(&summary["loss"])),
        ("optimizer", named(&config["optimizer"])),
        (
            "learning rate",
            config["optimizer"]["learning_rate"].as_f64().map(|rate| rate.to_string()),
        ),
        ("schedule", named(&config["schedule"])),
        ("batch size", number(&config["training"]["batch_size"])),
        ("precision", text(&summary["precision"])),
        ("seed", config["seed"].as_u64().map(|seed| seed.to_string())),
        ("device", device("name")),
        ("backend", device("backend")),
        ("driver", device("driver")),
        ("kind", device("kind")),
        ("startup", seconds("startup_seconds")),
        ("training", seconds("seconds")),
        (
            "throughput",
            summary["samples_per_second"]
                .as_f64()
                .map(|rate| format!("{} samples/s", count(rate as u64))),
        ),
        ("data", text(&config["data"]["train"])),
        ("data hash", text(&summary["data_hash"])),
        ("wgfit", text(&summary["version"])),
    ];
    let facts: Vec<(String, String)> =
        facts.into_iter().filter_map(|(label, value)| Some((label.to_owned(), value?))).collect();
    if !facts.is_empty() {
        page.facts(&facts);
    }
    if !record.config_text.is_empty() {
        page.folded("The whole config, every default written out", &record.config_text);
    }
}
