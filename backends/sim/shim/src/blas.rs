//! Libraries of matrix products: by columns, in plain loops.

use crate::Handle;
use crate::driver::{current, settle, stream_of};
use crate::flavour::Flavour;
use crate::objects::{self, Object};
use half::{bf16, f16};
use std::ffi::{c_int, c_void};

type Status = Result<(), c_int>;

/// Status of a matrix library: it was not started.
const NOT_INITIALIZED: c_int = 1;
/// An argument is wrong.
const INVALID_VALUE: c_int = 7;

/// A kind of elements, in numbers of its own precision or more.
pub trait Element: Copy {
    fn wide(self) -> f64;
    fn narrow(wide: f64) -> Self;
}

macro_rules! element {
    ($($t:ty: $wide:expr, $narrow:expr;)*) => {
        $(impl Element for $t {
            fn wide(self) -> f64 {
                $wide(self)
            }
            fn narrow(wide: f64) -> $t {
                $narrow(wide)
            }
        })*
    };
}

element! {
    f32: f64::from, |x| x as f32;
    f64: |x| x, |x| x;
    f16: f64::from, |x| f16::from_f32(x as f32);
    bf16: f64::from, |x| bf16::from_f32(x as f32);
}

fn ready(f: &Flavour, handle: Handle) -> Status {
    current(f).map_err(|_| NOT_INITIALIZED)?;
    match objects::get(f, handle) {
        Ok(Object::Blas(Some(stream))) => settle(&stream),
        _ => Err(NOT_INITIALIZED),
    }
}

pub unsafe fn create(f: &Flavour, out: *mut Handle) -> Status {
    current(f).map_err(|_| NOT_INITIALIZED)?;
    if out.is_null() {
        return Err(INVALID_VALUE);
    }
    // SAFETY: the header's promise.
    unsafe { out.write(objects::add(f, Object::Blas(None))) };
    Ok(())
}

pub unsafe fn destroy(f: &Flavour, handle: Handle) -> Status {
    match objects::get(f, handle) {
        Ok(Object::Blas(_)) => objects::remove(f, handle).map(drop),
        _ => Err(NOT_INITIALIZED),
    }
}

pub unsafe fn version(f: &Flavour, handle: Handle, out: *mut c_int) -> Status {
    match (objects::get(f, handle), out.is_null()) {
        (Ok(Object::Blas(_)), false) => {
            // SAFETY: the header's promise.
            unsafe { out.write(1000) };
            Ok(())
        }
        _ => Err(INVALID_VALUE),
    }
}

pub unsafe fn set_stream(f: &Flavour, handle: Handle, stream: Handle) -> Status {
    let known = objects::get(f, handle).is_ok_and(|o| matches!(o, Object::Blas(_)));
    match (known, stream_of(f, stream)) {
        (true, Ok(stream)) => {
            objects::replace(f, handle, Object::Blas(Some(stream)));
            Ok(())
        }
        _ => Err(INVALID_VALUE),
    }
}

/// A product as it is asked for.
struct Asked {
    operations: [c_int; 2],
    size: [c_int; 3],
    factors: [f64; 2],
    at: [u64; 3],
    leading: [c_int; 3],
}

/// `C = alpha · A · B + beta · C`.
///
/// # Safety
/// The matrices lie in memory.
unsafe fn product<T: Element>(f: &Flavour, handle: Handle, asked: &Asked) -> Status {
    ready(f, handle)?;
    let [m, n, k] = asked.size;
    if m < 0 || n < 0 || k < 0 {
        return Err(INVALID_VALUE);
    }
    let mut turned = [false; 2];
    for (turned, operation) in turned.iter_mut().zip(asked.operations) {
        let known = f.operations.iter().position(|&o| o == operation);
        *turned = known.ok_or(INVALID_VALUE)? > 0;
    }
    let rows = [
        if turned[0] { k } else { m },
        if turned[1] { n } else { k },
        m,
    ];
    let short = |(leading, rows): (&c_int, &c_int)| *leading < 1.max(*rows);
    if asked.leading.iter().zip(&rows).any(short) {
        return Err(INVALID_VALUE);
    }
    let [lda, ldb, ldc] = asked.leading.map(|l| l as usize);
    let [a, b] = [asked.at[0], asked.at[1]].map(|at| at as *const T);
    let c = asked.at[2] as *mut T;
    let [m, n, k] = [m, n, k].map(|x| x as usize);
    let [alpha, beta] = asked.factors;
    for j in 0..n {
        for i in 0..m {
            // SAFETY: the caller's promise.
            unsafe {
                let mut sum = 0.0;
                for p in 0..k {
                    let left = a.add(if turned[0] { p + i * lda } else { i + p * lda });
                    let right = b.add(if turned[1] { j + p * ldb } else { p + j * ldb });
                    sum += left.read().wide() * right.read().wide();
                }
                let out = c.add(i + j * ldc);
                let kept = match beta {
                    0.0 => 0.0,
                    beta => beta * out.read().wide(),
                };
                out.write(T::narrow(alpha * sum + kept));
            }
        }
    }
    Ok(())
}

/// A number behind a pointer.
///
/// # Safety
/// The pointer is null or to a number.
unsafe fn number<T: Element>(pointer: *const T) -> Result<f64, c_int> {
    match pointer.is_null() {
        true => Err(INVALID_VALUE),
        // SAFETY: the caller's promise.
        false => Ok(unsafe { pointer.read() }.wide()),
    }
}

macro_rules! gemm {
    ($name:ident, $t:ty) => {
        #[allow(clippy::too_many_arguments)]
        pub unsafe fn $name(
            f: &Flavour,
            handle: Handle,
            op_a: c_int,
            op_b: c_int,
            m: c_int,
            n: c_int,
            k: c_int,
            alpha: *const $t,
            a: u64,
            lda: c_int,
            b: u64,
            ldb: c_int,
            beta: *const $t,
            c: u64,
            ldc: c_int,
        ) -> Status {
            // SAFETY: the header's promise.
            unsafe {
                let asked = Asked {
                    operations: [op_a, op_b],
                    size: [m, n, k],
                    factors: [number(alpha)?, number(beta)?],
                    at: [a, b, c],
                    leading: [lda, ldb, ldc],
                };
                product::<$t>(f, handle, &asked)
            }
        }
    };
}
gemm!(sgemm, f32);
gemm!(dgemm, f64);

#[allow(clippy::too_many_arguments)]
pub unsafe fn gemm_ex(
    f: &Flavour,
    handle: Handle,
    op_a: c_int,
    op_b: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: *const c_void,
    a: u64,
    a_kind: c_int,
    lda: c_int,
    b: u64,
    b_kind: c_int,
    ldb: c_int,
    beta: *const c_void,
    c: u64,
    c_kind: c_int,
    ldc: c_int,
    compute: c_int,
    algorithm: c_int,
) -> Status {
    // CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT.
    if a_kind != b_kind || a_kind != c_kind || compute != 68 || algorithm != -1 {
        return Err(INVALID_VALUE);
    }
    // SAFETY: the header's promise.
    unsafe {
        let asked = Asked {
            operations: [op_a, op_b],
            size: [m, n, k],
            factors: [number::<f32>(alpha.cast())?, number::<f32>(beta.cast())?],
            at: [a, b, c],
            leading: [lda, ldb, ldc],
        };
        // CUDA_R_16F, CUDA_R_16BF.
        match a_kind {
            2 => product::<f16>(f, handle, &asked),
            14 => product::<bf16>(f, handle, &asked),
            _ => Err(INVALID_VALUE),
        }
    }
}
