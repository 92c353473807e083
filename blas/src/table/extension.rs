//! Rows of what vendors' libraries have beside BLAS.

use super::{FLOATS, Given, SINGLE_DOUBLE, routines};
use crate::grouped::{Problem, gemm_grouped};
use crate::matrix::{Matrix, Side};
use crate::reference::{combined, stretched, sum};
use crate::{Result, extension};
use num_complex::Complex64;
use suanzi_ops::table::call::{Array, Call};
use suanzi_ops::table::{Kind, Limit, Row};
use suanzi_ops::{Num, Scalar};

routines! {
    "blas_geam", "C = alpha · A + beta · B, each as it is, transposed or conjugated.", FLOATS, GEAM,
        |x, c| extension::geam(x.alpha, x.a("ta")?, x.beta, x.b("tb")?, c),
        |g: &Given| {
            let (a, b) = (g.a("ta"), g.b("tb"));
            Some(vec![combined(&[(g.alpha, &a), (g.beta, &b)], &g.dense(2))?.array(g.x.last()?)])
        };
    "blas_omatcopy", "B = alpha · A, A as it is, transposed or conjugated.", FLOATS, OMATCOPY,
        |x, b| extension::omatcopy(x.alpha, x.a("ta")?, b),
        |g: &Given| {
            let a = g.a("ta");
            Some(vec![combined(&[(g.alpha, &a)], &g.dense(1))?.array(g.x.last()?)])
        };
    "blas_imatcopy", "A = alpha · A, in place, as it is, transposed or conjugated.", SINGLE_DOUBLE, IMATCOPY,
        |x, a| {
            let by = x.a("ta")?;
            match by.m() == a.m() && by.n() == a.n() {
                true => extension::imatcopy(x.alpha, by, a),
                // Rows and columns that are swapped lie in the same memory in another order.
                false => turned_in_place(x.alpha, a),
            }
        },
        |g: &Given| {
            let (a, own) = (g.a("ta"), g.dense(0));
            let like = if a.m() == own.m() { own } else { own.t() };
            let result = combined(&[(g.alpha, &a)], &like)?;
            let mut array = g.x[0].clone();
            array.scale.clear();
            Some(vec![result.array(&array)])
        };
    "blas_dgmm", "C = diag(x) · A or A · diag(x).", FLOATS, DGMM,
        |x, c| extension::dgmm(x.side, x.matrix(0)?, &x.vector(1)?, c),
        |g: &Given| {
            let by_row = super::side(g.attrs) == Side::Left;
            let c = g.dense(2);
            let result = stretched(&g.dense(0), &g.dense(1), by_row)?;
            ((result.m(), result.n()) == (c.m(), c.n())).then_some(())?;
            Some(vec![result.array(g.x.last()?)])
        };
    "blas_gemm3m", "As gemm, complex products in three real ones.", SINGLE_DOUBLE, GEMM3M,
        |x, c| extension::gemm3m(x.alpha, x.a("ta")?, x.b("tb")?, x.beta, c),
        |g: &Given| g.product(g.a("ta"), g.b("tb"), None);
    "blas_gemm_half", "As gemm of f16 or bf16, C being f32.", &[Scalar::F16, Scalar::Bf16], HALF,
        |x, c| crate::level3::gemm(x.alpha, x.a("ta")?, x.b("tb")?, x.beta, c),
        |g: &Given| {
            let fits = g.x[0].dtype == g.x[1].dtype && g.x[2].dtype == Scalar::F32;
            fits.then(|| g.product(g.a("ta"), g.b("tb"), None))?
        };
    "blas_gemm_int", "As gemm of 8-bit integers, C being i32.", &[Scalar::I8, Scalar::U8], INT,
        |x, c| crate::level3::gemm(x.alpha, x.a("ta")?, x.b("tb")?, x.beta, c),
        whole;
    "blas_gemm_grouped", "As gemm, the matrices of a batch as a list: every third a row shorter, which leaves C's last row.",
        FLOATS, GROUPED,
        |x, c| {
            let mut problems = vec![];
            for i in 0..c.batch()[0] {
                let one = |m: &Matrix| -> Result<Matrix> {
                    let t = m.tensor();
                    let (shape, strides) = (&t.shape()[1..], &t.strides()[1..]);
                    let at = t.offset() as i64 + i as i64 * t.strides()[0];
                    Matrix::like(m, &t.as_strided(shape, strides, at as usize)?)
                };
                let (a, c) = (one(x.matrix(0)?)?, one(c)?);
                let rows = 0..c.m() - usize::from(i % 3 == 2);
                let (a, c) = (a.block(rows.clone(), 0..a.n())?, c.block(rows, 0..c.n())?);
                let b = one(x.matrix(1)?)?;
                let a = if x.attrs.text("ta", "n") == "h" { a.with(crate::Form::General).conj() } else { a.into() };
                problems.push(Problem::new(x.alpha, a, b, x.beta, &c));
            }
            gemm_grouped(&problems)
        },
        |g: &Given| {
            let a = if g.attrs.text("ta", "n") == "h" { g.dense(0).h().t() } else { g.dense(0) };
            let c = g.dense(2);
            let all = sum(&[(g.alpha, a, g.dense(1))], (g.beta, &c), None, false)?;
            let kept = c.like(c.m(), c.n(), |b, i, j| {
                let own = b % 3 == 2 && i + 1 == c.m();
                if own { c.at(b, i, j) } else { all.at(b, i, j) }
            });
            Some(vec![kept.array(g.x.last()?)])
        };
}

