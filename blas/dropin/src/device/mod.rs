//! The device path: operands are copied to a device, `suanzi_blas` of the Rust API computes, and the
//! result is copied back. Nothing of the caller's is written before all of it has succeeded, so that
//! the host can still take over.

pub mod level1;
pub mod level2;
pub mod level3;
mod staging;

use crate::args::{Diag, Side, Uplo};
use crate::dispatch::setting;
use crate::error::say;
use crate::scalar::Scalar;
use num_complex::Complex64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Once, OnceLock};
use suanzi_backends::Context;
use suanzi_device_blas as blas;

pub use blas::Result;

/// A device, and the process that opened it: a driver's threads do not follow a fork.
struct Device {
    context: Context,
    process: u32,
}

static DEVICE: OnceLock<Option<Device>> = OnceLock::new();

/// Computes on the device. `None` where there is none or it fails; the first failure is reported.
pub fn attempt<R>(name: &str, compute: impl FnOnce(&Context) -> Result<R>) -> Option<R> {
    let device = DEVICE.get_or_init(open).as_ref()?;
    if device.process != std::process::id() {
        return None;
    }
    match catch_unwind(AssertUnwindSafe(|| compute(&device.context))) {
        Ok(Ok(result)) => Some(result),
        Ok(Err(error)) => warn(&format!("{name} on the device: {error}")),
        Err(_) => warn(&format!("{name} on the device: a panic, which is a bug")),
    }
}

fn open() -> Option<Device> {
    let opened = match setting("SUANZI_BLAS_DEVICE") {
        Some(name) => Context::open(&name),
        None => Context::open_default(),
    };
    match opened {
        Ok(context) => Some(Device {
            context,
            process: std::process::id(),
        }),
        Err(error) => warn(&error.to_string()),
    }
}

/// Says once why the host computes.
fn warn<R>(why: &str) -> Option<R> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        say(&format!(
            "suanzi-blas: {why}; the host computes, and no more is said\n"
        ));
    });
    None
}

/// A scalar as the device's routines take it.
fn wide<T: Scalar>(x: T) -> Complex64 {
    use crate::scalar::Real;
    Complex64::new(x.re().wide(), x.im().wide())
}

impl From<Uplo> for blas::Uplo {
    fn from(uplo: Uplo) -> blas::Uplo {
        match uplo {
            Uplo::Upper => blas::Uplo::Upper,
            Uplo::Lower => blas::Uplo::Lower,
        }
    }
}

impl From<Diag> for blas::Diag {
    fn from(diag: Diag) -> blas::Diag {
        match diag {
            Diag::NonUnit => blas::Diag::NonUnit,
            Diag::Unit => blas::Diag::Unit,
        }
    }
}

impl From<Side> for blas::Side {
    fn from(side: Side) -> blas::Side {
        match side {
            Side::Left => blas::Side::Left,
            Side::Right => blas::Side::Right,
        }
    }
}
