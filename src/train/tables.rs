//! What is uploaded once: the layer table, the settings of each block of parameters, the groups
//! that norms are taken of, the moments' starting values.

use std::sync::Arc;

use super::member::Member;
use super::run::Run;
use crate::config::{Settings, WeightSettings};
use crate::error::Result;
use crate::kernels::gradient_statistics::BLOCK;
use crate::kernels::optimizer_step::BLOCK_SETTINGS;
use crate::network::{Tensor, TensorKind};
use crate::program::{Clip, LayerSettings, block_groups};
use crate::random::{Purpose, stream_key};

impl Run<'_> {
    /// Dropout and noise of each layer of each member: `[members][layers]`.
    pub(super) fn layer_table(&self) -> Vec<LayerSettings> {
        let mut table = Vec::new();
        for member in &self.members {
            let Member { settings, stream, .. } = member;
            for i in 0..self.network.layers.len() {
                let key = stream_key(settings.seed, Purpose::Dropout, i as u32, *stream);
                table.push(match settings.model.layers.get(i) {
                    Some(layer) if layer.alpha_dropout => LayerSettings {
                        noise: layer.noise as f32,
                        ..LayerSettings::alpha_dropout(layer.dropout, key)
                    },
                    Some(layer) => LayerSettings {
                        noise: layer.noise as f32,
                        ..LayerSettings::dropout(layer.dropout, key)
                    },
                    // The output layer has none.
                    None => LayerSettings::dropout(0.0, key),
                });
            }
        }
        table
    }

    /// The matrices that the optimizer orthogonalises.
    fn orthogonalised(&self) -> Vec<Tensor> {
        let optimizer = &self.settings.optimizer;
        if optimizer.row.orthogonalises() {
            self.network.muon_matrices(optimizer.form.keras)
        } else {
            Vec::new()
        }
    }

    /// The settings of each block of 64 parameters: see `kernels::optimizer_step`.
    pub(super) fn block_settings(&self) -> Vec<f64> {
        let mut all: Vec<f64> = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            match self.members[..at].last() {
                Some(before) if Arc::ptr_eq(&before.settings, &member.settings) => {
                    all.extend_from_within(
                        all.len() - self.network.stride / BLOCK * BLOCK_SETTINGS..,
                    );
                }
                _ => all.extend(self.blocks_of(&member.settings)),
            }
        }
        all
    }

    /// Those of one member.
    fn blocks_of(&self, settings: &Settings) -> Vec<f64> {
        let mut one = vec![0.0; self.network.stride / BLOCK * BLOCK_SETTINGS];
        let optimizer = &settings.optimizer;
        let numbers = &optimizer.hyperparameters;
        let matrices = self.orthogonalised();
        let clips_tensors = matches!(optimizer.clip, Some((Clip::Norm, _)));
        for (index, tensor) in self.network.tensors().iter().enumerate() {
            let model = &settings.model;
            let of_layer =
                |layer: usize| model.layers.get(layer).map_or(model.output.weights, |l| l.weights);
            // Tables of embeddings are no layer's: nothing is asked of them.
            let weights = tensor.layer.map_or(WeightSettings::PLAIN, of_layer);
            let regularised = f64::from(u8::from(tensor.kind == TensorKind::Weight));
            let is_weight = matches!(tensor.kind, TensorKind::Weight | TensorKind::Embedding);
            let decays = is_weight || optimizer.decay_biases;
            let matrix = matrices.iter().position(|matrix| matrix.name == tensor.name);
            // Muon's table holds a decay of 1, its blocks hold their own. What it leaves to AdamW
            // decays by AdamW's rate (torch), or by Muon's (Keras).
            let (decay, rate) = match (optimizer.row.orthogonalises(), matrix) {
                (false, _) => (1.0, 1.0),
                (true, Some(_)) => (numbers.weight_decay, 1.0),
                (true, None) => {
                    let rate = match numbers.adam_learning_rate {
                        0.0 => 1.0,
                        own => own / numbers.learning_rate,
                    };
                    let shared = if optimizer.form.keras { rate } else { 1.0 };
                    (numbers.adam_weight_decay / shared, rate)
                }
            };
            let trained = f64::from(u8::from(tensor.kind.is_trained()));
            let of_block = [
                weights.l1 * regularised,
                settings.l2_gradient_coefficient(weights.l2) * regularised,
                if decays { decay } else { 0.0 },
                weights.learning_rate_factor * rate * trained,
                f64::from(u8::from(matrix.is_some())),
                if clips_tensors { index as f64 } else { 0.0 },
                matrix.unwrap_or(0) as f64,
                0.0,
            ];
            let first = tensor.offset / BLOCK;
            let last = (tensor.offset + tensor.length).div_ceil(BLOCK);
            for block in one[first * BLOCK_SETTINGS..last * BLOCK_SETTINGS]
                .as_chunks_mut::<BLOCK_SETTINGS>()
                .0
            {
                *block = of_block;
            }
        }
        one
    }

    /// Groups of blocks whose norms are taken, by the buffers that hold them.
    pub(super) fn norm_groups(&self) -> Vec<(&'static str, Vec<u32>)> {
        let optimizer = self.settings.optimizer;
        let mut all = Vec::new();
        if let Some((clip, _)) = optimizer.clip {
            all.push(("clip_groups", clip.groups(&self.network)));
        }
        if optimizer.row.orthogonalises() {
            all.push(("muon.groups", block_groups(&self.orthogonalised())));
        }
        all.retain(|(_, groups)| !groups.is_empty());
        all
    }

    /// Groups of blocks whose norms are taken, and moments that do not start from 0.
    pub(super) fn upload_optimizer(&mut self) -> Result<()> {
        let optimizer = self.settings.optimizer;
        for (name, groups) in self.norm_groups() {
            self.executor.write_words(self.plan.buffer(name)?, &groups)?;
        }
        let kept = (optimizer.row.moments)(optimizer.form);
        for (i, kept) in kept.into_iter().enumerate() {
            let initial: Vec<f64> =
                self.members.iter().map(|member| member.initial_moments()[i]).collect();
            if kept && initial.iter().any(|value| *value != 0.0) {
                let buffer = self.plan.buffer(&format!("moment{i}"))?;
                let of_member = |value: f64| std::iter::repeat_n(value, self.network.stride);
                let values: Vec<f64> = initial.into_iter().flat_map(of_member).collect();
                self.executor.write_reals(buffer, &values)?;
            }
        }
        Ok(())
    }
}
