//! Headers, delimiters, column types, tasks, scaling.

use super::*;
use crate::data::Encoding;
use crate::data::MissingCategory;

#[test]
fn header_and_types_are_found() {
    let data = load_text(&mixed_rows());
    assert_eq!(data.preprocessing.task(), Task::Classification);
    assert_eq!(data.preprocessing.classes(), ["high", "low", "mid"]);
    assert_eq!(data.preprocessing.inputs(), 5);
    assert_eq!(data.preprocessing.outputs(), 3);
    assert_eq!((data.preprocessing.target_width(), data.train.rows), (1, 60));
    // Row 1: a = 1.25, color = green (blue, green, red), b = 1, y = low.
    assert_eq!(data.train.features[5..10], [1.25, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(data.train.targets[..4], [1.0, 1.0, 2.0, 2.0]);
    assert_says(&data.notes[0], &["target \"y\": 3 classes, so task classification"]);
    assert_says(&data.notes[1], &["color (3)"]);
}

#[test]
fn a_file_reads_the_same_in_every_dress() {
    let plain = mixed_rows();
    let expected = load_text(&plain).hash;
    let folder = Folder::new();
    let quoted: String = plain
        .lines()
        .map(|line| line.split(',').map(|f| format!("\"{f}\"")).collect::<Vec<_>>().join(","))
        .map(|line| line + "\n")
        .collect();
    let with_mark = [b"\xef\xbb\xbf", quoted.as_bytes()].concat();
    for (name, bytes) in [
        ("crlf.csv", plain.replace('\n', "\r\n").into_bytes()),
        ("blanks.csv", plain.replace(',', " , ").replace("\n", "\n\n").into_bytes()),
        ("tabs.tsv", plain.replace(',', "\t").into_bytes()),
        ("tabs.txt", plain.replace(',', "\t").into_bytes()),
        ("semicolons.csv", plain.replace(',', ";").into_bytes()),
        ("no_end.csv", plain.trim_end().as_bytes().to_vec()),
        ("quoted.csv", quoted.into_bytes()),
        ("mark.csv", with_mark.clone()),
        ("packed.csv.gz", gzip(plain.as_bytes())),
        ("packed.tsv.gz", gzip(plain.replace(',', "\t").as_bytes())),
        ("mark.csv.gz", gzip(&with_mark)),
    ] {
        let data = load(&settings(folder.file(name, bytes), "y")).expect(name);
        assert_eq!(data.hash, expected, "{name}");
    }
}

#[test]
fn without_a_header_columns_go_by_index() {
    let folder = Folder::new();
    let file = folder.file("rows.csv", "1,5,no\n2,6,yes\n3,7,no\n");
    let mut settings = settings(file, "2");
    let by_name = load(&settings).expect("a good file");
    settings.target = vec![ColumnReference::Index(2)];
    let by_index = load(&settings).expect("a good file");
    assert_eq!(by_name.hash, by_index.hash);
    assert_eq!(by_index.train.features, [1.0, 5.0, 2.0, 6.0, 3.0, 7.0]);
    assert_eq!(by_index.preprocessing.classes(), ["no", "yes"]);
    assert!(by_index.notes.iter().any(|note| note.contains("no header")));
}

#[test]
fn a_header_over_text_alone_is_known_by_its_target() {
    let data = load_text("c,y\nred,no\nblue,yes\nred,no\n");
    assert_eq!(data.train.rows, 3);
    assert_eq!(data.preprocessing.inputs(), 2);
}

#[test]
fn numbers_become_the_task_that_fits() {
    let column = |values: &dyn Fn(usize) -> String| {
        let rows: String = (0..60).map(|i| format!("{i}.5,{}\n", values(i))).collect();
        load_text(&format!("x,y\n{rows}")).preprocessing
    };
    assert_eq!(column(&|i| (i % 2).to_string()).task(), Task::Binary);
    let digits = column(&|i| (11 - i % 6).to_string());
    assert_eq!(digits.task(), Task::Classification);
    // By value, not as text.
    assert_eq!(digits.classes(), ["6", "7", "8", "9", "10", "11"]);
    assert_eq!(column(&|i| (i % 7).to_string()).task(), Task::Regression);
    assert_eq!(column(&|i| format!("{}.5", i % 5)).task(), Task::Regression);
    // One number in two spellings is one class, in the first spelling.
    assert_eq!(column(&|i| ["1.0", "2", "1", "02"][i % 4].to_owned()).classes(), ["1.0", "2"]);
}

#[test]
fn a_task_that_does_not_fit_is_refused() {
    let folder = Folder::new();
    let mut three = settings(folder.file("rows.csv", mixed_rows()), "y");
    three.task = Some(Task::Binary);
    assert_says(&refused(&three), &["rows.csv", "\"y\"", "2 classes", "has 3", "high, low, mid"]);
    three.task = Some(Task::Regression);
    assert_says(&refused(&three), &["line 2, column \"y\"", "\"low\" is not a number"]);
    three.task = Some(Task::Binary);
    three.target = ["a", "b"].map(|name| ColumnReference::Name(name.to_owned())).to_vec();
    assert_says(&refused(&three), &["`data.target`", "one target"]);
    assert_says(
        &refused_file("a.csv", "x,y\n1,no\n2,no\n"),
        &["column \"y\"", "one class", "\"no\""],
    );
    assert_says(&refused_file("a.csv", "x,y\n1,3\n2,3\n"), &["column \"y\"", "one class"]);
    let each: String = (0..30).map(|i| format!("{i},name{i}\n")).collect();
    assert_says(
        &refused_file("a.csv", format!("x,y\n{each}")),
        &["differs in each of the 30 rows"],
    );
}

#[test]
fn several_targets_are_regression_in_the_order_given() {
    let folder = Folder::new();
    let file = folder.file("rows.csv", "p,x,q\n1,5,10\n2,6,20\n3,7,60\n");
    let mut settings = settings(file, "q");
    settings.target.push(ColumnReference::Index(0));
    settings.target_scaling = TargetScaling::None;
    let data = load(&settings).expect("a good file");
    assert_eq!(data.preprocessing.target_names(), ["q", "p"]);
    assert_eq!(data.train.targets, [10.0, 1.0, 20.0, 2.0, 60.0, 3.0]);
    assert_eq!((data.preprocessing.outputs(), data.preprocessing.target_width()), (2, 2));
    assert_eq!(data.preprocessing.target_scale(), [(0.0, 1.0), (0.0, 1.0)]);
    settings.target.push(ColumnReference::Name("q".to_owned()));
    assert_says(&refused(&settings), &["`data.target[2]`", "twice"]);
}

#[test]
fn regression_targets_are_standardised() {
    let data = load_text("x,y\n1,1.5\n2,2.5\n3,3.5\n4,10.5\n");
    let (mean, deviation) = data.preprocessing.target_scale()[0];
    assert_eq!(mean, 4.5);
    assert_eq!(deviation, 12.5_f64.sqrt());
    assert_eq!(data.train.targets[3], (6.0 / deviation) as f32);
    assert!(data.preprocessing.classes().is_empty());
    let folder = Folder::new();
    let mut constant = settings(folder.file("rows.csv", "x,y\n1,0.1\n2,0.1\n3,0.1\n"), "y");
    constant.task = Some(Task::Regression);
    assert_says(&refused(&constant), &["column \"y\"", "target is constant", "0.1"]);
}

#[test]
fn scalings_are_as_written() {
    let folder = Folder::new();
    let mut settings =
        settings(folder.file("rows.csv", "a,b,c,y\n0,51,0.1,p\n5,0,0.1,q\n10,255,0.1,p\n"), "y");
    settings.scaling = Scaling::Minmax;
    let own = |scaling| ColumnConfig { scaling: Some(scaling), ..ColumnConfig::default() };
    settings.columns.insert("b".to_owned(), own(Scaling::DivideBy255));
    settings.columns.insert("c".to_owned(), own(Scaling::Standard));
    let data = load(&settings).expect("a good file");
    // The mean of a constant column is rounded: its deviation is nearly 0, and not 0.
    assert_eq!(data.train.features, [0.0, 0.2, 0.5, 0.0, 1.0, 1.0]);
    let told = |note: &String| note.contains("constant") && note.contains("c");
    assert!(data.notes.iter().any(told), "{:?}", data.notes);
}

#[test]
fn the_users_word_on_columns_is_taken() {
    let folder = Folder::new();
    let mut settings = settings(folder.file("rows.csv", mixed_rows()), "y");
    settings.columns.insert("color".to_owned(), typed(ColumnType::Ignore));
    settings.columns.insert("a".to_owned(), typed(ColumnType::Categorical));
    let data = load(&settings).expect("a good file");
    assert_eq!(data.preprocessing.inputs(), 12);
    match &data.preprocessing.columns()[0].encoding {
        // As numbers: 10.25 after 9.25.
        Encoding::Categorical { categories, .. } => assert_eq!(categories[10], "10.25"),
        other => panic!("{other:?}"),
    }
    settings.columns.insert("colour".to_owned(), typed(ColumnType::Ignore));
    assert_says(
        &refused(&settings),
        &[
            "`data.columns.colour`",
            "no column \"colour\"",
            "did you mean \"color\"",
            "a, color, b, y",
        ],
    );
    settings.columns.clear();
    settings.columns.insert("y".to_owned(), typed(ColumnType::Ignore));
    assert_says(&refused(&settings), &["`data.columns.y.type`", "is the target"]);
    settings.columns.clear();
    settings.columns.insert("color".to_owned(), typed(ColumnType::Numeric));
    assert_says(&refused(&settings), &["line 2, column \"color\"", "\"red\" is not a number"]);
    let scaled = ColumnConfig { scaling: Some(Scaling::Standard), ..ColumnConfig::default() };
    settings.columns.insert("color".to_owned(), scaled);
    assert_says(&refused(&settings), &["`data.columns.color.scaling`", "categorical"]);
}

#[test]
fn numbers_and_text_side_by_side_are_categories() {
    let rows: String =
        (0..30).map(|i| format!("{},{}\n", ["1", "2", "XL"][i % 3], i % 2)).collect();
    let data = load_text(&format!("size,y\n{rows}"));
    assert_eq!(
        data.preprocessing.columns()[0].encoding,
        Encoding::Categorical {
            categories: ["1", "2", "XL"].map(str::to_owned).to_vec(),
            missing: MissingCategory::None,
        }
    );
}

#[test]
fn the_training_file_reads_back_as_its_own_encoding() {
    let folder = Folder::new();
    let file = folder.file("rows.csv", mixed_rows());
    let mut settings = settings(file.clone(), "y");
    settings.scaling = Scaling::Standard;
    let data = load(&settings).expect("a good file");
    let json = serde_json::to_string(&data.preprocessing).expect("JSON");
    // Exact floats: serde_json must be built with `float_roundtrip`.
    let stored: crate::data::Preprocessing = serde_json::from_str(&json).expect("JSON");
    assert_eq!(stored, data.preprocessing);
    stored.validate().expect("sound");
    assert!(!json.contains("rows.csv"), "no paths: {json}");
    assert_eq!(load_rows(&file, None, &stored).expect("a good file"), data.train);
    let features = load_features(&file, &stored).expect("a good file");
    assert_eq!(features.features, data.train.features);
    assert!(features.targets.is_empty());
    // The columns in another order, one more, and no target.
    let turned: String = mixed_rows()
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let fields: Vec<&str> = line.split(',').collect();
            let more = if i == 0 { "more" } else { "?" };
            format!("{},{more},{},{}\n", fields[2], fields[1], fields[0])
        })
        .collect();
    let turned = folder.file("turned.csv", turned);
    assert_eq!(load_features(&turned, &stored).expect("a good file"), features);
    assert_says(
        &load_rows(&turned, None, &stored).expect_err("no target").to_string(),
        &["turned.csv", "no target column", "y"],
    );
    // No header: by position, with the target and without.
    let bare = mixed_rows().split_once('\n').expect("lines").1.to_owned();
    let without: String = bare
        .lines()
        .map(|line| line.rsplit_once(',').expect("fields").0.to_owned() + "\n")
        .collect();
    for text in [bare, without] {
        let file = folder.file("bare.csv", text);
        assert_eq!(load_features(&file, &stored).expect("a good file"), features);
    }
}

