//! What factorisations should give, and how far off they may be.
//!
//! Scales are first-order bounds of what a backward error of `(2n + 6) · |L| · |L⁻¹| · |L| · |U|` does to the
//! factors (Higham, *Accuracy and Stability of Numerical Algorithms*, 9.3 and 10.3): the usual one, times the condition of L for
//! inverted blocks.

use super::{Dense, Entry, ZERO, substituted};
use suanzi_ops::reference::dd::Dd;

/// Magnitudes of a matrix.
#[derive(Clone)]
pub(super) struct Sizes {
    m: usize,
    n: usize,
    at: Vec<f64>,
}

impl Sizes {
    pub(super) fn of(m: usize, n: usize, f: impl Fn(usize, usize) -> f64) -> Sizes {
        let at = (0..m * n).map(|p| f(p / n, p % n)).collect();
        Sizes { m, n, at }
    }

    pub(super) fn at(&self, i: usize, j: usize) -> f64 {
        self.at[i * self.n + j]
    }

    pub(super) fn dense(a: &Dense) -> Sizes {
        Sizes::of(a.m, a.n, |i, j| a.at(0, i, j).size())
    }

    fn t(&self) -> Sizes {
        Sizes::of(self.n, self.m, |i, j| self.at(j, i))
    }

    pub(super) fn times(&self, b: &Sizes) -> Sizes {
        let mut out = Sizes::of(self.m, b.n, |_, _| 0.0);
        for i in 0..self.m {
            for p in 0..self.n {
                let x = self.at(i, p);
                for j in 0..b.n {
                    out.at[i * b.n + j] += x * b.at(p, j);
                }
            }
        }
        out
    }

    fn plus(&self, b: &Sizes) -> Sizes {
        Sizes::of(self.m, self.n, |i, j| self.at(i, j) + b.at(i, j))
    }

    pub(super) fn only(&self, keep: impl Fn(usize, usize) -> bool) -> Sizes {
        Sizes::of(
            self.m,
            self.n,
            |i, j| {
                if keep(i, j) { self.at(i, j) } else { 0.0 }
            },
        )
    }

    pub(super) fn block(
        &self,
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
    ) -> Sizes {
        Sizes::of(rows.len(), columns.len(), |i, j| {
            self.at(rows.start + i, columns.start + j)
        })
    }
}

impl Dense {
    /// The matrices of the batch, each for itself.
    pub(super) fn singles(&self) -> Vec<Dense> {
        let size = self.m * self.n;
        let count = self.batch.iter().product();
        let one = |i: usize| Dense {
            batch: vec![],
            entries: self.entries[i * size..(i + 1) * size].to_vec(),
            ..*self
        };
        (0..count).map(one).collect()
    }

    /// As many matrices as the batch has, together again.
    pub(super) fn gathered(&self, of: Vec<Dense>) -> Dense {
        let (m, n) = of.first().map_or((self.m, self.n), |d| (d.m, d.n));
        Dense {
            m,
            n,
            batch: self.batch.clone(),
            complex: self.complex,
            entries: of.into_iter().flat_map(|d| d.entries).collect(),
        }
    }

    pub(super) fn entry(&mut self, i: usize, j: usize) -> &mut Entry {
        &mut self.entries[i * self.n + j]
    }

    /// The unit matrices.
    pub(crate) fn identity(&self, n: usize) -> Dense {
        self.identity_of(n, n)
    }

    /// Their first columns.
    pub(crate) fn identity_of(&self, m: usize, n: usize) -> Dense {
        self.like(m, n, |_, i, j| match i == j {
            true => Entry::of(1.0, 0.0),
            false => ZERO,
        })
    }

    /// The inverse of a triangular matrix, ones standing for zeros of its diagonal.
    pub(super) fn inverted(&self) -> Dense {
        let whole = self.like(self.n, self.n, |b, i, j| {
            let x = self.at(b, i, j);
            match i == j && x.size() == 0.0 {
                true => Entry::of(1.0, 0.0),
                false => x,
            }
        });
        substituted(&whole, &self.identity(self.n))
    }
}

pub(super) fn minus(x: Entry, y: Entry) -> Entry {
    Entry {
        re: x.re - y.re,
        im: x.im - y.im,
        scale: 0.0,
    }
}

