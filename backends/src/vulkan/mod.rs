//! The Vulkan backend, through wgpu.
//!
//! wgpu does what it is good at: memory, barriers between commands, and the many drivers' faults.
//! What it has no words for goes around it: kernels arrive as SPIR-V of our own making
//! ([`suanzi_codegen::emit_naga`]), because Vulkan may contract and reassociate floats unless every
//! operation says that it must not, and float controls and validation messages come from Vulkan
//! itself.
//!
//! - `adapter`: the instance, the adapters, what they can do, the validation layer's messages.
//! - `probe`: what an adapter really does where Vulkan promises little.
//! - `gpu`: the opened device and its failures, which become errors and never panics.
//! - `memory`: allocation, writes, reads and copies, at any byte.
//! - `program`: compilation.
//! - `recorder`: commands on their way to the queue.
//! - `device`: the [`Device`] trait on top.
//!
//! `SUANZI_VALIDATE=1` turns the validation layer on; [`validation_messages`] gives what it said.

mod adapter;
mod device;
mod gpu;
mod memory;
mod probe;
mod program;
mod recorder;

pub use adapter::validation_messages;

use crate::device::Device;
use crate::error::{Error, Result};
use std::sync::Arc;

type Opened = Arc<dyn Device>;

/// Opens every Vulkan device of this machine, software ones included: `vulkan:0`, `vulkan:1`… One
/// that does not open is left out, with a warning.
///
/// # Errors
/// [`Error::NoDriver`] if there is no device at all.
pub fn enumerate() -> Result<Vec<Opened>> {
    let adapters = adapter::adapters();
    if adapters.is_empty() {
        return Err(Error::NoDriver {
            backend: "vulkan",
            what: "no Vulkan loader, or no driver; install the vendor's, or mesa-vulkan-drivers"
                .into(),
        });
    }
    let mut opened: Vec<Opened> = vec![];
    for (i, a) in adapters.iter().enumerate() {
        match device::Vulkan::open(i, a) {
            Ok(device) => opened.push(Arc::new(device)),
            Err(e) => tracing::warn!("vulkan:{i} ({}) is left out: {e}", a.get_info().name),
        }
    }
    Ok(opened)
}

/// Opens the device with this number, or `None` if there are not as many.
///
/// # Errors
/// What the driver says.
pub fn open(index: usize) -> Result<Option<Opened>> {
    let opened = adapter::adapters()
        .get(index)
        .map(|a| device::Vulkan::open(index, a));
    Ok(match opened.transpose()? {
        Some(device) => Some(Arc::new(device)),
        None => None,
    })
}
