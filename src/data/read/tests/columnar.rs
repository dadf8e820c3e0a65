//! Parquet and Arrow: the same table written as each.

use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int64Array, ListArray, RecordBatch, StringArray, StringViewArray,
    TimestampMillisecondArray, UInt8Array,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::*;

/// 50 rows of a column for each type that is read.
pub(super) fn table() -> RecordBatch {
    let rows = 50_i64;
    let gap = |row: i64| row % 7 == 3;
    let number = |row: i64| if gap(row) { None } else { Some(row as f64 / 4.0) };
    let text = |row: i64| if gap(row) { None } else { Some(format!(" kind {} ", row % 3)) };
    let texts: Vec<Option<String>> = (0..rows).map(text).collect();
    let dictionary: DictionaryArray<Int8Type> = texts.iter().map(Option::as_deref).collect();
    let decimals = Decimal128Array::from_iter_values((0..rows).map(|row| i128::from(row) * 25));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("whole", Arc::new(Int64Array::from_iter_values(0..rows))),
        ("gaps", Arc::new(Float64Array::from_iter((0..rows).map(number)))),
        ("narrow", Arc::new(Float32Array::from_iter_values((0..rows).map(|row| row as f32 / 8.0)))),
        ("byte", Arc::new(UInt8Array::from_iter_values(0..rows as u8))),
        ("flag", Arc::new(BooleanArray::from_iter((0..rows).map(|row| Some(row % 2 == 0))))),
        ("text", Arc::new(StringArray::from_iter(texts.iter().map(Option::as_deref)))),
        ("view", Arc::new(StringViewArray::from_iter(texts.iter().map(Option::as_deref)))),
        ("coded", Arc::new(dictionary)),
        ("day", Arc::new(Date32Array::from_iter_values(0..rows as i32))),
        ("at", Arc::new(TimestampMillisecondArray::from_iter_values((0..rows).map(|r| 500 * r)))),
        ("price", Arc::new(decimals.with_precision_and_scale(12, 2).expect("fits"))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .expect("a table")
}

pub(super) fn parquet_of(batch: &RecordBatch, compression: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(20))
        .build();
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("one");
    writer.write(batch).expect("rows");
    writer.close().expect("a footer");
    bytes
}

pub(super) fn arrow_file(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).expect("options");
    let mut bytes = Vec::new();
    let mut writer =
        FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options).expect("one");
    writer.write(&batch.slice(0, 30)).expect("rows");
    writer.write(&batch.slice(30, batch.num_rows() - 30)).expect("rows");
    writer.finish().expect("a footer");
    drop(writer);
    bytes
}

pub(super) fn arrow_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).expect("one");
    writer.write(batch).expect("rows");
    writer.finish().expect("an end");
    drop(writer);
    bytes
}

#[test]
fn all_types_are_read_from_each_format() {
    let folder = Folder::new();
    let table = table();
    let files = [
        folder.file("plain.parquet", parquet_of(&table, Compression::UNCOMPRESSED)),
        folder.file("snappy.parquet", parquet_of(&table, Compression::SNAPPY)),
        folder.file("zstd.pq", parquet_of(&table, Compression::ZSTD(ZstdLevel::default()))),
        folder.file("gzip.parquet", parquet_of(&table, Compression::GZIP(GzipLevel::default()))),
        folder.file("lz4.parquet", parquet_of(&table, Compression::LZ4_RAW)),
        folder.file("plain.arrow", arrow_file(&table, None)),
        folder.file("lz4.feather", arrow_file(&table, Some(CompressionType::LZ4_FRAME))),
        folder.file("zstd.ipc", arrow_file(&table, Some(CompressionType::ZSTD))),
        folder.file("stream.arrows", arrow_stream(&table)),
        // The first bytes tell the format, whatever the name says.
        folder.file("misnamed.csv", parquet_of(&table, Compression::SNAPPY)),
    ];
    for file in files {
        let whole = read(&file).expect("good");
        let name = file.display();
        assert!(whole.header);
        assert_eq!(whole.column("whole")[..4], ["0", "1", "2", "3"], "{name}");
        assert_eq!(whole.column("gaps")[..5], ["0", "0.25", "0.5", "", "1"], "{name}");
        assert_eq!(whole.column("narrow")[49], "6.125", "{name}");
        assert_eq!(whole.column("byte")[49], "49", "{name}");
        assert_eq!(whole.column("flag")[..3], ["1", "0", "1"], "{name}");
        for text in ["text", "view", "coded"] {
            assert_eq!(whole.column(text)[2..5], ["kind 2", "", "kind 1"], "{name}");
            assert_eq!(*whole.kind(text), Kind::Unknown, "{name}");
        }
        assert_eq!(whole.column("day")[2], "172800", "{name}");
        assert_eq!(whole.column("at")[3], "1.5", "{name}");
        assert_eq!(whole.column("price")[3], "0.75", "{name}");
        assert_eq!(*whole.kind("flag"), Kind::Boolean, "{name}");
        assert_eq!((whole.kind("day"), whole.kind("at")), (&Kind::Date, &Kind::Date), "{name}");
        assert_eq!(*whole.kind("price"), Kind::Number, "{name}");
        assert!(whole.cells.iter().all(|column| column.len() == 50), "{name}");
        assert_eq!(whole.inexact, [], "{name}");
    }
}

