//! Faults planted in tables, each of which must be found; and tables that have none.

use std::fmt::Write;

use serde_json::{Value, json};

use super::*;
use crate::config::Config;
use crate::data;

/// Looks at a table of that text, with the target `y` and some keys of `data`.
fn look(text: &str, keys: Value) -> Vec<Finding> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rows.csv"), text).expect("a file");
    let mut data = json!({ "train": "rows.csv", "target": "y", "validation": 0.2, "test": 0.2 });
    for (key, value) in keys.as_object().expect("an object") {
        data[key] = value.clone();
    }
    let config = Config::parse(&json!({ "seed": 5, "data": data }).to_string(), "", &[]);
    let settings = config.and_then(|config| config.validate(folder.path())).expect("a config");
    audit(&data::load(&settings.data).expect("data")).expect("rows in memory")
}

fn kinds(findings: &[Finding]) -> Vec<(Kind, Severity)> {
    let told = findings.iter().filter(|finding| finding.severity > Severity::Info);
    told.map(|finding| (finding.kind, finding.severity)).collect()
}

fn find(findings: &[Finding], kind: Kind) -> &Finding {
    let found = findings.iter().find(|finding| finding.kind == kind);
    found.unwrap_or_else(|| panic!("no {kind:?} in {findings:#?}"))
}

/// Numbers in [0, 1) that look drawn.
fn drawn(at: usize, column: usize) -> f64 {
    let mixed = (at as u64 * 31 + column as u64 + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64
        / (1_u64 << 53) as f64
}

/// Columns `a`, `b`, `c` that say something of the class `y`, and what `more` adds to a row, by its number and
/// its class.
fn table(rows: usize, header: &str, more: impl Fn(usize, usize) -> String) -> String {
    let mut text = format!("a,b,c{header},y\n");
    for row in 0..rows {
        let x = [drawn(row, 0), drawn(row, 1), drawn(row, 2)];
        let class = usize::from(x[0] + x[1] + 0.8 * drawn(row, 3) > 1.4);
        let _ = writeln!(
            text,
            "{:.6},{:.6},{:.6}{},{}",
            x[0],
            x[1],
            x[2],
            more(row, class),
            ["no", "yes"][class]
        );
    }
    text
}

#[test]
fn a_sound_table_has_no_findings() {
    assert_eq!(look(&table(400, "", |_, _| String::new()), json!({})), []);
}

#[test]
fn the_bundled_data_is_silent() {
    let sets = [
        ("iris", "species"),
        ("breast_cancer", "diagnosis"),
        ("digits", "label"),
        ("diabetes", "progression"),
    ];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, target) in sets {
        for seed in 0..8 {
            let config = json!({ "seed": seed, "data": {
                "train": format!("configs/data/{name}.csv"), "target": target, "validation": 0.2,
                "test": 0.2
            } });
            let config = Config::parse(&config.to_string(), "", &[]);
            let settings = config.and_then(|config| config.validate(root)).expect("a config");
            let data = data::load(&settings.data).expect("data");
            let findings = audit(&data).expect("rows in memory");
            assert_eq!(kinds(&findings), [], "{name}, seed {seed}: {findings:#?}");
        }
    }
}

#[test]
fn an_embedded_column_that_gives_the_target_away_is_found() {
    let of = |tells: bool| {
        look(
            &table(600, ",code", |row, class| {
                let class = if tells { class } else { row / 15 % 2 };
                format!(",k{class}{}", row % 15)
            }),
            json!({ "columns": { "code": { "encoding": "embedding" } } }),
        )
    };
    assert_eq!(find(&of(true), Kind::LeakingColumn).columns, ["code"]);
    assert_eq!(kinds(&of(false)), []);
}

