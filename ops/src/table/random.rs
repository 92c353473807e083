//! Random numbers: Philox 4x32-10 as a map from position to bits, so that the same seed gives the
//! same numbers on every device, in any kernel they are fused into, and any part can be drawn alone.
//!
//! Block n of a [`Stream`] is Philox of the counter `(offset + n, stream)` (two 64-bit numbers, low
//! words first) under the key `seed`: four words. Element i takes word i, or words 2i and 2i + 1
//! where it needs 64 bits; normal numbers come in pairs from four words.

mod philox;

use super::call::{Array, Attrs, Call};
use super::{FLOATS, INTS, Kind, Limit, Row, exact};
use crate::error::{Error, Result};
use crate::num::{Num, int_range};
use crate::reference::random as reference;
use crate::{Expr, Tensor};
use philox::{BOX_MULLER_F32, BOX_MULLER_F64, MUL_HIGH, PAIR, WORD, draw, positions, unit};
use suanzi_backends::Context;
use suanzi_codegen::Scalar;
use suanzi_codegen::ir::CastMode;

/// Where random numbers come from: a seed, and a place in what it gives. A `u64` is a seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stream {
    /// The key.
    pub seed: u64,
    /// One of 2^64 sequences that have nothing to do with each other.
    pub stream: u64,
    /// Blocks of four words that are skipped.
    pub offset: u64,
}

