//! NPY and NPZ, written here byte by byte.

use std::io::Write;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

/// An array as NumPy saves it.
fn npy(descr: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let descr = if descr.starts_with('[') { descr.to_owned() } else { format!("'{descr}'") };
    let mut header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).expect("short").to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

fn of<const N: usize, T: Copy>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| bytes(*value)).collect()
}

fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(format!("{name}.npy"), options).expect("an entry");
        writer.write_all(bytes).expect("its bytes");
    }
    writer.finish().expect("an archive").into_inner()
}

#[test]
fn arrays_of_every_type_are_read() {
    let folder = Folder::new();
    let halves = [1.5_f32, -2.0, 0.25].map(half::f16::from_f32);
    for (descr, values, expected) in [
        ("|u1", vec![1, 2, 255], ["1", "2", "255"]),
        ("|i1", vec![1, 2, 255], ["1", "2", "-1"]),
        ("|b1", vec![1, 0, 1], ["1", "0", "1"]),
        ("<u2", of(&[1_u16, 2, 65_535], u16::to_le_bytes), ["1", "2", "65535"]),
        (">i2", of(&[1_i16, -2, 300], i16::to_be_bytes), ["1", "-2", "300"]),
        ("<i4", of(&[1_i32, -2, 16_777_217], i32::to_le_bytes), ["1", "-2", "16777217"]),
        (">u4", of(&[1_u32, 2, u32::MAX], u32::to_be_bytes), ["1", "2", "4294967295"]),
        ("<i8", of(&[1_i64, -2, 3], i64::to_le_bytes), ["1", "-2", "3"]),
        (">f2", of(&halves, half::f16::to_be_bytes), ["1.5", "-2", "0.25"]),
        ("<f2", of(&halves, half::f16::to_le_bytes), ["1.5", "-2", "0.25"]),
        ("<f4", of(&[1.5_f32, f32::NAN, 0.25], f32::to_le_bytes), ["1.5", "", "0.25"]),
        (">f8", of(&[0.1_f64, -2.0, 1e300], f64::to_be_bytes), ["0.1", "-2", "1e300"]),
        ("|S3", b"abca\0\0xy\0".to_vec(), ["abc", "a", "xy"]),
        (
            "<U2",
            of(&['é', '\0', 'a', 'b', 'c', '\0'].map(u32::from), u32::to_le_bytes),
            ["é", "ab", "c"],
        ),
        ("<M8[D]", of(&[0_i64, 1, i64::MIN], i64::to_le_bytes), ["0", "86400", ""]),
        ("<M8[ms]", of(&[0_i64, 1500, -500], i64::to_le_bytes), ["0", "1.5", "-0.5"]),
    ] {
        let whole = read(&folder.file("a.npy", npy(descr, false, "(3,)", &values))).expect(descr);
        let expected: Vec<String> = if descr == ">f8" {
            ["0.1".to_owned(), "-2".to_owned(), 1e300.to_string()].into()
        } else {
            expected.map(str::to_owned).into()
        };
        assert_eq!(whole.cells, [expected], "{descr}");
        assert_eq!((whole.header, whole.rows), (false, Some(3)), "{descr}");
        let kind = match descr {
            "|b1" => Kind::Boolean,
            "|S3" | "<U2" => Kind::Unknown,
            "<M8[D]" | "<M8[ms]" => Kind::Date,
            _ => Kind::Number,
        };
        assert_eq!(whole.columns, [("0".to_owned(), kind)], "{descr}");
    }
}

#[test]
fn either_order_gives_the_same_rows() {
    let folder = Folder::new();
    // value(row, i, j) = 100 row + 10 i + j, of shape 3 x 2 x 4.
    let value = |row: usize, i: usize, j: usize| (100 * row + 10 * i + j) as f32;
    let (mut c, mut fortran) = (Vec::new(), Vec::new());
    for row in 0..3 {
        (0..2).for_each(|i| (0..4).for_each(|j| c.push(value(row, i, j))));
    }
    for j in 0..4 {
        (0..2).for_each(|i| (0..3).for_each(|row| fortran.push(value(row, i, j))));
    }
    let bytes = |values: &[f32]| of(values, f32::to_le_bytes);
    let c = read(&folder.file("c.npy", npy("<f4", false, "(3, 2, 4)", &bytes(&c)))).expect("C");
    let f = npy("<f4", true, "(3, 2, 4)", &bytes(&fortran));
    let f = read(&folder.file("f.npy", f)).expect("Fortran");
    assert_eq!(c, f);
    assert_eq!(c.column("6"), ["12", "112", "212"]);
}

#[test]
fn many_rows_come_in_pieces_without_a_seam() {
    let folder = Folder::new();
    let rows = 3 * super::super::CHUNK_ROWS + 5;
    let values: Vec<u32> = (0..2 * rows as u32).collect();
    let bytes = of(&values, u32::to_le_bytes);
    let file = folder.file("a.npy", npy("<u4", false, &format!("({rows}, 2)"), &bytes));
    let whole = read(&file).expect("good");
    let expected: Vec<String> = (0..rows).map(|row| (2 * row + 1).to_string()).collect();
    assert_eq!(whole.cells[1], expected);
}

