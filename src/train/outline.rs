//! A training's passes and its plan, before a device is asked to hold them.

use std::sync::Arc;

use super::ahead::{RunAhead, Snapshot};
use super::member::Member;
use super::outputs::Interpreter;
use super::probe::MOST_PARAMETERS;
use super::sets::Sets;
use super::{DeviceSet, Feed, Scorer, Shares, terms_of};
use crate::backend::Capacity;
use crate::catalog::schedule::reduce_on_plateau::ReduceOnPlateau;
use crate::config::{Settings, TaskSettings};
use crate::error::Result;
use crate::network::Network;
use crate::program::{BufferId, Contents, PassKind, Plan, PlanRequest};

/// A training's passes and its plan, before a device is asked to hold them.
pub(super) struct Outline {
    pub(super) network: Network,
    pub(super) train: Feed,
    pub(super) evaluations: Vec<Feed>,
    pub(super) has_validation: bool,
    pub(super) scorer: Scorer,
    pub(super) interpreter: Interpreter,
    pub(super) plan: Plan,
    pub(super) plateaus: Vec<ReduceOnPlateau>,
    pub(super) run_ahead: RunAhead,
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) before_last_step: Option<BufferId>,
    pub(super) parameters: BufferId,
    /// The weights that are evaluated.
    pub(super) weights: BufferId,
}

impl Outline {
    /// That of a training with those members on a device of that capacity.
    pub(super) fn new(
        settings: &Settings,
        own: &[Member],
        task: &TaskSettings,
        sets: &Sets,
        capacity: Capacity,
        run_ahead: RunAhead,
        observes: bool,
    ) -> Result<Self> {
        let members = own.len();
        let Sets { network, width, batch, evaluated, shuffle, .. } = sets;
        let (network, width) = (network.clone(), *width);
        let precision = settings.training.precision;
        let target_scale = sets.target_scale.clone();
        let deviations = target_scale.iter().map(|(_, deviation)| *deviation).collect();
        let scorer = Scorer::new(task.task, &task.metrics, width, deviations);
        let interpreter = Interpreter { task: task.task, loss: task.loss, target_scale };

        let drop_last = settings.training.drop_last;
        let collects = scorer.needs_outputs();
        let feed = |set: &Arc<DeviceSet>, kind, batch, drop_last| {
            Feed::new(set, kind, batch, drop_last, members).collecting(collects)
        };
        let train = feed(&sets.train, PassKind::Train, *batch, drop_last);
        let mut train = train.in_windows(sets.train.window(*shuffle));
        let evaluate = |set: &Arc<DeviceSet>| feed(set, PassKind::Evaluate, *evaluated, false);
        let has_validation = sets.validation.is_some() || sets.folds.is_some();
        let mut evaluations = Vec::new();
        let mut of_train = evaluate(&sets.train);
        if let Some(folds) = &sets.folds {
            train = train.sharing("train", Shares::trained(folds));
            of_train = of_train.sharing("train", Shares::trained(folds));
            let validated = Shares::validated(folds);
            evaluations.push(evaluate(&sets.train).sharing("validation", validated));
        }
        evaluations.extend(sets.validation.as_ref().map(evaluate));
        evaluations.push(of_train);
        evaluations.extend(sets.test.as_ref().map(evaluate));

        let mut update = settings.update();
        update.by_block |= own.iter().any(|member| member.settings.update().by_block);
        let request = PlanRequest {
            network: &network,
            loss: task.loss,
            terms: terms_of(&task.metrics, task.task),
            target_width: width,
            update: Some(update),
            gradient_statistics: settings.log_every_steps > 0,
            fuses: capacity.fuses && settings.training.accumulate == 1 && !train.is_uneven(),
            precision,
            splits: capacity.splits,
            passes: std::iter::once(&train).chain(&evaluations).map(Feed::pass).collect(),
        };
        let mut plan = Plan::within(&request, capacity.buffer_bytes)?;
        let evaluated_name = match settings.training.average {
            Some(_) => "average_parameters",
            None => "parameters",
        };
        let plateaus: Vec<_> = own.iter().filter_map(|own| own.plateau(task)).collect();
        let (parameters, weights) = (plan.buffer("parameters")?, plan.buffer(evaluated_name)?);
        let run_ahead = match run_ahead {
            // The rate of the next epoch depends on the verdict.
            _ if !plateaus.is_empty() => RunAhead::Never,
            RunAhead::WhereItPays if !capacity.queues => RunAhead::Never,
            asked => asked,
        };
        let mut snapshots = Vec::new();
        if run_ahead != RunAhead::Never {
            snapshots.push(Snapshot::plan(&mut plan, parameters));
            if weights != parameters {
                snapshots.push(Snapshot::plan(&mut plan, weights));
            }
        }
        let observes =
            observes && settings.histograms_every > 0 && network.stride <= MOST_PARAMETERS;
        let before_last_step = observes.then(|| {
            let words = members * network.stride;
            plan.add("parameters.before_last_step", Contents::Reals, words)
        });
        Ok(Self {
            network,
            train,
            evaluations,
            has_validation,
            scorer,
            interpreter,
            plan,
            plateaus,
            run_ahead,
            snapshots,
            before_last_step,
            parameters,
            weights,
        })
    }
}
