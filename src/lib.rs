//! wgfit

pub mod backend;
pub mod catalog;
pub mod config;
pub mod error;
pub mod kernels;
pub mod network;
pub mod program;
pub mod random;

pub use error::{Error, Result};
