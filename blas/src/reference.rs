//! What routines should give: dense matrices of complex numbers with twice the bits of f64, and what the
//! errors are relative to.

pub(crate) mod factor;
pub(crate) mod qr;

use crate::matrix::{Diag, Uplo};
use num_complex::Complex64;
use suanzi_ops::table::call::{Array, positions};
use suanzi_ops::{Num, Scalar, reference::dd::Dd};

/// A complex number and what its error is relative to.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    re: Dd,
    im: Dd,
    scale: f64,
}

pub(crate) const ZERO: Entry = Entry {
    re: Dd::ZERO,
    im: Dd::ZERO,
    scale: 0.0,
};

impl Entry {
    pub(crate) fn of(re: f64, im: f64) -> Entry {
        Entry {
            re: re.into(),
            im: im.into(),
            scale: 0.0,
        }
    }

    /// With what its error is relative to.
    pub(crate) fn within(self, scale: f64) -> Entry {
        Entry { scale, ..self }
    }

    /// Its parts, rounded.
    pub(crate) fn rounded(self) -> [f64; 2] {
        [self.re.rounded(), self.im.rounded()]
    }

    /// The sum of the parts' magnitudes.
    fn size(self) -> f64 {
        self.re.abs().rounded() + self.im.abs().rounded()
    }

    fn times(self, by: Entry) -> Entry {
        if self.im == Dd::ZERO && by.im == Dd::ZERO {
            // Where infinity times zero is not asked for.
            return Entry {
                re: self.re * by.re,
                ..ZERO
            };
        }
        Entry {
            re: self.re * by.re - self.im * by.im,
            im: self.re * by.im + self.im * by.re,
            scale: 0.0,
        }
    }

    fn plus(self, other: Entry) -> Entry {
        Entry {
            re: self.re + other.re,
            im: self.im + other.im,
            scale: self.scale + other.scale,
        }
    }

    fn over(self, by: Entry) -> Entry {
        if by.im == Dd::ZERO {
            return Entry {
                re: self.re / by.re,
                im: self.im / by.re,
                scale: 0.0,
            };
        }
        let conj = Entry { im: -by.im, ..by };
        let squares = by.times(conj).re;
        let top = self.times(conj);
        Entry {
            re: top.re / squares,
            im: top.im / squares,
            scale: 0.0,
        }
    }
}

/// A batch of matrices.
#[derive(Clone)]
pub(crate) struct Dense {
    batch: Vec<usize>,
    m: usize,
    n: usize,
    complex: bool,
    /// Matrix after matrix, row by row.
    entries: Vec<Entry>,
}

/// A factor and two matrices.
pub(crate) type Term = (Complex64, Dense, Dense);

impl Dense {
    pub(crate) fn of(array: &Array, complex: bool) -> Dense {
        let rank = array.shape.len() - usize::from(complex);
        let float = |x: &Num| x.float();
        let entries = match complex {
            true => array
                .values
                .chunks(2)
                .map(|p| Entry::of(float(&p[0]), float(&p[1])))
                .collect(),
            false => array
                .values
                .iter()
                .map(|x| Entry::of(float(x), 0.0))
                .collect(),
        };
        Dense {
            batch: array.shape[..rank - 2].to_vec(),
            m: array.shape[rank - 2],
            n: array.shape[rank - 1],
            complex,
            entries,
        }
    }

    pub(crate) fn like(
        &self,
        m: usize,
        n: usize,
        f: impl Fn(usize, usize, usize) -> Entry,
    ) -> Dense {
        let batch: usize = self.batch.iter().product();
        let entries = positions(&[batch, m, n])
            .map(|p| f(p[0], p[1], p[2]))
            .collect();
        Dense {
            m,
            n,
            entries,
            ..self.clone()
        }
    }

    pub(crate) fn at(&self, batch: usize, i: usize, j: usize) -> Entry {
        self.entries[(batch * self.m + i) * self.n + j]
    }

    pub(crate) fn m(&self) -> usize {
        self.m
    }

    pub(crate) fn n(&self) -> usize {
        self.n
    }

    pub(crate) fn is_complex(&self) -> bool {
        self.complex
    }

    pub(crate) fn t(&self) -> Dense {
        self.like(self.n, self.m, |b, i, j| self.at(b, j, i))
    }

