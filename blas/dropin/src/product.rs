//! The blocked product under all of level 3: C := alpha·A·Bᵗ + beta·C, or a triangle of it.
//!
//! Five loops, after Goto and van de Geijn: columns of C in blocks, k in blocks (a panel of B then
//! stays in the first cache), rows of C in blocks (a block of A stays in the second), and the
//! tiles. Operands that are used too little for a copy to pay are read where they are.

use crate::kernels::tile::{Keep, Kernel, Tile};
use crate::operand::{Operand, View};
use crate::parallel::{self, Area, Shared};
use crate::scalar::Scalar;
use crate::workspace::Workspace;

/// Both operands are given as rows over k: A has m, B has n of them.
#[derive(Clone, Copy)]
pub struct Product<T> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub alpha: T,
    pub a: Operand<T>,
    pub b: Operand<T>,
    pub beta: T,
    /// Rows are contiguous.
    pub c: *mut T,
    pub ldc: isize,
    pub keep: Keep,
}

/// Bytes of k in a panel, and the numbers of rows and columns in a block.
const K_BYTES: usize = 1536;
const M_BLOCK: usize = 192;
const N_BLOCK: usize = 1024;
const GAP: usize = 16;

/// How an operand is read by tiles.
#[derive(Clone, Copy)]
enum Access<T> {
    /// Where it is.
    Direct(View<T>),
    /// In panels: elements from one panel to the next, and in a panel from one k to the next and
    /// from one row to the next.
    Panels(*const T, usize, isize, isize),
}

impl<T: Scalar> Product<T> {
    /// The part with rows i..i+m and columns j..j+n of C.
    fn part(&self, (i, m): (usize, usize), (j, n): (usize, usize)) -> Self {
        let rows = |o: Operand<T>, from: usize| match o {
            Operand::Dense(v) => Operand::Dense(v.from(from, 0)),
            // The whole is needed to know the diagonal; `first` finds the rows.
            symmetric => symmetric,
        };
        let d = j as isize - i as isize;
        let keep = match self.keep {
            Keep::All => Keep::All,
            Keep::Upper(e) => Keep::Upper(e + d),
            Keep::Lower(e) => Keep::Lower(e + d),
        };
        let c = self.c.wrapping_offset(i as isize + j as isize * self.ldc);
        Product {
            m,
            n,
            a: rows(self.a, i),
            b: rows(self.b, j),
            c,
            keep,
            ..*self
        }
    }

    /// Computes it, on several cores if that pays.
    ///
    /// # Safety
    /// The operands have m, n and k rows and columns; C is not among them.
    #[inline(always)]
    pub unsafe fn run(self) {
        /// Elements of a matrix that surely stays in the first cache.
        const SMALL: usize = 32 * 32;
        let Product { m, n, k, .. } = self;
        if let (Operand::Dense(a), Operand::Dense(b)) = (&self.a, &self.b)
            && a.rs == 1
            && m * n <= SMALL
            && m * k <= SMALL
            && n * k <= SMALL
        {
            let (a, b) = (Access::Direct(*a), Access::Direct(*b));
            // SAFETY: the caller's promise.
            return unsafe { self.tiles(&Kernel::get(), a, b) };
        }
        // SAFETY: the caller's promise.
        unsafe { self.run_large() }
    }

