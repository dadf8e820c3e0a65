//! Files that cannot be used: each has its message, and none a panic.

use super::*;
use crate::data::Encoding;
use crate::data::{MissingCategory, MissingNumber, Scale, Scaler};

fn rows_with(line: &str) -> Vec<u8> {
    let mut text = "a,b,y\n".to_owned();
    (0..39).for_each(|i| text.push_str(&format!("{i},{},{}\n", i % 5, ["no", "yes"][i % 2])));
    text.push_str(line);
    text.into_bytes()
}

#[test]
fn bad_cells_are_named_by_line_and_column() {
    let place = "rows.csv, line 41, column \"b\": ";
    for (line, parts) in [
        ("1,one,no\n", ["\"one\" is not a number", "data.columns.b.type"]),
        ("1,-inf,no\n", ["\"-inf\" is not a finite", "numbers must lie"]),
        ("1,1e39,no\n", ["\"1e39\" is not a finite", "numbers must lie"]),
        ("1,\0,no\n", ["NUL", "UTF-8"]),
    ] {
        let said = refused_file("rows.csv", rows_with(line));
        assert_says(&said, &[place]);
        assert_says(&said, &parts);
    }
    for (line, parts) in [
        ("1,,no\n", ["missing value (an empty field)", "data.columns.b.type = \"ignore\""]),
        ("1, NA ,no\n", ["missing value (\"NA\")", "remove the rows"]),
        ("1,nan,no\n", ["missing value (\"nan\")", "remove the rows"]),
        ("1,?,no\n", ["missing value (\"?\")", "remove the rows"]),
    ] {
        let folder = Folder::new();
        let mut settings = settings(folder.file("rows.csv", rows_with(line)), "y");
        load(&settings).expect("missing values are filled");
        settings.missing = Missing::Error;
        let said = refused(&settings);
        assert_says(&said, &[place]);
        assert_says(&said, &parts);
    }
    let mut latin = rows_with("1,");
    latin.extend(b"\xe9,no\n");
    assert_says(&refused_file("rows.csv", latin), &[place, "not UTF-8"]);
    assert_says(
        &refused_file("rows.csv", rows_with("1,2,\n")),
        &["line 41, column \"y\"", "missing"],
    );
    // Two halves of one character in two fields are not text, though they are side by side.
    let mut halves = rows_with("1,");
    halves.extend(b"\xc3,\xa9\n");
    assert_says(&refused_file("rows.csv", halves), &[place, "not UTF-8"]);
}

#[test]
fn lines_are_counted_whatever_ends_them() {
    let text = String::from_utf8(rows_with("1,one,no\n")).expect("text");
    let crlf = text.replace('\n', "\r\n");
    assert_says(&refused_file("rows.csv", crlf), &["line 41,"]);
    assert_says(&refused_file("rows.csv", text.trim_end()), &["line 41,"]);
    let blank = text.replacen("\n", "\n\n\r\n", 1);
    assert_says(&refused_file("rows.csv", blank), &["line 43,"]);
    let long = text.replacen("\n0,0,no", "\n0,0,\"no\"\n1,1,\" \nno\"", 1);
    assert_says(&refused_file("rows.csv", long), &["line 43,"]);
}

#[test]
fn ragged_and_empty_files_are_refused() {
    let said = refused_file("rows.csv", rows_with("1,2\n"));
    assert_says(&said, &["rows.csv, line 41: expected 3 fields, found 2"]);
    assert_says(&refused_file("rows.csv", rows_with("1,2,3,4")), &["line 41", "3 fields, found 4"]);
    let open = refused_file("rows.csv", rows_with("1,\"2,no\n3,4,no\n"));
    assert_says(&open, &["line 41", "quote left open"]);
    assert_says(&refused_file("rows.csv", ""), &["rows.csv: the file is empty"]);
    assert_says(&refused_file("rows.csv", "\n\r\n\n"), &["empty"]);
    assert_says(&refused_file("rows.csv", "a,b,y\n"), &["there are no rows"]);
    let twice = refused_file("rows.csv", "a,b,a,y\n1,2,3,no\n");
    assert_says(&twice, &["line 1, column \"a\"", "number 1 and number 3"]);
    assert_says(&refused_file("rows.csv", "y\n1\n2\n"), &["no input column"]);
}

#[test]
fn compressed_files_that_lie_are_refused() {
    let packed = gzip(&rows_with(""));
    let cut = &packed[..packed.len() / 2];
    assert_says(&refused_file("rows.csv.gz", cut), &["rows.csv.gz", "compressed", "damaged"]);
    assert_says(&refused_file("rows.csv.gz", [0x1f, 0x8b, 1, 2]), &["damaged"]);
    // A record without end: much of one letter out of a small file. (Tests have a lower limit.)
    let bomb = gzip(&vec![b'x'; 4 << 20]);
    assert_says(&refused_file("rows.csv.gz", bomb), &["line 1", "more than 1 MiB"]);
    // Many records may well be longer than one.
    let many = "1,2,no\n3,4,yes\n".repeat(200_000);
    assert_eq!(load_text(&format!("a,b,y\n{many}")).train.rows, 400_000);
}

