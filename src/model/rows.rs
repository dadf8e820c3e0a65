//! What each member says of each row, and how wrong that is.

use super::Model;
use crate::backend::Backend;
use crate::catalog::metric::Outputs;
use crate::config::data::Task;
use crate::data::Rows;
use crate::error::Result;
use crate::program::PassKind;
use crate::train::Logits;

/// The outputs of several members on the same rows.
#[derive(Debug, Clone, PartialEq)]
pub struct RowOutputs {
    /// The task.
    pub task: Task,
    /// Rows.
    pub rows: usize,
    /// Values of a prediction: classes (2 for a binary task), labels, or targets.
    pub width: usize,
    /// As those of [`Outputs`].
    pub targets: Vec<f64>,
    /// What each member says.
    pub members: Vec<MemberOutputs>,
}

/// The outputs of one member.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemberOutputs {
    /// As those of [`Outputs`].
    pub predictions: Vec<f64>,
    /// The loss of each row, whatever the row counts.
    pub losses: Vec<f64>,
}

impl RowOutputs {
    /// The outputs of one of the members, as metrics take them.
    pub fn outputs<'a>(&'a self, member: &'a MemberOutputs) -> Outputs<'a> {
        Outputs {
            task: self.task,
            rows: self.rows,
            width: self.width,
            predictions: &member.predictions,
            targets: &self.targets,
        }
    }
}

impl Model {
    /// What the first `members` members say of encoded rows with targets.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn row_outputs(
        &self,
        rows: Rows,
        members: usize,
        backend: &dyn Backend,
    ) -> Result<RowOutputs> {
        let settings = self.config.validate(std::path::Path::new("."))?;
        let task = settings.fit_task(self.preprocessing.task())?;
        let interpreter = self.interpreter()?;
        let outputs = self.network.outputs();
        let count = rows.rows;
        let target_width = self.preprocessing.target_width();
        let encoded = rows.targets.clone();
        let mut targets = Vec::new();
        encoded.chunks_exact(target_width).for_each(|own| interpreter.targets(own, &mut targets));
        let mut said = vec![MemberOutputs::default(); members.min(self.network.members)];
        if count > 0 {
            let (mut executor, plan, feed) = self.load_pass(rows, PassKind::Predict, backend)?;
            let logits = Logits::of(&plan, &self.network)?;
            let mut next = encoded.chunks_exact(target_width);
            feed.run_each(count, executor.as_mut(), &mut |executor, rows| {
                let read = logits.read(executor)?;
                for (row, own) in next.by_ref().take(rows).enumerate() {
                    let own: Vec<f64> = own.iter().map(|target| f64::from(*target)).collect();
                    for (member, said) in said.iter_mut().enumerate() {
                        let values = logits.row(&read, member, row);
                        said.predictions.extend(interpreter.interpret(values));
                        said.losses.push((task.loss.row.double)(
                            values,
                            &own,
                            &mut [],
                            task.loss.values,
                        ));
                    }
                }
                Ok(())
            })?;
        }
        let width = interpreter.width(outputs);
        Ok(RowOutputs { task: task.task, rows: count, width, targets, members: said })
    }
}
