//! Products of operands: `C = alpha · A · B + beta · C`, all of C or a triangle of it.
//!
//! Complex products are real ones. With the parts side by side, A is already `m × 2k` real numbers and C
//! `m × 2n`; B is read as `2k × 2n`:
//!
//! ```text
//! (re im) · (  re  im ) = (re·re - im·im   re·im + im·re)
//!           ( -im  re )
//! ```
//!
//! The signs and positions are the loader's, so nothing is copied and no flop is added. A conjugated
//! operand is another pattern of signs.

use crate::matrix::{Diag, Form, Matrix, Operand, Storage, Uplo};
use num_complex::Complex64;
use suanzi_backends::Context;
use suanzi_codegen::ir::CastMode;
use suanzi_ops::{Contract, Error, Expr, Num, Outside, Result, Scalar, Tensor, contract_into, ops};

/// What of C is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// A triangle.
    Triangle(Uplo),
    /// A triangle, whose diagonal becomes real.
    Hermitian(Uplo),
}

/// `C = alpha · A · B + beta · C`. Where `alpha` is 0, A and B are not read; where `beta` is 0, C is not.
///
/// # Errors
/// [`Error::Shape`] where sizes or batches do not fit, [`Error::Dtype`] where the dtypes differ or real
/// and complex meet, [`Error::Device`], [`Error::Backend`]. C is unchanged.
pub fn product(
    op: &'static str,
    (alpha, a, b): (Complex64, &Operand, &Operand),
    (beta, c): (Complex64, &Matrix),
    part: Part,
) -> Result<()> {
    check(op, a, b, c)?;
    if c.tensor().numel() == 0 {
        return Ok(());
    }
    if alpha == Complex64::ZERO || a.n() == 0 {
        return scale(op, beta, c, part);
    }
    // What is left of the factors is real, and multiplies in the epilogue.
    let (scaled, alpha) = match alpha.im {
        0.0 => (None, alpha.re),
        _ => (Some(b.dense(alpha)?), 1.0),
    };
    let b = scaled.as_ref().unwrap_or(b);
    let beta = match beta.im {
        0.0 => beta.re,
        _ => {
            scale(op, beta, c, part)?;
            1.0
        }
    };
    // Columns of C lie side by side, or its rows do.
    let unit = 1 + i64::from(c.is_complex());
    let [down, along] = c.steps();
    if along == unit || c.n() == 1 && down != unit {
        return run(op, (alpha, a, b), (beta, c), part);
    }
    let flipped = match part {
        Part::Whole => Part::Whole,
        Part::Triangle(uplo) => Part::Triangle(uplo.flipped()),
        Part::Hermitian(uplo) => Part::Hermitian(uplo.flipped()),
    };
    if down == unit || c.m() == 1 {
        return run(op, (alpha, &b.t(), &a.t()), (beta, &c.t()), flipped);
    }
    let dense = Matrix::like(c, &ops::copy(c.tensor())?.eval()?)?;
    run(op, (alpha, a, b), (beta, &dense), part)?;
    dense.tensor().expr().eval_into(c.tensor())
}

fn check(op: &str, a: &Operand, b: &Operand, c: &Matrix) -> Result<()> {
    let sizes = [a.m(), a.n(), b.m(), b.n()];
    let (a, b) = (&a.matrix, &b.matrix);
    let shapes = || [a, b, c].map(|x| x.tensor().shape());
    if sizes[1] != sizes[2] || sizes[0] != c.m() || sizes[3] != c.n() {
        let why = "A is m × k, B k × n, C m × n";
        return Err(Error::shape(op, shapes(), why));
    }
    if a.batch() != c.batch() || b.batch() != c.batch() {
        return Err(Error::shape(op, shapes(), "the batches are not the same"));
    }
    let mixed = [a, b].iter().any(|x| x.is_complex() != c.is_complex());
    if mixed || !c.dtype().is_float() || [a, b].iter().any(|x| x.dtype() != c.dtype()) {
        let why = "matrices are of one float dtype, and all real or all complex";
        return Err(Error::dtype(op, [a, b, c].map(Matrix::dtype), why));
    }
    Ok(())
}

