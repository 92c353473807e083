//! Reductions over any set of axes.

use super::logic::truth;
use super::{ALL, Domain, FLOATS, Kind, Limit, NUMBERS, Output, Reduce, Reduced, Row};
use crate::num::{Num, int_range};
use suanzi_codegen::ir::{BinOp, CastMode, UnOp};
use suanzi_codegen::{Builder, Scalar, Type, Value};

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "sum",
        doc: "Sum; integers wrap, f16 and bf16 accumulate in f32. 0 of nothing.",
        dtypes: NUMBERS,
        kind: Kind::Reduce(SUM),
        limit: |t| float_limit(t, Limit::Sum(16.0)),
    },
    &Row {
        name: "mean",
        doc: "Arithmetic mean; f16 and bf16 accumulate in f32. NaN of nothing.",
        dtypes: FLOATS,
        kind: Kind::Reduce(Reduce {
            finish: |b, x, of| {
                let n = b.cast(of.count, of.kind, CastMode::Saturate);
                b.bin(BinOp::Div, x[0], n)
            },
            reference: |t, xs| Num::Float(exact_sum(t, xs).float() / xs.len() as f64),
            ..SUM
        }),
        limit: |_| Limit::Mean(16.0),
    },
    &Row {
        name: "prod",
        doc: "Product; integers wrap, f16 and bf16 accumulate in f32. 1 of nothing.",
        dtypes: NUMBERS,
        kind: Kind::Reduce(PROD),
        limit: |t| float_limit(t, Limit::Product(1.0)),
    },
    &Row {
        name: "max",
        doc: "Largest element; NaN if any is, `-0 < +0`. Least value (-inf) of nothing.",
        dtypes: NUMBERS,
        kind: Kind::Reduce(Reduce {
            lift: |b, x, _| vec![rank(b, x, BinOp::Max)],
            identity: |b, ty, _| vec![extreme_rank(b, ty, false)],
            combine: |b, x, y| vec![b.bin(BinOp::Max, x[0], y[0])],
            finish: |b, x, of| ranked(b, x[0], of.kind, BinOp::Max),
            reference: |t, xs| pick(t, xs, false),
            domain: Domain::Any,
            ..SUM
        }),
        limit: super::exact,
    },
    &Row {
        name: "min",
        doc: "Smallest element; NaN if any is, `-0 < +0`. Greatest value (+inf) of nothing.",
        dtypes: NUMBERS,
        kind: Kind::Reduce(Reduce {
            lift: |b, x, _| vec![rank(b, x, BinOp::Min)],
            identity: |b, ty, _| vec![extreme_rank(b, ty, true)],
            combine: |b, x, y| vec![b.bin(BinOp::Min, x[0], y[0])],
            finish: |b, x, of| ranked(b, x[0], of.kind, BinOp::Min),
            reference: |t, xs| pick(t, xs, true),
            domain: Domain::Any,
            ..SUM
        }),
        limit: super::exact,
    },
    &Row {
        name: "argmax",
        doc: "Position of the largest element, row-major over the reduced axes, as i64; the first of equals, and the first NaN if there is one.",
        dtypes: NUMBERS,
        kind: Kind::Reduce(ARGMAX),
        limit: super::exact,
    },
    &Row {
        name: "argmin",
        doc: "Position of the smallest element, row-major over the reduced axes, as i64; the first of equals, and the first NaN if there is one.",
        dtypes: NUMBERS,
        kind: Kind::Reduce(ARGMIN),
        limit: super::exact,
    },
    &Row {
        name: "any",
        doc: "True if any element is not zero. False of nothing.",
        dtypes: ALL,
        kind: Kind::Reduce(Reduce {
            identity: |b, ty, _| vec![b.int(ty.to_bool(), 0)],
            combine: |b, x, y| vec![b.bin(BinOp::Or, x[0], y[0])],
            reference: |_, xs| Num::Bool(xs.iter().any(|x| x.bool())),
            ..TRUTH
        }),
        limit: super::exact,
    },
    &Row {
        name: "all",
        doc: "True if no element is zero. True of nothing.",
        dtypes: ALL,
        kind: Kind::Reduce(Reduce {
            identity: |b, ty, _| vec![b.int(ty.to_bool(), 1)],
            combine: |b, x, y| vec![b.bin(BinOp::And, x[0], y[0])],
            reference: |_, xs| Num::Bool(xs.iter().all(|x| x.bool())),
            ..TRUTH
        }),
        limit: super::exact,
    },
];

