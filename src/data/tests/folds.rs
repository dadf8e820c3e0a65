//! Folds: every row is validated on once, whatever they follow.

use super::*;
use crate::data::Folds;

fn folded(text: &str, folds: usize, change: impl FnOnce(&mut DataSettings)) -> Result<Dataset> {
    let folder = Folder::new();
    let mut settings = settings(folder.file("rows.csv", text), "y");
    settings.folds = Some(folds);
    change(&mut settings);
    load(&settings)
}

fn folds_of(dataset: &Dataset) -> &Folds {
    dataset.folds.as_ref().expect("folds")
}

/// `x` counts the rows; `y` is one of three classes of 60, 30 and 7 rows; four rows are of one group.
fn rows() -> String {
    let row = |i: usize| {
        let class = match i * 37 % 97 {
            0..60 => "a",
            60..90 => "b",
            _ => "c",
        };
        format!("{i},{class},{},{}\n", i / 4, (i * 53) % 97)
    };
    format!("x,y,group,time\n{}", (0..97).map(row).collect::<String>())
}

/// Whether each row is in one fold's validation rows, and in the training rows of the others.
fn assert_complete(folds: &Folds, rows: usize) {
    let mut validated = vec![0; rows];
    for fold in 0..folds.count() {
        let (own, trained) = (folds.validated(fold), folds.trained(fold));
        own.iter().for_each(|row| validated[*row as usize] += 1);
        let mut all = [own, trained].concat();
        all.sort_unstable();
        assert_eq!(all, (0..rows as u32).collect::<Vec<_>>());
    }
    assert_eq!(validated, vec![1; rows]);
}

#[test]
fn classes_are_dealt_out_alike() {
    let dataset = folded(&rows(), 5, |_| {}).expect("a good file");
    assert!(dataset.validation.is_none());
    let folds = folds_of(&dataset);
    assert_complete(folds, 97);
    for fold in 0..5 {
        let own = folds.validated(fold);
        assert!((19..=20).contains(&own.len()), "{}", own.len());
        for (class, sizes) in [(0.0, 12..=12), (1.0, 6..=6), (2.0, 1..=2)] {
            let of = |row: &&u32| dataset.train.targets[**row as usize] == class;
            let found = own.iter().filter(of).count();
            assert!(sizes.contains(&found), "fold {fold}: {found} of class {class}");
        }
    }
    let again = folded(&rows(), 5, |_| {}).expect("a good file");
    assert_eq!(folds_of(&again), folds);
    let other = folded(&rows(), 5, |settings| settings.seed = 8).expect("a good file");
    assert_ne!(folds_of(&other), folds);
}

#[test]
fn without_chance_folds_are_pieces_of_the_file() {
    let change = |settings: &mut DataSettings| {
        (settings.shuffle, settings.stratify) = (false, false);
    };
    let dataset = folded(&rows(), 3, change).expect("a good file");
    let folds = folds_of(&dataset);
    assert_complete(folds, 97);
    assert_eq!(folds.validated(0), (0..33).collect::<Vec<_>>());
    assert_eq!(folds.validated(2), (65..97).collect::<Vec<_>>());
}

#[test]
fn groups_are_in_one_fold_whole() {
    let by = |settings: &mut DataSettings| {
        settings.split = SplitBy::Group(ColumnReference::Name("group".to_owned()));
    };
    let dataset = folded(&rows(), 5, by).expect("a good file");
    let folds = folds_of(&dataset);
    assert_complete(folds, 97);
    for fold in 0..5 {
        let own = folds.validated(fold);
        assert!((17..=20).contains(&own.len()), "{}", own.len());
        let trained = folds.trained(fold);
        assert!(own.iter().all(|row| trained.iter().all(|other| other / 4 != row / 4)));
    }
    let error = folded(&rows(), 26, by).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("data.folds") && error.contains("25 groups"), "{error}");
}

#[test]
fn by_time_a_fold_trains_on_what_is_older() {
    let by = |settings: &mut DataSettings| {
        settings.split = SplitBy::Time(ColumnReference::Name("time".to_owned()));
    };
    let dataset = folded(&rows(), 4, by).expect("a good file");
    let folds = folds_of(&dataset);
    assert!(folds.follows_time());
    let times = |rows: Vec<u32>| -> Vec<usize> {
        rows.iter().map(|row| (*row as usize * 53) % 97).collect()
    };
    let mut trained = Vec::new();
    for fold in 0..4 {
        let (own, older) = (times(folds.validated(fold)), times(folds.trained(fold)));
        assert!(older.iter().max() < own.iter().min(), "fold {fold}");
        assert_eq!(older.len(), [20, 40, 59, 78][fold]);
        assert_eq!(own.len(), [20, 19, 19, 19][fold]);
        trained = older;
    }
    assert_eq!(trained.len(), 78);
}

#[test]
fn test_rows_are_in_no_fold() {
    let change = |settings: &mut DataSettings| settings.test = Portion::Share(0.2);
    let dataset = folded(&rows(), 3, change).expect("a good file");
    assert_eq!((dataset.train.rows, dataset.test.as_ref().map(|rows| rows.rows)), (78, Some(19)));
    assert_complete(folds_of(&dataset), 78);
    let fold = dataset.fold(1).expect("rows in memory").expect("a fold");
    assert_eq!(fold.train.rows + fold.validation.map_or(0, |rows| rows.rows), 78);
    assert!(dataset.fold(3).expect("rows in memory").is_none());
}

#[test]
fn folds_larger_than_what_there_is_are_refused() {
    let error = folded(&rows(), 8, |_| {}).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("7 training rows in the smallest class"), "{error}");
    assert!(folded(&rows(), 8, |settings| settings.stratify = false).is_ok());
    let error = folded("x,y\n1,2.5\n2,3.5\n3,1.25\n", 4, |_| {}).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("3 training rows"), "{error}");
}
