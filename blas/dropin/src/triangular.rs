//! Products and solutions with a triangle, in place: X := alpha·X·U, or X := alpha·X·U⁻¹, with U
//! upper triangular. All sides, triangles and transpositions are brought to this form by
//! exchanging or reversing strides.
//!
//! Blocks of columns of X take turns; what a block has to do with other blocks is a plain product.
//! Within a block, a few rows of X at a time are copied to a panel, and tiles go over its columns.
//! The rows are independent, so the cores share them.

use crate::kernels::tile::{Keep, Kernel, Panels, Solve, Tile, Update};
use crate::operand::{Operand, View, copy, pack, unpack};
use crate::parallel::{self, Shared};
use crate::product::Product;
use crate::scalar::Scalar;
use crate::workspace::Workspace;
use num_traits::Float;

/// X has `r` rows and `k` columns.
#[derive(Clone, Copy)]
pub struct Triangular<T> {
    pub solve: bool,
    pub unit: bool,
    pub r: usize,
    pub k: usize,
    pub alpha: T,
    pub u: View<T>,
    pub x: View<T>,
}

/// Columns of X in a block.
const BLOCK: usize = 128;
/// Panels of rows that are solved together: what one waits for, the other has time to do.
const GROUP: usize = 2;
/// Elements between rows that must not all fall into the same lines of the cache.
const GAP: usize = 16;

impl<T: Scalar> Triangular<T> {
    /// # Safety
    /// U has k rows and columns, X can be written and is not U.
    pub unsafe fn run(self) {
        /// Multiplications that one core should have at least.
        const WORTH: f64 = 1e6;
        let work = self.r as f64 * (self.k as f64).powi(2) * if T::COMPLEX { 2.0 } else { 0.5 };
        let kernel = Kernel::<T>::get();
        let most = self.r.div_ceil(kernel.mr);
        let parts = if work < 2.0 * WORTH {
            1
        } else {
            ((work / WORTH) as usize).min(parallel::threads()).min(most)
        };
        // SAFETY: the caller's promise; the parts' rows are disjoint.
        unsafe {
            if parts < 2 {
                return self.blocks(&kernel);
            }
            let each = self.r.div_ceil(parts).next_multiple_of(kernel.mr);
            let this = Shared(std::ptr::from_ref(&self).cast_mut());
            parallel::tasks(self.r.div_ceil(each), |i| {
                let this = *this.at(0);
                let from = i * each;
                let (r, x) = (each.min(this.r - from), this.x.from(from, 0));
                Triangular { r, x, ..this }.blocks(&Kernel::get());
            });
        }
    }

    unsafe fn blocks(self, kernel: &Kernel<T>) {
        let count = self.k.div_ceil(BLOCK);
        for i in 0..count {
            // A product reads a block as it was, a solution as it is.
            let at = BLOCK * if self.solve { i } else { count - 1 - i };
            let len = (self.k - at).min(BLOCK);
            // SAFETY: the blocks lie within X and U.
            unsafe {
                if self.solve {
                    let alpha = if i == 0 { self.alpha } else { T::one() };
                    self.block(kernel, at, len, alpha);
                    self.others(at, len, -T::one(), alpha);
                } else {
                    self.others(at, len, self.alpha, T::one());
                    self.block(kernel, at, len, self.alpha);
                }
            }
        }
    }

    /// What the block's columns add to those behind them.
    unsafe fn others(&self, at: usize, len: usize, alpha: T, beta: T) {
        let rest = self.k - at - len;
        if rest > 0 {
            let (to, u) = (self.x.from(0, at + len), self.u.from(at, at + len));
            let x = self.x.from(0, at);
            // SAFETY: the caller's promise.
            unsafe { add(self.r, rest, len, alpha, x, u, beta, to) };
        }
    }

    /// Columns at..at+len by their own triangle alone.
    unsafe fn block(&self, kernel: &Kernel<T>, at: usize, len: usize, alpha: T) {
        // SAFETY: the caller's promise.
        unsafe {
            match (self.solve, self.x.rs) {
                (true, _) => self.solve_block(kernel, at, len, alpha),
                (false, 1) => self.multiply_columns(kernel, at, len, alpha),
                _ => self.multiply_rows(kernel, at, len, alpha),
            }
        }
    }

