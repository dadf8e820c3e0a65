//! Scalings that are no straight line.

use super::*;

/// The numbers `new`, scaled as those of a file of `values` are.
fn scaled(scaling: Scaling, values: &[f64], new: &[f64]) -> Vec<f32> {
    let rows = values.iter().enumerate().map(|(i, x)| format!("{x},{}\n", ["no", "yes"][i % 2]));
    let folder = Folder::new();
    let text = format!("x,y\n{}", rows.collect::<String>());
    let mut settings = settings(folder.file("rows.csv", text), "y");
    settings.scaling = scaling;
    let data = load(&settings).expect("a good file");
    let json = serde_json::to_string(&data.preprocessing).expect("JSON");
    let stored: Preprocessing = serde_json::from_str(&json).expect("JSON");
    stored.validate().expect("sound");
    let new: String = new.iter().map(|x| format!("{x}\n")).collect();
    load_features(&folder.file("new.csv", format!("x\n{new}")), &stored).expect("rows").features
}

fn assert_near(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let distance = (f64::from(*found) - expected).abs();
        assert!(distance <= 3e-7 * expected.abs().max(1.0), "{found} {expected}");
    }
}

#[test]
fn quantiles_are_scikit_learns() {
    // sklearn.preprocessing.QuantileTransformer(output_distribution="normal", subsample=None) 1.9,
    // with n_quantiles=25 here, which is the number of rows, and 1000 below.
    let values = [
        3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0, 8.0, 9.0, 7.0, 9.0, 3.0, 2.0, 3.0,
        8.0, 4.0, 0.5, 100.0, -7.0, 1.0, 1.25,
    ];
    let new = [3.0, 4.5, -7.0, -100.0, 100.0, 1000.0, 1.1, 50.0, 2.75];
    assert_near(
        &scaled(Scaling::Quantile, &values, &new),
        &[
            // Halfway between four equal quantiles, 9.5 of 24: scikit-learn's own percentiles round one of
            // the four to 2.9999999999999982, and say -0.2104.
            -0.2641469768259236,
            0.157_310_684_610_170_7,
            -5.199_337_582_605_575,
            -5.199_337_582_605_575,
            5.199_337_582_703_42,
            5.199_337_582_703_42,
            -0.902_734_791_643_864_8,
            1.997_346_587_372_259_8,
            -0.459_558_248_533_882_4,
        ],
    );
    let many: Vec<f64> = (0..3000).map(|i| f64::from(i * 7919 % 10_007) / 16.0).collect();
    assert_near(
        &scaled(Scaling::Quantile, &many, &[0.25, 10.0, 100.5, 312.0, 600.75]),
        &[
            -3.323_737_343_643_604_6,
            -2.149_114_807_552_052_3,
            -0.992_698_952_966_237_7,
            -0.003_507_858_052_672_886_4,
            1.762_040_529_729_731_2,
        ],
    );
}

#[test]
fn smooth_clips_are_realmlps() {
    // (x - median) / (q75 - q25), then x / sqrt(1 + (x / 3)^2), in NumPy.
    let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 100.0];
    assert_near(
        &scaled(Scaling::RobustSmoothClip, &values, &[3.0, 1.0, 4.0, 9.0, 100.0, 3e38]),
        &[
            -0.331_294_578_224_539_6,
            -0.948_683_298_050_513_8,
            0.0,
            1.456_928_743_535_896_3,
            2.986_902_678_177_864_7,
            3.0,
        ],
    );
    // More than half of the values are one: half the whole range.
    let flat = [2.0, 2.0, 2.0, 2.0, 2.0, 10.0];
    assert_near(
        &scaled(Scaling::RobustSmoothClip, &flat, &[2.0, 10.0]),
        &[0.0, 1.664_100_588_675_687_4],
    );
}

#[test]
fn logarithms_are_standardised_and_take_no_number_below_0() {
    let values = [0.0, 1.0, 3.0, 7.0, 100.0];
    assert_near(
        &scaled(Scaling::Log1p, &values, &[0.0, 1.0, 3.0, 7.0, 100.0, -5.0]),
        &[
            -1.104_148_367_729_825,
            -0.668_009_198_608_520_5,
            -0.231_870_029_487_215_8,
            0.204_269_139_634_088_7,
            1.799_758_456_191_472_6,
            // As 0.
            -1.104_148_367_729_825,
        ],
    );
    let folder = Folder::new();
    let mut below = settings(folder.file("rows.csv", "x,y\n1,a\n-2,b\n3,a\n"), "y");
    below.scaling = Scaling::Log1p;
    assert_says(&refused(&below), &["column \"x\"", "-2", "data.columns.x.scaling", "quantile"]);
}

/// Neighbouring whole numbers that become one 32-bit float are told, at the step that is left.
#[test]
fn whole_numbers_past_what_f32_holds_are_told() {
    let folder = Folder::new();
    let rows = |step: u64| -> String {
        let row = |i: u64| format!("{},{},{}\n", i * step, 1e9 + i as f64 / 3.0, i % 7);
        format!("id,share,y\n{}", (0..40).map(row).collect::<String>())
    };
    let notes = |text: String, scaling| {
        let mut settings = settings(folder.file("rows.csv", text), "y");
        settings.scaling = scaling;
        load(&settings).expect("a good file").notes.join("\n")
    };
    // 39 * 2^24 is past 2^29: neighbours there are 64 apart as they are, and 16 of 39 steps from the mean.
    let told = notes(rows(1 << 24), Scaling::None);
    assert!(told.contains("do not tell apart: id (to the nearest 64)"), "{told}");
    let told = notes(rows(1 << 24), Scaling::Standard);
    assert!(told.contains("id (to the nearest "), "{told}");
    // Numbers with decimals, and those that fit, need no word.
    let told = notes(rows(1 << 10), Scaling::Standard);
    assert!(!told.contains("apart"), "{told}");
}
