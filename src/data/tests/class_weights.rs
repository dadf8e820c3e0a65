//! What each class counts.

use super::*;
use crate::config::ClassWeights;

/// 6 rows of class a, 3 of b, 1 of c.
const ROWS: &str = "x,y\n1,a\n2,a\n3,a\n4,b\n5,b\n6,a\n7,c\n8,a\n9,b\n10,a\n";

fn map(weights: &[(&str, f64)]) -> Option<ClassWeights> {
    let named = weights.iter().map(|(class, weight)| ((*class).to_owned(), *weight));
    Some(ClassWeights::Map(named.collect()))
}

fn weighed(folder: &Folder, text: &str, weights: Option<ClassWeights>) -> DataSettings {
    DataSettings { class_weights: weights, ..settings(folder.file("rows.csv", text), "y") }
}

#[test]
fn balanced_weights_are_scikit_learns() {
    let folder = Folder::new();
    let mut settings = weighed(&folder, ROWS, Some(ClassWeights::Balanced));
    let data = load(&settings).expect("a good file");
    // compute_class_weight("balanced", classes=["a", "b", "c"], y=...) of scikit-learn 1.9.
    assert_eq!(data.class_weights, [0.5555555555555556, 1.1111111111111112, 3.3333333333333335]);
    assert!(data.notes.iter().any(|note| note == "class weights: a 0.5556, b 1.1111, c 3.3333"));
    // Only training rows count: the last four are held back.
    settings.shuffle = false;
    settings.validation = Portion::Share(0.4);
    let said = refused(&settings);
    assert_says(&said, &["`data.class_weights`", "\"c\" has no training row"]);
    settings.validation = Portion::Share(0.3);
    let data = load(&settings).expect("a good file");
    assert_eq!(data.class_weights, [7.0 / 12.0, 7.0 / 6.0, 7.0 / 3.0]);
    settings.class_weights = None;
    let plain = load(&settings).expect("a good file");
    assert!(plain.class_weights.is_empty() && plain.train == data.train);
    assert_ne!(plain.hash, data.hash);
}

#[test]
fn a_map_names_classes_as_the_data_does() {
    let folder = Folder::new();
    let weights = |text: &str, given: &[(&str, f64)]| {
        load(&weighed(&folder, text, map(given))).expect("a good file").class_weights
    };
    assert_eq!(weights(ROWS, &[("c", 5.0), ("a", 0.5)]), [0.5, 1.0, 5.0]);
    assert_eq!(weights(ROWS, &[]), [1.0; 3]);
    let numbers = "x,y\n1,1.0\n2,0\n3,1\n";
    assert_eq!(weights(numbers, &[("1", 3.0)]), [1.0, 3.0]);
    let refuse = |text: &str, given: &[(&str, f64)], parts: &[&str]| {
        assert_says(&refused(&weighed(&folder, text, map(given))), parts);
    };
    let longer = ROWS.replace('a', "apple");
    refuse(
        &longer,
        &[("aple", 2.0)],
        &["`data.class_weights.aple`", "no class \"aple\"", "did you mean \"apple\"?", "b, c"],
    );
    refuse(ROWS, &[("A", 2.0)], &["`data.class_weights.A`", "classes: a, b, c"]);
    refuse(numbers, &[("1", 2.0), ("1.0", 2.0)], &["`data.class_weights.1.0`", "given twice"]);
}

#[test]
fn tasks_without_classes_take_no_class_weights() {
    let folder = Folder::new();
    let rows: String = (0..30).map(|i| format!("{i},{}.5\n", i * i)).collect();
    let text = format!("x,y\n{rows}");
    let said = refused(&weighed(&folder, &text, Some(ClassWeights::Balanced)));
    assert_says(&said, &["`data.class_weights`", "a regression task", "\"weight\""]);
    let file = folder.file("labels.csv", "x,a,b,c\n1,0,1,0\n2,1,0,1\n");
    let mut labels = several(file, Task::Multilabel);
    labels.class_weights = map(&[("a", 2.0)]);
    assert_says(&refused(&labels), &["a multilabel task", "loss.pos_weight"]);
}

#[test]
fn a_row_counts_its_weight_times_its_classs() {
    let folder = Folder::new();
    let text = "x,w,y\n1,2,a\n2,0.5,b\n3,0,a\n4,1,b\n";
    let mut settings = weighed(&folder, text, map(&[("b", 3.0)]));
    settings.columns.insert("w".to_owned(), typed(ColumnType::Weight));
    let data = load(&settings).expect("a good file");
    assert_eq!(data.train.training_weights(&data.class_weights), [2.0, 1.5, 0.0, 3.0]);
    assert_eq!(data.train.training_weights(&[]), [2.0, 0.5, 0.0, 1.0]);
    settings.columns.insert("w".to_owned(), typed(ColumnType::Ignore));
    let data = load(&settings).expect("a good file");
    assert_eq!(data.train.training_weights(&data.class_weights), [1.0, 3.0, 1.0, 3.0]);
    assert!(data.train.training_weights(&[]).is_empty());
}

#[test]
fn a_distribution_counts_the_mean_of_its_classes() {
    let folder = Folder::new();
    let file = folder.file("soft.csv", "x,a,b,c\n1,0.5,0.5,0\n2,0,0,1\n3,0,0.25,0.75\n");
    let mut settings = several(file, Task::Classification);
    settings.class_weights = map(&[("a", 4.0), ("c", 8.0)]);
    let data = load(&settings).expect("a good file");
    assert_eq!(data.class_weights, [4.0, 1.0, 8.0]);
    assert_eq!(data.train.training_weights(&data.class_weights), [2.5, 8.0, 6.25]);
    settings.class_weights = Some(ClassWeights::Balanced);
    let data = load(&settings).expect("a good file");
    // The classes' shares of the 3 rows: 0.5, 0.75 and 1.75.
    assert_eq!(data.class_weights, [3.0 / 1.5, 3.0 / 2.25, 3.0 / 5.25]);
    settings.train = folder.file("soft.csv", "x,a,b,c\n1,0.5,0.5,0\n2,0,1,0\n");
    assert_says(&refused(&settings), &["`data.class_weights`", "\"c\" has no training row"]);
}