    /// A solution: some panels of rows at a time.
    unsafe fn solve_block(&self, kernel: &Kernel<T>, at: usize, len: usize, alpha: T) {
        let mr = kernel.mr;
        // Rows of the triangle's copy are somewhat longer, since tiles read whole groups of columns.
        let row = len + kernel.nr;
        // SAFETY: the workspace has room for the triangle and panels of X; panels are whole.
        unsafe {
            let space = Workspace::take::<T>(row * len + GROUP * len * mr);
            let triangle = space.ptr::<T>();
            let first = triangle.add(row * len);
            let regular = self.copy_triangle(self.u.from(at, at), len, triangle, row);
            for i in (0..self.r).step_by(GROUP * mr) {
                let rows = (self.r - i).min(GROUP * mr);
                let parts = (0..rows).step_by(mr).map(|r| {
                    let x = self.x.from(i + r, at);
                    (x, (rows - r).min(mr), first.add(r * len))
                });
                for (x, rows, panel) in parts.clone() {
                    pack(kernel, x, rows, len, mr, panel);
                }
                let panels = Panels {
                    x: first,
                    size: len * mr,
                    count: rows.div_ceil(mr),
                };
                let group = Group {
                    kernel,
                    triangle,
                    row,
                    regular,
                    panels,
                };
                group.solve(0, len, alpha);
                for (x, rows, panel) in parts {
                    unpack(kernel, x, rows, len, panel);
                }
            }
            space.give_back();
        }
    }

    /// A product whose columns of X are contiguous in memory: rows of it are packed, and tiles write
    /// where they belong.
    unsafe fn multiply_columns(&self, kernel: &Kernel<T>, at: usize, len: usize, alpha: T) {
        let Kernel { mr, nr, .. } = *kernel;
        // SAFETY: the workspace has room for the triangle and a panel of X.
        unsafe {
            let padded = len.next_multiple_of(nr);
            let space = Workspace::take::<T>(len * mr + padded * len);
            let panel = space.ptr::<T>();
            let triangle = panel.add(len * mr);
            let t = self.u.from(at, at).transposed();
            self.pack_triangle(kernel, t, len, nr, false, triangle);
            for i in (0..self.r).step_by(mr) {
                let rows = (self.r - i).min(mr);
                let x = self.x.from(i, at);
                pack(kernel, x, rows, len, mr, panel);
                for j in (0..len).step_by(nr) {
                    let cols = (len - j).min(nr);
                    let tile = Tile {
                        k: j + cols,
                        a: panel,
                        a_step: mr as isize,
                        a_padded: true,
                        b: triangle.add(j * len),
                        b_step: nr as isize,
                        b_col: 1,
                        conj_a: false,
                        conj_b: false,
                        c: x.ptr(0, j).cast_mut(),
                        ldc: x.cs,
                        rows,
                        cols,
                        alpha,
                        beta: T::zero(),
                        keep: Keep::All,
                    };
                    (kernel.tile)(&tile);
                }
            }
            space.give_back();
        }
    }

    /// Packs a lower triangle (or an upper one) into panels of `width` rows, with zeros beside it where
    /// tiles read.
    unsafe fn pack_triangle(
        &self,
        kernel: &Kernel<T>,
        t: View<T>,
        len: usize,
        width: usize,
        upper: bool,
        to: *mut T,
    ) {
        // SAFETY: there is room for the panels; only the triangle is read.
        unsafe {
            for row in (0..len).step_by(width) {
                let (panel, rows) = (to.add(row * len), (len - row).min(width));
                let (from, to) = if upper { (row + rows, len) } else { (0, row) };
                let beside = panel.add(from * width);
                pack(kernel, t.from(row, from), rows, to - from, width, beside);
                conjugate(t.conj, (to - from) * width, beside);
                panel.add(row * width).write_bytes(0, rows * width);
                for q in row..row + rows {
                    let column = panel.add(q * width);
                    let (from, to) = if upper { (row, q) } else { (q + 1, row + rows) };
                    let mut at = t.ptr(from, q);
                    for r in from..to {
                        *column.add(r - row) = (*at).conj_if(t.conj);
                        at = at.wrapping_offset(t.rs);
                    }
                    *column.add(q - row) = if self.unit { T::one() } else { t.get(q, q) };
                }
            }
        }
    }

