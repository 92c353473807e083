//! CLBlast on the same OpenCL device, in memory of its own: products only.

use super::super::number::Number;
use super::super::problem::Problem;
use super::super::routine::Op;
use super::{Contender, Peer, Prepare, Ready};
use crate::Result;
use anyhow::{Context as _, bail, ensure};
use libloading::{Library, Symbol};
use opencl3::command_queue::CommandQueue;
use opencl3::context::Context;
use opencl3::device::Device;
use opencl3::memory::{Buffer, CL_MEM_READ_WRITE, ClMem};
use opencl3::platform::get_platforms;
use opencl3::types::{CL_BLOCKING, cl_mem};
use std::ffi::{c_int, c_void};
use std::ptr;

/// The library, and a queue of the device.
pub struct Clblast {
    library: Library,
    device: String,
    context: Context,
    queue: CommandQueue,
}

const COLUMN_MAJOR: c_int = 102;
const PLAIN: c_int = 111;

type Gemm<T> = unsafe extern "C" fn(
    c_int,
    c_int,
    c_int,
    usize,
    usize,
    usize,
    T,
    cl_mem,
    usize,
    usize,
    cl_mem,
    usize,
    usize,
    T,
    cl_mem,
    usize,
    usize,
    *mut *mut c_void,
    *mut c_void,
) -> c_int;

impl Clblast {
    /// Loads it for `opencl:N`, the devices numbered as this library numbers them.
    pub fn load(device: &str) -> Result<Clblast> {
        let Some(("opencl", number)) = device.split_once(':') else {
            bail!("it needs an OpenCL device, and {device} is none");
        };
        // SAFETY: loading it does nothing else.
        let library =
            unsafe { Library::new("libclblast.so.1").or_else(|_| Library::new("libclblast.so"))? };
        let mut all = vec![];
        for platform in get_platforms()? {
            all.extend(
                platform
                    .get_devices(opencl3::device::CL_DEVICE_TYPE_ALL)
                    .unwrap_or_default(),
            );
        }
        let id = all
            .get(number.parse::<usize>()?)
            .context("no such device")?;
        let device = Device::new(*id);
        let context = Context::from_device(&device)?;
        // SAFETY: the device is the context's.
        let queue = unsafe { CommandQueue::create_with_properties(&context, *id, 0, 0)? };
        Ok(Clblast {
            library,
            device: device.name()?,
            context,
            queue,
        })
    }
}

impl Peer for Clblast {
    fn name(&self) -> &str {
        "clblast"
    }

    fn about(&self) -> String {
        format!("CLBlast on {}", self.device)
    }
}

impl<T: Number> Prepare<T> for Clblast {
    fn prepare<'a>(&'a self, problem: &'a Problem<T>) -> Result<Option<Ready<'a, T>>> {
        if problem.op != Op::Gemm {
            return Ok(None);
        }
        let mut buffers = vec![];
        for values in [&problem.a, &problem.b, &problem.c] {
            // SAFETY: there is no host memory; the buffer holds all values, and the write waits.
            unsafe {
                let mut buffer = Buffer::<T>::create(
                    &self.context,
                    CL_MEM_READ_WRITE,
                    values.len(),
                    ptr::null_mut(),
                )?;
                self.queue
                    .enqueue_write_buffer(&mut buffer, CL_BLOCKING, 0, values, &[])?;
                buffers.push(buffer);
            }
        }
        Ok(Some(Box::new(Run {
            peer: self,
            size: problem.size,
            buffers,
        })))
    }
}

struct Run<'a, T> {
    peer: &'a Clblast,
    size: [usize; 3],
    buffers: Vec<Buffer<T>>,
}

impl<T: Number> Contender<T> for Run<'_, T> {
    fn run(&mut self) -> Result<()> {
        let [m, n, k] = self.size;
        let name = format!("CLBlast{}gemm", T::LETTER.to_ascii_uppercase());
        let [a, b, c] = [0, 1, 2].map(|i| self.buffers[i].get());
        let mut queue = self.peer.queue.get();
        // SAFETY: the function has this type, and the buffers hold column-major matrices of these sizes.
        let code = unsafe {
            let gemm: Symbol<'_, Gemm<T>> = self.peer.library.get(name.as_bytes())?;
            gemm(
                COLUMN_MAJOR,
                PLAIN,
                PLAIN,
                m,
                n,
                k,
                T::of(1.0, 0.0),
                a,
                0,
                m,
                b,
                0,
                k,
                T::of(0.0, 0.0),
                c,
                0,
                m,
                &mut queue,
                ptr::null_mut(),
            )
        };
        ensure!(code == 0, "{name} returned {code}");
        Ok(self.peer.queue.finish()?)
    }

    fn result(&mut self) -> Result<Vec<T>> {
        let mut values = vec![T::of(0.0, 0.0); self.size[0] * self.size[1]];
        // SAFETY: C has as many elements, and the read waits.
        unsafe {
            self.peer.queue.enqueue_read_buffer(
                &self.buffers[2],
                CL_BLOCKING,
                0,
                &mut values,
                &[],
            )?
        };
        Ok(values)
    }
}
