//! Inverses of the blocks on the diagonal of a triangular matrix.
//!
//! All blocks at once. A kernel inverts small ones, each column by substitution; on a GPU, whose items would wait
//! long for each other's rows, these double then: from the inverses of blocks of `s` rows come those of `2s`,
//!
//! ```text
//! ( L11     )⁻¹   (        L11⁻¹               )
//! ( L21 L22 )   = ( -L22⁻¹ · L21 · L11⁻¹  L22⁻¹ )
//! ```
//!
//! two batched products each time. Beyond the matrix's last row blocks go on as identities. As accurate
//! as substitution but for a factor of the block's condition (Higham, *Accuracy and Stability of
//! Numerical Algorithms*, 14.2).

use crate::matrix::{Diag, Form, Matrix, Operand, Uplo};
use crate::product::{Part, product};
use crate::solve::panel::{self, Kernel};
use crate::{Error, Result};
use num_complex::Complex64;
use suanzi_backends::DeviceKind;
use suanzi_codegen::{Builder, Value};
use suanzi_ops::{Expr, Num, Outside, Tensor, ops};

/// Rows that a GPU's items invert by substitution.
const SMALL: usize = 16;

/// The inverses of blocks of `nb` rows (a power of two): `[batch.., blocks, nb, nb]`. Their rows lie side by side as those
/// of a column-major matrix do, or their columns.
pub(crate) fn diagonal_blocks(a: &Operand, nb: usize, column_major: bool) -> Result<Matrix> {
    match a.form {
        Form::Triangular(Uplo::Upper, _) => Ok(lower(&a.t(), nb, !column_major)?.t()),
        _ => lower(a, nb, column_major),
    }
}

/// One of them, without what is beyond row `m`.
pub(crate) fn block(inverses: &Matrix, number: usize, m: usize) -> Result<Matrix> {
    let axis = inverses.nb() as i64 - 1;
    let one = inverses
        .tensor()
        .slice(axis, number as i64, number as i64 + 1, 1)?;
    let mut shape = one.shape().to_vec();
    shape.remove(axis as usize);
    let mut strides = one.strides().to_vec();
    strides.remove(axis as usize);
    let one = one.as_strided(&shape, &strides, one.offset())?;
    Matrix::like(inverses, &one)?.block(0..m, 0..m)
}

fn lower(a: &Operand, nb: usize, column_major: bool) -> Result<Matrix> {
    let blocks = Blocks::new(a, nb)?;
    let factors = Matrix::like(&a.matrix, &blocks.triangles()?.eval()?)?;
    let t = factors.tensor();
    let inverses = Tensor::empty(t.context(), t.dtype(), t.shape())?;
    let inverses = Matrix::like(&a.matrix, &inverses)?;
    let mut s = match t.context().device().caps().kind {
        DeviceKind::Gpu => SMALL.min(nb),
        _ => nb,
    };
    substitute(&factors, &inverses, s, column_major)?;
    let inverses = match column_major {
        true => inverses.t(),
        false => inverses,
    };
    while s < nb {
        let part = |of: &Matrix, row: usize, column: usize| parts(of, nb, s, row, column);
        let beside = part(&factors, s, 0)?;
        let between = Tensor::empty(
            beside.tensor().context(),
            beside.dtype(),
            beside.tensor().shape(),
        )?;
        let between = Matrix::like(&beside, &between)?;
        let (one, none) = (Complex64::ONE, Complex64::ZERO);
        let first = part(&inverses, 0, 0)?;
        let second = part(&inverses, s, s)?;
        let target = part(&inverses, s, 0)?;
        let factors = (one, &Operand::from(beside), &first.into());
        product("trsm", factors, (none, &between), Part::Whole)?;
        let factors = (-one, &second.into(), &between.into());
        product("trsm", factors, (none, &target), Part::Whole)?;
        s *= 2;
    }
    Ok(inverses)
}