#[test]
fn rows_in_two_sets_are_found_and_named() {
    let mut text = table(200, "", |_, _| String::new());
    // Rows 181 to 200 once more, as rows 201 to 220: some of a pair are held out, some are not.
    let again: Vec<String> = text.lines().rev().take(20).map(str::to_owned).collect();
    again.iter().rev().for_each(|line| text.push_str(&format!("{line}\n")));
    let findings = look(&text, json!({ "stratify": false }));
    let found = find(&findings, Kind::DuplicateRows);
    assert_eq!(found.severity, Severity::Warning, "{found:#?}");
    let first = found.rows[0];
    let twin = if first > 200 { first - 20 } else { first + 20 };
    assert!(first > 180, "{found:#?}");
    assert!(found.text.contains(&format!("row {first} = {twin}")), "{found:#?}");
    // One pair alone is a chance, told in the summary.
    let mut text = table(200, "", |_, _| String::new());
    let once = text.lines().last().expect("a row").to_owned();
    text.push_str(&format!("{once}\n"));
    let findings = look(&text, json!({ "shuffle": false }));
    assert_eq!(kinds(&findings), []);
    // Both are held out: row 200 is not in training.
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn rows_of_a_test_file_are_numbered_by_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = table(100, "", |_, _| String::new());
    let lines: Vec<&str> = text.lines().collect();
    let test = [&lines[..1], &lines[41..61]].concat().join("\n");
    std::fs::write(folder.path().join("rows.csv"), &text).expect("a file");
    std::fs::write(folder.path().join("test.csv"), test).expect("a file");
    let config = json!({ "data": {
        "train": "rows.csv", "target": "y", "validation": 0, "test": "test.csv"
    } });
    let config = Config::parse(&config.to_string(), "", &[]).expect("a config");
    let settings = config.validate(folder.path()).expect("settings");
    let data = data::load(&settings.data).expect("data");
    let findings = audit(&data).expect("rows in memory");
    let found = find(&findings, Kind::DuplicateRows);
    assert!(found.text.starts_with("20 of 20 test rows (100 %) are in training too"), "{found:#?}");
    assert!(found.text.contains("row 1 = 41, 2 = 42"), "{found:#?}");
}

#[test]
fn equal_rows_of_two_classes_bound_the_accuracy() {
    let mut text = "a,b,y\n".to_owned();
    for row in 0..300 {
        // Ten kinds of rows, of each of which a third is of the other class.
        let kind = row % 10;
        let other = row / 10 % 3 == 0;
        let class = usize::from((kind < 5) != other);
        let _ = writeln!(text, "{},{},{}", kind, kind * kind, ["no", "yes"][class]);
    }
    let findings = look(&text, json!({ "validation": 0, "test": 0 }));
    let found = find(&findings, Kind::ConflictingTargets);
    assert_eq!(found.severity, Severity::Warning);
    assert!(
        found.text.contains("no network gets more than 67 % of the training rows right"),
        "{found:#?}"
    );
    assert_eq!(found.rows.len(), 2);
    // Of numbers it bounds the variance that is explained.
    let mut text = "a,b,y\n".to_owned();
    for row in 0..400 {
        let (kind, sign) = (row % 10, if row / 10 % 2 == 0 { 1.0 } else { -1.0 });
        let _ = writeln!(text, "{},{},{}", kind, (kind * 7) % 10, kind as f64 + sign * 1.5);
    }
    let keys = json!({ "validation": 0, "test": 0, "task": "regression" });
    let findings = look(&text, keys);
    let found = find(&findings, Kind::ConflictingTargets);
    // Variances: 8.25 between, 2.25 within.
    assert!(found.text.contains("more than 79 % of the variance"), "{found:#?}");
}

#[test]
fn a_column_that_gives_the_class_away_is_found() {
    // A number that follows the class, but for one row in a hundred, and its text.
    for (kind, value) in [("number", ["3.5", "9.25"]), ("text", ["north", "south"])] {
        let more = |row: usize, class: usize| {
            format!(",{}", value[if row % 100 == 99 { 1 - class } else { class }])
        };
        let findings = look(&table(600, ",code", more), json!({}));
        let told: Vec<_> = findings.iter().filter(|f| f.severity > Severity::Info).collect();
        assert_eq!(told.len(), 1, "{kind}: {findings:#?}");
        assert_eq!(told[0].kind, Kind::LeakingColumn);
        assert_eq!(told[0].severity, Severity::Warning);
        assert_eq!(told[0].columns, ["code"], "{kind}");
    }
    // One row in ten: a good column, no leak.
    let more =
        |row: usize, class: usize| format!(",{}", if row % 10 == 9 { 1 - class } else { class });
    assert_eq!(kinds(&look(&table(600, ",code", more), json!({}))), []);
}

#[test]
fn a_column_that_gives_a_number_away_is_found() {
    let regression = |noise: f64| {
        let mut text = "a,b,c,y\n".to_owned();
        for row in 0..500 {
            let y = 3.0 * drawn(row, 0) + drawn(row, 1) + 0.5 * drawn(row, 2);
            let c = (y + noise * (drawn(row, 4) - 0.5)).exp();
            let _ = writeln!(text, "{:.5},{:.5},{c:.5},{y:.5}", drawn(row, 0), drawn(row, 1));
        }
        look(&text, json!({ "task": "regression" }))
    };
    let findings = regression(0.02);
    let found = find(&findings, Kind::LeakingColumn);
    assert_eq!(found.columns, ["c"]);
    assert!(!regression(1.0).iter().any(|finding| finding.kind == Kind::LeakingColumn));
}

