//! Conformance: what a device gets right, operator by operator.
//!
//! - [`plan`]: which cases a profile runs, from the operator table; [`case`]: one of them.
//! - `subject`, `values`, `layout`, `chain`: inputs, references, and where operands lie, in plain
//!   Rust; `measure`: error against limit.
//! - `exec`: one case on one device, guarded and poisoned; `watch` guards what the library
//!   allocates, `shadow` looks for races that the device hides, and `sabotage` is a device that is
//!   wrong on purpose.
//! - `sweep`: all inputs of an f32 function.
//! - `shard`, `child`, `runner`, `journal`: cases in subprocesses with time-outs, resumable.
//! - [`mutants`]: does the suite notice mistakes? `mutation` makes them.
//! - [`report`]: JSON, JUnit and HTML; [`cli`]: the command.
//!
//! References come from the rows of the operator table and from here; nothing is shared with the
//! kernel language.

pub mod case;
mod chain;
mod child;
pub mod cli;
mod exec;
mod journal;
mod layout;
mod loose;
mod measure;
pub mod mutants;
mod mutation;
pub mod plan;
pub mod report;
pub mod result;
mod rng;
mod runner;
mod sabotage;
mod shadow;
mod shard;
mod subject;
mod sweep;
mod table;
mod values;
mod watch;
