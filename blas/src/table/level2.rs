//! Rows of level 2. Vectors are matrices of one column.

use super::{Example, FLOATS, Given, SINGLE_DOUBLE, routines};
use crate::matrix::{Diag, Form, Operand};
use crate::reference::{Dense, Term, ZERO, sum};
use crate::{Result, level2};
use num_complex::Complex64;
use suanzi_ops::table::call::{Array, Call};
use suanzi_ops::table::{Kind, Limit, Row};

routines! {
    "blas_gemv", "y = alpha · A · x + beta · y.", FLOATS, GEMV,
        |x, _| level2::gemv(x.alpha, x.a("ta")?, &x.vector(1)?, x.beta, &x.vector(2)?),
        |g: &Given| g.product(g.a("ta"), g.dense(1), None);
    "blas_gbmv", "y = alpha · A · x + beta · y, A a band.", SINGLE_DOUBLE, GBMV,
        |x, _| level2::gemv(x.alpha, band(x)?, &x.vector(1)?, x.beta, &x.vector(2)?),
        |g: &Given| g.product(turned(g, band_of(g)?), g.dense(1), None);
    "blas_symv", "As gemv, A symmetric.", SINGLE_DOUBLE, SYMV,
        |x, _| level2::symv(x.uplo, (x.alpha, x.matrix(0)?), &x.vector(1)?, (x.beta, &x.vector(2)?)),
        |g: &Given| g.product(g.dense(0).square()?.mirrored(g.uplo, false), g.dense(1), None);
    "blas_hemv", "As gemv, A Hermitian.", SINGLE_DOUBLE, SYMV,
        |x, _| level2::hemv(x.uplo, (x.alpha, x.matrix(0)?), &x.vector(1)?, (x.beta, &x.vector(2)?)),
        |g: &Given| g.product(g.dense(0).square()?.mirrored(g.uplo, true), g.dense(1), None);
    "blas_sbmv", "As gemv, A symmetric, half of a band.", SINGLE_DOUBLE, SBMV,
        |x, _| level2::symv(x.uplo, (x.alpha, band(x)?), &x.vector(1)?, (x.beta, &x.vector(2)?)),
        |g: &Given| g.product(band_of(g)?.mirrored(g.uplo, false), g.dense(1), None);
    "blas_hbmv", "As gemv, A Hermitian, half of a band.", SINGLE_DOUBLE, SBMV,
        |x, _| level2::hemv(x.uplo, (x.alpha, band(x)?), &x.vector(1)?, (x.beta, &x.vector(2)?)),
        |g: &Given| g.product(band_of(g)?.mirrored(g.uplo, true), g.dense(1), None);
    "blas_spmv", "As gemv, A symmetric, packed.", SINGLE_DOUBLE, SPMV,
        |x, _| {
            let a = packed(x, Form::Symmetric(x.uplo))?;
            level2::symv(x.uplo, (x.alpha, a), &x.vector(1)?, (x.beta, &x.vector(2)?))
        },
        |g: &Given| g.product(packed_of(g)?.mirrored(g.uplo, false), g.dense(1), None);
    "blas_hpmv", "As gemv, A Hermitian, packed.", SINGLE_DOUBLE, SPMV,
        |x, _| {
            let a = packed(x, Form::Hermitian(x.uplo))?;
            level2::hemv(x.uplo, (x.alpha, a), &x.vector(1)?, (x.beta, &x.vector(2)?))
        },
        |g: &Given| g.product(packed_of(g)?.mirrored(g.uplo, true), g.dense(1), None);
    "blas_trmv", "x = A · x, A triangular.", SINGLE_DOUBLE, TRMV,
        |x, _| level2::trmv(x.uplo, x.diag, x.a("ta")?, &x.vector(1)?),
        |g: &Given| g.triangular(g.a("ta"), false);
    "blas_trsv", "x = A⁻¹ · x, A triangular.", SINGLE_DOUBLE, TRMV,
        |x, _| level2::trsv(x.uplo, x.diag, x.a("ta")?, &x.vector(1)?),
        |g: &Given| g.triangular(g.a("ta"), true);
    "blas_tbmv", "x = A · x, A triangular, a band.", SINGLE_DOUBLE, TBMV,
        |x, _| level2::trmv(x.uplo, x.diag, band(x)?, &x.vector(1)?),
        |g: &Given| g.triangular(turned(g, band_of(g)?), false);
    "blas_tbsv", "x = A⁻¹ · x, A triangular, a band.", SINGLE_DOUBLE, TBMV,
        |x, _| level2::trsv(x.uplo, x.diag, band(x)?, &x.vector(1)?),
        |g: &Given| g.triangular(turned(g, band_of(g)?), true);
    "blas_tpmv", "x = A · x, A triangular, packed.", SINGLE_DOUBLE, TPMV,
        |x, _| {
            let a = packed(x, Form::Triangular(x.uplo, Diag::NonUnit))?;
            level2::trmv(x.uplo, x.diag, a, &x.vector(1)?)
        },
        |g: &Given| g.triangular(packed_of(g)?, false);
    "blas_tpsv", "x = A⁻¹ · x, A triangular, packed.", SINGLE_DOUBLE, TPMV,
        |x, _| {
            let a = packed(x, Form::Triangular(x.uplo, Diag::NonUnit))?;
            level2::trsv(x.uplo, x.diag, a, &x.vector(1)?)
        },
        |g: &Given| g.triangular(packed_of(g)?, true);
    "blas_ger", "A = alpha · x · yᵀ + A.", SINGLE_DOUBLE, GER,
        |x, a| level2::ger(x.alpha, &x.vector(0)?, &x.vector(1)?, a),
        |g: &Given| g.product(g.dense(0), g.dense(1).t(), None);
    "blas_gerc", "A = alpha · x · yᴴ + A.", SINGLE_DOUBLE, GER,
        |x, a| level2::gerc(x.alpha, &x.vector(0)?, &x.vector(1)?, a),
        |g: &Given| g.product(g.dense(0), g.dense(1).h(), None);
    "blas_syr", "A = alpha · x · xᵀ + A, one triangle.", SINGLE_DOUBLE, SYR,
        |x, a| level2::syr(x.uplo, x.alpha, &x.vector(0)?, a),
        |g: &Given| g.product(g.dense(0), g.dense(0).t(), Some(g.uplo));
    "blas_her", "A = alpha · x · xᴴ + A, one triangle, its diagonal real.", SINGLE_DOUBLE, SYR,
        |x, a| level2::her(x.uplo, x.alpha.re, &x.vector(0)?, a),
        |g: &Given| g.hermitian(&[(Complex64::from(g.alpha.re), g.dense(0), g.dense(0).h())]);
    "blas_syr2", "A = alpha · (x · yᵀ + y · xᵀ) + A, one triangle.", SINGLE_DOUBLE, SYR2,
        |x, a| level2::syr2(x.uplo, x.alpha, &x.vector(0)?, &x.vector(1)?, a),
        |g: &Given| g.terms(&[
            (g.alpha, g.dense(0), g.dense(1).t()),
            (g.alpha, g.dense(1), g.dense(0).t()),
        ], Some(g.uplo));
    "blas_her2", "A = alpha · x · yᴴ + conj(alpha) · y · xᴴ + A, one triangle, its diagonal real.", SINGLE_DOUBLE, SYR2,
        |x, a| level2::her2(x.uplo, x.alpha, &x.vector(0)?, &x.vector(1)?, a),
        |g: &Given| g.hermitian(&[
            (g.alpha, g.dense(0), g.dense(1).h()),
            (g.alpha.conj(), g.dense(1), g.dense(0).h()),
        ]);
    "blas_spr", "A = alpha · x · xᵀ + A, packed.", SINGLE_DOUBLE, SPR,
        |x, a| level2::spr(x.uplo, x.alpha, &x.vector(0)?, &a.first_column()?),
        |g: &Given| updated(g, &[(g.alpha, g.dense(0), g.dense(0).t())], false);
    "blas_hpr", "A = alpha · x · xᴴ + A, packed, its diagonal real.", SINGLE_DOUBLE, SPR,
        |x, a| level2::hpr(x.uplo, x.alpha.re, &x.vector(0)?, &a.first_column()?),
        |g: &Given| updated(g, &[(Complex64::from(g.alpha.re), g.dense(0), g.dense(0).h())], true);
    "blas_spr2", "A = alpha · (x · yᵀ + y · xᵀ) + A, packed.", SINGLE_DOUBLE, SPR2,
        |x, a| level2::spr2(x.uplo, x.alpha, &x.vector(0)?, &x.vector(1)?, &a.first_column()?),
        |g: &Given| updated(g, &[
            (g.alpha, g.dense(0), g.dense(1).t()),
            (g.alpha, g.dense(1), g.dense(0).t()),
        ], false);
    "blas_hpr2", "A = alpha · x · yᴴ + conj(alpha) · y · xᴴ + A, packed, its diagonal real.", SINGLE_DOUBLE, SPR2,
        |x, a| level2::hpr2(x.uplo, x.alpha, &x.vector(0)?, &x.vector(1)?, &a.first_column()?),
        |g: &Given| updated(g, &[
            (g.alpha, g.dense(0), g.dense(1).h()),
            (g.alpha.conj(), g.dense(1), g.dense(0).h()),
        ], true);
}

