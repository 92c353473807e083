//! Rows of factorisations and of what solves with them.
//!
//! Factors are compared with a reference's, so inputs have but one answer: A is an example's first operand plus
//! something so large in one row of each column that it is the pivot whatever is rounded. Further attributes:
//!
//! | attribute | |
//! |---|---|
//! | `free` | 1: A is the operand as it is |
//! | `zero` | A has a column of zeros, this one; of potrf the element on the diagonal is negative |
//! | `trans` | `t`, `h`: the system of A transposed |
//! | `info` | 1: only `info` is looked at |
//! | `k` | reflectors, if not as many as columns |

use super::{Given, SINGLE_DOUBLE, complex, lay, uplo};
use crate::matrix::{Matrix, Side, Uplo};
use crate::reference::{Dense, factor, qr};
use crate::solve::{self, Trans};
use crate::vector::Vector;
use crate::{Error, Result};
use suanzi_ops::table::call::{Array, Attrs, Call};
use suanzi_ops::table::{Kind, Limit, Row};
use suanzi_ops::{Expr, Num, Scalar, Tensor, ops};

/// How A becomes what it should be.
#[derive(Clone, Copy, PartialEq)]
enum Input {
    /// The largest elements of columns are known.
    Dominant,
    /// Hermitian and positive definite.
    Definite,
    /// Reflectors below the diagonal: the operand as it is.
    Reflectors,
}

type Run = fn(&[Matrix], &Attrs) -> Result<Vec<Tensor>>;

macro_rules! rows {
    ($($name:literal, $doc:literal, $input:expr, $examples:expr, $run:expr, $reference:expr;)*) => {
        /// One row for each routine.
        pub(super) const ROWS: &[&Row] = &[$(&Row {
            name: $name,
            doc: $doc,
            dtypes: SINGLE_DOUBLE,
            kind: Kind::Call(Call {
                examples: $examples,
                creates: false,
                run: |_, x, a| run(x, a, $input, $run),
                reference: |x, a| {
                    let given = Given::new(x, a)?;
                    let first = prepared(&given, $input);
                    $reference(&given, first)
                },
            }),
            limit: |_| Limit::Sum(1.0),
        }),*];
    };
}