    #[inline(never)]
    unsafe fn run_large(&self) {
        /// Multiplications that one core should have at least.
        const WORTH: f64 = 1.5e6;
        let mut work = self.m as f64 * self.n as f64 * self.k as f64;
        if T::COMPLEX {
            work *= 4.0;
        }
        if self.keep != Keep::All {
            work /= 2.0;
        }
        let parts = if work < 2.0 * WORTH {
            1
        } else {
            ((work / WORTH) as usize).min(parallel::threads())
        };
        // SAFETY: the caller's promise; the parts' columns or rows of C are disjoint.
        unsafe {
            if parts < 2 {
                return self.serial(0, 0);
            }
            let kernel = Kernel::<T>::get();
            let by_rows = self.keep == Keep::All && self.m / kernel.mr > self.n / kernel.nr;
            let (len, unit) = if by_rows {
                (self.m, kernel.mr)
            } else {
                (self.n, kernel.nr)
            };
            let area = match self.keep {
                Keep::All => Area::Even,
                Keep::Upper(_) => Area::Growing,
                Keep::Lower(_) => Area::Shrinking,
            };
            let this = Shared(std::ptr::from_ref(self).cast_mut());
            parallel::tasks(parts, |i| {
                let this = *this.at(0);
                let bound = |i| area.bound(len, i, parts, unit);
                let (from, to) = (bound(i), bound(i + 1));
                if from < to {
                    let all = |n| (0, n);
                    if by_rows {
                        this.part((from, to - from), all(this.n)).serial(from, 0);
                    } else {
                        this.part(all(this.m), (from, to - from)).serial(0, from);
                    }
                }
            });
        }
    }

    /// One core's part. Of a symmetric operand it has the rows from `a_first` (or `b_first`) on.
    ///
    /// # Safety
    /// As for `run`.
    pub unsafe fn serial(&self, a_first: usize, b_first: usize) {
        let Product { m, n, k, .. } = *self;
        let kernel = Kernel::<T>::get();
        let (mr, nr) = (kernel.mr, kernel.nr);
        let k_block = K_BYTES / size_of::<T>() * if T::COMPLEX { 2 } else { 1 };
        // Used by few tiles, or so small that all of it stays in the first cache.
        let few = |other: usize, unit: usize, rows: usize| {
            other <= 2 * unit || rows * k * size_of::<T>() <= 32 << 10
        };
        let direct = |o: &Operand<T>, few: bool| match o {
            Operand::Dense(v) if few => Some(*v),
            _ => None,
        };
        let direct_a = direct(&self.a, few(n, nr, m)).filter(|v| v.rs == 1);
        let direct_b = direct(&self.b, few(m, mr, n));
        let (kc_max, n_block) = (k.min(k_block), N_BLOCK / nr * nr);
        let room_a = if direct_a.is_some() {
            0
        } else {
            m.min(M_BLOCK).next_multiple_of(mr) * kc_max
        };
        let room_b = if direct_b.is_some() {
            0
        } else {
            n.min(n_block).next_multiple_of(nr) * (kc_max + GAP)
        };
        // SAFETY: panels lie within the workspace; the rest is the caller's promise.
        unsafe {
            let space = Workspace::take::<T>(room_a + room_b);
            let (buffer_a, buffer_b) = (space.ptr::<T>(), space.ptr::<T>().add(room_a));
            for (jc, nc) in pieces(n, n_block) {
                for (pc, kc) in pieces(k, k_block) {
                    let beta = if pc == 0 { self.beta } else { T::one() };
                    let b = match direct_b {
                        Some(v) => Access::Direct(v.from(jc, pc)),
                        None => match self.b {
                            Operand::Dense(v) if v.cs == 1 => {
                                rows(v.from(jc, pc), nc, kc, nr, buffer_b)
                            }
                            _ => {
                                panels(&kernel, &self.b, (jc, b_first, nc), (pc, kc), nr, buffer_b)
                            }
                        },
                    };
                    for (ic, mc) in pieces(m, M_BLOCK) {
                        let block = self.part((ic, mc), (jc, nc));
                        if block.nothing() {
                            continue;
                        }
                        let a = match direct_a {
                            Some(v) => Access::Direct(v.from(ic, pc)),
                            None => {
                                panels(&kernel, &self.a, (ic, a_first, mc), (pc, kc), mr, buffer_a)
                            }
                        };
                        Product {
                            k: kc,
                            beta,
                            ..block
                        }
                        .tiles(&kernel, a, b);
                    }
                }
            }
            space.give_back();
        }
    }

    /// No element is kept.
    fn nothing(&self) -> bool {
        match self.keep {
            Keep::All => false,
            Keep::Upper(d) => self.n as isize - 1 + d < 0,
            Keep::Lower(d) => self.m as isize - 1 < d,
        }
    }