    /// A product whose rows of X are contiguous in memory (upwards or downwards): memory then holds
    /// the transpose, columns of it are copied as they are, and tiles write where they belong.
    unsafe fn multiply_rows(&self, kernel: &Kernel<T>, at: usize, len: usize, alpha: T) {
        let Kernel { mr, nr, .. } = *kernel;
        let row_gap = len + GAP;
        let down = self.x.cs < 0;
        // In memory's order, from the lowest address on.
        let place = |j: usize| if down { len - 1 - j } else { j };
        let x = self.x.from(0, at + place(0));
        // SAFETY: the workspace has room for the triangle and some columns; only U's upper triangle
        // is read.
        unsafe {
            let padded = len.next_multiple_of(mr);
            let space = Workspace::take::<T>(padded * len + nr * row_gap);
            let triangle = space.ptr::<T>();
            let columns = triangle.add(padded * len);
            // The transpose in memory's order: a lower triangle, or an upper one if it is reversed.
            let mut t = self.u.from(at + place(0), at + place(0)).transposed();
            if down {
                (t.rs, t.cs) = (-t.rs, -t.cs);
            }
            self.pack_triangle(kernel, t, len, mr, down, triangle);
            for i in (0..self.r).step_by(nr) {
                let cols = (self.r - i).min(nr);
                for c in 0..cols {
                    let from = x.ptr(i + c, 0);
                    columns.add(c * row_gap).copy_from_nonoverlapping(from, len);
                }
                for row in (0..len).step_by(mr) {
                    let rows = (len - row).min(mr);
                    let (from, to) = if down { (row, len) } else { (0, row + rows) };
                    let tile = Tile {
                        k: to - from,
                        a: triangle.add(row * len + from * mr),
                        a_step: mr as isize,
                        a_padded: true,
                        b: columns.add(from),
                        b_step: 1,
                        b_col: row_gap as isize,
                        conj_a: false,
                        conj_b: false,
                        c: x.ptr(i, 0).cast_mut().add(row),
                        ldc: x.rs,
                        rows,
                        cols,
                        alpha,
                        beta: T::zero(),
                        keep: Keep::All,
                    };
                    (kernel.tile)(&tile);
                }
            }
            space.give_back();
        }
    }

    /// Copies the triangle of a solution, with zeros below it, row after row of `row` elements. The
    /// diagonal is inverted, unless an inverse would not be a normal number: then it is not, and
    /// false is returned.
    unsafe fn copy_triangle(&self, u: View<T>, len: usize, to: *mut T, row: usize) -> bool {
        // SAFETY: there is room for the rows; only U's upper triangle is read.
        unsafe {
            let normal = |d: T| Float::is_normal(d.abs1());
            let mut regular = true;
            to.write_bytes(0, row * len);
            // Some columns at a time: what is above their square, and that.
            const SOME: usize = 8;
            for first in (0..len).step_by(SOME) {
                let last = len.min(first + SOME);
                let above = u.from(0, first).transposed();
                copy(above, last - first, first, to.add(first), row);
                for p in 0..first {
                    conjugate(u.conj, last - first, to.add(p * row + first));
                }
                for j in first..last {
                    let (mut from, mut to_p) = (u.ptr(first, j), to.add(first * row + j));
                    for _ in first..j {
                        *to_p = (*from).conj_if(u.conj);
                        (from, to_p) = (from.wrapping_offset(u.rs), to_p.add(row));
                    }
                    let d = to.add(j * row + j);
                    *d = if self.unit {
                        T::one()
                    } else {
                        T::one().over(u.get(j, j))
                    };
                    regular &= self.unit || (normal(u.get(j, j)) && normal(*d));
                }
            }
            if !regular {
                for j in 0..len {
                    *to.add(j * row + j) = u.get(j, j);
                }
            }
            regular
        }
    }
}

