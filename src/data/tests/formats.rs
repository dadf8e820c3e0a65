//! The same table in every format gives the same model and the same rows.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};

use super::*;
use crate::data::{load_features, load_rows};

const ROWS: i64 = 90;

fn age(row: i64) -> Option<f64> {
    (row % 11 != 4).then(|| (row * 37 % 50) as f64 / 4.0)
}

fn city(row: i64) -> Option<&'static str> {
    [Some("Bonn"), Some("Köln, am Rhein"), None][(row % 3) as usize]
}

fn member(row: i64) -> bool {
    row * 7 % 5 < 2
}

fn kind(row: i64) -> &'static str {
    if row % 4 < 2 { "good" } else { "bad" }
}

fn csv(delimiter: &str) -> String {
    let mut text = ["age", "city", "member", "count", "y"].join(delimiter) + "\n";
    for row in 0..ROWS {
        let age = age(row).map(|age| age.to_string()).unwrap_or_default();
        let city = city(row).map(|city| format!("\"{city}\"")).unwrap_or_default();
        let (member, count) = (member(row).to_string(), (row * row % 23).to_string());
        text += &[age, city, member, count, kind(row).to_owned()].join(delimiter);
        text += "\n";
    }
    text
}

fn table() -> RecordBatch {
    let columns: [(&str, ArrayRef); 5] = [
        ("age", Arc::new(Float64Array::from_iter((0..ROWS).map(age)))),
        ("city", Arc::new(StringArray::from_iter((0..ROWS).map(city)))),
        ("member", Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| Some(member(row)))))),
        ("count", Arc::new(Int64Array::from_iter_values((0..ROWS).map(|row| row * row % 23)))),
        ("y", Arc::new(StringArray::from_iter_values((0..ROWS).map(kind)))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("a table")
}

fn parquet_of(table: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, table.schema(), None);
    let mut writer = writer.expect("a writer");
    writer.write(table).expect("rows");
    writer.close().expect("a footer");
    bytes
}

fn arrow_of(table: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = arrow_ipc::writer::FileWriter::try_new(&mut bytes, &table.schema());
    let mut writer = writer.expect("a writer");
    writer.write(table).expect("rows");
    writer.finish().expect("a footer");
    drop(writer);
    bytes
}

/// An array of 32-bit floats as NumPy saves it, `[rows, width]`, or `[rows]` for a width of 0.
fn npy(width: usize, values: &[f32]) -> Vec<u8> {
    let rows = values.len() / width.max(1);
    let shape = if width == 0 { format!("({rows},)") } else { format!("({rows}, {width})") };
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).expect("short").to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[test]
fn a_table_is_the_same_in_every_format() {
    let folder = Folder::new();
    let table = table();
    let text = csv(",");
    let (half, header) = (text.lines().count() / 2, "age,city,member,count,y\n");
    let lines: Vec<&str> = text.lines().collect();
    folder.file("part-1.csv", lines[..half].join("\n"));
    folder.file("part-2.csv", header.to_owned() + &lines[half..].join("\n"));
    let load_it = |file: PathBuf| {
        let mut settings = settings(file, "y");
        settings.validation = Portion::Share(0.2);
        load(&settings).expect("a good file")
    };
    let of_text = load_it(folder.file("rows.csv", &text));
    let zst = zstd::encode_all(text.as_bytes(), 3).expect("compressed");
    for file in [
        folder.file("rows.csv.gz", gzip(text.as_bytes())),
        folder.file("rows.csv.zst", zst),
        folder.file("rows.tsv", csv("\t")),
        folder.file("semicolons.csv", csv(";")),
        folder.file("rows.parquet", parquet_of(&table)),
        folder.file("rows.feather", arrow_of(&table)),
        folder.file("x", "").with_file_name("part-*.csv"),
    ] {
        let name = file.display().to_string();
        let loaded = load_it(file.clone());
        assert_eq!(loaded.train, of_text.train, "{name}");
        assert_eq!(loaded.validation, of_text.validation, "{name}");
        assert_eq!(loaded.preprocessing, of_text.preprocessing, "{name}");
        assert_eq!(loaded.hash, of_text.hash, "{name}");
        // And rows to predict, encoded by a model that was fitted to the text.
        let rows = load_rows(&file, None, &of_text.preprocessing).expect("fits");
        let expected = load_rows(&folder.file("rows.csv", &text), None, &of_text.preprocessing);
        assert_eq!(rows, expected.expect("fits"), "{name}");
    }
}