rows! {
    "blas_potrf", "A = L · Lᴴ or Uᴴ · U, A Hermitian and positive definite; where it is not, info says so.", Input::Definite, POTRF,
        |x, a| {
            let info = solve::potrf(uplo(a), &x[0])?;
            Ok(if a.flag("info") { vec![info] } else { vec![x[0].tensor().clone(), info] })
        },
        |g: &Given, a: Dense| {
            let a = a.square()?;
            let (factor, info) = match g.uplo {
                Uplo::Lower => factor::cholesky(&a),
                Uplo::Upper => {
                    let (factor, info) = factor::cholesky(&a.t());
                    (factor.t(), info)
                }
            };
            let info = whole(g, &[], info);
            Some(if g.attrs.flag("info") { vec![info] } else { vec![factor.array(&g.x[0]), info] })
        };
    "blas_potrs", "X of A · X = B by Cholesky's factors.", Input::Definite, POTRS,
        |x, a| {
            let info = solve::potrf(uplo(a), &x[0])?;
            solve::potrs(uplo(a), &x[0], &x[1])?;
            Ok(vec![x[1].tensor().clone(), info])
        },
        |g: &Given, a: Dense| {
            let a = a.square()?;
            let b = like(g, &a)?;
            let lower = match g.uplo {
                Uplo::Lower => a,
                Uplo::Upper => a.h(),
            };
            let (l, info) = factor::cholesky(&lower);
            Some(vec![factor::solve_cholesky(&l, &b).array(&g.x[1]), whole(g, &[], info)])
        };
    "blas_getrf", "A = P · L · U with partial pivoting; pivots and info as LAPACK's.", Input::Dominant, GETRF,
        |x, _| {
            let lu = solve::getrf(&x[0])?;
            Ok(vec![x[0].tensor().clone(), lu.pivots, lu.info])
        },
        |g: &Given, a: Dense| {
            let k = a.m().min(a.n());
            let lu = factor::lu(&a);
            Some(vec![lu.packed.array(&g.x[0]), whole(g, &[k], lu.pivots), whole(g, &[], lu.info)])
        };
    "blas_getrs", "X of A · X = B, or of A transposed, by LU.", Input::Dominant, GETRS,
        |x, a| {
            let lu = solve::getrf(&x[0])?;
            solve::getrs(trans(a), &x[0], &lu.pivots, &x[1])?;
            Ok(vec![x[1].tensor().clone()])
        },
        |g: &Given, a: Dense| {
            let a = a.square()?;
            let b = like(g, &a)?;
            let x = match trans(g.attrs) {
                Trans::No => factor::solve_lu(&factor::lu(&a), false, &b),
                Trans::Transposed => factor::solve_lu(&factor::lu(&a), true, &b),
                // conj(A)ᵀ · X = B
                Trans::Conjugated => {
                    let conj = factor::solve_lu(&factor::lu(&a), true, &b.h().t());
                    conj.h().t()
                }
            };
            Some(vec![x.array(&g.x[1])])
        };
    "blas_getri", "The inverse of A by LU.", Input::Dominant, GETRI,
        |x, _| {
            let lu = solve::getrf(&x[0])?;
            solve::getri(&x[0], &lu.pivots)?;
            Ok(vec![x[0].tensor().clone()])
        },
        |g: &Given, a: Dense| {
            let a = a.square()?;
            let x = factor::solve_lu(&factor::lu(&a), false, &a.identity(a.n()));
            Some(vec![x.array(&g.x[0])])
        };
    "blas_geqrf", "A = Q · R: R, and the first columns of Q.", Input::Definite, GEQRF,
        |x, _| {
            let a = &x[0];
            let tau = solve::geqrf(a)?;
            let q = a.block(0..a.m(), 0..a.m().min(a.n()))?;
            let q = Matrix::like(a, &ops::copy(q.tensor())?.eval()?)?;
            solve::orgqr(&q, &tau)?;
            Ok(vec![upper(a)?, q.tensor().clone()])
        },
        |g: &Given, a: Dense| {
            let [r, q] = qr::qr(&a);
            let pairs = &[2][..usize::from(a.is_complex())];
            let rank = g.x[0].shape.len() - 2 - pairs.len();
            let shape = [&g.x[0].shape[..rank], &[q.m(), q.n()], pairs].concat();
            let like = Array::new(g.x[0].dtype, &shape, vec![]);
            Some(vec![r.array(&g.x[0]), q.array(&like)])
        };
    "blas_ormqr", "Q · C, Qᴴ · C, C · Q or C · Qᴴ, Q being a product of reflectors.", Input::Reflectors, ORMQR,
        |x, a| {
            let tau = taus(&x[0], a)?;
            solve::ormqr(super::side(a), trans(a), &x[0], &tau, &x[1])?;
            Ok(vec![x[1].tensor().clone()])
        },
        |g: &Given, a: Dense| {
            let c = g.dense(1);
            let side = super::side(g.attrs);
            let length = if side == Side::Left { c.m() } else { c.n() };
            let transposed = trans(g.attrs) == Trans::Transposed && a.is_complex();
            (a.m() == length && a.n() <= length && a.fits(&c) && !transposed).then_some(())?;
            let taus = qr::unitary(&a, a.n(), g.x[0].dtype == Scalar::F32);
            let x = qr::reflected(&a, &taus, side, trans(g.attrs) != Trans::No, &c);
            Some(vec![x.array(&g.x[1])])
        };
    "blas_orgqr", "The first columns of a product of reflectors.", Input::Reflectors, ORGQR,
        |x, a| {
            solve::orgqr(&x[0], &taus(&x[0], a)?)?;
            Ok(vec![x[0].tensor().clone()])
        },
        |g: &Given, a: Dense| {
            let k = g.attrs.int("k", a.n() as i64) as usize;
            (a.n() <= a.m() && k <= a.n()).then_some(())?;
            let taus = qr::unitary(&a, k, g.x[0].dtype == Scalar::F32);
            let q = qr::reflected(&a, &taus, Side::Left, false, &a.identity_of(a.m(), a.n()));
            Some(vec![q.array(&g.x[0])])
        };
}

