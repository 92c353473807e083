//! Sorting short rows: each key counts those that come before it, which is where it goes.

use super::super::each::{By, Each};
use crate::error::Result;
use crate::tensor::Tensor;
use suanzi_codegen::Scalar;
use suanzi_codegen::ir::{BinOp, CastMode};

pub(super) fn sort(
    op: &'static str,
    keys: &Tensor,
    positions: Option<Scalar>,
) -> Result<(Tensor, Option<Tensor>)> {
    let n = keys.shape()[1];
    let ctx = keys.context();
    let out = Tensor::empty(ctx, keys.dtype(), keys.shape())?;
    let order = match positions {
        Some(kind) => Some(Tensor::empty(ctx, kind, keys.shape())?),
        None => None,
    };
    let outs: Vec<&Tensor> = [&out].into_iter().chain(&order).collect();
    let each = Each {
        op,
        name: "sort_rank",
        variant: &[],
        by: By::Item,
        outs: &outs,
        ins: &[keys],
        scalars: &[("n", n as u64)],
    };
    each.run(keys.numel() as u64, |b, io, i| {
        let (row, column) = io.x.div_rem(b, i, io.p("n"));
        let first = b.mul(row, io.p("n"));
        let key = io.load(b, 0, i);
        let (zero, one) = (io.x.int(b, 0), io.x.int(b, 1));
        let rank = b.var(zero);
        // Of equals those in front come first.
        let count = |b: &mut suanzi_codegen::Builder, from, to, before: BinOp| {
            b.for_(from, to, one, false, |b, j| {
                let at = b.add(first, j);
                let other = io.load(b, 0, at);
                let counts = b.bin(before, other, key);
                let more = b.cast(counts, io.x.kind, CastMode::Wrap);
                let old = b.get(rank);
                let new = b.add(old, more);
                b.set(rank, new);
            });
        };
        count(b, zero, column, BinOp::Le);
        count(b, column, io.p("n"), BinOp::Lt);
        let rank = b.get(rank);
        let to = b.add(first, rank);
        io.store(b, 0, to, key);
        if let Some(kind) = positions {
            let column = b.cast(column, kind, CastMode::Wrap);
            io.store(b, 1, to, column);
        }
    })?;
    Ok((out, order))
}
