//! Splits, and that nothing but training rows is fitted on.

use super::*;
use crate::data::split::Keys;

/// `x` counts the rows, so that a row is known again in its set; `y` is a class of very unequal
/// shares: 70 of a, 20 of b, 9 of c, 1 of d.
fn numbered() -> String {
    let rows: String = (0..100)
        .map(|i| {
            let class = match i * 37 % 100 {
                0..70 => "a",
                70..90 => "b",
                90..99 => "c",
                _ => "d",
            };
            format!("{i},{class}\n")
        })
        .collect();
    format!("x,y\n{rows}")
}

fn split_settings(folder: &Folder, validation: f64, test: f64) -> DataSettings {
    let mut settings = settings(folder.file("rows.csv", numbered()), "y");
    settings.validation = Portion::Share(validation);
    settings.test = Portion::Share(test);
    settings
}

fn split(settings: &DataSettings) -> [Rows; 3] {
    let data = load(settings).expect("a good file");
    [data.train, data.validation.unwrap_or_default(), data.test.unwrap_or_default()]
}

fn of_class(rows: &Rows, class: f32) -> usize {
    rows.targets.iter().filter(|target| **target == class).count()
}

#[test]
fn shares_are_exact_disjoint_and_in_file_order() {
    let folder = Folder::new();
    for stratify in [true, false] {
        let mut settings = split_settings(&folder, 0.25, 0.15);
        settings.stratify = stratify;
        let sets = split(&settings);
        assert_eq!(sets.each_ref().map(|set| set.rows), [60, 25, 15]);
        assert!(sets.iter().all(|set| set.features.is_sorted()));
        let mut all: Vec<f32> = sets.iter().flat_map(|set| set.features.clone()).collect();
        all.sort_by(f32::total_cmp);
        assert!(all.iter().enumerate().all(|(i, x)| *x == i as f32));
        assert_eq!(sets, split(&settings), "the same seed, the same split");
        settings.seed += 1;
        assert_ne!(sets, split(&settings), "another seed, another split");
    }
}

#[test]
fn classes_keep_their_shares() {
    let folder = Folder::new();
    let [train, validation, test] = split(&split_settings(&folder, 0.2, 0.1));
    assert_eq!([0.0, 1.0, 2.0, 3.0].map(|class| of_class(&validation, class)), [14, 4, 2, 0]);
    assert_eq!([0.0, 1.0, 2.0, 3.0].map(|class| of_class(&test, class)), [7, 2, 1, 0]);
    assert_eq!(of_class(&train, 3.0), 1, "the only row of a class is for training");
}

#[test]
fn every_class_keeps_a_row_for_training() {
    let folder = Folder::new();
    let rows: String =
        (0..20).map(|i| format!("{i},{}\n", ["a", "b", "c", "d"][(i % 9).min(3)])).collect();
    let lone = format!("x,y\n{rows}20,e\n21,f\n22,g\n");
    let mut settings = settings(folder.file("rows.csv", lone), "y");
    settings.validation = Portion::Share(0.4);
    settings.test = Portion::Share(0.2);
    for seed in 0..20 {
        settings.seed = seed;
        let [train, validation, test] = split(&settings);
        assert_eq!([train.rows, validation.rows, test.rows], [9, 9, 5]);
        (0..7_u8).for_each(|class| assert!(of_class(&train, class.into()) > 0, "class {class}"));
    }
}

#[test]
fn unshuffled_sets_are_the_ends_of_the_file() {
    let folder = Folder::new();
    let mut settings = split_settings(&folder, 0.2, 0.1);
    settings.shuffle = false;
    let [train, validation, test] = split(&settings);
    assert_eq!((train.features[0], train.features[69]), (0.0, 69.0));
    assert_eq!((validation.features[0], validation.features[19]), (70.0, 89.0));
    assert_eq!((test.features[0], test.rows), (90.0, 10));
}

#[test]
fn small_shares_take_a_row_and_leave_one() {
    let folder = Folder::new();
    let [train, validation, test] = split(&split_settings(&folder, 0.001, 0.001));
    assert_eq!([train.rows, validation.rows, test.rows], [98, 1, 1]);
    let mut few = settings(folder.file("few.csv", "x,y\n1,no\n2,yes\n"), "y");
    few.validation = Portion::Share(0.5);
    few.test = Portion::Share(0.1);
    assert_says(&refused(&few), &["few.csv", "2 rows", "validation takes 1 and test 1"]);
    few.test = Portion::Share(0.0);
    let split =
        crate::data::split::split(&few.train, 2, &Keys::None, None, &few).expect("two sets");
    assert_eq!([split.train.len(), split.validation.len(), split.test.len()], [1, 1, 0]);
    assert_says(&refused(&few), &["few.csv", "every input is constant"]);
}