#[test]
fn a_label_that_is_given_away_is_named() {
    let mut text = "a,b,leak,y,z\n".to_owned();
    for row in 0..400 {
        let [y, z] = [3, 5].map(|column| usize::from(drawn(row, column) > 0.6));
        let _ = writeln!(text, "{:.4},{:.4},{z},{y},{z}", drawn(row, 0), drawn(row, 1));
    }
    let findings = look(&text, json!({ "target": ["y", "z"], "task": "multilabel" }));
    let found = find(&findings, Kind::LeakingColumn);
    assert!(found.columns == ["leak"] && found.text.contains("predicts \"z\""), "{found:#?}");
}

#[test]
fn ids_and_columns_of_one_value_are_found() {
    let ascending = |row: usize, _| format!(",{}", 1000 + 3 * row);
    let shuffled = |row: usize, _| format!(",{}", (row * 77) % 400);
    for findings in [
        look(&table(400, ",id", ascending), json!({})),
        look(&table(400, ",id", shuffled), json!({})),
    ] {
        assert_eq!(kinds(&findings), [(Kind::IdColumn, Severity::Warning)], "{findings:#?}");
        assert_eq!(find(&findings, Kind::IdColumn).columns, ["id"]);
    }
    // A time with fractions, and whole numbers that repeat, number no rows.
    let time = |row: usize, _| format!(",{}", row as f64 * 0.37);
    let age = |row: usize, _| format!(",{}", (row * 77) % 90);
    for findings in
        [look(&table(400, ",t", time), json!({})), look(&table(400, ",age", age), json!({}))]
    {
        assert_eq!(kinds(&findings), [], "{findings:#?}");
    }
    let findings = look(&table(400, ",one", |_, _| ",4".to_owned()), json!({}));
    // What is constant is no input at all.
    assert!(findings.iter().all(|finding| !finding.columns.contains(&"one".to_owned())));
    // The encoding has told of it.
    assert_eq!(kinds(&findings), []);
    let nearly = |row: usize, _| format!(",{}", if row == 57 { 9 } else { 4 });
    let findings = look(&table(400, ",one", nearly), json!({ "validation": 0, "test": 0 }));
    assert_eq!(kinds(&findings), [(Kind::NearlyConstantColumn, Severity::Note)]);
}

#[test]
fn rare_and_missing_classes_are_found() {
    let mut text = table(400, "", |_, _| String::new());
    for row in 0..4 {
        let _ = writeln!(text, "{:.4},{:.4},0.5,rare", drawn(row, 8), drawn(row, 9));
    }
    let findings = look(&text, json!({}));
    let found = find(&findings, Kind::RareClass);
    assert_eq!((found.severity, &found.columns[..]), (Severity::Note, &["rare".to_owned()][..]));
    assert_eq!(find(&findings, Kind::ImbalancedClasses).columns[0], "rare");
    // In file order the last rows are held out: no training row is of the class.
    let findings = look(&text, json!({ "shuffle": false }));
    let found = find(&findings, Kind::RareClass);
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.text.contains("no training row is of the class \"rare\""), "{found:#?}");
    // Weights are an answer.
    let findings = look(&text, json!({ "class_weights": "balanced" }));
    assert!(!findings.iter().any(|finding| finding.kind == Kind::ImbalancedClasses));
    // At the front of the file the class is in no other set.
    let (head, rows) = text.split_once('\n').expect("a header");
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.rotate_right(4);
    let text = format!("{head}\n{}\n", rows.join("\n"));
    let findings = look(&text, json!({ "shuffle": false }));
    let missing = |finding: &&Finding| finding.kind == Kind::MissingClass;
    let missing: Vec<_> = findings.iter().filter(missing).collect();
    assert_eq!(missing.len(), 2, "of both sets held out: {findings:#?}");
}

#[test]
fn sets_that_differ_are_found() {
    let drifting = |row: usize, _| format!(",{:.4}", row as f64 / 200.0 + drawn(row, 6));
    let text = table(600, ",level", drifting);
    assert_eq!(kinds(&look(&text, json!({}))), [], "shuffled, they are alike");
    let findings = look(&text, json!({ "shuffle": false }));
    let shifted: Vec<_> =
        findings.iter().filter(|finding| finding.kind == Kind::ShiftedColumn).collect();
    assert_eq!(shifted.len(), 2, "{findings:#?}");
    assert!(shifted.iter().all(|finding| finding.columns == ["level"]), "{shifted:#?}");
}

#[test]
fn fewer_rows_than_inputs_are_told() {
    let mut text = (0..80).map(|at| format!("x{at},")).collect::<String>() + "y\n";
    for row in 0..60 {
        let cells: String = (0..80).map(|at| format!("{:.4},", drawn(row, at))).collect();
        let _ = writeln!(text, "{cells}{}", ["no", "yes"][row % 2]);
    }
    assert_eq!(kinds(&look(&text, json!({}))), [(Kind::FewRows, Severity::Note)]);
}