impl From<u64> for Stream {
    fn from(seed: u64) -> Stream {
        Stream {
            seed,
            ..Stream::default()
        }
    }
}

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "random_bits",
        doc: "Words of Philox 4x32-10 as u32.",
        dtypes: &[Scalar::U32],
        kind: creating(
            &[
                "1000@seed=7",
                "0@seed=1",
                "0d@seed=2",
                "5x7@seed=3,stream=9,offset=5",
                "19@seed=-1,stream=-1,offset=-2",
                "3x4099@seed=123456789123",
            ],
            |ctx, _, a| evaluated(functions::random_bits(ctx, &a.shape, stream(a))),
            |_, a| drawn(a, |s, i| Num::Int(reference::word(s, i).into())),
        ),
        limit: exact,
    },
    &Row {
        name: "uniform",
        doc: "Evenly from `[low, high)`: `low + u·(high - low)` with u of 24 random bits (f64: 53), in one fused step; f16 and bf16 round that, and what reaches `high` becomes the number before it.",
        dtypes: FLOATS,
        kind: creating(
            &[
                "1000@seed=7",
                "0@",
                "77x3@seed=3,low=-2.5,high=7",
                "5000@low=1,high=1.01",
                "9@low=1,high=1",
                "9@low=2,high=1",
                "9@low=-1e308,high=1e308",
            ],
            |ctx, _, a| {
                let (low, high) = interval(a);
                let from = stream(a);
                evaluated(functions::uniform(ctx, a.dtype, &a.shape, low, high, from))
            },
            |_, a| {
                let (low, high) = interval(a);
                span(a.dtype, low, high)?;
                drawn(a, |s, i| reference::uniform(a.dtype, low, high, s, i))
            },
        ),
        limit: exact,
    },
    &Row {
        name: "normal",
        doc: "Normal numbers of a mean and a standard deviation, by Box and Muller's transform of pairs of words (f64: pairs of two). Errors are counted as at 1, or above.",
        dtypes: FLOATS,
        kind: creating(
            &[
                "1000@seed=7",
                "0@",
                "33x5@seed=3,mean=10,std=0.5",
                "1@seed=5",
                "4096@seed=11,std=3",
            ],
            |ctx, _, a| {
                let (mean, std) = (a.float("mean", 0.0), a.float("std", 1.0));
                let from = stream(a);
                evaluated(functions::normal(ctx, a.dtype, &a.shape, mean, std, from))
            },
            |_, a| {
                let (mean, std) = (a.float("mean", 0.0), a.float("std", 1.0));
                drawn(a, |s, i| reference::normal(a.dtype, mean, std, s, i))
            },
        ),
        limit: |t| match t {
            Scalar::F32 | Scalar::F64 => Limit::UlpAbove(8.0, 1.0),
            _ => Limit::UlpAbove(0.502, 1.0),
        },
    },
    &Row {
        name: "bernoulli",
        doc: "True with probability p, to 24 bits: never where p is not above 0 or NaN, always from 1 on.",
        dtypes: &[Scalar::Bool],
        kind: creating(
            &[
                "1000@seed=7",
                "0@",
                "9x9@p=0",
                "9x9@p=1",
                "500@p=0.01,seed=4",
            ],
            |ctx, _, a| {
                let p = a.float("p", 0.5);
                evaluated(functions::bernoulli(ctx, &a.shape, p, stream(a)))
            },
            |_, a| {
                let p = a.float("p", 0.5) as f32;
                drawn(a, |s, i| Num::Bool(reference::unit(s, i) < p))
            },
        ),
        limit: exact,
    },
    &Row {
        name: "random_integers",
        doc: "Evenly from `low..high`: the upper half of the product of 64 random bits with `high - low`, so that no number is more probable than another by more than `(high - low)/2^64`.",
        dtypes: INTS,
        kind: creating(
            &[
                "1000@low=0,high=100,seed=7",
                "0@high=5",
                "3x50@low=3,high=4",
                "9@low=5,high=5",
                "9@low=-3,high=9",
                "9@low=0,high=300",
                "99@low=10,high=127,stream=3",
            ],
            |ctx, _, a| {
                let (low, high) = (a.int("low", 0), a.int("high", 10));
                let y = functions::random_integers(ctx, a.dtype, &a.shape, low, high, stream(a));
                evaluated(y)
            },
            |_, a| {
                let (low, high) = (a.int("low", 0), a.int("high", 10));
                range("random_integers", a.dtype, low, high).ok()?;
                drawn(a, |s, i| {
                    let far = u128::from(reference::pair(s, i)) * u128::from(high.abs_diff(low));
                    Num::Int(i128::from(low) + (far >> 64) as i128)
                })
            },
        ),
        limit: exact,
    },
    &Row {
        name: "permutation",
        doc: "The numbers `0..n` in random order, as i64: the order that sorts 64 random bits for each.",
        dtypes: &[Scalar::I64],
        kind: creating(
            &["100@seed=7", "0@", "1@", "3000@seed=8,stream=2"],
            |ctx, _, a| Ok(vec![functions::permutation(ctx, a.shape[0], stream(a))?]),
            |_, a| {
                let keys: Vec<u64> = (0..a.shape[0])
                    .map(|i| reference::pair(stream(a), i))
                    .collect();
                let mut order: Vec<usize> = (0..keys.len()).collect();
                order.sort_by_key(|&i| keys[i]);
                let values = order.iter().map(|&i| Num::Int(i as i128)).collect();
                Some(vec![Array::new(Scalar::I64, &a.shape, values)])
            },
        ),
        limit: exact,
    },
    &Row {
        name: "dropout",
        doc: "0 with probability p (below 1), else `x/(1 - p)`, the factor rounded to f32 (f64: f64). What stays is where `dropout_mask` is true.",
        dtypes: FLOATS,
        kind: Kind::Call(Call {
            examples: &[
                "1000@p=0.25,seed=7",
                "0@p=0.5",
                "13x21@p=0",
                "9@p=1",
                "9@p=-0.5",
                "40x3@p=0.9",
            ],
            creates: false,
            run: |_, t, a| evaluated(functions::dropout(&t[0], a.float("p", 0.5), stream(a))),
            reference: |x, a| {
                let p = a.float("p", 0.5);
                (0.0..1.0).contains(&p).then_some(())?;
                let factor = Num::Float(1.0 / (1.0 - p)).round(super::compute_kind(x[0].dtype));
                let y = |i: usize| match reference::unit(stream(a), i) >= p as f32 {
                    true => {
                        let y = x[0].values[i].float() * factor.float();
                        Num::Float(y).round(super::compute_kind(x[0].dtype))
                    }
                    false => Num::Float(0.0),
                };
                let values = (0..x[0].values.len()).map(y).collect();
                Some(vec![Array::new(x[0].dtype, &x[0].shape, values)])
            },
        }),
        limit: exact,
    },
];

type Run = fn(&Context, &[Tensor], &Attrs) -> Result<Vec<Tensor>>;

const fn creating(
    examples: &'static [&'static str],
    run: Run,
    reference: fn(&[Array], &Attrs) -> Option<Vec<Array>>,
) -> Kind {
    Kind::Call(Call {
        examples,
        creates: true,
        run,
        reference,
    })
}

fn stream(a: &Attrs) -> Stream {
    Stream {
        seed: a.int("seed", 0) as u64,
        stream: a.int("stream", 0) as u64,
        offset: a.int("offset", 0) as u64,
    }
}

