//! Embedded columns: which there are, their codes, and what has none.

use super::*;
use crate::config::data::ColumnMissing;
use crate::data::encoding::embedding_size;
use crate::data::{Encoding, MissingCategory, load_features as encode};
use crate::network::EmbeddingShape;

/// Rows of `x`, `who` and `y`; `who` has so many categories, `c000` and so on, two rows each and more, in
/// an order that is not theirs.
fn rows_of(categories: usize) -> String {
    let row = |i: usize| {
        let who = (i * 7 + 3) % categories;
        format!("{i},c{who:03},{}\n", ["no", "yes"][i % 2])
    };
    // 7 must share no factor with the number of categories.
    assert!(!categories.is_multiple_of(7));
    format!("x,who,y\n{}", (0..3 * categories).map(row).collect::<String>())
}

fn settings_of(folder: &Folder, text: &str) -> DataSettings {
    settings(folder.file("rows.csv", text), "y")
}

fn column(settings: &mut DataSettings, encoding: CategoryEncoding, size: Option<usize>) {
    let config =
        ColumnConfig { encoding: Some(encoding), embedding_size: size, ..ColumnConfig::default() };
    settings.columns.insert("who".to_owned(), config);
}

#[test]
fn many_categories_are_embedded_and_few_are_not() {
    let folder = Folder::new();
    for (categories, width, size) in [(20, 21, None), (22, 2, Some(9)), (60, 2, Some(16))] {
        let data = load(&settings_of(&folder, &rows_of(categories))).expect("a good file");
        assert_eq!(data.preprocessing.inputs(), width, "{categories}");
        let shapes = data.preprocessing.embeddings();
        let expected = size.map(|size| EmbeddingShape { column: 1, categories, size });
        assert_eq!(shapes, expected.into_iter().collect::<Vec<_>>());
        assert_eq!(data.train.features.len(), 3 * categories * width);
        if size.is_some() {
            let codes = data.train.features.chunks_exact(2).map(|row| row[1]);
            let all: std::collections::BTreeSet<usize> = codes.map(|code| code as usize).collect();
            assert!(all.into_iter().eq(0..categories), "{categories}");
            let told = format!(
                "embedded, with their categories and the size of a vector: who \
                                ({categories} by {})",
                size.unwrap_or_default()
            );
            assert!(data.notes.contains(&told), "{:?}", data.notes);
        }
    }
}

#[test]
fn a_code_is_the_place_of_a_category_in_their_order() {
    let folder = Folder::new();
    let mut settings = settings_of(&folder, &rows_of(60));
    settings.shuffle = false;
    let data = load(&settings).expect("a good file");
    for (row, own) in data.train.features.chunks_exact(2).enumerate() {
        assert_eq!(own, [row as f32, ((row * 7 + 3) % 60) as f32]);
    }
    // As numbers, where all are numbers: 9 comes before 10, and 09.0 is 9.
    let rows: String = (0..90).map(|i| format!("{},{}\n", i % 30, i % 2)).collect();
    let file = folder.file("numbers.csv", format!("who,y\n{rows}"));
    let mut numbers = super::settings(file, "y");
    numbers.shuffle = false;
    numbers.columns.insert("who".to_owned(), typed(ColumnType::Categorical));
    let data = load(&numbers).expect("a good file");
    assert!(data.train.features.iter().enumerate().all(|(row, code)| *code == (row % 30) as f32));
    let new = folder.file("new.csv", "who\n09.0\n10\n30\n");
    let new = encode(&new, &data.preprocessing).expect("rows").rows.features;
    assert_eq!(new, [9.0, 10.0, -1.0]);
}

/// A table whose `who` lacks a value in every tenth row.
fn rows_with_gaps() -> String {
    let row = |i: usize| {
        let who = if i % 10 == 4 { String::new() } else { format!("c{:03}", i % 25) };
        format!("{i},{who},{}\n", i % 2)
    };
    format!("x,who,y\n{}", (0..100).map(row).collect::<String>())
}

