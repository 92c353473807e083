//! Level 2: matrices with vectors.
//!
//! A product with a vector is one reduction over the matrix, read as it is stored: full, as a band
//! ([`Operand::band`]) or packed ([`Operand::packed`]). So `gemv` is BLAS's gemv and gbmv; `symv` symv, sbmv and spmv;
//! `trmv` and `trsv` their band and packed forms. Updates of rank one and two are maps. All routines take
//! batches; vectors may have any strides. What is written must not overlap what is read.
//!
//! Errors of all: [`crate::Error::Shape`] where sizes or batches do not fit, [`crate::Error::Dtype`] where the
//! dtypes differ, [`crate::Error::Value`] where what is written overlaps what is read, [`crate::Error::Backend`] where the device fails. A refused call changes nothing.

mod packed;

pub use packed::{hpr, hpr2, spr, spr2};

use crate::level3;
use crate::load::wide;
use crate::matrix::{Diag, Form, Matrix, Operand, Side, Storage, Uplo};
use crate::overlap::apart;
use crate::product::{Part, real_factor, scale, times, within_pairs};
use crate::vector::Vector;
use crate::{Error, Result};
use num_complex::Complex64;
use suanzi_codegen::ir::CastMode;
use suanzi_ops::{Expr, Num, Outside, ops};

/// `y = alpha · A · x + beta · y`. Where `alpha` is 0, A and x are not read; where `beta` is 0, y is not.
///
/// # Errors
/// See the module.
pub fn gemv(
    alpha: impl Into<Complex64>,
    a: impl Into<Operand>,
    x: &Vector,
    beta: impl Into<Complex64>,
    y: &Vector,
) -> Result<()> {
    matvec("gemv", (alpha.into(), &a.into(), x), (beta.into(), y))
}

/// As [`gemv`], where A is symmetric.
///
/// # Errors
/// See the module.
pub fn symv(
    uplo: Uplo,
    (alpha, a): (impl Into<Complex64>, impl Into<Operand>),
    x: &Vector,
    (beta, y): (impl Into<Complex64>, &Vector),
) -> Result<()> {
    let a = a.into().with(Form::Symmetric(uplo));
    matvec("symv", (alpha.into(), &a, x), (beta.into(), y))
}

/// As [`gemv`], where A is Hermitian.
///
/// # Errors
/// See the module.
pub fn hemv(
    uplo: Uplo,
    (alpha, a): (impl Into<Complex64>, impl Into<Operand>),
    x: &Vector,
    (beta, y): (impl Into<Complex64>, &Vector),
) -> Result<()> {
    let a = a.into().with(Form::Hermitian(uplo));
    matvec("hemv", (alpha.into(), &a, x), (beta.into(), y))
}

/// `x = A · x`, where A is triangular; `A` may be transposed, with the `uplo` of what it is then.
///
/// # Errors
/// See the module.
pub fn trmv(uplo: Uplo, diag: Diag, a: impl Into<Operand>, x: &Vector) -> Result<()> {
    let a = a.into().with(Form::Triangular(uplo, diag));
    let old = Vector::like(x, &ops::copy(x.tensor())?.eval()?)?;
    matvec("trmv", (Complex64::ONE, &a, &old), (Complex64::ZERO, x))
}

/// `x = A⁻¹ · x`, where A is triangular (see [`trmv`]). A band or packed A is copied whole.
///
/// # Errors
/// See the module, and [`level3::trsm`].
pub fn trsv(uplo: Uplo, diag: Diag, a: impl Into<Operand>, x: &Vector) -> Result<()> {
    level3::trsm(Side::Left, uplo, diag, (1.0, a), &x.column())
}

/// `A = alpha · x · yᵀ + A`: A is m × n. Of complex ones, BLAS's geru.
///
/// # Errors
/// See the module.
pub fn ger(alpha: impl Into<Complex64>, x: &Vector, y: &Vector, a: &Matrix) -> Result<()> {
    update("ger", &[(alpha.into(), x, y, false)], a, Part::Whole)
}

/// `A = alpha · x · yᴴ + A`: A is m × n.
///
/// # Errors
/// See the module.
pub fn gerc(alpha: impl Into<Complex64>, x: &Vector, y: &Vector, a: &Matrix) -> Result<()> {
    update("gerc", &[(alpha.into(), x, y, true)], a, Part::Whole)
}

/// `A = alpha · x · xᵀ + A`, one triangle of it.
///
/// # Errors
/// See the module.
pub fn syr(uplo: Uplo, alpha: impl Into<Complex64>, x: &Vector, a: &Matrix) -> Result<()> {
    update(
        "syr",
        &[(alpha.into(), x, x, false)],
        a,
        Part::Triangle(uplo),
    )
}

