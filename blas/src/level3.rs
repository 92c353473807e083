//! Level 3: matrices with matrices.
//!
//! Everything is [`product`] with another form of operand, or a recursion that ends in it. Shapes are
//! those of BLAS after transposition, which is a view ([`Matrix::t`], [`Matrix::h`]): `gemm(1.0, a.t(), &b,
//! 0.0, &c)` is BLAS's `TRANSA = 'T'`. All routines take batches. Calls return once the work is
//! recorded; C (B of `trmm` and `trsm`) must not overlap the other operands.
//!
//! Errors of all: [`crate::Error::Shape`] where sizes or batches do not fit, [`crate::Error::Dtype`] where the
//! dtypes differ, [`crate::Error::Value`] where a factor of real matrices is not real or C overlaps an operand,
//! [`crate::Error::Backend`] where the device fails. A refused call changes nothing.

use crate::matrix::{Diag, Form, Matrix, Operand, Side, Uplo};
use crate::overlap::apart;
use crate::product::{Part, product, real_factor, scale};
use crate::{Error, Result};
use num_complex::Complex64;
use suanzi_ops::ops;

pub(crate) const ONE: Complex64 = Complex64::ONE;

/// `C = alpha · A · B + beta · C`: A is m × k, B k × n, C m × n.
///
/// They are of one float dtype; or C is f32 where A and B are both f16 or both bf16; or i32 where each is i8 or u8, and
/// then sums wrap, and alpha and beta are whole numbers.
///
/// # Errors
/// See the module.
pub fn gemm(
    alpha: impl Into<Complex64>,
    a: impl Into<Operand>,
    b: impl Into<Operand>,
    beta: impl Into<Complex64>,
    c: &Matrix,
) -> Result<()> {
    let factors = (alpha.into(), &a.into(), &b.into());
    product("gemm", factors, (beta.into(), c), Part::Whole)
}

/// As [`gemm`], but only a triangle of C is written (`gemmtr`): C is n × n.
///
/// # Errors
/// See the module.
pub fn gemmt(
    uplo: Uplo,
    alpha: impl Into<Complex64>,
    a: impl Into<Operand>,
    b: impl Into<Operand>,
    beta: impl Into<Complex64>,
    c: &Matrix,
) -> Result<()> {
    let (a, b) = (a.into().general()?, b.into().general()?);
    triangle(
        "gemmt",
        (alpha.into(), &a, &b),
        (beta.into(), c),
        Part::Triangle(uplo),
    )
}

/// `C = alpha · A · B + beta · C`, or `alpha · B · A + beta · C`, where A is symmetric.
///
/// # Errors
/// See the module.
pub fn symm(
    side: Side,
    uplo: Uplo,
    (alpha, a): (impl Into<Complex64>, &Matrix),
    b: &Matrix,
    (beta, c): (impl Into<Complex64>, &Matrix),
) -> Result<()> {
    let a = a.with(Form::Symmetric(uplo));
    beside(
        "symm",
        side,
        (alpha.into(), &a, &b.into()),
        (beta.into(), c),
    )
}

/// As [`symm`], where A is Hermitian.
///
/// # Errors
/// See the module.
pub fn hemm(
    side: Side,
    uplo: Uplo,
    (alpha, a): (impl Into<Complex64>, &Matrix),
    b: &Matrix,
    (beta, c): (impl Into<Complex64>, &Matrix),
) -> Result<()> {
    let a = a.with(Form::Hermitian(uplo));
    beside(
        "hemm",
        side,
        (alpha.into(), &a, &b.into()),
        (beta.into(), c),
    )
}

fn beside(
    op: &'static str,
    side: Side,
    (alpha, a, b): (Complex64, &Operand, &Operand),
    (beta, c): (Complex64, &Matrix),
) -> Result<()> {
    square(op, &a.matrix)?;
    let factors = match side {
        Side::Left => (alpha, a, b),
        Side::Right => (alpha, b, a),
    };
    product(op, factors, (beta, c), Part::Whole)
}