fn interval(a: &Attrs) -> (f64, f64) {
    (a.float("low", 0.0), a.float("high", 1.0))
}

fn evaluated(expr: Result<Expr>) -> Result<Vec<Tensor>> {
    Ok(vec![expr?.eval()?])
}

fn drawn(a: &Attrs, f: impl Fn(Stream, usize) -> Num) -> Option<Vec<Array>> {
    let count = a.shape.iter().product();
    let values = (0..count).map(|i| f(stream(a), i)).collect();
    Some(vec![Array::new(a.dtype, &a.shape, values)])
}

/// The length of an interval, if it and both ends are finite in a dtype and it is not empty.
fn span(dtype: Scalar, low: f64, high: f64) -> Option<f64> {
    let kind = super::compute_kind(dtype);
    let rounded = |v: f64| Num::Float(v).round(dtype).float();
    let length = Num::Float(high - low).round(kind).float();
    let fine = rounded(low) < rounded(high) && length.is_finite();
    (fine && rounded(low).is_finite() && rounded(high).is_finite()).then_some(length)
}

fn range(op: &str, dtype: Scalar, low: i64, high: i64) -> Result<u64> {
    let (least, most) = match dtype.is_int() {
        true => int_range(dtype),
        false => return Err(Error::dtype(op, [dtype], "it makes integers")),
    };
    let (first, last) = (i128::from(low), i128::from(high) - 1);
    if last < first || first < least || last > most {
        let why = format!("{low}..{high} is empty or not within {dtype}");
        return Err(Error::value(op, why));
    }
    Ok(high.abs_diff(low))
}

fn float_kind(op: &str, dtype: Scalar) -> Result<Scalar> {
    match dtype.is_float() {
        true => Ok(super::compute_kind(dtype)),
        false => Err(Error::dtype(op, [dtype], "it makes floats")),
    }
}

/// One function for each row.
pub mod functions {
    use super::*;
    use crate::ops;

    pub use super::Stream;

    /// Random bits as u32: the words of a Philox stream. Lazy.
    ///
    /// # Errors
    /// Where the shape has too many elements.
    pub fn random_bits(ctx: &Context, shape: &[usize], from: impl Into<Stream>) -> Result<Expr> {
        draw(&WORD, &positions(ctx, shape)?, from.into())
    }

    /// Floats evenly from `[low, high)`. Lazy.
    ///
    /// # Errors
    /// Where the dtype is no float, or the interval is empty or not finite in it.
    pub fn uniform(
        ctx: &Context,
        dtype: Scalar,
        shape: &[usize],
        low: f64,
        high: f64,
        from: impl Into<Stream>,
    ) -> Result<Expr> {
        let kind = float_kind("uniform", dtype)?;
        let length = span(dtype, low, high).ok_or_else(|| {
            let why = format!("[{low}, {high}) is empty, or not finite in {dtype}");
            Error::value("uniform", why)
        })?;
        let u = unit(ctx, kind, shape, from.into())?;
        let y = ops::fma(u, length, low)?.cast(dtype, CastMode::Saturate);
        let last = reference::before(dtype, Num::Float(high).round(dtype).float());
        ops::minimum(y, Expr::scalar(dtype, Num::Float(last)))
    }

    /// Normal numbers of a mean and a standard deviation. Lazy.
    ///
    /// # Errors
    /// Where the dtype is no float.
    pub fn normal(
        ctx: &Context,
        dtype: Scalar,
        shape: &[usize],
        mean: f64,
        std: f64,
        from: impl Into<Stream>,
    ) -> Result<Expr> {
        let kind = float_kind("normal", dtype)?;
        let (from, at) = (from.into(), positions(ctx, shape)?);
        let odd = ops::bitwise_and(&at, 1)?;
        let (radius, angle) = match kind {
            Scalar::F64 => {
                let first = draw(&PAIR, &ops::sub(&at, &odd)?, from)?;
                let second = draw(&PAIR, &ops::bitwise_or(&at, 1)?, from)?;
                let k = ops::shift_right_logical(first, 11)?;
                let k = ops::add(k, 1)?.cast(kind, CastMode::Saturate);
                (
                    ops::mul(k, 2f64.powi(-53))?,
                    ops::shift_right_logical(second, 11)?,
                )
            }
            _ => {
                let pair = draw(&PAIR, &ops::shift_right_logical(&at, 1)?, from)?;
                let low = pair.cast(Scalar::U32, CastMode::Wrap);
                let low = low.cast(kind, CastMode::Saturate);
                let u = ops::fma(low, 2f64.powi(-32), 2f64.powi(-33))?;
                (u, ops::shift_right_logical(pair, 40)?)
            }
        };
        let (row, unit) = match kind {
            Scalar::F64 => (&BOX_MULLER_F64, 2f64.powi(-52)),
            _ => (&BOX_MULLER_F32, 2f64.powi(-23)),
        };
        // cos(π(t - ½)) = sin(πt)
        let quarter = ops::mul(odd.cast(kind, CastMode::Saturate), -0.5)?;
        let angle = ops::fma(angle.cast(kind, CastMode::Saturate), unit, quarter)?;
        let z = Expr::apply(row, &[radius, angle])?;
        Ok(ops::fma(z, std, mean)?.cast(dtype, CastMode::Saturate))
    }