pub(super) const SUM: Reduce = Reduce {
    output: Output::Same,
    lift: |_, x, _| vec![x],
    identity: |b, ty, _| vec![b.int(ty, 0)],
    combine: |b, x, y| vec![b.add(x[0], y[0])],
    follow: None,
    finish: |_, x, _| x[0],
    second: None,
    positions: false,
    narrow: None,
    reference: exact_sum,
    scale: None,
    needs_elements: false,
    domain: Domain::Moderate,
};

pub(super) const PROD: Reduce = Reduce {
    identity: |b, ty, _| vec![b.int(ty, 1)],
    combine: |b, x, y| vec![b.mul(x[0], y[0])],
    reference: |t, xs| match t.is_int() {
        true => Num::Int(
            xs.iter()
                .fold(1i128, |p, x| p.wrapping_mul(x.int()) & u64::MAX as i128),
        ),
        false => Num::Float(xs.iter().map(|x| x.float()).product()),
    },
    domain: Domain::NearOne,
    ..SUM
};

const ARG: Reduce = Reduce {
    output: Output::Always(Scalar::I64),
    lift: |_, x, i| vec![x, i],
    finish: position,
    positions: true,
    needs_elements: true,
    domain: Domain::Any,
    ..SUM
};

/// Position of the largest element.
pub(super) const ARGMAX: Reduce = Reduce {
    identity: |b, ty, index| nowhere(b, ty, index, false),
    combine: |b, x, y| better(b, x, y, BinOp::Gt),
    follow: Some(|b, x, y| better_later(b, x, y, BinOp::Le)),
    reference: |_, xs| find(xs, |a, b| a > b, |a, b| a > b),
    ..ARG
};

/// Position of the smallest element.
pub(super) const ARGMIN: Reduce = Reduce {
    identity: |b, ty, index| nowhere(b, ty, index, true),
    combine: |b, x, y| better(b, x, y, BinOp::Lt),
    follow: Some(|b, x, y| better_later(b, x, y, BinOp::Ge)),
    reference: |_, xs| find(xs, |a, b| a < b, |a, b| a < b),
    ..ARG
};

const TRUTH: Reduce = Reduce {
    output: Output::Always(Scalar::Bool),
    lift: |b, x, _| vec![truth(b, x)],
    domain: Domain::Any,
    ..SUM
};

pub(super) fn float_limit(dtype: Scalar, limit: Limit) -> Limit {
    if dtype.is_float() {
        limit
    } else {
        Limit::Exact
    }
}

/// The greatest (or least) value of a kind, infinities included.
fn extreme(b: &mut Builder, ty: Type, greatest: bool) -> Value {
    let s = ty.scalar;
    if s.is_float() {
        let inf = if greatest {
            f64::INFINITY
        } else {
            f64::NEG_INFINITY
        };
        return b.float(ty, inf);
    }
    let (lo, hi) = int_range(s);
    b.int(ty, if greatest { hi } else { lo } as i64)
}

/// Floats as unsigned integers in the same order, NaN of either sign being what `op` prefers; so that
/// joining two costs one instruction. Integers stay.
fn rank(b: &mut Builder, x: Value, op: BinOp) -> Value {
    let ty = b.ty(x);
    if !ty.scalar.is_float() {
        return x;
    }
    let i = b.bitcast(x, ty.scalar.to_signed());
    let i = in_order(b, i);
    let i = b.bitcast(i, ty.scalar.to_unsigned());
    let start = b.bits(b.ty(i), start(ty.scalar, op));
    b.sub(i, start)
}

/// What has a rank.
fn ranked(b: &mut Builder, rank: Value, kind: Scalar, op: BinOp) -> Value {
    if !kind.is_float() {
        return rank;
    }
    let ty = b.ty(rank);
    let start = b.bits(ty, start(kind, op));
    let i = b.add(rank, start);
    let i = b.bitcast(i, kind.to_signed());
    let i = in_order(b, i);
    b.bitcast(i, kind)
}