const GEMV: &[&str] = &[
    "5x3@T:3x1:moderate,T:5x1:moderate,alpha=0.5,beta=2,x=moderate",
    "13x70@T:70x1:moderate,T:13x1:moderate,alpha=-1,beta=1,x=moderate,order=cwb",
    "70x13@T:70x1:moderate,T:13x1,alpha=2,ta=t,x=moderate,order=cbw",
    "70x13@T:70x1:moderate,T:13x1:moderate,beta=1,ta=t,x=moderate,order=wrr",
    "5x3@T:3x1,T:5x1:moderate,alpha=0,beta=0.5",
    "5x0@T:0x1,T:5x1:moderate,beta=2",
    "7x5x2@T:5x1x2:moderate,T:7x1x2:moderate,alpha=0.5;1,beta=2;-1,x=moderate",
    "5x7x2@T:5x1x2:moderate,T:7x1x2:moderate,alpha=1,beta=1,ta=h,x=moderate,order=cbw",
    "2x5x3@T:2x3x1:moderate,T:2x5x1:moderate,beta=1,x=moderate",
    "5x3@T:4x1,T:5x1",
];

const GBMV: &[&str] = &[
    "4x7@T:7x1:moderate,T:6x1:moderate,alpha=0.5,beta=2,m=6,kl=1,ku=2,x=moderate",
    "3x7@T:9x1:moderate,T:7x1:moderate,ta=t,m=9,kl=2,ku=0,x=moderate,order=cbw",
    "4x7x2@T:6x1x2:moderate,T:7x1x2:moderate,alpha=1;1,beta=1,ta=h,m=6,kl=2,ku=1,x=moderate",
    "3x5@T:5x1,T:5x1,m=5,kl=2,ku=2",
];

