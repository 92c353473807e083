//! Contractions: products of matrices, which are the last two axes, and convolutions.

use super::call::{Array, Attrs, Call, positions};
use super::{Kind, Limit, Row};
use crate::num::Num;
use crate::reference::dd::Dd;
use suanzi_codegen::Scalar::{self, *};

pub mod conv;

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "matmul",
        doc: "Products of matrices, the last two axes, in batches that broadcast. f16 and bf16 accumulate in f32; products of i8 and of u8 are i32; i32 and i64 wrap.",
        dtypes: &[I8, U8, I32, I64, F16, Bf16, F32, F64],
        kind: Kind::Call(Call {
            examples: EDGES,
            creates: false,
            run: |_, x, _| Ok(vec![functions::matmul(&x[0], &x[1])?]),
            reference: |x, _| product(x, 1.0, None),
        }),
        limit: chained,
    },
    &Row {
        name: "gemm",
        doc: "alpha · A · B + beta · C, matrices being the last two axes, in batches that broadcast. C is not read where beta is 0.",
        dtypes: &[F16, Bf16, F32, F64],
        kind: Kind::Call(Call {
            examples: &[
                "5x3@T:3x7,T:5x7,alpha=0.5,beta=2",
                "13x40@T:40x35:moderate,T:13x35:moderate,alpha=-1.5,beta=0.25,x=moderate",
                // NaN in C would show.
                "13x9@T:9x35:moderate,T:13x35,alpha=1,beta=0,x=moderate",
                "2x24x9@T:9x33:moderate,T:2x24x33:moderate,alpha=1,beta=1,x=moderate",
                "33x8@T:8x65:moderate,T:1x65:moderate,alpha=0,beta=1,x=moderate",
                // Whole tiles of every configuration, and their edges.
                "129x9@T:9x131:moderate,T:129x131:moderate,alpha=-1.5,beta=0.25,x=moderate",
                "12x0@T:0x32,T:12x32:moderate,alpha=1,beta=-1",
                "0x4@T:4x3,T:0x3,alpha=1,beta=1",
                "3x4@T:4x3,T:4x3,alpha=1,beta=1",
            ],
            creates: false,
            run: |_, x, a| {
                let (alpha, beta) = scales(a);
                Ok(vec![functions::gemm(alpha, &x[0], &x[1], beta, &x[2])?])
            },
            reference: |x, a| {
                let (alpha, beta) = scales(a);
                product(x, alpha, Some((beta, x.get(2)?)))
            },
        }),
        limit: chained,
    },
    &conv::CONV,
];

/// The edges of every tile and of the steps along k; batches; what is empty or does not fit.
const EDGES: &[&str] = &[
    "5x3@T:3x7",
    "12x16@T:16x32:moderate,x=moderate",
    "11x17@T:17x31:moderate,x=moderate",
    "13x15@T:15x33:moderate,x=moderate",
    "24x1@T:1x64:moderate,x=moderate",
    "25x2@T:2x65:moderate,x=moderate",
    "1x70@T:70x1:moderate,x=moderate",
    "1x9@T:9x40:moderate,x=moderate",
    "40x9@T:9x1:moderate,x=moderate",
    "2x3@T:3x2:moderate,x=moderate",
    "31x8@T:8x15:moderate,x=moderate",
    "33x7@T:7x16:moderate,x=moderate",
    "32x32@T:32x32:moderate,x=moderate",
    "63x31@T:31x17:moderate,x=moderate",
    "64x33@T:33x64:moderate,x=moderate",
    "65x16@T:16x63:moderate,x=moderate",
    "127x9@T:9x129:moderate,x=moderate",
    "128x8@T:8x128:moderate,x=moderate",
    "129x24@T:24x127:moderate,x=moderate",
    "3x513@T:513x5:moderate,x=moderate",
    // Pieces of k, of several tiles down and across, and one that ends with its piece.
    "25x383@T:383x33:moderate,x=moderate",
    "24x768@T:768x63:moderate,x=moderate",
    "26x385@T:385x65:moderate,x=moderate",
    // More than one block.
    "513x3@T:3x513:moderate,x=moderate",
    "1025x2@T:2x511:moderate,x=moderate",
    // So many blocks that panels of B are packed before.
    "1537x3@T:3x129:moderate,x=moderate",
    "3x14x5@T:3x5x18:moderate,x=moderate",
    "2x1x13x6@T:3x6x34:moderate,x=moderate",
    "4x9@T:2x3x9x5:moderate,x=moderate",
    "3x2x5x4@T:4x3:moderate,x=moderate",
    "5x0@T:0x7",
    "2x0x4@T:4x3",
    "4x3@T:3x0",
    "0x3x4@T:4x5",
    "5x3@T:4x7",
    "2x5x3@T:3x3x7",
    "3@T:3x2",
];

