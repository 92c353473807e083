//! Rows of levels 1 and 2. Vectors are matrices of one column; results that are numbers go into a matrix of
//! one element, the last operand.

use super::{Example, FLOATS, Given, SINGLE_DOUBLE, routines};
use crate::matrix::{Diag, Form, Matrix, Operand};
use crate::reference::{Dense, Entry, ZERO, sum};
use crate::{Result, level1, level2};
use num_complex::Complex64;
use suanzi_codegen::ir::CastMode;
use suanzi_ops::table::call::{Array, Call};
use suanzi_ops::table::{Kind, Limit, Row};
use suanzi_ops::{Num, Tensor, ops};

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
    "blas_scal", "x = alpha · x.", FLOATS, &[
            "9x1@alpha=-2", "70x1@alpha=0.5,x=moderate,order=b", "9x1@alpha=0", "0x1@alpha=3",
            "9x1x2@alpha=2;-1,x=moderate,order=w", "2x9x1@alpha=3,x=moderate",
        ],
        |x, _| level1::scal(x.alpha, &x.vector(0)?),
        |g: &Given| {
            g.product(g.dense(0), g.dense(0).like(1, 1, |_, _, _| one()), None)
        };
    "blas_axpby", "y = alpha · x + beta · y.", FLOATS, &[
            "9x1@T:9x1:moderate,alpha=-2,beta=1,x=moderate",
            "70x1@T:70x1:moderate,alpha=1,beta=-1,x=moderate,order=bw",
            "9x1@T:9x1,alpha=2,beta=0,x=moderate",
            "9x1@T:9x1:moderate,alpha=0,beta=0.5",
            "9x1x2@T:9x1x2:moderate,alpha=2;-1,beta=1;1,x=moderate,order=wb",
            "9x1x2@T:9x1x2:moderate,alpha=2,beta=-1,x=moderate",
            "2x9x1@T:2x9x1:moderate,alpha=3,beta=1,x=moderate",
            "9x1@T:8x1,alpha=3",
        ],
        |x, _| level1::axpby(x.alpha, &x.vector(0)?, x.beta, &x.vector(1)?),
        |g: &Given| g.product(g.dense(0), g.dense(0).like(1, 1, |_, _, _| one()), None);
    "blas_dot", "Σ x · y.", FLOATS, DOT,
        |x, c| number(level1::dot(&x.vector(0)?, &x.vector(1)?)?, c),
        |g: &Given| g.product(g.dense(0).t(), g.dense(1), None);
    "blas_dotc", "Σ conj(x) · y.", SINGLE_DOUBLE, DOT,
        |x, c| number(level1::dotc(&x.vector(0)?, &x.vector(1)?)?, c),
        |g: &Given| g.product(g.dense(0).h(), g.dense(1), None);
    "blas_nrm2", "√Σ|x|².", FLOATS, NUMBER,
        |x, c| number(level1::nrm2(&x.vector(0)?)?, c),
        |g: &Given| g.number(|xs| {
            let most = xs.iter().fold(0f64, |m, x| m.max(x.abs()));
            let sum: f64 = xs.iter().map(|x| (x / most).powi(2)).sum();
            if most > 0.0 { most * sum.sqrt() } else { 0.0 }
        });
    "blas_asum", "Σ |re x| + |im x|.", FLOATS, NUMBER,
        |x, c| number(level1::asum(&x.vector(0)?)?, c),
        |g: &Given| g.number(|xs| xs.iter().map(|x| x.abs()).sum());
    "blas_iamax", "The first position of the largest.", SINGLE_DOUBLE, NUMBER,
        |x, c| number(level1::iamax(&x.vector(0)?)?, c),
        |g: &Given| {
            let pairs = if g.dense(0).is_complex() { 2 } else { 1 };
            g.number(|xs| {
                let sizes = xs.chunks(pairs).map(|p| p.iter().map(|x| x.abs()).sum::<f64>());
                let best = sizes.enumerate().fold((0, -1.0), |b, (i, s)| if s > b.1 { (i, s) } else { b });
                best.0 as f64
            })
        };
    "blas_rot", "x, y = c · x + s · y, c · y - conj(s) · x.", SINGLE_DOUBLE, &[
            "9x1@T:9x1:moderate,T:9x2,alpha=0.75,beta=-2,x=moderate",
            "70x1x2@T:70x1x2:moderate,T:70x2x2,alpha=0.5,beta=1;-1,x=moderate,order=bw",
            "2x9x1@T:2x9x1:moderate,T:2x9x2,alpha=0.75,beta=-2,x=moderate",
            "9x1@T:8x1,T:9x2",
        ],
        |x, xy| {
            level1::rot(&x.vector(0)?, &x.vector(1)?, x.alpha.re, x.beta)?;
            both(x, xy)
        },
        |g: &Given| {
            let c = Complex64::from(g.alpha.re);
            g.pair([[c, g.beta], [-g.beta.conj(), c]])
        };
    "blas_rotm", "x, y = alpha · x - 2 · y, 3 · x + beta · y.", SINGLE_DOUBLE, &[
            "9x1@T:9x1:moderate,T:9x2,alpha=0.75,beta=-2,x=moderate",
            "70x1@T:70x1:moderate,T:70x2,alpha=0.5,beta=1,x=moderate,order=bw",
            "9x1@T:8x1,T:9x2",
        ],
        |x, xy| {
            level1::rotm(&x.vector(0)?, &x.vector(1)?, [[x.alpha.re, -2.0], [3.0, x.beta.re]])?;
            both(x, xy)
        },
        |g: &Given| g.pair([[g.alpha, Complex64::from(-2.0)], [Complex64::from(3.0), g.beta]]);
}

