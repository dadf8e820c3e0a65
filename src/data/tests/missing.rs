//! Missing cells: what they become, and what is said of them.

use super::*;
use crate::config::data::ColumnMissing;
use crate::data::load_features as encode;

const ROWS: &str = "a,flag,city,full,y\n1,yes,Rome,1,p\n,yes,,2,q\n4,,Ulm,3,p\n9,no,Rome,4,q\n";

fn with(missing: &[(&str, ColumnMissing)]) -> (Folder, DataSettings) {
    let folder = Folder::new();
    let mut settings = settings(folder.file("rows.csv", ROWS), "y");
    for (column, missing) in missing {
        settings.columns.entry((*column).to_owned()).or_default().missing = Some(missing.clone());
    }
    (folder, settings)
}

fn value(text: &str) -> ColumnMissing {
    ColumnMissing::Value(text.to_owned())
}

#[test]
fn unasked_they_are_filled_and_marked() {
    let (folder, settings) = with(&[]);
    let data = load(&settings).expect("missing cells are no error");
    // a and whether it was missing; flag and the same; Rome, Ulm, none; full, which has no gap.
    assert_eq!(
        data.train.features,
        [
            [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0],
            [4.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 2.0],
            [4.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 3.0],
            [9.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 4.0],
        ]
        .concat()
    );
    let filled = data.notes.iter().find(|note| note.starts_with("filled")).expect("a remark");
    assert_says(filled, &["a (1: 4)", "flag (1: yes)", "city (1: a category of their own)"]);
    assert!(!filled.contains("full"), "{filled}");
    let new = "a,flag,city,full\n,,,\n2,NO,Oslo,n/a\n3,t,Ulm,7\n";
    let new = encode(&folder.file("new.csv", new), &data.preprocessing).expect("rows");
    assert_eq!(
        new.rows.features,
        [
            [4.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 2.5],
            [2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.5],
            [3.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 7.0],
        ]
        .concat()
    );
    assert_eq!(new.notes.len(), 2, "{:?}", new.notes);
    assert_says(&new.notes[0], &["missing", "a (1)", "flag (1)", "city (1)", "full (2)"]);
    assert_says(&new.notes[1], &["did not see", "city (1)"]);
}

#[test]
fn the_median_is_that_of_the_training_rows_alone() {
    let folder = Folder::new();
    let rows = "a,y\n1,p\n2,q\n,p\n3,q\n100,p\n200,q\n300,p\n,q\n";
    let mut settings = settings(folder.file("rows.csv", rows), "y");
    settings.shuffle = false;
    settings.validation = Portion::Share(0.5);
    let data = load(&settings).expect("a good file");
    assert_eq!(data.train.features, [1.0, 0.0, 2.0, 0.0, 2.0, 1.0, 3.0, 0.0]);
    assert_eq!(data.validation.expect("rows").features[6..], [2.0, 1.0]);
}

#[test]
fn the_users_word_decides() {
    let (_folder, settings) = with(&[
        ("a", ColumnMissing::Mean),
        ("flag", value("false")),
        ("city", value("Ulm")),
        ("full", value("0")),
    ]);
    let data = load(&settings).expect("a good file");
    assert_eq!(data.preprocessing.inputs(), 7);
    let mean = (14.0 / 3.0) as f32;
    assert_eq!(data.train.features[7..14], [mean, 1.0, 1.0, 0.0, 0.0, 1.0, 2.0]);
    assert_eq!(data.train.features[14..21], [4.0, 0.0, 0.0, 1.0, 0.0, 1.0, 3.0]);
    // A name of its own.
    let (_folder, named) = with(&[("city", value("Nowhere"))]);
    let data = load(&named).expect("a good file");
    assert_eq!(data.train.features[12..15], [1.0, 0.0, 0.0], "Nowhere, Rome, Ulm");
    for (column, missing, parts) in [
        ("a", value("none"), ["`data.columns.a.missing`", "\"none\" is no value of it"]),
        ("a", ColumnMissing::Category, ["`data.columns.a.missing`", "numeric, not categorical"]),
        ("city", ColumnMissing::Mean, ["`data.columns.city.missing`", "categorical"]),
        ("a", ColumnMissing::Error, ["line 3, column \"a\"", "missing value"]),
        ("y", ColumnMissing::Mean, ["`data.columns.y.missing`", "is the target"]),
    ] {
        let (_folder, settings) = with(&[(column, missing)]);
        assert_says(&refused(&settings), &parts);
    }
}

#[test]
fn columns_that_say_nothing_are_left_out() {
    let text = "empty,one,x,word,y\n,5,1,on,p\nNA,5,2,on,q\n?,5,3,on,p\n";
    let data = load_text(text);
    assert_eq!(data.train.features, [1.0, 2.0, 3.0]);
    let says = |parts: &[&str]| {
        assert!(
            data.notes.iter().any(|note| parts.iter().all(|part| note.contains(part))),
            "{parts:?}: {:?}",
            data.notes
        );
    };
    says(&["columns \"one\", \"word\" are constant", "left out"]);
    says(&["column \"empty\" is empty", "left out"]);
    let folder = Folder::new();
    let mut stated = settings(folder.file("rows.csv", text), "y");
    stated.columns.insert("empty".to_owned(), typed(ColumnType::Numeric));
    assert_says(&refused(&stated), &["column \"empty\"", "no value", "\"ignore\""]);
}

#[test]
fn a_target_with_gaps_is_refused_with_their_number() {
    let said = refused_file("rows.csv", "x,y\n1,p\n2,\n3,q\n4,NA\n");
    assert_says(&said, &["line 3, column \"y\"", "missing value", "2 rows", "remove the rows"]);
}
