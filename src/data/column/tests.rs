//! Texts that rows share, and numbers, become what the same texts become one by one.

use std::path::Path;
use std::sync::Arc;

use super::{Builder, Role, written};
use crate::config::data::CategoryEncoding;
use crate::data::read::{Cells, Chunk, Kind, Numbers, Places, Texts};
use crate::random::{Purpose, Stream};

/// What a column becomes that holds these chunks, or the first fault in it.
fn column(role: Role, keeps: bool, kind: &Kind, chunks: &[Cells]) -> String {
    let mut builder = Builder::new("x", role, CategoryEncoding::Auto, false, keeps);
    let file: Arc<Path> = Path::new("data.csv").into();
    for cells in chunks {
        let chunk = Chunk {
            file: Arc::clone(&file),
            rows: 0,
            places: Places::Rows(0),
            columns: Vec::new(),
        };
        if let Err((row, fault)) = builder.take(&chunk, kind, cells) {
            return format!("row {row}: {}", fault.problem);
        }
    }
    match builder.finish(&file) {
        Ok(column) => format!("{column:?}"),
        Err(error) => format!("{error:?}"),
    }
}

const ROLES: [Role; 8] = [
    Role::Auto,
    Role::Numeric,
    Role::Boolean,
    Role::Date,
    Role::Categorical { stated: true },
    Role::Categorical { stated: false },
    Role::Target,
    Role::Probability,
];

#[test]
fn texts_that_rows_share_are_taken_as_if_each_had_its_own() {
    let alphabets: [&[&str]; 6] = [
        &["red", "green", "blue", ""],
        &["red", "1", "2.5", "NA", "red"],
        &["2024-01-02", "2024-02-03", "soon", ""],
        &["yes", "no", "", "yes"],
        &["0", "1", "0.5"],
        &["inf", "a", "-0", "0", "never met"],
    ];
    let mut different = 0;
    for (which, alphabet) in alphabets.iter().enumerate() {
        for round in 0..20 {
            let stream = Stream::new(round, Purpose::Split, which as u32, 0);
            let mut at = 0;
            let mut below = |most: usize| {
                at += 1;
                (stream.uniform_f64(at) * most as f64) as usize
            };
            // Three chunks, and in each a dictionary of its own; the first rows are often alike.
            let chunks: Vec<Vec<usize>> = (0..3)
                .map(|_| {
                    let (count, most) = (below(30), 1 + below(alphabet.len()));
                    (0..count).map(|_| below(most)).collect()
                })
                .collect();
            let plain: Vec<Cells> = chunks
                .iter()
                .map(|rows| Cells::Text(Texts::of(rows.iter().map(|at| alphabet[*at])).unwrap()))
                .collect();
            let shared: Vec<Cells> = chunks
                .iter()
                .map(|rows| {
                    let rows = rows.iter().map(|at| *at as u32).collect();
                    Cells::Text(Texts::of(alphabet.iter().copied()).unwrap().shared_by(rows))
                })
                .collect();
            for role in ROLES {
                for keeps in [true, false] {
                    let expected = column(role, keeps, &Kind::Unknown, &plain);
                    let found = column(role, keeps, &Kind::Unknown, &shared);
                    assert_eq!(found, expected, "{alphabet:?} {role:?} {chunks:?}");
                    different += usize::from(expected.contains("Coded"));
                }
            }
        }
    }
    assert!(different > 300, "only {different} columns were categories");
}

#[test]
fn a_targets_numbers_are_the_classes_that_their_texts_are() {
    let numbers = [0.0, -0.0, 1.0, 4095.0, 4096.0, 4096.5, 0.5, -1.0, 1e30, 1.0, 0.0, 0.5, 4096.0];
    let texts = numbers.iter().map(|number| written(*number, &Kind::Number));
    let texts: Vec<String> = texts.collect();
    let as_text = Cells::Text(Texts::of(texts.iter().map(String::as_str)).unwrap());
    let as_numbers = Cells::Numbers(Numbers::F64(numbers.to_vec()));
    assert_eq!(
        column(Role::Target, true, &Kind::Number, &[as_numbers.clone(), as_numbers]),
        column(Role::Target, true, &Kind::Unknown, &[as_text.clone(), as_text])
    );
}
