//! The register tile under level 3: C += A·B for a few vectors of rows and a few columns, with all
//! of C in registers. An instruction set is one row of a table: how many vectors, how many columns.
//!
//! A complex number stays two neighbouring lanes. A column of C has two accumulators: A times the
//! real parts of B, and A times the imaginary ones. What is conjugated or exchanged among them is
//! settled once, when the tile is finished.

use super::simd::{Factor, Simd, Vector};
use crate::scalar::Scalar;
use num_traits::{One, Zero};

/// Which elements of C are written. Element (i, j) of the tile is kept if `i <= j + d` (upper), or
/// `i >= j + d` (lower).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    All,
    Upper(isize),
    Lower(isize),
}

/// C := alpha·A·B + beta·C for one tile. For beta = 0, C is not read. Steps are in elements.
pub struct Tile<T> {
    pub k: usize,
    /// Rows are contiguous; `a_step` from one column to the next.
    pub a: *const T,
    pub a_step: isize,
    /// A's columns have whole vectors that may be read (panels are filled up with zeros).
    pub a_padded: bool,
    /// `b_step` from one row to the next, `b_col` from one column to the next.
    pub b: *const T,
    pub b_step: isize,
    pub b_col: isize,
    pub conj_a: bool,
    pub conj_b: bool,
    /// Rows are contiguous.
    pub c: *mut T,
    pub ldc: isize,
    pub rows: usize,
    pub cols: usize,
    pub alpha: T,
    pub beta: T,
    pub keep: Keep,
}

/// Panels of whole vectors of rows: columns are `mr` elements long, panels `size`.
#[derive(Clone, Copy)]
pub struct Panels<T> {
    pub x: *mut T,
    pub size: usize,
    pub count: usize,
}

/// X := X·U⁻¹ for the first columns of panels, and a small upper triangle.
pub struct Solve<T> {
    pub panels: Panels<T>,
    pub cols: usize,
    /// Rows are `u_row` apart; the diagonal holds the inverses.
    pub u: *const T,
    pub u_row: usize,
}

/// Y := beta·Y - X·U: X is the first `k` columns of panels, Y the `cols` columns behind them.
pub struct Update<T> {
    pub panels: Panels<T>,
    pub k: usize,
    pub cols: usize,
    /// Rows are `u_row` apart.
    pub u: *const T,
    pub u_row: usize,
    pub beta: T,
}

/// What an instruction set offers for elements of type `T`.
pub struct Kernel<T> {
    /// Rows of a tile.
    pub mr: usize,
    /// Columns of a tile.
    pub nr: usize,
    /// Rows of a vector.
    pub unit: usize,
    pub tile: unsafe fn(&Tile<T>),
    pub solve: unsafe fn(&Solve<T>),
    pub update: unsafe fn(&Update<T>),
    /// Copies `k` columns of `rows` contiguous elements, `step` apart, to columns of `mr` elements,
    /// filled up with zeros.
    pub pack: unsafe fn(k: usize, rows: usize, from: *const T, step: isize, to: *mut T),
    /// Copies `k` columns of `nr` contiguous elements, `step` apart, to columns of `nr`.
    pub pack_narrow: unsafe fn(k: usize, from: *const T, step: isize, to: *mut T),
    /// Copies `k` columns of `mr` elements back to columns that are `step` apart.
    pub unpack: unsafe fn(k: usize, from: *const T, to: *mut T, step: isize),
}

type R<T> = <T as Scalar>::Real;

/// What makes an element of C of its accumulators.
#[derive(Clone, Copy)]
struct Finish<V> {
    /// The signs of the two accumulators of a complex column.
    signs: Factor<V>,
    alpha: Factor<V>,
    beta: Factor<V>,
}

impl<V> Finish<V> {
    #[inline(always)]
    unsafe fn new<T: Scalar>(t: &Tile<T>) -> Self
    where
        V: Vector<R<T>>,
    {
        let one = <R<T> as One>::one();
        let sign = |minus: bool| if minus { -one } else { one };
        // SAFETY: the caller has the instruction set.
        unsafe {
            let own = V::alternate(one, sign(t.conj_a));
            let other = V::alternate(sign(t.conj_a == t.conj_b), sign(t.conj_b));
            let (alpha, beta) = (Factor::new::<T>(t.alpha), Factor::new::<T>(t.beta));
            Finish {
                signs: Factor { own, other },
                alpha,
                beta,
            }
        }
    }