fn one() -> Entry {
    Entry::of(1.0, 0.0)
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

const DOT: &[&str] = &[
    "9x1@T:9x1:moderate,T:1x1,x=moderate",
    "1000x1@T:1000x1:moderate,T:1x1,x=moderate,order=bw",
    "9x1x2@T:9x1x2:moderate,T:1x1x2,x=moderate",
    "100x1x2@T:100x1x2:moderate,T:1x1x2,x=moderate,order=wb",
    "2x9x1@T:2x9x1:moderate,T:2x1x1,x=moderate",
    "9x1@T:8x1,T:1x1",
];

const NUMBER: &[&str] = &[
    "9x1@T:1x1,x=moderate",
    "1000x1@T:1x1,x=moderate,order=b",
    "9x1x2@T:1x1x2,x=moderate",
    "100x1x2@T:1x1x2,x=moderate,order=w",
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
    let n = g.attrs.int("m", 0) as usize;
    let stored = g.dense(0);
    let lower = g.uplo == crate::Uplo::Lower;
    (stored.m() >= n * (n + 1) / 2).then_some(())?;
    Some(stored.like(n, n, |b, i, j| match (lower, i >= j, i <= j) {
        (true, true, _) => stored.at(b, i + j * (2 * n - j - 1) / 2, 0),
        (false, _, true) => stored.at(b, i + j * (j + 1) / 2, 0),
        _ => ZERO,
    }))
}

/// The first two operands, vectors, as the columns of a matrix.
fn both(x: &Example<'_>, xy: &Matrix) -> Result<()> {
    let vectors = [x.vector(0)?, x.vector(1)?].map(|v| v.tensor().clone());
    let columns = xy.nb() as i64 + 1;
    ops::stack(&vectors, columns)?.expr().eval_into(xy.tensor())
}

/// A number into a matrix of one element; a real one into the first of two parts.
fn number(result: Tensor, c: &Matrix) -> Result<()> {
    let value = result.expr().cast(c.dtype(), CastMode::Saturate).eval()?;
    let parts = result.numel() * usize::from(c.is_complex()) < c.tensor().numel();
    match c.is_complex() && parts {
        false => value
            .reshape(c.tensor().shape())?
            .expr()
            .eval_into(c.tensor()),
        true => {
            let shape = [&c.tensor().shape()[..c.nb() + 2], &[1]].concat();
            let [re, im] = [0, 1].map(|i| c.tensor().slice(-1, i, i + 1, 1));
            value.reshape(&shape)?.expr().eval_into(&re?)?;
            let zero = Num::Float(0.0);
            suanzi_ops::Expr::fill(value.context(), c.dtype(), &shape, zero).eval_into(&im?)
        }
    }
}

impl Given<'_> {
    /// What two vectors become by a matrix of two by two, as columns.
    fn pair(&self, h: [[Complex64; 2]; 2]) -> Option<Vec<Array>> {
        let (x, y) = (self.dense(0), self.dense(1));
        let as_column = |j| x.like(1, 2, |_, _, i| if i == j { one() } else { ZERO });
        let c = self.dense(self.x.len() - 1);
        let terms = [
            (h[0][0], x.clone(), as_column(0)),
            (h[0][1], y.clone(), as_column(0)),
            (h[1][0], x.clone(), as_column(1)),
            (h[1][1], y, as_column(1)),
        ];
        let none = (Complex64::ZERO, &c);
        Some(vec![sum(&terms, none, None, false)?.array(self.x.last()?)])
    }

    /// A number from all parts of the first operand.
    fn number(&self, of: impl Fn(&[f64]) -> f64) -> Option<Vec<Array>> {
        let parts: Vec<f64> = self.x.first()?.values.iter().map(|x| x.float()).collect();
        let like = self.x.last()?;
        let mut out = Array::new(like.dtype, &like.shape, vec![]);
        out.values = vec![Num::Float(of(&parts)), Num::Float(0.0)];
        out.values.truncate(like.values.len());
        out.scale = out
            .values
            .iter()
            .map(|x| parts.len() as f64 * x.float())
            .collect();
        Some(vec![out])
    }
}
