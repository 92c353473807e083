//! Devices: one trait ([`Device`]), the drivers behind it, and what wraps any of them once.
//!
//! - [`device`], [`caps`], [`error`], [`vendor`]: the contract; [`check`]: what all devices refuse.
//! - [`cpu`], [`opencl`], [`vulkan`], [`cudalike`]: the drivers, each built in or loaded at run
//!   time; [`vendors`]: the data of each vendor of CUDA-like devices.
//! - [`plugin`]: devices that come from outside, as shared libraries.
//! - [`registry`]: which devices there are; [`probe`]: what their arithmetic really is.
//! - [`Context`]: buffer [`pool`], program cache (memory and disk) and dispatch [`log`] around a
//!   device.
//!
//! A backend knows the kernel language and no operator.

mod cache;
pub mod caps;
pub mod check;
pub mod context;
pub mod cpu;
pub mod cudalike;
pub mod device;
pub mod error;
pub mod log;
pub mod opencl;
pub mod plugin;
pub mod pool;
pub mod probe;
pub mod record;
pub mod registry;
mod seal;
pub mod tuned;
pub mod vendor;
pub mod vendors;
pub mod vulkan;

pub use caps::{Caps, DeviceKind};
pub use context::{Context, Settings};
pub use device::{Arg, Compiled, Device, DeviceInfo, Memory, Program};
pub use error::{Error, Result};
pub use log::{Dispatch, init_logging};
pub use pool::{Buffer, PoolStats};
pub use tuned::Tuned;