#[test]
fn positions_step_over_a_target_that_is_not_there() {
    let folder = Folder::new();
    let mut settings = settings(folder.file("rows.csv", "5,1,7\n6,2,8\n5,1,9\n"), "1");
    settings.columns.insert("0".to_owned(), typed(ColumnType::Ignore));
    let data = load(&settings).expect("a good file");
    assert_eq!(data.train.features, [7.0, 8.0, 9.0]);
    for text in ["5,1,7\n6,2,8\n", "5,7\n6,8\n", "7\n8\n"] {
        let rows = load_features(&folder.file("new.csv", text), &data.preprocessing);
        assert_eq!(rows.expect(text).features, [7.0, 8.0], "{text}");
    }
    // Classes that are numbers are matched as numbers.
    let file = folder.file("new.csv", "5,1.0,7\n6,02,8\n");
    let rows = load_rows(&file, None, &data.preprocessing).expect("a good file");
    assert_eq!(rows.targets, [0.0, 1.0]);
}

#[test]
fn the_data_sets_that_come_with_the_configs_load() {
    for (name, target, rows, inputs, outputs, task) in [
        ("digits.csv", "label", 1797, 64, 10, Task::Classification),
        ("iris.csv", "species", 150, 4, 3, Task::Classification),
        ("breast_cancer.csv", "diagnosis", 569, 30, 1, Task::Binary),
        ("diabetes.csv", "progression", 442, 10, 1, Task::Regression),
    ] {
        let data = load(&settings(data_folder().join(name), target)).expect(name);
        let fitted = &data.preprocessing;
        assert_eq!((data.train.rows, fitted.inputs(), fitted.outputs()), (rows, inputs, outputs));
        assert_eq!(fitted.task(), task, "{name}");
    }
}
