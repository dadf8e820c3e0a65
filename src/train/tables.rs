//! What is uploaded once: the layer table, the settings of each block of parameters, the groups
//! that norms are taken of, the moments' starting values.

use super::run::Run;
use crate::config::WeightSettings;
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
        for member in 0..self.network.members {
            for (i, layer) in self.network.layers.iter().enumerate() {
                let key = stream_key(self.settings.seed, Purpose::Dropout, i as u32, member as u32);
                let shape = &layer.shape;
                let settings = if shape.alpha_dropout {
                    LayerSettings::alpha_dropout(shape.dropout, key)
                } else {
                    LayerSettings::dropout(shape.dropout, key)
                };
                table.push(LayerSettings { noise: shape.noise as f32, ..settings });
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
        let mut one = vec![0.0; self.network.stride / BLOCK * BLOCK_SETTINGS];
        let optimizer = &self.settings.optimizer;
        let numbers = &optimizer.hyperparameters;
        let matrices = self.orthogonalised();
        let clips_tensors = matches!(optimizer.clip, Some((Clip::Norm, _)));
        for (index, tensor) in self.network.tensors().iter().enumerate() {
            let model = &self.settings.model;
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
            let settings = [
                weights.l1 * regularised,
                self.settings.l2_gradient_coefficient(weights.l2) * regularised,
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
                *block = settings;
            }
        }
        one.repeat(self.network.members)
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
        let initial = (optimizer.row.initial)(&optimizer.hyperparameters);
        let kept = (optimizer.row.moments)(optimizer.form);
        for (i, (value, kept)) in initial.into_iter().zip(kept).enumerate() {
            if kept && value != 0.0 {
                let buffer = self.plan.buffer(&format!("moment{i}"))?;
                let values = vec![value; self.network.members * self.network.stride];
                self.executor.write_reals(buffer, &values)?;
            }
        }
        Ok(())
    }
}
