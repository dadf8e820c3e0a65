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

/// The rows whose values are drawn each on its own.
fn drawing() -> impl Iterator<Item = &'static InitializerRow> {
    INITIALIZERS.iter().filter(|row| {
        let settings = InitializerSettings::new(row, Convention::Torch);
        matches!(settings.start(FAN_IN, FAN_OUT), Start::Drawn(_))
    })
}

/// Mean, variance and largest distance from zero that theory gives.
fn expected(settings: &InitializerSettings) -> (f64, f64, f64) {
    let (fan_in, fan_out) = (FAN_IN as f64, FAN_OUT as f64);
    let factor = match settings.row.parameters {
        [only] if only.name == "gain" => settings.values[0].powi(2),
        [only] if only.name == "scale" => settings.values[0],
        _ => 1.0,
    };
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
        "glorot_uniform" => uniform((factor * 6.0 / (fan_in + fan_out)).sqrt()),
        "glorot_normal" => normal(factor * 2.0 / (fan_in + fan_out)),
        "he_uniform" => uniform((factor * 6.0 / fan_in).sqrt()),
        "he_normal" => normal(factor * 2.0 / fan_in),
        "lecun_uniform" => uniform((factor * 3.0 / fan_in).sqrt()),
        "lecun_normal" => normal(factor * 1.0 / fan_in),
        "torch_linear" => uniform(1.0 / fan_in.sqrt()),
        other => panic!("{other} has no expectation in this test"),
    }
}

fn check(settings: &InitializerSettings) {
    let name = format!("{} {:?} {:?}", settings.row.name, settings.convention, settings.values);
    let values = drawn(settings);
    let (mean, variance, bound) = expected(settings);
    let n = values.len() as f64;
    let found_mean = values.iter().sum::<f64>() / n;
    let found_variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    // Five standard errors; the variance of x^2 is at most 2 sigma^4 for these.
    assert!((found_mean - mean).abs() <= 5.0 * (variance / n).sqrt(), "{name}: mean");
    let off = (found_variance - variance).abs();
    assert!(off <= 5.0 * variance * (2.0 / n).sqrt(), "{name}: variance");
    assert!(values.iter().all(|x| x.abs() <= bound * (1.0 + 1e-7)), "{name}: bound");
    if bound.is_finite() && bound < 2.0 {
        let largest = values.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        assert!(largest >= 0.99 * bound, "{name} reaches its bound: {largest}");
    }
}

#[test]
fn every_row_draws_what_it_says() {
    assert_eq!(drawing().count(), INITIALIZERS.len() - 3);
    for row in drawing() {
        for convention in [Convention::Torch, Convention::Keras] {
            let mut settings = InitializerSettings::new(row, convention);
            check(&settings);
            if ["gain", "scale"].contains(&row.parameters.first().map_or("", |p| p.name)) {
                for factor in [0.3, 2.5] {
                    settings.values[0] = factor;
                    check(&settings);
                }
            }
        }
    }
}

/// U of `[units, inputs]` with its largest distance from U U^T, or U^T U, = gain^2 I.
fn orthogonal(gain: f64, units: usize, inputs: usize) -> (Vec<f32>, f64) {
    let row = find("orthogonal").expect("row");
    let mut settings = InitializerSettings::new(row, Convention::Torch);
    settings.values[0] = gain;
    let mut values = vec![f32::NAN; units * inputs];
    settings.fill(&stream(), inputs, units, &mut values);
    let short = units.min(inputs);
    let element = |k: usize, i: usize| {
        f64::from(if units >= inputs { values[k * inputs + i] } else { values[i * inputs + k] })
    };
    let mut worst = 0.0_f64;
    for i in 0..short {
        for j in 0..=i {
            let dot: f64 = (0..units.max(inputs)).map(|k| element(k, i) * element(k, j)).sum();
            let wanted = if i == j { gain * gain } else { 0.0 };
            let off = (dot - wanted).abs();
            worst = if off.is_nan() { f64::INFINITY } else { worst.max(off) };
        }
    }
    (values, worst)
}

#[test]
fn orthogonal_matrices_are() {
    for (units, inputs) in
        [(1, 1), (1, 7), (7, 1), (8, 8), (33, 33), (90, 40), (40, 90), (300, 257)]
    {
        for gain in [1.0, 1.5, -0.4] {
            let (values, worst) = orthogonal(gain, units, inputs);
            assert!(worst <= 1e-6, "{units} x {inputs}, gain {gain}: {worst:e}");
            assert!(values.iter().all(|x| x.is_finite()));
        }
    }
    // Uniform over all such matrices: the first element of either sign, and the mean of all is 0.
    // Without the sign of R's diagonal, the first row or column would have one sign.
    let (values, _) = orthogonal(1.0, 200, 200);
    let first: Vec<_> = values[..200].to_vec();
    let negative = first.iter().filter(|x| **x < 0.0).count();
    assert!((60..140).contains(&negative), "{negative} of 200 are negative");
    let diagonal: f64 = (0..200).map(|i| f64::from(values[i * 201])).sum();
    // The trace of a uniform orthogonal matrix has mean 0 and variance 1.
    assert!(diagonal.abs() < 5.0, "trace {diagonal}");
    // gain alone: twice the gain is twice the values, to the bit.
    let (doubled, _) = orthogonal(2.0, 200, 200);
    assert!(values.iter().zip(&doubled).all(|(a, b)| 2.0 * a == *b));
}

