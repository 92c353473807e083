//! Updates of packed matrices: maps over the packed elements, whose row and column are found from their position.

use super::Outer;
use crate::matrix::Uplo;
use crate::overlap::apart;
use crate::product::times;
use crate::vector::Vector;
use crate::{Error, Result};
use num_complex::Complex64;
use suanzi_codegen::ir::CastMode;
use suanzi_ops::{Expr, Num, Outside, Scalar, Tensor, ops};

/// `A = alpha · x · xᵀ + A`, a triangle of A packed column by column: n · (n + 1) / 2 elements.
///
/// # Errors
/// See the module.
pub fn spr(uplo: Uplo, alpha: impl Into<Complex64>, x: &Vector, ap: &Vector) -> Result<()> {
    update("spr", uplo, &[(alpha.into(), x, x, false)], ap, false)
}

/// `A = alpha · x · xᴴ + A`, packed, whose diagonal becomes real.
///
/// # Errors
/// See the module.
pub fn hpr(uplo: Uplo, alpha: f64, x: &Vector, ap: &Vector) -> Result<()> {
    update("hpr", uplo, &[(alpha.into(), x, x, true)], ap, true)
}

/// `A = alpha · x · yᵀ + alpha · y · xᵀ + A`, packed.
///
/// # Errors
/// See the module.
pub fn spr2(
    uplo: Uplo,
    alpha: impl Into<Complex64>,
    x: &Vector,
    y: &Vector,
    ap: &Vector,
) -> Result<()> {
    let alpha = alpha.into();
    let terms = [(alpha, x, y, false), (alpha, y, x, false)];
    update("spr2", uplo, &terms, ap, false)
}

/// `A = alpha · x · yᴴ + conj(alpha) · y · xᴴ + A`, packed, whose diagonal becomes real.
///
/// # Errors
/// See the module.
pub fn hpr2(
    uplo: Uplo,
    alpha: impl Into<Complex64>,
    x: &Vector,
    y: &Vector,
    ap: &Vector,
) -> Result<()> {
    let alpha = alpha.into();
    let terms = [(alpha, x, y, true), (alpha.conj(), y, x, true)];
    update("hpr2", uplo, &terms, ap, true)
}

/// Where the elements of a packed triangle belong.
struct Places {
    batch: Vec<Expr>,
    i: Expr,
    j: Expr,
    /// Of a complex number.
    part: Option<Expr>,
}