    /// alpha times vector `v` of the product.
    #[inline(always)]
    unsafe fn product<T: Scalar, const PARTS: usize, const MV: usize>(
        &self,
        acc: &[[V; MV]; PARTS],
        v: usize,
    ) -> V
    where
        V: Vector<R<T>>,
    {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let mut s = acc[0][v];
            if PARTS == 2 {
                s = acc[PARTS - 1][v]
                    .swap()
                    .madd(self.signs.other, s.mul(self.signs.own));
            }
            self.alpha.times::<T>(s)
        }
    }
}

/// The tile with as few vectors as its rows need, and as few columns: all `NR`, or `FEW` of them.
#[inline(always)]
unsafe fn tile<
    T: Scalar,
    V: Vector<R<T>>,
    const PARTS: usize,
    const MV: usize,
    const NR: usize,
    const FEW: usize,
>(
    t: &Tile<T>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if t.cols <= FEW {
            columns::<T, V, PARTS, MV, FEW>(t)
        } else {
            columns::<T, V, PARTS, MV, NR>(t)
        }
    }
}

#[inline(always)]
unsafe fn columns<
    T: Scalar,
    V: Vector<R<T>>,
    const PARTS: usize,
    const MV: usize,
    const NR: usize,
>(
    t: &Tile<T>,
) {
    let reals = t.rows * PARTS;
    let edge = !t.a_padded && !reals.is_multiple_of(V::LANES);
    // SAFETY: the caller's promise.
    unsafe {
        match (reals.div_ceil(V::LANES), edge) {
            (1, true) => body::<T, V, PARTS, 1, NR, true>(t),
            (1, false) => body::<T, V, PARTS, 1, NR, false>(t),
            (2, true) if MV > 2 => body::<T, V, PARTS, 2, NR, true>(t),
            (2, false) if MV > 2 => body::<T, V, PARTS, 2, NR, false>(t),
            (_, true) => body::<T, V, PARTS, MV, NR, true>(t),
            (_, false) => body::<T, V, PARTS, MV, NR, false>(t),
        }
    }
}

#[inline(always)]
unsafe fn body<
    T: Scalar,
    V: Vector<R<T>>,
    const PARTS: usize,
    const MV: usize,
    const NR: usize,
    const EDGE: bool,
>(
    t: &Tile<T>,
) {
    let parts = PARTS as isize;
    let reals = t.rows * PARTS;
    // SAFETY: columns beyond `cols` repeat the last one, rows beyond `rows` are masked or padded.
    unsafe {
        let zero = V::splat(<R<T> as Zero>::zero());
        let mut acc = [[[zero; MV]; PARTS]; NR];
        let mut b = [t.b.cast::<R<T>>(); NR];
        for (j, b) in b.iter_mut().enumerate() {
            *b = b.offset(j.min(t.cols - 1) as isize * t.b_col * parts);
        }
        let mut a = t.a.cast::<R<T>>();
        let (a_step, b_step) = (t.a_step * parts, t.b_step * parts);
        let mut at = 0;
        // No closures here: they would be compiled without the instruction set.
        macro_rules! steps {
            ($count:expr, $last:ident) => {
                for _ in 0..$count {
                    let mut av = [zero; MV];
                    for v in 0..MV {
                        let p = a.add(v * V::LANES);
                        av[v] = if EDGE && v == MV - 1 {
                            steps!(@$last p, reals - v * V::LANES)
                        } else {
                            V::load(p)
                        };
                    }
                    for j in 0..NR {
                        for h in 0..PARTS {
                            let s = V::splat(*b[j].offset(at + h as isize));
                            for v in 0..MV {
                                acc[j][h][v] = av[v].madd(s, acc[j][h][v]);
                            }
                        }
                    }
                    a = a.offset(a_step);
                    at += b_step;
                }
            };
            (@inner $p:expr, $hi:expr) => { V::load_first($p, $hi) };
            (@outer $p:expr, $hi:expr) => { V::load_part($p, 0, $hi) };
        }
        // Behind a column's rows there is the next column: only the last one must not be read beyond.
        let inner = match EDGE {
            true if a_step >= V::LANES as isize => t.k - 1,
            true => 0,
            false => t.k,
        };
        steps!(inner, inner);
        if EDGE {
            steps!(t.k - inner, outer);
        }
        let whole = reals == MV * V::LANES;
        match (t.keep == Keep::All, whole, t.beta.is_zero()) {
            (true, true, true) => finish::<T, V, PARTS, MV, NR, false, false>(t, &acc),
            (true, true, false) => finish::<T, V, PARTS, MV, NR, true, false>(t, &acc),
            (true, false, true) => finish::<T, V, PARTS, MV, NR, false, true>(t, &acc),
            (true, false, false) => finish::<T, V, PARTS, MV, NR, true, true>(t, &acc),
            (false, _, _) => finish_part::<T, V, PARTS, MV, NR>(t, &acc),
        }
    }
}

