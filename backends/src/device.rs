//! The device trait and its handles.

use crate::caps::Caps;
use crate::error::{Error, Result};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use suanzi_codegen::Kernel;
use suanzi_codegen::ir::Const;

/// Who a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What picks it: `cpu`, `opencl:0`, `vulkan:1`.
    pub id: String,
    /// The backend: `cpu`, `opencl`, `vulkan`.
    pub backend: &'static str,
    /// The driver's name for it.
    pub name: String,
    /// Driver name and version: part of every cache key.
    pub driver: String,
}

/// Device memory. Cloning shares it; the last clone frees it once the device is done with it.
#[derive(Clone)]
pub struct Memory {
    /// Usable size in bytes.
    pub bytes: u64,
    handle: Arc<dyn Any + Send + Sync>,
}

/// A kernel compiled for one device. Cloning shares it.
#[derive(Clone)]
pub struct Program {
    /// The kernel's name.
    pub name: Arc<str>,
    handle: Arc<dyn Any + Send + Sync>,
}

impl Memory {
    /// Wraps a backend's own handle.
    pub fn new(bytes: u64, handle: impl Any + Send + Sync) -> Memory {
        Memory {
            bytes,
            handle: Arc::new(handle),
        }
    }

    /// True for clones of one memory.
    pub fn same(&self, other: &Memory) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle)
    }

    /// True where clones of this memory exist.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.handle) > 1
    }

    /// The backend's handle, if it is of this kind.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the memory belongs to another backend.
    pub fn get<T: Any>(&self, device: &DeviceInfo) -> Result<&T> {
        self.handle
            .downcast_ref()
            .ok_or_else(|| crate::check::foreign(device))
    }
}

impl Program {
    /// Wraps a backend's own handle.
    pub fn new(name: &str, handle: impl Any + Send + Sync) -> Program {
        Program {
            name: name.into(),
            handle: Arc::new(handle),
        }
    }

    /// The backend's handle, if it is of this kind.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the program was compiled for another backend.
    pub fn get<T: Any>(&self, device: &DeviceInfo) -> Result<&T> {
        self.handle.downcast_ref().ok_or_else(|| Error::Invalid {
            device: device.id.clone(),
            what: format!("kernel `{}` was compiled for another device", self.name),
        })
    }
}

/// An argument of a launch, in the order of the kernel's parameters.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    /// For a buffer parameter.
    Buffer(&'a Memory),
    /// For a scalar parameter; the kind must be the parameter's.
    Scalar(Const),
}

/// What [`Device::compile`] returns.
pub struct Compiled {
    /// The program.
    pub program: Program,
    /// What was compiled, if it is text, and its file extension: kept by `SUANZI_DUMP`.
    pub source: Option<(String, &'static str)>,
    /// The driver's binary, to be passed to a later `compile` of the same kernel.
    pub binary: Option<Vec<u8>>,
}

/// A device: an in-order queue of commands over memory.
///
/// Everything is recorded and runs later, in order; only `read`, `sync` and `timed` wait. An error
/// of a recorded command may surface at any later call. Methods may be called from many threads.
pub trait Device: Send + Sync {
    /// Who it is.
    fn info(&self) -> &DeviceInfo;

    /// What it can do.
    fn caps(&self) -> &Caps;

    /// Allocates memory with undefined content.
    fn alloc(&self, bytes: u64) -> Result<Memory>;

    /// Records a write. The data is copied before this returns.
    fn write(&self, dst: &Memory, offset: u64, data: &[u8]) -> Result<()>;

    /// Waits for everything recorded so far, then reads.
    fn read(&self, src: &Memory, offset: u64, out: &mut [u8]) -> Result<()>;

    /// Records a copy between two buffers, or within one where the ranges do not overlap.
    fn copy(&self, src: &Memory, from: u64, dst: &Memory, to: u64, bytes: u64) -> Result<()>;

    /// Legalises and compiles a verified kernel. `binary` is what an earlier compile of the same
    /// kernel on the same device and driver returned; a binary that the driver refuses is ignored.
    fn compile(&self, kernel: &Kernel, binary: Option<&[u8]>) -> Result<Compiled>;

    /// Records a launch of `groups` work-groups along each axis; zero groups is nothing to do.
    fn launch(&self, program: &Program, groups: [u32; 3], args: &[Arg<'_>]) -> Result<()>;

    /// Hands what was recorded to the driver, without waiting.
    fn submit(&self) -> Result<()>;

    /// Submits and waits; reports the first error of what was recorded.
    fn sync(&self) -> Result<()>;

    /// Device time of what `work` records, measured by the device where it can.
    fn timed(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration>;

    /// The vendor's own matrix library, if there is one.
    fn blas(&self) -> Option<&dyn crate::vendor::Blas> {
        None
    }

    /// The vendor's own library of layers, if there is one.
    fn dnn(&self) -> Option<&dyn crate::vendor::Dnn> {
        None
    }
}
