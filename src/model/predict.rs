//! Using a model: predictions and scores of new rows, on any backend.

use std::sync::Arc;

use super::Model;
use crate::backend::{Backend, Executor};
use crate::catalog::metric::Outputs;
use crate::catalog::metric::classes::confusion_matrix;
use crate::config::TaskSettings;
use crate::config::data::Task;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::program::{LayerSettings, MemberState, PassKind, Plan, PlanRequest, Precision};
use crate::train::{
    DeviceSet, Feed, Fit, Interpreter, Logits, PassLog, Scorer, Scores, SetOutputs, Shuffle, Tally,
    evaluation_batch, tally_together, terms_of,
};

/// Outputs in all up to which a confusion matrix is made unasked.
const CONFUSION_VALUES: usize = 1 << 24;

/// How well a model does on some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Loss and metrics of the model as [`Model::predict`] has it: of the members' averaged probabilities or
    /// predictions. Of one member, its own.
    pub ensemble: Scores,
    /// Rows that are of class i (first index) and are taken for class j by that model. Empty where there are no
    /// classes, or too many rows and classes.
    pub ensemble_confusion: Vec<Vec<u64>>,
    /// Each member's loss and metrics.
    pub scores: Vec<Scores>,
    /// Each member's confusion matrix, or none.
    pub confusion: Vec<Vec<Vec<u64>>>,
}

/// What a model says of some rows, averaged over its members.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// Rows.
    pub rows: usize,
    /// Columns of `values`: classes, labels, or targets.
    pub width: usize,
    /// `[rows, width]`: probabilities of each class or label, or predictions in the user's units.
    pub values: Vec<f64>,
    /// `[rows, width]`: the standard deviation of each value over the members. Empty of one member.
    pub spread: Vec<f64>,
    /// `[rows]`: of classes, how much a row's class and the choice of a member tell of each other, in nats: the
    /// entropy of the mean probabilities less the mean entropy of the members'. It is the part of the
    /// uncertainty that more data would take away; 0 where the members agree. Of labels, the sum over them. Empty
    /// of one member, and of numbers.
    ///
    /// Source: Depeweg et al. 2018, "Decomposition of uncertainty in Bayesian deep learning for efficient and
    /// risk-sensitive learning", section 3.
    pub mutual_information: Vec<f64>,
}

impl Predictions {
    /// The index of the likeliest class of each row.
    pub fn classes(&self) -> Vec<usize> {
        self.values
            .chunks_exact(self.width)
            .map(|row| (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }))
            .collect()
    }

    /// The indices of each row's labels: those whose probability is above a half.
    pub fn labels(&self) -> Vec<Vec<usize>> {
        self.values
            .chunks_exact(self.width)
            .map(|row| (0..row.len()).filter(|label| row[*label] > 0.5).collect())
            .collect()
    }
}

