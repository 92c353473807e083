//! QR by Householder's reflectors, and products with Q.
//!
//! `Q = H₁ · H₂ · …`, `Hⱼ = I - tauⱼ · vⱼ · vⱼᴴ`. The reflectors of a panel together are `I - V · T · Vᴴ` with a small upper
//! triangle T (Schreiber and Van Loan's form), so that everything beside the panel is products of matrices. V is
//! read where the panel lies, as a triangular operand with ones on its diagonal.

use super::panel::{Kernel, PANEL, Panel, Work, check, zeros};
use super::reflector::factor;
use super::{Trans, identity};
use crate::level3::{ONE, gemm};
use crate::matrix::{Diag, Form, Matrix, Operand, Side, Uplo};
use crate::vector::Vector;
use crate::{Error, Result};
use num_complex::Complex64;
use suanzi_codegen::{Builder, Value};
use suanzi_ops::Tensor;

/// `A = Q · R`: A is m × n and is overwritten by R and, below the diagonal, by the reflectors that Q is a product of.
///
/// The result is `tau`, `[batch.., min(m, n)]`: the reflectors' factors. As LAPACK's, R's diagonal is real.
///
/// # Errors
/// [`Error::Dtype`] where A is not f32 or f64, [`Error::Backend`].
pub fn geqrf(a: &Matrix) -> Result<Vector> {
    let op = "geqrf";
    check(op, a)?;
    let (m, n) = (a.m(), a.n());
    let k = m.min(n);
    let pair = &[2][..usize::from(a.is_complex())];
    let tau = zeros(a, a.dtype(), &[&[k], pair].concat())?;
    let result = match a.is_complex() {
        true => Vector::complex(&tau)?,
        false => Vector::real(&tau)?,
    };
    if a.tensor().numel() == 0 {
        return Ok(result);
    }
    let work = Work::of(a, true)?;
    for first in (0..k).step_by(PANEL) {
        let past = k.min(first + PANEL);
        let panel = work.matrix.block(first..m, first..past)?;
        factor(op, &panel, &tau, k, first)?;
        if past < n {
            let t = triangle(op, &panel, &tau, k, first)?;
            let rest = work.matrix.block(first..m, past..n)?;
            reflect(Side::Left, true, &panel, &t, &rest)?;
        }
    }
    work.finish()?;
    Ok(result)
}

/// `C = Q · C`, `Qᴴ · C`, or from the right; `a` and `tau` are what [`geqrf`] made, Q's reflectors A's first columns, as
/// many as there are `tau`. Of real matrices, [`Trans::Transposed`] means what [`Trans::Conjugated`] does.
///
/// # Errors
/// [`Error::Shape`] where A, tau and C do not fit, [`Error::Dtype`], [`Error::Value`] where complex matrices are to
/// be transposed and not conjugated, [`Error::Backend`].
pub fn ormqr(side: Side, trans: Trans, a: &Matrix, tau: &Vector, c: &Matrix) -> Result<()> {
    let op = "ormqr";
    let (length, rule) = match side {
        Side::Left => (c.m(), "A has as many rows as C"),
        Side::Right => (c.n(), "A has as many rows as C has columns"),
    };
    fits(op, a, tau, c)?;
    if a.m() != length || tau.n() > a.m() {
        let shapes = [a, c].map(|x| x.tensor().shape());
        return Err(Error::shape(op, shapes, rule));
    }
    if trans == Trans::Transposed && c.is_complex() {
        let why = "complex matrices are conjugated too (trans is `Conjugated`), or not transposed";
        return Err(Error::value(op, why));
    }
    let adjoint = trans != Trans::No;
    if c.tensor().numel() == 0 {
        return Ok(());
    }
    crate::overlap::apart(op, ("C", c.tensor()), &[("A", a.tensor())])?;
    let forward = adjoint == (side == Side::Left);
    each_panel(op, a, tau, forward, |first, panel, t| {
        let part = match side {
            Side::Left => c.block(first..c.m(), 0..c.n())?,
            Side::Right => c.block(0..c.m(), first..c.n())?,
        };
        reflect(side, adjoint, panel, t, &part)
    })
}