/// `A = alpha · Aᵀ` in the memory of A, and what is there then in A's shape.
fn turned_in_place(alpha: Complex64, a: &Matrix) -> Result<()> {
    let dense = Matrix::like(a, &suanzi_ops::ops::copy(a.tensor())?.eval()?)?;
    let t = dense.tensor();
    let mut shape = t.shape().to_vec();
    shape.swap(a.nb(), a.nb() + 1);
    let turned = t.as_strided(
        &shape,
        &suanzi_ops::shape::contiguous_strides(&shape),
        t.offset(),
    )?;
    extension::imatcopy(alpha, dense.t(), &Matrix::like(a, &turned)?)?;
    t.expr().eval_into(a.tensor())
}

/// `alpha · A · B + beta · C` of whole numbers, which wraps.
fn whole(g: &Given<'_>) -> Option<Vec<Array>> {
    let turned = |i: usize, key: &str| {
        let (array, t) = (&g.x[i], g.attrs.text(key, "n") == "t");
        move |row: usize, column: usize| {
            let at = if t { [column, row] } else { [row, column] };
            array.at(&at).int()
        }
    };
    let lengths = |i: usize, key: &str| -> Option<[usize; 2]> {
        let &[m, n] = &g.x[i].shape[..] else {
            return None;
        };
        Some(if g.attrs.text(key, "n") == "t" {
            [n, m]
        } else {
            [m, n]
        })
    };
    let ([m, k], [k_b, n]) = (lengths(0, "ta")?, lengths(1, "tb")?);
    (k == k_b && g.x[2].shape == [m, n] && g.x[2].dtype == Scalar::I32).then_some(())?;
    let factor = |x: Complex64| (x.re.fract() == 0.0 && x.im == 0.0).then_some(x.re as i128);
    let (alpha, beta) = (factor(g.alpha)?, factor(g.beta)?);
    let (a, b) = (turned(0, "ta"), turned(1, "tb"));
    let wrapped = |x: i128| Num::Int(i128::from(x as i32));
    let c = Array::from_fn(Scalar::I32, &[m, n], |at| {
        let products: i128 = (0..k).map(|p| a(at[0], p) * b(p, at[1])).sum();
        wrapped(alpha * products + beta * g.x[2].at(at).int())
    });
    Some(vec![c])
}

const GEAM: &[&str] = &[
    "7x5@T:7x5,T:7x5,alpha=0.5,beta=2",
    "7x5@T:5x7:moderate,T:7x5,alpha=-1,beta=1,tb=t,x=moderate,order=ccr",
    "70x13@T:13x70:moderate,T:13x70,alpha=1,beta=-2,ta=t,x=moderate,order=wbc",
    "7x5@T:7x5:moderate,T:7x5,alpha=0,beta=2",
    "7x5@T:7x5,T:7x5,alpha=2,beta=0,x=moderate",
    "7x5@T:7x5,T:7x5,alpha=0,beta=0",
    "7x5x2@T:7x5x2:moderate,T:7x5x2,alpha=0.5;1,beta=2;-1,x=moderate,order=rcw",
    "5x7x2@T:7x5x2:moderate,T:7x5x2,alpha=0.5;1,beta=2,ta=h,x=moderate,order=crr",
    "5x7x2@T:5x7x2:moderate,T:7x5x2,alpha=1,beta=1;1,ta=t,tb=h,x=moderate,order=wcb",
    "3x7x5@T:3x7x5:moderate,T:3x7x5,alpha=3,beta=0.5,x=moderate",
    "1x9@T:1x9:moderate,T:7x9,alpha=3,beta=0.5",
];

const OMATCOPY: &[&str] = &[
    "7x5@T:7x5,alpha=0.5",
    "70x33@T:33x70,alpha=-2,ta=t,x=moderate,order=cr",
    "7x5@T:7x5,alpha=0,order=wb",
    "7x5x2@T:5x7x2,alpha=0.5;-2,ta=h,x=moderate,order=rw",
    "7x5x2@T:7x5x2,alpha=0;1,x=moderate,order=cw",
    "3x7x5@T:3x5x7,alpha=1,ta=t,x=moderate",
    "7x5@T:7x5,ta=t",
];

