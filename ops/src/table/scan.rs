//! Running reductions along an axis.

use super::call::{Array, Attrs, Call};
use super::reduction::{self, float_limit};
use super::statistics::logs::EXPONENTIALS;
use super::{FLOATS, Kind, Limit, NUMBERS, Reduce, Reduced, Row, exact};
use crate::num::{Num, int_range};
use crate::shape::normalise_axis;
use crate::skeleton::{Scan, Span, scan};
use crate::{Error, Expr, Result, Tensor};
use suanzi_codegen::ir::CastMode;
use suanzi_codegen::{Builder, Scalar, Value};

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "cumsum",
        doc: "Sums of all elements up to each, along an axis; integers wrap, f16 and bf16 accumulate in f32. `exclusive`: without the element itself; `reverse`: from the end.",
        dtypes: NUMBERS,
        kind: Kind::Call(Call {
            examples: SUMS,
            creates: false,
            run: |_, x, a| Ok(vec![functions::cumsum(&x[0], a.int("axis", 0), span(a))?]),
            reference: |x, a| running(&x[0], a, sums, false),
        }),
        limit: |t| float_limit(t, Limit::Sum(16.0)),
    },
    &Row {
        name: "cumprod",
        doc: "Products of all elements up to each, along an axis; integers wrap, f16 and bf16 accumulate in f32.",
        dtypes: NUMBERS,
        kind: Kind::Call(Call {
            examples: PRODUCTS,
            creates: false,
            run: |_, x, a| Ok(vec![functions::cumprod(&x[0], a.int("axis", 0), span(a))?]),
            reference: |x, a| running(&x[0], a, products, false),
        }),
        limit: |t| float_limit(t, Limit::Product(1.0)),
    },
    &Row {
        name: "cummax",
        doc: "Largest of all elements up to each, along an axis, and its position as i64: NaN once one was met, `-0 = +0`, the least position of equals. Of no elements the least value (-inf) and -1.",
        dtypes: NUMBERS,
        kind: Kind::Call(Call {
            examples: EXAMPLES,
            creates: false,
            run: |_, x, a| functions::cummax(&x[0], a.int("axis", 0), span(a)).map(<[_; 2]>::into),
            reference: |x, a| running(&x[0], a, largest, true),
        }),
        limit: exact,
    },
    &Row {
        name: "cummin",
        doc: "Smallest of all elements up to each, along an axis, and its position as i64: NaN once one was met, `-0 = +0`, the least position of equals. Of no elements the greatest value (+inf) and -1.",
        dtypes: NUMBERS,
        kind: Kind::Call(Call {
            examples: EXAMPLES,
            creates: false,
            run: |_, x, a| functions::cummin(&x[0], a.int("axis", 0), span(a)).map(<[_; 2]>::into),
            reference: |x, a| running(&x[0], a, smallest, true),
        }),
        limit: exact,
    },
    &Row {
        name: "logcumsumexp",
        doc: "Logarithms of the sums of exponentials of all elements up to each, along an axis, without overflow; f16 and bf16 accumulate in f32. -inf of no elements.",
        dtypes: FLOATS,
        kind: Kind::Call(Call {
            examples: &[
                "5x7@axis=1,x=moderate",
                "5x7@axis=0,exclusive=1",
                "3x70@axis=-1,reverse=1",
                "1500@axis=0,exclusive=1,reverse=1,x=moderate",
                "300x6@axis=0,x=moderate",
                "3x0x2@axis=1",
                "2x3@axis=2",
            ],
            creates: false,
            run: |_, x, a| {
                let y = functions::logcumsumexp(&x[0], a.int("axis", 0), span(a))?;
                Ok(vec![y])
            },
            reference: |x, a| running(&x[0], a, exponentials, false),
        }),
        // Each element adds a relative error to the sum: an absolute one of the logarithm.
        limit: |_| Limit::Sum(16.0),
    },
];

