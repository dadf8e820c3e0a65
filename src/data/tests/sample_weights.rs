//! A column that says what each row counts.

use super::*;

/// 20 rows, of which every fourth counts 0.
fn rows() -> String {
    let row = |i: usize| format!("{i},{},{}\n", (i % 4) as f64 / 2.0, ["no", "yes"][i % 2]);
    format!("x,w,y\n{}", (0..20).map(row).collect::<String>())
}

fn weighted(folder: &Folder, text: &str) -> DataSettings {
    let mut settings = settings(folder.file("rows.csv", text), "y");
    settings.columns.insert("w".to_owned(), typed(ColumnType::Weight));
    settings
}

fn fitted(folder: &Folder) -> Preprocessing {
    load(&weighted(folder, &rows())).expect("a good file").preprocessing
}

#[test]
fn weights_go_with_their_rows_and_are_no_input() {
    let folder = Folder::new();
    let mut settings = weighted(&folder, &rows());
    settings.validation = Portion::Share(0.25);
    let data = load(&settings).expect("a good file");
    assert_eq!(data.preprocessing.inputs(), 1);
    assert_eq!(data.preprocessing.weight_column(), Some("w"));
    data.preprocessing.validate().expect("sound");
    let validation = data.validation.expect("validation rows");
    assert_eq!((data.train.sample_weights.len(), validation.sample_weights.len()), (15, 5));
    for rows in [&data.train, &validation] {
        for (x, weight) in rows.features.iter().zip(&rows.sample_weights) {
            assert_eq!(*weight, x % 4.0 / 2.0);
        }
    }
    let json = serde_json::to_string(&data.preprocessing).expect("JSON");
    assert_eq!(data.preprocessing, serde_json::from_str(&json).expect("just written"));
}

#[test]
fn the_hash_covers_the_weights() {
    let folder = Folder::new();
    let hash = |text: &str| load(&weighted(&folder, text)).expect("a good file").hash;
    let same = rows();
    assert_eq!(hash(&same), hash(&same));
    assert_ne!(hash(&same), hash(&same.replacen("5,0.5", "5,0.75", 1)));
    let mut ignored = weighted(&folder, &same);
    ignored.columns.insert("w".to_owned(), typed(ColumnType::Ignore));
    let ignored = load(&ignored).expect("a good file");
    assert!(ignored.train.sample_weights.is_empty());
    assert_ne!(ignored.hash, hash(&same));
}

#[test]
fn a_files_weights_are_needed_where_a_run_holds_it_out() {
    let folder = Folder::new();
    let mut settings = weighted(&folder, &rows());
    let with = folder.file("with.csv", "y,w,x\nno,0.25,1\nyes,0,2\n");
    let without = folder.file("without.csv", "y,x\nno,1\nyes,2\n");
    settings.test = Portion::File(with.clone());
    let data = load(&settings).expect("good files");
    assert_eq!(data.test.expect("test rows").sample_weights, [0.25, 0.0]);
    settings.validation = Portion::File(without.clone());
    assert_says(&refused(&settings), &["without.csv: no column \"w\"", "weights"]);

    let fitted = fitted(&folder);
    let scored = |file| load_rows(file, None, &fitted).expect("a good file").sample_weights;
    assert_eq!(scored(&with), [0.25, 0.0]);
    assert!(scored(&without).is_empty(), "rows without weights can be scored, all alike");
    // Rows to predict need no weights, and bad ones do no harm.
    let bad = folder.file("bad.csv", "x,w\n1,-5\n2,none\n");
    let features = load_features(&bad, &fitted).expect("a good file");
    assert_eq!((features.features, features.sample_weights), (vec![1.0, 2.0], Vec::new()));
    assert_eq!(load_features(&folder.file("x.csv", "x\n3\n"), &fitted).expect("good").rows, 1);
}