/// R of what a factorisation left: zeros below the diagonal.
fn upper(a: &Matrix) -> Result<Tensor> {
    let t = a.tensor();
    let at = |axis: usize| Expr::position(t.context(), t.shape(), axis as i64);
    let below = ops::gt(at(a.nb())?, at(a.nb() + 1)?)?;
    ops::where_(below, 0.0, t)?.eval()
}

/// Factors of reflectors, of as many as `k` says or there are columns: what [`qr::unitary`] says.
fn taus(a: &Matrix, attrs: &Attrs) -> Result<Vector> {
    let t = a.tensor();
    let single = a.dtype() == Scalar::F32;
    let values: Vec<f64> = match single {
        true => t.to_vec::<f32>()?.into_iter().map(f64::from).collect(),
        false => t.to_vec::<f64>()?,
    };
    let values = values.into_iter().map(Num::Float).collect();
    let dense = Dense::of(&Array::new(a.dtype(), t.shape(), values), a.is_complex());
    let k = attrs.int("k", a.n() as i64) as usize;
    let parts = if a.is_complex() { 2 } else { 1 };
    let taus: Vec<f64> = qr::unitary(&dense, k, single)
        .into_iter()
        .flat_map(|x| x.rounded().into_iter().take(parts))
        .collect();
    let shape = [a.batch(), &[k], &[2][..parts - 1]].concat();
    let tensor = match single {
        true => {
            let taus: Vec<f32> = taus.into_iter().map(|x| x as f32).collect();
            Tensor::from_slice(t.context(), &shape, &taus)?
        }
        false => Tensor::from_slice(t.context(), &shape, &taus)?,
    };
    match a.is_complex() {
        true => Vector::complex(&tensor),
        false => Vector::real(&tensor),
    }
}

/// Whole numbers for each matrix.
fn whole(g: &Given, more: &[usize], values: Vec<usize>) -> Array {
    let rank = g.x[0].shape.len();
    let pairs = usize::from(complex(rank, g.x[0].shape.last()));
    let shape = [&g.x[0].shape[..rank - 2 - pairs], more].concat();
    let values = values.into_iter().map(|v| Num::Int(v as i128));
    Array::new(Scalar::I32, &shape, values.collect())
}

/// B, if it goes with A.
fn like(g: &Given, a: &Dense) -> Option<Dense> {
    (g.x.len() == 2)
        .then(|| g.dense(1))
        .filter(|b| b.m() == a.n() && b.fits(a))
}

fn trans(a: &Attrs) -> Trans {
    match a.text("trans", "n") {
        "t" => Trans::Transposed,
        "h" => Trans::Conjugated,
        _ => Trans::No,
    }
}

/// What an element of A is multiplied by, and what is added to its parts.
fn change(input: Input, a: &Attrs, [m, n]: [usize; 2], i: usize, j: usize) -> [f64; 3] {
    let keep = [1.0, 0.0, 0.0];
    if a.flag("free") || input == Input::Reflectors {
        return keep;
    }
    let large = (4 * m.max(n) + 4) as f64;
    let zero = a.int("zero", -1) == j as i64;
    match input {
        Input::Definite if i != j => keep,
        Input::Definite if zero => [1.0, -large, 0.0],
        Input::Definite => [1.0, large, 0.0],
        Input::Dominant if zero => [0.0; 3],
        Input::Dominant if j >= m || i != (j + m / 3 + 1) % m => keep,
        // Of either sign, real or not.
        Input::Dominant => match j % 4 {
            0 => [1.0, large, 0.0],
            1 => [1.0, -large, large],
            2 => [1.0, -large, 0.0],
            _ => [1.0, large, -large],
        },
        Input::Reflectors => keep,
    }
}

fn prepared(g: &Given, input: Input) -> Dense {
    let a = g.dense(0);
    let (m, n) = (a.m(), a.n());
    let single = g.x[0].dtype == Scalar::F32;
    a.rounded(single, |i, j| change(input, g.attrs, [m, n], i, j))
}

