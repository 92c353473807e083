//! The vendor's library of matrix products as an engine.
//!
//! These libraries see matrices by columns: of each operand one stride must be 1. A result by rows
//! is the transposed product of the transposed operands.

use super::library::{Blas as Functions, Failure, Handle, Outcome};
use super::session::Session;
use super::{Block, CudaLike, table};
use crate::device::DeviceInfo;
use crate::error::{Error, Result};
use crate::vendor::{Blas, Gemm, Matrix};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};
use suanzi_codegen::Scalar;

/// A handle of the library, on the device's stream.
pub struct VendorBlas {
    table: &'static table::Blas,
    functions: Functions,
    handle: Mutex<Handle>,
    session: Arc<Session>,
    info: DeviceInfo,
    file: String,
    name: String,
}

// SAFETY: the handle is used by one thread at a time, under its lock, with the context current.
unsafe impl Send for VendorBlas {}
// SAFETY: as above.
unsafe impl Sync for VendorBlas {}

/// An operand as the library sees it: whether it is transposed, and the distance of its columns.
struct Seen {
    transposed: bool,
    leading: i32,
}

impl VendorBlas {
    /// Loads the library of a device's vendor; says why there is none.
    pub fn open(device: &CudaLike) -> std::result::Result<VendorBlas, String> {
        let vendor = device.vendor();
        let table = vendor.blas.as_ref().ok_or("no library is known")?;
        let (session, library) = device.engine(table.libraries)?;
        let functions = Functions::load(&library, &table.names);
        let file = library.file_of(&functions.create);
        let mut handle = ptr::null_mut();
        let mut start = || -> Outcome<i32> {
            session.enter()?;
            let (name, create) = functions.create.get()?;
            // SAFETY: the handle is written.
            status(name, unsafe { create(&mut handle) })?;
            let (name, set_stream) = functions.set_stream.get()?;
            // SAFETY: a live handle and a live stream, which the session keeps.
            status(name, unsafe { set_stream(handle, session.stream()) })?;
            let mut version = 0;
            if let Ok((_, f)) = functions.version.get() {
                // SAFETY: a live handle; the version is written.
                unsafe { f(handle, &mut version) };
            }
            Ok(version)
        };
        let version = start().map_err(|f| format!("{} ({file})", f.words()))?;
        Ok(VendorBlas {
            table,
            functions,
            handle: Mutex::new(handle),
            session,
            info: device.info.clone(),
            file,
            name: match version {
                0 => table.engine.to_string(),
                v => format!("{} {v}", table.engine),
            },
        })
    }

    /// A matrix that the library can see: by columns or by rows, without gaps inside of them.
    fn seen(&self, matrix: &Matrix<'_>, rows: u64, columns: u64) -> Option<Seen> {
        let fits = |inner: i64, outer: i64, within: u64, across: u64| {
            let outer = if across <= 1 {
                within.max(1) as i64
            } else {
                outer
            };
            (inner == 1 || within <= 1)
                .then_some(outer)
                .filter(|&o| o >= within.max(1) as i64)
        };
        let (down, right) = (matrix.row_stride, matrix.col_stride);
        let plain = fits(down, right, rows, columns).map(|l| (false, l));
        let found = plain.or_else(|| fits(right, down, columns, rows).map(|l| (true, l)));
        let (transposed, leading) = found?;
        let leading = i32::try_from(leading).ok()?;
        Some(Seen {
            transposed,
            leading,
        })
    }

    /// The address of an operand's first element, if the whole of it lies in its memory.
    fn address(&self, dtype: Scalar, matrix: &Matrix<'_>, rows: u64, cols: u64) -> Result<u64> {
        let block = matrix.memory.get::<Block>(&self.info)?;
        if !Arc::ptr_eq(&block.session, &self.session) {
            return Err(crate::check::foreign(&self.info));
        }
        let reach = |n: u64, stride: i64| i128::from(n.saturating_sub(1)) * i128::from(stride);
        let last = i128::from(matrix.offset)
            + reach(rows, matrix.row_stride)
            + reach(cols, matrix.col_stride);
        let bytes = dtype.bytes() as i128;
        let inside = (last + 1) * bytes <= i128::from(matrix.memory.bytes);
        if rows > 0 && cols > 0 && !inside {
            return Err(Error::Invalid {
                device: self.info.id.clone(),
                what: format!(
                    "a matrix of a product ({rows}x{cols} {dtype}) reaches outside its buffer of {} \
                     bytes",
                    matrix.memory.bytes
                ),
            });
        }
        Ok(block.address + matrix.offset * dtype.bytes() as u64)
    }

    fn failed(&self, failure: Failure) -> Error {
        Error::Driver {
            device: self.info.id.clone(),
            call: failure.call,
            what: format!("{} ({})", failure.words(), self.file),
        }
    }
}

impl Blas for VendorBlas {
    fn name(&self) -> &str {
        &self.name
    }