#[test]
fn bad_weights_are_refused() {
    let folder = Folder::new();
    for (bad, parts) in [
        ("-1", ["\"-1\" is negative", "0 or more"]),
        ("-1e-300", ["is negative", "0 or more"]),
        ("nan", ["missing value", "remove"]),
        ("", ["missing value", "remove"]),
        ("inf", ["not a finite", "numbers must lie"]),
        ("1e39", ["not a finite", "numbers must lie"]),
        ("much", ["\"much\" is not a number", "every row needs a weight"]),
    ] {
        let text = rows().replacen("5,0.5,yes", &format!("5,{bad},yes"), 1);
        let settings = weighted(&folder, &text);
        let said = refused(&settings);
        assert_says(&said, &["rows.csv, line 7, column \"w\": "]);
        assert_says(&said, &parts);
        let error = load_rows(&settings.train, None, &fitted(&Folder::new()));
        let said = error.expect_err("a bad file").to_string();
        assert_says(&said, &["rows.csv, line 7, column \"w\": "]);
    }
    let zero: String = (0..9).map(|i| format!("{i},0,{}\n", ["no", "yes"][i % 2])).collect();
    let zero = format!("x,w,y\n{zero}");
    let nothing = weighted(&folder, &zero);
    assert_says(&refused(&nothing), &["column \"w\"", "all 9 training rows are 0"]);
    let mut tail = weighted(&folder, &format!("{zero}9,1,no\n10,1,yes\n11,0,no\n"));
    tail.shuffle = false;
    tail.test = Portion::Share(0.05);
    assert_says(&refused(&tail), &["column \"w\"", "all 1 test rows are 0"]);
    tail.train = folder.file("good.csv", rows());
    tail.test = Portion::File(folder.file("zero.csv", &zero));
    assert_says(&refused(&tail), &["zero.csv, column \"w\"", "all 9 rows are 0"]);
}

#[test]
fn one_column_holds_the_weights_and_nothing_else() {
    let folder = Folder::new();
    let mut two = weighted(&folder, &rows());
    two.columns.insert("x".to_owned(), typed(ColumnType::Weight));
    let said = refused(&two);
    assert_says(&said, &["`data.columns.w.type`", "\"x\" holds the rows' weights already"]);
    let mut target = weighted(&folder, &rows());
    target.columns = [("y".to_owned(), typed(ColumnType::Weight))].into();
    assert_says(&refused(&target), &["`data.columns.y.type`", "the column is the target"]);
    let mut scaled = weighted(&folder, &rows());
    scaled.columns.entry("w".to_owned()).or_default().scaling = Some(Scaling::Minmax);
    assert_says(&refused(&scaled), &["`data.columns.w.scaling`", "taken as they are"]);
    let mut alone = weighted(&folder, "w,y\n1,no\n2,yes\n");
    assert_says(&refused(&alone), &["no input column is left"]);
    alone.columns.clear();
    load(&alone).expect("an input without the word");
}

#[test]
fn without_a_header_weights_go_by_position() {
    let folder = Folder::new();
    // Columns 0 and 3 are inputs, 1 the weight, 2 the target.
    let mut settings = settings(folder.file("rows.csv", "1,2,no,10\n2,0,yes,20\n3,1,no,30\n"), "2");
    settings.columns.insert("1".to_owned(), typed(ColumnType::Weight));
    let data = load(&settings).expect("a good file");
    assert_eq!(data.train.features, [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
    assert_eq!(data.train.sample_weights, [2.0, 0.0, 1.0]);
    let read = |text: &str| load_features(&folder.file("new.csv", text), &data.preprocessing);
    let score = |text: &str| load_rows(&folder.file("new.csv", text), None, &data.preprocessing);
    let features = |rows: crate::error::Result<Rows>| rows.expect("a good file").features;
    assert_eq!(features(read("4,9,no,40\n")), [4.0, 40.0]);
    assert_eq!(features(read("4,40\n")), [4.0, 40.0]);
    // Whichever is lacking, the inputs stand at the same places.
    assert_eq!(features(read("4,9,40\n")), [4.0, 40.0]);
    let scored = score("4,yes,40\n").expect("a good file");
    assert_eq!((scored.features, scored.targets), (vec![4.0, 40.0], vec![1.0]));
    assert!(scored.sample_weights.is_empty());
    let all = score("4,9,yes,40\n").expect("a good file");
    assert_eq!((all.targets, all.sample_weights), (vec![1.0], vec![9.0]));
}

#[test]
fn a_column_less_is_refused_where_it_may_be_one_of_two() {
    let folder = Folder::new();
    // The weight, an input, the target, an input.
    let mut settings = settings(folder.file("rows.csv", "2,1,no,10\n0,2,yes,20\n"), "2");
    settings.columns.insert("0".to_owned(), typed(ColumnType::Weight));
    let data = load(&settings).expect("a good file");
    let new = folder.file("new.csv", "4,5,40\n");
    let error = load_features(&new, &data.preprocessing).expect_err("two readings");
    assert_says(&error.to_string(), &["new.csv: 3 columns lack", "all 4 columns"]);
}