/// A matrix small enough to decompose by hand: for one column Q is the column over its length.
#[test]
fn an_orthogonal_column_is_the_normal_one_over_its_length() {
    let column: Vec<f64> = (0..5).map(|i| normal_quantile(stream().uniform_f64(i))).collect();
    let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
    for (units, inputs) in [(5, 1), (1, 5)] {
        let (values, _) = orthogonal(1.0, units, inputs);
        for (value, x) in values.iter().zip(&column) {
            assert!((f64::from(*value) - x / length).abs() < 1e-7, "{units} x {inputs}");
        }
    }
}

#[test]
fn identity_is_an_eye() {
    let mut settings = InitializerSettings::new(find("identity").expect("row"), Convention::Torch);
    settings.values[0] = 0.5;
    let mut wide = [f32::NAN; 6];
    settings.fill(&stream(), 3, 2, &mut wide);
    assert_eq!(wide, [0.5, 0.0, 0.0, 0.0, 0.5, 0.0]);
    let mut tall = [f32::NAN; 6];
    settings.fill(&stream(), 2, 3, &mut tall);
    assert_eq!(tall, [0.5, 0.0, 0.0, 0.5, 0.0, 0.0]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let made = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            INITIALIZERS.each_ref().map(|row| {
                let mut values = vec![0.0; 300 * 200];
                InitializerSettings::new(row, Convention::Keras).fill(
                    &stream(),
                    200,
                    300,
                    &mut values,
                );
                values
            })
        })
    };
    let one = made(1);
    assert!(one == made(2) && one == made(5));
}

#[test]
fn parameters_are_used() {
    let with = |name: &str, values, convention| {
        let row = find(name).expect(name);
        drawn(&InitializerSettings { row, convention, values, source: None })
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
    for row in drawing() {
        let settings = InitializerSettings::new(row, Convention::Keras);
        let (mut long, mut again, mut short) = (vec![0.0; 9000], vec![0.0; 9000], vec![0.0; 17]);
        settings.fill(&stream(), FAN_IN, FAN_OUT, &mut long);
        settings.fill(&stream(), FAN_IN, FAN_OUT, &mut again);
        settings.fill(&stream(), FAN_IN, FAN_OUT, &mut short);
        assert_eq!(long, again, "{}", row.name);
        assert_eq!(long[..17], short[..], "{}", row.name);
    }
}

/// Held so that a change of the arithmetic cannot slip in: it would change every run. FNV-1a over
/// the bits of a layer of 30 units on 50 inputs, in PyTorch's and in Keras' convention.
#[test]
fn bits_stay_as_they_are() {
    let hash = |row: &'static InitializerRow, convention| {
        let mut values = [0.0_f32; FAN_IN * FAN_OUT];
        InitializerSettings::new(row, convention).fill(&stream(), FAN_IN, FAN_OUT, &mut values);
        let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
        bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    };
    let found: Vec<_> = INITIALIZERS
        .iter()
        .filter(|row| !row.from_file)
        .map(|row| (row.name, hash(row, Convention::Torch), hash(row, Convention::Keras)))
        .collect();
    assert_eq!(found, HELD, "{found:#010x?}");
    let mut values = [0.0_f32; 3];
    let settings = InitializerSettings::new(find("he_normal").expect("row"), Convention::Torch);
    settings.fill(&stream(), FAN_IN, FAN_OUT, &mut values);
    assert_eq!(values.map(f32::to_bits), [1_034_590_005, 3_197_695_155, 1_039_564_609]);
}

const HELD: [(&str, u32, u32); 15] = [
    ("zeros", 0xa6cc_3885, 0xa6cc_3885),
    ("ones", 0x2b34_1d25, 0x2b34_1d25),
    ("constant", 0xa6cc_3885, 0xa6cc_3885),
    ("random_uniform", 0xd153_6cd6, 0xd153_6cd6),
    ("random_normal", 0x9bc5_372b, 0x9bc5_372b),
    ("truncated_normal", 0x9bc5_372b, 0x519f_29aa),
    ("glorot_uniform", 0x2e0d_1c49, 0x2e0d_1c49),
    ("glorot_normal", 0x75d5_c204, 0xedcc_a6f8),
    ("he_uniform", 0x9bd7_7b6f, 0x9bd7_7b6f),
    ("he_normal", 0x5232_f97b, 0x1984_7a8f),
    ("lecun_uniform", 0x3779_27b2, 0x3779_27b2),
    ("lecun_normal", 0x40eb_afd7, 0x4e57_cee0),
    ("torch_linear", 0xee35_990c, 0xee35_990c),
    ("orthogonal", 0xf652_adad, 0xf652_adad),
    ("identity", 0x1b4c_60f5, 0x1b4c_60f5),
];

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
