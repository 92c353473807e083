//! How BLAS stores matrices, as columns: in every format (full, band, packed) the stored part of
//! a column is contiguous, so level 2 is written over columns and knows no formats.

use crate::args::{Uplo, start};
use crate::parallel::Area;
use crate::scalar::Scalar;
use crate::{Int, kernels};

/// The stored rows of one column: `len` elements from row `row` on.
#[derive(Clone, Copy)]
pub struct Column<T> {
    pub row: usize,
    pub len: usize,
    pub at: *mut T,
}

impl<T> Column<T> {
    /// Its rows from..to alone.
    pub fn within(self, from: usize, to: usize) -> Self {
        let row = self.row.max(from);
        Column {
            row,
            len: (self.row + self.len).min(to).saturating_sub(row),
            at: self.at.wrapping_add(row - self.row),
        }
    }
}

/// A rectangular matrix: full, or the band of `kl` diagonals below and `ku` above.
#[derive(Clone, Copy)]
pub struct Band<T> {
    pub m: usize,
    pub lda: usize,
    pub kl: usize,
    pub ku: usize,
    pub a: *const T,
}

impl<T> Band<T> {
    /// # Safety
    /// The matrix has a column `j`.
    pub unsafe fn column(&self, j: usize) -> Column<T> {
        let row = j.saturating_sub(self.ku).min(self.m);
        let end = (j + self.kl + 1).min(self.m);
        // SAFETY: the caller's promise; the band's rows lie in column j at ku + row - j.
        let at = unsafe { self.a.add(j * self.lda + self.ku + row).sub(j) };
        Column {
            row,
            len: end.saturating_sub(row),
            at: at.cast_mut(),
        }
    }
}

/// The formats of a triangle.
#[derive(Clone, Copy)]
pub enum Format {
    /// Leading dimension.
    Full(usize),
    /// Leading dimension, diagonals beside the main one.
    Band(usize, usize),
    Packed,
}

/// The stored triangle of a symmetric, Hermitian or triangular matrix of order `n`.
#[derive(Clone, Copy)]
pub struct Triangle<T> {
    pub n: usize,
    pub uplo: Uplo,
    pub format: Format,
    pub a: *mut T,
}

// SAFETY: threads that share one work on columns of their own, or read.
unsafe impl<T: Sync> Sync for Triangle<T> {}

impl<T: Scalar> Triangle<T> {
    /// Bytes that are stored, about.
    pub fn bytes(&self) -> usize {
        let long = match self.format {
            Format::Band(_, k) => 2 * k.min(self.n),
            _ => self.n,
        };
        (self.n * long / 2).saturating_mul(size_of::<T>())
    }

    /// How its columns differ in length.
    pub fn area(&self) -> Area {
        match (self.format, self.uplo) {
            (Format::Band(..), _) => Area::Even,
            (_, Uplo::Upper) => Area::Growing,
            (_, Uplo::Lower) => Area::Shrinking,
        }
    }

    /// The stored rows of column `j`: the diagonal is the last one of an upper triangle, and the
    /// first one of a lower.
    ///
    /// # Safety
    /// The matrix has a column `j`.
    #[inline(always)]
    pub unsafe fn column(&self, j: usize) -> Column<T> {
        let upper = self.uplo == Uplo::Upper;
        let k = if let Format::Band(_, k) = self.format {
            k
        } else {
            self.n
        };
        let (row, end) = if upper {
            (j.saturating_sub(k), j + 1)
        } else {
            (j, (j + k + 1).min(self.n))
        };
        let offset = match self.format {
            Format::Full(lda) => j * lda + row,
            Format::Band(lda, k) if upper => j * lda + k + row - j,
            Format::Band(lda, _) => j * lda,
            Format::Packed if upper => j * (j + 1) / 2,
            Format::Packed => j * (2 * self.n - j + 1) / 2,
        };
        Column {
            row,
            len: end - row,
            // SAFETY: the caller's promise.
            at: unsafe { self.a.add(offset) },
        }
    }

    /// Column `j` without its diagonal element, and the address of that.
    ///
    /// # Safety
    /// The matrix has a column `j`.
    #[inline(always)]
    pub unsafe fn split(&self, j: usize) -> (Column<T>, *mut T) {
        // SAFETY: the caller's promise; a column has its diagonal element.
        unsafe {
            let c = self.column(j);
            match self.uplo {
                Uplo::Upper => (
                    Column {
                        len: c.len - 1,
                        ..c
                    },
                    c.at.add(c.len - 1),
                ),
                Uplo::Lower => (
                    Column {
                        row: c.row + 1,
                        len: c.len - 1,
                        at: c.at.add(1),
                    },
                    c.at,
                ),
            }
        }
    }
}

/// A vector of any increment as a contiguous one: itself, or a copy that can be written back.
pub struct Dense<T> {
    own: Vec<T>,
    at: *mut T,
    inc: isize,
    first: *mut T,
}

impl<T: Scalar> Dense<T> {
    /// # Safety
    /// The vector has `n` elements at increment `inc`, and outlives this.
    #[inline(always)]
    pub unsafe fn new(n: usize, x: *const T, inc: Int) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::conj(n, x, inc, false) }
    }

    /// The vector, or its conjugate (which must not be written back).
    ///
    /// # Safety
    /// As for `new`.
    #[inline(always)]
    pub unsafe fn conj(n: usize, x: *const T, inc: Int, conj: bool) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let first = x.cast_mut().offset(start(n, inc));
            let inc = inc as isize;
            let (mut own, mut at) = (Vec::new(), first);
            if inc != 1 || conj {
                own = gathered(n, first, inc, conj);
                at = own.as_mut_ptr();
            }
            Dense {
                own,
                at,
                inc,
                first,
            }
        }
    }

    #[inline(always)]
    pub fn ptr(&self) -> *mut T {
        self.at
    }

    /// Writes a copy back to where it came from.
    ///
    /// # Safety
    /// As for `new`.
    #[inline(always)]
    pub unsafe fn write_back(self) {
        if !self.own.is_empty() {
            // SAFETY: the caller's promise.
            unsafe { scatter(&self.own, self.first, self.inc) }
        }
    }
}

// Not part of their callers, which are short where nothing is copied.

/// # Safety
/// There are `n` elements, `inc` apart.
#[inline(never)]
unsafe fn gathered<T: Scalar>(n: usize, first: *const T, inc: isize, conj: bool) -> Vec<T> {
    // SAFETY: the caller's promise.
    let element = |i| unsafe { (*first.offset(i * inc)).conj_if(conj) };
    (0..n as isize).map(element).collect()
}

/// # Safety
/// As above.
#[inline(never)]
unsafe fn scatter<T: Scalar>(from: &[T], first: *mut T, inc: isize) {
    for (i, &v) in from.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { *first.offset(i as isize * inc) = v };
    }
}

/// y := beta·y, then what `add` adds to a contiguous y. For beta = 0, y is not read.
///
/// # Safety
/// The vector has `n` elements at increment `inc`.
#[inline(always)]
pub unsafe fn scaled<T: Scalar>(n: usize, beta: T, y: *mut T, inc: Int, add: impl FnOnce(*mut T)) {
    // SAFETY: the caller's promise.
    unsafe {
        let y = Dense::new(n, y, inc);
        kernels::times(n, beta, y.ptr());
        add(y.ptr());
        y.write_back();
    }
}