/// `A = alpha · x · xᴴ + A`, one triangle of it, whose diagonal becomes real.
///
/// # Errors
/// See the module.
pub fn her(uplo: Uplo, alpha: f64, x: &Vector, a: &Matrix) -> Result<()> {
    update(
        "her",
        &[(alpha.into(), x, x, true)],
        a,
        Part::Hermitian(uplo),
    )
}

/// `A = alpha · x · yᵀ + alpha · y · xᵀ + A`, one triangle of it.
///
/// # Errors
/// See the module.
pub fn syr2(
    uplo: Uplo,
    alpha: impl Into<Complex64>,
    x: &Vector,
    y: &Vector,
    a: &Matrix,
) -> Result<()> {
    let alpha = alpha.into();
    let terms = [(alpha, x, y, false), (alpha, y, x, false)];
    update("syr2", &terms, a, Part::Triangle(uplo))
}

/// `A = alpha · x · yᴴ + conj(alpha) · y · xᴴ + A`, one triangle of it, whose diagonal becomes real.
///
/// # Errors
/// See the module.
pub fn her2(
    uplo: Uplo,
    alpha: impl Into<Complex64>,
    x: &Vector,
    y: &Vector,
    a: &Matrix,
) -> Result<()> {
    let alpha = alpha.into();
    let terms = [(alpha, x, y, true), (alpha.conj(), y, x, true)];
    update("her2", &terms, a, Part::Hermitian(uplo))
}

fn matvec(
    op: &'static str,
    (alpha, a, x): (Complex64, &Operand, &Vector),
    (beta, y): (Complex64, &Vector),
) -> Result<()> {
    let shapes = || [a.matrix.tensor(), x.tensor(), y.tensor()].map(|t| t.shape());
    if a.n() != x.n() || a.m() != y.n() {
        return Err(Error::shape(
            op,
            shapes(),
            "A is m × n, x has n elements, y has m",
        ));
    }
    if !matches!(a.form, Form::General) && a.m() != a.n() {
        return Err(Error::shape(op, shapes(), "the matrix is square"));
    }
    if a.matrix.batch() != y.batch() || x.batch() != y.batch() {
        return Err(Error::shape(op, shapes(), "the batches are not the same"));
    }
    let complex = [a.matrix.is_complex(), x.is_complex()];
    let dtypes = [a.matrix.dtype(), x.dtype(), y.dtype()];
    if complex != [y.is_complex(); 2] || dtypes[..2] != [y.dtype(); 2] || !y.dtype().is_float() {
        let why = "they are of one float dtype, and all real or all complex";
        return Err(Error::dtype(op, dtypes, why));
    }
    let operands = [("A", a.matrix.tensor()), ("x", x.tensor())];
    apart(op, ("y", y.tensor()), &operands)?;
    real_factor(op, "alpha", alpha, y.is_complex())?;
    real_factor(op, "beta", beta, y.is_complex())?;
    if y.tensor().numel() == 0 {
        return Ok(());
    }
    let c = &y.column();
    if alpha == Complex64::ZERO || a.n() == 0 {
        return scale(op, beta, c, Part::Whole);
    }
    // Sums of 16-bit floats stay in f32, and are rounded once.
    let sums = sums(a, x)?;
    let scaled = match (alpha.re, alpha.im) {
        (1.0, 0.0) => sums.expr(),
        (re, 0.0) => ops::mul(&sums, re)?,
        _ => times(&sums, alpha)?,
    };
    let old = wide(y.tensor());
    let result = match (beta.re, beta.im) {
        (0.0, 0.0) => scaled,
        (1.0, 0.0) => ops::add(scaled, old)?,
        (re, 0.0) => ops::add(scaled, ops::mul(old, re)?)?,
        _ => ops::add(scaled, times(y.tensor(), beta)?.eval()?)?,
    };
    let result = result.cast(y.dtype(), CastMode::Saturate);
    result.eval_into(y.tensor())
}