#[test]
fn archives_are_tables_of_their_arrays() {
    let folder = Folder::new();
    let x = npy("<f4", false, "(2, 2)", &of(&[1.0_f32, 2.0, 3.0, 4.0], f32::to_le_bytes));
    let y = npy("|u1", false, "(2,)", &[7, 8]);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let both = npz(&[("X", x.clone()), ("y", y.clone())], method);
        let whole = read(&folder.file("both.npz", both)).expect("good");
        assert!(whole.header);
        let names: Vec<&str> = whole.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["X_0", "X_1", "y"]);
        assert_eq!((whole.column("X_1"), whole.column("y")), (vec!["2", "4"], vec!["7", "8"]));
        // One array alone is what its own file would be.
        let alone = read(&folder.file("x.npz", npz(&[("X", x.clone())], method))).expect("good");
        assert_eq!(alone, read(&folder.file("x.npy", &x)).expect("good"));
    }
}

#[test]
fn integers_that_are_rounded_are_told() {
    let folder = Folder::new();
    let exact = (1_i64 << 53) + 1;
    let values = of(&[1_i64, -exact, 5, exact + 2], i64::to_le_bytes);
    let whole = read(&folder.file("a.npy", npy("<i8", false, "(4,)", &values))).expect("good");
    assert_eq!(whole.inexact, [(0, "-9007199254740993".to_owned())]);
    let values = of(&[1_u64, u64::MAX], u64::to_le_bytes);
    let whole = read(&folder.file("a.npy", npy("<u8", false, "(2,)", &values))).expect("good");
    assert_eq!(whole.inexact, [(0, "18446744073709551615".to_owned())]);
}

#[test]
fn arrays_that_cannot_be_used_are_refused() {
    let folder = Folder::new();
    let four = of(&[1.0_f32; 4], f32::to_le_bytes);
    for (name, bytes, parts) in [
        ("objects", npy("|O", false, "(2,)", b"\x80\x04K\x01."), ["Python objects", "astype"]),
        ("short", npy("<f4", false, "(5, 1)", &four), ["5 x 1 values of 4 bytes, 20 in all", "16"]),
        ("long", npy("<f4", false, "(3,)", &four), ["12 in all, and 16", "is the file complete?"]),
        ("huge", npy("<f4", false, "(99999999999999999, 9)", &four), ["99999999999999999", "16"]),
        (
            "overflow",
            npy("<f4", false, "(9, 9999999999999, 9999999999999)", &four),
            ["shape", "1 to"],
        ),
        ("none", npy("<f4", false, "(0, 4)", &[]), ["there are no rows", "0 x 4"]),
        ("single", npy("<f4", false, "()", &four[..4]), ["a single value", "single.npy"]),
        ("complex", npy("<c8", false, "(2,)", &four), ["an array of type", "integers, floats"]),
        ("months", npy("<M8[M]", false, "(2,)", &four), ["an array of type", "in days"]),
        (
            "records",
            npy("[('a', '<f4'), ('b', '<f4')]", false, "(2,)", &four),
            ["records of several fields", "Parquet or CSV"],
        ),
        ("cut", npy("<f4", false, "(4,)", &four)[..40].to_vec(), ["cut.npy", "within its header"]),
        (
            "magic",
            b"not an array, but text".to_vec(),
            ["magic.npy", "not NPY, as its name says, but text"],
        ),
        ("latin", npy("|S2", false, "(1,)", b"a\xe9"), ["row 0", "not Unicode"]),
    ] {
        let said = refused(&folder.file(&format!("{name}.npy"), bytes));
        assert_says(&said, &parts);
    }
}

#[test]
fn headers_that_lie_cost_nothing() {
    let folder = Folder::new();
    let mut long = b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec();
    long.extend([b' '; 100]);
    assert_says(&refused(&folder.file("a.npy", &long)), &["claims 4294967295 bytes"]);
    // One call deeper for each bracket would end in a stack too small.
    let nested = format!("({})", "(".repeat(60_000));
    assert_says(&refused(&folder.file("a.npy", npy("<f4", false, &nested, &[]))), &["its header"]);
}

#[test]
fn archives_that_cannot_be_used_are_refused() {
    let folder = Folder::new();
    let two = npy("|u1", false, "(2,)", &[7, 8]);
    let three = npy("|u1", false, "(3,)", &[7, 8, 9]);
    let stored = CompressionMethod::Stored;
    let differ = npz(&[("train", three), ("y", two.clone())], stored);
    assert_says(
        &refused(&folder.file("a.npz", &differ)),
        &["\"train\" has 3 rows and \"y\" has 2", "one length"],
    );
    assert_says(&refused(&folder.file("a.npz", &differ[..100])), &["a.npz", "not readable as NPZ"]);
    assert_says(&refused(&folder.file("a.npz", npz(&[], stored))), &["no array", "numpy.savez"]);
    let objects = npz(&[("names", npy("|O", false, "(2,)", b"."))], stored);
    assert_says(&refused(&folder.file("a.npz", objects)), &["\"names\"", "Python objects"]);
    // An entry that holds more than its directory claims is cut; one that claims more than it holds costs
    // no more than what comes.
    let lies = |claimed: u32| {
        let mut lies = npz(&[("y", two.clone())], CompressionMethod::Deflated);
        let directory = lies.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").expect("one");
        lies[directory + 24..directory + 28].copy_from_slice(&claimed.to_le_bytes());
        folder.file("a.npz", lies)
    };
    assert_says(&refused(&lies(40)), &["a.npz", "within its header"]);
    assert_eq!(read(&lies(4_000_000_000)).expect("all is there").cells, [["7", "8"]]);
}