/// `C = alpha · A · Aᵀ + beta · C`, one triangle of it: A is n × k.
///
/// # Errors
/// See the module.
pub fn syrk(
    uplo: Uplo,
    (alpha, a): (impl Into<Complex64>, &Matrix),
    (beta, c): (impl Into<Complex64>, &Matrix),
) -> Result<()> {
    let factors = (alpha.into(), &a.into(), &a.t().into());
    triangle("syrk", factors, (beta.into(), c), Part::Triangle(uplo))
}

/// `C = alpha · A · Aᴴ + beta · C`, one triangle of it, whose diagonal becomes real: A is n × k.
///
/// # Errors
/// See the module.
pub fn herk(uplo: Uplo, (alpha, a): (f64, &Matrix), (beta, c): (f64, &Matrix)) -> Result<()> {
    if quiet(alpha.into(), a, beta.into()) {
        return Ok(());
    }
    let factors = (alpha.into(), &a.into(), &a.h());
    triangle("herk", factors, (beta.into(), c), Part::Hermitian(uplo))
}

/// `C = alpha · (A · Bᵀ + B · Aᵀ) + beta · C`, one triangle of it: A and B are n × k.
///
/// # Errors
/// See the module.
pub fn syr2k(
    uplo: Uplo,
    (alpha, a, b): (impl Into<Complex64>, &Matrix, &Matrix),
    (beta, c): (impl Into<Complex64>, &Matrix),
) -> Result<()> {
    let (op, alpha, part) = ("syr2k", alpha.into(), Part::Triangle(uplo));
    alike(op, a, b)?;
    triangle(
        op,
        (alpha, &a.into(), &b.t().into()),
        (beta.into(), c),
        part,
    )?;
    triangle(op, (alpha, &b.into(), &a.t().into()), (ONE, c), part)
}

/// `C = alpha · A · Bᴴ + conj(alpha) · B · Aᴴ + beta · C`, one triangle of it, whose diagonal becomes
/// real: A and B are n × k.
///
/// # Errors
/// See the module.
pub fn her2k(
    uplo: Uplo,
    (alpha, a, b): (impl Into<Complex64>, &Matrix, &Matrix),
    (beta, c): (f64, &Matrix),
) -> Result<()> {
    let (op, alpha, part) = ("her2k", alpha.into(), Part::Hermitian(uplo));
    alike(op, a, b)?;
    if quiet(alpha, a, beta.into()) {
        return Ok(());
    }
    triangle(op, (alpha, &a.into(), &b.h()), (beta.into(), c), part)?;
    triangle(op, (alpha.conj(), &b.into(), &a.h()), (ONE, c), part)
}

/// `C = alpha · A · Bᵀ + beta · C`, one triangle of it, where the product is symmetric (as it is where B is A times a
/// diagonal matrix): A and B are n × k.
///
/// # Errors
/// See the module.
pub fn syrkx(
    uplo: Uplo,
    (alpha, a, b): (impl Into<Complex64>, &Matrix, &Matrix),
    (beta, c): (impl Into<Complex64>, &Matrix),
) -> Result<()> {
    alike("syrkx", a, b)?;
    let factors = (alpha.into(), &a.into(), &b.t().into());
    triangle("syrkx", factors, (beta.into(), c), Part::Triangle(uplo))
}

/// `C = alpha · A · Bᴴ + beta · C`, one triangle of it, where the product is Hermitian; the diagonal becomes real: A
/// and B are n × k.
///
/// # Errors
/// See the module.
pub fn herkx(
    uplo: Uplo,
    (alpha, a, b): (impl Into<Complex64>, &Matrix, &Matrix),
    (beta, c): (f64, &Matrix),
) -> Result<()> {
    alike("herkx", a, b)?;
    let alpha = alpha.into();
    if quiet(alpha, a, beta.into()) {
        return Ok(());
    }
    let factors = (alpha, &a.into(), &b.h());
    triangle("herkx", factors, (beta.into(), c), Part::Hermitian(uplo))
}

