//! Several files read as one.

use super::*;

#[test]
fn files_of_a_pattern_are_read_in_the_order_of_their_names() {
    let folder = Folder::new();
    folder.file("part-2.csv", "b,a\n20,2\n");
    folder.file("part-1.csv", "a,b\n1,10\n");
    folder.file("part-3.tsv", "a\tb\n3\t30\n");
    folder.file("other.csv", "c\n1\n");
    let whole = read(&folder.path("part-*")).expect("good");
    assert_eq!(whole.column("a"), ["1", "2", "3"]);
    assert_eq!(whole.column("b"), ["10", "20", "30"]);
    // A file whose name looks like a pattern is itself.
    let odd = folder.file("part-[1].csv", "a,b\n7,70\n");
    assert_eq!(read(&odd).expect("good").column("a"), ["7"]);
}

#[test]
fn errors_name_the_file_that_they_are_in() {
    let folder = Folder::new();
    folder.file("part-1.csv", "a,b\n1,10\n");
    folder.file("part-2.csv", "a,b\n2,20\n3\n");
    assert_says(&refused(&folder.path("part-*.csv")), &["part-2.csv, line 3: expected 2 fields"]);
}

#[test]
fn files_whose_columns_differ_are_refused() {
    let folder = Folder::new();
    let first = folder.file("part-1.csv", "a,b\n1,10\n");
    let same = "files that are read as one have the same columns";
    for (second, parts) in [
        ("a,c\n1,10\n", ["part-2.csv: no column \"b\", which", "part-1.csv"]),
        ("a,b,c\n1,10,3\n", ["part-2.csv, column \"c\":", "part-1.csv has no such column"]),
        ("a\n1\n", ["part-2.csv: no column \"b\"", "part-1.csv"]),
        ("1,10\n2,20\n", ["part-2.csv: it has no header, and", "part-1.csv has one"]),
    ] {
        folder.file("part-2.csv", second);
        let said = refused(&folder.path("part-*.csv"));
        assert_says(&said, &parts);
        assert_says(&said, &[same]);
    }
    std::fs::remove_file(first).expect("remove");
    folder.file("part-1.csv", "1,2\n3,4\n");
    folder.file("part-2.csv", "1,2,3\n3,4,5\n");
    let said = refused(&folder.path("part-*.csv"));
    assert_says(&said, &["part-2.csv: expected 2 columns as in", "found 3"]);
}

#[test]
fn columns_of_another_type_are_refused() {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::basic::Compression;

    let folder = Folder::new();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["1", "2"]));
    for (name, column) in [("part-1.parquet", numbers), ("part-2.parquet", texts)] {
        let table = RecordBatch::try_from_iter([("a", column)]).expect("one");
        folder.file(name, super::columnar::parquet_of(&table, Compression::SNAPPY));
    }
    let said = refused(&folder.path("*.parquet"));
    assert_says(&said, &["part-2.parquet, column \"a\": the column holds text, and in", "numbers"]);
}

#[test]
fn a_pattern_that_nothing_fits_is_refused() {
    let folder = Folder::new();
    let said = refused(&folder.path("part-*.csv"));
    assert_says(&said, &["part-*.csv: no file fits this pattern", "see what is in"]);
    assert_says(&refused(&folder.path("part-[.csv")), &["not a pattern of file names"]);
}
