//! Targets and weights of rows whose preprocessing is fitted.

use std::path::Path;

use super::Encoder;
use super::cells::{field, not_finite};
use crate::data::cell::{Cell, Fault, check_distribution, check_probability, check_weight, quoted};
use crate::data::labels_apart::read_labels;
use crate::data::preprocessing::{LabelValues, TargetEncoding};
use crate::data::read::Chunk;
use crate::data::table::listed;
use crate::error::{Error, Place, Result};

impl Encoder<'_> {
    pub(super) fn targets(&self, chunk: &Chunk, rows: &[usize]) -> Result<Vec<f32>> {
        let mut targets = Vec::with_capacity(rows.len() * self.preprocessing.target_width());
        for row in rows {
            for (target, column) in self.matched.targets.iter().enumerate() {
                let field = field(chunk, &self.schema, *column, *row);
                let value = self.target(target, &field);
                targets.push(value.map_err(|fault| self.fault(chunk, *row, *column, fault))?);
            }
            self.whole_row(&targets).map_err(|fault| {
                Error::data(&chunk.file, chunk.place(*row, None), fault.problem)
                    .with_help(fault.help)
            })?;
        }
        Ok(targets)
    }

    pub(super) fn weights(&self, chunk: &Chunk, rows: &[usize], column: usize) -> Result<Vec<f32>> {
        rows.iter()
            .map(|row| {
                let field = field(chunk, &self.schema, column, *row);
                let weight = self.number(&field).and_then(|weight| check_weight(weight, &field));
                let weight = weight.map_err(|fault| self.fault(chunk, *row, column, fault))?;
                Ok(weight as f32)
            })
            .collect()
    }

    fn target(&self, at: usize, field: &str) -> Result<f32, Fault> {
        match &self.preprocessing.target.encoding {
            TargetEncoding::Classes { classes } => {
                // A class index is at most 10,000, which f32 holds exactly.
                self.class(0, field)?.map(|class| class as f32).ok_or_else(|| Fault {
                    problem: format!("the training data has no class {}", quoted(field)),
                    help: format!("its classes: {}", listed(classes)),
                })
            }
            TargetEncoding::Labels { values } => {
                self.class(at, field)?.map(|code| code as f32).ok_or_else(|| Fault {
                    problem: format!("{} is neither of the label's values", quoted(field)),
                    help: values.get(at).map_or_else(String::new, |values| {
                        let LabelValues { negative, positive } = values;
                        format!("they are {} and {}", quoted(negative), quoted(positive))
                    }),
                })
            }
            TargetEncoding::Distribution => {
                check_probability(self.number(field)?, field).map(|share| share as f32)
            }
            TargetEncoding::Numbers { scales } => {
                let scale = scales.get(at).copied().unwrap_or(crate::data::Scale::IDENTITY);
                let scaled = scale.apply(self.number(field)?);
                if scaled.is_finite() { Ok(scaled) } else { Err(not_finite(field)) }
            }
        }
    }

    /// The index of a class, or of a label's value.
    fn class(&self, at: usize, field: &str) -> Result<Option<usize>, Fault> {
        if Cell::of(field) == Cell::Missing {
            return Err(self.missing(field));
        }
        Ok(self.classes.get(at).and_then(|labels| labels.find(field)))
    }

    /// Checks what only a whole row of targets shows, the last of those read.
    fn whole_row(&self, targets: &[f32]) -> Result<(), Fault> {
        if self.preprocessing.target.encoding != TargetEncoding::Distribution {
            return Ok(());
        }
        let start = targets.len().saturating_sub(self.preprocessing.target.names.len());
        check_distribution(targets[start..].iter().map(|share| f64::from(*share)))
    }

    fn number(&self, field: &str) -> Result<f64, Fault> {
        match Cell::of(field) {
            Cell::Number(number) => Ok(number),
            Cell::Missing => Err(self.missing(field)),
            Cell::NotFinite => Err(Fault::not_finite(field)),
            Cell::Text => {
                Err(Fault::text(field, "the column was numeric in the training data".to_owned()))
            }
        }
    }

    fn missing(&self, field: &str) -> Fault {
        Fault::missing_target(field)
    }

    pub(in crate::data) fn labels(&self, labels: &Path, rows: usize) -> Result<Vec<f32>> {
        if self.preprocessing.target.names.len() != 1 {
            let problem = "a file of labels gives one target, and the model has several";
            return Err(Error::data(labels, Place::default(), problem));
        }
        let mut targets = Vec::new();
        read_labels(labels, rows, &self.file, &mut |schema, chunk| {
            for row in 0..chunk.rows {
                let target = self.target(0, &field(chunk, schema, 0, row)).map_err(|fault| {
                    Error::data(labels, chunk.place(row, None), fault.problem).with_help(fault.help)
                })?;
                targets.push(target);
            }
            Ok(())
        })?;
        Ok(targets)
    }
}
