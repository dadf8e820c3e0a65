//! wgfit fits the weights and biases of dense neural networks to a user's data, on any GPU that
//! speaks Vulkan, Metal or DX12 through WGSL compute shaders, and on the CPU with the same numbers.
//!
//! # One way through
//!
//! ```text
//! config (JSON, as written) -> settings (validated, every name looked up, every default filled in)
//!   -> dataset (encoded f32 rows, targets, fitted preprocessing)
//!   -> network (layers, shapes, one flat parameter arena with named ranges)
//!   -> plan (buffers, and programs: the kernel calls of one step; pure data, no backend)
//!   -> backend (cpu | gpu | reference) runs a program for a whole epoch at a time
//!   -> the epoch's log read back -> early stopping, best weights -> run folder
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
//! | [`data`] | readers, columns and their types, preprocessing, splits |
//! | [`network`] | layers, shapes, the arena |
//! | [`program`] | kernel calls as data, what each costs, and the tables that the device reads at every step |
//! | [`kernels`] | the table of kernels and, beside each row, its CPU twin, generic over f32 and f64 |
//! | [`backend`] | the traits; `cpu`, `gpu`, and `reference`, which runs the twins |
//! | [`train`] | the loop: feeding sets, running ahead, early stopping, scores, divergence; looks inside the network and what they say of its initialisation; a step explained, timed, taken one at a time; the quickest device |
//! | [`model`] | model files, prediction and evaluation, export as ONNX |
//! | [`analysis`] | what the weights kept do on rows held out: curves, worst rows, what matters |
//! | [`compare`] | the same training on several devices and in f64, in lockstep; the break-even |
//! | [`verify`] | whether a device is right: scenes and short trainings held to the f64 reference, with bounds for each kernel |
//! | [`report`] | the run folder, event files for TensorBoard, progress, the page that explains a run |
//! | [`cache`] | the folder of what is kept between runs: compiled pipelines, measured tunings, what is computed wrong, how fast a job is |
//! | [`cli`] | one file a command |
//! | [`random`] | counter-based random numbers, the same on every device |
//! | [`error`] | the one error type |
//!
//! `benches/` holds the benchmarks; `benches/peers/` the scripts that measure wgfit against its peers.
//! `shaders/` holds the WGSL: `shared/` fragments, one file a kernel, and `activations/`,
//! `row_activations/`, `normalizations/`, `losses/`, `optimizers/`, `metrics/` with one small file a
//! variant. A pipeline's source is the plain concatenation of the fragments that its call names, in which a
//! plan of f16 has what it stores declared and converted (`backend/gpu/halves.rs`); that
//! of whole steps is the sources of a program's calls with their names told apart.
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
//! - **a data format**: a reader in [`data`].
//! - **a command**: a file in [`cli`].

#![warn(missing_docs)]

pub mod analysis;
pub mod backend;
pub mod cache;
pub mod catalog;
pub mod cli;
pub mod compare;
pub mod config;
pub mod data;
pub mod error;
pub mod kernels;
pub mod model;
pub mod network;
pub mod program;
pub mod random;
pub mod report;
pub mod train;
pub mod verify;

pub use error::{Error, Result};