#[test]
fn arrays_take_labels_from_any_format() {
    let folder = Folder::new();
    let values: Vec<f32> = (0..180).map(|at| (at * 13 % 29) as f32).collect();
    let classes: Vec<f32> = (0..60).map(|row| (row % 3) as f32).collect();
    let x = folder.file("x.npy", npy(3, &values));
    let as_text: String = classes.iter().map(|class| format!("{class}\n")).collect();
    let mut idx = vec![0, 0, 8, 1, 0, 0, 0, 60];
    idx.extend(classes.iter().map(|class| *class as u8));
    let load_with = |labels: PathBuf| {
        let mut settings = settings(x.clone(), "");
        settings.labels = Some(labels);
        load(&settings).expect("good")
    };
    let first = load_with(folder.file("y.npy", npy(0, &classes)));
    assert_eq!((first.train.rows, first.preprocessing.inputs()), (60, 3));
    assert_eq!(first.preprocessing.classes(), ["0", "1", "2"]);
    for labels in [
        folder.file("y.csv", &as_text),
        folder.file("named.csv", format!("class\n{as_text}")),
        folder.file("y-ubyte", idx),
    ] {
        let other = load_with(labels.clone());
        assert_eq!(other.hash, first.hash, "{}", labels.display());
        let rows = load_rows(&x, Some(&labels), &first.preprocessing).expect("fits");
        assert_eq!(rows.rows.targets, first.train.targets, "{}", labels.display());
    }
    let mut short = settings(x.clone(), "");
    short.labels = Some(folder.file("short.csv", "1\n2\n"));
    assert_says(&refused(&short), &["short.csv", "2 labels, but", "x.npy has 60 rows"]);
    short.labels = Some(folder.file("wide.csv", "a,b\n1,2\n"));
    assert_says(&refused(&short), &["wide.csv", "expected labels, 1 value a row; found 2"]);
    // Or a column of the array, by its index.
    let mut own = settings(x, "");
    own.target = vec![ColumnReference::Index(1)];
    assert_eq!(load(&own).expect("good").preprocessing.inputs(), 2);
}

#[test]
fn nested_columns_are_ignored_or_refused() {
    let folder = Folder::new();
    let lists = (0..ROWS).map(|row| Some(vec![Some(row)]));
    let lists: ArrayRef = Arc::new(arrow_array::ListArray::from_iter_primitive::<
        arrow_array::types::Int64Type,
        _,
        _,
    >(lists));
    let x: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let y: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(kind)));
    let table = RecordBatch::try_from_iter([("tags", lists), ("x", x), ("y", y)]);
    let file = folder.file("rows.parquet", parquet_of(&table.expect("a table")));
    let mut of_file = settings(file.clone(), "y");
    assert_says(
        &refused(&of_file),
        &[
            "rows.parquet",
            "column \"tags\"",
            "a list in each row",
            "data.columns.tags.type = \"ignore\"",
        ],
    );
    of_file.columns.insert("tags".to_owned(), typed(ColumnType::Ignore));
    let loaded = load(&of_file).expect("the rest is good");
    assert_eq!(loaded.preprocessing.inputs(), 1);
    load_features(&file, &loaded.preprocessing).expect("what is ignored is not read");
}

#[test]
fn numbers_that_are_rounded_are_noted() {
    let folder = Folder::new();
    let rows: String =
        (0..40).map(|row| format!("{},{}\n", 9_007_199_254_740_993_i64 + row, row % 2)).collect();
    let loaded = load(&settings(folder.file("rows.csv", format!("id,y\n{rows}")), "y"));
    let notes = loaded.expect("good").notes.join("\n");
    assert_says(&notes, &["column \"id\"", "9007199254740993", "rounded"]);
}
