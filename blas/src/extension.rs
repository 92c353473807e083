//! What BLAS's levels lack, by the names that vendors' libraries gave it: sums, copies and scalings of matrices, and
//! complex products with fewer multiplications.
//!
//! All routines take batches. Calls return once the work is recorded. A result may be one of the operands itself
//! where that is read as it lies; it overlaps operands in no other way (but see [`imatcopy`]).
//!
//! Errors of all: [`crate::Error::Shape`] where sizes or batches do not fit, [`crate::Error::Dtype`] where the dtypes
//! differ, [`crate::Error::Value`] where a factor of real matrices is not real or matrices overlap,
//! [`crate::Error::Backend`] where the device fails. A refused call changes nothing.

use crate::matrix::{Matrix, Operand, Side};
use crate::overlap::{apart, same, shared};
use crate::product::{Part, check, factor, scale};
use crate::vector::Vector;
use crate::{Error, Result};
use num_complex::Complex64;
use suanzi_ops::{Contract, Expr, Reach, Scalar, Tensor, Wanted, contract, ops};

/// `C = alpha · A + beta · B`. Where a factor is 0, its matrix is not read.
///
/// # Errors
/// See the module.
pub fn geam(
    alpha: impl Into<Complex64>,
    a: impl Into<Operand>,
    beta: impl Into<Complex64>,
    b: impl Into<Operand>,
    c: &Matrix,
) -> Result<()> {
    let terms = [
        (alpha.into(), &a.into(), "A"),
        (beta.into(), &b.into(), "B"),
    ];
    sum("geam", &terms, c)
}

/// `B = alpha · A`, A being a matrix as it is, transposed or conjugated.
///
/// # Errors
/// See the module.
pub fn omatcopy(alpha: impl Into<Complex64>, a: impl Into<Operand>, b: &Matrix) -> Result<()> {
    sum("omatcopy", &[(alpha.into(), &a.into(), "A")], b)
}

/// As [`omatcopy`], where B may lie in A's memory in any way: A is read before B is written.
///
/// # Errors
/// See the module.
pub fn imatcopy(alpha: impl Into<Complex64>, a: impl Into<Operand>, b: &Matrix) -> Result<()> {
    let (op, alpha, a) = ("imatcopy", alpha.into(), a.into());
    fits(op, alpha, &a, b)?;
    apart(op, ("B", b.tensor()), &[])?;
    match (b.tensor().numel(), alpha) {
        (0, _) => Ok(()),
        (_, Complex64::ZERO) => scale(op, alpha, b, Part::Whole),
        _ => ops::copy(a.scaled(alpha)?)?
            .eval()?
            .expr()
            .eval_into(b.tensor()),
    }
}

/// `C = diag(x) · A` (left) or `C = A · diag(x)` (right).
///
/// # Errors
/// See the module.
pub fn dgmm(side: Side, a: &Matrix, x: &Vector, c: &Matrix) -> Result<()> {
    let op = "dgmm";
    fits(op, Complex64::ONE, &a.into(), c)?;
    let (length, axis) = match side {
        Side::Left => (a.m(), a.nb() + 1),
        Side::Right => (a.n(), a.nb()),
    };
    if x.n() != length || x.batch() != a.batch() {
        let why =
            "x has an element for each row (left) or column (right) of A, in the same batches";
        return Err(Error::shape(
            op,
            [a.tensor().shape(), x.tensor().shape()],
            why,
        ));
    }
    if x.dtype() != a.dtype() || x.is_complex() != a.is_complex() {
        let why = "they are of one float dtype, and all real or all complex";
        return Err(Error::dtype(op, [a.dtype(), x.dtype()], why));
    }
    let in_place = same(c.tensor(), a.tensor());
    let read = [("x", x.tensor()), ("A", a.tensor())];
    apart(op, ("C", c.tensor()), &read[..2 - usize::from(in_place)])?;
    if c.tensor().numel() == 0 {
        return Ok(());
    }
    let x = x.tensor().unsqueeze(axis as i64)?;
    if !a.is_complex() {
        return ops::mul(a.tensor(), x)?.eval_into(c.tensor());
    }
    let [re, im] = [0, 1].map(|i| x.slice(-1, i, i + 1, 1));
    let crosswise = ops::mul(a.tensor().flip(-1)?, im?)?;
    let real = Expr::position(c.tensor().context(), c.tensor().shape(), -1)?;
    let crosswise = ops::where_(ops::eq(real, 0)?, ops::neg(&crosswise)?, crosswise)?;
    let product = ops::add(ops::mul(a.tensor(), re?)?, crosswise)?;
    write(product, c.tensor(), in_place)
}

