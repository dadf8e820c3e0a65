//! Where a plan's buffers lie: those that only one member touches are split, a part for each
//! member, so that members can be run side by side; the others are shared and only read.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::program::{
    BufferId, BufferSpec, Contents, LAYER_WORDS, LayerSettings, MemberState, NONE, Plan,
    STEP_WORDS, StepSettings,
};

/// How the elements of a buffer of reals are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// All in one, read by every member.
    Shared,
    /// A run of so many elements for each member; what is left over is the last member's.
    Split(usize),
    /// For each step a run of so many elements for each member.
    Interleaved(usize),
}

/// A shared buffer of reals: its own, or held together with the data set.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Own(Vec<f32>),
    Held(Arc<[f32]>),
}

impl Data {
    pub fn values(&self) -> &[f32] {
        match self {
            Self::Own(values) => values,
            Self::Held(values) => values,
        }
    }
}

/// What every member reads and no kernel writes. Indexed by buffer; empty where a buffer is of
/// another kind.
#[derive(Debug)]
pub(super) struct Tables {
    pub members: usize,
    pub reals: Vec<Data>,
    pub words: Vec<Vec<u32>>,
    pub steps: Vec<Vec<StepSettings<f32>>>,
    pub layers: Vec<Vec<LayerSettings>>,
}

/// One member's memory.
#[derive(Debug)]
pub(super) struct Member {
    pub index: usize,
    /// Its part of each split buffer.
    pub reals: Vec<Vec<f32>>,
    /// Its row of each table of states.
    pub states: Vec<MemberState>,
    /// Rows gathered from the data set.
    pub batch: Vec<f32>,
    /// The data set and the order that `batch` was gathered by.
    pub gathered: Option<(usize, usize)>,
}

/// All buffers of a plan.
#[derive(Debug)]
pub(super) struct Memory {
    specs: Vec<BufferSpec>,
    places: Vec<Place>,
    pub tables: Tables,
    pub members: Vec<Member>,
}

impl Memory {
    /// Makes the buffers; `batch` is the largest number of elements that a call gathers.
    pub fn new(plan: &Plan, places: Vec<Place>, batch: usize) -> Self {
        let words = |i: usize| plan.buffers[i].words as usize;
        let of = |i: usize, contents: Contents, row: usize| {
            if plan.buffers[i].contents == contents { words(i) / row } else { 0 }
        };
        let all = 0..plan.buffers.len();
        let is_shared = |i: usize| places[i] == Place::Shared;
        let tables = Tables {
            members: plan.members,
            reals: all
                .clone()
                .map(|i| {
                    Data::Own(vec![0.0; if is_shared(i) { of(i, Contents::Reals, 1) } else { 0 }])
                })
                .collect(),
            words: all.clone().map(|i| vec![0; of(i, Contents::Words, 1)]).collect(),
            steps: all
                .clone()
                .map(|i| vec![StepSettings::default(); of(i, Contents::Steps, STEP_WORDS)])
                .collect(),
            layers: all
                .clone()
                .map(|i| vec![LayerSettings::default(); of(i, Contents::Layers, LAYER_WORDS)])
                .collect(),
        };
        let length = |i: usize, member: usize| match places[i] {
            Place::Shared => 0,
            Place::Interleaved(run) => words(i) / (run * plan.members) * run,
            Place::Split(run) if member + 1 == plan.members => words(i) - run * member,
            Place::Split(run) => run,
        };
        let members = (0..plan.members)
            .map(|index| Member {
                index,
                reals: all.clone().map(|i| vec![0.0; length(i, index)]).collect(),
                states: vec![bytemuck::Zeroable::zeroed(); plan.buffers.len()],
                batch: vec![0.0; batch],
                gathered: None,
            })
            .collect();
        Self { specs: plan.buffers.clone(), places, tables, members }
    }

    fn check(&self, buffer: BufferId, contents: Contents, end: usize, row: usize) -> Result<()> {
        let spec = &self.specs[buffer.0];
        if spec.contents != contents || end * row > spec.words as usize {
            return Err(Error::internal(format!(
                "{end} rows of {contents:?} were asked of {:?}, which holds {} words of {:?}",
                spec.name, spec.words, spec.contents
            )));
        }
        Ok(())
    }

    /// Which member holds an element, where in its part, and how many follow it there.
    fn locate(&self, buffer: usize, element: usize) -> (usize, usize, usize) {
        let count = self.tables.members;
        match self.places[buffer] {
            Place::Shared => (0, element, usize::MAX),
            Place::Split(run) => {
                let member = (element / run.max(1)).min(count - 1);
                let within = element - member * run;
                (member, within, if member + 1 == count { usize::MAX } else { run - within })
            }
            Place::Interleaved(run) => {
                let (step, rest) = (element / (run * count), element % (run * count));
                let (member, within) = (rest / run, rest % run);
                (member, step * run + within, run - within)
            }
        }
    }

