//! Matrices as level 3 reads them: any strides, conjugated or not, whole or by one triangle; and
//! how they are copied into panels.

use crate::args::{Op, Uplo};
use crate::kernels::{tile::Kernel, transpose};
use crate::scalar::Scalar;

/// Element (i, j) is at `at + i·rs + j·cs`, and conjugated if `conj`.
#[derive(Clone, Copy)]
pub struct View<T> {
    pub at: *const T,
    pub rs: isize,
    pub cs: isize,
    pub conj: bool,
}

impl<T: Scalar> View<T> {
    /// op(A) of a column-major matrix.
    #[inline(always)]
    pub fn new(at: *const T, ld: usize, op: Op) -> Self {
        let v = View {
            at,
            rs: 1,
            cs: ld as isize,
            conj: op.conj(),
        };
        if op.trans() { v.transposed() } else { v }
    }
    #[inline(always)]
    pub fn transposed(self) -> Self {
        View {
            rs: self.cs,
            cs: self.rs,
            ..self
        }
    }
    #[inline(always)]
    pub fn conj_if(self, yes: bool) -> Self {
        View {
            conj: self.conj ^ yes,
            ..self
        }
    }
    /// The address of element (i, j).
    #[inline(always)]
    pub fn ptr(&self, i: usize, j: usize) -> *const T {
        self.at
            .wrapping_offset(i as isize * self.rs + j as isize * self.cs)
    }
    /// The part from element (i, j) on.
    #[inline(always)]
    pub fn from(self, i: usize, j: usize) -> Self {
        View {
            at: self.ptr(i, j),
            ..self
        }
    }
    /// Element (i, j) where it is, conjugated if the view is.
    ///
    /// # Safety
    /// There is such an element.
    #[inline(always)]
    pub unsafe fn get(&self, i: usize, j: usize) -> T {
        // SAFETY: the caller's promise.
        unsafe { (*self.ptr(i, j)).conj_if(self.conj) }
    }
}

/// An operand of a product, as rows over k.
#[derive(Clone, Copy)]
pub enum Operand<T> {
    Dense(View<T>),
    /// Only one triangle is read; the other is its mirror, conjugated if Hermitian.
    Symmetric {
        view: View<T>,
        uplo: Uplo,
        herm: bool,
    },
}

impl<T: Scalar> Operand<T> {
    #[inline(always)]
    pub fn transposed(self) -> Self {
        match self {
            Operand::Dense(view) => Operand::Dense(view.transposed()),
            Operand::Symmetric { view, uplo, herm } => Operand::Symmetric {
                view: view.transposed(),
                uplo: uplo.flip(),
                herm,
            },
        }
    }

    /// Panels of a dense operand hold its elements unconjugated: the tile conjugates.
    #[inline(always)]
    pub fn conj(&self) -> bool {
        matches!(self, Operand::Dense(v) if v.conj)
    }

    /// Copies rows i..i+rows, columns p..p+k into a panel: column after column of `width`
    /// elements, filled up with zeros.
    ///
    /// # Safety
    /// There are these rows and columns, and room for `k·width` elements.
    pub unsafe fn pack(
        &self,
        kernel: &Kernel<T>,
        (i, rows): (usize, usize),
        (p, k): (usize, usize),
        width: usize,
        to: *mut T,
    ) {
        // SAFETY: the caller's promise, for each part of the panel.
        unsafe {
            match *self {
                Operand::Dense(v) => pack(kernel, v.from(i, p), rows, k, width, to),
                Operand::Symmetric { view, uplo, herm } => {
                    // Columns before the panel's rows, among them, and behind them.
                    let before = k.min(i.saturating_sub(p));
                    let among = k.min((i + rows).saturating_sub(p));
                    let part = |from: usize, count: usize, stored: bool| {
                        let to = to.add(from * width);
                        let mirror = view.transposed();
                        let v = if stored { view } else { mirror };
                        pack(kernel, v.from(i, p + from), rows, count, width, to);
                        if herm && !stored {
                            (0..count * width).for_each(|e| *to.add(e) = (*to.add(e)).conj());
                        }
                    };
                    part(0, before, uplo == Uplo::Lower);
                    part(among, k - among, uplo == Uplo::Upper);
                    let square = Square {
                        view,
                        uplo,
                        herm,
                        width,
                    };
                    if i >= p && among - before == rows {
                        square.whole(i, rows, to.add(before * width));
                    } else {
                        for q in before..among {
                            square.column(i, rows, p + q, to.add(q * width));
                        }
                    }
                }
            }
        }
    }
}

/// The part of a symmetric operand's panel that the diagonal crosses.
struct Square<T> {
    view: View<T>,
    uplo: Uplo,
    herm: bool,
    width: usize,
}

impl<T: Scalar> Square<T> {
    unsafe fn diagonal(&self, i: usize) -> T {
        // SAFETY: the caller's promise.
        let d = unsafe { self.view.get(i, i) };
        if self.herm { T::real(d.re()) } else { d }
    }

