//! Oracles side by side: steps in f64 are slow, and do not depend on each other.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::compare::layout::{Layout, Trace};
use crate::compare::oracle::{Oracle, Question};
use crate::error::{Error, Result};
use crate::train::batch::Tables;

/// Threads with an oracle each.
pub struct Pool {
    questions: Sender<(usize, Question)>,
    answers: Receiver<(usize, Result<Trace>)>,
    /// Questions that were asked since the answers were taken.
    asked: usize,
    /// How many oracles there are.
    pub threads: usize,
}

impl Pool {
    /// Starts a thread for each processor, at most so many.
    ///
    /// # Errors
    /// When a thread cannot be started, or an oracle not be loaded.
    pub fn new(layout: &Arc<Layout>, tables: &Tables, at_most: usize) -> Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = processors.clamp(1, at_most.max(1));
        let (questions, asked) = channel::<(usize, Question)>();
        let asked = Arc::new(Mutex::new(asked));
        let (answer, answers) = channel();
        // One is loaded here, so that what is wrong with the plan is told at once.
        drop(Oracle::new(Arc::clone(layout), tables)?);
        for _ in 0..threads {
            let (layout, tables) = (Arc::clone(layout), tables.clone());
            let (asked, answer) = (Arc::clone(&asked), answer.clone());
            // It ends when the pool does, whose questions then end.
            std::thread::Builder::new()
                .name("wgfit-oracle".to_owned())
                .spawn(move || {
                    let mut oracle = Oracle::new(layout, &tables);
                    loop {
                        let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok((number, question)) = next else { return };
                        let answered = match &mut oracle {
                            Ok(oracle) => oracle.answer(&question),
                            Err(error) => Err(Error::internal(format!("an oracle: {error}"))),
                        };
                        if answer.send((number, answered)).is_err() {
                            return;
                        }
                    }
                })
                .map_err(|error| Error::device(format!("a thread does not start: {error}")))?;
        }
        Ok(Self { questions, answers, asked: 0, threads })
    }

    /// Asks.
    ///
    /// # Errors
    /// When no oracle is left.
    pub fn ask(&mut self, question: Question) -> Result<()> {
        self.questions.send((self.asked, question)).map_err(|_| gone())?;
        self.asked += 1;
        Ok(())
    }

    /// Waits for the answers to all questions, in their order.
    ///
    /// # Errors
    /// Those of the oracles.
    pub fn answers(&mut self) -> Result<Vec<Trace>> {
        let mut all: Vec<Option<Result<Trace>>> = Vec::new();
        all.resize_with(std::mem::take(&mut self.asked), || None);
        for _ in 0..all.len() {
            let (number, answer) = self.answers.recv().map_err(|_| gone())?;
            all[number] = Some(answer);
        }
        all.into_iter().map(|answer| answer.unwrap_or_else(|| Err(gone()))).collect()
    }
}

fn gone() -> Error {
    Error::internal("the oracles are gone")
}