    /// Hands `each` the runs of a range that lie together, in order, with where they begin in it.
    fn runs(
        &self,
        buffer: usize,
        start: usize,
        length: usize,
        mut each: impl FnMut(usize, usize, usize, usize),
    ) {
        let mut done = 0;
        while done < length {
            let (member, within, run) = self.locate(buffer, start + done);
            let run = run.min(length - done);
            each(done, member, within, run);
            done += run;
        }
    }

    fn write_at(&mut self, buffer: usize, start: usize, values: &[f32]) {
        if self.places[buffer] == Place::Shared {
            if let Data::Held(held) = &self.tables.reals[buffer] {
                let mut own = held.to_vec();
                own.resize(self.specs[buffer].words as usize, 0.0);
                self.tables.reals[buffer] = Data::Own(own);
            }
            if let Data::Own(own) = &mut self.tables.reals[buffer] {
                own[start..start + values.len()].copy_from_slice(values);
            }
            return;
        }
        let mut parts = Vec::new();
        self.runs(buffer, start, values.len(), |done, member, within, run| {
            parts.push((done, member, within, run));
        });
        for (done, member, within, run) in parts {
            self.members[member].reals[buffer][within..within + run]
                .copy_from_slice(&values[done..done + run]);
        }
    }

    fn read_at(&self, buffer: usize, start: usize, length: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(length);
        if self.places[buffer] == Place::Shared {
            let held = self.tables.reals[buffer].values();
            values
                .extend_from_slice(&held[start.min(held.len())..(start + length).min(held.len())]);
            values.resize(length, 0.0);
        } else {
            self.runs(buffer, start, length, |_, member, within, run| {
                values.extend_from_slice(&self.members[member].reals[buffer][within..within + run]);
            });
        }
        values
    }

    pub fn write_reals(&mut self, buffer: BufferId, values: &[f32]) -> Result<()> {
        self.check(buffer, Contents::Reals, values.len(), 1)?;
        self.write_at(buffer.0, 0, values);
        Ok(())
    }

    /// Holds on to the set when it is a shared buffer's; what lay behind its end is gone.
    pub fn share_reals(&mut self, buffer: BufferId, values: &Arc<[f32]>) -> Result<()> {
        self.check(buffer, Contents::Reals, values.len(), 1)?;
        if self.places[buffer.0] == Place::Shared {
            self.tables.reals[buffer.0] = Data::Held(Arc::clone(values));
        } else {
            self.write_at(buffer.0, 0, values);
        }
        Ok(())
    }

    pub fn write_words(&mut self, buffer: BufferId, values: &[u32]) -> Result<()> {
        self.check(buffer, Contents::Words, values.len(), 1)?;
        self.tables.words[buffer.0][..values.len()].copy_from_slice(values);
        Ok(())
    }

    pub fn write_steps(&mut self, buffer: BufferId, values: &[StepSettings<f64>]) -> Result<()> {
        self.check(buffer, Contents::Steps, values.len(), STEP_WORDS)?;
        for (to, from) in self.tables.steps[buffer.0].iter_mut().zip(values) {
            *to = from.to();
        }
        Ok(())
    }

    pub fn write_layers(&mut self, buffer: BufferId, values: &[LayerSettings]) -> Result<()> {
        self.check(buffer, Contents::Layers, values.len(), LAYER_WORDS)?;
        self.tables.layers[buffer.0][..values.len()].copy_from_slice(values);
        Ok(())
    }

    pub fn write_state(&mut self, buffer: BufferId, values: &[MemberState]) -> Result<()> {
        self.check(buffer, Contents::State, values.len(), 4)?;
        for (member, value) in self.members.iter_mut().zip(values) {
            member.states[buffer.0] = *value;
        }
        Ok(())
    }

    pub fn copy(&mut self, from: BufferId, to: BufferId, start: usize, len: usize) -> Result<()> {
        self.check(from, Contents::Reals, start + len, 1)?;
        self.check(to, Contents::Reals, start + len, 1)?;
        let values = self.read_at(from.0, start, len);
        self.write_at(to.0, start, &values);
        Ok(())
    }

    pub fn read_reals(&self, buffer: BufferId, length: usize) -> Result<Vec<f64>> {
        self.check(buffer, Contents::Reals, length, 1)?;
        Ok(self.read_at(buffer.0, 0, length).into_iter().map(f64::from).collect())
    }

    pub fn read_state(&self, buffer: BufferId, length: usize) -> Result<Vec<MemberState>> {
        self.check(buffer, Contents::State, length, 4)?;
        Ok(self.members[..length].iter().map(|member| member.states[buffer.0]).collect())
    }

    /// What a buffer holds.
    pub fn contents(&self, buffer: BufferId) -> Contents {
        self.specs[buffer.0].contents
    }
}

impl Member {
    /// Whether the member met a number that is not finite, or was stopped.
    pub fn has_stopped(&self, state: usize) -> bool {
        self.states[state].bad_step != NONE
    }
}
