//! Reductions of statistics: norms, variance, logarithms of sums, counts, extremes with their positions.

pub mod logs;

use super::call::{Array, Attrs, Call};
use super::reduction::{ARGMAX, ARGMIN, SUM, exact_sum, position, reductions};
use super::{ALL, Domain, FLOATS, Kind, Limit, NUMBERS, Output, Reduce, Reduced, Row, exact};
use crate::num::Num;
use crate::shape;
use suanzi_codegen::ir::{BinOp, CastMode, UnOp};
use suanzi_codegen::math::formula;
use suanzi_codegen::{Builder, Scalar, Value};

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "norm_l1",
        doc: "`Σ|x|`; integers wrap, f16 and bf16 accumulate in f32. 0 of nothing.",
        dtypes: NUMBERS,
        kind: Kind::Reduce(Reduce {
            lift: |b, x, _| vec![b.un(UnOp::Abs, x)],
            reference: |t, xs| exact_sum(t, &magnitudes(xs)),
            ..SUM
        }),
        limit: sum_limit,
    },
    &Row {
        name: "norm_l2",
        doc: "`√Σx²`; neither overflows nor underflows where the result does not (Blue's three sums; one in f32 for f16). 0 of nothing.",
        dtypes: FLOATS,
        kind: Kind::Reduce(Reduce {
            lift: squares,
            identity: |b, ty, _| vec![b.int(ty, 0); 3],
            combine: |b, x, y| (0..3).map(|i| b.add(x[i], y[i])).collect(),
            finish: root_of_squares,
            narrow: Some(&Reduce {
                lift: |b, x, _| vec![b.mul(x, x)],
                finish: |b, x, _| b.un(UnOp::Sqrt, x[0]),
                ..SUM
            }),
            reference: |_, xs| Num::Float(norm(xs)),
            scale: Some(|_, xs| norm(xs)),
            domain: Domain::AnyScale,
            ..SUM
        }),
        limit: |_| Limit::Sum(16.0),
    },
    &Row {
        name: "sum_squares",
        doc: "`Σx²`; integers wrap, f16 and bf16 accumulate in f32. 0 of nothing.",
        dtypes: NUMBERS,
        kind: Kind::Reduce(Reduce {
            lift: |b, x, _| vec![b.mul(x, x)],
            reference: sum_of_squares,
            scale: Some(|t, xs| sum_of_squares(t, xs).float()),
            ..SUM
        }),
        limit: sum_limit,
    },
    &logs::LOG_SUM,
    &logs::LOGSUMEXP,
    &Row {
        name: "var",
        doc: "Variance, `Σ(x - mean)² / n`, in one pass (Welford's means, joined as Chan does). NaN of nothing, and where an element is infinite.",
        dtypes: FLOATS,
        kind: Kind::Reduce(variance::<0, false>()),
        limit: |_| Limit::Mean(16.0),
    },
    &Row {
        name: "var_sample",
        doc: "Sample variance, `Σ(x - mean)² / (n - 1)`, as `var`. NaN of fewer than two elements.",
        dtypes: FLOATS,
        kind: Kind::Reduce(variance::<1, false>()),
        limit: |_| Limit::Mean(16.0),
    },
    &Row {
        name: "std",
        doc: "Standard deviation, the root of `var`.",
        dtypes: FLOATS,
        kind: Kind::Reduce(variance::<0, true>()),
        limit: |_| Limit::Mean(16.0),
    },
    &Row {
        name: "std_sample",
        doc: "Sample standard deviation, the root of `var_sample`.",
        dtypes: FLOATS,
        kind: Kind::Reduce(variance::<1, true>()),
        limit: |_| Limit::Mean(16.0),
    },
    &Row {
        name: "count_nonzero",
        doc: "Number of elements that are not zero, as i64; NaN is not zero. 0 of nothing.",
        dtypes: ALL,
        kind: Kind::Reduce(Reduce {
            output: Output::Always(Scalar::I64),
            lift: |b, x, at| {
                let kind = b.ty(at).scalar;
                let truth = super::logic::truth(b, x);
                vec![b.cast(truth, kind, CastMode::Wrap)]
            },
            identity: |b, ty, index| vec![b.int(ty.with(index), 0)],
            finish: |b, x, _| b.cast(x[0], Scalar::I64, CastMode::Wrap),
            reference: |_, xs| Num::Int(xs.iter().filter(|x| x.bool()).count() as i128),
            domain: Domain::Any,
            ..SUM
        }),
        limit: exact,
    },
    &Row {
        name: "max_with_index",
        doc: "Largest element and its position, as `max` and `argmax` give them, in one pass.",
        dtypes: NUMBERS,
        kind: Kind::Call(Call {
            examples: EXTREMES,
            creates: false,
            run: |_, t, a| {
                let (axes, keep) = (a.ints("axes"), a.flag("keep"));
                let (value, at) = functions::max_with_index(&t[0], &axes, keep)?;
                Ok(vec![value, at])
            },
            reference: |t, a| extremes(&t[0], a, ARGMAX.reference),
        }),
        limit: exact,
    },
    &Row {
        name: "min_with_index",
        doc: "Smallest element and its position, as `min` and `argmin` give them, in one pass.",
        dtypes: NUMBERS,
        kind: Kind::Call(Call {
            examples: EXTREMES,
            creates: false,
            run: |_, t, a| {
                let (axes, keep) = (a.ints("axes"), a.flag("keep"));
                let (value, at) = functions::min_with_index(&t[0], &axes, keep)?;
                Ok(vec![value, at])
            },
            reference: |t, a| extremes(&t[0], a, ARGMIN.reference),
        }),
        limit: exact,
    },
];

