//! Rows of level 1. Vectors are matrices of one column; results that are numbers go into a matrix of one element,
//! the last operand, and several results are its columns.

use super::{Example, FLOATS, Given, SINGLE_DOUBLE, routines};
use crate::matrix::Matrix;
use crate::reference::{Dense, Entry, ZERO, sum};
use crate::{Result, level1};
use num_complex::Complex64;
use suanzi_codegen::ir::CastMode;
use suanzi_ops::table::call::{Array, Call};
use suanzi_ops::table::{Kind, Limit, Row};
use suanzi_ops::{Num, Tensor, ops};

routines! {
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
    "blas_rotg", "Rotations that make b zero: r, z (b itself where it is complex), c, s, as columns.", SINGLE_DOUBLE, ROTG,
        |x, all| {
            let (a, b) = (x.vector(0)?, x.vector(1)?);
            let made = level1::rotg(&a, &b)?;
            let c = match a.is_complex() {
                false => made.c.tensor().clone(),
                true => pairs_of(made.c.tensor())?,
            };
            let columns = [a.tensor().clone(), b.tensor().clone(), c, made.s.tensor().clone()];
            let axis = all.nb() as i64 + 1;
            ops::stack(&columns, axis)?.expr().eval_into(all.tensor())
        },
        |g: &Given| g.rotations();
    "blas_rotmg", "Modified rotations: flag, H row by row, d1, d2, x1, as columns.", SINGLE_DOUBLE, ROTMG,
        |x, all| {
            let v = [x.vector(0)?, x.vector(1)?, x.vector(2)?, x.vector(3)?];
            level1::scal(x.alpha, &v[0])?;
            level1::scal(x.beta, &v[1])?;
            let made = level1::rotmg(&v[0], &v[1], &v[2], &v[3])?;
            let axis = all.nb() as i64 + 1;
            let h = made.h.reshape(&[v[0].tensor().shape(), &[4]].concat())?;
            let mut columns = vec![made.flag];
            for i in 0..4 {
                columns.push(h.slice(axis, i, i + 1, 1)?.reshape(v[0].tensor().shape())?);
            }
            columns.extend(v[..3].iter().map(|v| v.tensor().clone()));
            ops::stack(&columns, axis)?.expr().eval_into(all.tensor())
        },
        |g: &Given| g.modified();
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

const ROTG: &[&str] = &[
    "9x1@T:9x1:moderate,T:9x4,x=moderate",
    "70x1@T:70x1:few3,T:70x4,x=few3,order=bw",
    "25x1@T:25x1:index2,T:25x4,x=index2",
    "9x1@T:9x1:positive,T:9x4,x=moderate,order=wr",
    "9x1x2@T:9x1x2:moderate,T:9x4x2,x=moderate",
    "70x1x2@T:70x1x2:index1,T:70x4x2,x=index1,order=wb",
    "2x9x1@T:2x9x1:moderate,T:2x9x4,x=moderate",
    "9x1@T:8x1,T:9x4",
];

const ROTMG: &[&str] = &[
    "70x1@T:70x1:positive,T:70x1:moderate,T:70x1:moderate,T:70x8,beta=1,x=positive",
    "70x1@T:70x1:moderate,T:70x1:moderate,T:70x1:moderate,T:70x8,beta=1,x=moderate,order=bwwb",
    "25x1@T:25x1:index2,T:25x1:index2,T:25x1:index2,T:25x8,beta=1,x=index2",
    // Beyond what needs no scaling.
    "40x1@T:40x1:positive,T:40x1:near1,T:40x1:near1,T:40x8,alpha=1099511627776,beta=1,x=positive,order=w",
    "40x1@T:40x1:positive,T:40x1:positive,T:40x1:positive,T:40x8,alpha=9.094947017729282e-13,beta=1099511627776,x=positive",
    "2x9x1@T:2x9x1:positive,T:2x9x1:moderate,T:2x9x1:moderate,T:2x9x8,beta=1,x=positive",
    "9x1@T:8x1,T:9x1,T:9x1,T:9x8",
];

/// Real numbers as pairs.
fn pairs_of(t: &Tensor) -> Result<Tensor> {
    let axis = t.shape().len() as i64;
    let zeros = ops::mul(t, 0.0)?.eval()?;
    ops::stack(&[t.clone(), zeros], axis)
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

    /// What rotg makes of two vectors: r, z, c and s as columns.
    fn rotations(&self) -> Option<Vec<Array>> {
        let (a, b) = (self.dense(0), self.dense(1));
        (a.m() == b.m()).then_some(())?;
        let of = |x: Entry| {
            let [re, im] = x.rounded();
            Complex64::new(re, im)
        };
        let all = a.like(a.m(), 4, |batch, i, column| {
            let (x, y) = (of(a.at(batch, i, 0)), of(b.at(batch, i, 0)));
            let h = x.norm().hypot(y.norm());
            let direction = if x.norm() == 0.0 {
                Complex64::ONE
            } else {
                x / x.norm()
            };
            let [r, z, c, s] = match (a.is_complex(), y.norm() == 0.0) {
                (_, true) => [x, y, Complex64::ONE, Complex64::ZERO],
                (true, _) => [
                    direction * h,
                    y,
                    (x.norm() / h).into(),
                    direction * y.conj() / h,
                ],
                (false, _) => {
                    let larger = if x.re.abs() > y.re.abs() { x.re } else { y.re };
                    let r = h.copysign(larger);
                    let (c, s) = (x.re / r, y.re / r);
                    let z = match x.re.abs() > y.re.abs() {
                        true => s,
                        false if c != 0.0 => 1.0 / c,
                        false => 1.0,
                    };
                    [r, z, c, s].map(Complex64::from)
                }
            };
            let value = [r, z, c, s][column];
            Entry::of(value.re, value.im).within(8.0 * (value.re.abs() + value.im.abs()))
        });
        Some(vec![all.array(self.x.last()?)])
    }

    /// What rotmg makes of four vectors: flag, H, d1, d2 and x1 as columns.
    fn modified(&self) -> Option<Vec<Array>> {
        let v: Vec<Dense> = (0..4).map(|i| self.dense(i)).collect();
        v.iter().all(|x| x.m() == v[0].m()).then_some(())?;
        let all = v[0].like(v[0].m(), 8, |batch, i, column| {
            let at = |j: usize| v[j].at(batch, i, 0).rounded()[0];
            let (values, scale) = modified_rotation(
                [at(0) * self.alpha.re, at(1) * self.beta.re, at(2), at(3)],
                self.single(),
            );
            Entry::of(values[column], 0.0).within(16.0 * scale * values[column].abs())
        });
        Some(vec![all.array(self.x.last()?)])
    }

    fn single(&self) -> bool {
        self.x[0].dtype == suanzi_ops::Scalar::F32
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

/// As BLAS's rotmg, but with all of H, and how much larger than rounding errors are.
fn modified_rotation([mut d1, mut d2, mut x1, y1]: [f64; 4], single: bool) -> ([f64; 8], f64) {
    // What is compared is rounded as the device rounds it.
    let round = |x: f64| if single { f64::from(x as f32) } else { x };
    let (p1, p2) = (round(d1 * x1), round(d2 * y1));
    let (q1, q2) = (round(p1 * x1), round(p2 * y1));
    if d1 >= 0.0 && p2 == 0.0 {
        return ([-2.0, 1.0, 0.0, 0.0, 1.0, d1, d2, x1], 1.0);
    }
    let zeros = ([-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1.0);
    let first = q1.abs() > q2.abs();
    let (mut h, u) = match first {
        true => {
            let (h21, h12) = (-y1 / x1, d2 * y1 / (d1 * x1));
            ([1.0, h12, h21, 1.0], 1.0 - h12 * h21)
        }
        false => {
            let (h11, h22) = (d1 * x1 / (d2 * y1), x1 / y1);
            ([h11, 1.0, -1.0, h22], 1.0 + h11 * h22)
        }
    };
    if d1 < 0.0 || (first && u <= 0.0) || (!first && q2 < 0.0) {
        return zeros;
    }
    let scale = (1.0 + (u - 1.0).abs()) / u.abs();
    let mut flag = if first { 0.0 } else { 1.0 };
    if !first {
        (d1, d2, x1) = (d2, d1, y1);
    }
    (d1, d2, x1) = (d1 / u, d2 / u, x1 * u);
    let gamma = 4096.0f64;
    let outside = |d: f64| {
        d != 0.0 && d.is_finite() && (d.abs() <= gamma.powi(-2) || d.abs() >= gamma.powi(2))
    };
    while outside(d1) {
        let by = if d1.abs() < 1.0 { gamma } else { 1.0 / gamma };
        (d1, x1, flag) = (d1 * by * by, x1 / by, -1.0);
        (h[0], h[1]) = (h[0] / by, h[1] / by);
    }
    while outside(d2) {
        let by = if d2.abs() < 1.0 { gamma } else { 1.0 / gamma };
        (d2, flag) = (d2 * by * by, -1.0);
        (h[2], h[3]) = (h[2] / by, h[3] / by);
    }
    ([flag, h[0], h[1], h[2], h[3], d1, d2, x1], scale)
}