#[test]
fn a_missing_cell_and_an_unseen_category_have_codes_of_their_own() {
    let folder = Folder::new();
    let file = folder.file("new.csv", "x,who\n1,c007\n2,\n3,Nobody\n4,NA\n");
    let codes = |settings: &DataSettings| -> Vec<f32> {
        let fitted = load(settings).expect("a good file").preprocessing;
        fitted.validate().expect("sound");
        let rows = encode(&file, &fitted).expect("rows").rows.features;
        rows.chunks_exact(2).map(|row| row[1]).collect()
    };
    // Those of training lack some: they are a category of their own, after the others.
    let mut gaps = settings_of(&folder, &rows_with_gaps());
    assert_eq!(codes(&gaps), [7.0, 25.0, -1.0, 25.0]);
    let data = load(&gaps).expect("a good file");
    let shape = EmbeddingShape { column: 1, categories: 26, size: embedding_size(26) };
    assert_eq!(data.preprocessing.embeddings(), [shape]);
    let missing = data.train.features.chunks_exact(2).filter(|row| row[1] == 25.0).count();
    assert_eq!(missing, 10);
    // By the user's word another one, which may be new.
    let stated = |value: &str| ColumnConfig {
        missing: Some(ColumnMissing::Value(value.to_owned())),
        ..ColumnConfig::default()
    };
    gaps.columns.insert("who".to_owned(), stated("c003"));
    assert_eq!(codes(&gaps), [7.0, 3.0, -1.0, 3.0]);
    gaps.columns.insert("who".to_owned(), stated("b"));
    assert_eq!(codes(&gaps), [8.0, 0.0, -1.0, 0.0]);
    // Training lacked none: nothing is known of those that do.
    assert_eq!(codes(&settings_of(&folder, &rows_of(25))), [7.0, -1.0, -1.0, -1.0]);
    let mut refusing = settings_of(&folder, &rows_of(25));
    refusing.missing = Missing::Error;
    let fitted = load(&refusing).expect("a good file").preprocessing;
    let error = encode(&file, &fitted).expect_err("a missing cell").to_string();
    assert_says(&error, &["line 3, column \"who\"", "missing value"]);
}

#[test]
fn a_category_of_rows_held_out_alone_was_not_seen() {
    let folder = Folder::new();
    let mut text = rows_of(25);
    text.push_str("75,late,no\n76,c001,yes\n77,late,no\n78,c002,no\n79,c003,no\n");
    let mut settings = settings_of(&folder, &text);
    settings.shuffle = false;
    settings.stratify = false;
    settings.validation = Portion::Share(5.0 / 80.0);
    let in_memory = load(&settings).expect("a good file");
    let codes = |rows: &Rows| -> Vec<f32> {
        let rows = rows.some(&(0..rows.rows).collect::<Vec<_>>()).expect("rows");
        rows.features.chunks_exact(2).map(|row| row[1]).collect()
    };
    let held_out = in_memory.validation.as_ref().expect("validation rows");
    assert_eq!(codes(held_out), [-1.0, 1.0, -1.0, 2.0, 3.0]);
    assert_eq!(in_memory.preprocessing.embeddings()[0].categories, 25);
    // One-hot, it has an input all the same.
    column(&mut settings, CategoryEncoding::OneHot, None);
    assert_eq!(load(&settings).expect("a good file").preprocessing.inputs(), 27);
    settings.columns.clear();
    settings.streaming = Streaming::Always;
    settings.streaming_folder = Some(folder.0.path().to_owned());
    let streamed = load(&settings).expect("a good file");
    assert_eq!(streamed.preprocessing, in_memory.preprocessing);
    for (a, b) in [
        (Some(&streamed.train), Some(&in_memory.train)),
        (streamed.validation.as_ref(), in_memory.validation.as_ref()),
    ] {
        assert_eq!(a.map(codes), b.map(codes));
    }
}

