//! Cholesky's factorisation.

use super::panel::{Kernel, PANEL, Panel, Work, check, zeros};
use super::{fits, square};
use crate::level3::{herk, middle, trsm};
use crate::matrix::{Diag, Matrix, Side, Uplo};
use crate::{Result, level3::ONE};
use suanzi_codegen::ir::{BinOp, UnOp};
use suanzi_codegen::{Builder, Value};
use suanzi_ops::{Scalar, Tensor};

/// `A = L · Lᴴ` (lower) or `A = Uᴴ · U` (upper), where A is Hermitian and positive definite, or symmetric where
/// it is real. A triangle of A is read, and overwritten by that of the factor.
///
/// The result is `info`, i32 of the batch's shape: 0, or the order of the first leading block that is not
/// positive definite; the matrix then holds nothing of use.
///
/// # Errors
/// [`crate::Error::Shape`] where A is not square, [`crate::Error::Dtype`] where it is not f32 or f64,
/// [`crate::Error::Backend`].
pub fn potrf(uplo: Uplo, a: &Matrix) -> Result<Tensor> {
    let op = "potrf";
    check(op, a)?;
    square(op, a)?;
    let info = zeros(a, Scalar::I32, &[])?;
    if a.tensor().numel() == 0 {
        return Ok(info);
    }
    let work = Work::of(a, false)?;
    let lower = match uplo {
        Uplo::Lower => work.matrix.clone(),
        // The transposed matrix is the conjugated one, and so is its factor.
        Uplo::Upper => work.matrix.t(),
    };
    factor(op, &lower, &info, 0)?;
    work.finish()?;
    Ok(info)
}

/// `first` is the matrix's first row in the whole.
fn factor(op: &'static str, a: &Matrix, info: &Tensor, first: usize) -> Result<()> {
    let n = a.n();
    if n <= PANEL {
        return Kernel {
            op,
            name: "cholesky_panel",
            a,
            outs: &[info],
            ins: &[],
            scalars: &[("first", first as u64)],
        }
        .by_matrix(panel);
    }
    let half = middle(n);
    let corner = a.block(0..half, 0..half)?;
    let below = a.block(half..n, 0..half)?;
    let rest = a.block(half..n, half..n)?;
    factor(op, &corner, info, first)?;
    let upper = corner.h();
    trsm(
        Side::Right,
        Uplo::Upper,
        Diag::NonUnit,
        (ONE, upper),
        &below,
    )?;
    herk(Uplo::Lower, (-1.0, &below), (1.0, &rest))?;
    factor(op, &rest, info, first + half)
}

fn panel(b: &mut Builder, p: &Panel<'_>, matrix: Value) {
    let io = p.io;
    let n = io.p("n");
    let (start, one) = (io.x.int(b, 0), io.x.int(b, 1));
    b.for_(start, n, one, false, |b, j| {
        let column = p.column(b, j);
        let below = b.add(j, one);
        let at = p.down(b, column, j);
        let pivot = p.number(b, at).re;
        let zero = p.float(b, 0.0);
        let positive = b.bin(BinOp::Gt, pivot, zero);
        let root = b.un(UnOp::Sqrt, pivot);
        // All have the pivot before one writes its root.
        p.meet(b);
        p.once(b, |b| {
            let im = (p.parts == 2).then_some(zero);
            let root = p.compose(b, super::panel::Number { re: root, im });
            p.store(b, at, root);
            let old = io.load_out(b, 1, matrix, 1);
            let none = b.int(Scalar::I32, 0);
            let fine = b.bin(BinOp::Ne, old, none);
            let fine = b.bin(BinOp::Or, fine, positive);
            let order = b.add(io.p("first"), below);
            let order = p.position(b, order);
            let new = b.select(fine, old, order);
            io.store(b, 1, matrix, new);
        });
        p.rows(b, below, n, |b, i, rows| {
            let at = p.down(b, column, i);
            let x = p.load(b, at, rows);
            let root = b.splat(root, rows * p.parts);
            let x = b.bin(BinOp::Div, x, root);
            p.store(b, at, x);
        });
        p.meet(b);
        b.for_(below, n, one, false, |b, c| {
            let by = p.down(b, column, c);
            let by = p.number(b, by).conj(b).neg(b);
            let target = p.column(b, c);
            p.rows(b, c, n, |b, i, rows| {
                let at = p.down(b, column, i);
                let x = p.load(b, at, rows);
                let at = p.down(b, target, i);
                let old = p.load(b, at, rows);
                let new = p.add_product(b, old, x, by);
                p.store(b, at, new);
            });
        });
        p.meet(b);
    });
}

/// `X` of `A · X = B`, which overwrites B; `a` is what [`potrf`] made of A.
///
/// # Errors
/// [`crate::Error::Shape`] where A is not square or B does not fit, [`crate::Error::Dtype`],
/// [`crate::Error::Backend`].
pub fn potrs(uplo: Uplo, a: &Matrix, b: &Matrix) -> Result<()> {
    fits("potrs", a, b)?;
    let (lower, upper) = match uplo {
        Uplo::Lower => (a.into(), a.h()),
        Uplo::Upper => (a.h(), a.into()),
    };
    trsm(Side::Left, Uplo::Lower, Diag::NonUnit, (ONE, lower), b)?;
    trsm(Side::Left, Uplo::Upper, Diag::NonUnit, (ONE, upper), b)
}