    /// True with probability p, which broadcasts to the shape; NaN is 0. Lazy.
    ///
    /// # Errors
    /// Where p is no float, or does not broadcast to the shape.
    pub fn bernoulli(
        ctx: &Context,
        shape: &[usize],
        p: impl Into<Expr>,
        from: impl Into<Stream>,
    ) -> Result<Expr> {
        let p = p.into();
        float_kind("bernoulli", p.dtype())?;
        if crate::shape::broadcast("bernoulli", [p.shape(), shape])? != shape {
            let why = "the probabilities do not broadcast to the shape";
            return Err(Error::shape("bernoulli", [p.shape(), shape], why));
        }
        let u = unit(ctx, Scalar::F32, shape, from.into())?;
        ops::lt(u, p.cast(Scalar::F32, CastMode::Saturate))
    }

    /// Integers evenly from `low..high`. Lazy.
    ///
    /// # Errors
    /// Where the dtype is no integer, or the range is empty or not within it.
    pub fn random_integers(
        ctx: &Context,
        dtype: Scalar,
        shape: &[usize],
        low: i64,
        high: i64,
        from: impl Into<Stream>,
    ) -> Result<Expr> {
        let length = range("random_integers", dtype, low, high)?;
        let word = |v: i128| Expr::scalar(Scalar::U64, Num::Int(v));
        let bits = draw(&PAIR, &positions(ctx, shape)?, from.into())?;
        let far = Expr::apply(&MUL_HIGH, &[bits, word(length.into())])?;
        let y = ops::add(far, word(low.into()))?;
        Ok(y.cast(dtype, CastMode::Wrap))
    }

    /// The numbers `0..n` in random order, as i64.
    ///
    /// # Errors
    /// Where memory runs out.
    pub fn permutation(ctx: &Context, n: usize, from: impl Into<Stream>) -> Result<Tensor> {
        let keys = draw(&PAIR, &positions(ctx, &[n])?, from.into())?;
        ops::argsort(&keys.eval()?, 0, false)
    }

    /// Where [`dropout`] keeps an element: with probability `1 - p`. Lazy.
    ///
    /// # Errors
    /// Where p is not in `[0, 1)`.
    pub fn dropout_mask(
        ctx: &Context,
        shape: &[usize],
        p: f64,
        from: impl Into<Stream>,
    ) -> Result<Expr> {
        if !(0.0..1.0).contains(&p) {
            let why = format!("the probability {p} is not in [0, 1)");
            return Err(Error::value("dropout", why));
        }
        ops::ge(unit(ctx, Scalar::F32, shape, from.into())?, p)
    }

    /// Zeros with probability p, and everything else divided by `1 - p`. Lazy.
    ///
    /// # Errors
    /// Where p is not in `[0, 1)`, or the dtype is no float.
    pub fn dropout(x: impl Into<Expr>, p: f64, from: impl Into<Stream>) -> Result<Expr> {
        let x = x.into();
        let kind = float_kind("dropout", x.dtype())?;
        let mask = dropout_mask(&x.context("dropout")?, x.shape(), p, from)?;
        let grown = ops::mul(x.cast(kind, CastMode::Saturate), 1.0 / (1.0 - p))?;
        let kept = ops::where_(mask, grown, Expr::scalar(kind, Num::Float(0.0)))?;
        Ok(kept.cast(x.dtype(), CastMode::Saturate))
    }
}
