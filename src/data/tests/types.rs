//! Truth values and dates.

use super::*;
use crate::data::Encoding;

#[test]
fn words_for_yes_and_no_are_one_input() {
    for (words, stated) in [
        (["true", "False"], false),
        (["YES", "no"], false),
        (["t", "F"], false),
        (["Y", "n"], false),
        (["1", "0"], true),
    ] {
        let text = format!("x,b,y\n1,{0},p\n2,{1},q\n3,{0},p\n", words[0], words[1]);
        let folder = Folder::new();
        let mut settings = settings(folder.file("rows.csv", text), "y");
        settings.scaling = Scaling::Standard;
        settings.columns.entry("x".to_owned()).or_default().kind = Some(ColumnType::Ignore);
        if stated {
            settings.columns.insert("b".to_owned(), typed(ColumnType::Boolean));
        }
        let data = load(&settings).expect("a good file");
        assert_eq!(data.train.features, [1.0, 0.0, 1.0], "{words:?}");
    }
    let folder = Folder::new();
    let text = "b,y\nyes,p\nperhaps,q\nno,p\n";
    let mut settings = settings(folder.file("rows.csv", text), "y");
    assert_eq!(load(&settings).expect("categories").preprocessing.inputs(), 3);
    settings.columns.insert("b".to_owned(), typed(ColumnType::Boolean));
    assert_says(&refused(&settings), &["line 3, column \"b\"", "\"perhaps\"", "yes and no"]);
}

#[test]
fn dates_are_features_on_the_users_word_alone() {
    let rows = "when,y\n2024-01-01,p\n2024-07-01,q\n,p\n2024-12-31,q\n";
    let folder = Folder::new();
    let mut settings = settings(folder.file("rows.csv", rows), "y");
    let said = refused(&settings);
    assert_says(
        &said,
        &["line 2, column \"when\"", "data.columns.when.type", "\"date\"", "\"ignore\""],
    );
    settings.columns.insert("when".to_owned(), typed(ColumnType::Date));
    let data = load(&settings).expect("dates");
    // Days, year, week, and whether it was missing.
    assert_eq!(data.preprocessing.inputs(), 6);
    match &data.preprocessing.columns()[0].encoding {
        Encoding::Date(date) => {
            assert!(!date.time_of_day);
            // 1 January, 1 July and 31 December: days 0, 182 and 365.
            let mean = 19_723.0 + (182.0 + 365.0) / 3.0;
            assert!((date.days.shift - mean).abs() < 1e-9, "{date:?}");
        }
        other => panic!("{other:?}"),
    }
    let width = 6;
    // The missing one is the median.
    assert_eq!(
        data.train.features[2 * width..3 * width - 1],
        data.train.features[width..2 * width - 1]
    );
    assert_eq!(data.train.features[3 * width - 1], 1.0);
    let times = folder.file("times.csv", rows.replace("07-01", "07-01T12:30"));
    settings.train = times;
    assert_eq!(load(&settings).expect("dates").preprocessing.inputs(), 8);
    settings.train = folder.file("other.csv", rows.replace("2024-07-01", "1.7.2024"));
    assert_says(&refused(&settings), &["line 3, column \"when\"", "\"1.7.2024\"", "2024-03-31"]);
    settings.columns.clear();
    settings.train = folder.file("german.csv", "when,y\n1.7.2024,p\n31.12.2024,q\n2.7.2024,p\n");
    assert_says(
        &refused(&settings),
        &["line 2, column \"when\"", "a date", "2024-03-31", "\"date\""],
    );
}
