//! The catalogue: every variant a config can name, as tables. JSON names, error texts, the
//! schema, the shaders' sources and the common tests all come out of them.

pub mod activation;
pub mod describe;
pub mod initializer;
pub mod loss;
pub mod metric;
pub mod normalization;
pub mod optimizer;
pub mod parameter;
pub mod row_activation;
pub mod schedule;
