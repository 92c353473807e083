//! The simulator: runs CUDA-like sources on the host, without the hardware that they are written for.
//!
//! [`compile`] turns a source into an artifact with the system's C++ compiler and a header of ours
//! (`include/suanzi_sim.h`); [`Module::load`] and [`Module::kernel`] find a kernel in it; [`launch`]
//! runs it over a grid, work-groups spread over threads.
//!
//! - `source`: which kernels a text has, and what no macro can translate; `compiler`: the system's;
//!   `artifact`, `cache`: what it made, and where that is kept.
//! - `module`: artifacts in this process; `group`: a work-group, its barriers and subgroups.
//! - `plugin`: the same behind the plugin ABI, as devices of 32, 64 and 128 lanes.
//!
//! Barriers and subgroup operations are executed truly: a work-item that waits is a fibre that is
//! left, and what waits where another ended or waits elsewhere is a [`Fault`] that names both. A
//! work-item that never waits costs no fibre. Nothing guards memory: an access outside of an
//! allocation is whatever it is on the host, most likely a crash.

mod artifact;
mod cache;
mod compiler;
mod group;
mod launch;
mod module;
mod plugin;
mod source;

pub use compiler::compile;
pub use launch::{Fault, MOST_ITEMS, launch};
pub use module::{Kernel, Module};
