//! Training from a program: a config and data in, a model out, and events on the way.

use std::ops::ControlFlow;
use std::path::Path;

use super::{EpochRecord, Observer, Outcome, StepRecord, fit, network_of, quickest};
use crate::backend::gpu::GpuOptions;
use crate::backend::{DeviceOptions, look_for_during};
use crate::cache;
use crate::config::{Config, Settings};
use crate::data::{self, Dataset};
use crate::error::Result;
use crate::model::Model;
use crate::network::Network;

/// What a training tells on its way.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Training begins.
    Begin {
        /// What is trained.
        network: &'a Network,
        /// What it is trained on, and why there: one line.
        device: &'a str,
        /// Epochs at most.
        epochs: usize,
        /// Steps of an epoch.
        epoch_steps: usize,
    },
    /// A step that the config logs (`log.every_steps`). It is told when its epoch has ended.
    Step(&'a StepRecord),
    /// An epoch has ended.
    Epoch(&'a EpochRecord),
    /// A word of warning.
    Warning(&'a str),
}

/// What came of a training.
#[derive(Debug)]
pub struct Trained {
    /// The weights kept, with all that is needed to use them.
    pub model: Model,
    /// Scores of the weights kept, and how it went.
    pub outcome: Outcome,
}

type Told<'a> = Box<dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a>;

/// Trains as a config says.
///
/// ```
/// use std::ops::ControlFlow;
/// use wgfit::{Config, Event, Trainer};
///
/// let config = Config::parse(
///     r#"{
///         "data": { "train": "configs/data/iris.csv", "target": "species" },
///         "model": { "layers": [{ "units": 16 }] },
///         "training": { "epochs": 50 }
///     }"#,
///     "my config",
///     &[],
/// )?;
/// let mut losses = Vec::new();
/// let trained = Trainer::new(&config)?
///     .device("cpu")
///     .on_event(|event| {
///         if let Event::Epoch(epoch) = event {
///             losses.push(epoch.train[0].loss);
///         }
///         ControlFlow::Continue(())
///     })
///     .train()?;
/// assert!(losses.last() < losses.first());
/// let (set, scores) = &trained.outcome.scores[1];
/// println!("{set}: accuracy {:.3}", scores[0].get("accuracy").unwrap_or(f64::NAN));
/// # Ok::<(), wgfit::Error>(())
/// ```
pub struct Trainer<'a> {
    settings: Settings,
    device: String,
    options: DeviceOptions,
    told: Told<'a>,
}

impl<'a> Trainer<'a> {
    /// A trainer that chooses its device itself, as `--device auto` does. Paths of the config are
    /// relative to the current folder.
    ///
    /// # Errors
    /// A value of the config that cannot be used.
    pub fn new(config: &Config) -> Result<Self> {
        Self::in_folder(config, Path::new("."))
    }

    /// As [`Trainer::new`], with paths relative to another folder, such as that of the config's file.
    ///
    /// # Errors
    /// Those of [`Trainer::new`].
    pub fn in_folder(config: &Config, folder: &Path) -> Result<Self> {
        let settings = config.validate(folder)?;
        let gpu = GpuOptions { tunes: true, heeds_verification: true, ..GpuOptions::default() };
        let options = DeviceOptions { threads: 0, precision: settings.training.precision, gpu };
        let told: Told = Box::new(|_| ControlFlow::Continue(()));
        Ok(Self { settings, device: "auto".to_owned(), options, told })
    }

    /// Where to train: `auto`, `cpu`, `gpu`, or an index or a part of a name out of `wgfit devices`.
    #[must_use]
    pub fn device(self, device: &str) -> Self {
        Self { device: device.to_owned(), ..self }
    }

    /// Threads of the CPU; left alone, `RAYON_NUM_THREADS` or the processors that the process may use.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = threads;
        self
    }

    /// Is told of every [`Event`]. Training ends with the epoch of which it is told when it breaks:
    /// the weights kept are those of the best epoch up to then, or of the last one where early
    /// stopping is off.
    #[must_use]
    pub fn on_event(self, told: impl FnMut(Event<'_>) -> ControlFlow<()> + 'a) -> Self {
        Self { told: Box::new(told), ..self }
    }

    /// Reads, splits and encodes the data that the config names.
    ///
    /// # Errors
    /// Those of [`data::load`].
    pub fn load_data(&self) -> Result<Dataset> {
        data::load(&self.settings.data).map_err(|error| self.settings.locate(error))
    }

    /// Loads the data that the config names, and trains on it.
    ///
    /// # Errors
    /// Those of [`Trainer::load_data`] and of [`Trainer::train_on`].
    pub fn train(self) -> Result<Trained> {
        let dataset = self.load_data()?;
        self.train_on(dataset)
    }

    /// Trains on data that was loaded before, or made in the program.
    ///
    /// # Errors
    /// A config that does not fit the data's task, a network that does not fit the device, a
    /// device that fails, a single network that diverges before its first epoch is kept.
    pub fn train_on(self, dataset: Dataset) -> Result<Trained> {
        let Self { settings, device, options, told } = self;
        let task = settings.fit_task(dataset.preprocessing.task())?;
        let preprocessing = dataset.preprocessing.clone();
        let chunk_rows = dataset.chunk_rows;
        let (found, network) =
            look_for_during(&device, options, || network_of(&settings, &preprocessing));
        let network = network?;
        let chosen = quickest::quickest(found?, &settings, &task, &preprocessing, cache::folder())?;
        let mut listener = Listener { told, device: chosen.why, stops: false };
        for warning in &chosen.warnings {
            listener.warn(warning)?;
        }
        let outcome = fit(&settings, &task, dataset, chosen.backend.as_ref(), &mut listener)?;
        let mut config = settings.resolved_for(&task).without_paths();
        config.data.chunk_rows = chunk_rows;
        let parameters = outcome.parameters.clone();
        Ok(Trained { model: Model { config, preprocessing, network, parameters }, outcome })
    }
}

impl std::fmt::Debug for Trainer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer").field("device", &self.device).finish_non_exhaustive()
    }
}

/// Hands what an observer is told to a caller's function.
struct Listener<'a> {
    told: Told<'a>,
    device: String,
    stops: bool,
}

impl Listener<'_> {
    fn tell(&mut self, event: Event<'_>) {
        self.stops |= (self.told)(event).is_break();
    }
}

impl Observer for Listener<'_> {
    fn begin(&mut self, network: &Network, epochs: usize, epoch_steps: usize) -> Result<()> {
        let device = self.device.clone();
        self.tell(Event::Begin { network, device: &device, epochs, epoch_steps });
        Ok(())
    }

    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.tell(Event::Step(record));
        Ok(())
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.tell(Event::Epoch(record));
        Ok(())
    }

    fn warn(&mut self, text: &str) -> Result<()> {
        self.tell(Event::Warning(text));
        Ok(())
    }

    fn stops(&self) -> bool {
        self.stops
    }
}
