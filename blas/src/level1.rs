//! Level 1: vectors.
//!
//! Maps and reductions. Results that are numbers stay on the device, as tensors with no axis but the
//! batch's (and the parts'). All routines take batches; vectors may have any strides.
//!
//! Errors of all: [`crate::Error::Shape`] where lengths or batches differ, [`crate::Error::Dtype`] where the
//! dtypes do, [`crate::Error::Backend`] where the device fails. A refused call changes nothing.

mod modified;
mod rotations;

pub use modified::{Modified, rotmg};
pub use rotations::{Rotations, rotg};

use crate::overlap::{apart, same};
use crate::product::{Part, real_factor, scale, times};
use crate::vector::Vector;
use crate::{Error, Result};
use num_complex::Complex64;
use suanzi_ops::{Expr, Tensor, ops};

/// `x = alpha · x`. Where `alpha` is 0, x becomes 0.
///
/// # Errors
/// See the module.
pub fn scal(alpha: impl Into<Complex64>, x: &Vector) -> Result<()> {
    if !x.dtype().is_float() {
        return Err(Error::dtype("scal", [x.dtype()], "it takes floats"));
    }
    let alpha = alpha.into();
    real_factor("scal", "alpha", alpha, x.is_complex())?;
    apart("scal", ("x", x.tensor()), &[])?;
    match x.tensor().numel() {
        0 => Ok(()),
        _ => scale("scal", alpha, &x.column(), Part::Whole),
    }
}

/// `y = x`.
///
/// # Errors
/// See the module.
pub fn copy(x: &Vector, y: &Vector) -> Result<()> {
    alike("copy", x, y)?;
    distinct("copy", x, y)?;
    x.tensor().expr().eval_into(y.tensor())
}

/// x and y swapped.
///
/// # Errors
/// See the module.
pub fn swap(x: &Vector, y: &Vector) -> Result<()> {
    alike("swap", x, y)?;
    distinct("swap", x, y)?;
    let old = ops::copy(x.tensor())?.eval()?;
    y.tensor().expr().eval_into(x.tensor())?;
    old.expr().eval_into(y.tensor())
}

/// `y = alpha · x + y`.
///
/// # Errors
/// See the module.
pub fn axpy(alpha: impl Into<Complex64>, x: &Vector, y: &Vector) -> Result<()> {
    axpby(alpha, x, 1.0, y)
}

/// `y = alpha · x + beta · y`. Where `alpha` is 0, x is not read; where `beta` is 0, y is not.
///
/// # Errors
/// See the module.
pub fn axpby(
    alpha: impl Into<Complex64>,
    x: &Vector,
    beta: impl Into<Complex64>,
    y: &Vector,
) -> Result<()> {
    alike("axpby", x, y)?;
    distinct("axpby", x, y)?;
    let (alpha, beta) = (alpha.into(), beta.into());
    real_factor("axpby", "alpha", alpha, y.is_complex())?;
    real_factor("axpby", "beta", beta, y.is_complex())?;
    if y.tensor().numel() == 0 {
        return Ok(());
    }
    if alpha == Complex64::ZERO {
        return scal(beta, y);
    }
    let product = |by: Complex64, of: &Tensor| match (by.re, by.im) {
        (1.0, 0.0) => Ok(of.expr()),
        (re, 0.0) => ops::mul(of, re),
        _ => times(of, by),
    };
    let scaled = product(alpha, x.tensor())?;
    let sum = match (beta.re, beta.im) {
        (0.0, 0.0) => scaled,
        (_, 0.0) => ops::add(scaled, product(beta, y.tensor())?)?,
        // Parts of y are read crosswise: before any is written.
        _ => ops::add(scaled, times(y.tensor(), beta)?.eval()?)?,
    };
    match alpha.im != 0.0 && same(x.tensor(), y.tensor()) {
        // Parts of x are read crosswise too.
        true => sum.eval()?.expr().eval_into(y.tensor()),
        false => sum.eval_into(y.tensor()),
    }
}

/// `Σ x · y`; of complex vectors, BLAS's dotu.
///
/// # Errors
/// See the module.
pub fn dot(x: &Vector, y: &Vector) -> Result<Tensor> {
    products("dot", x, y, false)
}

/// `Σ conj(x) · y`.
///
/// # Errors
/// See the module.
pub fn dotc(x: &Vector, y: &Vector) -> Result<Tensor> {
    products("dotc", x, y, true)
}

