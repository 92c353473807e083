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
//!
//! C may be wider than A and B: the epilogue rounds to what C is.

use crate::matrix::{Form, Matrix, Operand, Uplo};
use crate::overlap::apart;
use num_complex::Complex64;
use suanzi_ops::{
    Contract, Error, Expr, Num, Reach, Result, Scalar, Tensor, Wanted, contract_into, ops,
};

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

impl Part {
    /// The tiles that have something of it.
    fn tiles(self, c: &Matrix) -> Wanted {
        let columns = 1 + u32::from(c.is_complex());
        match self {
            Part::Whole => Wanted::Whole,
            Part::Triangle(Uplo::Lower) | Part::Hermitian(Uplo::Lower) => Wanted::Lower(columns),
            Part::Triangle(Uplo::Upper) | Part::Hermitian(Uplo::Upper) => Wanted::Upper(columns),
        }
    }
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
    factor(op, "alpha", alpha, c)?;
    factor(op, "beta", beta, c)?;
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

pub(crate) fn check(op: &str, a: &Operand, b: &Operand, c: &Matrix) -> Result<()> {
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
    let pairs = c.is_complex() && !c.dtype().is_float();
    if mixed || pairs || !takes([a.dtype(), b.dtype()], c.dtype()) {
        let why = "A, B and C are of one float dtype, all real or all complex; or C is f32 beside f16 or bf16, \
                   or i32 beside 8-bit integers";
        return Err(Error::dtype(op, [a, b, c].map(Matrix::dtype), why));
    }
    let operands = [("A", a.tensor()), ("B", b.tensor())];
    apart(op, ("C", c.tensor()), &operands)
}

/// Whether products of two dtypes may go into a third one.
fn takes([a, b]: [Scalar; 2], c: Scalar) -> bool {
    let byte = |x| matches!(x, Scalar::I8 | Scalar::U8);
    match c {
        Scalar::I32 => byte(a) && byte(b),
        Scalar::F32 => a == b && matches!(a, Scalar::F16 | Scalar::Bf16 | Scalar::F32),
        _ => c.is_float() && a == c && b == c,
    }
}

/// Refuses a factor that matrices of C's kind cannot be multiplied by.
pub(crate) fn factor(op: &str, name: &str, value: Complex64, c: &Matrix) -> Result<()> {
    real_factor(op, name, value, c.is_complex())?;
    let whole = value.re.fract() == 0.0 && value.re.abs() <= f64::from(i32::MAX);
    match c.dtype() {
        Scalar::I32 if !whole => {
            let why = format!("{name} is {value}; where C is i32 it is a whole number");
            Err(Error::value(op, why))
        }
        _ => Ok(()),
    }
}

/// Refuses a complex factor of what is real.
pub(crate) fn real_factor(op: &str, name: &str, value: Complex64, complex: bool) -> Result<()> {
    match complex || value.im == 0.0 {
        true => Ok(()),
        false => {
            let why = format!("{name} is {value}; of real matrices and vectors it is real");
            Err(Error::value(op, why))
        }
    }
}

/// A real factor as a constant of a dtype.
fn constant(dtype: Scalar, value: f64) -> Expr {
    match dtype.is_float() {
        true => value.into(),
        false => Expr::scalar(dtype, Num::Int(value as i128)),
    }
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
        let by = |factor| constant(out.dtype(), factor);
        let x = if alpha == 1.0 {
            x
        } else {
            ops::mul(x, by(alpha))?
        };
        let sum = match beta {
            0.0 => x,
            1.0 => ops::add(x, out)?,
            _ => ops::add(x, ops::mul(out, by(beta))?)?,
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
            wanted: part.tiles(c),
            reach: reach(a, b, c),
            packed: None,
        },
        out,
    )
}

/// The steps along k that a triangular factor leaves.
fn reach(a: &Operand, b: &Operand, c: &Matrix) -> Reach {
    let parts = 1 + u32::from(c.is_complex());
    match (a.form, b.form) {
        (Form::Triangular(Uplo::Lower, _), _) => Reach::Until { axis: 0, parts },
        (Form::Triangular(Uplo::Upper, _), _) => Reach::From { axis: 0, parts },
        (_, Form::Triangular(Uplo::Upper, _)) => Reach::Until { axis: 1, parts },
        (_, Form::Triangular(Uplo::Lower, _)) => Reach::From { axis: 1, parts },
        _ => Reach::All,
    }
}

/// `C = beta · C`, and zeros where `beta` is.
pub(crate) fn scale(op: &'static str, beta: Complex64, c: &Matrix, part: Part) -> Result<()> {
    if beta == Complex64::ONE && !matches!(part, Part::Hermitian(_)) {
        return Ok(());
    }
    let pairs = c.tensor();
    let scaled = match (beta.re, beta.im) {
        (0.0, 0.0) => {
            let zero = Num::from_bits(c.dtype(), 0);
            Expr::fill(pairs.context(), c.dtype(), pairs.shape(), zero)
        }
        (re, 0.0) => ops::mul(pairs, constant(c.dtype(), re))?,
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