const SYMV: &[&str] = &[
    "7x7@T:7x1:moderate,T:7x1:moderate,alpha=0.5,beta=2,uplo=l,x=moderate",
    "33x33@T:33x1:moderate,T:33x1:moderate,beta=1,uplo=u,x=moderate,order=cwb",
    "9x9x2@T:9x1x2:moderate,T:9x1x2:moderate,alpha=1;-1,beta=1,uplo=l,x=moderate",
    "9x9x2@T:9x1x2:moderate,T:9x1x2,uplo=u,x=moderate,order=cbw",
    "7x6@T:6x1,T:7x1",
];

const SBMV: &[&str] = &[
    "3x7@T:7x1:moderate,T:7x1:moderate,alpha=0.5,beta=2,uplo=l,m=7,kl=2,ku=0,x=moderate",
    "3x7@T:7x1:moderate,T:7x1:moderate,beta=1,uplo=u,m=7,kl=0,ku=2,x=moderate,order=cbw",
    "4x9x2@T:9x1x2:moderate,T:9x1x2:moderate,alpha=1;1,beta=1,uplo=u,m=9,kl=0,ku=3,x=moderate",
    "4x9x2@T:9x1x2:moderate,T:9x1x2:moderate,uplo=l,m=9,kl=3,ku=0,x=moderate",
];