fn products(op: &'static str, x: &Vector, y: &Vector, conj: bool) -> Result<Tensor> {
    alike(op, x, y)?;
    if !x.is_complex() {
        return ops::mul(x.tensor(), y.tensor())?.reduce("sum", &[-1], false);
    }
    // [batch.., n, part of the result, part of the factors]
    let nb = x.nb() as i64;
    let shape = [x.batch(), &[x.n(), 2, 2]].concat();
    let ctx = x.tensor().context();
    let (out, part) = (
        Expr::position(ctx, &shape, nb + 1)?,
        Expr::position(ctx, &shape, nb + 2)?,
    );
    // re: re · re - im · im; im: re · im + im · re. Of a conjugated x, the signs of its parts.
    let [swapped, straight] = [y.tensor().flip(-1)?, y.tensor().clone()];
    let rows = |t: &Tensor| t.unsqueeze(nb + 1)?.expand(&shape);
    let factor = ops::where_(ops::eq(&out, 0)?, rows(&straight)?, rows(&swapped)?)?;
    let product = ops::mul(rows(x.tensor())?, factor)?;
    let imaginary = ops::eq(part, 1)?;
    let sign = match conj {
        false => ops::logical_and(imaginary, ops::eq(out, 0)?)?,
        true => ops::logical_and(imaginary, ops::eq(out, 1)?)?,
    };
    ops::where_(sign, ops::neg(&product)?, product)?.reduce("sum", &[nb, -1], false)
}

/// `√Σ|x|²`, which neither overflows nor underflows where the result does not.
///
/// # Errors
/// See the module.
pub fn nrm2(x: &Vector) -> Result<Tensor> {
    x.tensor().expr().reduce("norm_l2", &axes(x), false)
}

/// `Σ |re x| + |im x|`.
///
/// # Errors
/// See the module.
pub fn asum(x: &Vector) -> Result<Tensor> {
    ops::abs(x.tensor())?.reduce("sum", &axes(x), false)
}

/// The first position of the largest `|re x| + |im x|`, from 0, as i64; a NaN is larger than any number.
///
/// # Errors
/// See the module, and [`Error::Shape`] of empty vectors.
pub fn iamax(x: &Vector) -> Result<Tensor> {
    let sizes = ops::abs(x.tensor())?;
    let sizes = match x.is_complex() {
        false => sizes,
        true => sizes.reduce("sum", &[-1], false)?.expr(),
    };
    ops::argmax(sizes, &[-1], false)
}

/// `x, y = c · x + s · y, c · y - conj(s) · x`: a plane rotation.
///
/// # Errors
/// See the module.
pub fn rot(x: &Vector, y: &Vector, c: f64, s: impl Into<Complex64>) -> Result<()> {
    let s = s.into();
    alike("rot", x, y)?;
    real_factor("rot", "s", s, x.is_complex())?;
    apart("rot", ("y", y.tensor()), &[("x", x.tensor())])?;
    apart("rot", ("x", x.tensor()), &[])?;
    let by = |t: &Tensor, by: Complex64| match by.im {
        0.0 => ops::mul(t, by.re),
        _ => times(t, by),
    };
    let first = ops::add(ops::mul(x.tensor(), c)?, by(y.tensor(), s)?)?.eval()?;
    let second = ops::sub(ops::mul(y.tensor(), c)?, by(x.tensor(), s.conj())?)?;
    second.eval_into(y.tensor())?;
    first.expr().eval_into(x.tensor())
}

/// `(x, y) = H · (x, y)`, H being `[[h11, h12], [h21, h22]]`: a modified plane rotation. Of real vectors.
///
/// # Errors
/// See the module.
pub fn rotm(x: &Vector, y: &Vector, h: [[f64; 2]; 2]) -> Result<()> {
    alike("rotm", x, y)?;
    apart("rotm", ("y", y.tensor()), &[("x", x.tensor())])?;
    apart("rotm", ("x", x.tensor()), &[])?;
    let row = |[a, b]: [f64; 2]| ops::add(ops::mul(x.tensor(), a)?, ops::mul(y.tensor(), b)?);
    let first = row(h[0])?.eval()?;
    row(h[1])?.eval_into(y.tensor())?;
    first.expr().eval_into(x.tensor())
}

/// x and y, which is written, are the same elements or different ones.
fn distinct(op: &str, x: &Vector, y: &Vector) -> Result<()> {
    let (x, y) = (x.tensor(), y.tensor());
    match same(x, y) {
        true => apart(op, ("y", y), &[]),
        false => apart(op, ("y", y), &[("x", x)]),
    }
}

fn axes(x: &Vector) -> Vec<i64> {
    match x.is_complex() {
        true => vec![-2, -1],
        false => vec![-1],
    }
}

fn alike(op: &str, x: &Vector, y: &Vector) -> Result<()> {
    if x.tensor().shape() != y.tensor().shape() || x.is_complex() != y.is_complex() {
        let shapes = [x.tensor().shape(), y.tensor().shape()];
        return Err(Error::shape(
            op,
            shapes,
            "the vectors are as long as each other",
        ));
    }
    if x.dtype() != y.dtype() || !x.dtype().is_float() {
        let why = "the vectors are of one float dtype";
        return Err(Error::dtype(op, [x.dtype(), y.dtype()], why));
    }
    Ok(())
}