fn scales(a: &Attrs) -> (f64, f64) {
    (a.float("alpha", 1.0), a.float("beta", 0.0))
}

/// A chain of k products, each rounded with the sum: half a unit each. What follows is counted in k.
fn chained(_: Scalar) -> Limit {
    Limit::Sum(0.5)
}

/// The dtype of a product of matrices of a dtype.
const fn sums(dtype: Scalar) -> Scalar {
    match dtype {
        I8 | U8 => I32,
        other => other,
    }
}

/// `alpha · A · B + beta · C`, with twice the bits of f64, and what its error is relative to.
fn product(x: &[Array], alpha: f64, added: Option<(f64, &Array)>) -> Option<Vec<Array>> {
    let (a, b) = (&x[0], x.get(1)?);
    let [batch_a @ .., m, k] = &a.shape[..] else {
        return None;
    };
    let [batch_b @ .., k_b, n] = &b.shape[..] else {
        return None;
    };
    if k != k_b {
        return None;
    }
    let mut shape = joined(batch_a, batch_b)?;
    shape.extend([*m, *n]);
    if let Some((_, c)) = added
        && joined(&c.shape, &shape)? != shape
    {
        return None;
    }
    let mut out = Array::new(sums(a.dtype), &shape, vec![]);
    for at in positions(&shape) {
        let (batch, i, j) = match &at[..] {
            [batch @ .., i, j] => (batch, *i, *j),
            _ => return None,
        };
        let near = |array: &Array, row: usize, column: usize| {
            let at = [
                &within(batch, &array.shape[..array.shape.len() - 2])[..],
                &[row, column],
            ];
            array.at(&at.concat())
        };
        let terms = (0..*k).map(|p| (near(a, i, p), near(b, p, j)));
        let own = added.map(|(beta, c)| (beta, c.at(&within(&at, &c.shape))));
        dot(&mut out, terms, alpha, own);
    }
    Some(vec![out])
}

/// Appends `alpha · Σ x · y + beta · c`, and what its error is relative to.
fn dot(
    out: &mut Array,
    terms: impl Iterator<Item = (Num, Num)>,
    alpha: f64,
    added: Option<(f64, Num)>,
) {
    if !out.dtype.is_float() {
        let sum = terms.fold(0i128, |sum, (x, y)| sum.wrapping_add(x.int() * y.int()));
        let sum = added.map_or(sum, |(_, c)| sum.wrapping_add(c.int()));
        out.values.push(Num::Int(sum));
        return;
    }
    let least = match out.dtype {
        F64 => f64::MIN_POSITIVE,
        _ => f32::MIN_POSITIVE.into(),
    };
    let (mut sum, mut size, mut steps) = (Dd::ZERO, 0.0, 0.0);
    for (x, y) in terms.map(|(x, y)| (x.float(), y.float())) {
        sum = sum + Dd::product(x, y);
        size += (x * y).abs();
        steps += 1.0;
    }
    if let Some((beta, c)) = added {
        sum = sum * Dd::from(alpha);
        (size, steps) = (size * alpha.abs(), steps + 3.0);
        if beta != 0.0 {
            sum = sum + Dd::product(beta, c.float());
            size += (beta * c.float()).abs();
        }
    }
    out.values.push(Num::Float(sum.rounded()));
    out.scale.push(steps * (size + least));
}