/// Runs a routine on operands that lie as the example says.
fn run(x: &[Tensor], a: &Attrs, input: Input, routine: Run) -> Result<Vec<Tensor>> {
    let mut orders = a.text("order", "").chars();
    let mut matrices = vec![];
    for (i, t) in x.iter().enumerate() {
        let pairs = complex(t.shape().len(), t.shape().last());
        let t = match i {
            0 => changed(t, a, input, pairs)?,
            _ => t.clone(),
        };
        let lying = lay(&t, pairs, orders.next().unwrap_or('r'))?;
        matrices.push(match pairs {
            true => Matrix::complex(&lying)?,
            false => Matrix::real(&lying)?,
        });
    }
    routine(&matrices, a)
}

/// The first operand as A.
fn changed(t: &Tensor, a: &Attrs, input: Input, pairs: bool) -> Result<Tensor> {
    let parts = if pairs { 2 } else { 1 };
    let shape = &t.shape()[t.shape().len() - 1 - parts..];
    let (m, n) = (shape[0], shape[1]);
    let [mut keep, mut add] = [vec![], vec![]];
    for i in 0..m {
        for j in 0..n {
            let [by, re, im] = change(input, a, [m, n], i, j);
            keep.extend([by, by].into_iter().take(parts));
            add.extend([re, im].into_iter().take(parts));
        }
    }
    let tensor = |values: Vec<f64>| match t.dtype() {
        Scalar::F64 => Tensor::from_slice(t.context(), shape, &values),
        Scalar::F32 => {
            let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
            Tensor::from_slice(t.context(), shape, &values)
        }
        other => Err(Error::dtype("solve", [other], "it takes f32 and f64")),
    };
    let (keep, add) = (tensor(keep)?, tensor(add)?);
    ops::add(ops::mul(t, &keep)?, &add)?.eval()
}

const POTRF: &[&str] = &[
    "5x5@x=unit,uplo=l",
    "1x1@x=unit,uplo=u,order=c",
    "33x33@x=unit,uplo=u,order=c",
    "64x64@x=unit,uplo=l,order=c",
    "65x65@x=unit,uplo=l,order=w",
    "131x131@x=unit,uplo=u,order=r",
    "131x131@x=unit,uplo=l,order=c",
    "200x200@x=unit,uplo=l,order=b",
    "5x5x2@x=unit,uplo=u",
    "33x33x2@x=unit,uplo=l,order=c",
    "65x65x2@x=unit,uplo=u,order=c",
    "131x131x2@x=unit,uplo=l",
    "7x9x9@x=unit,uplo=l",
    "2x3x5x5x2@x=unit,uplo=u,order=c",
    "3x70x70@x=unit,uplo=u,order=c",
    "5x5@x=unit,zero=3,info=1,uplo=l",
    "131x131@x=unit,zero=100,info=1,uplo=l,order=c",
    "2x9x9x2@x=unit,zero=0,info=1,uplo=u",
    "0x0@uplo=l",
    "5x4@uplo=l",
];

const POTRS: &[&str] = &[
    "5x5@T:5x3:unit,x=unit,uplo=l",
    "33x33@T:33x1:unit,x=unit,uplo=u,order=cc",
    "131x131@T:131x9:unit,x=unit,uplo=l,order=cr",
    "65x65x2@T:65x5x2:unit,x=unit,uplo=u,order=rw",
    "9x9x2@T:9x5x2:unit,x=unit,uplo=l",
    "4x7x7@T:4x7x2:unit,x=unit,uplo=u",
    "5x5@T:4x3,uplo=l",
];

const GETRF: &[&str] = &[
    "5x5@x=unit",
    "1x1@x=unit,order=c",
    "33x33@x=unit,order=c",
    "64x64@x=unit,order=c",
    "65x65@x=unit,order=c",
    "131x131@x=unit,order=r",
    "131x131@x=unit,order=c",
    "200x200@x=unit,order=w",
    "70x9@x=unit,order=b",
    "9x70@x=unit,order=c",
    "131x70@x=unit,order=c",
    "70x200@x=unit,order=c",
    "5x5x2@x=unit",
    "33x17x2@x=unit,order=c",
    "65x65x2@x=unit,order=c",
    "131x140x2@x=unit",
    "7x9x9@x=unit",
    "2x3x5x7x2@x=unit,order=c",
    "3x70x66@x=unit,order=c",
    "9x9@x=unit,free=1",
    "40x40@x=unit,free=1,order=c",
    "7x7x2@x=unit,free=1,order=c",
    "5x5@x=unit,zero=2",
    "131x131@x=unit,zero=90,order=c",
    "9x9x2@x=unit,zero=0,order=c",
    "0x4",
    "4x0@order=c",
];