fn sum_limit(dtype: Scalar) -> Limit {
    match dtype.is_float() {
        true => Limit::Sum(16.0),
        false => Limit::Exact,
    }
}

// Norms.

/// Blue's algorithm: squares are summed in three classes of magnitude, the largest scaled down and
/// the smallest scaled up, so that none overflows or loses bits. Thresholds and scales are powers
/// of two.
struct Blue {
    small: f64,
    big: f64,
    small_scale: f64,
    big_scale: f64,
}

impl Blue {
    fn of(kind: Scalar) -> Blue {
        let (small, big, small_scale, big_scale) = match kind {
            Scalar::F64 => (-511, 486, 537, -538),
            _ => (-63, 52, 75, -76),
        };
        let power = |e: i32| 2f64.powi(e);
        Blue {
            small: power(small),
            big: power(big),
            small_scale: power(small_scale),
            big_scale: power(big_scale),
        }
    }
}

/// The square of an element in its class: [big, middle, small]. NaN is in the middle.
fn squares(b: &mut Builder, x: Value, _: Value) -> Vec<Value> {
    let ty = b.ty(x);
    let blue = Blue::of(ty.scalar);
    let size = b.un(UnOp::Abs, x);
    let (zero, one) = (b.float(ty, 0.0), b.float(ty, 1.0));
    let [big, small, big_scale, small_scale] =
        [blue.big, blue.small, blue.big_scale, blue.small_scale].map(|v| b.float(ty, v));
    let is_big = b.bin(BinOp::Gt, size, big);
    let is_small = b.bin(BinOp::Lt, size, small);
    let scale = b.select(is_small, small_scale, one);
    let scale = b.select(is_big, big_scale, scale);
    let scaled = b.mul(size, scale);
    let square = b.mul(scaled, scaled);
    let outside = b.bin(BinOp::Or, is_big, is_small);
    vec![
        b.select(is_big, square, zero),
        b.select(outside, zero, square),
        b.select(is_small, square, zero),
    ]
}

/// The root of the three sums, of which two neighbours at most matter.
fn root_of_squares(b: &mut Builder, x: &[Value], _: Reduced) -> Value {
    formula(b, [x[0], x[1], x[2]], |[big, middle, small]| {
        let blue = Blue::of(big.ty().scalar);
        // The middle joins at the scale of the big.
        let scaled = middle * blue.big_scale * blue.big_scale;
        let with_big = (big + scaled).sqrt() * blue.big_scale.recip();
        // The middle and the small are joined as the sides of a triangle.
        let (upper, lower) = (middle.sqrt(), small.sqrt() * blue.small_scale.recip());
        let (low, high) = (upper.min(lower), upper.max(lower));
        let ratio = low / high;
        let mixed = high * (ratio * ratio + 1.0).sqrt();
        let without_big = middle.eq(0.0).select(lower, mixed);
        let without_big = small.eq(0.0).select(upper, without_big);
        big.gt(0.0).select(with_big, without_big)
    })
}

// Variance.

/// The variance with `n - LESS` in the denominator, or its root: a reduction over (count, mean, sum of
/// squared deviations).
const fn variance<const LESS: usize, const ROOT: bool>() -> Reduce {
    Reduce {
        lift: |b, x, _| {
            let ty = b.ty(x);
            vec![b.int(ty, 1), x, b.int(ty, 0)]
        },
        identity: |b, ty, _| vec![b.int(ty, 0); 3],
        combine: join_moments,
        finish: |b, x, of| deviation(b, x, of.count, LESS, ROOT),
        reference: |_, xs| {
            let moment = moment(xs, LESS);
            Num::Float(if ROOT { moment.sqrt() } else { moment })
        },
        scale: Some(|_, xs| match ROOT.then(|| moment(xs, LESS).sqrt()) {
            Some(0.0) => 0.0,
            root => spread(xs, LESS) / root.unwrap_or(1.0),
        }),
        ..SUM
    }
}

