//! A plan, and the contents of all its buffers.

use super::Case;
use super::fill::{Fill, Filling, Noise};
use crate::backend::{Contained, Executor};
use crate::catalog::activation::ActivationSettings;
use crate::catalog::loss::LossSettings;
use crate::catalog::optimizer::Convention;
use crate::catalog::{activation, loss, metric, optimizer};
use crate::config::data::Task;
use crate::error::{Error, Result};
use crate::network::{LayerShape, Network};
use crate::program::{
    BufferId, BufferSpec, Contents, MemberState, Pass, PassKind, Plan, PlanRequest, Program,
    StepSettings, Update,
};

/// A plan of one training pass, and the contents of all its buffers. Outputs begin as noise, so that
/// "wrote nothing" shows.
#[derive(Debug, Clone)]
pub struct Scene {
    /// What it is made of, for people.
    pub name: String,
    /// The network.
    pub network: Network,
    /// The plan, of which the first program is the training pass.
    pub plan: Plan,
    /// What each buffer holds.
    pub fills: Vec<Fill>,
}

/// The row of a name, or whose fault it is that there is none.
fn known<T>(row: Option<T>, name: &str) -> Result<T> {
    row.ok_or_else(|| Error::internal(format!("a scene names {name:?}, which is not there")))
}

impl Scene {
    /// A scene of a training pass. Members differ in their rows, and stand at different steps.
    ///
    /// # Errors
    /// When the case is none that a plan can be made of.
    pub fn new(case: &Case) -> Result<Self> {
        Self::with_layers(case, &|_, layer| (case.layer)(layer))
    }

    /// The same, with hidden layers that `layer` makes of their index and their plain shape.
    ///
    /// # Errors
    /// When the case is none that a plan can be made of.
    pub fn with_layers(
        case: &Case,
        layer: &dyn Fn(usize, LayerShape) -> LayerShape,
    ) -> Result<Self> {
        let row = known(activation::find(case.activation), case.activation)?;
        let activation = ActivationSettings::new(row, Convention::Torch);
        let hidden: Vec<LayerShape> = case
            .hidden
            .iter()
            .enumerate()
            .map(|(index, units)| {
                let plain = LayerShape::new(*units, activation);
                layer(index, LayerShape { dropout: case.dropout, ..plain })
            })
            .collect();
        let row = known(loss::find(case.loss), case.loss)?;
        let mut loss = LossSettings::new(row, Convention::Torch);
        if let Some(values) = case.loss_values {
            loss.values = values;
        }
        loss.by_member = case.loss_by_member;
        let outputs = case.outputs * row.outputs_per_target();
        let output = (case.output)(LayerShape::new(outputs, ActivationSettings::linear()));
        let mut network =
            Network::embedded(case.members, case.inputs, &case.embeddings, &hidden, output)?;
        if network.heads > 1 {
            network.heads = case.members / case.networks;
        }
        let classes = row.tasks.contains(&Task::Classification);
        let labels = row.tasks.contains(&Task::Binary);
        let target_width = if classes && !case.soft { 1 } else { case.outputs };
        let terms = match (classes, labels && case.outputs > 1) {
            (_, true) => Vec::new(),
            _ if classes || labels => vec![&metric::TERMS[0], &metric::TERMS[1]],
            _ => vec![&metric::TERMS[2], &metric::TERMS[3]],
        };
        let resident_rows = case.rows * 2 + 3;
        let (name, form) = case.optimizer;
        let update = (case.update)(Update::new(known(optimizer::find(name), name)?, form));
        let plan = Plan::new(&PlanRequest {
            network: &network,
            loss,
            terms,
            target_width,
            update: Some(update),
            gradient_statistics: case.statistics && !case.fused,
            fuses: case.fused,
            precision: case.precision,
            splits: case.split,
            passes: vec![Pass {
                name: "train".to_owned(),
                set: "train".to_owned(),
                kind: PassKind::Train,
                resident_rows,
                batch_rows: case.rows,
                table_steps: case.table_steps,
                weighted: case.weighted,
                collected_rows: if case.collects { case.rows + 7 } else { 0 },
            }],
        })?;
        let filling = Filling {
            case,
            network: &network,
            loss,
            update,
            classes,
            labels,
            target_width,
            resident_rows,
        };
        let mut noise = Noise::new(case.rows as u32 * 7 + case.inputs as u32);
        let fills = plan
            .buffers
            .iter()
            .map(|spec| filling.fill(spec, &mut noise))
            .collect::<Result<_>>()?;
        Ok(Self { name: case.to_string(), network, plan, fills })
    }