    /// All of it: rows and columns i..i+rows. What is stored is read once and written twice.
    unsafe fn whole(&self, i: usize, rows: usize, to: *mut T) {
        let (v, width) = (self.view.from(i, i), self.width);
        // SAFETY: the caller's promise; the upper triangle is the lower one of the transpose.
        unsafe {
            let v = if self.uplo == Uplo::Upper {
                v.transposed()
            } else {
                v
            };
            for q in 0..rows {
                *to.add(q * width + q) = self.diagonal(i + q);
                for r in q + 1..rows {
                    let stored = v.get(r, q);
                    let mirror = stored.conj_if(self.herm);
                    let (below, above) = match self.uplo {
                        Uplo::Lower => (stored, mirror),
                        Uplo::Upper => (mirror, stored),
                    };
                    *to.add(q * width + r) = below;
                    *to.add(r * width + q) = above;
                }
                to.add(q * width + rows).write_bytes(0, width - rows);
            }
        }
    }

    /// Rows i..i+rows of one column.
    unsafe fn column(&self, i: usize, rows: usize, col: usize, to: *mut T) {
        // SAFETY: the caller's promise.
        unsafe {
            for r in 0..rows {
                let row = i + r;
                *to.add(r) = if row == col {
                    self.diagonal(row)
                } else if (row < col) == (self.uplo == Uplo::Upper) {
                    self.view.get(row, col)
                } else {
                    self.view.get(col, row).conj_if(self.herm)
                };
            }
            to.add(rows).write_bytes(0, self.width - rows);
        }
    }
}

/// Copies `rows` x `k` elements of a view, as they are, into a panel.
///
/// # Safety
/// The view has these elements, and there is room for `k·width`.
pub unsafe fn pack<T: Scalar>(
    kernel: &Kernel<T>,
    v: View<T>,
    rows: usize,
    k: usize,
    width: usize,
    to: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if v.rs == 1 && width == kernel.mr {
            return (kernel.pack)(k, rows, v.at, v.cs, to);
        }
        if v.rs == 1 && width == kernel.nr && rows == width {
            return (kernel.pack_narrow)(k, v.at, v.cs, to);
        }
        if rows < width && width == kernel.mr {
            // Whole vectors of zeros, before what is there.
            (kernel.pack)(k, 0, v.at, 0, to);
        } else if rows < width {
            for q in 0..k {
                to.add(q * width + rows).write_bytes(0, width - rows);
            }
        }
        copy(v, rows, k, to, width);
    }
}

/// Copies `rows` x `k` elements of a view, as they are, to columns that are `step` apart.
///
/// # Safety
/// The view has these elements, and there is room for them.
pub unsafe fn copy<T: Scalar>(v: View<T>, rows: usize, k: usize, to: *mut T, step: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        // Short columns are not worth a call each.
        if v.rs == 1 && rows >= 8 {
            for q in 0..k {
                to.add(q * step).copy_from_nonoverlapping(v.ptr(0, q), rows);
            }
            return;
        }
        if v.cs.abs() == 1 && k > 0 {
            let (from, to, step) = along(v, k, step, to);
            return transpose(rows, k, from, v.rs, to, step);
        }
        for r in 0..rows {
            let (mut from, mut to) = (v.ptr(r, 0), to.add(r));
            for _ in 0..k {
                *to = *from;
                from = from.wrapping_offset(v.cs);
                to = to.wrapping_add(step);
            }
        }
    }
}

/// A view whose rows are contiguous, upwards or downwards, and its panel: both in the order of memory.
fn along<T: Scalar>(
    v: View<T>,
    k: usize,
    width: usize,
    panel: *mut T,
) -> (*const T, *mut T, isize) {
    let step = width as isize;
    if v.cs == 1 {
        (v.at, panel, step)
    } else {
        (v.ptr(0, k - 1), panel.wrapping_add((k - 1) * width), -step)
    }
}

/// Copies a panel of X's columns back to where it came from.
///
/// # Safety
/// As for `pack`; the view's elements may be written, and its columns or its rows are contiguous.
pub unsafe fn unpack<T: Scalar>(
    kernel: &Kernel<T>,
    v: View<T>,
    rows: usize,
    k: usize,
    from: *mut T,
) {
    let width = kernel.mr;
    // SAFETY: the caller's promise.
    unsafe {
        if v.rs != 1 {
            let (to, from, step) = along(v, k, width, from);
            return transpose(k, rows, from, step, to.cast_mut(), v.rs);
        }
        if rows == width {
            return (kernel.unpack)(k, from, v.at.cast_mut(), v.cs);
        }
        for q in 0..k {
            from.add(q * width)
                .copy_to_nonoverlapping(v.ptr(0, q).cast_mut(), rows);
        }
    }
}