fn join_moments(b: &mut Builder, x: &[Value], y: &[Value]) -> Vec<Value> {
    let n = b.add(x[0], y[0]);
    // Of two empty accumulators, 0 / 1.
    let share = formula(b, [y[0], n], |[part, n]| part / n.max(1.0));
    let delta = b.sub(y[1], x[1]);
    let mean = formula(b, [x[1], delta, share], |[mean, delta, share]| {
        mean + delta * share
    });
    let squares = [x[2], y[2], delta, x[0], share];
    let squares = formula(b, squares, |[x, y, delta, n, share]| {
        // In this order, because a weight of 0 must not meet an overflow.
        (x + y) + delta * (delta * (n * share))
    });
    vec![n, mean, squares]
}

/// The variance with `n - correction` in the denominator, or its root.
fn deviation(b: &mut Builder, x: &[Value], n: Value, correction: usize, root: bool) -> Value {
    let ty = b.ty(x[2]);
    let n = b.cast(n, ty.scalar, CastMode::Saturate);
    let n = b.splat(n, ty.lanes);
    formula(b, [x[1], x[2], n], |[mean, squares, n]| {
        // NaN where the mean is no number, however the infinity came in.
        let doubtful = mean.is_inf() | mean.is_nan();
        let squares = doubtful.select(f64::NAN, squares);
        let variance = squares / (n - correction as i64).max(0.0);
        match root {
            true => variance.sqrt(),
            false => variance,
        }
    })
}

// References.

fn magnitudes(xs: &[Num]) -> Vec<Num> {
    let size = |x: &Num| match *x {
        Num::Int(i) => Num::Int(i.abs()),
        x => Num::Float(x.float().abs()),
    };
    xs.iter().map(size).collect()
}

fn sum_of_squares(dtype: Scalar, xs: &[Num]) -> Num {
    let square = |x: &Num| match *x {
        Num::Int(i) => Num::Int(i.wrapping_mul(i) & i128::from(u64::MAX)),
        x => Num::Float(x.float() * x.float()),
    };
    let squares: Vec<Num> = xs.iter().map(square).collect();
    exact_sum(dtype, &squares)
}

/// Scaled by the largest magnitude, so that f64 does not overflow either.
fn norm(xs: &[Num]) -> f64 {
    let most = xs.iter().fold(0f64, |m, x| m.max(x.float().abs()));
    if xs.iter().any(|x| x.float().is_nan()) || most == 0.0 || most.is_infinite() {
        return xs.iter().map(|x| x.float().abs()).sum();
    }
    let squares: Vec<Num> = xs
        .iter()
        .map(|x| Num::Float((x.float() / most).powi(2)))
        .collect();
    exact_sum(Scalar::F64, &squares).float().sqrt() * most
}

fn floats(xs: impl IntoIterator<Item = f64>) -> f64 {
    let xs: Vec<Num> = xs.into_iter().map(Num::Float).collect();
    exact_sum(Scalar::F64, &xs).float()
}

/// Two passes, the second corrected by what the rounded mean leaves over.
fn moment(xs: &[Num], correction: usize) -> f64 {
    let n = xs.len() as f64;
    let mean = floats(xs.iter().map(|x| x.float())) / n;
    let off = |x: &Num| x.float() - mean;
    let rest = floats(xs.iter().map(off));
    let squares = floats(xs.iter().map(|x| off(x) * off(x)));
    (squares - rest * rest / n).max(0.0 * squares) / xs.len().saturating_sub(correction) as f64
}

/// What the error of a variance is relative to: `Σx² / (n - correction)`.
fn spread(xs: &[Num], correction: usize) -> f64 {
    let squares = floats(xs.iter().map(|x| x.float() * x.float()));
    squares / xs.len().saturating_sub(correction) as f64
}

// Extremes with positions.

const EXTREMES: &[&str] = &[
    "5x7@axes=1",
    "5x7@axes=0,x=few3",
    "5x7@axes=-1,keep=1",
    "3x5x7@axes=0;2,x=few2",
    "3x5x7@axes=0;2,keep=1",
    "2000@",
    "70001@x=few5",
    "129x65@axes=0",
    "4x1@axes=1",
    "1@axes=0",
    "0d@",
    "3x0@axes=0",
    "3x0@axes=1",
    "0@",
    "5x7@axes=2",
    "5x7@axes=0;-2",
];

