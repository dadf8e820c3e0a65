//! Draws from a distribution, the same bits on every platform: counter-based uniforms, plain f64
//! arithmetic, and the `libm` crate for what the platform's own library would round its own way.

use rayon::prelude::*;

use crate::random::Stream;

/// What starting values are drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// One value.
    Constant(f64),
    /// Uniform between two values.
    Uniform {
        /// Lower end.
        minimum: f64,
        /// Upper end.
        maximum: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        stddev: f64,
    },
    /// Normal, given that it lies in an interval.
    TruncatedNormal {
        /// Mean before the cut.
        mean: f64,
        /// Standard deviation before the cut.
        stddev: f64,
        /// Lower cut.
        minimum: f64,
        /// Upper cut.
        maximum: f64,
    },
}

/// Elements a thread takes at least: fewer are not worth waking one.
const GRAIN: usize = 4096;

impl Distribution {
    /// Uniform between -`limit` and `limit`.
    pub fn symmetric(limit: f64) -> Self {
        Self::Uniform { minimum: -limit, maximum: limit }
    }

    /// Fills `values`. Element i is a function of the stream and i alone: of the uniform number at
    /// counter i, through the inverse of the distribution function. So a value never depends on
    /// how many there are, nor on the thread that draws it, and nothing is ever drawn again.
    pub fn fill(&self, stream: &Stream, values: &mut [f32]) {
        match *self {
            Self::Constant(value) => values.fill(value as f32),
            Self::Uniform { minimum, maximum } => {
                draw(stream, values, |u| minimum + (maximum - minimum) * u);
            }
            Self::Normal { mean, stddev } => {
                draw(stream, values, |u| mean + stddev * normal_quantile(u));
            }
            Self::TruncatedNormal { mean, stddev, minimum, maximum } => {
                let below = normal_probability((minimum - mean) / stddev);
                let inside = normal_probability((maximum - mean) / stddev) - below;
                draw(stream, values, |u| {
                    let value = mean + stddev * normal_quantile(below + inside * u);
                    value.max(minimum).min(maximum)
                });
            }
        }
    }
}

fn draw(stream: &Stream, values: &mut [f32], quantile: impl Fn(f64) -> f64 + Sync) {
    values
        .par_iter_mut()
        .with_min_len(GRAIN)
        .enumerate()
        .for_each(|(i, value)| *value = quantile(stream.uniform_f64(i as u64)) as f32);
}

/// Probability that a standard normal number is below `x`.
pub(super) fn normal_probability(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// The `x` that a standard normal number is below with probability `p` in (0, 1), to about one
/// part in 10^16: algorithm AS 241, routine PPND16 (Wichura, Applied Statistics 37, 1988).
#[allow(clippy::excessive_precision, reason = "the constants as published")]
pub(super) fn normal_quantile(p: f64) -> f64 {
    // A uniform number within 2^-54 of 1 rounds to 1, whose quantile is infinite.
    let p = p.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON / 2.0);
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(
            r,
            [
                3.387_132_872_796_366_608,
                133.141_667_891_784_377_45,
                1_971.590_950_306_551_442_7,
                13_731.693_765_509_461_125,
                45_921.953_931_549_871_457,
                67_265.770_927_008_700_853,
                33_430.575_583_588_128_105,
                2_509.080_928_730_122_672_7,
            ],
            [
                1.0,
                42.313_330_701_600_911_252,
                687.187_007_492_057_908_30,
                5_394.196_021_424_751_107_7,
                21_213.794_301_586_595_867,
                39_307.895_800_092_710_610,
                28_729.085_735_721_942_674,
                5_226.495_278_852_854_561_0,
            ],
        );
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-libm::log(tail)).sqrt();
    let x = if r <= 5.0 {
        ratio(
            r - 1.6,
            [
                1.423_437_110_749_683_577_34,
                4.630_337_846_156_545_295_90,
                5.769_497_221_460_691_405_50,
                3.647_848_324_763_204_605_04,
                1.270_458_252_452_368_382_58,
                0.241_780_725_177_450_611_770,
                0.022_723_844_989_269_184_583_3,
                7.745_450_142_783_414_076_40e-4,
            ],
            [
                1.0,
                2.053_191_626_637_758_821_87,
                1.676_384_830_183_803_849_40,
                0.689_767_334_985_100_004_550,
                0.148_103_976_427_480_074_590,
                0.015_198_666_563_616_457_100_6,
                5.475_938_084_995_344_946_00e-4,
                1.050_750_071_644_416_843_24e-9,
            ],
        )
    } else {
        ratio(
            r - 5.0,
            [
                6.657_904_643_501_103_777_20,
                5.463_784_911_164_114_369_90,
                1.784_826_539_917_291_335_80,
                0.296_560_571_828_504_891_230,
                0.026_532_189_526_576_123_093_0,
                0.001_242_660_947_388_078_438_60,
                2.711_555_568_743_487_578_15e-5,
                2.010_334_399_292_288_132_65e-7,
            ],
            [
                1.0,
                0.599_832_206_555_887_937_690,
                0.136_929_880_922_735_805_310,
                0.014_875_361_290_850_615_025_0,
                7.868_691_311_456_132_591_00e-4,
                1.846_318_317_510_054_681_80e-5,
                1.421_511_758_316_445_888_70e-7,
                2.044_263_103_389_939_785_64e-15,
            ],
        )
    };
    if q < 0.0 { -x } else { x }
}

/// The ratio of two polynomials in `x`, coefficients in rising order.
fn ratio(x: f64, above: [f64; 8], below: [f64; 8]) -> f64 {
    let polynomial = |c: [f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
    polynomial(above) / polynomial(below)
}
