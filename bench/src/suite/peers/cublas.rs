//! cuBLAS on the first CUDA device, in memory of its own: products only, in the types' own precision (no TF32).

use super::super::number::Number;
use super::super::problem::Problem;
use super::super::routine::Op;
use super::{Contender, Peer, Prepare, Ready};
use crate::Result;
use anyhow::{Context as _, ensure};
use libloading::{Library, Symbol};
use std::ffi::{c_int, c_void};
use std::ptr;

/// Both libraries, and cuBLAS's handle.
pub struct Cublas {
    runtime: Library,
    blas: Library,
    handle: *mut c_void,
}

const PLAIN: c_int = 0;
const TO_DEVICE: c_int = 1;
const TO_HOST: c_int = 2;

type Gemm<T> = unsafe extern "C" fn(
    *mut c_void,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    *const T,
    *const T,
    c_int,
    *const T,
    c_int,
    *const T,
    *mut T,
    c_int,
) -> c_int;

/// Calls a function that returns a status, which has to be 0.
macro_rules! call {
    ($library:expr, $name:expr, $type:ty, $($argument:expr),*) => {{
        let name: &str = $name;
        // SAFETY: the function has this type in the libraries' headers, and who calls it says why the arguments fit.
        let status = unsafe {
            let function: Symbol<'_, $type> = $library.get(name.as_bytes())?;
            function($($argument),*)
        };
        ensure!(status == 0, "{name} returned {status}");
    }};
}

impl Cublas {
    /// Loads it.
    pub fn load() -> Result<Cublas> {
        let open = |names: [&str; 2]| {
            // SAFETY: loading them does nothing else.
            let [first, second] = names.map(|n| unsafe { Library::new(n) });
            first.or(second)
        };
        let mut peer = Cublas {
            runtime: open(["libcudart.so.12", "libcudart.so"])?,
            blas: open(["libcublas.so.12", "libcublas.so"])?,
            handle: ptr::null_mut(),
        };
        // The handle's address is its place.
        call!(
            peer.blas,
            "cublasCreate_v2",
            unsafe extern "C" fn(*mut *mut c_void) -> c_int,
            &mut peer.handle
        );
        Ok(peer)
    }

    /// Copies bytes between the host and the device.
    fn copy(&self, to: *mut c_void, from: *const c_void, bytes: usize, way: c_int) -> Result<()> {
        // Both places hold as many bytes.
        type Copy = unsafe extern "C" fn(*mut c_void, *const c_void, usize, c_int) -> c_int;
        call!(self.runtime, "cudaMemcpy", Copy, to, from, bytes, way);
        Ok(())
    }
}

impl Drop for Cublas {
    fn drop(&mut self) {
        // SAFETY: the function has this type; the handle was made when this was, or is null, which is refused.
        unsafe {
            type Destroy = unsafe extern "C" fn(*mut c_void) -> c_int;
            if let Ok(destroy) = self.blas.get::<Destroy>(b"cublasDestroy_v2") {
                destroy(self.handle);
            }
        }
    }
}

impl Peer for Cublas {
    fn name(&self) -> &str {
        "cublas"
    }

    fn about(&self) -> String {
        let version = || -> Result<c_int> {
            let mut version = 0;
            // The version's address is its place.
            type Version = unsafe extern "C" fn(*mut c_void, *mut c_int) -> c_int;
            call!(
                self.blas,
                "cublasGetVersion_v2",
                Version,
                self.handle,
                &mut version
            );
            Ok(version)
        };
        match version() {
            Ok(version) => format!("cuBLAS {version} on the first CUDA device"),
            Err(error) => format!("cuBLAS of an unknown version: {error:#}"),
        }
    }
}

/// Memory on the device.
struct Array<'a> {
    peer: &'a Cublas,
    at: *mut c_void,
}

impl<'a> Array<'a> {
    fn new<T: Number>(peer: &'a Cublas, values: &[T]) -> Result<Array<'a>> {
        let mut array = Array {
            peer,
            at: ptr::null_mut(),
        };
        // The pointer's address is its place.
        type Malloc = unsafe extern "C" fn(*mut *mut c_void, usize) -> c_int;
        let bytes = size_of_val(values);
        call!(peer.runtime, "cudaMalloc", Malloc, &mut array.at, bytes);
        peer.copy(array.at, values.as_ptr().cast(), bytes, TO_DEVICE)?;
        Ok(array)
    }
}

impl Drop for Array<'_> {
    fn drop(&mut self) {
        // SAFETY: the function has this type; the memory came from `cudaMalloc`, or is null, which is ignored.
        unsafe {
            type Free = unsafe extern "C" fn(*mut c_void) -> c_int;
            if let Ok(free) = self.peer.runtime.get::<Free>(b"cudaFree") {
                free(self.at);
            }
        }
    }
}

struct Run<'a> {
    peer: &'a Cublas,
    size: [usize; 3],
    arrays: [Array<'a>; 3],
}

impl<T: Number> Prepare<T> for Cublas {
    fn prepare<'a>(&'a self, problem: &'a Problem<T>) -> Result<Option<Ready<'a, T>>> {
        if problem.op != Op::Gemm {
            return Ok(None);
        }
        let array = |values| Array::new::<T>(self, values);
        Ok(Some(Box::new(Run {
            peer: self,
            size: problem.size,
            arrays: [array(&problem.a)?, array(&problem.b)?, array(&problem.c)?],
        })))
    }
}

impl<T: Number> Contender<T> for Run<'_> {
    fn run(&mut self) -> Result<()> {
        let mut int = [0; 3];
        for (int, &d) in int.iter_mut().zip(&self.size) {
            *int = c_int::try_from(d).context("a side that is too long")?;
        }
        let [m, n, k] = int;
        let (one, zero) = (T::of(1.0, 0.0), T::of(0.0, 0.0));
        let [a, b, c] = [0, 1, 2].map(|i| self.arrays[i].at.cast::<T>());
        let name = format!("cublas{}gemm_v2", T::LETTER.to_ascii_uppercase());
        // Column-major matrices of these sizes are there.
        call!(
            self.peer.blas,
            &name,
            Gemm<T>,
            self.peer.handle,
            PLAIN,
            PLAIN,
            m,
            n,
            k,
            &one,
            a,
            m,
            b,
            k,
            &zero,
            c,
            m
        );
        call!(
            self.peer.runtime,
            "cudaDeviceSynchronize",
            unsafe extern "C" fn() -> c_int,
        );
        Ok(())
    }

    fn result(&mut self) -> Result<Vec<T>> {
        let [m, n, _] = self.size;
        let mut values = vec![T::zeroed(); m * n];
        let bytes = size_of_val(&values[..]);
        self.peer.copy(
            values.as_mut_ptr().cast(),
            self.arrays[2].at,
            bytes,
            TO_HOST,
        )?;
        Ok(values)
    }
}