/// As [`crate::level3::gemm`] of complex matrices, in three real products for four:
/// `re = re·re - im·im`, `im = (re + im)·(re + im) - re·re - im·im`. Errors are relative to all parts of a
/// number, so that a small imaginary part is less accurate than gemm's. Of real matrices it is gemm.
///
/// # Errors
/// See the module; f32 and f64 only.
pub fn gemm3m(
    alpha: impl Into<Complex64>,
    a: impl Into<Operand>,
    b: impl Into<Operand>,
    beta: impl Into<Complex64>,
    c: &Matrix,
) -> Result<()> {
    let op = "gemm3m";
    let (alpha, beta, a, b) = (alpha.into(), beta.into(), a.into(), b.into());
    check(op, &a, &b, c)?;
    if !matches!(c.dtype(), Scalar::F32 | Scalar::F64) || a.matrix.dtype() != c.dtype() {
        return Err(Error::dtype(op, [c.dtype()], "it takes f32 and f64"));
    }
    if !c.is_complex() {
        return crate::level3::gemm(alpha, a, b, beta, c);
    }
    if c.tensor().numel() == 0 {
        return Ok(());
    }
    if alpha == Complex64::ZERO || a.n() == 0 {
        return scale(op, beta, c, Part::Whole);
    }
    let (a, b) = (a.general()?, b.general()?);
    let [a, b] = [a.parts()?, b.parts()?];
    let real = |a: &Expr, b: &Expr| {
        contract(&Contract {
            op,
            a,
            b,
            axes: [c.nb(), 1, 1],
            dtype: c.dtype(),
            epilogue: &Ok,
            wanted: Wanted::Whole,
            reach: Reach::All,
            packed: None,
        })
    };
    let [re, im, both] = [
        real(&a[0], &b[0])?,
        real(&a[1], &b[1])?,
        real(&a[2], &b[2])?,
    ];
    let part = Expr::position(c.tensor().context(), c.tensor().shape(), -1)?;
    let axis = c.nb() as i64 + 2;
    let [re, im, both] = [
        re.unsqueeze(axis)?,
        im.unsqueeze(axis)?,
        both.unsqueeze(axis)?,
    ];
    let imaginary = ops::sub(ops::sub(both, &re)?, &im)?;
    let pairs = ops::where_(ops::eq(part, 0)?, ops::sub(re, im)?, imaginary)?;
    let product = Matrix::complex(&pairs.eval()?)?;
    sum(
        op,
        &[(alpha, &product.into(), "A"), (beta, &c.into(), "C")],
        c,
    )
}

impl Operand {
    /// Of a general complex one the real parts, the imaginary ones, and their sums.
    fn parts(&self) -> Result<[Expr; 3]> {
        let t = self.matrix.tensor();
        let last = t.shape().len() - 1;
        let (shape, strides) = (&t.shape()[..last], &t.strides()[..last]);
        let part = |i: usize| t.as_strided(shape, strides, t.offset() + i);
        let (re, im) = (part(0)?.expr(), part(1)?.expr());
        let im = if self.conj { ops::neg(im)? } else { im };
        let both = ops::add(&re, &im)?;
        Ok([re, im, both])
    }

    /// The elements times a number, `[batch.., m, n]` and the parts.
    fn scaled(&self, by: Complex64) -> Result<Expr> {
        let straight = match by.re {
            1.0 => self.loaded()?,
            re => ops::mul(self.loaded()?, re)?,
        };
        if by.im == 0.0 {
            return Ok(straight);
        }
        let nb = self.matrix.nb();
        let shape = [self.matrix.batch(), &[self.m(), self.n(), 2]].concat();
        let coords = self.coords(&shape)?;
        let [i, j, part] = [0, 1, 2].map(|axis| coords.position(nb + axis));
        let part = part?;
        let (other, real) = (ops::bitwise_xor(&part, 1)?, ops::eq(part, 0)?);
        let crosswise = self.element(&coords, &i?, &j?, Some(other), Some(real))?;
        ops::add(straight, ops::mul(crosswise, by.im)?)
    }
}

/// Whether an operand goes into a matrix, element for element.
fn fits(op: &str, by: Complex64, a: &Operand, c: &Matrix) -> Result<()> {
    let shapes = || [a.matrix.tensor().shape(), c.tensor().shape()];
    if a.m() != c.m() || a.n() != c.n() || a.matrix.batch() != c.batch() {
        return Err(Error::shape(
            op,
            shapes(),
            "the matrices are of one size, in the same batches",
        ));
    }
    let alike = a.matrix.dtype() == c.dtype() && a.matrix.is_complex() == c.is_complex();
    if !alike || !c.dtype().is_float() {
        let why = "matrices are of one float dtype, and all real or all complex";
        return Err(Error::dtype(op, [a.matrix.dtype(), c.dtype()], why));
    }
    factor(op, "the factor", by, c)
}

/// The sum of operands, each times a number; those whose number is 0 are not read.
fn sum(op: &'static str, terms: &[(Complex64, &Operand, &str)], c: &Matrix) -> Result<()> {
    apart(op, ("C", c.tensor()), &[])?;
    let mut crosswise = false;
    for (by, a, name) in terms {
        fits(op, *by, a, c)?;
        let t = a.matrix.tensor();
        if *by != Complex64::ZERO && !(a.plain() && same(t, c.tensor())) {
            apart(op, ("C", c.tensor()), &[(name, t)])?;
        }
        crosswise |= by.im != 0.0 && shared(t, c.tensor());
    }
    if c.tensor().numel() == 0 {
        return Ok(());
    }
    let mut all: Option<Expr> = None;
    for (by, a, _) in terms.iter().filter(|t| t.0 != Complex64::ZERO) {
        let next = a.scaled(*by)?;
        all = Some(match all {
            Some(all) => ops::add(all, next)?,
            None => next,
        });
    }
    match all {
        Some(all) => write(all, c.tensor(), crosswise),
        None => scale(op, Complex64::ZERO, c, Part::Whole),
    }
}

/// Writes a result; where it is read crosswise as it is written, by way of other memory.
fn write(result: Expr, to: &Tensor, crosswise: bool) -> Result<()> {
    match crosswise {
        true => ops::copy(result)?.eval()?.expr().eval_into(to),
        false => result.eval_into(to),
    }
}