/// Every way to walk, with and without a rest; cut into parts; both flags; edges.
macro_rules! walks {
    ($values:literal) => {
        &[
            concat!("5x7@axis=1", $values),
            concat!("5x7@axis=0,exclusive=1", $values),
            concat!("3x70@axis=-1,reverse=1", $values),
            concat!("2x1025@axis=1,exclusive=1,reverse=1", $values),
            concat!("9001@axis=0", $values),
            concat!("9001@axis=0,exclusive=1,reverse=1", $values),
            concat!("1027x6@axis=0", $values),
            concat!("1024x16@axis=0,exclusive=1", $values),
            concat!("700x3@axis=0,reverse=1", $values),
            concat!("4x65x3@axis=1", $values),
            concat!("4x65x8@axis=-2,exclusive=1", $values),
            concat!("64@axis=0,x=few3", $values),
            concat!("3x0x2@axis=1", $values),
            concat!("0x3@axis=1", $values),
            concat!("1@axis=0,exclusive=1", $values),
            concat!("2x3@axis=2", $values),
        ]
    };
}

const EXAMPLES: &[&str] = walks!("");
/// Sums stay finite.
const SUMS: &[&str] = walks!(",x=moderate");

/// Shorter: long products overflow.
const PRODUCTS: &[&str] = &[
    "5x7@axis=1,x=near1",
    "5x7@axis=0,exclusive=1,x=near1",
    "3x70@axis=-1,reverse=1,x=near1",
    "2x1025@axis=1,exclusive=1,reverse=1,x=near1",
    "8200@axis=0,x=near1",
    "600x6@axis=0,exclusive=1,x=near1",
    "12x4@axis=0,x=near1",
    "3x0x2@axis=1",
    "2x3@axis=-3",
];

fn span(a: &Attrs) -> Span {
    Span {
        exclusive: a.flag("exclusive"),
        reverse: a.flag("reverse"),
    }
}

/// The running form of a reduction.
const fn of(name: &'static str, op: Reduce, finish: Finish) -> Scan {
    Scan {
        name,
        lift: op.lift,
        identity: op.identity,
        combine: op.combine,
        finish,
    }
}

const SUM: Scan = of("cumsum", reduction::SUM, |_, x| x.to_vec());
const PRODUCT: Scan = of("cumprod", reduction::PROD, |_, x| x.to_vec());
const MAX: Scan = of("cummax", reduction::ARGMAX, located);
const MIN: Scan = of("cummin", reduction::ARGMIN, located);
const LOG_SUM_EXP: Scan = of("logcumsumexp", EXPONENTIALS, |b, x| {
    let (count, kind) = (x[0], b.ty(x[0]).scalar);
    vec![(EXPONENTIALS.finish)(b, x, Reduced { count, kind })]
});

type Finish = fn(&mut Builder, &[Value]) -> Vec<Value>;

/// A value and its position, which is -1 where there is none.
fn located(b: &mut Builder, x: &[Value]) -> Vec<Value> {
    let signed = b.ty(x[1]).scalar.to_signed();
    let at = b.bitcast(x[1], signed);
    vec![x[0], b.cast(at, Scalar::I64, CastMode::Wrap)]
}

/// Runs a scan: checks, and results of the given dtypes.
fn run<const N: usize>(
    op: &Scan,
    x: &Expr,
    axis: i64,
    span: Span,
    dtypes: [Scalar; N],
) -> Result<[Tensor; N]> {
    if !NUMBERS.contains(&x.dtype()) {
        let why = "it takes numbers; cast first";
        return Err(Error::dtype(op.name, [x.dtype()], why));
    }
    let axis = normalise_axis(op.name, axis, x.shape())?;
    let ctx = x.context(op.name)?;
    let mut outs = Vec::with_capacity(N);
    for dtype in dtypes {
        outs.push(Tensor::empty(&ctx, dtype, x.shape())?);
    }
    let outs: [Tensor; N] = std::array::from_fn(|i| outs[i].clone());
    scan(op, x, axis, span, &outs.each_ref())?;
    Ok(outs)
}

/// The functions of these rows.
pub mod functions {
    pub use crate::skeleton::Span;
    use crate::{Error, Expr, Result, Tensor};
    use suanzi_codegen::Scalar;

    /// Sums of all elements up to each, along an axis (a negative one counts from the end);
    /// integers wrap, f16 and bf16 accumulate in f32. The expression runs inside the kernels.
    ///
    /// # Errors
    /// [`crate::Error::Dtype`] for bool, [`crate::Error::Axis`], [`crate::Error::Backend`].
    pub fn cumsum(x: impl Into<Expr>, axis: i64, span: Span) -> Result<Tensor> {
        let x = x.into();
        let [out] = super::run(&super::SUM, &x, axis, span, [x.dtype()])?;
        Ok(out)
    }