#[test]
fn columns_that_are_not_wanted_are_not_read() {
    let folder = Folder::new();
    for file in [
        folder.file("a.parquet", parquet_of(&table(), Compression::SNAPPY)),
        folder.file("a.arrow", arrow_file(&table(), None)),
        folder.file("a.arrows", arrow_stream(&table())),
    ] {
        let mut reader = open(&file, &[]).expect("good");
        let wanted: Vec<bool> =
            reader.schema().columns.iter().map(|column| column.name == "view").collect();
        let chunk = reader.next_chunk(&wanted).expect("good").expect("rows");
        let kept = chunk.columns.iter().map(|cells| !matches!(cells, Cells::Skipped));
        assert_eq!(kept.collect::<Vec<_>>(), wanted);
        let Cells::Text(texts) = &chunk.columns[6] else { panic!("no text") };
        assert_eq!(texts.iter().nth(2), Some("kind 2"));
    }
}

#[test]
fn nested_columns_have_a_reason() {
    let folder = Folder::new();
    let lists: Vec<Option<Vec<Option<i64>>>> = (0..3).map(|row| Some(vec![Some(row)])).collect();
    let lists: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<arrow_array::types::Int64Type, _, _>(lists));
    let binary: ArrayRef = Arc::new(arrow_array::BinaryArray::from_vec(vec![b"a", b"b", b"c"]));
    let plain: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let table = RecordBatch::try_from_iter([("tags", lists), ("raw", binary), ("x", plain)]);
    let table = table.expect("a table");
    let file = folder.file("a.parquet", parquet_of(&table, Compression::SNAPPY));
    let whole = read(&file).expect("the others are read");
    assert_eq!(*whole.kind("tags"), Kind::Unusable("a list in each row".to_owned()));
    assert!(matches!(whole.kind("raw"), Kind::Unusable(why) if why.contains("bytes")));
    assert_eq!(whole.column("x"), ["1", "2", "3"]);
}

#[test]
fn what_64_bits_cannot_hold_is_told() {
    let folder = Folder::new();
    let decimals = Decimal128Array::from(vec![25, 12_345_678_901_234_567_890]);
    let decimals = decimals.with_precision_and_scale(22, 2).expect("fits");
    let columns: [(&str, ArrayRef); 3] = [
        ("small", Arc::new(Int64Array::from(vec![1, 1 << 53]))),
        ("id", Arc::new(Int64Array::from(vec![9_007_199_254_740_993, 2]))),
        ("amount", Arc::new(decimals)),
    ];
    let table = RecordBatch::try_from_iter(columns).expect("a table");
    let expected = [(1, "9007199254740993".to_owned()), (2, "123456789012345678.90".to_owned())];
    let parquet = folder.file("a.parquet", parquet_of(&table, Compression::SNAPPY));
    assert_eq!(read(&parquet).expect("good").inexact, expected);
    let arrow = folder.file("a.arrows", arrow_stream(&table));
    assert_eq!(read(&arrow).expect("good").inexact, expected);
    // The same numbers as text.
    let csv = folder.file("a.csv", "small,id\n1,9007199254740993\n9007199254740992,2\n");
    assert_eq!(read(&csv).expect("good").inexact, expected[..1]);
}

#[test]
fn a_dictionary_of_nothing_is_all_missing() {
    let folder = Folder::new();
    let none: DictionaryArray<Int8Type> = [None::<&str>; 40].into_iter().collect();
    assert!(none.values().is_empty());
    let table = RecordBatch::try_from_iter([("none", Arc::new(none) as ArrayRef)]).expect("one");
    let whole = read(&folder.file("a.arrow", arrow_file(&table, None))).expect("good");
    assert_eq!(whole.column("none"), [""; 40]);
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let folder = Folder::new();
    let one: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40));
    let table = RecordBatch::try_from_iter([("a", Arc::clone(&one)), ("a", one)]).expect("one");
    let said = refused(&folder.file("a.arrow", arrow_file(&table, None)));
    assert_says(&said, &["a.arrow, column \"a\": two columns have this name", "rename one"]);
    let said = refused(&folder.file("a.parquet", parquet_of(&table, Compression::SNAPPY)));
    assert_says(&said, &["a.parquet, column \"a\": two columns have this name"]);
}

#[test]
fn feather_of_version_1_is_told() {
    let said = refused(&Folder::new().file("a.feather", "FEA1 and so on"));
    assert_says(&said, &["a.feather", "Feather of version 1", "version 2"]);
}