/// All rows of each column: whole vectors of them, or, at an edge, as many as there are.
#[inline(always)]
unsafe fn finish<
    T: Scalar,
    V: Vector<R<T>>,
    const PARTS: usize,
    const MV: usize,
    const NR: usize,
    const READ: bool,
    const EDGE: bool,
>(
    t: &Tile<T>,
    acc: &[[[V; MV]; PARTS]; NR],
) {
    // SAFETY: all of these rows are there; those beyond an edge are masked.
    unsafe {
        let f = Finish::<V>::new(t);
        let mut rows = [V::LANES; MV];
        if EDGE {
            for (v, rows) in rows.iter_mut().enumerate() {
                *rows = (t.rows * PARTS).saturating_sub(v * V::LANES).min(V::LANES);
            }
        }
        for j in 0..NR {
            if j < t.cols {
                let c = t.c.offset(j as isize * t.ldc).cast::<R<T>>();
                for v in 0..MV {
                    let p = c.wrapping_add(v * V::LANES);
                    let mut s = f.product::<T, PARTS, MV>(&acc[j], v);
                    if READ {
                        let old = match EDGE {
                            true => V::load_part(p, 0, rows[v]),
                            false => V::load(p),
                        };
                        s = f.beta.times_add::<T>(old, s);
                    }
                    match EDGE {
                        true => s.store_part(p, 0, rows[v]),
                        false => s.store(p),
                    }
                }
            }
        }
    }
}

/// The kept rows of each column: for tiles that a diagonal crosses.
#[inline(always)]
unsafe fn finish_part<
    T: Scalar,
    V: Vector<R<T>>,
    const PARTS: usize,
    const MV: usize,
    const NR: usize,
