//! The oracle: a step of training in f64, as it is, or with every call rounded as f32 might round
//! it. What a rounded step differs by from the step as it is, is what rounding explains.
//!
//! Every kernel is backward stable: what it works out in arithmetic of unit roundoff u is the exact
//! result of inputs that differ by no more than gamma_n = n u / (1 - n u) of themselves, n being
//! the terms of a sum (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section
//! 3.1), and is then stored with a rounding of its own. So a rounded step gives each call inputs
//! that are off by exactly so much, up or down, and moves what it stores.

use std::sync::Arc;

use crate::backend::reference::Reference;
use crate::backend::{Backend, Contained, Executor};
use crate::compare::layout::{Layout, Trace};
use crate::error::Result;
use crate::kernels::gradient_statistics::BLOCK;
use crate::kernels::{Kernel, Parameters};
use crate::program::{BufferId, Call, Contents, ProgramId};
use crate::train::batch::{Batch, Carried, Tables};

/// Unit roundoff of f32.
pub const U: f64 = 1.0 / 16_777_216.0;

/// Unit roundoff of f16, and half its smallest number.
const U_HALF: f64 = 1.0 / 2048.0;
const TINY_HALF: f64 = 1.0 / 33_554_432.0;

/// How calls are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// As much as the bounds allow, each number up or down by the toss of a coin.
    Bound(u64),
    /// As much as the bounds allow, every number away from 0: as truncation adds up.
    Outward,
    /// As much as is likely: sums of n terms by sqrt(n) u, numbers anywhere within.
    Likely(u64),
}

/// What an oracle is asked for.
#[derive(Debug, Clone)]
pub struct Question {
    /// The batch.
    pub batch: Arc<Batch>,
    /// What the step starts from.
    pub carried: Arc<Carried>,
    /// How it is rounded; not at all for the step as it is.
    pub rounding: Option<Rounding>,
}

/// An f64 executor of a plan of one batch.
pub struct Oracle {
    layout: Arc<Layout>,
    executor: Box<dyn Executor>,
}

impl Oracle {
    /// Loads the plan.
    ///
    /// # Errors
    /// When a table does not fit.
    pub fn new(layout: Arc<Layout>, tables: &Tables) -> Result<Self> {
        let mut executor = Reference::<f64>::new().load(&layout.plan)?;
        tables.upload(&layout.plan, executor.as_mut())?;
        Ok(Self { layout, executor })
    }

    /// Takes a step, and tells what it left.
    ///
    /// # Errors
    /// When the plan is at fault.
    pub fn answer(&mut self, question: &Question) -> Result<Trace> {
        let Question { batch, carried, rounding } = question;
        let layout = Arc::clone(&self.layout);
        layout.upload(batch, carried, self.executor.as_mut())?;
        match rounding {
            None => self.executor.run(ProgramId(0), 1)?,
            Some(rounding) => {
                let mut coins = Coins::new(*rounding);
                for (at, call) in layout.plan.programs[0].calls.iter().enumerate() {
                    self.rounded_call(ProgramId(at + 1), call, batch.rows, &mut coins)?;
                }
            }
        }
        layout.trace(batch, self.executor.as_mut())
    }

    fn read(&mut self, id: BufferId) -> Result<Vec<f64>> {
        let length = self.layout.plan.buffers[id.0].elements();
        let read = self.executor.read(&[(id, length)])?.into_iter().next();
        Ok(read.map(Contained::into_reals).unwrap_or_default())
    }

    /// Runs a call on inputs that are off, and moves what it stores.
    fn rounded_call(
        &mut self,
        program: ProgramId,
        call: &Call,
        rows: usize,
        coins: &mut Coins,
    ) -> Result<()> {
        let written = call.kernel.outputs();
        // Copies are exact but where f16 stores them.
        let copies = matches!(call.kernel, Kernel::Embedding | Kernel::ZeroGradients);
        let gamma = coins.gamma(depth(call, rows));
        let mut as_they_are = Vec::new();
        let mut before = Vec::new();
        for (name, id) in &call.bindings {
            let is_written = written.contains(name);
            let contents = self.layout.plan.buffers[id.0].contents;
            let is_number = matches!(contents, Contents::Reals | Contents::Halves);
            // Settings, targets and codes are as they are, and some of them are indices.
            if !is_number || matches!(*name, "block_settings" | "targets" | "codes") {
                continue;
            }
            let values = self.read(*id)?;
            if !copies && (!is_written || is_changed_in_place(call.kernel, name)) {
                // A weight that is stepped, not summed, is rounded where it is stored.
                let own = if is_written && *name == "parameters" { 0.0 } else { gamma };
                let off: Vec<f64> = values.iter().map(|x| x + x * own * coins.toss()).collect();
                self.executor.write_reals(*id, &off)?;
            }
            if is_written {
                before.push((*id, contents, values));
            } else {
                as_they_are.push((*id, values));
            }
        }
        self.executor.run(program, 1)?;
        for (id, values) in as_they_are {
            self.executor.write_reals(id, &values)?;
        }
        let stored = if copies { 0.0 } else { coins.stored() };
        let steps = call.kernel == Kernel::OptimizerStep;
        for (id, contents, before) in before {
            let mut after = self.read(id)?;
            for (x, old) in after.iter_mut().zip(&before) {
                // What the call left alone is not stored anew; what is 0 is so for a reason.
                if *x == 0.0 || x.to_bits() == old.to_bits() {
                    continue;
                }
                let size = x.abs();
                // What is added to a weight or a moment has been through more than that itself:
                // its decay and the sum.
                *x += match steps {
                    true => ((*x - old).abs() * stored + 2.0 * size * U) * coins.toss(),
                    false => size * stored * coins.toss(),
                };
                if contents == Contents::Halves {
                    *x += (size * U_HALF).max(TINY_HALF) * coins.toss();
                }
            }
            self.executor.write_reals(id, &after)?;
        }
        Ok(())
    }
}