/// The first n columns of Q, which overwrite A: m × n with n ≤ m, as [`geqrf`] left it (or its first columns). Complex
/// matrices are LAPACK's ungqr.
///
/// # Errors
/// [`Error::Shape`] where there are more columns than rows or more `tau` than columns, [`Error::Dtype`],
/// [`Error::Backend`].
pub fn orgqr(a: &Matrix, tau: &Vector) -> Result<()> {
    let op = "orgqr";
    fits(op, a, tau, a)?;
    let (m, n) = (a.m(), a.n());
    if n > m {
        let why = "Q has no more columns than rows";
        return Err(Error::shape(op, [a.tensor().shape()], why));
    }
    if a.tensor().numel() == 0 {
        return Ok(());
    }
    crate::overlap::apart(op, ("A", a.tensor()), &[("tau", tau.tensor())])?;
    let q = identity(a, [m, n])?;
    // Columns before a panel's are still those of the identity, and zero where its reflectors are not.
    each_panel(op, a, tau, false, |first, panel, t| {
        reflect(Side::Left, false, panel, t, &q.block(first..m, first..n)?)
    })?;
    q.tensor().expr().eval_into(a.tensor())
}

fn fits(op: &str, a: &Matrix, tau: &Vector, c: &Matrix) -> Result<()> {
    check(op, a)?;
    let shapes = || [a.tensor(), tau.tensor(), c.tensor()].map(|t| t.shape());
    if a.batch() != c.batch() || a.batch() != tau.batch() {
        return Err(Error::shape(op, shapes(), "the batches are not the same"));
    }
    if tau.n() > a.n() {
        let why = "A has a column for each element of tau";
        return Err(Error::shape(op, shapes(), why));
    }
    let alike = |dtype, complex| (dtype, complex) == (a.dtype(), a.is_complex());
    if !alike(tau.dtype(), tau.is_complex()) || !alike(c.dtype(), c.is_complex()) {
        let why = "they are of one float dtype, and all real or all complex";
        return Err(Error::dtype(op, [a.dtype(), tau.dtype(), c.dtype()], why));
    }
    Ok(())
}

/// The panels of reflectors and their triangles, from the first or from the last.
fn each_panel(
    op: &'static str,
    a: &Matrix,
    tau: &Vector,
    forward: bool,
    f: impl Fn(usize, &Matrix, &Matrix) -> Result<()>,
) -> Result<()> {
    let (m, k) = (a.m(), tau.n());
    let tau = tau.tensor().contiguous()?;
    let mut firsts: Vec<usize> = (0..k).step_by(PANEL).collect();
    if !forward {
        firsts.reverse();
    }
    for first in firsts {
        let panel = a.block(first..m, first..k.min(first + PANEL))?;
        f(first, &panel, &triangle(op, &panel, &tau, k, first)?)?;
    }
    Ok(())
}

/// The reflectors of a panel as a matrix.
fn reflectors(panel: &Matrix) -> Operand {
    panel.with(Form::Triangular(Uplo::Lower, Diag::Unit))
}

/// C becomes `(I - V · T · Vᴴ) · C`, with Tᴴ for T where it is `adjoint`; or from the right.
fn reflect(side: Side, adjoint: bool, panel: &Matrix, t: &Matrix, c: &Matrix) -> Result<()> {
    let v = reflectors(panel);
    let t = if adjoint { t.h() } else { t.into() };
    let nb = panel.n();
    let none = Complex64::ZERO;
    let shape = match side {
        Side::Left => [nb, c.n()],
        Side::Right => [c.m(), nb],
    };
    let (first, second) = (fresh(c, shape)?, fresh(c, shape)?);
    match side {
        Side::Left => {
            gemm(ONE, v.h(), c, none, &first)?;
            gemm(ONE, t, &first, none, &second)?;
            gemm(-ONE, v, &second, ONE, c)
        }
        Side::Right => {
            gemm(ONE, c, &v, none, &first)?;
            gemm(ONE, &first, t, none, &second)?;
            gemm(-ONE, &second, v.h(), ONE, c)
        }
    }
}

