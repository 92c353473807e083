//! The edge to the driver: owned handles, and what its error codes mean to us.
//!
//! The rest of the backend calls the flat functions that `opencl3` re-exports, because its object
//! wrappers panic when a release fails; ownership is the one thing that they need, and it is here.

use crate::error::Error;
use opencl3::error_codes::*;
use opencl3::types::{cl_event, cl_int};
use std::ffi::c_void;

/// A driver object that is released on drop.
pub struct Owned {
    raw: *mut c_void,
    release: unsafe fn(*mut c_void) -> Result<(), cl_int>,
}

// SAFETY: OpenCL objects may be used and released from any thread; the calls that are not
// thread-safe (clSetKernelArg on one kernel) are made under a lock by `program`.
unsafe impl Send for Owned {}
// SAFETY: as above.
unsafe impl Sync for Owned {}

impl Owned {
    /// Takes over one reference.
    ///
    /// # Safety
    /// `raw` is a live object, `release` is its kind's release function, and nobody else gives
    /// this reference back.
    pub unsafe fn new(
        raw: *mut c_void,
        release: unsafe fn(*mut c_void) -> Result<(), cl_int>,
    ) -> Owned {
        Owned { raw, release }
    }

    /// Takes over the event that an enqueue returned.
    ///
    /// # Safety
    /// As for [`Owned::new`].
    pub unsafe fn event(raw: cl_event) -> Owned {
        // SAFETY: the caller's promise.
        unsafe { Owned::new(raw, opencl3::event::release_event) }
    }

    /// The handle, for a call that lasts no longer than `self`.
    pub fn raw(&self) -> *mut c_void {
        self.raw
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: `new` took over the reference that is given back here. An error means that the
        // object is gone already (a lost device): nothing is left to do.
        let _ = unsafe { (self.release)(self.raw) };
    }
}

/// A driver call that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// The function.
    pub call: &'static str,
    /// What it returned.
    pub code: cl_int,
}

/// The result of a driver call.
pub type Outcome<T> = Result<T, Failure>;

/// Names the call of a result.
pub fn call<T>(call: &'static str, result: Result<T, cl_int>) -> Outcome<T> {
    result.map_err(|code| Failure { call, code })
}

impl Failure {
    /// The error that this is for the caller. `bytes` is the memory that the call asked for;
    /// `waited` says that it waited for earlier commands, whose failures it then reports.
    pub fn into_error(self, device: &str, bytes: u64, waited: bool) -> Error {
        let device = device.to_string();
        let what = format!("{}: {}", self.call, ClError(self.code));
        match self.code {
            CL_MEM_OBJECT_ALLOCATION_FAILURE | CL_OUT_OF_HOST_MEMORY | CL_INVALID_BUFFER_SIZE => {
                Error::OutOfMemory {
                    device,
                    bytes,
                    what,
                }
            }
            CL_OUT_OF_RESOURCES if !waited => Error::OutOfMemory {
                device,
                bytes,
                what,
            },
            CL_OUT_OF_RESOURCES
            | CL_DEVICE_NOT_AVAILABLE
            | CL_INVALID_COMMAND_QUEUE
            | CL_INVALID_CONTEXT
            | CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST => Error::DeviceLost { device, what },
            code => Error::Driver {
                device,
                call: self.call,
                what: ClError(code).to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: cl_int, waited: bool) -> Error {
        Failure { call: "f", code }.into_error("opencl:0", 64, waited)
    }

    #[test]
    fn codes_become_errors() {
        assert!(matches!(
            error(CL_MEM_OBJECT_ALLOCATION_FAILURE, true),
            Error::OutOfMemory { bytes: 64, .. }
        ));
        assert!(matches!(
            error(CL_OUT_OF_RESOURCES, false),
            Error::OutOfMemory { .. }
        ));
        assert!(matches!(
            error(CL_OUT_OF_RESOURCES, true),
            Error::DeviceLost { .. }
        ));
        assert!(matches!(
            error(CL_DEVICE_NOT_AVAILABLE, false),
            Error::DeviceLost { .. }
        ));
        let other = error(CL_INVALID_KERNEL_ARGS, false).to_string();
        assert!(other.contains("CL_INVALID_KERNEL_ARGS"), "{other}");
    }
}
