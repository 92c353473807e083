//! Device memory, and the copies in and out of it.

use super::api::{Owned, call};
use super::{OpenCl, Opened};
use crate::check;
use crate::device::Memory;
use crate::error::{Error, Result};
use opencl3::command_queue as cl;
use opencl3::memory as cl_memory;
use opencl3::types::{CL_BLOCKING, CL_NON_BLOCKING, cl_mem};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A buffer: the backend's handle behind a [`Memory`]. The driver frees it when the commands that
/// use it are done.
pub struct Buffer {
    memory: Owned,
    /// Different for every buffer of this process.
    pub serial: u64,
    // Dropped after `memory`.
    share: Share,
}

/// A part of a device's memory that is in use, and whose it is.
struct Share {
    bytes: u64,
    opened: Arc<Opened>,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.opened.used.fetch_sub(self.bytes, Relaxed);
    }
}

static SERIAL: AtomicU64 = AtomicU64::new(0);

impl Buffer {
    /// The driver's handle.
    pub fn raw(&self) -> cl_mem {
        self.memory.raw()
    }
}

impl OpenCl {
    /// The buffer behind a memory, if it is this device's.
    pub(super) fn buffer<'a>(&self, memory: &'a Memory) -> Result<&'a Buffer> {
        let buffer = memory.get::<Buffer>(&self.info)?;
        self.own(&buffer.share.opened)?;
        Ok(buffer)
    }

    pub(super) fn create_buffer(&self, bytes: u64) -> Result<Memory> {
        check::allocation(&self.info, &self.caps, bytes)?;
        let opened = self.opened()?;
        let share = self.share(opened, bytes)?;
        let error = |failure| self.error(failure, bytes, false);
        // SAFETY: without host memory, the driver allocates; the new buffer is owned by nobody
        // else.
        let memory = unsafe {
            let flags = cl_memory::CL_MEM_READ_WRITE;
            let raw = call(
                "clCreateBuffer",
                cl_memory::create_buffer(
                    opened.context(),
                    flags,
                    bytes.max(1) as usize,
                    ptr::null_mut(),
                ),
            )
            .map_err(error)?;
            Owned::new(raw, cl_memory::release_mem_object)
        };
        // Drivers allocate at the first use; asking for the memory now makes its absence an error
        // of this call and not of some launch.
        let raw = memory.raw();
        let migrate = |queue| {
            // SAFETY: one live buffer of this context; its content may be lost.
            unsafe {
                cl::enqueue_migrate_mem_object(
                    queue,
                    1,
                    &raw,
                    cl_memory::CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED,
                    0,
                    ptr::null(),
                )
            }
        };
        opened
            .queue
            .record("clEnqueueMigrateMemObjects", migrate)
            .map_err(error)?;
        let buffer = Buffer {
            memory,
            serial: SERIAL.fetch_add(1, Relaxed),
            share,
        };
        Ok(Memory::new(bytes, buffer))
    }

    /// Takes a part of the device's memory. Drivers of CPUs do not keep this account, and would let
    /// the operating system end the process instead.
    fn share(&self, opened: &Arc<Opened>, bytes: u64) -> Result<Share> {
        let before = opened.used.fetch_add(bytes, Relaxed);
        let share = Share {
            bytes,
            opened: opened.clone(),
        };
        let total = self.caps.memory_bytes;
        match before + bytes <= total {
            true => Ok(share),
            false => Err(Error::OutOfMemory {
                device: self.info.id.clone(),
                bytes,
                what: format!("{before} of the device's {total} bytes are in use"),
            }),
        }
    }

    pub(super) fn enqueue_write(&self, dst: &Memory, offset: u64, data: &[u8]) -> Result<()> {
        let buffer = self.buffer(dst)?;
        check::range(&self.info, "write", dst, offset, data.len() as u64)?;
        if data.is_empty() {
            return Ok(());
        }
        let written = buffer.share.opened.queue.record_write(data, |queue, data| {
            // SAFETY: the range lies in the buffer; the queue keeps `data` until the driver has
            // taken it.
            unsafe {
                cl::enqueue_write_buffer(
                    queue,
                    buffer.raw(),
                    CL_NON_BLOCKING,
                    offset as usize,
                    data.len(),
                    data.as_ptr().cast::<c_void>(),
                    0,
                    ptr::null(),
                )
            }
        });
        written.map_err(|f| self.error(f, dst.bytes, false))
    }

    pub(super) fn blocking_read(&self, src: &Memory, offset: u64, out: &mut [u8]) -> Result<()> {
        let buffer = self.buffer(src)?;
        check::range(&self.info, "read", src, offset, out.len() as u64)?;
        let queue = &buffer.share.opened.queue;
        if out.is_empty() {
            return queue.finish().map_err(|f| self.error(f, 0, true));
        }
        let read = |queue| {
            // SAFETY: the range lies in the buffer, and the call returns when `out` is filled.
            unsafe {
                cl::enqueue_read_buffer(
                    queue,
                    buffer.raw(),
                    CL_BLOCKING,
                    offset as usize,
                    out.len(),
                    out.as_mut_ptr().cast::<c_void>(),
                    0,
                    ptr::null(),
                )
            }
        };
        let done = queue.record("clEnqueueReadBuffer", read);
        queue.reap();
        done.map(drop).map_err(|f| self.error(f, src.bytes, true))
    }

    pub(super) fn enqueue_copy(
        &self,
        src: &Memory,
        from: u64,
        dst: &Memory,
        to: u64,
        bytes: u64,
    ) -> Result<()> {
        let (source, target) = (self.buffer(src)?, self.buffer(dst)?);
        check::copy(&self.info, src, from, dst, to, bytes)?;
        if bytes == 0 {
            return Ok(());
        }
        let copy = |queue| {
            // SAFETY: both ranges lie in their buffers and do not overlap.
            unsafe {
                cl::enqueue_copy_buffer(
                    queue,
                    source.raw(),
                    target.raw(),
                    from as usize,
                    to as usize,
                    bytes as usize,
                    0,
                    ptr::null(),
                )
            }
        };
        let recorded = source
            .share
            .opened
            .queue
            .record("clEnqueueCopyBuffer", copy);
        let asked = src.bytes + dst.bytes;
        recorded.map(drop).map_err(|f| self.error(f, asked, false))
    }
}
