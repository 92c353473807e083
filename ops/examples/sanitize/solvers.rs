//! Factorisations: kernels of panels, which share rows out among the items of a group and meet at barriers.

use crate::Outcome;
use crate::cases::{Suite, data};
use suanzi_backends::Context;
use suanzi_blas::solve::{self, Trans};
use suanzi_blas::{Matrix, Side, Uplo};
use suanzi_ops::{Result, Scalar, Tensor, ops};

/// A matrix, or some, with a large diagonal, column by column.
fn dominant(ctx: &Context, shape: &[usize]) -> Result<Matrix> {
    let complex = shape.last() == Some(&2);
    let a = data(ctx, Scalar::F32, shape)?;
    let lying = match complex {
        true => Matrix::complex(&a)?,
        false => Matrix::real(&a)?,
    }
    .t();
    let t = lying.tensor();
    let first = t.shape().len() as i64 - 2 - i64::from(complex);
    let at = |axis| suanzi_ops::Expr::position(ctx, t.shape(), axis);
    let diagonal = ops::eq(at(first)?, at(first + 1)?)?;
    ops::where_(diagonal, 64.0, t)?
        .eval()?
        .expr()
        .eval_into(t)?;
    Ok(lying)
}

/// Panels that fill no group, one and several; more than one panel; batches; pairs.
pub fn solvers(suite: &mut Suite) -> Outcome<()> {
    for shape in [
        &[1usize, 1][..],
        &[5, 9],
        &[33, 33],
        &[9, 300],
        &[66, 66],
        &[3, 7, 7],
        &[2, 6, 5, 2],
    ] {
        let copied = |of: &Matrix, more: &[&Tensor]| -> Result<Vec<Tensor>> {
            let mut all = vec![of.tensor().clone()];
            all.extend(more.iter().map(|&t| t.clone()));
            Ok(all)
        };
        suite.compared(false, &format!("getrf {shape:?}"), |ctx| {
            let a = dominant(ctx, shape)?;
            let lu = solve::getrf(&a)?;
            copied(&a, &[&lu.pivots, &lu.info])
        })?;
        suite.compared(false, &format!("geqrf {shape:?}"), |ctx| {
            let a = dominant(ctx, shape)?;
            let tau = solve::geqrf(&a)?;
            copied(&a, &[tau.tensor()])
        })?;
        suite.compared(false, &format!("ormqr {shape:?}"), |ctx| {
            let (a, c) = (dominant(ctx, shape)?, dominant(ctx, shape)?);
            let tau = solve::geqrf(&a)?;
            let k = a.m().min(a.n());
            let reflectors = a.block(0..a.m(), 0..k)?;
            solve::ormqr(Side::Left, Trans::Conjugated, &reflectors, &tau, &c)?;
            copied(&c, &[])
        })?;
    }
    for n in [5, 40, 66] {
        suite.compared(false, &format!("potrf {n}"), |ctx| {
            let a = dominant(ctx, &[n, n])?;
            let info = solve::potrf(Uplo::Lower, &a)?;
            Ok(vec![a.tensor().clone(), info])
        })?;
    }
    Ok(())
}