impl Model {
    /// Predicts encoded rows, with the members' spread.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn predict(&self, rows: Rows, backend: &dyn Backend) -> Result<Predictions> {
        let width = self.interpreter()?.width(self.network.outputs());
        let mut all = Predictions { width, ..Predictions::default() };
        if rows.rows == 0 {
            return Ok(all);
        }
        let mut predictor = self.predictor(backend, Some(rows.rows))?.with_spread();
        rows.each_piece(&mut |features| {
            let piece = predictor.predict(features)?;
            all.rows += piece.rows;
            all.values.extend(piece.values);
            all.spread.extend(piece.spread);
            all.mutual_information.extend(piece.mutual_information);
            Ok(())
        })?;
        Ok(all)
    }

    /// Refuses a single network where the spread is asked for: it has none.
    ///
    /// # Errors
    /// That refusal.
    pub(crate) fn check_spread(&self) -> Result<()> {
        if self.network.members > 1 {
            return Ok(());
        }
        Err(Error::usage("the model is a single network, which has no spread")
            .with_help("train several with members=8, say"))
    }

    /// Scores encoded rows with targets.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn evaluate(&self, rows: Rows, backend: &dyn Backend) -> Result<Evaluation> {
        let settings = self.config.validate(std::path::Path::new("."))?;
        let task = settings.fit_task(self.preprocessing.task())?;
        let (mut executor, plan, feed) = self.load_pass(rows, PassKind::Evaluate, backend)?;
        let (members, outputs) = (self.network.members, self.network.outputs());
        let (interpreter, scorer) = (self.interpreter()?, self.scorer(&task));
        let has_classes = matches!(task.task, Task::Classification | Task::Binary);
        let mut together = Tally::new(&scorer, &interpreter, feed.collects && has_classes);
        if members > 1 {
            let logits = Logits::of(&plan, &self.network)?;
            tally_together(&feed, executor.as_mut(), logits, &mut together)?;
        } else {
            feed.run(executor.as_mut(), None, &|_| false)?;
        }
        let mut wanted = vec![(feed.log()?, feed.batches.steps() * members * plan.statistics)];
        if let Some(collected) = feed.collected()? {
            wanted.push((collected, feed.batches.covered() * members * outputs));
        }
        let mut read = executor.read(&wanted)?.into_iter().map(|read| read.into_reals());
        let log = read.next().unwrap_or_default();
        let collected = read.next().unwrap_or_default();
        let width = interpreter.width(outputs);
        let rows_of =
            |member: usize| interpreter.of_member(&feed, member, &collected, None, outputs);
        let matrix = |(targets, predictions): &(Vec<f64>, Vec<f64>)| {
            let (task, rows) = (task.task, targets.len());
            confusion_matrix(&Outputs { task, rows, width, predictions, targets })
        };
        let mut confusion: Vec<_> = Vec::new();
        if feed.collects && has_classes {
            confusion.extend((0..members).map(|member| matrix(&rows_of(member))));
        }
        let mut of_member = |member: usize| Ok(rows_of(member));
        let given = feed.collects.then_some(SetOutputs { width, of_member: &mut of_member });
        let covered = vec![feed.batches.covered(); members];
        let pass = PassLog {
            log: &log,
            width: plan.statistics,
            steps: feed.batches.steps(),
            covered: &covered,
            variances: feed.variances(),
            divisors: &vec![feed.batches.covered() as f64; members],
        };
        let scores = scorer.scores(&pass, given)?;
        let (ensemble, ensemble_confusion) = match scores.as_slice() {
            [one] => (one.clone(), confusion.first().cloned().unwrap_or_default()),
            _ => {
                let matrix = matrix(together.collected());
                (together.scores(&feed.set)?, matrix)
            }
        };
        Ok(Evaluation { ensemble, ensemble_confusion, scores, confusion })
    }

    fn scorer(&self, task: &TaskSettings) -> Scorer {
        let scale =
            self.preprocessing.target_scale().iter().map(|(_, deviation)| *deviation).collect();
        Scorer::new(task.task, &task.metrics, self.preprocessing.target_width(), scale)
    }

    /// What the network's outputs mean.
    pub(super) fn interpreter(&self) -> Result<Interpreter> {
        let settings = self.config.validate(std::path::Path::new("."))?;
        let task = settings.fit_task(self.preprocessing.task())?;
        Ok(Interpreter {
            task: task.task,
            loss: task.loss,
            target_scale: self.preprocessing.target_scale(),
        })
    }

    /// Loads the model and one pass over the rows.
    pub(super) fn load_pass(
        &self,
        rows: Rows,
        kind: PassKind,
        backend: &dyn Backend,
    ) -> Result<(Box<dyn Executor>, Plan, Feed)> {
        let settings = self.config.validate(std::path::Path::new("."))?;
        let task = settings.fit_task(self.preprocessing.task())?;
        let members = self.network.members;
        let batch = evaluation_batch(members, 1);
        let width = self.preprocessing.target_width();
        let fit = Fit {
            capacity: backend.capacity(),
            precision: Precision::F32,
            largest_batch: batch,
            shuffle: Shuffle::Never,
        };
        let set = DeviceSet::new("data", rows.into(), self.network.inputs, width, fit)?;
        let set = Arc::new(set);
        let classes = matches!(task.task, Task::Classification | Task::Binary);
        let values = set.rows.saturating_mul(self.network.outputs()).saturating_mul(members);
        let wants = self.scorer(&task).needs_outputs() || classes && values <= CONFUSION_VALUES;
        let collects = kind == PassKind::Evaluate && wants;
        let mut feed = Feed::new(&set, kind, batch, false, members).collecting(collects);
        let plan = Plan::new(&PlanRequest {
            network: &self.network,
            loss: task.loss,
            terms: terms_of(&task.metrics, task.task),
            target_width: width,
            update: None,
            gradient_statistics: false,
            fuses: false,
            precision: Precision::F32,
            splits: false,
            passes: vec![feed.pass()],
        })?;
        let mut executor = backend.load(&plan)?;
        let wide: Vec<f64> = self.parameters.iter().map(|w| f64::from(*w)).collect();
        executor.write_reals(plan.buffer("parameters")?, &wide)?;
        let layers = vec![LayerSettings::plain(); members * self.network.layers.len()];
        executor.write_layers(plan.buffer("layers")?, &layers)?;
        feed.prepare(&plan, executor.as_mut())?;
        executor.write_state(feed.state()?, &vec![MemberState::START; members])?;
        Ok((executor, plan, feed))
    }
}