fn update(
    op: &'static str,
    uplo: Uplo,
    terms: &[Outer<'_>],
    ap: &Vector,
    hermitian: bool,
) -> Result<()> {
    let n = terms[0].1.n();
    let count = crate::matrix::packed_count(n);
    for (alpha, x, y, _) in terms {
        let shapes = [x.tensor(), y.tensor(), ap.tensor()].map(|t| t.shape());
        if y.n() != n || count.is_none_or(|count| ap.n() < count) {
            let why = "x and y have n elements, and A, packed, n (n + 1) / 2";
            return Err(Error::shape(op, shapes, why));
        }
        if x.batch() != ap.batch() || y.batch() != ap.batch() {
            return Err(Error::shape(op, shapes, "the batches are not the same"));
        }
        let dtypes = [x.dtype(), y.dtype(), ap.dtype()];
        let mixed = [x, y].iter().any(|v| v.is_complex() != ap.is_complex());
        if mixed || dtypes[..2] != [ap.dtype(); 2] || !ap.dtype().is_float() {
            let why = "they are of one float dtype, and all real or all complex";
            return Err(Error::dtype(op, dtypes, why));
        }
        crate::product::real_factor(op, "alpha", *alpha, ap.is_complex())?;
        let read = [("x", x.tensor()), ("y", y.tensor())];
        apart(op, ("A", ap.tensor()), &read)?;
    }
    let nothing = terms.iter().all(|t| t.0 == Complex64::ZERO);
    let count = count.unwrap_or(0);
    let t = ap.tensor().slice(ap.nb() as i64, 0, count as i64, 1)?;
    if nothing || t.numel() == 0 {
        return Ok(());
    }
    let places = Places::new(&t, ap.is_complex(), uplo, n)?;
    let mut sum = t.expr();
    for &term in terms {
        sum = ops::add(sum, places.outer(term)?)?;
    }
    if let (true, Some(part)) = (hermitian, &places.part) {
        let diagonal = ops::eq(&places.i, &places.j)?;
        let imaginary = ops::logical_and(diagonal, ops::eq(part, 1)?)?;
        sum = ops::where_(imaginary, 0.0, sum)?;
    }
    sum.eval_into(&t)
}

impl Places {
    fn new(packed: &Tensor, complex: bool, uplo: Uplo, n: usize) -> Result<Places> {
        let (ctx, shape) = (packed.context(), packed.shape());
        let nb = shape.len() - 1 - usize::from(complex);
        let position = |axis: usize| Expr::position(ctx, shape, axis as i64);
        let at = position(nb)?.cast(Scalar::I64, CastMode::Saturate);
        // A lower triangle is an upper one backwards.
        let back = |x: Expr, length: usize| match uplo {
            Uplo::Upper => Ok(x),
            Uplo::Lower => ops::sub(length as i64 - 1, x),
        };
        let at = back(at, shape[nb])?;
        let before = |j: &Expr| ops::shift_right_logical(ops::mul(j, ops::add(j, 1)?)?, 1);
        // j of the largest j (j + 1) / 2 that is not beyond; the root is rounded, so that it may be one off.
        let root = ops::mul(at.cast(Scalar::F32, CastMode::Saturate), 8.0)?;
        let root = ops::sub(ops::sqrt(ops::add(root, 1.0)?)?, 1.0)?;
        let root = ops::floor(ops::mul(root, 0.5)?)?;
        let j = root.cast(Scalar::I64, CastMode::Saturate);
        let j = ops::where_(ops::gt(before(&j)?, &at)?, ops::sub(&j, 1)?, &j)?;
        let next = ops::add(&j, 1)?;
        let j = ops::where_(ops::le(before(&next)?, &at)?, &next, &j)?;
        let i = ops::sub(&at, before(&j)?)?;
        Ok(Places {
            batch: (0..nb).map(position).collect::<Result<_>>()?,
            i: back(i, n)?,
            j: back(j, n)?,
            part: complex.then(|| position(nb + 1)).transpose()?,
        })
    }

    /// An element of a vector, and its part.
    fn of(&self, v: &Tensor, at: &Expr, part: Option<Expr>) -> Result<Expr> {
        let coords = [&self.batch[..], std::slice::from_ref(at), part.as_slice()].concat();
        Expr::at(v, &coords, Outside::Clamp)
    }

    /// `alpha · x · yᵀ`, as [`super::outer`].
    fn outer(&self, (alpha, x, y, conj): Outer<'_>) -> Result<Expr> {
        let Some(part) = &self.part else {
            let down = ops::mul(self.of(x.tensor(), &self.i, None)?, alpha.re)?;
            return ops::mul(down, self.of(y.tensor(), &self.j, None)?);
        };
        // The scaled x is small.
        let x = match alpha {
            Complex64::ONE => x.tensor().clone(),
            _ => times(x.tensor(), alpha)?.eval()?,
        };
        let number = |i: i128| Some(Expr::scalar(Scalar::I32, Num::Int(i)));
        let (re, im) = (
            self.of(&x, &self.i, number(0))?,
            self.of(&x, &self.i, number(1))?,
        );
        let other = ops::bitwise_xor(part, 1)?;
        let straight = ops::mul(re, self.of(y.tensor(), &self.j, Some(part.clone()))?)?;
        let crosswise = ops::mul(im, self.of(y.tensor(), &self.j, Some(other))?)?;
        let signed = |sign: Expr, value: Expr| ops::where_(sign, ops::neg(&value)?, value);
        match conj {
            false => ops::add(straight, signed(ops::eq(part, 0)?, crosswise)?),
            true => ops::add(signed(ops::eq(part, 1)?, straight)?, crosswise),
        }
    }
}