    /// Products of all elements up to each, along an axis.
    ///
    /// # Errors
    /// As [`cumsum`].
    pub fn cumprod(x: impl Into<Expr>, axis: i64, span: Span) -> Result<Tensor> {
        let x = x.into();
        let [out] = super::run(&super::PRODUCT, &x, axis, span, [x.dtype()])?;
        Ok(out)
    }

    /// Logarithms of the sums of exponentials of all elements up to each, along an axis.
    ///
    /// # Errors
    /// As [`cumsum`]; [`crate::Error::Dtype`] for integers too.
    pub fn logcumsumexp(x: impl Into<Expr>, axis: i64, span: Span) -> Result<Tensor> {
        let x = x.into();
        if !x.dtype().is_float() {
            let why = "it takes floats; cast first";
            return Err(Error::dtype("logcumsumexp", [x.dtype()], why));
        }
        let [out] = super::run(&super::LOG_SUM_EXP, &x, axis, span, [x.dtype()])?;
        Ok(out)
    }

    /// The largest of all elements up to each, and its position as i64 (the least of equals).
    /// NaN is larger than everything.
    ///
    /// # Errors
    /// As [`cumsum`].
    pub fn cummax(x: impl Into<Expr>, axis: i64, span: Span) -> Result<[Tensor; 2]> {
        let x = x.into();
        super::run(&super::MAX, &x, axis, span, [x.dtype(), Scalar::I64])
    }

    /// The smallest of all elements up to each, and its position as i64 (the least of equals).
    /// NaN is smaller than everything.
    ///
    /// # Errors
    /// As [`cumsum`].
    pub fn cummin(x: impl Into<Expr>, axis: i64, span: Span) -> Result<[Tensor; 2]> {
        let x = x.into();
        super::run(&super::MIN, &x, axis, span, [x.dtype(), Scalar::I64])
    }
}

/// What a reference makes of the first elements of a line.
#[derive(Clone, Copy)]
struct Outcome {
    value: Num,
    /// Number of the element that it is, in the order of the scan.
    at: Option<usize>,
    /// `Σ|x|`.
    scale: f64,
}

/// A reference: every line of the axis, in the direction of the scan. `f` gives the outcomes of the
/// first 0, 1, …, n elements.
fn running(
    x: &Array,
    a: &Attrs,
    f: fn(Scalar, &[Num], Span) -> Vec<Outcome>,
    located: bool,
) -> Option<Vec<Array>> {
    let rank = x.shape.len() as i64;
    let axis = a.int("axis", 0);
    let axis = if axis < 0 { axis + rank } else { axis };
    if !(0..rank).contains(&axis) {
        return None;
    }
    let (axis, span) = (axis as usize, span(a));
    let n = x.shape[axis];
    let inner: usize = x.shape[axis + 1..].iter().product();
    let outer: usize = x.shape[..axis].iter().product();
    let mut values = Array::new(x.dtype, &x.shape, x.values.clone());
    values.scale = vec![0.0; x.values.len()];
    values.terms = vec![0; x.values.len()];
    let mut positions = Array::new(Scalar::I64, &x.shape, x.values.clone());
    for line in 0..outer * inner {
        let place = |i: usize| {
            let i = if span.reverse { n - 1 - i } else { i };
            (line / inner * n + i) * inner + line % inner
        };
        let xs: Vec<Num> = (0..n).map(|i| x.values[place(i)]).collect();
        let outcomes = f(x.dtype, &xs, span);
        for i in 0..n {
            let terms = if span.exclusive { i } else { i + 1 };
            let Outcome { value, at, scale } = outcomes[terms];
            values.values[place(i)] = value;
            values.scale[place(i)] = scale;
            values.terms[place(i)] = terms;
            let at = at.map(|at| if span.reverse { n - 1 - at } else { at });
            positions.values[place(i)] = Num::Int(at.map_or(-1, |at| at as i128));
        }
    }
    Some(if located {
        vec![values, positions]
    } else {
        vec![values]
    })
}

