//! Devices: one trait ([`Device`]), the drivers behind it, and what wraps any of them once.
//!
//! - [`device`], [`caps`], [`error`]: the contract.
//! - `cpu`, `opencl`, `vulkan`: the drivers, each loaded at run time or built in.
//! - [`Context`]: buffer pool, program cache (memory and disk) and dispatch log around a device.
//!
//! A backend knows the kernel language and no operator.

pub mod caps;
pub mod context;
pub mod device;
pub mod error;
pub mod vendor;

pub use caps::{Caps, DeviceKind};
pub use context::{Buffer, Context};
pub use device::{Arg, Compiled, Device, DeviceInfo, Memory, Program};
pub use error::{Error, Result};