fn extremes(x: &Array, attrs: &Attrs, find: fn(Scalar, &[Num]) -> Num) -> Option<Vec<Array>> {
    let rank = x.shape.len();
    let axes = match &attrs.ints("axes")[..] {
        [] => (0..rank).collect(),
        some => shape::normalise_axes("extremes", some, &x.shape).ok()?,
    };
    let gone: Vec<usize> = axes.iter().map(|&a| x.shape[a]).collect();
    let kept: Vec<usize> = (0..rank).filter(|a| !axes.contains(a)).collect();
    let outer: Vec<usize> = kept.iter().map(|&a| x.shape[a]).collect();
    if gone.contains(&0) && !outer.contains(&0) {
        return None;
    }
    let (mut values, mut places) = (vec![], vec![]);
    for o in super::call::positions(&outer) {
        let element = |r: Vec<usize>| {
            let mut at = vec![0; rank];
            kept.iter().zip(&o).for_each(|(&a, &i)| at[a] = i);
            axes.iter().zip(&r).for_each(|(&a, &i)| at[a] = i);
            x.at(&at)
        };
        let xs: Vec<Num> = super::call::positions(&gone).map(element).collect();
        let place = find(x.dtype, &xs);
        values.push(xs[place.int() as usize]);
        places.push(place);
    }
    let out: Vec<usize> = match attrs.flag("keep") {
        true => (0..rank)
            .map(|a| if axes.contains(&a) { 1 } else { x.shape[a] })
            .collect(),
        false => outer,
    };
    Some(vec![
        Array::new(x.dtype, &out, values),
        Array::new(Scalar::I64, &out, places),
    ])
}

/// The accumulator of `base`, and both things it holds.
const fn with_index(base: Reduce) -> Reduce {
    Reduce {
        output: Output::Same,
        finish: |_, x, _| x[0],
        second: Some((Output::Always(Scalar::I64), position)),
        ..base
    }
}

reductions! {
    /// Sum of magnitudes; integers wrap.
    norm_l1;
    /// Euclidean norm; neither overflows nor underflows where the result does not.
    norm_l2;
    /// Sum of squares; integers wrap.
    sum_squares;
    /// `log Σx`.
    log_sum;
    /// `log Σe^x`; overflows where the result does.
    logsumexp;
    /// Number of elements that are not zero, as i64.
    count_nonzero;
    functions {
        /// The largest element over a set of axes and its position, row-major over these, as i64:
        /// the first of equals, and the first NaN if there is one.
        ///
        /// # Errors
        /// As [`sum_squares`], and over axes that hold no elements.
        pub fn max_with_index(
            a: impl Into<crate::Expr>,
            axes: &[i64],
            keepdims: bool,
        ) -> crate::Result<(crate::Tensor, crate::Tensor)> {
            super::extreme_of("max_with_index", a.into(), super::ARGMAX, axes, keepdims)
        }

        /// The smallest element over a set of axes and its position, as [`max_with_index`].
        ///
        /// # Errors
        /// As [`max_with_index`].
        pub fn min_with_index(
            a: impl Into<crate::Expr>,
            axes: &[i64],
            keepdims: bool,
        ) -> crate::Result<(crate::Tensor, crate::Tensor)> {
            super::extreme_of("min_with_index", a.into(), super::ARGMIN, axes, keepdims)
        }
    }
    both {
        /// Variance over a set of axes, with `n - correction` in the denominator: 0 for that of a
        /// population, 1 for that of a sample. In one pass, as Welford and Chan do.
        ///
        /// # Errors
        /// As [`sum_squares`], and where `correction` is neither 0 nor 1.
        pub fn var(
            a: impl Into<crate::Expr>,
            axes: &[i64],
            correction: u32,
            keepdims: bool,
        ) -> crate::Result<crate::Tensor> {
            let name = super::corrected(correction, ["var", "var_sample"])?;
            let options = crate::Reduction { keepdims, reproducible: REPRODUCIBLE };
            a.into().reduce_with(name, axes, options)
        }

        /// Standard deviation: the root of [`var`].
        ///
        /// # Errors
        /// As [`var`].
        pub fn std(
            a: impl Into<crate::Expr>,
            axes: &[i64],
            correction: u32,
            keepdims: bool,
        ) -> crate::Result<crate::Tensor> {
            let name = super::corrected(correction, ["std", "std_sample"])?;
            let options = crate::Reduction { keepdims, reproducible: REPRODUCIBLE };
            a.into().reduce_with(name, axes, options)
        }
    }
}

fn corrected(correction: u32, names: [&'static str; 2]) -> crate::Result<&'static str> {
    let name = names.get(correction as usize).copied();
    name.ok_or_else(|| {
        let why = format!("correction {correction} is neither 0 (population) nor 1 (sample)");
        crate::Error::value(names[0], why)
    })
}

fn extreme_of(
    name: &str,
    a: crate::Expr,
    base: Reduce,
    axes: &[i64],
    keepdims: bool,
) -> crate::Result<(crate::Tensor, crate::Tensor)> {
    let options = crate::Reduction {
        keepdims,
        ..crate::Reduction::default()
    };
    let op = with_index(base);
    let mut results = a.reduce_row(super::row(name)?, &op, axes, options)?;
    let at = results.remove(1);
    Ok((results.remove(0), at))
}