/// A matrix of another size, whose elements are undefined.
fn fresh(like: &Matrix, [m, n]: [usize; 2]) -> Result<Matrix> {
    let pair = &[2][..usize::from(like.is_complex())];
    let shape = [like.batch(), &[m, n], pair].concat();
    let tensor = Tensor::empty(like.tensor().context(), like.dtype(), &shape)?;
    Matrix::like(like, &tensor)
}

/// T of a panel whose first column is column `first` of `k`.
fn triangle(
    op: &'static str,
    panel: &Matrix,
    tau: &Tensor,
    k: usize,
    first: usize,
) -> Result<Matrix> {
    let nb = panel.n();
    let (gram, t) = (fresh(panel, [nb, nb])?, fresh(panel, [nb, nb])?);
    let v = reflectors(panel);
    gemm(ONE, v.h(), v, Complex64::ZERO, &gram)?;
    let parts = if panel.is_complex() { 2 } else { 1 };
    let kernel = Kernel {
        op,
        name: "qr_triangle",
        a: &t,
        outs: &[],
        ins: &[gram.tensor(), tau],
        scalars: &[
            ("first", (first * parts) as u64),
            ("taus", (k * parts) as u64),
        ],
    };
    kernel.by_part(nb, row_of_triangle)?;
    Ok(t)
}

/// Row `i` of T, which takes nothing but itself, what V's columns have in common, and tau:
/// `T[i, j] = -tauⱼ · Σ over l of T[i, l] · (vₗᴴ · vⱼ)`.
fn row_of_triangle(b: &mut Builder, p: &Panel<'_>, matrix: Value, i: Value) {
    let io = p.io;
    let (zero, one, n) = (io.x.int(b, 0), io.x.int(b, 1), io.p("n"));
    let parts = io.x.int(b, p.parts.into());
    let none = b.float(p.kind.x(p.parts), 0.0);
    let taus = b.mul(matrix, io.p("taus"));
    let taus = b.add(taus, io.p("first"));
    let tau = |b: &mut Builder, j: Value| {
        let at = io.x.step(b, taus, j, parts);
        io.load_lanes(b, 1, at, p.parts)
    };
    let place = |b: &mut Builder, j: Value| {
        let column = p.column(b, j);
        p.down(b, column, i)
    };
    let squares = b.mul(n, n);
    let squares = b.mul(squares, parts);
    let gram = b.mul(matrix, squares);
    b.for_(zero, i, one, false, |b, j| {
        let at = place(b, j);
        p.store(b, at, none);
    });
    let (at, own) = (place(b, i), tau(b, i));
    p.store(b, at, own);
    let next = b.add(i, one);
    b.for_(next, n, one, false, |b, j| {
        let sum = b.var(none);
        b.for_(i, j, one, false, |b, l| {
            let at = place(b, l);
            let x = p.load(b, at, 1);
            let at = io.x.step(b, j, l, n);
            let at = io.x.step(b, gram, at, parts);
            let by = io.load_lanes(b, 0, at, p.parts);
            let by = p.number_of(b, by);
            let before = b.get(sum);
            let after = p.add_product(b, before, x, by);
            b.set(sum, after);
        });
        let factor = tau(b, j);
        let factor = p.number_of(b, factor).neg(b);
        let sum = b.get(sum);
        let value = p.add_product(b, none, sum, factor);
        let at = place(b, j);
        p.store(b, at, value);
    });
}