/// Conjugates `n` elements, if asked for.
unsafe fn conjugate<T: Scalar>(yes: bool, n: usize, x: *mut T) {
    if yes {
        for i in 0..n {
            // SAFETY: the caller's promise.
            unsafe { *x.add(i) = (*x.add(i)).conj() };
        }
    }
}

/// Some panels of rows of X, packed, and the triangle that they meet.
struct Group<'a, T> {
    kernel: &'a Kernel<T>,
    triangle: *const T,
    row: usize,
    regular: bool,
    panels: Panels<T>,
}

impl<T: Scalar> Group<'_, T> {
    /// Columns from..to of alpha·X·U⁻¹, in place. The first half, what it has to do with the second
    /// half, the second half: so a triangle gives the same bits whether it is solved at once, or
    /// by a caller that takes its halves (as LAPACK does in packed formats, and compares).
    unsafe fn solve(&self, from: usize, to: usize, alpha: T) {
        let Kernel { mr, nr, .. } = *self.kernel;
        let panels = Panels {
            x: self.panels.x.wrapping_add(from * mr),
            ..self.panels
        };
        let u = |j: usize| self.triangle.wrapping_add(from * self.row + j);
        let u_row = self.row;
        // SAFETY: the columns lie within the panels.
        unsafe {
            if to - from > nr {
                let half = from + (to - from) / 2;
                self.solve(from, half, alpha);
                (self.kernel.update)(&Update {
                    panels,
                    k: half - from,
                    cols: to - half,
                    u: u(half),
                    u_row,
                    beta: alpha,
                });
                return self.solve(half, to, T::one());
            }
            let (cols, u) = (to - from, u(from));
            for p in 0..panels.count {
                let x = panels.x.add(p * panels.size);
                if !alpha.is_one() {
                    crate::kernels::times(cols * mr, alpha, x);
                }
                if !self.regular {
                    divide(mr, cols, x, u, u_row);
                }
            }
            if self.regular {
                (self.kernel.solve)(&Solve {
                    panels,
                    cols,
                    u,
                    u_row,
                });
            }
        }
    }
}

/// The small triangle with true divisions, as the reference does it: a zero stays what it is.
#[cold]
unsafe fn divide<T: Scalar>(mr: usize, cols: usize, x: *mut T, u: *const T, u_row: usize) {
    // SAFETY: the caller's panels have these sizes.
    unsafe {
        for i in 0..mr {
            for j in 0..cols {
                let mut v = *x.add(j * mr + i);
                for l in 0..j {
                    v -= *x.add(l * mr + i) * *u.add(l * u_row + j);
                }
                if !v.is_zero() {
                    v = v.over(*u.add(j * u_row + j));
                }
                *x.add(j * mr + i) = v;
            }
        }
    }
}

/// C := beta·C + alpha·X·U for a C of any strides of which one is ±1: `m` rows, `n` columns.
unsafe fn add<T: Scalar>(
    m: usize,
    n: usize,
    k: usize,
    alpha: T,
    x: View<T>,
    u: View<T>,
    beta: T,
    c: View<T>,
) {
    // Rows must be contiguous: else all is transposed, and then perhaps reversed.
    let (mut m, mut n, mut a, mut b, mut c) = (m, n, x, u.transposed(), c);
    if c.rs != 1 {
        (m, n, a, b, c) = (n, m, b, a, c.transposed());
    }
    if c.rs == -1 {
        let reverse = |v: View<T>| View {
            rs: -v.rs,
            ..v.from(m - 1, 0)
        };
        (a, c) = (reverse(a), reverse(c));
    }
    let product = Product {
        m,
        n,
        k,
        alpha,
        a: Operand::Dense(a),
        b: Operand::Dense(b),
        beta,
        c: c.at.cast_mut(),
        ldc: c.cs,
        keep: Keep::All,
    };
    // SAFETY: the caller's promise. The rows were shared before.
    unsafe { product.serial(0, 0) };
}