const SPMV: &[&str] = &[
    "28x1@T:7x1:moderate,T:7x1:moderate,alpha=0.5,beta=2,uplo=l,m=7,x=moderate",
    "28x1@T:7x1:moderate,T:7x1:moderate,uplo=u,m=7,x=moderate,order=wwb",
    "45x1x2@T:9x1x2:moderate,T:9x1x2:moderate,alpha=1;1,beta=1,uplo=u,m=9,x=moderate",
    "45x1x2@T:9x1x2:moderate,T:9x1x2:moderate,uplo=l,m=9,x=moderate",
    "27x1@T:7x1,T:7x1,m=7",
];

const TRMV: &[&str] = &[
    "7x7@T:7x1:moderate,uplo=l,x=near1",
    "70x70@T:70x1:moderate,uplo=u,x=near1,order=cb",
    "70x70@T:70x1:moderate,uplo=u,diag=u,ta=t,x=near1,order=rw",
    "9x9x2@T:9x1x2:moderate,uplo=l,x=near1",
    "9x9x2@T:9x1x2:moderate,uplo=u,ta=h,x=near1",
];

const TBMV: &[&str] = &[
    "3x7@T:7x1:moderate,uplo=l,m=7,kl=2,ku=0,x=near1",
    "3x7@T:7x1:moderate,uplo=u,diag=u,m=7,kl=0,ku=2,x=near1,order=cb",
    "3x7@T:7x1:moderate,uplo=u,ta=t,m=7,kl=2,ku=0,x=near1",
    "4x9x2@T:9x1x2:moderate,uplo=l,ta=h,m=9,kl=0,ku=3,x=near1",
];

const TPMV: &[&str] = &[
    "28x1@T:7x1:moderate,uplo=l,m=7,x=near1",
    "28x1@T:7x1:moderate,uplo=u,diag=u,m=7,x=near1,order=wb",
    "45x1x2@T:9x1x2:moderate,uplo=u,m=9,x=near1",
];

const GER: &[&str] = &[
    "7x1@T:5x1:moderate,T:7x5:moderate,alpha=0.5,beta=1,x=moderate",
    "33x1@T:70x1:moderate,T:33x70:moderate,alpha=-1,beta=1,x=moderate,order=bwc",
    "7x1x2@T:5x1x2:moderate,T:7x5x2:moderate,alpha=0.5;1,beta=1,x=moderate",
    "7x1x2@T:5x1x2:moderate,T:7x5x2:moderate,alpha=1,beta=1,x=moderate,order=wbc",
    "7x1@T:5x1,T:7x5:moderate,alpha=0,beta=1",
    "2x7x1@T:2x5x1:moderate,T:2x7x5:moderate,beta=1,x=moderate",
    "7x1@T:5x1,T:7x6,beta=1",
];

const SYR: &[&str] = &[
    "7x1@T:7x7:moderate,alpha=0.5,beta=1,uplo=l,x=moderate",
    "33x1@T:33x33:moderate,alpha=-1,beta=1,uplo=u,x=moderate,order=bc",
    "7x1x2@T:7x7x2:moderate,alpha=0.5,beta=1,uplo=u,x=moderate",
    "7x1x2@T:7x7x2:moderate,alpha=1,beta=1,uplo=l,x=moderate,order=wc",
];

const SYR2: &[&str] = &[
    "7x1@T:7x1:moderate,T:7x7:moderate,alpha=0.5,beta=1,uplo=l,x=moderate",
    "33x1@T:33x1:moderate,T:33x33:moderate,alpha=-1,beta=1,uplo=u,x=moderate,order=bwc",
    "7x1x2@T:7x1x2:moderate,T:7x7x2:moderate,alpha=0.5;-1,beta=1,uplo=u,x=moderate",
];

const SPR: &[&str] = &[
    "7x1@T:28x1:moderate,alpha=0.5,uplo=l,x=moderate",
    "33x1@T:561x1:moderate,alpha=-1,uplo=u,x=moderate,order=bw",
    "200x1@T:20100x1:moderate,alpha=-1,uplo=l,x=moderate,order=rb",
    "7x1@T:28x1:moderate,alpha=2,uplo=u,x=moderate,order=zr",
    "7x1x2@T:28x1x2:moderate,alpha=0.5,uplo=u,x=moderate",
    "9x1x2@T:45x1x2:moderate,alpha=0.5;1,uplo=l,x=moderate,order=wb",
    "2x7x1@T:2x30x1:moderate,alpha=3,uplo=l,x=moderate",
    "7x1@T:28x1,alpha=0,uplo=l",
    "7x1@T:27x1,alpha=1,uplo=l",
];