/// The bits of floats in the order of signed integers, and back: those of negative ones are flipped but
/// for the sign.
fn in_order(b: &mut Builder, i: Value) -> Value {
    let ty = b.ty(i);
    let width = b.int(ty, i64::from(ty.scalar.bits()) - 1);
    let negative = b.bin(BinOp::Shr, i, width);
    let magnitude = b.bits(ty, u64::MAX >> (65 - ty.scalar.bits()));
    let flip = b.bin(BinOp::And, negative, magnitude);
    b.bin(BinOp::Xor, i, flip)
}

/// Where the order of ranks starts: at -infinity, so that NaN comes last, or after infinity, so that it
/// comes first, and those of the other sign go round the end.
fn start(kind: Scalar, op: BinOp) -> u64 {
    match (kind, op) {
        (Scalar::F64, BinOp::Min) => f64::INFINITY.to_bits() + 1,
        (Scalar::F64, _) => f64::NEG_INFINITY.to_bits() ^ (u64::MAX >> 1),
        (_, BinOp::Min) => u64::from(f32::INFINITY.to_bits()) + 1,
        (_, _) => u64::from(f32::NEG_INFINITY.to_bits() ^ (u32::MAX >> 1)),
    }
}

/// The rank of the greatest (or least) value of a kind.
fn extreme_rank(b: &mut Builder, ty: Type, greatest: bool) -> Value {
    match ty.scalar.is_float() {
        true => extreme(b, ty.with(ty.scalar.to_unsigned()), greatest),
        false => extreme(b, ty, greatest),
    }
}

/// The position that an arg-reduction found.
pub(super) fn position(b: &mut Builder, x: &[Value], _: Reduced) -> Value {
    // Nothing was better than the least there is: then all are that, and the first is the first.
    let (ty, zero) = (b.ty(x[1]), b.int(b.ty(x[1]), 0));
    let nowhere = b.int(ty, -1);
    let none = b.bin(BinOp::Eq, x[1], nowhere);
    let position = b.select(none, zero, x[1]);
    b.cast(position, Scalar::I64, CastMode::Wrap)
}

/// The accumulator of an arg-reduction that loses against every element.
fn nowhere(b: &mut Builder, ty: Type, index: Scalar, greatest: bool) -> Vec<Value> {
    vec![extreme(b, ty, greatest), b.int(ty.with(index), -1)]
}

/// The better of two (value, position) pairs; NaN is best, and the earlier of equals.
fn better(b: &mut Builder, x: &[Value], y: &[Value], op: BinOp) -> Vec<Value> {
    let mut wins = b.bin(op, y[0], x[0]);
    let mut ties = b.bin(BinOp::Eq, y[0], x[0]);
    if b.ty(x[0]).scalar.is_float() {
        let (x_nan, y_nan) = (b.un(UnOp::IsNan, x[0]), b.un(UnOp::IsNan, y[0]));
        let x_is = b.un(UnOp::Not, x_nan);
        let y_only = b.bin(BinOp::And, y_nan, x_is);
        let both = b.bin(BinOp::And, y_nan, x_nan);
        wins = b.bin(BinOp::Or, wins, y_only);
        ties = b.bin(BinOp::Or, ties, both);
    }
    let earlier = b.bin(BinOp::Lt, y[1], x[1]);
    let tie_won = b.bin(BinOp::And, ties, earlier);
    let take = b.bin(BinOp::Or, wins, tie_won);
    (0..2).map(|i| b.select(take, y[i], x[i])).collect()
}

/// The better of two pairs of which the second is from later positions: unless it is `no_better`, or the
/// first is NaN. Comparisons with NaN are false.
fn better_later(b: &mut Builder, x: &[Value], y: &[Value], no_better: BinOp) -> Vec<Value> {
    let mut keep = b.bin(no_better, y[0], x[0]);
    if b.ty(x[0]).scalar.is_float() {
        let nan = b.un(UnOp::IsNan, x[0]);
        keep = b.bin(BinOp::Or, keep, nan);
    }
    (0..2).map(|i| b.select(keep, x[i], y[i])).collect()
}

