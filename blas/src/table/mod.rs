//! Every routine as rows of the operator table's kind, for the conformance suite.
//!
//! The operands of an example are A, B (where there is one) and C; complex ones have a last axis of 2. Its
//! attributes:
//!
//! | attribute | |
//! |---|---|
//! | `alpha`, `beta` | one number, or two (`1;-2`) where it is complex |
//! | `ta`, `tb` | `t`: the operand is handed over transposed; `h`: conjugated too |
//! | `uplo`, `side`, `diag` | `l` or `u`; `l` or `r`; `n` or `u` |
//! | `order` | for each operand how it lies in memory: `r` row by row, `c` column by column, `w` widely, `b` rows backwards, `z` its first row for all rows |
//! | `m`, `kl`, `ku` | rows of a matrix that is a band or packed; diagonals below and above |

mod examples;
mod extension;
mod level1;
mod level2;
mod level3;
mod solve;

use crate::matrix::{Diag, Matrix, Operand, Side, Uplo};
use crate::reference::{Dense, Term, solve, sum};
use crate::vector::Vector;
use crate::{Error, Result};
use num_complex::Complex64;
use std::sync::LazyLock;
use suanzi_ops::table::Row;
use suanzi_ops::table::call::{Array, Attrs};
use suanzi_ops::{Scalar, Tensor, ops};

const FLOATS: &[Scalar] = &[Scalar::F16, Scalar::Bf16, Scalar::F32, Scalar::F64];
const SINGLE_DOUBLE: &[Scalar] = &[Scalar::F32, Scalar::F64];

macro_rules! routines {
    ($($name:literal, $doc:literal, $dtypes:expr, $examples:expr, $run:expr, $reference:expr;)*) => {
        /// One row for each routine.
        pub(super) const ROWS: &[&Row] = &[$(&Row {
            name: $name,
            doc: $doc,
            dtypes: $dtypes,
            kind: Kind::Call(Call {
                examples: $examples,
                creates: false,
                run: |_, x, a| $crate::table::run(x, a, $run),
                reference: |x, a| $reference(&$crate::table::Given::new(x, a)?),
            }),
            limit: |_| Limit::Sum(1.0),
        }),*];
    };
}
use routines;

/// Every row.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
        let lists = [
            level3::ROWS,
            level2::ROWS,
            level1::ROWS,
            extension::ROWS,
            solve::ROWS,
        ];
        lists
            .into_iter()
            .flatten()
            .map(|row| examples::extended(row))
            .collect()
    });
    ROWS.iter()
}

/// What an example says, and its operands on the device.
struct Example<'a> {
    matrices: Vec<Matrix>,
    attrs: &'a Attrs,
    alpha: Complex64,
    beta: Complex64,
    uplo: Uplo,
    side: Side,
    diag: Diag,
}

impl Example<'_> {
    fn matrix(&self, i: usize) -> Result<&Matrix> {
        self.matrices
            .get(i)
            .ok_or_else(|| Error::value("blas", "an operand is missing"))
    }

    fn vector(&self, i: usize) -> Result<Vector> {
        self.matrix(i)?.first_column()
    }

    fn a(&self, key: &str) -> Result<Operand> {
        self.operand(0, key)
    }

    fn b(&self, key: &str) -> Result<Operand> {
        self.operand(1, key)
    }

    fn operand(&self, i: usize, key: &str) -> Result<Operand> {
        let matrix = self.matrix(i)?;
        Ok(match self.attrs.text(key, "n") {
            "t" => matrix.t().into(),
            "h" => matrix.h(),
            _ => matrix.into(),
        })
    }
}

impl Matrix {
    /// A matrix of one column as a vector.
    fn first_column(&self) -> Result<Vector> {
        let (t, nb) = (self.tensor(), self.nb());
        let (mut shape, mut strides) = (t.shape().to_vec(), t.strides().to_vec());
        shape.remove(nb + 1);
        strides.remove(nb + 1);
        let t = t.as_strided(&shape, &strides, t.offset())?;
        match self.is_complex() {
            true => Vector::complex(&t),
            false => Vector::real(&t),
        }
    }
}

fn number(a: &Attrs, key: &str, default: f64) -> Complex64 {
    let parts = a.floats(key);
    let part = |i: usize, default| parts.get(i).copied().unwrap_or(default);
    Complex64::new(part(0, default), part(1, 0.0))
}

fn uplo(a: &Attrs) -> Uplo {
    match a.text("uplo", "l") {
        "u" => Uplo::Upper,
        _ => Uplo::Lower,
    }
}

fn side(a: &Attrs) -> Side {
    match a.text("side", "l") {
        "r" => Side::Right,
        _ => Side::Left,
    }
}

fn diag(a: &Attrs) -> Diag {
    match a.text("diag", "n") {
        "u" => Diag::Unit,
        _ => Diag::NonUnit,
    }
}

/// The operands of an example are complex if the last one has an axis of pairs: they all have as many axes.
fn complex(rank: usize, last: Option<&usize>) -> bool {
    rank >= 3 && last == Some(&2)
}