    pub(crate) fn h(&self) -> Dense {
        let conj = |x: Entry| Entry { im: -x.im, ..x };
        self.like(self.n, self.m, |b, i, j| conj(self.at(b, j, i)))
    }

    pub(crate) fn square(self) -> Option<Dense> {
        (self.m == self.n).then_some(self)
    }

    /// With the other triangle as the mirror image of one.
    pub(crate) fn mirrored(&self, uplo: Uplo, hermitian: bool) -> Dense {
        if self.m != self.n {
            return self.clone();
        }
        self.like(self.m, self.n, |b, i, j| {
            let stored = inside(uplo, i, j);
            let x = if stored {
                self.at(b, i, j)
            } else {
                self.at(b, j, i)
            };
            match (hermitian, i == j, stored) {
                (true, true, _) => Entry { im: Dd::ZERO, ..x },
                (true, _, false) => Entry { im: -x.im, ..x },
                _ => x,
            }
        })
    }

    /// With zeros in the other triangle.
    pub(crate) fn triangle(&self, uplo: Uplo, diag: Diag) -> Dense {
        self.like(self.m, self.n, |b, i, j| {
            match (inside(uplo, i, j), i == j, diag) {
                (_, true, Diag::Unit) => Entry::of(1.0, 0.0),
                (true, ..) => self.at(b, i, j),
                _ => ZERO,
            }
        })
    }

    /// Rounded, of the dtype and shape of another.
    pub(crate) fn array(&self, like: &Array) -> Array {
        let least = match like.dtype {
            Scalar::F64 => f64::MIN_POSITIVE,
            _ => f32::MIN_POSITIVE.into(),
        };
        let mut out = Array::new(like.dtype, &like.shape, vec![]);
        for x in &self.entries {
            let parts = if self.complex { 2 } else { 1 };
            for part in [x.re, x.im].into_iter().take(parts) {
                out.values.push(Num::Float(part.rounded()));
                out.scale
                    .push(if x.scale == 0.0 { 0.0 } else { x.scale + least });
            }
        }
        out
    }
}

fn inside(uplo: Uplo, i: usize, j: usize) -> bool {
    match uplo {
        Uplo::Lower => i >= j,
        Uplo::Upper => i <= j,
    }
}

/// `Σ alpha · A · B + beta · C`, where C is to be written; `None` where sizes do not fit. The scale of an
/// entry is `steps · Σ|a · b|`.
pub(crate) fn sum(
    terms: &[Term],
    (beta, c): (Complex64, &Dense),
    part: Option<Uplo>,
    hermitian: bool,
) -> Option<Dense> {
    let fits = |(_, a, b): &Term| {
        a.m == c.m && b.n == c.n && a.n == b.m && a.batch == c.batch && b.batch == c.batch
    };
    if !terms.iter().all(fits) || part.is_some() && c.m != c.n {
        return None;
    }
    let nothing = terms
        .iter()
        .all(|(alpha, a, _)| *alpha == Complex64::ZERO || a.n == 0);
    Some(c.like(c.m, c.n, |batch, i, j| {
        let old = c.at(batch, i, j);
        if part.is_some_and(|uplo| !inside(uplo, i, j)) || nothing && beta == Complex64::ONE {
            return old;
        }
        let mut result = ZERO;
        if beta != Complex64::ZERO {
            let by = Entry::of(beta.re, beta.im);
            result = old.times(by);
            result.scale = 4.0 * old.size() * by.size();
        }
        for (alpha, a, b) in terms.iter().filter(|t| t.0 != Complex64::ZERO) {
            let by = Entry::of(alpha.re, alpha.im);
            let steps = (2 * a.n + 6) as f64;
            let mut products = ZERO;
            for p in 0..a.n {
                let (x, y) = (a.at(batch, i, p), b.at(batch, p, j));
                let mut product = x.times(y);
                product.scale = steps * x.size() * y.size() * by.size();
                products = products.plus(product);
            }
            let mut scaled = products.times(by);
            scaled.scale = products.scale;
            result = result.plus(scaled);
        }
        if hermitian && i == j {
            result.im = Dd::ZERO;
        }
        result
    }))
}