/// BLAS leaves C, diagonal included, as it is where nothing is added and nothing scaled.
fn quiet(alpha: Complex64, a: &Matrix, beta: Complex64) -> bool {
    (alpha == Complex64::ZERO || a.n() == 0) && beta == ONE
}

/// A product of which a triangle is wanted.
fn triangle(
    op: &'static str,
    factors: (Complex64, &Operand, &Operand),
    (beta, c): (Complex64, &Matrix),
    part: Part,
) -> Result<()> {
    square(op, c)?;
    product(op, factors, (beta, c), part)
}

/// `B = alpha · A · B`, or `alpha · B · A`, where A is triangular; `A` may be `a.t()` or `a.h()` with the
/// `uplo` of what it is then.
///
/// # Errors
/// See the module.
pub fn trmm(
    side: Side,
    uplo: Uplo,
    diag: Diag,
    (alpha, a): (impl Into<Complex64>, impl Into<Operand>),
    b: &Matrix,
) -> Result<()> {
    let (op, alpha, a) = ("trmm", alpha.into(), a.into().full()?);
    let (a, b) = facing(
        op,
        side,
        Operand {
            form: Form::Triangular(uplo, diag),
            ..a
        },
        b,
    )?;
    real_factor(op, "alpha", alpha, b.is_complex())?;
    if alpha == Complex64::ZERO {
        return scale(op, alpha, &b, Part::Whole);
    }
    let old = copied(&b)?;
    product(
        op,
        (alpha, &a, &old.into()),
        (Complex64::ZERO, &b),
        Part::Whole,
    )
}

/// Whether rows lie side by side, and columns do not.
fn column_major(a: &Matrix) -> bool {
    let unit = 1 + i64::from(a.is_complex());
    let [down, along] = a.steps();
    down == unit && along != unit
}

/// A copy that lies as the matrix does.
fn copied(a: &Matrix) -> Result<Matrix> {
    let copy = |a: &Matrix| Matrix::like(a, &ops::copy(a.tensor())?.eval()?);
    match column_major(a) {
        true => Ok(copy(&a.t())?.t()),
        false => copy(a),
    }
}

/// Both transposed where A is on the right, so that it is on the left.
fn facing(op: &str, side: Side, a: Operand, b: &Matrix) -> Result<(Operand, Matrix)> {
    let (a, b) = match side {
        Side::Left => (a, b.clone()),
        Side::Right => (a.t(), b.t()),
    };
    square(op, &a.matrix)?;
    if a.matrix.n() != b.m() || a.matrix.batch() != b.batch() {
        let shapes = [a.matrix.tensor().shape(), b.tensor().shape()];
        return Err(Error::shape(op, shapes, "A and B do not fit"));
    }
    if a.matrix.dtype() != b.dtype()
        || a.matrix.is_complex() != b.is_complex()
        || !b.dtype().is_float()
    {
        let why = "matrices are of one float dtype, and all real or all complex";
        return Err(Error::dtype(op, [a.matrix.dtype(), b.dtype()], why));
    }
    apart(op, ("B", b.tensor()), &[("A", a.matrix.tensor())])?;
    Ok((a, b))
}

/// Rows of a triangular matrix that are solved at once.
const BLOCK: usize = 64;

/// A triangular operand in quarters: the corners, and the square beside them.
struct Quarters {
    first: Operand,
    second: Operand,
    square: Operand,
    uplo: Uplo,
}

fn quarters(a: &Operand, half: usize) -> Result<Quarters> {
    let n = a.matrix.n();
    let Form::Triangular(uplo, _) = a.form else {
        return Err(Error::value("quarters", "the operand is not triangular"));
    };
    let of = |matrix: Matrix, form: Form| Operand {
        matrix,
        form,
        ..a.clone()
    };
    let beside = match uplo {
        Uplo::Lower => a.matrix.block(half..n, 0..half)?,
        Uplo::Upper => a.matrix.block(0..half, half..n)?,
    };
    Ok(Quarters {
        first: of(a.matrix.block(0..half, 0..half)?, a.form),
        second: of(a.matrix.block(half..n, half..n)?, a.form),
        square: of(beside, Form::General),
        uplo,
    })
}