/// One contraction into a C whose columns lie side by side.
fn run(
    op: &'static str,
    (alpha, a, b): (f64, &Operand, &Operand),
    (beta, c): (f64, &Matrix),
    part: Part,
) -> Result<()> {
    let nb = c.nb();
    let out = &c.flat()?;
    let epilogue = |x: Expr| {
        let x = if alpha == 1.0 { x } else { ops::mul(x, alpha)? };
        let sum = match beta {
            0.0 => x,
            1.0 => ops::add(x, out)?,
            _ => ops::add(x, ops::mul(out, beta)?)?,
        };
        within(part, sum, out, c)
    };
    // Signs of a conjugated A are B's to load, so that A is read as it lies.
    let plain = a.plain();
    let left = match plain {
        true => a.matrix.tensor().expr(),
        false => a.loaded()?,
    };
    let right = match c.is_complex() {
        true => b.expanded(plain && a.conj)?,
        false => b.loaded()?,
    };
    contract_into(
        &Contract {
            op,
            a: &left,
            b: &right,
            axes: [nb, 1, 1 + usize::from(c.is_complex())],
            dtype: c.dtype(),
            epilogue: &epilogue,
        },
        out,
    )
}

/// `C = beta · C`, and zeros where `beta` is.
pub(crate) fn scale(op: &'static str, beta: Complex64, c: &Matrix, part: Part) -> Result<()> {
    if beta == Complex64::ONE && !matches!(part, Part::Hermitian(_)) {
        return Ok(());
    }
    let pairs = c.tensor();
    let scaled = match (beta.re, beta.im) {
        (0.0, 0.0) => Expr::fill(pairs.context(), c.dtype(), pairs.shape(), Num::Float(0.0)),
        (re, 0.0) => ops::mul(pairs, re)?,
        _ => times(pairs, beta)?,
    };
    // What is read crosswise is computed before anything is written.
    let scaled = match beta.im {
        0.0 => scaled,
        _ => scaled.eval()?.expr(),
    };
    let flat = c.paired();
    let result = within_pairs(part, scaled, pairs, flat)?;
    result.eval_into(pairs).map_err(|e| named(op, e))
}

fn named(op: &str, error: Error) -> Error {
    match error {
        Error::Backend { shapes, source, .. } => Error::Backend {
            op: op.to_string(),
            shapes,
            source,
        },
        other => other,
    }
}

/// Pairs times a complex number. Read crosswise: not into the same memory.
pub(crate) fn times(pairs: &Tensor, by: Complex64) -> Result<Expr> {
    let part = Expr::position(pairs.context(), pairs.shape(), -1)?;
    let swapped = pairs.flip(-1)?;
    let cross = ops::mul(swapped, by.im)?;
    let cross = ops::where_(ops::eq(part, 0)?, ops::neg(&cross)?, &cross)?;
    ops::add(ops::mul(pairs, by.re)?, cross)
}

/// New values where the part says, and elsewhere the old ones; `[batch.., m, n]`, or with the pairs
/// flat `[batch.., m, 2n]`.
fn within(part: Part, new: Expr, old: &Tensor, c: &Matrix) -> Result<Expr> {
    let (Part::Triangle(uplo) | Part::Hermitian(uplo)) = part else {
        return Ok(new);
    };
    let (ctx, shape, nb) = (old.context(), old.shape(), c.nb() as i64);
    let i = Expr::position(ctx, shape, nb)?;
    let at = Expr::position(ctx, shape, nb + 1)?;
    let (j, parts) = match c.is_complex() {
        true => (
            ops::shift_right_logical(&at, 1)?,
            Some(ops::bitwise_and(&at, 1)?),
        ),
        false => (at, None),
    };
    masked(part, uplo, (i, j, parts), new, old)
}

