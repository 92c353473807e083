//! Cholesky's factorisation.

use super::panel::{Kernel, Number, Panel, STRIP, TOGETHER, Work, check, is_cpu, is_panel, zeros};
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
    if is_panel(a) {
        // Rows are walked: a transposed matrix is better copied than walked across.
        let work = Work::of(a, is_cpu(a))?;
        Kernel {
            op,
            name: "cholesky_panel",
            a: &work.matrix,
            outs: &[info],
            ins: &[],
            scalars: &[("first", first as u64)],
        }
        .by_matrix(panel)?;
        return work.finish();
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
    let n = p.io.p("n");
    let start = p.io.x.int(b, 0);
    p.groups(b, [start, n], STRIP, |b, first, count| {
        let (one, width) = (p.io.x.int(b, 1), p.io.x.int(b, count));
        let past = b.add(first, width);
        b.for_(first, past, one, false, |b, j| {
            divide(b, p, matrix, j);
            let column = p.column(b, j);
            let next = b.add(j, one);
            b.for_(next, past, one, false, |b, c| {
                let target = (p.column(b, c), vec![factor_of(b, p, column, c)]);
                p.eliminate(b, &[column], &[target], [c, n]);
            });
            p.meet(b);
        });
        let sources: Vec<Value> = p.columns(b, first, count).iter().map(|c| c.1).collect();
        p.groups(b, [past, n], TOGETHER, |b, c, count| {
            let targets: Vec<(Value, (Value, Vec<Number>))> = p
                .columns(b, c, count)
                .into_iter()
                .map(|(number, column)| {
                    let factors = sources.iter().map(|&s| factor_of(b, p, s, number));
                    (number, (column, factors.collect()))
                })
                .collect();
            // The group's own triangle, then all rows below.
            let width = p.io.x.int(b, count);
            let below = b.add(c, width);
            for (number, target) in &targets {
                let target = std::slice::from_ref(target);
                p.eliminate(b, &sources, target, [*number, below]);
            }
            let targets: Vec<_> = targets.into_iter().map(|t| t.1).collect();
            p.eliminate(b, &sources, &targets, [below, n]);
        });
        p.meet(b);
    });
}

/// What a column is multiplied by for column `c`.
fn factor_of(b: &mut Builder, p: &Panel<'_>, column: Value, c: Value) -> Number {
    let at = p.down(b, column, c);
    p.number(b, at).conj(b).neg(b)
}

/// Column `j` by the root of its pivot.
fn divide(b: &mut Builder, p: &Panel<'_>, matrix: Value, j: Value) {
    let io = p.io;
    let (n, one) = (io.p("n"), io.x.int(b, 1));
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
        let root = p.compose(b, Number { re: root, im });
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
    p.spans(b, below, n, |b, span| {
        let at = p.down(b, column, span.first);
        let old = p.load(b, at, span.rows);
        let root = b.splat(root, span.rows * p.parts);
        let new = b.bin(BinOp::Div, old, root);
        p.put(b, span, at, old, new);
    });
    p.meet(b);
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