fn sums(dtype: Scalar, xs: &[Num], _: Span) -> Vec<Outcome> {
    let outcome = |value, scale| Outcome {
        value,
        at: None,
        scale,
    };
    if dtype.is_int() {
        let mut sum = 0i128;
        let mut out = vec![outcome(Num::Int(0), 0.0)];
        for x in xs {
            sum += x.int();
            out.push(outcome(Num::Int(sum), 0.0));
        }
        return out;
    }
    // Neumaier's compensated sum.
    let (mut sum, mut lost, mut scale) = (0.0f64, 0.0f64, 0.0f64);
    let mut out = vec![outcome(Num::Float(0.0), 0.0)];
    for x in xs.iter().map(|x| x.float()) {
        let next = sum + x;
        lost += if sum.abs() >= x.abs() {
            (sum - next) + x
        } else {
            (x - next) + sum
        };
        sum = next;
        scale += x.abs();
        let value = if sum.is_finite() { sum + lost } else { sum };
        out.push(outcome(Num::Float(value), scale));
    }
    out
}

fn products(dtype: Scalar, xs: &[Num], _: Span) -> Vec<Outcome> {
    let mut product = if dtype.is_int() {
        Num::Int(1)
    } else {
        Num::Float(1.0)
    };
    let outcome = |value| Outcome {
        value,
        at: None,
        scale: 0.0,
    };
    let mut out = vec![outcome(product)];
    for x in xs {
        product = match (product, x) {
            (Num::Int(p), Num::Int(x)) => Num::Int(p.wrapping_mul(*x) & i128::from(u64::MAX)),
            (p, x) => Num::Float(p.float() * x.float()),
        };
        out.push(outcome(product));
    }
    out
}

fn exponentials(_: Scalar, xs: &[Num], _: Span) -> Vec<Outcome> {
    let (mut most, mut sum) = (f64::NEG_INFINITY, 0.0f64);
    let outcome = |value: f64, terms: usize| Outcome {
        value: Num::Float(value),
        at: None,
        scale: if value.is_finite() {
            value.abs() + terms as f64
        } else {
            0.0
        },
    };
    let mut out = vec![outcome(f64::NEG_INFINITY, 0)];
    for (i, x) in xs.iter().map(|x| x.float()).enumerate() {
        if x > most || x.is_nan() {
            sum = sum * (most - x).exp() + 1.0;
            most = x;
        } else {
            sum += if x == most { 1.0 } else { (x - most).exp() };
        }
        let value = if most.is_infinite() {
            most
        } else {
            most + sum.ln()
        };
        out.push(outcome(value, i + 1));
    }
    out
}

fn largest(dtype: Scalar, xs: &[Num], span: Span) -> Vec<Outcome> {
    best(dtype, xs, span, |a, b| a > b, |a, b| a > b)
}

fn smallest(dtype: Scalar, xs: &[Num], span: Span) -> Vec<Outcome> {
    best(dtype, xs, span, |a, b| a < b, |a, b| a < b)
}

/// Of equals (and of NaN) the one at the least position, which a reversed scan meets last.
fn best(
    dtype: Scalar,
    xs: &[Num],
    span: Span,
    int: fn(i128, i128) -> bool,
    float: fn(f64, f64) -> bool,
) -> Vec<Outcome> {
    let (lo, hi) = match dtype.is_int() {
        true => (Num::Int(int_range(dtype).0), Num::Int(int_range(dtype).1)),
        false => (Num::Float(f64::NEG_INFINITY), Num::Float(f64::INFINITY)),
    };
    let beats = |a: Num, b: Num| match (a, b) {
        (Num::Int(a), Num::Int(b)) => int(a, b),
        (a, b) => float(a.float(), b.float()) || (a.float().is_nan() && !b.float().is_nan()),
    };
    let none = if beats(hi, lo) { lo } else { hi };
    let mut best = Outcome {
        value: none,
        at: None,
        scale: 0.0,
    };
    let mut out = vec![best];
    for (i, &x) in xs.iter().enumerate() {
        let worse = beats(best.value, x);
        let better = beats(x, best.value);
        if better || best.at.is_none() || (!worse && span.reverse) {
            best = Outcome {
                value: x,
                at: Some(i),
                scale: 0.0,
            };
        }
        out.push(best);
    }
    out
}