/// Whether a kernel takes what stands in a buffer that it writes.
fn is_changed_in_place(kernel: Kernel, binding: &str) -> bool {
    match binding {
        "delta" => kernel != Kernel::Loss,
        "gradients" => matches!(
            kernel,
            Kernel::ClipGradients | Kernel::AdapterGradient | Kernel::ShareGradients
        ),
        "parameters" | "average" => true,
        _ => binding.starts_with("moment") || binding == "direction",
    }
}

/// The most terms that a number of a call is summed of, for a batch of so many rows.
fn depth(call: &Call, rows: usize) -> u64 {
    let by_column = call.variants.normalization.is_some_and(|row| row.by_column);
    let of_item = |units: u32| if by_column { rows as u64 } else { u64::from(units) };
    match &call.parameters {
        Parameters::Normalize(own) => of_item(own.units),
        Parameters::NormalizeGradient(own) => of_item(own.units),
        Parameters::ScaleGradient(_) | Parameters::FinishStep(_) => rows as u64,
        Parameters::RowActivation(own) => u64::from(own.units),
        Parameters::RowActivationGradient(own) => u64::from(own.units),
        Parameters::Loss(own) => u64::from(own.outputs),
        Parameters::MaxNorm(own) => u64::from(own.inputs),
        Parameters::MuonMomentum(_) => BLOCK as u64,
        _ => call.shape(rows as u64).depth,
    }
}

/// The tosses that a rounding takes, and its sizes.
struct Coins {
    rounding: Rounding,
    state: u64,
}

impl Coins {
    fn new(rounding: Rounding) -> Self {
        let seed = match rounding {
            Rounding::Bound(seed) | Rounding::Likely(seed) => seed,
            Rounding::Outward => 0,
        };
        // Any odd number will do.
        Self { rounding, state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// What the terms of a sum are off by. Eight roundings stand for what is done to a term before
    /// and to a sum after.
    fn gamma(&self, depth: u64) -> f64 {
        let terms = depth as f64;
        match self.rounding {
            Rounding::Bound(_) | Rounding::Outward => 1.01 * (terms + 8.0) * U,
            Rounding::Likely(_) => terms.sqrt() * U,
        }
    }

    /// What a number is off by that is stored: activations and losses are right to 4 units in the
    /// last place, of which each is two roundings.
    fn stored(&self) -> f64 {
        match self.rounding {
            Rounding::Likely(_) => U,
            Rounding::Bound(_) | Rounding::Outward => 8.0 * U,
        }
    }

    /// A number in [-1, 1] (xorshift64*; Vigna, 2016).
    fn toss(&mut self) -> f64 {
        if self.rounding == Rounding::Outward {
            return 1.0;
        }
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let bits = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D);
        match self.rounding {
            Rounding::Likely(_) => (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0,
            _ if bits >> 63 == 0 => 1.0,
            _ => -1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tosses_are_fair_and_repeat() {
        for rounding in [Rounding::Bound(7), Rounding::Likely(7)] {
            let (mut coins, mut again) = (Coins::new(rounding), Coins::new(rounding));
            let tosses: Vec<f64> = (0..10_000).map(|_| coins.toss()).collect();
            assert!(tosses.iter().all(|toss| toss.abs() <= 1.0 && *toss == again.toss()));
            let mean = tosses.iter().sum::<f64>() / 1e4;
            assert!(mean.abs() < 0.05, "{mean}");
        }
        assert_eq!(Coins::new(Rounding::Outward).toss(), 1.0);
    }
}