/// Runs a routine on operands that lie as the example says; the last one is its result.
fn run(
    x: &[Tensor],
    a: &Attrs,
    routine: impl Fn(&Example<'_>, &Matrix) -> Result<()>,
) -> Result<Vec<Tensor>> {
    let mut orders = a.text("order", "").chars();
    let mut matrices = vec![];
    for t in x {
        let pairs = complex(t.shape().len(), t.shape().last());
        let lying = lay(t, pairs, orders.next().unwrap_or('r'))?;
        matrices.push(match pairs {
            true => Matrix::complex(&lying)?,
            false => Matrix::real(&lying)?,
        });
    }
    let call = Example {
        matrices,
        attrs: a,
        alpha: number(a, "alpha", 1.0),
        beta: number(a, "beta", 0.0),
        uplo: uplo(a),
        side: side(a),
        diag: diag(a),
    };
    let result = call.matrix(x.len() - 1)?;
    routine(&call, result)?;
    Ok(vec![result.tensor().clone()])
}

/// A copy of a tensor in another order.
fn lay(t: &Tensor, pairs: bool, order: char) -> Result<Tensor> {
    let rank = t.shape().len() as i64;
    let m = rank - 2 - i64::from(pairs);
    match order {
        'c' => {
            let turned = t.transpose(m, m + 1)?;
            ops::copy(&turned)?.eval()?.transpose(m, m + 1)
        }
        // Every second row and column of something larger.
        'w' => {
            let mut shape = t.shape().to_vec();
            for axis in [m as usize, m as usize + 1] {
                shape[axis] *= 2;
            }
            let large = Tensor::empty(t.context(), t.dtype(), &shape)?;
            let view = large
                .slice(m, 0, i64::MAX, 2)?
                .slice(m + 1, 0, i64::MAX, 2)?;
            t.expr().eval_into(&view)?;
            Ok(view)
        }
        'b' => ops::copy(t.flip(m)?)?.eval()?.flip(m),
        'z' if t.shape()[m as usize] > 0 => {
            let first = ops::copy(t.slice(m, 0, 1, 1)?)?.eval()?;
            first.expand(t.shape())
        }
        _ => ops::copy(t)?.eval(),
    }
}

/// What an example says, for the reference.
struct Given<'a> {
    x: &'a [Array],
    attrs: &'a Attrs,
    alpha: Complex64,
    beta: Complex64,
    uplo: Uplo,
}

impl<'a> Given<'a> {
    fn new(x: &'a [Array], attrs: &'a Attrs) -> Option<Given<'a>> {
        let rank = x.first()?.shape.len();
        let fits = rank >= 2 && x.iter().all(|a| a.shape.len() == rank);
        fits.then(|| Given {
            x,
            attrs,
            alpha: number(attrs, "alpha", 1.0),
            beta: number(attrs, "beta", 0.0),
            uplo: uplo(attrs),
        })
    }

    fn dense(&self, i: usize) -> Dense {
        let array = &self.x[i];
        let dense = Dense::of(array, complex(array.shape.len(), array.shape.last()));
        match self.attrs.text("order", "").chars().nth(i) {
            Some('z') => dense.like(dense.m(), dense.n(), |b, _, j| dense.at(b, 0, j)),
            _ => dense,
        }
    }

    fn operand(&self, i: usize, key: &str) -> Dense {
        let dense = self.dense(i);
        match self.attrs.text(key, "n") {
            "t" => dense.t(),
            "h" => dense.h(),
            _ => dense,
        }
    }

    fn a(&self, key: &str) -> Dense {
        self.operand(0, key)
    }

    fn b(&self, key: &str) -> Dense {
        self.operand(1, key)
    }

    fn product(&self, a: Dense, b: Dense, part: Option<Uplo>) -> Option<Vec<Array>> {
        self.terms(&[(self.alpha, a, b)], part)
    }

    fn beside(&self, a: Dense) -> Option<Vec<Array>> {
        match side(self.attrs) {
            Side::Left => self.product(a.square()?, self.dense(1), None),
            Side::Right => self.product(self.dense(1), a.square()?, None),
        }
    }

    fn terms(&self, terms: &[Term], part: Option<Uplo>) -> Option<Vec<Array>> {
        let c = self.dense(self.x.len() - 1);
        Some(vec![
            sum(terms, (self.beta, &c), part, false)?.array(self.x.last()?),
        ])
    }

    fn hermitian(&self, terms: &[Term]) -> Option<Vec<Array>> {
        let c = self.dense(self.x.len() - 1);
        let beta = Complex64::from(self.beta.re);
        Some(vec![
            sum(terms, (beta, &c), Some(self.uplo), true)?.array(self.x.last()?),
        ])
    }

    fn triangular(&self, a: Dense, inverse: bool) -> Option<Vec<Array>> {
        let a = a.square()?.triangle(self.uplo, diag(self.attrs));
        let b = self.dense(1);
        let result = match (inverse, side(self.attrs)) {
            (false, Side::Left) => sum(
                &[(self.alpha, a, b.clone())],
                (Complex64::ZERO, &b),
                None,
                false,
            )?,
            (false, Side::Right) => sum(
                &[(self.alpha, b.clone(), a)],
                (Complex64::ZERO, &b),
                None,
                false,
            )?,
            (true, Side::Left) => solve(self.alpha, &a, &b)?,
            (true, Side::Right) => solve(self.alpha, &a.t(), &b.t())?.t(),
        };
        Some(vec![result.array(self.x.last()?)])
    }
}
