//! ONNX's own node cases as an outside judge of our operators.
//!
//! Each case is a small model with inputs and the outputs that ONNX's reference computes for them
//! (`scripts/fetch-onnx` writes them). Here is what reads them ([`proto`], [`mod@array`], [`case`]),
//! maps ONNX's operators to ours ([`ops`]), runs a model on a device ([`graph`]), compares
//! ([`compare`]), and holds the result against the [`manifest`]: which cases are run, how many of
//! each operator, and why others are not.
//!
//! This is a judge, no runtime: models are run node by node, and nothing is optimised.

pub mod array;
pub mod call;
pub mod case;
pub mod cli;
pub mod compare;
pub mod error;
pub mod graph;
pub mod manifest;
pub mod ops;
pub mod proto;

pub use error::{Error, Result};