/// The same with the pairs as an axis.
pub(crate) fn within_pairs(part: Part, new: Expr, old: &Tensor, paired: Paired) -> Result<Expr> {
    let (Part::Triangle(uplo) | Part::Hermitian(uplo)) = part else {
        return Ok(new);
    };
    let (ctx, shape) = (old.context(), old.shape());
    let i = Expr::position(ctx, shape, paired.rows)?;
    let j = Expr::position(ctx, shape, paired.rows + 1)?;
    let parts = match paired.complex {
        true => Some(Expr::position(ctx, shape, -1)?),
        false => None,
    };
    masked(part, uplo, (i, j, parts), new, old)
}

fn masked(
    part: Part,
    uplo: Uplo,
    (i, j, parts): (Expr, Expr, Option<Expr>),
    new: Expr,
    old: &Tensor,
) -> Result<Expr> {
    let new = match (part, parts) {
        (Part::Hermitian(_), Some(parts)) => {
            let imaginary = ops::logical_and(ops::eq(&i, &j)?, ops::eq(parts, 1)?)?;
            ops::where_(imaginary, 0.0, new)?
        }
        _ => new,
    };
    let inside = match uplo {
        Uplo::Lower => ops::ge(i, j)?,
        Uplo::Upper => ops::le(i, j)?,
    };
    ops::where_(inside, new, old)
}

/// Where the rows of a tensor of a matrix are, and whether pairs follow.
#[derive(Clone, Copy)]
pub(crate) struct Paired {
    rows: i64,
    complex: bool,
}

impl Matrix {
    /// Another tensor of the same axes.
    pub(crate) fn like(of: &Matrix, tensor: &Tensor) -> Result<Matrix> {
        match of.is_complex() {
            true => Matrix::complex(tensor),
            false => Matrix::real(tensor),
        }
    }

    pub(crate) fn paired(&self) -> Paired {
        Paired {
            rows: self.nb() as i64,
            complex: self.is_complex(),
        }
    }

    /// `[batch.., m, n]`, or `[batch.., m, 2n]`: columns, and then their parts, lie side by side.
    fn flat(&self) -> Result<Tensor> {
        let t = self.tensor();
        if !self.is_complex() {
            return Ok(t.clone());
        }
        let nb = self.nb();
        let mut shape = t.shape()[..nb + 2].to_vec();
        let mut strides = t.strides()[..nb + 2].to_vec();
        shape[nb + 1] *= 2;
        strides[nb + 1] = 1;
        t.as_strided(&shape, &strides, t.offset())
    }
}

/// Coordinates of a loader's result.
pub(crate) struct Coords {
    batch: Vec<Expr>,
    shape: Vec<usize>,
    ctx: Context,
}

impl Operand {
    /// Nothing but perhaps signs is to be done to what is stored.
    fn plain(&self) -> bool {
        matches!((self.form, self.storage), (Form::General, Storage::Full))
    }

    /// The elements: `[batch.., m, n]`, and the parts.
    pub(crate) fn loaded(&self) -> Result<Expr> {
        if self.plain() && !self.conj {
            return Ok(self.matrix.tensor().expr());
        }
        let nb = self.matrix.nb();
        let mut shape = self.matrix.batch().to_vec();
        shape.extend([self.m(), self.n()]);
        let complex = self.matrix.is_complex();
        shape.extend(complex.then_some(2));
        let coords = self.coords(&shape)?;
        let part = complex.then(|| coords.position(nb + 2)).transpose()?;
        let (i, j) = (coords.position(nb)?, coords.position(nb + 1)?);
        if self.storage != Storage::Full {
            return self.element(&coords, &i, &j, part, None);
        }
        // Two strided reads are many times as fast as one at computed positions.
        let (straight, turned) = (&self.matrix, self.matrix.t());
        let stored = match self.form {
            Form::Symmetric(uplo) | Form::Hermitian(uplo) => {
                ops::where_(mirrored(uplo, &i, &j)?, turned.tensor(), straight.tensor())?
            }
            Form::General | Form::Triangular(..) => straight.tensor().expr(),
        };
        self.formed(stored, &i, &j, part, None)
    }

