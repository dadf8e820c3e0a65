//! What buffers are filled with: numbers that are random, and the same on every machine.

use super::Case;
use crate::catalog::loss::LossSettings;
use crate::catalog::parameter::Range;
use crate::error::{Error, Result};
use crate::kernels::gradient_statistics::BLOCK;
use crate::network::Network;
use crate::program::{
    BufferSpec, Clip, Contents, LAYER_WORDS, LayerSettings, LossScale, MemberState, NONE,
    STEP_WORDS, StepSettings, Update, block_groups, rounded_to_f16,
};
use crate::random::threefry2x32;

/// Random numbers.
#[derive(Debug)]
pub struct Noise(u32, u32);

impl Noise {
    /// The numbers of a seed.
    pub fn new(seed: u32) -> Self {
        Self(seed, 0)
    }

    /// 24 random bits.
    pub fn bits(&mut self) -> u32 {
        self.1 += 1;
        threefry2x32([self.0, 77], [self.1, 0])[0] >> 8
    }

    /// In [low, high), and an f32.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        let unit = (f64::from(self.bits()) + 0.5) / 16_777_216.0;
        f64::from((low + (high - low) * unit) as f32)
    }

    /// So many of them.
    pub fn reals(&mut self, count: usize, low: f64, high: f64) -> Vec<f64> {
        (0..count).map(|_| self.real(low, high)).collect()
    }
}

/// The contents of a buffer.
#[derive(Debug, Clone)]
pub enum Fill {
    /// Numbers, of which each is an f32.
    Reals(Vec<f64>),
    /// Unsigned integers.
    Words(Vec<u32>),
    /// The table of steps, members innermost.
    Steps(Vec<StepSettings<f64>>),
    /// The table of layers, members outermost.
    Layers(Vec<LayerSettings>),
    /// Where the members stand.
    State(Vec<MemberState>),
    /// The members' loss scales.
    Scales(Vec<LossScale>),
}

/// What the contents of a scene's buffers depend on.
pub(super) struct Filling<'a> {
    pub case: &'a Case,
    pub network: &'a Network,
    pub loss: LossSettings,
    pub update: Update,
    /// Classes or distributions are aimed at.
    pub classes: bool,
    /// Targets are 0 or 1.
    pub labels: bool,
    pub target_width: usize,
    pub resident_rows: usize,
}

impl Filling<'_> {
    /// The contents of one buffer.
    pub fn fill(&self, spec: &BufferSpec, noise: &mut Noise) -> Result<Fill> {
        let case = self.case;
        let words = match spec.contents {
            Contents::Halves => spec.elements(),
            _ => spec.words as usize,
        };
        Ok(match spec.contents {
            Contents::Halves => {
                let values = self.reals(spec, words, noise)?;
                Fill::Reals(values.into_iter().map(rounded_to_f16).collect())
            }
            Contents::Scales => Fill::Scales(
                (0..case.members)
                    .map(|member| LossScale {
                        scale: 8.0 * 2_f32.powi(member as i32),
                        backward: 2.0 * 2_f32.powi(member as i32),
                        overflowed: u32::from(case.overflowed && member == 0),
                        // Of the second member it is due to grow.
                        steps: 1998 + member as u32,
                    })
                    .collect(),
            ),
            Contents::Reals => Fill::Reals(self.reals(spec, words, noise)?),
            Contents::Words if spec.name == "clip_groups" => Fill::Words(
                self.update.clip.map(|clip| clip.groups(self.network)).unwrap_or_default(),
            ),
            Contents::Words if spec.name == "muon.groups" => {
                let matrices = self.network.muon_matrices(case.optimizer.1.keras);
                Fill::Words(block_groups(&matrices))
            }
            Contents::Words => {
                Fill::Words((0..words).map(|_| noise.bits() % self.resident_rows as u32).collect())
            }
            Contents::Steps => Fill::Steps(
                (0..words / STEP_WORDS)
                    .map(|row| {
                        let (step, member) = (row / case.members, row % case.members);
                        let short = (step + member) % 3;
                        let rows = case.rows.saturating_sub(short).max(1);
                        let loss = self.loss_of(member);
                        StepSettings { loss, ..step_settings(step, rows, 3) }
                    })
                    .collect(),
            ),
            Contents::Layers => Fill::Layers(
                (0..words / LAYER_WORDS)
                    .map(|i| {
                        let shape = &self.network.layers[i % self.network.layers.len()].shape;
                        let key = [noise.bits(), noise.bits()];
                        let settings = if shape.alpha_dropout {
                            LayerSettings::alpha_dropout(shape.dropout, key)
                        } else {
                            LayerSettings::dropout(shape.dropout, key)
                        };
                        LayerSettings { noise: shape.noise as f32, ..settings }
                    })
                    .collect(),
            ),
            Contents::State => Fill::State(
                (0..case.members)
                    .map(|member| MemberState {
                        cursor: (member % 2) as u32,
                        backward: (member % 2) as u32,
                        bad_step: if case.stopped && member + 1 == case.members { 9 } else { NONE },
                        ..MemberState::START
                    })
                    .collect(),
            ),
        })
    }

    fn reals(&self, spec: &BufferSpec, words: usize, noise: &mut Noise) -> Result<Vec<f64>> {
        let optimizer = self.case.optimizer.0;
        Ok(match spec.name.as_str() {
            "train.features" => {
                let mut values = noise.reals(words, -1.0, 1.0);
                for row in values.chunks_exact_mut(self.network.inputs) {
                    for own in &self.network.embeddings {
                        row[own.shape.column] = code(noise, own.shape.categories);
                    }
                }
                values
            }
            // `[members][embeddings][rows]`.
            "codes" => {
                let embeddings = &self.network.embeddings;
                let rows = words / embeddings.len() / self.case.members;
                let of_member = || embeddings.iter().map(|own| own.shape.categories);
                let categories = (0..self.case.members).flat_map(|_| of_member());
                categories
                    .flat_map(|categories| std::iter::repeat_n(categories, rows))
                    .map(|categories| code(noise, categories))
                    .collect()
            }
            "train.targets" => {
                let stride = self.target_width + usize::from(self.case.weighted);
                (0..words / stride).flat_map(|_| self.target(noise)).collect()
            }
            // Squares lie above the square of any mean.
            "moment1" if optimizer != "rmsprop" => noise.reals(words, 0.5, 1.5),
            "moment0" if ["rmsprop", "adagrad", "adadelta"].contains(&optimizer) => {
                noise.reals(words, 0.5, 1.5)
            }
            "moment2" if optimizer == "rmsprop" => noise.reals(words, -0.4, 0.4),
            "moment2" => noise.reals(words, 0.5, 1.5),
            // Sums of squares.
            "partials" | "muon.partials" => noise.reals(words, 0.0, 1.0),
            "block_settings" => block_settings(self.network, &self.update, noise)?,
            _ => noise.reals(words, -1.0, 1.0),
        })
    }

    /// Parameters of a member's loss, other than those of all; flags are as they are.
    fn loss_of(&self, member: usize) -> [f64; 4] {
        let mut own = [0.0; 4];
        let given = self.loss.values.iter().zip(self.loss.row.parameters);
        for (own, (value, parameter)) in own.iter_mut().zip(given) {
            let other = value * (1.0 - 0.2 * (member + 1) as f64) + 0.03 * (member + 1) as f64;
            *own = if parameter.range == Range::Flag { *value } else { f64::from(other as f32) };
        }
        own
    }

    /// What a row aims at.
    fn target(&self, noise: &mut Noise) -> Vec<f64> {
        let width = self.target_width;
        let mut row = match (self.classes, self.labels) {
            (true, _) if self.case.soft => shares(noise, width),
            (true, _) => vec![f64::from(noise.bits() % self.case.outputs as u32)],
            (_, true) => (0..width).map(|_| f64::from(noise.bits() % 2)).collect(),
            // Counts and logarithms want numbers above 0.
            _ => noise.reals(width, 0.1, 1.9),
        };
        if self.case.weighted {
            row.push(noise.real(0.25, 2.0));
        }
        row
    }
}