const GETRS: &[&str] = &[
    "5x5@T:5x3:unit,x=unit",
    "33x33@T:33x1:unit,x=unit,order=cc",
    "131x131@T:131x9:unit,x=unit,trans=t,order=cr",
    "65x65x2@T:65x5x2:unit,x=unit,trans=h,order=rw",
    "9x9x2@T:9x5x2:unit,x=unit,trans=t",
    "131x131x2@T:131x3x2:unit,x=unit,order=cc",
    "4x7x7@T:4x7x2:unit,x=unit,trans=t",
    "2x3x7x7@T:2x3x7x2:unit,x=unit,order=rc",
    "9x9@T:9x4:unit,x=unit,free=1",
    "5x5@T:4x3",
    "5x4@T:5x3",
];

const GETRI: &[&str] = &[
    "5x5@x=unit",
    "33x33@x=unit,order=c",
    "131x131@x=unit,order=w",
    "65x65x2@x=unit,order=c",
    "4x7x7@x=unit",
    "5x4",
];

const GEQRF: &[&str] = &[
    "5x5@x=unit",
    "1x1@x=unit,free=1",
    "9x9@x=unit,free=1,order=c",
    "33x33@x=unit,order=c",
    "64x64@x=unit,order=c",
    "65x65@x=unit,order=c",
    "131x131@x=unit,order=r",
    "70x9@x=unit,order=b,free=1",
    "9x70@x=unit,order=c",
    "131x70@x=unit,order=c,free=1",
    "70x200@x=unit,order=w",
    "40x20@x=unit,free=1,order=c",
    "5x5x2@x=unit",
    "7x7x2@x=unit,free=1,order=c",
    "33x17x2@x=unit,free=1,order=c",
    "65x65x2@x=unit,order=c",
    "131x140x2@x=unit",
    "7x9x9@x=unit",
    "2x3x5x7x2@x=unit,order=c",
    "3x70x66@x=unit,order=c,free=1",
    "0x4",
    "4x0@order=c",
];

const ORMQR: &[&str] = &[
    "5x5@T:5x3:unit,x=unit",
    "33x17@T:33x9:unit,x=unit,trans=t,order=cc",
    "33x17@T:9x33:unit,x=unit,side=r,order=cr",
    "33x17@T:9x33:unit,x=unit,side=r,trans=h,order=wb",
    "131x70@T:131x9:unit,x=unit,order=cc",
    "131x70@T:131x9:unit,x=unit,trans=t,order=rw",
    "131x70@T:5x131:unit,x=unit,side=r,trans=t,order=cc",
    "131x70@T:5x131:unit,x=unit,side=r,order=bc",
    "9x5x2@T:9x4x2:unit,x=unit",
    "9x5x2@T:9x4x2:unit,x=unit,trans=h,order=cc",
    "9x5x2@T:4x9x2:unit,x=unit,side=r,order=wc",
    "70x66x2@T:4x70x2:unit,x=unit,side=r,trans=h,order=cr",
    "4x9x5@T:4x9x3:unit,x=unit,trans=t",
    "2x3x9x5x2@T:2x3x9x3x2:unit,x=unit,order=rc",
    "9x5x2@T:9x4x2:unit,x=unit,trans=t",
    "9x5@T:8x4:unit,x=unit",
];

const ORGQR: &[&str] = &[
    "5x5@x=unit",
    "33x17@x=unit,order=c",
    "131x70@x=unit,order=c",
    "70x66@x=unit,k=9,order=w",
    "9x5x2@x=unit",
    "70x66x2@x=unit,order=c",
    "4x9x5@x=unit,k=3",
    "5x9@x=unit",
];
