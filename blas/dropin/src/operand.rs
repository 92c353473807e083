//! Matrices as level 3 reads them: any strides, conjugated or not, whole or by one triangle; and
//! how they are copied into panels.

use crate::args::{Op, Uplo};
use crate::kernels::tile::Kernel;
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
                    for q in before..among {
                        for r in 0..width {
                            let (row, col) = (i + r, p + q);
                            let stored = (row < col) == (uplo == Uplo::Upper);
                            *to.add(q * width + r) = if r >= rows {
                                T::zero()
                            } else if row == col {
                                let d = view.get(row, col);
                                if herm { T::real(d.re()) } else { d }
                            } else if stored {
                                view.get(row, col)
                            } else {
                                view.get(col, row).conj_if(herm)
                            };
                        }
                    }
                }
            }
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
        if v.cs == 1 && width == kernel.mr && rows == width {
            return (kernel.pack_rows)(k, v.at, v.rs, to);
        }
        if rows < width {
            for q in 0..k {
                to.add(q * width + rows).write_bytes(0, width - rows);
            }
        }
        for r in 0..rows {
            let (mut from, mut to) = (v.ptr(r, 0), to.add(r));
            for _ in 0..k {
                *to = *from;
                from = from.wrapping_offset(v.cs);
                to = to.wrapping_add(width);
            }
        }
    }
}

/// Copies a panel back to where it came from.
///
/// # Safety
/// As for `pack`; the view's elements may be written.
pub unsafe fn unpack<T: Scalar>(v: View<T>, rows: usize, k: usize, width: usize, from: *const T) {
    // SAFETY: the caller's promise.
    unsafe {
        if v.rs == 1 {
            for q in 0..k {
                from.add(q * width)
                    .copy_to_nonoverlapping(v.ptr(0, q).cast_mut(), rows);
            }
            return;
        }
        for r in 0..rows {
            for q in 0..k {
                *v.ptr(r, q).cast_mut() = *from.add(q * width + r);
            }
        }
    }
}
