//! Products and solutions with a triangle, in place: X := alpha·X·U, or X := alpha·X·U⁻¹, with U
//! upper triangular. All sides, triangles and transpositions are brought to this form by
//! exchanging or reversing strides.
//!
//! Blocks of columns of X take turns; what a block has to do with other blocks is a plain product.
//! Within a block, a few rows of X at a time are copied to a panel, and tiles go over its columns.
//! The rows are independent, so the cores share them.

use crate::kernels::tile::{Keep, Kernel, Solve, Tile};
use crate::operand::{Operand, View, pack, unpack};
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
            // Products need the columns before as they were, so they begin at the end.
            let at = BLOCK * if self.solve { i } else { count - 1 - i };
            let len = (self.k - at).min(BLOCK);
            // SAFETY: the blocks lie within X and U.
            unsafe {
                if self.solve {
                    let alpha = if i == 0 { self.alpha } else { T::one() };
                    self.block(kernel, at, len, alpha);
                    let rest = self.k - at - len;
                    if rest > 0 {
                        let (to, u) = (self.x.from(0, at + len), self.u.from(at, at + len));
                        add(
                            self.r,
                            rest,
                            len,
                            -T::one(),
                            self.x.from(0, at),
                            u,
                            alpha,
                            to,
                        );
                    }
                } else {
                    self.block(kernel, at, len, self.alpha);
                    if at > 0 {
                        let (to, u) = (self.x.from(0, at), self.u.from(0, at));
                        add(self.r, len, at, self.alpha, self.x, u, T::one(), to);
                    }
                }
            }
        }
    }

    /// Columns at..at+len by their own triangle alone.
    unsafe fn block(&self, kernel: &Kernel<T>, at: usize, len: usize, alpha: T) {
        let (mr, nr) = (kernel.mr, kernel.nr);
        let u = self.u.from(at, at);
        let wide = len.next_multiple_of(nr);
        // SAFETY: the workspace has room for U's panels and the panels of X; panels of X are whole.
        unsafe {
            let space = Workspace::take::<T>(wide * wide + 2 * wide * mr);
            let panels = space.ptr::<T>();
            let from = panels.add(wide * wide);
            let regular = self.pack_triangle(kernel, u, len, panels);
            for i in (0..self.r).step_by(mr) {
                let rows = (self.r - i).min(mr);
                let x = self.x.from(i, at);
                pack(kernel, x, rows, len, mr, from);
                if self.solve && !alpha.is_one() {
                    crate::kernels::times(len * mr, alpha, from);
                }
                // A solution stays in its panel; a product is written beside it, or where it belongs.
                let (to, ld) = match self.solve {
                    true => (from, mr as isize),
                    false if x.rs == 1 => (x.at.cast_mut(), x.cs),
                    false => (from.add(wide * mr), mr as isize),
                };
                for j in (0..len).step_by(nr) {
                    let cols = (len - j).min(nr);
                    let panel = panels.add(j * wide);
                    let mut tile = Tile {
                        k: j + cols,
                        a: from,
                        a_step: mr as isize,
                        a_padded: true,
                        b: panel,
                        b_step: nr as isize,
                        b_col: 1,
                        conj_a: false,
                        conj_b: false,
                        c: to.offset(j as isize * ld),
                        ldc: ld,
                        rows: if ld == mr as isize && !std::ptr::eq(to, x.at) {
                            mr
                        } else {
                            rows
                        },
                        cols,
                        alpha,
                        beta: T::zero(),
                        keep: Keep::All,
                    };
                    if self.solve {
                        (tile.k, tile.alpha, tile.beta) = (j, -T::one(), T::one());
                        if j > 0 {
                            (kernel.tile)(&tile);
                        }
                        let (x, u) = (tile.c, panel.add(j * nr));
                        if regular {
                            (kernel.solve)(&Solve { x, cols, u });
                        } else {
                            divide(mr, rows, cols, nr, x, u);
                        }
                    } else {
                        (kernel.tile)(&tile);
                    }
                }
                if !std::ptr::eq(to, x.at) {
                    unpack(x, rows, len, mr, to);
                }
            }
            space.give_back();
        }
    }

    /// Packs the triangle as panels of `nr` columns, each with the rows down to its diagonal. For
    /// solutions the diagonal is inverted, unless an inverse would not be a normal number: then it
    /// is not, and false is returned.
    unsafe fn pack_triangle(&self, kernel: &Kernel<T>, u: View<T>, len: usize, to: *mut T) -> bool {
        let nr = kernel.nr;
        let wide = len.next_multiple_of(nr);
        // SAFETY: the workspace has room for all panels; only U's upper triangle is read.
        unsafe {
            let inverse = |d: T| T::one().over(d);
            let normal = |d: T| {
                let size = d.abs1();
                Float::is_normal(size) && Float::is_normal(inverse(d).abs1())
            };
            let regular = self.unit || !self.solve || (0..len).all(|j| normal(u.get(j, j)));
            for j in (0..len).step_by(nr) {
                let cols = (len - j).min(nr);
                let panel = to.add(j * wide);
                pack(kernel, u.from(0, j).transposed(), cols, j, nr, panel);
                if u.conj {
                    (0..j * nr).for_each(|e| *panel.add(e) = (*panel.add(e)).conj());
                }
                for p in 0..cols {
                    for q in 0..nr {
                        *panel.add((j + p) * nr + q) = if q < p || q >= cols {
                            T::zero()
                        } else if q > p {
                            u.get(j + p, j + q)
                        } else if self.unit {
                            T::one()
                        } else if self.solve && regular {
                            inverse(u.get(j + p, j + p))
                        } else {
                            u.get(j + p, j + p)
                        };
                    }
                }
            }
            regular
        }
    }
}

/// The small triangle with true divisions, as the reference does it: a zero stays what it is.
#[cold]
unsafe fn divide<T: Scalar>(
    mr: usize,
    rows: usize,
    cols: usize,
    nr: usize,
    x: *mut T,
    u: *const T,
) {
    // SAFETY: the caller's panels have these sizes.
    unsafe {
        for i in 0..rows {
            for j in 0..cols {
                let mut v = *x.add(j * mr + i);
                for l in 0..j {
                    v -= *x.add(l * mr + i) * *u.add(l * nr + j);
                }
                if !v.is_zero() {
                    v = v.over(*u.add(j * nr + j));
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
