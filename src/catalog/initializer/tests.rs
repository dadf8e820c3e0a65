//! Statistics, bounds and reproducibility of every initialiser.

use super::sampling::{normal_probability, normal_quantile};
use super::*;
use crate::random::Purpose;

const FAN_IN: usize = 50;
const FAN_OUT: usize = 30;

fn stream() -> Stream {
    Stream::new(7, Purpose::Weights, 1, 0)
}

fn drawn(settings: &InitializerSettings) -> Vec<f64> {
    let mut values = vec![f32::NAN; 100_000];
    settings.fill(&stream(), FAN_IN, FAN_OUT, &mut values);
    values.into_iter().map(f64::from).collect()
}

/// Mean, variance and largest distance from zero that theory gives.
fn expected(settings: &InitializerSettings) -> (f64, f64, f64) {
    let (fan_in, fan_out) = (FAN_IN as f64, FAN_OUT as f64);
    let keras = settings.convention == Convention::Keras;
    let normal = |variance: f64| {
        let cut = 2.0 * variance.sqrt() / 0.879_625_661_034_239_8;
        (0.0, variance, if keras { cut } else { f64::INFINITY })
    };
    let uniform = |limit: f64| (0.0, limit * limit / 3.0, limit);
    match settings.row.name {
        "zeros" | "constant" => (0.0, 0.0, 0.0),
        "ones" => (1.0, 0.0, 1.0),
        "random_uniform" => uniform(0.05),
        "random_normal" => (0.0, 0.0025, f64::INFINITY),
        // At the defaults PyTorch's cut, 40 standard deviations away, takes nothing.
        "truncated_normal" if keras => (0.0, 0.0025 * 0.879_625_661_034_239_8_f64.powi(2), 0.1),
        "truncated_normal" => (0.0, 0.0025, 2.0),
        "glorot_uniform" => uniform((6.0 / (fan_in + fan_out)).sqrt()),
        "glorot_normal" => normal(2.0 / (fan_in + fan_out)),
        "he_uniform" => uniform((6.0 / fan_in).sqrt()),
        "he_normal" => normal(2.0 / fan_in),
        "lecun_uniform" => uniform((3.0 / fan_in).sqrt()),
        "lecun_normal" => normal(1.0 / fan_in),
        "torch_linear" => uniform(1.0 / fan_in.sqrt()),
        other => panic!("{other} has no expectation in this test"),
    }
}

#[test]
fn every_row_draws_what_it_says() {
    for row in &INITIALIZERS {
        for convention in [Convention::Torch, Convention::Keras] {
            let settings = InitializerSettings::new(row, convention);
            let values = drawn(&settings);
            let (mean, variance, bound) = expected(&settings);
            let n = values.len() as f64;
            let found_mean = values.iter().sum::<f64>() / n;
            let found_variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            // Five standard errors; the variance of x^2 is at most 2 sigma^4 for these.
            assert!((found_mean - mean).abs() <= 5.0 * (variance / n).sqrt(), "{} mean", row.name);
            let off = (found_variance - variance).abs();
            assert!(
                off <= 5.0 * variance * (2.0 / n).sqrt(),
                "{} {convention:?} variance",
                row.name
            );
            assert!(values.iter().all(|x| x.abs() <= bound * (1.0 + 1e-7)), "{} bound", row.name);
            if bound.is_finite() && bound < 2.0 {
                let largest = values.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
                assert!(largest >= 0.99 * bound, "{} reaches its bound: {largest}", row.name);
            }
        }
    }
}

#[test]
fn parameters_are_used() {
    let with = |name: &str, values, convention| {
        let row = find(name).expect(name);
        drawn(&InitializerSettings { row, convention, values })
    };
    assert!(with("constant", [0.25, 0.0], Convention::Torch).iter().all(|x| *x == 0.25));
    let uniform = with("random_uniform", [1.0, 3.0], Convention::Torch);
    assert!(uniform.iter().all(|x| (1.0..=3.0).contains(x)));
    let torch = with("truncated_normal", [1.5, 1.0], Convention::Torch);
    assert!(torch.iter().all(|x| (-2.0..=2.0).contains(x)));
    assert!(torch.iter().any(|x| *x < -0.6) && torch.iter().any(|x| *x > 1.9));
    let keras = with("truncated_normal", [1.5, 1.0], Convention::Keras);
    assert!(keras.iter().all(|x| (-0.5..=3.5).contains(x)));
    assert!(keras.iter().any(|x| *x > 3.4));
}

#[test]
fn the_same_stream_gives_the_same_bits_and_a_prefix_is_a_prefix() {
    for row in &INITIALIZERS {
        let settings = InitializerSettings::new(row, Convention::Keras);
        let (mut long, mut again, mut short) = (vec![0.0; 9000], vec![0.0; 9000], vec![0.0; 17]);
        settings.fill(&stream(), FAN_IN, FAN_OUT, &mut long);
        settings.fill(&stream(), FAN_IN, FAN_OUT, &mut again);
        settings.fill(&stream(), FAN_IN, FAN_OUT, &mut short);
        assert_eq!(long, again, "{}", row.name);
        assert_eq!(long[..17], short[..], "{}", row.name);
    }
}

/// Held so that a change of the arithmetic cannot slip in: it would change every run.
#[test]
fn bits_stay_as_they_are() {
    let settings = InitializerSettings::new(find("he_normal").expect("row"), Convention::Torch);
    let mut values = [0.0_f32; 3];
    settings.fill(&stream(), FAN_IN, FAN_OUT, &mut values);
    assert_eq!(values.map(f32::to_bits), HELD_BITS, "{values:?}");
}

const HELD_BITS: [u32; 3] = [1_034_590_005, 3_197_695_155, 1_039_564_609];

#[test]
fn the_quantile_inverts_the_probability() {
    assert_eq!(normal_quantile(0.5), 0.0);
    // Check values printed with algorithm AS 241.
    assert!((normal_quantile(0.25) + 0.674_489_750_196_081_7).abs() < 1e-15);
    assert!((normal_quantile(0.001) + 3.090_232_306_167_814).abs() < 1e-14);
    assert!((normal_quantile(1e-20) + 9.262_340_089_798_408).abs() < 1e-13);
    for i in 1..1000 {
        let p = f64::from(i) / 1000.0;
        assert!((normal_probability(normal_quantile(p)) - p).abs() < 1e-15, "{p}");
    }
    assert!(normal_quantile(0.0).is_finite() && normal_quantile(1.0).is_finite());
}

#[test]
fn rows_and_files_match() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog/initializer");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of this test")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".rs").map(String::from))
        .filter(|name| !["mod", "tests", "sampling"].contains(&name.as_str()))
        .collect();
    let mut names: Vec<_> = INITIALIZERS.iter().map(|row| row.name.to_owned()).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}