/// Inverts the blocks of `s` rows on the diagonals of lower triangles, and writes zeros beside them; or the inverse
/// is written transposed. Both are contiguous.
///
/// An item has some columns of an inverse X, and `X[i] = (I[i] - Σ L[i, k] X[k]) / L[i, i]`, k from its first column to
/// `i - 1`. Transposed, it has some rows, and `Xᵀ[i] = (I[i] - Σ L[k, i] Xᵀ[k]) / L[i, i]`, k from its last row down to `i + 1`.
fn substitute(factors: &Matrix, inverses: &Matrix, s: usize, transposed: bool) -> Result<()> {
    let down = inverses.t();
    let lanes = panel::lanes(&down);
    let kernel = Kernel {
        op: "trsm",
        name: if transposed {
            "invert_transposed"
        } else {
            "invert"
        },
        a: &down,
        outs: &[],
        ins: &[factors.tensor()],
        scalars: &[("s", s as u64)],
    };
    kernel.by_part(factors.n().div_ceil(lanes as usize), |b, p, _, part| {
        let io = p.io;
        let (zero, one) = (io.x.int(b, 0), io.x.int(b, 1));
        let lanes = io.x.int(b, p.lanes.into());
        let mine = b.mul(part, lanes);
        let (block, _) = io.x.div_rem(b, mine, io.p("s"));
        let begin = b.mul(block, io.p("s"));
        let end = b.add(begin, io.p("s"));
        // From the first row that is not zero to the last, in either direction.
        let past = b.add(mine, lanes);
        let past = io.x.min(b, past, end);
        let (from, to) = if transposed {
            (begin, past)
        } else {
            (mine, end)
        };
        let nothing = p.float(b, 0.0);
        let nothing = b.splat(nothing, p.lanes * p.parts);
        for (from, to) in [(zero, from), (to, io.p("m"))] {
            b.for_(from, to, one, false, |b, i| {
                let row = p.column(b, i);
                let at = p.down(b, row, mine);
                p.store(b, at, nothing);
            });
        }
        let row_of = |b: &mut Builder, turn: Value| match transposed {
            true => {
                let last = b.sub(to, one);
                b.sub(last, turn)
            }
            false => b.add(from, turn),
        };
        let turns = b.sub(to, from);
        let factor = |b: &mut Builder, [i, k]: [Value; 2]| {
            let [i, k] = if transposed { [k, i] } else { [i, k] };
            let row = p.column(b, i);
            let at = p.down(b, row, k);
            let parts = io.load_lanes(b, 0, at, p.parts);
            p.number_of(b, parts)
        };
        b.for_(zero, turns, one, false, |b, turn| {
            let i = row_of(b, turn);
            let identity = p.identity(b, i, mine);
            let sum = b.var(identity);
            b.for_(zero, turn, one, false, |b, earlier| {
                let k = row_of(b, earlier);
                let by = factor(b, [i, k]).neg(b);
                let row = p.column(b, k);
                let at = p.down(b, row, mine);
                let x = p.load(b, at, p.lanes);
                let before = b.get(sum);
                let after = p.add_product(b, before, x, by);
                b.set(sum, after);
            });
            let by = factor(b, [i, i]);
            let by = p.divisor(b, by);
            let sum = b.get(sum);
            let x = p.quotient(b, sum, by);
            let row = p.column(b, i);
            let at = p.down(b, row, mine);
            p.store(b, at, x);
        });
    })
}

/// Squares of `s` in pairs of blocks of `s` along the diagonals: `[batch.., blocks, nb / 2s, s, s]`.
fn parts(of: &Matrix, nb: usize, s: usize, row: usize, column: usize) -> Result<Matrix> {
    let (t, at) = (of.tensor(), of.nb());
    let [down, along] = of.steps();
    let mut shape = t.shape()[..at].to_vec();
    let mut strides = t.strides()[..at].to_vec();
    shape.extend([nb / (2 * s), s, s]);
    strides.extend([2 * s as i64 * (down + along), down, along]);
    if of.is_complex() {
        shape.push(2);
        strides.push(1);
    }
    let offset = t.offset() as i64 + row as i64 * down + column as i64 * along;
    let offset = usize::try_from(offset)
        .map_err(|_| Error::value("trsm", "a block lies before its memory"))?;
    Matrix::like(of, &t.as_strided(&shape, &strides, offset)?)
}

/// The blocks on the diagonal as expressions.
struct Blocks<'a> {
    a: &'a Operand,
    nb: usize,
    shape: Vec<usize>,
}

impl Blocks<'_> {
    fn new(a: &Operand, nb: usize) -> Result<Blocks<'_>> {
        let mut shape = a.matrix.batch().to_vec();
        shape.extend([a.matrix.n().div_ceil(nb), nb, nb]);
        if a.matrix.is_complex() {
            shape.push(2);
        }
        Ok(Blocks { a, nb, shape })
    }

    fn position(&self, axis: usize) -> Result<Expr> {
        Expr::position(self.a.matrix.tensor().context(), &self.shape, axis as i64)
    }

    /// Row and column in a block.
    fn place(&self) -> Result<[Expr; 2]> {
        let at = self.a.matrix.nb();
        Ok([self.position(at + 1)?, self.position(at + 2)?])
    }

    /// The elements; ones on the diagonal beyond the matrix, and where it is said to have them.
    fn triangles(&self) -> Result<Expr> {
        let t = self.a.matrix.tensor();
        let at = self.a.matrix.nb();
        let [i, j] = self.place()?;
        let start = ops::mul(self.position(at)?, self.nb as i64)?;
        let (row, column) = (ops::add(&start, &i)?, ops::add(&start, &j)?);
        let mut coords = (0..at)
            .map(|axis| self.position(axis))
            .collect::<Result<Vec<_>>>()?;
        coords.extend([row.clone(), column]);
        let imaginary = match self.a.matrix.is_complex() {
            true => {
                let part = self.position(at + 3)?;
                coords.push(part.clone());
                Some(ops::eq(part, 1)?)
            }
            false => None,
        };
        let mut value = Expr::at(t, &coords, Outside::Fill(Num::Float(0.0)))?;
        if let (true, Some(imaginary)) = (self.a.conj, &imaginary) {
            value = ops::where_(imaginary, ops::neg(&value)?, &value)?;
        }
        let past = ops::ge(row, self.a.matrix.n() as i64)?;
        let unit = matches!(self.a.form, Form::Triangular(_, Diag::Unit));
        let ones = if unit {
            ops::logical_or(past, true)?
        } else {
            past
        };
        let ones = ops::logical_and(ones, ops::eq(&i, &j)?)?;
        let one = Expr::scalar(t.dtype(), Num::Float(1.0));
        let one = match imaginary {
            Some(imaginary) => ops::where_(imaginary, 0.0, one)?,
            None => one,
        };
        value = ops::where_(ones, one, value)?;
        ops::where_(ops::lt(i, j)?, 0.0, value)
    }
}