/// Two shapes broadcast.
fn joined(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let length = |s: &[usize], axis: usize| match (axis + s.len()).checked_sub(rank) {
        Some(own) => s[own],
        None => 1,
    };
    (0..rank)
        .map(|axis| match (length(a, axis), length(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// A position of a broadcast shape in one that was broadcast to it.
fn within(at: &[usize], shape: &[usize]) -> Vec<usize> {
    let own = at[at.len() - shape.len()..].iter().zip(shape);
    own.map(|(&p, &d)| if d == 1 { 0 } else { p }).collect()
}

/// One function for each row, and what it is made of.
pub mod functions {
    pub use super::conv::functions::*;
    use super::{Scalar, sums};
    use crate::skeleton::{Contract, Reach, Wanted, contract};
    use crate::{Error, Expr, Result, Tensor, ops, shape};

    /// Products of matrices: `[.., m, k] · [.., k, n]`, batches broadcast. Any strides.
    ///
    /// Floats are summed in f32 (f64 in f64), k ascending; products of i8 and of u8 are i32, other
    /// integers wrap.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are not two axes, k differs, or batches do not broadcast;
    /// [`Error::Dtype`] where the dtypes differ or are not taken; [`Error::Device`],
    /// [`Error::Backend`].
    pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
        product("matmul", a, b, &Ok)
    }

    /// Products of matrices with an epilogue: an expression on the sums, of their shape and dtype (a
    /// scale, a bias, an activation, a cast), which runs in the same kernel.
    ///
    /// ```
    /// # use suanzi_backends::Context;
    /// # use suanzi_ops::{Tensor, ops};
    /// # let ctx = Context::open("cpu")?;
    /// let a = Tensor::from_slice(&ctx, &[1, 2], &[1.0f32, 2.0])?;
    /// let b = Tensor::from_slice(&ctx, &[2, 2], &[1.0f32, -3.0, 1.0, -3.0])?;
    /// let bias = Tensor::from_slice(&ctx, &[2], &[0.5f32, 0.5])?;
    /// let y = ops::matmul_with(&a, &b, |x| ops::relu(ops::add(x, &bias)?))?;
    /// assert_eq!(y.to_vec::<f32>()?, [3.5, 0.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`matmul`], those of the epilogue, and [`Error::Shape`] where its shape is another.
    pub fn matmul_with(
        a: &Tensor,
        b: &Tensor,
        epilogue: impl Fn(Expr) -> Result<Expr>,
    ) -> Result<Tensor> {
        product("matmul", a, b, &epilogue)
    }

    /// `alpha · A · B + beta · C` as a new tensor; C broadcasts to the products' shape, and is not read
    /// where beta is 0.
    ///
    /// # Errors
    /// As [`matmul`]; floats only.
    pub fn gemm(alpha: f64, a: &Tensor, b: &Tensor, beta: f64, c: &Tensor) -> Result<Tensor> {
        let op = "gemm";
        let takes = |t: &Tensor| t.dtype() == a.dtype() && t.dtype().is_float();
        if !takes(b) || !takes(c) {
            let why = "it takes three matrices of one float dtype";
            return Err(Error::dtype(op, [a, b, c].map(Tensor::dtype), why));
        }
        let scaled = |x: Expr| {
            let fits = shape::broadcast(op, [x.shape(), c.shape()])? == x.shape();
            if !fits {
                let why = "C does not broadcast to the product's shape";
                return Err(Error::shape(op, [a.shape(), b.shape(), c.shape()], why));
            }
            let x = if alpha == 1.0 { x } else { ops::mul(x, alpha)? };
            match beta {
                0.0 => Ok(x),
                1.0 => ops::add(x, c),
                _ => ops::add(x, ops::mul(c, beta)?),
            }
        };
        product(op, a, b, &scaled)
    }

    fn product(
        op: &'static str,
        a: &Tensor,
        b: &Tensor,
        epilogue: &dyn Fn(Expr) -> Result<Expr>,
    ) -> Result<Tensor> {
        let shapes = || [a.shape(), b.shape()];
        let ([batch_a @ .., m, k], [batch_b @ .., k_b, n]) = (a.shape(), b.shape()) else {
            return Err(Error::shape(op, shapes(), "matrices have two axes or more"));
        };
        if k != k_b {
            let why = "columns of the first are not as many as rows of the second";
            return Err(Error::shape(op, shapes(), why));
        }
        let dtypes = super::super::row(op)?.dtypes;
        if a.dtype() != b.dtype() || !dtypes.contains(&a.dtype()) {
            let takes: Vec<&str> = dtypes.iter().map(|d| d.name()).collect();
            let why = format!("it takes two matrices of one of {}", takes.join(" "));
            return Err(Error::dtype(op, [a.dtype(), b.dtype()], why));
        }
        let batch = shape::broadcast(op, [batch_a, batch_b])?;
        let full = |rows: usize, columns: usize| [&batch[..], &[rows, columns]].concat();
        let dtype: Scalar = sums(a.dtype());
        let (a, b) = (a.expand(&full(*m, *k))?, b.expand(&full(*k, *n))?);
        contract(&Contract {
            op,
            a: &a.expr(),
            b: &b.expr(),
            axes: [batch.len(), 1, 1],
            dtype,
            epilogue,
            wanted: Wanted::Whole,
            reach: Reach::All,
            packed: None,
        })
    }
}