/// Factors of the matrices of a batch.
pub(crate) struct Lu {
    /// L below the diagonal, U on and above it.
    pub packed: Dense,
    /// Rows swapped, from 1: matrix after matrix.
    pub pivots: Vec<usize>,
    /// For each matrix the first zero on U's diagonal, from 1.
    pub info: Vec<usize>,
}

/// LU with partial pivoting, by the book.
pub(crate) fn lu(a: &Dense) -> Lu {
    let mut result = Lu {
        packed: a.clone(),
        pivots: vec![],
        info: vec![],
    };
    let mut factors = vec![];
    for mut one in a.singles() {
        let (m, n) = (one.m, one.n);
        let mut info = 0;
        for j in 0..m.min(n) {
            let mut pivot = j;
            for i in j..m {
                if one.at(0, i, j).size() > one.at(0, pivot, j).size() {
                    pivot = i;
                }
            }
            result.pivots.push(pivot + 1);
            for c in 0..n {
                one.entries.swap(j * n + c, pivot * n + c);
            }
            let by = one.at(0, j, j);
            if by.size() == 0.0 {
                info = if info == 0 { j + 1 } else { info };
                continue;
            }
            for i in j + 1..m {
                let x = one.at(0, i, j).over(by);
                *one.entry(i, j) = x;
                for c in j + 1..n {
                    let less = x.times(one.at(0, j, c));
                    *one.entry(i, c) = minus(one.at(0, i, c), less);
                }
            }
        }
        result.info.push(info);
        scale_lu(&mut one);
        factors.push(one);
    }
    result.packed = a.gathered(factors);
    result
}

/// L and U of a packed matrix, both of `k` columns and rows.
fn parts(packed: &Dense) -> (Dense, Dense) {
    let k = packed.m.min(packed.n);
    let one = Entry::of(1.0, 0.0);
    let l = packed.like(packed.m, k, |b, i, j| match i.cmp(&j) {
        std::cmp::Ordering::Less => ZERO,
        std::cmp::Ordering::Equal => one,
        std::cmp::Ordering::Greater => packed.at(b, i, j),
    });
    let u = packed.like(k, packed.n, |b, i, j| match i > j {
        true => ZERO,
        false => packed.at(b, i, j),
    });
    (l, u)
}

fn scale_lu(packed: &mut Dense) {
    let (m, n) = (packed.m, packed.n);
    let k = m.min(n);
    let (l, u) = parts(packed);
    let corner = |of: &Dense| of.like(k, k, |b, i, j| of.at(b, i, j));
    let [li, ui] = [corner(&l).inverted(), corner(&u).inverted()].map(|x| Sizes::dense(&x));
    let (l, u) = (Sizes::dense(&l), Sizes::dense(&u));
    let (l1, u1) = (l.block(0..k, 0..k), u.block(0..k, 0..k));
    // |L⁻¹| · |L|, for inverted blocks.
    let inverted = li.times(&l1);
    let error = l.times(&inverted).times(&u);
    let relative = li.times(&error.block(0..k, 0..k)).times(&ui);
    let dl = l1.times(&relative.only(|i, j| i > j));
    let du = relative.only(|i, j| i <= j).times(&u1);
    let below = error
        .block(k..m, 0..k)
        .plus(&l.block(k..m, 0..k).times(&du))
        .times(&ui);
    let beside = li.times(
        &error
            .block(0..k, k..n)
            .plus(&dl.times(&u.block(0..k, k..n))),
    );
    let steps = (2 * k + 6) as f64;
    for i in 0..m {
        for j in 0..n {
            let size = match (i < k, j < k) {
                (true, true) if i > j => dl.at(i, j),
                (true, true) => du.at(i, j),
                (false, _) => below.at(i - k, j),
                (_, false) => beside.at(i, j - k),
            };
            packed.entry(i, j).scale = steps * size;
        }
    }
}