fn halves(b: &Matrix, half: usize) -> Result<[Matrix; 2]> {
    let (m, n) = (b.m(), b.n());
    Ok([b.block(0..half, 0..n)?, b.block(half..m, 0..n)?])
}

/// Half of some rows, in whole blocks.
pub(crate) fn middle(m: usize) -> usize {
    m.div_ceil(2).next_multiple_of(BLOCK)
}

/// `B = alpha · A⁻¹ · B`, or `alpha · B · A⁻¹`, where A is triangular (see [`trmm`]).
///
/// Blocks of 64 rows on the diagonal are inverted, all at once; the rest is products.
///
/// # Errors
/// See the module. A singular A is not looked for: as in BLAS, infinities and NaN come out.
pub fn trsm(
    side: Side,
    uplo: Uplo,
    diag: Diag,
    (alpha, a): (impl Into<Complex64>, impl Into<Operand>),
    b: &Matrix,
) -> Result<()> {
    let (op, alpha, a) = ("trsm", alpha.into(), a.into().full()?);
    let (a, b) = facing(
        op,
        side,
        Operand {
            form: Form::Triangular(uplo, diag),
            ..a
        },
        b,
    )?;
    real_factor(op, "alpha", alpha, b.is_complex())?;
    scale(op, alpha, &b, Part::Whole)?;
    if alpha == Complex64::ZERO || b.tensor().numel() == 0 {
        return Ok(());
    }
    let inverses = crate::inverse::diagonal_blocks(&a, BLOCK, column_major(&b))?;
    Solve {
        op,
        inverses: &inverses,
    }
    .left(&a, 0, [&copied(&b)?, &b])
}

/// A triangular system that is solved by halves.
struct Solve<'a> {
    op: &'static str,
    /// Of the blocks on the diagonal.
    inverses: &'a Matrix,
}

impl Solve<'_> {
    /// X from B, which is left with nothing of use. `first` is the number of the operand's first block on the diagonal.
    fn left(&self, a: &Operand, first: usize, [b, x]: [&Matrix; 2]) -> Result<()> {
        let m = b.m();
        let set = |alpha, a: &Operand, b: &Matrix, beta, c| {
            product(self.op, (alpha, a, &b.into()), (beta, c), Part::Whole)
        };
        if m <= BLOCK {
            let inverse = crate::inverse::block(self.inverses, first, m)?;
            return set(ONE, &inverse.into(), b, Complex64::ZERO, x);
        }
        let half = middle(m);
        let q = quarters(a, half)?;
        let ([b0, b1], [x0, x1]) = (halves(b, half)?, halves(x, half)?);
        let above = (&q.first, first, [&b0, &x0]);
        let below = (&q.second, first + half / BLOCK, [&b1, &x1]);
        let (now, then) = match q.uplo {
            Uplo::Lower => (above, below),
            Uplo::Upper => (below, above),
        };
        self.left(now.0, now.1, now.2)?;
        set(-ONE, &q.square, now.2[1], ONE, then.2[0])?;
        self.left(then.0, then.1, then.2)
    }
}

fn square(op: &str, a: &Matrix) -> Result<()> {
    match a.m() == a.n() {
        true => Ok(()),
        false => Err(Error::shape(
            op,
            [a.tensor().shape()],
            "the matrix is square",
        )),
    }
}

fn alike(op: &str, a: &Matrix, b: &Matrix) -> Result<()> {
    match a.tensor().shape() == b.tensor().shape() {
        true => Ok(()),
        false => {
            let shapes = [a.tensor().shape(), b.tensor().shape()];
            Err(Error::shape(op, shapes, "A and B have the same shape"))
        }
    }
}