#[test]
fn the_users_word_on_the_encoding_is_taken() {
    let folder = Folder::new();
    let mut settings = settings_of(&folder, &rows_of(22));
    settings.encoding = CategoryEncoding::OneHot;
    assert_eq!(load(&settings).expect("a good file").preprocessing.inputs(), 23);
    column(&mut settings, CategoryEncoding::Embedding, Some(4));
    let shapes = load(&settings).expect("a good file").preprocessing.embeddings();
    assert_eq!(shapes, [EmbeddingShape { column: 1, categories: 22, size: 4 }]);
    // Few are embedded too where that is asked for.
    let mut few = settings_of(&folder, &rows_of(5));
    column(&mut few, CategoryEncoding::Embedding, None);
    let shapes = load(&few).expect("a good file").preprocessing.embeddings();
    assert_eq!(shapes, [EmbeddingShape { column: 1, categories: 5, size: 4 }]);
    column(&mut few, CategoryEncoding::Auto, Some(3));
    let says = ["`data.columns.who.embedding_size`", "one-hot", "5 categories", "\"embedding\""];
    assert_says(&refused(&few), &says);
    for (name, encoding, size, parts) in [
        ("x", Some(CategoryEncoding::Embedding), None, ["x.encoding`", "numeric, not categorical"]),
        ("x", Some(CategoryEncoding::OneHot), None, ["x.encoding`", "x.type = \"categorical\""]),
        ("x", None, Some(3), ["x.embedding_size`", "numeric, not categorical"]),
        ("y", Some(CategoryEncoding::OneHot), None, ["y.encoding`", "is the target"]),
        ("y", None, Some(3), ["y.embedding_size`", "is the target"]),
    ] {
        let mut settings = settings_of(&folder, &rows_of(22));
        let config = ColumnConfig { encoding, embedding_size: size, ..ColumnConfig::default() };
        settings.columns.insert(name.to_owned(), config);
        assert_says(&refused(&settings), &parts);
    }
}

#[test]
fn what_has_too_many_categories_is_refused() {
    // Of more than a thousand, each needs two rows.
    let text = |rows: usize, different: usize| -> String {
        let row = |i: usize| format!("name{},{}\n", i % different, i % 2);
        format!("who,y\n{}", (0..rows).map(row).collect::<String>())
    };
    let folder = Folder::new();
    let of = |text: String| settings(folder.file("rows.csv", text), "y");
    let shapes = load(&of(text(4000, 1500))).expect("a good file").preprocessing.embeddings();
    assert_eq!(shapes, [EmbeddingShape { column: 0, categories: 1500, size: 50 }]);
    let said = refused(&of(text(2900, 1500)));
    assert_says(&said, &["column \"who\"", "1500 in 2900 rows", "data.columns.who.type"]);
    assert_says(&refused(&of(text(30, 30))), &["30, one in each row", "data.columns.who.type"]);
    // Stated, they are taken at the user's word.
    let mut stated = of(text(2900, 1500));
    stated.columns.insert("who".to_owned(), typed(ColumnType::Categorical));
    assert_eq!(load(&stated).expect("a good file").preprocessing.inputs(), 1);
    // One-hot, each takes an input.
    let mut one_hot = of(text(4000, 1500));
    one_hot.encoding = CategoryEncoding::OneHot;
    assert_says(&refused(&one_hot), &["column \"who\"", "more than 1000"]);
}

#[test]
fn the_length_of_a_vector_grows_with_the_categories() {
    // By Python: min(50, round(1.6 * n**0.56)).
    for (categories, size) in
        [(1, 2), (2, 2), (10, 6), (21, 9), (60, 16), (100, 21), (469, 50), (1_000_000, 50)]
    {
        assert_eq!(embedding_size(categories), size, "{categories}");
    }
}

#[test]
fn damaged_tables_are_refused() {
    let good = load_text(&rows_of(25)).preprocessing;
    good.validate().expect("sound");
    let json = serde_json::to_value(&good).expect("JSON");
    assert_eq!(json["inputs"][1]["encoding"]["type"], "embedding");
    assert_eq!(serde_json::from_value::<Preprocessing>(json).expect("JSON"), good);
    type Harm = fn(&mut Vec<String>, &mut usize, &mut MissingCategory);
    let harms: [(Harm, &str); 7] = [
        (|_, size, _| *size = 0, "vectors of 0"),
        (|_, size, _| *size = 1025, "vectors of 1025"),
        (|_, size, _| *size = usize::MAX, "not of 1 to 1024"),
        (|categories, _, _| categories.clear(), "no categories"),
        (|categories, _, _| categories[1] = categories[0].clone(), "\"c000\" twice"),
        (|_, _, missing| *missing = MissingCategory::Category(25), "no category 25"),
        (
            |categories, _, _| categories.extend((0..1_000_000).map(|i| format!("d{i}"))),
            "1000025 categories, more than 1000000",
        ),
    ];
    for (harm, says) in harms {
        let mut bad = good.clone();
        match &mut bad.inputs[1].encoding {
            Encoding::Embedding { categories, size, missing } => harm(categories, size, missing),
            other => panic!("{other:?}"),
        }
        assert_says(&bad.validate().expect_err(says).to_string(), &[says]);
    }
}