>(
    t: &Tile<T>,
    acc: &[[[V; MV]; PARTS]; NR],
) {
    let rows = t.rows as isize;
    // A copy in memory: the accumulators themselves stay in registers.
    let acc = *acc;
    // SAFETY: only kept elements of rows below `rows` are read and written.
    unsafe {
        let f = Finish::<V>::new(t);
        for j in 0..t.cols {
            let c = t.c.offset(j as isize * t.ldc).cast::<R<T>>();
            let (lo, hi) = match t.keep {
                Keep::All => (0, rows),
                Keep::Upper(d) => (0, (j as isize + d + 1).clamp(0, rows)),
                Keep::Lower(d) => ((j as isize + d).clamp(0, rows), rows),
            };
            let (lo, hi) = (lo as usize * PARTS, hi as usize * PARTS);
            for v in 0..MV {
                let from = v * V::LANES;
                let (lo, hi) = (
                    lo.saturating_sub(from),
                    hi.saturating_sub(from).min(V::LANES),
                );
                if lo < hi {
                    let p = c.add(from);
                    let mut s = f.product::<T, PARTS, MV>(&acc[j], v);
                    if !t.beta.is_zero() {
                        s = f.beta.times_add::<T>(V::load_part(p, lo, hi), s);
                    }
                    s.store_part(p, lo, hi);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn solve<
    T: Scalar,
    V: Vector<R<T>>,
    const PARTS: usize,
    const MV: usize,
    const NR: usize,
>(
    s: &Solve<T>,
) {
    // SAFETY: the caller's promise; columns from `cols` on are not touched.
    unsafe {
        for panel in 0..s.panels.count {
            let p = s.panels.x.add(panel * s.panels.size).cast::<R<T>>();
            solve_panel::<T, V, PARTS, MV, NR>(s, p);
        }
    }
}

#[inline(always)]
unsafe fn solve_panel<
    T: Scalar,
    V: Vector<R<T>>,
    const PARTS: usize,
    const MV: usize,
    const NR: usize,
>(
    s: &Solve<T>,
    p: *mut R<T>,
) {
    let column = MV * V::LANES;
    // SAFETY: the caller's promise; columns from `cols` on are not touched.
    unsafe {
        let mut x = [[V::splat(<R<T> as Zero>::zero()); MV]; NR];
        for j in 0..NR {
            if j < s.cols {
                for v in 0..MV {
                    x[j][v] = V::load(p.add(j * column + v * V::LANES));
                }
            }
        }
        for j in 0..NR {
            if j < s.cols {
                let inverse = Factor::<V>::new::<T>(*s.u.add(j * s.u_row + j));
                for v in 0..MV {
                    x[j][v] = inverse.times::<T>(x[j][v]);
                    x[j][v].store(p.add(j * column + v * V::LANES));
                }
                for l in j + 1..NR {
                    let u = Factor::<V>::new::<T>(-*s.u.add(j * s.u_row + l));
                    for v in 0..MV {
                        x[l][v] = u.times_add::<T>(x[j][v], x[l][v]);
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn update<
    T: Scalar,
    V: Vector<R<T>>,
    const PARTS: usize,
    const MV: usize,
    const NR: usize,
    const FEW: usize,
>(
    u: &Update<T>,
) {
    let mr = MV * V::LANES / PARTS;
    for j in (0..u.cols).step_by(NR) {
        for panel in 0..u.panels.count {
            // SAFETY: the caller's promise.
            unsafe {
                let a = u.panels.x.add(panel * u.panels.size);
                tile::<T, V, PARTS, MV, NR, FEW>(&Tile {
                    k: u.k,
                    a,
                    a_step: mr as isize,
                    a_padded: true,
                    b: u.u.add(j),
                    b_step: u.u_row as isize,
                    b_col: 1,
                    conj_a: false,
                    conj_b: false,
                    c: a.add((u.k + j) * mr),
                    ldc: mr as isize,
                    rows: mr,
                    cols: (u.cols - j).min(NR),
                    alpha: -T::one(),
                    beta: u.beta,
                    keep: Keep::All,
                });
            }
        }
    }
}

#[inline(always)]
unsafe fn pack<T: Scalar, V: Vector<R<T>>, const PARTS: usize, const MV: usize>(
    k: usize,
    rows: usize,
    from: *const T,
    step: isize,
    to: *mut T,
) {
    let reals = rows * PARTS;
    // SAFETY: the caller's promise; rows from `rows` on are not read.
    unsafe {
        let (mut from, mut to) = (from.cast::<R<T>>(), to.cast::<R<T>>());
        for _ in 0..k {
            for v in 0..MV {
                let at = v * V::LANES;
                let x = if reals >= at + V::LANES {
                    V::load(from.add(at))
                } else {
                    V::load_part(from.wrapping_add(at), 0, reals.saturating_sub(at))
                };
                x.store(to.add(at));
            }
            from = from.offset(step * PARTS as isize);
            to = to.add(MV * V::LANES);
        }
    }
}

#[inline(always)]
unsafe fn pack_narrow<T: Scalar, const NR: usize>(
    k: usize,
    from: *const T,
    step: isize,
    to: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (mut from, mut to) = (from.cast::<[T; NR]>(), to.cast::<[T; NR]>());
        for _ in 0..k {
            to.write(from.read());
            from = from.cast::<T>().offset(step).cast();
            to = to.add(1);
        }
    }
}

#[inline(always)]
unsafe fn unpack<T: Scalar, V: Vector<R<T>>, const PARTS: usize, const MV: usize>(
    k: usize,
    from: *const T,
    to: *mut T,
    step: isize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (mut from, mut to) = (from.cast::<R<T>>(), to.cast::<R<T>>());
        for _ in 0..k {
            for v in 0..MV {
                V::load(from.add(v * V::LANES)).store(to.add(v * V::LANES));
            }
            from = from.add(MV * V::LANES);
            to = to.offset(step * PARTS as isize);
        }
    }
}

/// An instruction set's row: its vectors, its features; for real and for complex elements the
/// vectors of rows and the columns of a tile, and the columns of a narrower one for what is left
/// over. A vector of A, one of B and the accumulators must leave registers free: where they take
/// all, compilers move them about.
macro_rules! instruction_set {
    ($isa:ident: $v:ident, $(#[$feature:meta])?, real $mv:literal x $nr:literal or $few:literal, complex $cmv:literal x $cnr:literal or $cfew:literal) => {
        mod $isa {
            use super::*;
            type V<T> = <R<T> as Simd>::$v;

            $(#[$feature])?
            unsafe fn tile<T: Scalar>(t: &Tile<T>) {
                // SAFETY: the caller's promise.
                unsafe {
                    if T::COMPLEX {
                        super::tile::<T, V<T>, 2, $cmv, $cnr, $cfew>(t)
                    } else {
                        super::tile::<T, V<T>, 1, $mv, $nr, $few>(t)
                    }
                }
            }
            $(#[$feature])?
            unsafe fn solve<T: Scalar>(s: &Solve<T>) {
                // SAFETY: the caller's promise.
                unsafe {
                    if T::COMPLEX {
                        super::solve::<T, V<T>, 2, $cmv, $cnr>(s)
                    } else {
                        super::solve::<T, V<T>, 1, $mv, $nr>(s)
                    }
                }
            }
            $(#[$feature])?
            unsafe fn update<T: Scalar>(u: &Update<T>) {
                // SAFETY: the caller's promise.
                unsafe {
                    if T::COMPLEX {
                        super::update::<T, V<T>, 2, $cmv, $cnr, $cfew>(u)
                    } else {
                        super::update::<T, V<T>, 1, $mv, $nr, $few>(u)
                    }
                }
            }
            $(#[$feature])?
            unsafe fn pack<T: Scalar>(k: usize, rows: usize, from: *const T, step: isize, to: *mut T) {
                // SAFETY: the caller's promise.
                unsafe {
                    if T::COMPLEX {
                        super::pack::<T, V<T>, 2, $cmv>(k, rows, from, step, to)
                    } else {
                        super::pack::<T, V<T>, 1, $mv>(k, rows, from, step, to)
                    }
                }
            }
            $(#[$feature])?
            unsafe fn pack_narrow<T: Scalar>(k: usize, from: *const T, step: isize, to: *mut T) {
                // SAFETY: the caller's promise.
                unsafe {
                    if T::COMPLEX {
                        super::pack_narrow::<T, $cnr>(k, from, step, to)
                    } else {
                        super::pack_narrow::<T, $nr>(k, from, step, to)
                    }
                }
            }
            $(#[$feature])?
            unsafe fn unpack<T: Scalar>(k: usize, from: *const T, to: *mut T, step: isize) {
                // SAFETY: the caller's promise.
                unsafe {
                    if T::COMPLEX {
                        super::unpack::<T, V<T>, 2, $cmv>(k, from, to, step)
                    } else {
                        super::unpack::<T, V<T>, 1, $mv>(k, from, to, step)
                    }
                }
            }
            pub fn kernel<T: Scalar>() -> Kernel<T> {
                let lanes = <V<T> as Vector<R<T>>>::LANES;
                let (mr, nr) = if T::COMPLEX { ($cmv * lanes / 2, $cnr) } else { ($mv * lanes, $nr) };
                Kernel { mr, nr, unit: lanes / T::PARTS, tile: tile::<T>, solve: solve::<T>, update: update::<T>, pack: pack::<T>, pack_narrow: pack_narrow::<T>, unpack: unpack::<T> }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
instruction_set!(avx512: V512, #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")],
    real 3 x 8 or 4, complex 2 x 6 or 3);
#[cfg(target_arch = "x86_64")]
instruction_set!(avx2: V256, #[target_feature(enable = "avx2,fma")], real 2 x 6 or 4, complex 2 x 3 or 2);
instruction_set!(portable: V, , real 2 x 4 or 2, complex 1 x 4 or 2);

impl<T: Scalar> Kernel<T> {
    /// Of this processor.
    #[inline(always)]
    pub fn get() -> Self {
        match super::level() {
            #[cfg(target_arch = "x86_64")]
            super::AVX512 => avx512::kernel(),
            #[cfg(target_arch = "x86_64")]
            super::AVX2 => avx2::kernel(),
            _ => portable::kernel(),
        }
    }
}
