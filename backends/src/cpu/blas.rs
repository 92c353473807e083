//! The matrix library of the `cpu` device: the `gemm` crate, on the device's queue.

use super::Core;
use crate::check;
use crate::error::Result;
use crate::vendor::{Blas, Gemm, Matrix};
use gemm::Parallelism;
use std::ops::Range;
use std::sync::Arc;
use suanzi_codegen::{Scalar, interp};

/// The `gemm` crate.
pub struct Gemms {
    core: Arc<Core>,
    threads: usize,
}

impl Gemms {
    /// For the queue and the memory of this device.
    pub fn new(core: Arc<Core>, threads: usize) -> Gemms {
        Gemms { core, threads }
    }
}

/// A matrix that was found to lie inside its memory.
struct Placed {
    offset: isize,
    row: isize,
    col: isize,
}

impl Blas for Gemms {
    fn name(&self) -> &str {
        "gemm crate 0.19"
    }

    fn does(&self, dtype: Scalar) -> bool {
        matches!(dtype, Scalar::F32 | Scalar::F64)
    }

    fn gemm(&self, op: &Gemm<'_>) -> Result<bool> {
        let cells = |matrix: &Matrix<'_>| self.core.cells(matrix.memory).cloned();
        let (a, b, c) = (cells(&op.a)?, cells(&op.b)?, cells(&op.c)?);
        let place = |name, matrix, rows, cols| self.place(op.dtype, name, matrix, rows, cols);
        let (at_a, in_a) = place("matrix A", &op.a, op.m, op.k)?;
        let (at_b, in_b) = place("matrix B", &op.b, op.k, op.n)?;
        let (at_c, in_c) = place("matrix C", &op.c, op.m, op.n)?;
        let meets_c = |matrix: &Matrix<'_>, bytes: Range<u64>| {
            let apart = bytes.end <= in_c.start || in_c.end <= bytes.start;
            op.c.memory.same(matrix.memory) && !apart
        };
        if !self.does(op.dtype) || !is_injective(op) || meets_c(&op.a, in_a) || meets_c(&op.b, in_b)
        {
            return Ok(false);
        }
        if op.m == 0 || op.n == 0 {
            return Ok(true);
        }
        let size = [op.m, op.n, op.k].map(|n| n as usize);
        let (alpha, beta) = (op.alpha, op.beta);
        let parallelism = match self.threads {
            0 | 1 => Parallelism::None,
            n => Parallelism::Rayon(n),
        };
        let double = op.dtype == Scalar::F64;
        self.core.queue.record("gemm", move || {
            let from = [(&a.memory, &at_a), (&b.memory, &at_b)];
            let to = (&c.memory, &at_c);
            // SAFETY: `place` found every element of the three matrices inside its memory, which
            // this closure holds; memory is aligned for any element kind. No element of C is at
            // two places (`is_injective`) or in A or B (`meets_c`), and the queue runs nothing
            // else meanwhile.
            unsafe {
                match double {
                    true => run::<f64>(size, to, from, beta, alpha, parallelism),
                    false => run::<f32>(size, to, from, beta as f32, alpha as f32, parallelism),
                }
            }
            Ok(())
        })?;
        Ok(true)
    }
}

impl Gemms {
    /// Checks that a matrix lies inside its memory; its strides, and the bytes that it spans.
    fn place(
        &self,
        dtype: Scalar,
        name: &str,
        matrix: &Matrix<'_>,
        rows: u64,
        cols: u64,
    ) -> Result<(Placed, Range<u64>)> {
        let bytes = check::matrix(&self.core.info, dtype, name, matrix, rows, cols)?;
        let placed = Placed {
            offset: match bytes.is_empty() {
                true => 0,
                false => matrix.offset as isize,
            },
            row: matrix.row_stride as isize,
            col: matrix.col_stride as isize,
        };
        Ok((placed, bytes))
    }
}

/// No two elements of C are at one place.
fn is_injective(op: &Gemm<'_>) -> bool {
    let (row, col) = (
        op.c.row_stride.unsigned_abs(),
        op.c.col_stride.unsigned_abs(),
    );
    let inner_fits = |inner: u64, count: u64, outer: u64| {
        inner > 0 && inner.checked_mul(count).is_some_and(|span| span <= outer)
    };
    match (op.m, op.n) {
        (0..=1, 0..=1) => true,
        (0..=1, _) => col > 0,
        (_, 0..=1) => row > 0,
        (m, n) => inner_fits(row, m, col) || inner_fits(col, n, row),
    }
}

/// `C = keep · C + factor · A · B`.
///
/// # Safety
/// The matrices lie inside their memories and nothing else uses C meanwhile.
unsafe fn run<T: Copy + PartialEq + Default + 'static>(
    [m, n, k]: [usize; 3],
    (c, at_c): (&interp::Memory, &Placed),
    [(a, at_a), (b, at_b)]: [(&interp::Memory, &Placed); 2],
    keep: T,
    factor: T,
    parallelism: Parallelism,
) {
    let start = |memory: &interp::Memory, at: &Placed| {
        let first: *mut T = memory.base().cast();
        first.wrapping_offset(at.offset)
    };
    // SAFETY: the caller's promise.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            start(c, at_c),
            at_c.col,
            at_c.row,
            keep != T::default(),
            start(a, at_a),
            at_a.col,
            at_a.row,
            start(b, at_b),
            at_b.col,
            at_b.row,
            keep,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}