const SPR2: &[&str] = &[
    "7x1@T:7x1:moderate,T:28x1:moderate,alpha=0.5,uplo=l,x=moderate",
    "33x1@T:33x1:moderate,T:561x1:moderate,alpha=-1,uplo=u,x=moderate,order=bww",
    "7x1x2@T:7x1x2:moderate,T:28x1x2:moderate,alpha=0.5;-1,uplo=u,x=moderate",
    "9x1x2@T:9x1x2:moderate,T:45x1x2:moderate,alpha=1;1,uplo=l,x=moderate,order=zbr",
    "2x7x1@T:2x7x1:moderate,T:2x28x1:moderate,alpha=3,uplo=u,x=moderate",
    "7x1@T:6x1,T:28x1,alpha=1,uplo=l",
];

fn band(x: &Example<'_>) -> Result<Operand> {
    let size = |key: &str| x.attrs.int(key, 0) as usize;
    let band = Operand::band(x.matrix(0)?, size("m"), size("kl"), size("ku"))?;
    Ok(match x.attrs.text("ta", "n") {
        "t" => band.t(),
        "h" => band.h(),
        _ => band,
    })
}

fn packed(x: &Example<'_>, form: Form) -> Result<Operand> {
    Operand::packed(&x.vector(0)?, x.attrs.int("m", 0) as usize, form)
}

fn turned(g: &Given<'_>, a: Dense) -> Dense {
    match g.attrs.text("ta", "n") {
        "t" => a.t(),
        "h" => a.h(),
        _ => a,
    }
}

fn band_of(g: &Given<'_>) -> Option<Dense> {
    let size = |key: &str| g.attrs.int(key, 0) as usize;
    let (m, kl, ku) = (size("m"), size("kl"), size("ku"));
    let stored = g.dense(0);
    (stored.m() > kl + ku).then_some(())?;
    Some(
        stored.like(m, stored.n(), |b, i, j| match (i + ku).checked_sub(j) {
            Some(row) if row <= kl + ku => stored.at(b, row, j),
            _ => ZERO,
        }),
    )
}

fn packed_of(g: &Given<'_>) -> Option<Dense> {
    unpacked(g, &g.dense(0), g.attrs.int("m", 0) as usize)
}

/// The triangle that is packed in a column.
fn unpacked(g: &Given<'_>, stored: &Dense, n: usize) -> Option<Dense> {
    let lower = g.uplo == crate::Uplo::Lower;
    (stored.m() >= n * (n + 1) / 2).then_some(())?;
    Some(stored.like(n, n, |b, i, j| match (lower, i >= j, i <= j) {
        (true, true, _) => stored.at(b, i + j * (2 * n - j - 1) / 2, 0),
        (false, _, true) => stored.at(b, i + j * (j + 1) / 2, 0),
        _ => ZERO,
    }))
}

/// A packed triangle, the last operand, after products have been added to it.
fn updated(g: &Given<'_>, terms: &[Term], hermitian: bool) -> Option<Vec<Array>> {
    let packed = g.dense(g.x.len() - 1);
    let n = g.dense(0).m();
    let count = n * (n + 1) / 2;
    let old = unpacked(g, &packed, n)?;
    let new = match terms.iter().all(|t| t.0 == Complex64::ZERO) {
        true => old,
        false => sum(terms, (Complex64::ONE, &old), Some(g.uplo), hermitian)?,
    };
    let places: Vec<(usize, usize)> = match g.uplo {
        crate::Uplo::Lower => (0..n).flat_map(|j| (j..n).map(move |i| (i, j))).collect(),
        crate::Uplo::Upper => (0..n).flat_map(|j| (0..=j).map(move |i| (i, j))).collect(),
    };
    let result = packed.like(packed.m(), 1, |b, p, _| match p < count {
        true => new.at(b, places[p].0, places[p].1),
        false => packed.at(b, p, 0),
    });
    Some(vec![result.array(g.x.last()?)])
}