const IMATCOPY: &[&str] = &[
    "7x5@alpha=0.5",
    "9x9@alpha=2,ta=t,x=moderate,order=c",
    "7x5@alpha=2,ta=t,x=moderate",
    "9x9x2@alpha=0.5;-2,ta=h,x=moderate,order=w",
    "9x5x2@alpha=0.5;-2,x=moderate,order=b",
    "9x9@alpha=0,ta=t",
];

const DGMM: &[&str] = &[
    "7x5@T:7x1:moderate,T:7x5,side=l",
    "33x17@T:17x1:moderate,T:33x17,side=r,x=moderate,order=cbw",
    "7x5@T:5x1:moderate,T:7x5,side=r,x=moderate,order=rzr",
    "7x5x2@T:7x1x2:moderate,T:7x5x2,side=l,x=moderate,order=wbc",
    "7x5x2@T:5x1x2:moderate,T:7x5x2,side=r,x=moderate,order=cwr",
    "3x7x5@T:3x7x1:moderate,T:3x7x5,side=l,x=moderate",
    "7x5@T:5x1,T:7x5,side=l",
];

const GEMM3M: &[&str] = &[
    "5x3x2@T:3x7x2:moderate,T:5x7x2:moderate,alpha=0.5,beta=2,x=moderate",
    "13x9x2@T:9x17x2:moderate,T:13x17x2,alpha=0.5;-1,beta=0,x=moderate,order=ccc",
    "9x13x2@T:17x9x2:moderate,T:13x17x2:moderate,beta=1;1,ta=h,tb=h,x=moderate,order=wrb",
    "9x13x2@T:9x17x2:moderate,T:13x17x2:moderate,beta=1,ta=t,x=moderate,order=bcw",
    "3x8x9x2@T:3x9x6x2:moderate,T:3x8x6x2:moderate,beta=-1,x=moderate",
    "33x40x2@T:40x65x2:moderate,T:33x65x2:moderate,x=moderate",
    "5x3@T:3x7:moderate,T:5x7:moderate,alpha=0.5,beta=2,x=moderate",
    "5x3x2@T:3x7x2,T:5x7x2:moderate,alpha=0,beta=2",
    "5x0x2@T:0x7x2,T:5x7x2:moderate,beta=2",
    "5x3x2@T:4x7x2,T:5x7x2",
];

const HALF: &[&str] = &[
    "5x3@T:3x7,f32:5x7:moderate,alpha=0.5,beta=2",
    "13x40@T:40x35:moderate,f32:13x35,alpha=-1.5,beta=0,x=moderate,order=ccc",
    "40x13@T:35x40:moderate,f32:13x35:moderate,beta=1,ta=t,tb=t,x=moderate,order=rrw",
    "129x9@T:9x131:moderate,f32:129x131:moderate,beta=0.25,x=moderate",
    "3x7x5@T:3x5x9:moderate,f32:3x7x9:moderate,x=moderate,order=rcr",
    "5x3@T:3x7,f64:5x7:moderate",
    "5x3@f32:3x7,f32:5x7:moderate",
];

const INT: &[&str] = &[
    "5x3@T:3x7,i32:5x7",
    "13x40@T:40x35,i32:13x35,alpha=-3,beta=2,order=ccc",
    "40x13@T:35x40,i32:13x35,beta=1,ta=t,tb=t,order=rrw",
    "13x40@u8:40x35,i32:13x35,alpha=1,beta=0,order=wcr",
    "13x40@i8:40x35,i32:13x35,alpha=2,beta=1",
    "129x9@T:9x131,i32:129x131,beta=-1",
    "5x0@T:0x7,i32:5x7,beta=3",
    "5x3@T:3x7,i32:5x7,alpha=0,beta=3",
    "5x3@T:3x7,i32:5x7,alpha=0.5",
    "5x3@T:3x7,T:5x7",
];

const GROUPED: &[&str] = &[
    "3x5x3@T:3x3x7:moderate,T:3x5x7:moderate,alpha=0.5,beta=2,x=moderate",
    "7x5x3@T:7x3x7:moderate,T:7x5x7:moderate,alpha=-1,beta=1,x=moderate,order=rcc",
    "5x13x9@T:5x9x35:moderate,T:5x13x35,beta=0,x=moderate,order=wcr",
    "8x5x3x2@T:8x3x7x2:moderate,T:8x5x7x2:moderate,alpha=0.5;-1,beta=2;1,x=moderate,order=crb",
    "6x5x3x2@T:6x3x7x2:moderate,T:6x5x7x2:moderate,ta=h,beta=1,x=moderate",
    "1x5x3@T:1x3x7:moderate,T:1x5x7:moderate,beta=1,x=moderate",
    "4x5x3@T:4x2x7,T:4x5x7",
];
