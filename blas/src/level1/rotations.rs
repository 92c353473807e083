//! Rotations that are made, and applied, on the device.

use super::alike;
use crate::overlap::apart;
use crate::vector::Vector;
use crate::{Error, Result};
use suanzi_ops::{Expr, Tensor, ops};

/// Plane rotations: `x, y` becomes `c · x + s · y, c · y - conj(s) · x`.
#[derive(Clone, Debug)]
pub struct Rotations {
    /// Cosines, always real: of the shape of a real vector.
    pub c: Vector,
    /// Sines.
    pub s: Vector,
}

/// For each pair of elements the rotation that makes the second one zero. `a` becomes what is left of the first, r. Of
/// real ones b becomes BLAS's z, from which c and s can be found again; complex ones stay.
///
/// As BLAS: the sign of a real r is that of the larger of a and b; where b is 0, c is 1 and s is 0. Neither overflows nor
/// underflows where r does not.
///
/// # Errors
/// See the module.
pub fn rotg(a: &Vector, b: &Vector) -> Result<Rotations> {
    let op = "rotg";
    alike(op, a, b)?;
    apart(op, ("b", b.tensor()), &[("a", a.tensor())])?;
    apart(op, ("a", a.tensor()), &[])?;
    match a.is_complex() {
        false => real(a, b),
        true => complex(a, b),
    }
}

fn real(a: &Vector, b: &Vector) -> Result<Rotations> {
    let (x, y) = (a.tensor(), b.tensor());
    let [sx, sy] = [ops::abs(x)?, ops::abs(y)?];
    let first = ops::gt(&sx, &sy)?;
    let most = ops::maximum(&sx, &sy)?;
    let most = ops::where_(ops::eq(&most, 0.0)?, 1.0, &most)?;
    let length = ops::mul(root([x.expr(), y.expr()], &most)?, &most)?;
    let larger = ops::where_(&first, x, y)?;
    let r = ops::where_(ops::lt(larger, 0.0)?, ops::neg(&length)?, &length)?.eval()?;
    let none = ops::eq(y, 0.0)?;
    let c = ops::where_(&none, 1.0, ops::div(x, &r)?)?.eval()?;
    let s = ops::where_(&none, 0.0, ops::div(y, &r)?)?.eval()?;
    let inverse = ops::where_(ops::eq(&c, 0.0)?, 1.0, ops::reciprocal(&c)?)?;
    let z = ops::where_(first, &s, inverse)?;
    let z = ops::where_(none, 0.0, z)?.eval()?;
    r.expr().eval_into(x)?;
    z.expr().eval_into(y)?;
    let (c, s) = (Vector::real(&c)?, Vector::real(&s)?);
    Ok(Rotations { c, s })
}

/// `c = |a| / h`, `s = a / |a| · conj(b) / h`, `r = a / |a| · h`, where `h² = |a|² + |b|²`.
fn complex(a: &Vector, b: &Vector) -> Result<Rotations> {
    let part = |t: &Tensor, i: i64| Ok::<Expr, Error>(t.slice(-1, i, i + 1, 1)?.expr());
    let (x, y) = (a.tensor(), b.tensor());
    let (xr, xi, yr, yi) = (part(x, 0)?, part(x, 1)?, part(y, 0)?, part(y, 1)?);
    let largest = |re: &Expr, im: &Expr| ops::maximum(ops::abs(re)?, ops::abs(im)?);
    let or_one = |x: Expr| ops::where_(ops::eq(&x, 0.0)?, 1.0, &x);
    let own = largest(&xr, &xi)?;
    let most = or_one(ops::maximum(&own, largest(&yr, &yi)?)?)?;
    let all = ops::add(
        squares([xr.clone(), xi.clone()], &most)?,
        squares([yr.clone(), yi.clone()], &most)?,
    )?;
    let h = or_one(ops::mul(ops::sqrt(all)?, &most)?)?.eval()?;
    let scale = or_one(own)?;
    let size = ops::mul(root([xr.clone(), xi.clone()], &scale)?, &scale)?.eval()?;
    let zero = ops::eq(&size, 0.0)?;
    let direction =
        |part: &Expr, otherwise: f64| ops::where_(&zero, otherwise, ops::div(part, &size)?);
    let (dr, di) = (direction(&xr, 1.0)?.eval()?, direction(&xi, 0.0)?.eval()?);
    let none = ops::logical_and(ops::eq(&yr, 0.0)?, ops::eq(&yi, 0.0)?)?;
    let c = ops::where_(&none, 1.0, ops::div(&size, &h)?)?.eval()?;
    // d · conj(b) / h
    let (ur, ui) = (ops::div(&yr, &h)?, ops::div(&yi, &h)?);
    let sr = ops::add(ops::mul(&dr, &ur)?, ops::mul(&di, &ui)?)?;
    let si = ops::sub(ops::mul(&di, &ur)?, ops::mul(&dr, &ui)?)?;
    let imaginary = ops::eq(Expr::position(x.context(), x.shape(), -1)?, 1)?;
    let s = ops::where_(&imaginary, si, sr)?.eval()?;
    let turned = ops::where_(imaginary, ops::mul(&di, &h)?, ops::mul(&dr, &h)?)?;
    let r = ops::where_(none, x, turned)?.eval()?;
    r.expr().eval_into(x)?;
    let c = c.reshape(&x.shape()[..x.shape().len() - 1])?;
    let (c, s) = (Vector::real(&c)?, Vector::complex(&s)?);
    Ok(Rotations { c, s })
}

/// `Σ (x / scale)²`.
fn squares(parts: [Expr; 2], scale: &Expr) -> Result<Expr> {
    let [x, y] = parts.map(|x| ops::div(x, scale));
    let (x, y) = (x?, y?);
    ops::add(ops::mul(&x, &x)?, ops::mul(&y, &y)?)
}

fn root(parts: [Expr; 2], scale: &Expr) -> Result<Expr> {
    ops::sqrt(squares(parts, scale)?)
}
