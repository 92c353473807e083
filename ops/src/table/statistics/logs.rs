//! Logarithms of sums.

use super::super::reduction::{SUM, exact_sum};
use super::super::{FLOATS, Kind, Limit, Reduce, Row};
use crate::num::Num;
use suanzi_codegen::math::{exp, formula, log};
use suanzi_codegen::{Builder, Scalar, Value};

/// `log Σx`.
pub const LOG_SUM: Row = Row {
    name: "log_sum",
    doc: "`log Σx`; -inf of nothing. Its error is that of the sum, `Σ|x|/|Σx|` times eps, and that of the logarithm.",
    dtypes: FLOATS,
    kind: Kind::Reduce(Reduce {
        finish: |b, x, _| log(b, x[0]),
        reference: |t, xs| Num::Float(exact_sum(t, xs).float().ln()),
        scale: Some(|t, xs| {
            let sum = exact_sum(t, xs).float();
            let sizes: f64 = xs.iter().map(|x| x.float().abs()).sum();
            sizes / sum.abs() + sum.ln().abs()
        }),
        ..SUM
    }),
    limit: |_| Limit::Mean(16.0),
};

/// `log Σe^x`.
pub const LOGSUMEXP: Row = Row {
    name: "logsumexp",
    doc: "`log Σe^x`, in one pass, relative to the greatest element so far, so that nothing overflows; -inf of nothing. Its error is measured against `1 + log n + |result|`.",
    dtypes: FLOATS,
    kind: Kind::Reduce(EXPONENTIALS),
    limit: |_| Limit::Mean(8.0),
};

/// Over (greatest, sum of exponentials relative to it).
pub const EXPONENTIALS: Reduce = Reduce {
    lift: |b, x, _| {
        let ty = b.ty(x);
        vec![x, b.int(ty, 1)]
    },
    identity: |b, ty, _| vec![b.float(ty, f64::NEG_INFINITY), b.int(ty, 0)],
    combine: join,
    finish: |b, x, _| formula(b, [x[0], x[1]], |[most, sum]| most + sum.apply(log)),
    reference: |t, xs| Num::Float(log_sum_exp(t, xs)),
    scale: Some(|t, xs| 1.0 + (xs.len() as f64).ln() + log_sum_exp(t, xs).abs()),
    ..SUM
};

/// Two accumulators (greatest, sum of exponentials relative to it).
fn join(b: &mut Builder, x: &[Value], y: &[Value]) -> Vec<Value> {
    let most = formula(b, [x[0], y[0]], |[x, y]| x.max(y));
    let sum = formula(b, [x[0], y[0], x[1], y[1]], |[x, y, xs, ys]| {
        // Equal infinities differ by nothing.
        let down = x.eq(y).select(0.0, x.min(y) - x.max(y)).apply(exp);
        let first = x.ge(y);
        down.mul_add(first.select(ys, xs), first.select(xs, ys))
    });
    vec![most, sum]
}

fn log_sum_exp(dtype: Scalar, xs: &[Num]) -> f64 {
    let most = xs
        .iter()
        .map(|x| x.float())
        .fold(f64::NEG_INFINITY, f64::max);
    if xs.iter().any(|x| x.float().is_nan()) {
        return f64::NAN;
    }
    if most.is_infinite() {
        return most;
    }
    let terms: Vec<Num> = xs
        .iter()
        .map(|x| Num::Float((x.float() - most).exp()))
        .collect();
    most + exact_sum(dtype, &terms).float().ln()
}