#[test]
fn other_formats_are_told_apart() {
    for (name, format) in [("a.parquet", "Parquet"), ("a.npz", "NPZ"), ("a.arrow", "Arrow")] {
        let said = refused_file(name, "x,y\n1,2\n");
        assert_says(&said, &[name, &format!("not {format}, as its name says, but text")]);
    }
    assert_says(&refused_file("a.npy", "x,y\n1,2\n3,4\n"), &["a.npy", "NPY"]);
    let said = refused_file("a.xlsx", "x");
    assert_says(&said, &["unknown kind of file: .xlsx", ".csv, .tsv", "IDX", ".parquet"]);
    assert_says(&refused_file("a", "x"), &["no extension"]);
    let folder = Folder::new();
    let absent = load(&settings(folder.file("a.csv", "").with_file_name("b.csv"), "y"));
    assert_eq!(absent.expect_err("no such file").exit_code(), 1);
}

#[test]
fn a_target_that_is_not_there_is_refused() {
    let folder = Folder::new();
    let file = folder.file("rows.csv", "Label,b\nno,1\nyes,2\n");
    let said = refused(&settings(file.clone(), "label"));
    assert_says(&said, &["`data.target`", "rows.csv", "no column \"label\""]);
    assert_says(&said, &["did you mean \"Label\"", "Label, b"]);
    let mut beyond = settings(file, "");
    beyond.target = vec![ColumnReference::Index(2)];
    assert_says(&refused(&beyond), &["no column 2", "it has 2"]);
    let text = folder.file("text.csv", "color,kind\nred,no\nblue,yes\n");
    assert_says(&refused(&settings(text, "kinds")), &["no header", "color, kind"]);
}

#[test]
fn columns_of_too_many_categories_are_refused() {
    let names: String = (0..30).map(|i| format!("name{i},{}\n", i % 2)).collect();
    let said = refused_file("rows.csv", format!("who,y\n{names}"));
    assert_says(&said, &["column \"who\"", "30, one in each row", "data.columns.who.type"]);
    // A slip in the first row of a numeric column is a slip still.
    let numbers: String = (0..2000).map(|i| format!("{i}.5,{}\n", i % 2)).collect();
    let said = refused_file("rows.csv", format!("who,y\nx,0\n{numbers}"));
    assert_says(&said, &["line 2, column \"who\"", "\"x\" is not a number"]);
}

#[test]
fn new_files_must_fit_the_model() {
    let folder = Folder::new();
    let fitted = load(&settings(folder.file("rows.csv", mixed_rows()), "y")).expect("good");
    let fitted = fitted.preprocessing;
    let features = |text: &str| {
        let file = folder.file("new.csv", text);
        load_features(&file, &fitted).expect_err("a bad file").to_string()
    };
    assert_says(&features("a,colour,b\n1,red,2\n"), &["no column \"color\"", "\"colour\""]);
    // What training did not see, and what is missing, is told and taken.
    let file = folder.file("new.csv", "a,color,b\n1,red,2\n1,pink,\n");
    let taken = crate::data::load_features(&file, &fitted).expect("a good file");
    assert_eq!(taken.rows.rows, 2);
    assert_says(&taken.notes.join("; "), &["color", "b (1)"]);
    assert_says(&features("a,color,b\n1,red,two\n"), &["line 2, column \"b\"", "\"two\""]);
    assert_says(&features("1,red\n"), &["expected 4 columns", "3 without the target", "found 2"]);
    assert_says(&features("a,color,b\n"), &["no rows"]);
    let file = folder.file("new.csv", "a,color,b,y\n1,red,2,huge\n");
    let said = load_rows(&file, None, &fitted).expect_err("a new class").to_string();
    assert_says(&said, &["line 2, column \"y\"", "no class \"huge\"", "high, low, mid"]);
}

#[test]
fn damaged_preprocessing_is_refused() {
    let good = load_text(&mixed_rows()).preprocessing;
    good.validate().expect("sound");
    type Harm = fn(&mut Preprocessing);
    let harms: [(Harm, &str); 9] = [
        (|p| p.inputs.clear(), "no input columns"),
        (|p| p.inputs[0].index = 9, "beyond"),
        (|p| p.inputs[0].index = 3, "taken"),
        (|p| p.inputs[0].name = "b".to_owned(), "named \"b\""),
        (|p| set_scale(p, 0.0), "unusable scaling"),
        (|p| set_scale(p, f64::NAN), "unusable scaling"),
        (
            |p| {
                p.inputs[1].encoding =
                    Encoding::Categorical { categories: vec![], missing: MissingCategory::None }
            },
            "no categories",
        ),
        (|p| p.task = crate::config::data::Task::Binary, "3 classes"),
        (|p| p.task = crate::config::data::Task::Regression, "does not fit"),
    ];
    for (harm, says) in harms {
        let mut bad = good.clone();
        harm(&mut bad);
        assert_says(&bad.validate().expect_err(says).to_string(), &[says]);
    }
    let mut json = serde_json::to_value(&good).expect("JSON");
    json["extra"] = 1.into();
    assert!(serde_json::from_value::<Preprocessing>(json).is_err());
}

fn set_scale(preprocessing: &mut Preprocessing, scale: f64) {
    preprocessing.inputs[0].encoding = Encoding::Numeric {
        scaler: Scaler::Affine(Scale { shift: 0.0, scale }),
        missing: MissingNumber::Error,
    };
}
