//! Which of a file's columns are the model's: by name where both have names, else by position.

use super::{Encoder, Matched, Wanted};
use crate::data::preprocessing::Preprocessing;
use crate::data::table::{listed, names};
use crate::error::{Error, Place, Result, did_you_mean};

impl Encoder<'_> {
    pub(super) fn matching(&self, wanted: Wanted) -> Result<Matched> {
        let names = names(&self.schema);
        let named = self.schema.header.then_some(&names[..]);
        let mut matched = self.match_columns(named, names.len(), self.with_targets)?;
        let Preprocessing { target, weight, .. } = self.preprocessing;
        if self.with_targets && matched.targets.len() != target.names.len() {
            return Err(self.no_targets());
        }
        match (wanted, weight) {
            (Wanted::Targets { weights: true, .. }, Some(weight)) if matched.weight.is_none() => {
                return Err(self.no_weights(&weight.name));
            }
            (Wanted::Targets { .. }, _) => {}
            (Wanted::Features, _) => matched.weight = None,
        }
        Ok(matched)
    }

    /// Finds the model's columns in a file of `width` columns: by name where both have names,
    /// else by position. Targets are empty where the file lacks them.
    fn match_columns(
        &self,
        names: Option<&[String]>,
        width: usize,
        with_targets: bool,
    ) -> Result<Matched> {
        match names {
            Some(names) if self.preprocessing.header => self.match_names(names),
            _ => self.match_positions(width, with_targets),
        }
    }

    fn match_names(&self, names: &[String]) -> Result<Matched> {
        let Preprocessing { inputs, target, weight, .. } = self.preprocessing;
        let places: std::collections::HashMap<&str, usize> =
            names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let found: Result<Vec<usize>> = inputs
            .iter()
            .map(|input| {
                let index = places.get(input.name.as_str()).copied();
                index.ok_or_else(|| {
                    let near = did_you_mean(&input.name, names.iter().map(String::as_str));
                    let near = near.map(|near| format!("is {near:?} meant? ")).unwrap_or_default();
                    let problem = format!("no column {:?}, which the model needs", input.name);
                    Error::data(&self.file, Place::default(), problem)
                        .with_help(format!("{near}the file's columns: {}", listed(names)))
                })
            })
            .collect();
        let targets = target.names.iter().filter_map(|name| places.get(name.as_str()).copied());
        let weight = weight.as_ref().and_then(|weight| places.get(weight.name.as_str()).copied());
        Ok(Matched { inputs: found?, targets: targets.collect(), weight })
    }

    /// The training file's columns by position, some of them left out: the targets, unless they
    /// are wanted, the weights, or both.
    fn match_positions(&self, width: usize, with_targets: bool) -> Result<Matched> {
        let Preprocessing { inputs, target, columns, weight, .. } = self.preprocessing;
        let targets = target.indices.as_slice();
        let weight: Vec<usize> = weight.iter().map(|weight| weight.index).collect();
        let both = [targets, &weight].concat();
        let left_out: [&[usize]; 4] = [&[], targets, &weight, &both];
        let mut found: Vec<Matched> = Vec::new();
        for without in left_out {
            let has_targets = targets.iter().all(|target| !without.contains(target));
            if width != columns.saturating_sub(without.len()) || (with_targets && !has_targets) {
                continue;
            }
            let place = |index: &usize| index - without.iter().filter(|out| *out < index).count();
            let kept = |all: &[usize]| -> Vec<usize> {
                all.iter().filter(|index| !without.contains(index)).map(place).collect()
            };
            let inputs: Vec<usize> = inputs.iter().map(|input| place(&input.index)).collect();
            let matched =
                Matched { inputs, targets: kept(targets), weight: kept(&weight).first().copied() };
            if found.iter().all(|other| other.inputs != matched.inputs) {
                found.push(matched);
            }
        }
        if found.len() > 1 {
            let problem = format!("{width} columns lack the target or the weights: which of them?");
            return Err(Error::data(&self.file, Place::default(), problem).with_help(format!(
                "give all {columns} columns of the training data, or a header"
            )));
        }
        if let Some(matched) = found.pop() {
            return Ok(matched);
        }
        if width == inputs.len() {
            let inputs = (0..width).collect();
            return Ok(Matched { inputs, targets: Vec::new(), weight: None });
        }
        let without = columns.saturating_sub(targets.len());
        let or = if without < *columns {
            format!(", or {without} without the target")
        } else {
            String::new()
        };
        let problem =
            format!("expected {columns} columns as in the training data{or}, found {width}");
        let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
        Err(Error::data(&self.file, Place::default(), problem)
            .with_help(format!("the model's inputs, in order: {}", listed(&names))))
    }

    fn no_weights(&self, name: &str) -> Error {
        let problem = format!("no column {name:?}, which holds the weights of the training rows");
        Error::data(&self.file, Place::default(), problem).with_help(
            "the rows that a run holds out need weights as well: 1 where all count alike",
        )
    }

    fn no_targets(&self) -> Error {
        let names = listed(&self.preprocessing.target.names);
        let problem = format!("no target column: expected {names}");
        Error::data(&self.file, Place::default(), problem)
            .with_help("rows without a target can be predicted, not scored")
    }
}
