//! The operator table: every row in one dtype, and calls by their examples.

use crate::Outcome;
use crate::cases::{Suite, data};
use suanzi_backends::Context;
use suanzi_ops::table::call::{Attrs, Call, Example, Operand, Values};
use suanzi_ops::table::{self, Kind, Limit, Row};
use suanzi_ops::{Error, Expr, Num, Result, Scalar, Tensor};

/// Examples with more elements are left to the conformance suite: a sanitizer is slow.
const MOST: usize = 600;

/// Every map and reduction that is not run elsewhere.
pub fn rows(suite: &mut Suite) -> Outcome<()> {
    for row in table::rows() {
        let dtype = lead(row);
        // A device's own functions are not to be had everywhere, and not the same.
        if (row.limit)(dtype) == Limit::Measured {
            continue;
        }
        match row.kind {
            Kind::Map(op) => suite.compared(true, &format!("{} {dtype}", row.name), |ctx| {
                let operand =
                    |i: usize| Ok(Expr::from(data(ctx, op.inputs.dtype(i, dtype), &[37])?));
                let operands: Vec<Expr> =
                    (0..op.inputs.count()).map(operand).collect::<Result<_>>()?;
                Ok(vec![Expr::map(row.name, &operands)?.eval()?])
            })?,
            Kind::Reduce(_) => {
                let same = (row.limit)(dtype) == Limit::Exact;
                for shape in [[5, 300], [300, 5]] {
                    suite.compared(same, &format!("{} {dtype} {shape:?}", row.name), |ctx| {
                        let x = data(ctx, dtype, &shape)?.expr();
                        Ok(vec![
                            x.reduce(row.name, &[0], false)?,
                            x.reduce(row.name, &[1], false)?,
                        ])
                    })?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The examples of every call.
pub fn calls(suite: &mut Suite) -> Outcome<()> {
    for row in table::rows() {
        let Kind::Call(call) = row.kind else { continue };
        let dtype = lead(row);
        let same = (row.limit)(dtype) == Limit::Exact;
        for (i, text) in call.examples.iter().enumerate() {
            let example = Example::parse(text, dtype, call.creates);
            let example = example.ok_or_else(|| format!("{}: `{text}` is no example", row.name))?;
            let elements = |o: &Operand| o.shape.iter().product::<usize>();
            let size: usize = example.operands.iter().map(elements).sum();
            if i == 0 || size <= MOST {
                let name = format!("{} {dtype} {text}", row.name);
                suite.compared(same, &name, |ctx| run(ctx, &call, &example))?;
            }
        }
    }
    Ok(())
}

/// The results, none where the call has to be refused and is.
fn run(ctx: &Context, call: &Call, example: &Example) -> Result<Vec<Tensor>> {
    let attrs: &Attrs = &example.attrs;
    let operands: Vec<Tensor> = example
        .operands
        .iter()
        .map(|o| operand(ctx, o))
        .collect::<Result<_>>()?;
    match (call.run)(ctx, &operands, attrs) {
        Err(error @ Error::Backend { .. }) => Err(error),
        Err(_) => Ok(vec![]),
        Ok(results) => Ok(results),
    }
}

/// An operand that holds what its example says.
fn operand(ctx: &Context, operand: &Operand) -> Result<Tensor> {
    let (dtype, shape) = (operand.dtype, &operand.shape[..]);
    let n: usize = shape.iter().product();
    let whole = |f: &dyn Fn(i64) -> i64| {
        let mut bytes = vec![];
        for i in 0..n as i64 {
            let num = match dtype {
                Scalar::Bool => Num::Bool(f(i) % 2 != 0),
                _ => Num::Int(f(i).into()),
            };
            bytes.extend(&num.to_bits(dtype).to_le_bytes()[..dtype.bytes()]);
        }
        Tensor::from_bytes(ctx, dtype, shape, &bytes)
    };
    let mixed = |i: i64, m: i64| (i * 37 + i / 7 * 5 + 3) % m.max(1);
    match operand.values {
        Values::Index(m) => whole(&|i| mixed(i, 2 * m) - m),
        Values::Wild(m) => whole(&|i| mixed(i, 4 * m) - 2 * m),
        Values::Offset(m) => whole(&|i| mixed(i, m)),
        Values::Sorted(m) => whole(&|i| i * m.max(1) / (n as i64).max(1)),
        Values::Few(m) => whole(&|i| mixed(i, m)),
        Values::Ascending => whole(&|i| i / 3),
        Values::Unit => whole(&|i| mixed(i, 3) - 1),
        Values::Positive | Values::NearOne => whole(&|i| mixed(i, 3) + 1),
        Values::Data | Values::Moderate => data(ctx, dtype, shape),
    }
}

/// f32 where the operator takes it, else its first dtype.
fn lead(row: &Row) -> Scalar {
    match row.dtypes.contains(&Scalar::F32) {
        true => Scalar::F32,
        false => row.dtypes[0],
    }
}