    /// Fills each buffer as another scene's of the same name.
    ///
    /// # Errors
    /// When one is of another length there.
    pub fn fill_as(&mut self, other: &Self) -> Result<()> {
        for (spec, fill) in self.plan.buffers.iter().zip(&mut self.fills) {
            let same = |theirs: &(&BufferSpec, &Fill)| theirs.0.name == spec.name;
            if let Some((theirs, filled)) = other.plan.buffers.iter().zip(&other.fills).find(same) {
                if theirs.words != spec.words {
                    return Err(Error::internal(format!("{} is of another length", spec.name)));
                }
                *fill = filled.clone();
            }
        }
        Ok(())
    }

    /// The buffer of a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn buffer(&self, name: &str) -> Result<BufferId> {
        self.plan.buffer(name)
    }

    /// The numbers that a buffer is filled with.
    ///
    /// # Errors
    /// When there is no such buffer, or it holds no numbers.
    pub fn reals(&self, name: &str) -> Result<&[f64]> {
        match &self.fills[self.buffer(name)?.0] {
            Fill::Reals(values) => Ok(values),
            _ => Err(Error::internal(format!("{name} holds no reals"))),
        }
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// When there is no such buffer, or it holds no numbers.
    pub fn reals_mut(&mut self, name: &str) -> Result<&mut Vec<f64>> {
        let id = self.buffer(name)?;
        match &mut self.fills[id.0] {
            Fill::Reals(values) => Ok(values),
            _ => Err(Error::internal(format!("{name} holds no reals"))),
        }
    }

    /// The table of steps, to be changed.
    ///
    /// # Errors
    /// When it has none.
    pub fn steps_mut(&mut self) -> Result<&mut Vec<StepSettings<f64>>> {
        match self.fills.iter_mut().find(|fill| matches!(fill, Fill::Steps(_))) {
            Some(Fill::Steps(steps)) => Ok(steps),
            _ => Err(Error::internal("a scene has no steps")),
        }
    }

    /// Puts every member at the first step.
    pub fn begin(&mut self) {
        for fill in &mut self.fills {
            if let Fill::State(states) = fill {
                states.fill(MemberState::START);
            }
        }
    }

    /// The calls of its program, each a program of its own.
    pub fn apart(&self) -> Plan {
        let mut plan = self.plan.clone();
        plan.programs = self.plan.programs[0]
            .calls
            .iter()
            .map(|call| Program { name: call.subject.clone(), calls: vec![call.clone()] })
            .collect();
        plan
    }

    /// Writes all contents to a loaded plan.
    ///
    /// # Errors
    /// When the device does.
    pub fn upload(&self, executor: &mut dyn Executor) -> Result<()> {
        for (i, fill) in self.fills.iter().enumerate() {
            let id = BufferId(i);
            if self.plan.buffers[i].part_of.is_some() {
                continue;
            }
            match fill {
                Fill::Reals(values) => executor.write_reals(id, values),
                Fill::Words(values) => executor.write_words(id, values),
                Fill::Steps(values) => executor.write_steps(id, values),
                Fill::Layers(values) => executor.write_layers(id, values),
                Fill::State(values) => executor.write_state(id, values),
                Fill::Scales(values) => executor.write_scales(id, values),
            }?;
        }
        Ok(())
    }

    /// Everything that can be read, by buffer.
    ///
    /// # Errors
    /// When the device does.
    pub fn download(&self, executor: &mut dyn Executor) -> Result<Vec<(BufferId, Contained)>> {
        let wanted: Vec<(BufferId, usize)> = self
            .plan
            .buffers
            .iter()
            .enumerate()
            .filter(|(_, spec)| spec.part_of.is_none())
            .filter_map(|(i, spec)| match spec.contents {
                Contents::Reals | Contents::Halves | Contents::State | Contents::Scales => {
                    Some((BufferId(i), spec.elements()))
                }
                _ => None,
            })
            .collect();
        let read = executor.read(&wanted)?;
        Ok(wanted.into_iter().map(|(id, _)| id).zip(read).collect())
    }
}
