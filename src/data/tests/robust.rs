//! Scaling by the median and the quartiles.

use super::*;
use crate::data::Encoding;
use crate::data::Scaler;

/// The constants of the column `x` in a file of these values.
fn fitted(values: &[f64]) -> (f64, f64) {
    let rows = values.iter().enumerate().map(|(i, x)| format!("{x},{}\n", ["no", "yes"][i % 2]));
    let folder = Folder::new();
    let text = format!("x,y\n{}", rows.collect::<String>());
    let mut settings = settings(folder.file("rows.csv", text), "y");
    settings.scaling = Scaling::Robust;
    match &load(&settings).expect("a good file").preprocessing.inputs[0].encoding {
        Encoding::Numeric { scaler: Scaler::Affine(scale), .. } => (scale.shift, scale.scale),
        other => panic!("{other:?}"),
    }
}

#[test]
fn medians_and_ranges_are_scikit_learns() {
    // center_ and scale_ of sklearn.preprocessing.RobustScaler 1.9.
    assert_eq!(fitted(&[3.0, -1.0, 4.0, 1.5, 100.0]), (3.0, 2.5));
    assert_eq!(fitted(&[2.0, 8.0, 1.0, 7.0, 1e6, 3.0]), (5.0, 5.5));
    assert_eq!(fitted(&[5.0, 1.0]), (3.0, 2.0));
    assert_eq!(fitted(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]), (12.0, 36.5));
    // More than half of the values are one.
    assert_eq!(fitted(&[7.0, 7.0, 7.0, 7.0, 7.0, 9.0]), (7.0, 1.0));
}

#[test]
fn the_quartiles_are_those_of_the_training_rows() {
    let folder = Folder::new();
    let rows = "1,no\n3,yes\n5,no\n7,yes\n9,no\n1e9,yes\n1e9,no\n1e9,yes\n1e9,no\n1e9,yes\n";
    let mut settings = settings(folder.file("rows.csv", format!("x,y\n{rows}")), "y");
    settings.columns.entry("x".to_owned()).or_default().scaling = Some(Scaling::Robust);
    settings.shuffle = false;
    settings.validation = Portion::Share(0.5);
    let data = load(&settings).expect("a good file");
    assert_eq!(data.train.features, [-1.0, -0.5, 0.0, 0.5, 1.0]);
}