/// `A · x`: one reduction.
fn sums(a: &Operand, x: &Vector) -> Result<suanzi_ops::Tensor> {
    let (nb, m, n) = (x.nb(), a.m(), a.n());
    let complex = x.is_complex();
    if !complex && a.storage == Storage::Full {
        let shape = [x.batch(), &[m, n]].concat();
        let across = x.tensor().unsqueeze(nb as i64)?.expand(&shape)?;
        return ops::mul(wide(a.loaded()?), wide(across))?.reduce("sum", &[-1], false);
    }
    // [batch.., m, part, k, part of the factors]: of a band, k goes over the diagonals.
    let (below, count) = match (a.storage, a.swapped, a.form) {
        (Storage::Band { kl, ku, .. }, swapped, form) => {
            let [kl, ku] = if swapped { [ku, kl] } else { [kl, ku] };
            let both = kl.max(ku);
            let [kl, ku] = match form {
                Form::Symmetric(_) | Form::Hermitian(_) => [both, both],
                _ => [kl, ku],
            };
            (Some(kl as i64), kl + ku + 1)
        }
        _ => (None, n),
    };
    let parts = if complex { 2 } else { 1 };
    let shape = [x.batch(), &[m, parts, count, parts]].concat();
    let coords = a.coords(&shape)?;
    let [i, out, k, part] = [0, 1, 2, 3].map(|axis| coords.position(nb + axis));
    let (i, out, k, part) = (i?, out?, k?, part?);
    let j = match below {
        Some(below) => ops::sub(ops::add(&i, k)?, below)?,
        None => k,
    };
    let negative = match complex {
        // re · re - im · im
        true => Some(ops::logical_and(ops::eq(&out, 0)?, ops::eq(&part, 1)?)?),
        false => None,
    };
    let element = a.element(&coords, &i, &j, complex.then(|| part.clone()), negative)?;
    let mut at = coords.batch().to_vec();
    at.push(j);
    if complex {
        at.push(ops::bitwise_xor(out, part)?);
    }
    let other = Expr::at(x.tensor(), &at, Outside::Fill(Num::Float(0.0)))?;
    let sums = ops::mul(wide(element), wide(other))?.reduce("sum", &[-2, -1], false)?;
    let shape = [x.batch(), &[m], &[2][..parts - 1]].concat();
    sums.reshape(&shape)
}

/// A factor, two vectors, and whether the second is conjugated.
type Outer<'a> = (Complex64, &'a Vector, &'a Vector, bool);

fn update(op: &'static str, terms: &[Outer<'_>], a: &Matrix, part: Part) -> Result<()> {
    for (alpha, x, y, _) in terms {
        let shapes = [x.tensor(), y.tensor(), a.tensor()].map(|t| t.shape());
        if x.n() != a.m() || y.n() != a.n() {
            let why = "A is m × n, x has m elements, y has n";
            return Err(Error::shape(op, shapes, why));
        }
        if x.batch() != a.batch() || y.batch() != a.batch() {
            return Err(Error::shape(op, shapes, "the batches are not the same"));
        }
        let dtypes = [x.dtype(), y.dtype(), a.dtype()];
        let mixed = [x, y].iter().any(|v| v.is_complex() != a.is_complex());
        if mixed || dtypes[..2] != [a.dtype(); 2] || !a.dtype().is_float() {
            let why = "they are of one float dtype, and all real or all complex";
            return Err(Error::dtype(op, dtypes, why));
        }
        real_factor(op, "alpha", *alpha, a.is_complex())?;
        let operands = [("x", x.tensor()), ("y", y.tensor())];
        apart(op, ("A", a.tensor()), &operands)?;
    }
    // As in BLAS, not even the diagonal becomes real then.
    if a.tensor().numel() == 0 || terms.iter().all(|t| t.0 == Complex64::ZERO) {
        return Ok(());
    }
    let mut sum = a.tensor().expr();
    for &term in terms {
        sum = ops::add(sum, outer(term, a)?)?;
    }
    within_pairs(part, sum, a.tensor(), a.paired())?.eval_into(a.tensor())
}

/// `alpha · x · yᵀ` as an expression of A's shape.
fn outer((alpha, x, y, conj): Outer<'_>, a: &Matrix) -> Result<Expr> {
    let (nb, axes) = (a.nb() as i64, a.tensor().shape());
    if !a.is_complex() {
        let down = ops::mul(x.tensor().unsqueeze(nb + 1)?, alpha.re)?;
        return ops::mul(down, y.tensor().unsqueeze(nb)?);
    }
    // The scaled x is small.
    let x = match alpha {
        Complex64::ONE => x.tensor().clone(),
        _ => times(x.tensor(), alpha)?.eval()?,
    };
    let part = Expr::position(a.tensor().context(), axes, -1)?;
    let down = x.unsqueeze(nb + 1)?;
    let [re, im] = [0, 1].map(|i| down.slice(-1, i, i + 1, 1));
    let (re, im) = (re?, im?);
    let along = y.tensor().unsqueeze(nb)?;
    let imaginary = ops::eq(&part, 1)?;
    let signed = |sign: Expr, value: Expr| ops::where_(sign, ops::neg(&value)?, value);
    // (re, im) · (y.re, y.im) = re · (y.re, y.im) + im · (-y.im, y.re); of a conjugated y, im · (y.im, y.re)
    // and re · (y.re, -y.im).
    let straight = ops::mul(re, &along)?;
    let crosswise = ops::mul(im, along.flip(-1)?)?;
    match conj {
        false => ops::add(straight, signed(ops::logical_not(imaginary)?, crosswise)?),
        true => ops::add(signed(imaginary, straight)?, crosswise),
    }
}