/// The lower triangle L of `A = L · Lᴴ`, and for each matrix the first leading block that is not positive
/// definite. Above the diagonal A stays.
pub(crate) fn cholesky(a: &Dense) -> (Dense, Vec<usize>) {
    let (mut factors, mut infos) = (vec![], vec![]);
    for mut one in a.singles() {
        let n = one.n;
        let mut info = 0;
        for j in 0..n {
            let pivot = one.at(0, j, j).re;
            if pivot.rounded() <= 0.0 {
                info = j + 1;
                break;
            }
            let root = Entry {
                re: pivot.sqrt(),
                ..ZERO
            };
            *one.entry(j, j) = root;
            for i in j + 1..n {
                *one.entry(i, j) = one.at(0, i, j).over(root);
            }
            for c in j + 1..n {
                let x = one.at(0, c, j);
                let conj = Entry { im: -x.im, ..x };
                for i in c..n {
                    let less = one.at(0, i, j).times(conj);
                    *one.entry(i, c) = minus(one.at(0, i, c), less);
                }
            }
        }
        infos.push(info);
        let l = one.like(n, n, |_, i, j| match i < j {
            true => ZERO,
            false => one.at(0, i, j),
        });
        let inverse = Sizes::dense(&l.inverted());
        let size = Sizes::dense(&l);
        let error = size.times(&inverse).times(&size).times(&size.t());
        let relative = inverse.times(&error).times(&inverse.t());
        let bound = size.times(&relative.only(|i, j| i >= j));
        for i in 0..n {
            for j in 0..=i {
                one.entry(i, j).scale = (2 * n + 6) as f64 * bound.at(i, j);
            }
        }
        factors.push(one);
    }
    (a.gathered(factors), infos)
}

/// `X` of `A · X = B`, or of `Aᵀ · X = B`, from the factors of A.
pub(crate) fn solve_lu(lu: &Lu, transposed: bool, b: &Dense) -> Dense {
    let mut solved = vec![];
    let n = lu.packed.n;
    for (number, (packed, mut right)) in lu.packed.singles().iter().zip(b.singles()).enumerate() {
        let pivots = &lu.pivots[number * n..(number + 1) * n];
        let (l, u) = parts(packed);
        let (first, second) = match transposed {
            false => (l, u),
            true => (u.t(), l.t()),
        };
        if !transposed {
            for (i, p) in pivots.iter().enumerate() {
                right.swap(i, p - 1);
            }
        }
        let mut x = substituted(&second, &substituted(&first, &right));
        scale_solution(&first, &second, &mut x);
        if transposed {
            for (i, p) in pivots.iter().enumerate().rev() {
                x.swap(i, p - 1);
            }
        }
        solved.push(x);
    }
    b.gathered(solved)
}

/// `X` of `A · X = B`, where `A = L · Lᴴ`.
pub(crate) fn solve_cholesky(l: &Dense, b: &Dense) -> Dense {
    let mut solved = vec![];
    for (l, right) in l.singles().iter().zip(b.singles()) {
        let l = l.like(l.n, l.n, |_, i, j| match i < j {
            true => ZERO,
            false => l.at(0, i, j),
        });
        let upper = l.h();
        let mut x = substituted(&upper, &substituted(&l, &right));
        scale_solution(&l, &upper, &mut x);
        solved.push(x);
    }
    b.gathered(solved)
}

/// `(2n + 6) · (|U⁻¹| · |L⁻¹| · |L| · |U|)² · |X|`.
fn scale_solution(first: &Dense, second: &Dense, x: &mut Dense) {
    let sizes = [&second.inverted(), &first.inverted(), first, second].map(Sizes::dense);
    let mut bound = Sizes::dense(x);
    for _ in 0..2 {
        for factor in sizes.iter().rev() {
            bound = factor.times(&bound);
        }
    }
    let steps = (2 * x.m + 6) as f64;
    for (entry, size) in x.entries.iter_mut().zip(bound.at) {
        entry.scale = steps * size;
    }
}

impl Dense {
    fn swap(&mut self, i: usize, j: usize) {
        for c in 0..self.n {
            self.entries.swap(i * self.n + c, j * self.n + c);
        }
    }

    /// Whether the batches are the same.
    pub(crate) fn fits(&self, other: &Dense) -> bool {
        self.batch == other.batch && self.complex == other.complex
    }

    /// Each element from itself, rounded as a dtype would be.
    pub(crate) fn rounded(&self, single: bool, f: impl Fn(usize, usize) -> [f64; 3]) -> Dense {
        let round = |x: f64| if single { f64::from(x as f32) } else { x };
        self.like(self.m, self.n, |b, i, j| {
            let ([keep, re, im], x) = (f(i, j), self.at(b, i, j));
            let part = |x: Dd, add: f64| round(x.rounded() * keep + add);
            let im = if self.complex { part(x.im, im) } else { 0.0 };
            Entry::of(part(x.re, re), im)
        })
    }
}