/// A code of a table of so many rows; now and then none of its.
fn code(noise: &mut Noise, categories: usize) -> f64 {
    match noise.bits() as usize % (categories + 1) {
        none if none == categories => -1.0,
        code => code as f64,
    }
}

/// Shares of 1.
fn shares(noise: &mut Noise, count: usize) -> Vec<f64> {
    let parts: Vec<f64> = (0..count).map(|_| f64::from(noise.bits() % 8) + 1.0).collect();
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|part| f64::from((part / sum) as f32)).collect()
}

/// Settings of every block of every member, each of which shows in a result: those of its tensor, as a
/// training has them.
fn block_settings(network: &Network, update: &Update, noise: &mut Noise) -> Result<Vec<f64>> {
    let tensors = network.tensors();
    let matrices = if update.orthogonalization.is_some() {
        network.muon_matrices(update.form.keras)
    } else {
        Vec::new()
    };
    let by_tensor = update.clip == Some(Clip::Norm);
    let mut settings = Vec::new();
    for member in 0..network.members {
        let own: Vec<[f64; 8]> = tensors
            .iter()
            .enumerate()
            .map(|(index, tensor)| {
                let matrix = matrices.iter().position(|matrix| matrix.name == tensor.name);
                let count = member * tensors.len() + index;
                let on = f64::from(count as u32 % 2);
                // One in seven is not trained.
                let rate = if count % 7 == 6 { 0.0 } else { noise.real(0.5, 1.5) };
                [
                    noise.real(0.0, 0.1),
                    noise.real(0.0, 0.1),
                    on,
                    rate,
                    f64::from(u8::from(matrix.is_some())),
                    if by_tensor { index as f64 } else { 0.0 },
                    matrix.unwrap_or(0) as f64,
                    0.0,
                ]
            })
            .collect();
        for element in (0..network.stride).step_by(BLOCK) {
            let tensor = network
                .tensor_at(element)
                .ok_or_else(|| Error::internal(format!("no tensor is at {element}")))?;
            let index = tensors.iter().position(|other| other.name == tensor.name).unwrap_or(0);
            settings.extend(own[index]);
        }
    }
    Ok(settings)
}

/// Settings of a step, of which every number shows in a result.
pub fn step_settings(step: usize, rows: usize, first_row: u32) -> StepSettings<f64> {
    let f = |x: f32| f64::from(x);
    StepSettings {
        first_row,
        rows: rows as u32,
        position: step as u32,
        batch: step as u32 + 4,
        step: step as u32 + 1,
        accumulates: step as u32 % 2,
        updates: 1,
        share: f((rows as f32).recip()),
        clip: f(0.4),
        average_rate: f(0.3),
        learning_rate: f(0.125),
        weight_decay: f(0.0625),
        epsilon: f(0.03),
        beta1: f(0.75),
        beta2: f(0.875),
        momentum: f(0.8),
        dampening: f(0.3),
        rho: f(0.85),
        coefficients: [f(0.4375), f(0.234_375), f(0.6), f(0.7)],
        ..StepSettings::default()
    }
}