    /// Every element is kept.
    fn everything(&self) -> bool {
        match self.keep {
            Keep::All => true,
            Keep::Upper(d) => self.m as isize - 1 <= d,
            Keep::Lower(d) => 0 >= self.n as isize - 1 + d,
        }
    }

    unsafe fn tiles(&self, kernel: &Kernel<T>, a: Access<T>, b: Access<T>) {
        let (mr, nr) = (kernel.mr, kernel.nr);
        for (b_panel, (j, cols)) in pieces(self.n, nr).enumerate() {
            let (b, b_step, b_col) = match b {
                Access::Direct(v) => (v.ptr(j, 0), v.cs, v.rs),
                Access::Panels(p, size, step, row) => (p.wrapping_add(b_panel * size), step, row),
            };
            for (a_panel, (i, mut rows)) in pieces(self.m, mr).enumerate() {
                let (mut keep, mut cols, mut skip) = (Keep::All, cols, 0);
                if self.keep != Keep::All {
                    let part = self.part((i, rows), (j, cols));
                    if part.nothing() {
                        continue;
                    }
                    // Whole vectors of rows, and columns behind, that are not kept are left out.
                    match part.keep {
                        _ if part.everything() => {}
                        Keep::Lower(d) => {
                            skip = d.max(0) as usize / kernel.unit * kernel.unit;
                            cols = cols.min((rows as isize - d) as usize);
                            rows -= skip;
                            keep = Keep::Lower(d - skip as isize);
                        }
                        Keep::Upper(d) => {
                            rows = rows.min((cols as isize + d) as usize);
                            keep = part.keep;
                        }
                        Keep::All => {}
                    }
                }
                let row = i + skip;
                let (a, a_step, a_padded) = match a {
                    Access::Direct(v) => (v.ptr(row, 0), v.cs, false),
                    Access::Panels(p, size, step, _) => {
                        (p.wrapping_add(a_panel * size + skip), step, true)
                    }
                };
                let tile = Tile {
                    k: self.k,
                    a,
                    a_step,
                    a_padded,
                    b,
                    b_step,
                    b_col,
                    conj_a: self.a.conj(),
                    conj_b: self.b.conj(),
                    c: self.c.wrapping_offset(row as isize + j as isize * self.ldc),
                    ldc: self.ldc,
                    rows,
                    cols,
                    alpha: self.alpha,
                    beta: self.beta,
                    keep,
                };
                // SAFETY: the tile lies within C and the operands.
                unsafe { (kernel.tile)(&tile) };
            }
        }
    }
}

/// A length in pieces of up to `step`: the first and the count of each. (`step_by` divides, which takes as long as a small tile.)
#[inline(always)]
fn pieces(length: usize, step: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let first = next;
        next += step;
        (first < length).then(|| (first, step.min(length - first)))
    })
}

/// Packs rows i..i+rows, columns p..p+k of an operand into panels of `width` rows, each column of
/// a panel contiguous. A symmetric operand counts its rows from `first`.
unsafe fn panels<T: Scalar>(
    kernel: &Kernel<T>,
    operand: &Operand<T>,
    (i, first, rows): (usize, usize, usize),
    (p, k): (usize, usize),
    width: usize,
    to: *mut T,
) -> Access<T> {
    let first = if matches!(operand, Operand::Symmetric { .. }) {
        first
    } else {
        0
    };
    for (r, count) in pieces(rows, width) {
        // SAFETY: the workspace has room for all panels.
        unsafe { operand.pack(kernel, (first + i + r, count), (p, k), width, to.add(r * k)) };
    }
    Access::Panels(to, width * k, width as isize, 1)
}

/// Packs an operand whose rows are contiguous into panels with contiguous rows, `GAP` elements
/// further apart than they are long: rows must not all fall into the same lines of the cache.
unsafe fn rows<T: Scalar>(
    v: View<T>,
    rows: usize,
    k: usize,
    width: usize,
    to: *mut T,
) -> Access<T> {
    let row = k + GAP;
    for r in 0..rows {
        // SAFETY: the workspace has room for all rows.
        unsafe { to.add(r * row).copy_from_nonoverlapping(v.ptr(r, 0), k) };
    }
    Access::Panels(to, width * row, 1, row as isize)
}