#[test]
fn a_file_of_validation_rows_leaves_all_rows_for_training() {
    let folder = Folder::new();
    let mut settings = split_settings(&folder, 0.0, 0.0);
    let whole = load(&settings).expect("good files");
    settings.validation = Portion::File(folder.file("more.csv", "y,x\nb,500\na,501\n"));
    let data = load(&settings).expect("good files");
    assert_eq!(data.train, whole.train);
    let validation = data.validation.expect("validation rows");
    assert_eq!((validation.features, validation.targets), (vec![500.0, 501.0], vec![1.0, 0.0]));
    assert_ne!(data.hash, whole.hash);
    settings.validation = Portion::File(folder.file("more.csv", "y,x\nb,500\ne,501\n"));
    assert_says(&refused(&settings), &["more.csv, line 3, column \"y\"", "no class \"e\""]);
}

#[test]
fn scaling_is_fitted_on_training_rows_alone() {
    let folder = Folder::new();
    let mut rows: String = (0..80).map(|i| format!("{},{}.5\n", i % 4, i % 4)).collect();
    rows.push_str(&"1e9,1e9\n".repeat(20));
    let mut settings = settings(folder.file("rows.csv", format!("x,y\n{rows}")), "y");
    settings.scaling = Scaling::Standard;
    settings.shuffle = false;
    settings.validation = Portion::Share(0.2);
    let data = load(&settings).expect("a good file");
    let deviation = 1.25_f64.sqrt();
    assert_eq!(data.train.features[..2], [(-1.5 / deviation) as f32, (-0.5 / deviation) as f32]);
    assert_eq!(data.preprocessing.target_scale(), [(2.0, deviation)]);
    settings.scaling = Scaling::Minmax;
    let data = load(&settings).expect("a good file");
    assert_eq!(data.train.features[..4], [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]);
    assert!(data.validation.expect("validation rows").features[0] > 3e8);
}

#[test]
fn groups_stay_together_and_are_no_input() {
    let folder = Folder::new();
    let rows: String =
        (0..200).map(|i| format!("{i},g{},{}\n", i * 7 % 20, ["no", "yes"][i % 2])).collect();
    let mut settings = split_settings(&folder, 0.25, 0.1);
    settings.train = folder.file("grouped.csv", format!("x,who,y\n{rows}"));
    settings.split = SplitBy::Group(ColumnReference::Name("who".to_owned()));
    let data = load(&settings).expect("a good file");
    assert_eq!(data.preprocessing.inputs(), 1);
    let [train, validation, test] = split(&settings);
    assert_eq!((train.rows, validation.rows, test.rows), (130, 50, 20));
    let groups = |rows: &Rows| -> std::collections::BTreeSet<usize> {
        rows.features.iter().map(|x| *x as usize * 7 % 20).collect()
    };
    let of = [groups(&train), groups(&validation), groups(&test)];
    assert_eq!(of.iter().map(std::collections::BTreeSet::len).sum::<usize>(), 20, "{of:?}");
    settings.columns.insert("who".to_owned(), typed(ColumnType::Categorical));
    assert_eq!(load(&settings).expect("a good file").preprocessing.inputs(), 21);
    settings.columns.clear();
    settings.split = SplitBy::Group(ColumnReference::Name("whom".to_owned()));
    assert_says(&refused(&settings), &["`data.split.group`", "\"whom\"", "did you mean \"who\""]);
    settings.train = folder.file("one.csv", "x,who,y\n1,a,no\n2,a,yes\n3,a,no\n4,a,yes\n");
    settings.split = SplitBy::Group(ColumnReference::Name("who".to_owned()));
    assert_says(&refused(&settings), &["groups are too few"]);
}

#[test]
fn the_newest_rows_are_the_test() {
    let folder = Folder::new();
    // Days in no order: 37 is prime to 100.
    let rows: String = (0..100)
        .map(|i| {
            let day = i * 37 % 100;
            let date = format!("2024-{:02}-{:02}", 1 + day / 28, 1 + day % 28);
            format!("{day},{date},{}\n", ["no", "yes"][i % 2])
        })
        .collect();
    let mut settings = split_settings(&folder, 0.2, 0.1);
    settings.train = folder.file("timed.csv", format!("day,when,y\n{rows}"));
    for column in ["when", "day"] {
        settings.split = SplitBy::Time(ColumnReference::Name(column.to_owned()));
        settings.columns.clear();
        settings.columns.insert("when".to_owned(), typed(ColumnType::Ignore));
        settings.columns.insert("day".to_owned(), typed(ColumnType::Numeric));
        let days = |rows: &Rows| {
            let mut days: Vec<f32> = rows.features.clone();
            days.sort_by(f32::total_cmp);
            (days[0], days[days.len() - 1], days.len())
        };
        let [train, validation, test] = split(&settings);
        assert_eq!(days(&train), (0.0, 69.0, 70), "{column}");
        assert_eq!(days(&validation), (70.0, 89.0, 20), "{column}");
        assert_eq!(days(&test), (90.0, 99.0, 10), "{column}");
    }
    settings.split = SplitBy::Time(ColumnReference::Name("y".to_owned()));
    assert_says(&refused(&settings), &["line 2, column \"y\"", "neither a number nor a date"]);
}
