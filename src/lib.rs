//! wgfit fits the weights and biases of dense neural networks to a user's data, on any GPU that
//! speaks Vulkan, Metal or DX12 through WGSL compute shaders, and on the CPU with the same numbers.
//!
//! # As a library
//!
//! [`Config`] says what is trained, [`Dataset`] holds the rows, [`Trainer`] trains, [`Model`] is what
//! comes of it. Whatever these pages show keeps its meaning within a version 0.x; modules that they do
//! not show are open to the program and its tests, and promise nothing.
//!
//! Train as a config file says, and keep the model:
//!
//! ```
//! use std::path::Path;
//! use wgfit::{Config, Trainer};
//!
//! let config = Config::load(Path::new("configs/iris.json"), &["training.epochs=20".to_owned()])?;
//! let trained = Trainer::in_folder(&config, Path::new("configs"))?.device("cpu").train()?;
//! let file = std::env::temp_dir().join(format!("wgfit-doc-{}.safetensors", std::process::id()));
//! trained.model.save(&file)?;
//! # std::fs::remove_file(&file).expect("the file that was just written");
//! # Ok::<(), wgfit::Error>(())
//! ```
//!
//! Train on columns in memory, and be told of every epoch: see [`Dataset::of_columns`] and
//! [`Trainer::on_event`]. Predict with what was trained:
//!
//! ```
//! use wgfit::data::{Columns, encode_columns};
//! use wgfit::{Config, Dataset, Trainer, backend};
//!
//! let xs: Vec<f64> = (0..300).map(|i| f64::from(i) / 100.0).collect();
//! let ys: Vec<f64> = xs.iter().map(|x| 2.0 * x + 1.0).collect();
//! let config = r#"{
//!     "data": { "train": "memory", "target": "y" },
//!     "model": { "layers": [] },
//!     "optimizer": { "name": "adam", "learning_rate": 0.05 },
//!     "training": { "epochs": 60 }
//! }"#;
//! let config = Config::parse(config, "my config", &[])?;
//! let columns = Columns::new().numbers("x", xs).numbers("y", ys);
//! let dataset = Dataset::of_columns(&columns, &config)?;
//! let model = Trainer::new(&config)?.device("cpu").train_on(dataset)?.model;
//!
//! let new = encode_columns(&Columns::new().numbers("x", [0.5, 2.5]), &model.preprocessing)?;
//! let cpu = backend::choose("cpu", Default::default())?.backend;
//! let predictions = model.predict(new.rows, cpu.as_ref())?;
//! assert!((predictions.values[0] - 2.0).abs() < 0.2 && (predictions.values[1] - 6.0).abs() < 0.2);
//! # Ok::<(), wgfit::Error>(())
//! ```
//!
//! # One way through
//!
//! ```text
//! config (JSON, as written) -> settings (validated, every name looked up, every default filled in)
//!   -> chunks (rows of a CSV, Parquet, Arrow, NPY, IDX file, column by column)
//!   -> dataset (encoded f32 rows, in memory or in a temporary file, targets, fitted preprocessing)
//!   -> network (layers, shapes, one flat parameter arena with named ranges)
//!   -> plan (buffers, and programs: the kernel calls of one step; pure data, no backend)
//!   -> backend (cpu | gpu | reference) runs a program for a whole epoch at a time
//!   -> the epoch's log read back -> early stopping, best weights -> checkpoint -> run folder
//! ```
//!
//! Data goes one way. Nothing upstream knows the backend; nothing downstream reads the config file
//! again.
//!
//! # The rooms
//!
//! | room | what it holds |
//! |---|---|
//! | [`config`] | the config as written; settings as validated; the JSON Schema out of the same types |
//! | [`catalog`] | tables of activations, normalisations, losses, optimizers, initialisers, schedules, metrics; one file a variant |
//! | [`data`] | `read`: a reader a format, which gives chunks of columns; columns and their types, what becomes of each, statistics; splits; tables in memory and streamed |
//! | [`network`] | layers, shapes, the arena |
//! | [`program`] | kernel calls as data, what each costs, and the tables that the device reads at every step |
//! | [`kernels`] | the table of kernels and, beside each row, its CPU twin, generic over f32 and f64 |
//! | [`backend`] | the traits; `cpu`, `gpu`, and `reference`, which runs the twins |
//! | [`train`] | the loop: feeding sets, running ahead, early stopping, scores, of several members as one model too, divergence; the whole state kept, and gone on from, where a device is lost too; looks inside the network and what they say of its initialisation; a step explained, timed, taken one at a time; the quickest device |
//! | [`model`] | model files, prediction and evaluation, export as ONNX |
//! | [`analysis`] | what the weights kept do on rows held out: curves, worst rows, what matters |
//! | [`compare`] | the same training on several devices and in f64, in lockstep; the break-even |
//! | [`verify`] | whether a device is right: scenes and short trainings held to the f64 reference, with bounds for each kernel |
//! | [`audit`] | the data looked at before training: duplicates, leaks, ids, rare classes, sets that differ |
//! | [`baseline`] | a constant and a linear model beside every network |
//! | [`sweep`] | many trainings from one file: a space's points as members of as few trainings as their shapes allow, schedulers, records, ranks |
//! | [`proposal`] | a starting config for a data file |
//! | [`report`] | the run folder, its logs, checkpoints and lock, event files for TensorBoard, progress, the page that explains a run |
//! | [`cache`] | the folder of what is kept between runs: compiled pipelines, measured tunings, what is computed wrong, how fast a job is |
//! | [`cli`] | one file a command |
//! | `disk` | all that is written, renamed, removed and waited for on a disk: whole files, appended ones |
//! | [`fault`] | the n-th of these made to fail on purpose, or of what a GPU is asked for, to see what becomes of a run |
//! | [`random`] | counter-based random numbers, the same on every device |
//! | [`error`] | the one error type |
//!
//! `benches/` holds the benchmarks; `benches/peers/` the scripts that measure wgfit against its peers.
//! `shaders/` holds the WGSL: `shared/` fragments, one file a kernel, and `activations/`,
//! `row_activations/`, `normalizations/`, `losses/`, `optimizers/`, `metrics/` with one small file a
//! variant. A pipeline's source is the plain concatenation of the fragments that its call names, in which a
//! plan of f16 has what it stores declared and converted (`backend/gpu/halves.rs`); that
//! of whole steps is the sources of a program's calls with their names told apart; a call that is dispatched in
//! pieces has its entry point told which workgroups it is (`backend/gpu/pieces.rs`).
//!
//! # How to add
//!
//! - **an activation, normalisation, loss, optimizer or metric term**: one WGSL file, one Rust file
//!   of the same name, one row in the table of its `catalog` module. Config names, error texts, the
//!   schema, `wgfit list`, README's table, the shaders and the common tests come out of the row. Its
//!   golden case goes into `tests/golden/catalogue.py`, an activation's accuracy into
//!   `tests/activations.rs`.
//! - **a schedule**: one file in [`catalog::schedule`] with its row: name, formula, keys with their
//!   defaults by convention, rate; a case in `tests/golden/schedules.py`.
//! - **a metric of every row's outputs**: a function in a family's file of [`catalog::metric`] and
//!   one row in its table; a case in `tests/golden/metrics.py`.
//! - **a kernel**: a WGSL file whose bindings are named; a variant of [`kernels::Kernel`], its
//!   uniform and its twin beside it; the call in [`program::Plan`], and what it costs in
//!   [`program::Cost`]; how far its results may be off in `verify/tolerance.rs`, and a scene that has
//!   it in [`verify::scenes`], which `wgfit verify` and the tests run. The bindings are reflected, so
//!   the names are all that a call gives. The CPU backend runs the twin unless it has a faster form.
//! - **a matrix product's tile**: a row of the candidates in [`backend::gpu::tile`]; its text is
//!   written there, the operands' loads and what becomes of a result by the kernel's own file. Tests
//!   and `wgfit verify` hold every tile to the reference, `cargo bench --bench gemm` times them.
//! - **a data format**: a reader in `data/read/`, and its name and first bytes in `source.rs` there; a row of
//!   `tests/hostile/entries.rs` with seeds and a target in `tests/fuzz`.
//! - **a command**: a file in [`cli`].