/// Neumaier's compensated sum: as if in twice the precision, so that it serves f64 too.
pub(super) fn exact_sum(dtype: Scalar, xs: &[Num]) -> Num {
    if dtype.is_int() {
        return Num::Int(xs.iter().map(|x| x.int()).sum());
    }
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for x in xs.iter().map(|x| x.float()) {
        let next = sum + x;
        lost += if sum.abs() >= x.abs() {
            (sum - next) + x
        } else {
            (x - next) + sum
        };
        sum = next;
    }
    Num::Float(if sum.is_finite() { sum + lost } else { sum })
}

pub(super) fn pick(dtype: Scalar, xs: &[Num], smallest: bool) -> Num {
    if dtype.is_int() {
        let (lo, hi) = int_range(dtype);
        let ints = xs.iter().map(|x| x.int());
        return Num::Int(match smallest {
            true => ints.min().unwrap_or(hi),
            false => ints.max().unwrap_or(lo),
        });
    }
    let floats = || xs.iter().map(|x| x.float());
    if floats().any(f64::is_nan) {
        return Num::Float(f64::NAN);
    }
    // total_cmp orders -0 below +0.
    Num::Float(match smallest {
        true => floats().min_by(f64::total_cmp).unwrap_or(f64::INFINITY),
        false => floats().max_by(f64::total_cmp).unwrap_or(f64::NEG_INFINITY),
    })
}

fn find(xs: &[Num], int: fn(i128, i128) -> bool, float: fn(f64, f64) -> bool) -> Num {
    let mut best = 0;
    for (i, &x) in xs.iter().enumerate() {
        let wins = match (x, xs[best]) {
            (Num::Int(x), Num::Int(b)) => int(x, b),
            (x, b) => float(x.float(), b.float()) || (x.float().is_nan() && !b.float().is_nan()),
        };
        if wins && !xs[best].float().is_nan() {
            best = i;
        }
    }
    Num::Int(best as i128)
}

/// Declares functions of reduction rows, in `functions` and, in a fixed order, in `reproducible`; what
/// is in `both` asks `REPRODUCIBLE` where it is.
macro_rules! reductions {
    ($($(#[doc = $doc:literal])+ $name:ident;)*
        $(functions { $($own:item)* } both { $($both:item)* })?) => {
        /// One function for each row.
        pub mod functions {
            $(
                $(#[doc = $doc])+
                ///
                /// Runs now, as one kernel with the whole expression inside. Negative axes count
                /// from the end; no axis at all means every axis; `keepdims` leaves the reduced
                /// axes with length 1.
                ///
                /// # Errors
                /// Where the dtype is not taken, an axis is out of range or named twice, or the
                /// device fails.
                pub fn $name(
                    a: impl Into<crate::Expr>,
                    axes: &[i64],
                    keepdims: bool,
                ) -> crate::Result<crate::Tensor> {
                    a.into().reduce(stringify!($name), axes, keepdims)
                }
            )*
            $(
                const REPRODUCIBLE: bool = false;
                $($own)*
                $($both)*
            )?
        }

        /// The same in one fixed order, on every device.
        pub mod reproducible {
            $(
                $(#[doc = $doc])+
                ///
                /// As the function of this name in [`crate::ops`], with the same bits on every
                /// device.
                ///
                /// # Errors
                /// As there.
                pub fn $name(
                    a: impl Into<crate::Expr>,
                    axes: &[i64],
                    keepdims: bool,
                ) -> crate::Result<crate::Tensor> {
                    let options = crate::expr::Reduction { keepdims, reproducible: true };
                    a.into().reduce_with(stringify!($name), axes, options)
                }
            )*
            $(
                const REPRODUCIBLE: bool = true;
                $($both)*
            )?
        }
    };
}
pub(crate) use reductions;

reductions! {
    /// Sum; integers wrap.
    sum;
    /// Arithmetic mean of floats.
    mean;
    /// Product; integers wrap.
    prod;
    /// Largest element; NaN if any is.
    max;
    /// Smallest element; NaN if any is.
    min;
    /// Position of the first largest element, as i64.
    argmax;
    /// Position of the first smallest element, as i64.
    argmin;
    /// True if any element is not zero.
    any;
    /// True if no element is zero.
    all;
}