/// The sum of matrices, each times a number; zero where there is none.
pub(crate) fn combined(terms: &[(Complex64, &Dense)], like: &Dense) -> Option<Dense> {
    let fits = |a: &Dense| (a.m, a.n, &a.batch) == (like.m, like.n, &like.batch);
    terms.iter().all(|t| fits(t.1)).then_some(())?;
    Some(like.like(like.m, like.n, |b, i, j| {
        let used = terms.iter().filter(|t| t.0 != Complex64::ZERO);
        used.fold(ZERO, |sum, (by, a)| {
            let (by, x) = (Entry::of(by.re, by.im), a.at(b, i, j));
            let mut product = x.times(by);
            product.scale = 4.0 * x.size() * by.size();
            sum.plus(product)
        })
    }))
}

/// Each row times its element of a column, or each column.
pub(crate) fn stretched(a: &Dense, x: &Dense, by_row: bool) -> Option<Dense> {
    let length = if by_row { a.m } else { a.n };
    ((x.m, x.n, &x.batch) == (length, 1, &a.batch)).then_some(())?;
    Some(a.like(a.m, a.n, |b, i, j| {
        let (y, x) = (a.at(b, i, j), x.at(b, if by_row { i } else { j }, 0));
        let mut product = y.times(x);
        product.scale = 4.0 * y.size() * x.size();
        product
    }))
}

/// `X` of `A · X = alpha · B`, where A is triangular. The scale of an entry is `n · |A⁻¹| · |A| · |X|`
/// (Higham, 8.1), and as much again for inverted blocks.
pub(crate) fn solve(alpha: Complex64, a: &Dense, b: &Dense) -> Option<Dense> {
    if a.n != b.m || a.batch != b.batch {
        return None;
    }
    let n = a.n;
    let by = Entry::of(alpha.re, alpha.im);
    let right = b.like(b.m, b.n, |batch, i, j| match alpha == Complex64::ZERO {
        true => ZERO,
        false => b.at(batch, i, j).times(by),
    });
    if alpha == Complex64::ZERO {
        return Some(right);
    }
    let unit = a.like(
        n,
        n,
        |_, i, j| if i == j { Entry::of(1.0, 0.0) } else { ZERO },
    );
    let inverse = substituted(a, &unit);
    let mut x = substituted(a, &right);
    let sizes = |of: &Dense| of.entries.iter().map(|e| e.size()).collect::<Vec<f64>>();
    let (sa, si, sx) = (sizes(a), sizes(&inverse), sizes(&x));
    let batches: usize = a.batch.iter().product();
    let columns = b.n;
    for batch in 0..batches {
        let square = |s: &[f64], i: usize, j: usize| s[(batch * n + i) * n + j];
        for j in 0..columns {
            let mut size: Vec<f64> = (0..n).map(|i| sx[(batch * n + i) * columns + j]).collect();
            // |A⁻¹| · |A|, twice.
            for factor in [&sa, &si, &sa, &si] {
                size = (0..n)
                    .map(|i| (0..n).map(|p| square(factor, i, p) * size[p]).sum())
                    .collect();
            }
            for (i, size) in size.iter().enumerate() {
                x.entries[(batch * n + i) * columns + j].scale = (2 * n + 6) as f64 * size;
            }
        }
    }
    Some(x)
}

/// Forward or back substitution, whichever the matrix is for.
fn substituted(a: &Dense, b: &Dense) -> Dense {
    let n = a.n;
    let lower = (0..n).all(|i| (i + 1..n).all(|j| a.at(0, i, j).size() == 0.0));
    let order: Vec<usize> = if lower {
        (0..n).collect()
    } else {
        (0..n).rev().collect()
    };
    let mut x = b.clone();
    let batches: usize = a.batch.iter().product();
    for batch in 0..batches {
        for j in 0..b.n {
            for (done, &i) in order.iter().enumerate() {
                let mut rest = b.at(batch, i, j);
                for &p in &order[..done] {
                    let known = a.at(batch, i, p).times(x.at(batch, p, j));
                    rest = Entry {
                        re: rest.re - known.re,
                        im: rest.im - known.im,
                        scale: 0.0,
                    };
                }
                x.entries[(batch * n + i) * b.n + j] = rest.over(a.at(batch, i, i));
            }
        }
    }
    x
}
