//! Targets that are a probability for each class.

use super::*;

const ROWS: &str = "a,x,b,c\n0.7,1,0.2,0.1\n0,2,1,0\n0.3333,3,0.3333,0.3333\n1e0,4,0,-0.0\n";

fn soft(text: &str) -> (Folder, DataSettings) {
    let folder = Folder::new();
    let settings = several(folder.file("rows.csv", text), Task::Classification);
    (folder, settings)
}

#[test]
fn rows_are_distributions_over_the_columns() {
    let (folder, mut settings) = soft(ROWS);
    settings.columns.insert("a".to_owned(), typed(ColumnType::Numeric));
    let data = load(&settings).expect("a good file");
    assert_eq!(data.train.targets[..6], [0.7, 0.2, 0.1, 0.0, 1.0, 0.0]);
    assert_eq!(data.train.targets[9..], [1.0, 0.0, 0.0]);
    assert!(data.train.targets.iter().all(|share| share.is_sign_positive()));
    let preprocessing = data.preprocessing;
    preprocessing.validate().expect("sound");
    assert_eq!((preprocessing.outputs(), preprocessing.target_width()), (3, 3));
    assert_eq!(preprocessing.classes(), ["a", "b", "c"]);
    assert!(preprocessing.has_soft_targets());
    assert_says(&data.notes[0], &["probabilities of 3 classes, task classification"]);
    let more = folder.file("more.csv", "x,c,a,b\n1,0.3333,0.3333,0.3333\n");
    let rows = load_rows(&more, None, &preprocessing).expect("a good file");
    assert_eq!(rows.targets, [0.3333; 3]);
    let json = serde_json::to_string(&preprocessing).expect("JSON");
    assert_eq!(preprocessing, serde_json::from_str(&json).expect("just written"));
}

#[test]
fn what_is_no_distribution_is_refused_with_its_line() {
    let (_folder, good) = soft(ROWS);
    let fitted = load(&good).expect("a good file").preprocessing;
    let says = |from: &str, to: &str, parts: &[&str]| {
        let (_folder, settings) = soft(&ROWS.replace(from, to));
        assert_says(&refused(&settings), parts);
        // The same of a file that is encoded with what was fitted on another.
        let error = load_rows(&settings.train, None, &fitted).expect_err("a bad file");
        assert_says(&error.to_string(), &parts[..1]);
    };
    says("0.2,0.1", "0.2,0.2", &["rows.csv, line 2: ", "sum is 1.1", "divide"]);
    says("0.3333,0.3333", "0.3333,0.3331", &["rows.csv, line 4: ", "sum is 0.999"]);
    says("0,2,1,0", "0,2,0,0", &["rows.csv, line 3: ", "sum is 0,"]);
    says("0,2,1,0", "0,2,1.5,-0.5", &["line 3, column \"b\"", "\"1.5\" is not a probability"]);
    says("0,2,1,0", "1.5,2,0,-0.5", &["line 3, column \"a\"", "0 to 1"]);
    says("0,2,1,0", "0,2,yes,0", &["line 3, column \"b\"", "\"yes\" is not a number"]);
    says("0,2,1,0", "0,2,nan,0", &["line 3, column \"b\"", "missing value"]);
    says("0,2,1,0", "0,2,inf,0", &["line 3, column \"b\"", "not a finite"]);
    let (_folder, mut settings) = soft(ROWS);
    settings.columns.insert("b".to_owned(), typed(ColumnType::Categorical));
    assert_says(&refused(&settings), &["`data.columns.b.type`", "task is classification"]);
}

#[test]
fn a_split_keeps_the_shares_of_the_likeliest_classes() {
    let rows: String = (0..100)
        .map(|i| {
            let row = if i % 10 == 0 { "0.1,0.1,0.8" } else { "0.6,0.2,0.2" };
            format!("{i},{row}\n")
        })
        .collect();
    let (_folder, mut settings) = soft(&format!("x,a,b,c\n{rows}"));
    settings.validation = Portion::Share(0.2);
    for seed in 0..10 {
        settings.seed = seed;
        let validation = load(&settings).expect("a good file").validation.expect("rows");
        let third = validation.targets.chunks(3).filter(|row| row[2] == 0.8).count();
        assert_eq!((validation.rows, third), (20, 2));
    }
}