    /// B of a complex product, `[batch.., k, 2, 2n]`; of a conjugated A, all rows of imaginary parts
    /// change their sign.
    fn expanded(&self, conj_a: bool) -> Result<Expr> {
        let nb = self.matrix.nb();
        let mut shape = self.matrix.batch().to_vec();
        shape.extend([self.m(), 2, 2 * self.n()]);
        let coords = self.coords(&shape)?;
        let (p, r, c) = (
            coords.position(nb)?,
            coords.position(nb + 1)?,
            coords.position(nb + 2)?,
        );
        let j = ops::shift_right_logical(&c, 1)?;
        let s = ops::bitwise_and(&c, 1)?;
        let part = ops::bitwise_xor(&r, &s)?;
        // Below: -im and re; of a conjugated A, im and -re.
        let opposite = if conj_a { 1 } else { 0 };
        let negative = ops::logical_and(ops::eq(&r, 1)?, ops::eq(&s, opposite)?)?;
        self.element(&coords, &p, &j, Some(part), Some(negative))
    }

    /// Coordinates for a result of a shape that begins with the batch.
    pub(crate) fn coords(&self, shape: &[usize]) -> Result<Coords> {
        let ctx = self.matrix.tensor().context().clone();
        let batch = (0..self.matrix.nb() as i64).map(|axis| Expr::position(&ctx, shape, axis));
        Ok(Coords {
            batch: batch.collect::<Result<_>>()?,
            shape: shape.to_vec(),
            ctx,
        })
    }

    /// What is stored for an element; zero outside a band.
    fn stored(&self, coords: &Coords, i: &Expr, j: &Expr, part: Option<&Expr>) -> Result<Expr> {
        let (i, j) = if self.swapped { (j, i) } else { (i, j) };
        let mut at = coords.batch.clone();
        let outside = match self.storage {
            Storage::Full => {
                at.extend([i.clone(), j.clone()]);
                Outside::Clamp
            }
            Storage::Band { m, ku, .. } => {
                // The corners of the storage are above and below the matrix, and nobody's.
                let inside = ops::logical_and(ops::ge(i, 0)?, ops::lt(i, m as i64)?)?;
                let diagonal = ops::add(ops::sub(i, j)?, ku as i64)?;
                at.extend([ops::where_(inside, diagonal, -1)?, j.clone()]);
                Outside::Fill(Num::Float(0.0))
            }
            Storage::Packed { n, uplo } => {
                let [i, j] = [i, j].map(|x| x.cast(Scalar::I64, CastMode::Saturate));
                let columns = match uplo {
                    Uplo::Upper => ops::mul(&j, ops::add(&j, 1)?)?,
                    Uplo::Lower => ops::mul(&j, ops::sub(2 * n as i64 - 1, &j)?)?,
                };
                let at_column = ops::shift_right_logical(columns, 1)?;
                at.extend([ops::mul(&i, 0)?, ops::add(i, at_column)?]);
                Outside::Clamp
            }
        };
        at.extend(part.cloned());
        Expr::at(self.matrix.tensor(), &at, outside)
    }