    fn does(&self, dtype: Scalar) -> bool {
        let extended = self.table.extended.as_ref();
        let extended = extended.filter(|_| self.functions.gemm_ex.exists());
        match dtype {
            Scalar::F32 => self.functions.sgemm.exists(),
            Scalar::F64 => self.functions.dgemm.exists(),
            Scalar::F16 => extended.is_some(),
            Scalar::Bf16 => extended.is_some_and(|e| e.bf16.is_some()),
            _ => false,
        }
    }

    fn gemm(&self, op: &Gemm<'_>) -> Result<bool> {
        let address = |m: &Matrix<'_>, rows, cols| self.address(op.dtype, m, rows, cols);
        let (a, b) = (address(&op.a, op.m, op.k)?, address(&op.b, op.k, op.n)?);
        let c = address(&op.c, op.m, op.n)?;
        let seen = (
            self.seen(&op.a, op.m, op.k),
            self.seen(&op.b, op.k, op.n),
            self.seen(&op.c, op.m, op.n),
        );
        let (Some(seen_a), Some(seen_b), Some(seen_c)) = seen else {
            return Ok(false);
        };
        let size = [op.m, op.n, op.k].map(i32::try_from);
        let [Ok(m), Ok(n), Ok(k)] = size else {
            return Ok(false);
        };
        let apart = !op.c.memory.same(op.a.memory) && !op.c.memory.same(op.b.memory);
        // With nothing to sum up these libraries differ in what they do to C.
        if !apart || k == 0 || !self.does(op.dtype) {
            return Ok(false);
        }
        if m == 0 || n == 0 {
            return Ok(true);
        }
        let operation = |transposed: bool| self.table.operations[usize::from(transposed)];
        // By columns as it is; by rows as the transposed product.
        let product = match seen_c.transposed {
            false => Product {
                size: [m, n, k],
                left: (operation(seen_a.transposed), a, seen_a.leading),
                right: (operation(seen_b.transposed), b, seen_b.leading),
                out: (c, seen_c.leading),
            },
            true => Product {
                size: [n, m, k],
                left: (operation(!seen_b.transposed), b, seen_b.leading),
                right: (operation(!seen_a.transposed), a, seen_a.leading),
                out: (c, seen_c.leading),
            },
        };
        self.run(op, &product).map_err(|f| self.failed(f))?;
        Ok(true)
    }
}

/// A product as the library is asked for it.
struct Product {
    size: [i32; 3],
    left: (i32, u64, i32),
    right: (i32, u64, i32),
    out: (u64, i32),
}

impl VendorBlas {
    fn run(&self, op: &Gemm<'_>, product: &Product) -> Outcome<()> {
        self.session.enter()?;
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = *handle;
        let [m, n, k] = product.size;
        let ((op_a, a, lda), (op_b, b, ldb)) = (product.left, product.right);
        let (c, ldc) = product.out;
        let (alpha, beta) = (op.alpha as f32, op.beta as f32);
        // SAFETY (of each call): a live handle; operands that lie inside live memory, which the
        // device frees only after its stream; factors on the host.
        match op.dtype {
            Scalar::F32 => {
                let (name, f) = self.functions.sgemm.get()?;
                // SAFETY: as above.
                let code = unsafe {
                    f(
                        handle, op_a, op_b, m, n, k, &alpha, a, lda, b, ldb, &beta, c, ldc,
                    )
                };
                status(name, code)
            }
            Scalar::F64 => {
                let (name, f) = self.functions.dgemm.get()?;
                let (alpha, beta) = (&op.alpha, &op.beta);
                // SAFETY: as above.
                let code = unsafe {
                    f(
                        handle, op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc,
                    )
                };
                status(name, code)
            }
            _ => {
                let (name, f) = self.functions.gemm_ex.get()?;
                let missing = Failure {
                    call: name,
                    code: 0,
                    text: format!("the numbers for {} are not known", op.dtype),
                };
                let table = self.table.extended.as_ref();
                let kind = table.and_then(|t| match op.dtype {
                    Scalar::F16 => Some(t.f16),
                    Scalar::Bf16 => t.bf16,
                    _ => None,
                });
                let (table, kind) = table.zip(kind).ok_or(missing)?;
                let (compute, algorithm) = (table.compute_f32, table.algorithm);
                let (alpha, beta) = (ptr::from_ref(&alpha).cast(), ptr::from_ref(&beta).cast());
                // SAFETY: as above; the factors are of the kind of the accumulation.
                let code = unsafe {
                    f(
                        handle, op_a, op_b, m, n, k, alpha, a, kind, lda, b, kind, ldb, beta, c,
                        kind, ldc, compute, algorithm,
                    )
                };
                status(name, code)
            }
        }
    }
}

impl Drop for VendorBlas {
    fn drop(&mut self) {
        if let (Ok(_), Ok((_, destroy))) = (self.session.enter(), self.functions.destroy.get()) {
            let handle = self
                .handle
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner);
            // SAFETY: destroyed once, here.
            unsafe { destroy(*handle) };
        }
    }
}

fn status(call: &'static str, code: i32) -> Outcome<()> {
    match code {
        0 => Ok(()),
        code => Err(Failure {
            call,
            code,
            text: String::new(),
        }),
    }
}
