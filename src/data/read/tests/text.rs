//! CSV and TSV, in blocks that are small here.

use super::*;

#[test]
fn blocks_leave_no_seams() {
    let folder = Folder::new();
    let mut text = "a,b,c\n".to_owned();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for row in 0..5000 {
        let (quoted, told) = match row % 50 {
            7 => ("\"two\nlines, \"\"quoted\"\"\"", "two\nlines, \"quoted\""),
            9 => ("5\" nail", "5\" nail"),
            11 => (" é ", "é"),
            12 => ("", ""),
            _ => ("plain", "plain"),
        };
        text.push_str(&format!("{row},{quoted},x{}\n", "y".repeat(row % 90)));
        if row % 31 == 0 {
            text.push_str(" \r\n");
        }
        a.push(row.to_string());
        b.push(told.to_owned());
    }
    for (name, text) in [("a.csv", text.clone()), ("crlf.csv", text.replace("c\n", "c\r\n"))] {
        let whole = read(&folder.file(name, &text)).expect("good");
        assert_eq!((&whole.cells[0], &whole.cells[1]), (&a, &b), "{name}");
    }
    let zst = zstd::encode_all(text.as_bytes(), 3).expect("compressed");
    assert_eq!(read(&folder.file("a.csv.zst", &zst)).expect("good").cells[1], b);
    assert_says(
        &refused(&folder.file("a.csv.zst", &zst[..zst.len() / 2])),
        &["a.csv.zst", "compressed data is damaged or cut short"],
    );
}

#[test]
fn lines_are_counted_over_blocks() {
    let folder = Folder::new();
    let mut text = "a,b\n".to_owned();
    (0..3000).for_each(|row| text.push_str(if row % 9 == 0 { "1,\"\n\"\n\n" } else { "1,2\n" }));
    let line = text.matches('\n').count() + 1;
    text.push_str("1,2,3\n1,2\n");
    let said = refused(&folder.file("a.csv", &text));
    assert_says(&said, &[&format!("a.csv, line {line}: expected 2 fields, found 3")]);
}

#[test]
fn the_first_of_several_faults_is_told() {
    let folder = Folder::new();
    let good = "1,2\n".repeat(2000);
    let bad = format!("a,b\n{good}1\n{good}1,\"x\n{good}");
    assert_says(&refused(&folder.file("a.csv", bad)), &["line 2002: expected 2 fields, found 1"]);
}

#[test]
fn wide_headers_and_marks_are_no_data() {
    let folder = Folder::new();
    let names: Vec<String> = (0..2000).map(|at| format!("column number {at}")).collect();
    let row: Vec<String> = (0..2000).map(|at| at.to_string()).collect();
    let text = format!("\u{feff}{}\n\n{}\n{}\n", names.join(";"), row.join(";"), row.join(";"));
    let whole = read(&folder.file("a.csv", text)).expect("good");
    assert!(whole.header);
    assert_eq!(whole.columns[0].0, "column number 0");
    assert_eq!(whole.column("column number 1999"), ["1999", "1999"]);
}