    /// Element `(i, j)`, a part of it where it is complex; negated where that is said.
    pub(crate) fn element(
        &self,
        coords: &Coords,
        i: &Expr,
        j: &Expr,
        part: Option<Expr>,
        negative: Option<Expr>,
    ) -> Result<Expr> {
        let (row, column) = match self.form {
            Form::General | Form::Triangular(..) => (i.clone(), j.clone()),
            Form::Symmetric(Uplo::Lower) | Form::Hermitian(Uplo::Lower) => {
                (ops::maximum(i, j)?, ops::minimum(i, j)?)
            }
            Form::Symmetric(Uplo::Upper) | Form::Hermitian(Uplo::Upper) => {
                (ops::minimum(i, j)?, ops::maximum(i, j)?)
            }
        };
        let stored = self.stored(coords, &row, &column, part.as_ref())?;
        self.formed(stored, i, j, part, negative)
    }

    /// Element `(i, j)` from what is stored for it: zeros, ones and signs of the form.
    fn formed(
        &self,
        mut value: Expr,
        i: &Expr,
        j: &Expr,
        part: Option<Expr>,
        negative: Option<Expr>,
    ) -> Result<Expr> {
        let mut signs: Vec<Expr> = negative.into_iter().collect();
        let imaginary = part.map(|p| ops::eq(p, 1)).transpose()?;
        match (self.form, &imaginary) {
            (Form::Triangular(uplo, diag), _) => {
                value = ops::where_(mirrored(uplo, i, j)?, 0.0, value)?;
                if diag == Diag::Unit {
                    let one = number(&value, 1.0);
                    let one = match &imaginary {
                        Some(imaginary) => ops::where_(imaginary, 0.0, one)?,
                        None => one,
                    };
                    value = ops::where_(ops::eq(i, j)?, one, value)?;
                }
            }
            (Form::Hermitian(uplo), Some(imaginary)) => {
                let real = ops::logical_and(ops::eq(i, j)?, imaginary)?;
                value = ops::where_(real, 0.0, value)?;
                signs.push(ops::logical_and(mirrored(uplo, i, j)?, imaginary)?);
            }
            _ => {}
        }
        if let (true, Some(imaginary)) = (self.conj, &imaginary) {
            signs.push(imaginary.clone());
        }
        let sign = signs
            .into_iter()
            .map(Ok)
            .reduce(|a, b| ops::logical_xor(a?, b?));
        match sign {
            Some(sign) => ops::where_(sign?, ops::neg(&value)?, value),
            None => Ok(value),
        }
    }

    /// With every element where it belongs, so that blocks can be cut out.
    pub(crate) fn full(&self) -> Result<Operand> {
        match self.storage {
            Storage::Full => Ok(self.clone()),
            _ => self.dense(Complex64::ONE),
        }
    }

    /// With every element stored.
    pub(crate) fn general(&self) -> Result<Operand> {
        match self.plain() {
            true => Ok(self.clone()),
            false => self.dense(Complex64::ONE),
        }
    }

    /// A copy of its elements, times a number.
    pub(crate) fn dense(&self, by: Complex64) -> Result<Operand> {
        let copy = Matrix::like(&self.matrix, &ops::copy(self.loaded()?)?.eval()?)?;
        if by == Complex64::ONE {
            return Ok(copy.into());
        }
        let scaled = match copy.is_complex() {
            true => times(copy.tensor(), by)?,
            false => ops::mul(copy.tensor(), by.re)?,
        };
        Ok(Operand::from(Matrix::like(&copy, &scaled.eval()?)?))
    }
}

impl Coords {
    /// Those of the batch.
    pub(crate) fn batch(&self) -> &[Expr] {
        &self.batch
    }

    /// A position in the result.
    pub(crate) fn position(&self, axis: usize) -> Result<Expr> {
        Expr::position(&self.ctx, &self.shape, axis as i64)
    }
}

/// Whether an element is in the triangle that is not stored.
fn mirrored(uplo: Uplo, i: &Expr, j: &Expr) -> Result<Expr> {
    match uplo {
        Uplo::Lower => ops::lt(i, j),
        Uplo::Upper => ops::gt(i, j),
    }
}

fn number(like: &Expr, value: f64) -> Expr {
    Expr::scalar(like.dtype(), Num::Float(value))
}