//!
//! # Unsafe code
//!
//! Refused by the compiler but in six files, whose every block says above it why it is sound:
//!
//! | file | unsafe | why |
//! |---|---|---|
//! | `backend/cpu/team.rs` | 3 | threads borrow a job from the stack of the one that waits for them, and share out a slice's items |
//! | `backend/cpu/product.rs` | 1 | the `gemm` crate takes pointers and strides |
//! | `backend/gpu/pipelines.rs` | 1 | shaders without checks of every index, where that is asked for |
//! | `backend/gpu/pipeline_cache.rs` | 1 | a driver's own cache is handed back to it, after a look at its hash |
//! | `backend/gpu/device.rs` | 1 | cooperative matrices are an experimental feature of wgpu |
//! | `program/settings.rs` | 2 | the bytes of a struct that is generic over f32 and f64 |

#![warn(missing_docs)]
#![deny(unsafe_code, clippy::undocumented_unsafe_blocks)]

#[doc(hidden)]
pub mod analysis;
pub mod audit;
pub mod backend;
pub mod baseline;
#[doc(hidden)]
pub mod cache;
pub mod catalog;
#[doc(hidden)]
pub mod cli;
pub mod compare;
pub mod config;
pub mod data;
mod disk;
pub mod error;
#[doc(hidden)]
pub mod fault;
#[doc(hidden)]
pub mod kernels;
pub mod model;
pub mod network;
#[doc(hidden)]
pub mod program;
#[doc(hidden)]
pub mod proposal;
#[doc(hidden)]
pub mod random;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod sweep;
pub mod train;
pub mod verify;

pub use config::Config;
pub use data::Dataset;
pub use error::{Error, Result};
pub use model::Model;
pub use train::{Event, Trained, Trainer};
