//! How elements of operands are loaded: what is stored for them, and what their form makes of it.

use crate::matrix::{Diag, Form, Matrix, Operand, Storage, Uplo};
use crate::product::times;
use num_complex::Complex64;
use suanzi_backends::Context;
use suanzi_codegen::ir::CastMode;
use suanzi_ops::{Expr, Num, Outside, Result, Scalar, Tensor, ops};

/// Coordinates of a loader's result.
pub(crate) struct Coords {
    batch: Vec<Expr>,
    shape: Vec<usize>,
    ctx: Context,
}

impl Operand {
    /// Nothing but perhaps signs is to be done to what is stored.
    pub(crate) fn plain(&self) -> bool {
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
    pub(crate) fn expanded(&self, conj_a: bool) -> Result<Expr> {
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
        if let Some(places) = &self.places {
            return self.scattered(places, coords, [i, j], part);
        }
        let outside = match self.storage {
            Storage::Full | Storage::Scattered => {
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

    /// An element of a matrix that begins where a table says.
    fn scattered(
        &self,
        places: &Tensor,
        coords: &Coords,
        [i, j]: [&Expr; 2],
        part: Option<&Expr>,
    ) -> Result<Expr> {
        let t = self.matrix.tensor();
        let mut at = Expr::at(places, &coords.batch[..1], Outside::Clamp)?;
        let own = coords.batch[1..].iter().chain([i, j]).chain(part);
        for (coordinate, &stride) in own.zip(&t.strides()[1..]) {
            let coordinate = coordinate.cast(Scalar::I64, CastMode::Saturate);
            at = ops::add(at, ops::mul(coordinate, stride)?)?;
        }
        let memory = t.as_strided(&[t.capacity()], &[1], 0)?;
        Expr::at(&memory, &[at], Outside::Clamp)
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
        let loaded = self.loaded()?;
        if by == Complex64::ONE {
            let copy = ops::copy(loaded)?.eval()?;
            return Ok(Matrix::like(&self.matrix, &copy)?.into());
        }
        let copy = Matrix::like(&self.matrix, &ops::copy(wide(loaded))?.eval()?)?;
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

/// In the kind that sums are held in.
pub(crate) fn wide(x: impl Into<Expr>) -> Expr {
    let x = x.into();
    match x.dtype() {
        Scalar::F16 | Scalar::Bf16 => x.cast(Scalar::F32, CastMode::Saturate),
        _ => x,
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
