//! Modified rotations, which need no roots, made on the device.

use super::alike;
use crate::overlap::apart;
use crate::vector::Vector;
use crate::{Error, Result};
use suanzi_codegen::ir::{BinOp, Id, UnOp};
use suanzi_codegen::{Builder, Value};
use suanzi_ops::{By, Each, Tensor, ops};

/// Modified plane rotations: `(x, y)` becomes `H · (x, y)`.
#[derive(Clone, Debug)]
pub struct Modified {
    /// BLAS's flag, of the vectors' dtype: -1 where H is any matrix, 0 where its diagonal is ones, 1 where the
    /// other diagonal is 1 and -1, -2 where it is the identity.
    pub flag: Tensor,
    /// `[batch.., n, 2, 2]`, whole whatever the flag is.
    pub h: Tensor,
}

/// Scaling is by powers of this.
const GAMMA: f64 = 4096.0;

/// More scalings than an f64 can need.
const SCALINGS: u64 = 96;

/// For each four elements the modified rotation that makes the second component of `(√d1 · x1, √d2 · y1)` zero; d1, d2 and
/// x1 become those of the result, d1 and d2 within 4096^±2. Of real vectors.
///
/// As BLAS: where d1 is negative or the rotation would make it so, H, d1, d2 and x1 become zero; where d2 · y1 is
/// zero, nothing changes.
///
/// # Errors
/// See the module.
pub fn rotmg(d1: &Vector, d2: &Vector, x1: &Vector, y1: &Vector) -> Result<Modified> {
    let op = "rotmg";
    let all = [("d1", d1), ("d2", d2), ("x1", x1), ("y1", y1)];
    for (i, (name, v)) in all.iter().enumerate() {
        alike(op, d1, v)?;
        let others: Vec<(&str, &Tensor)> =
            all[i + 1..].iter().map(|o| (o.0, o.1.tensor())).collect();
        if *name != "y1" {
            apart(op, (name, v.tensor()), &others)?;
        }
    }
    if d1.is_complex() || d1.dtype().bytes() < 4 {
        return Err(Error::dtype(op, [d1.dtype()], "it takes real f32 and f64"));
    }
    let tensors = all.map(|v| v.1.tensor().clone());
    let axis = d1.tensor().shape().len() as i64;
    let given = ops::stack(&tensors, axis)?.contiguous()?;
    let shape = [d1.tensor().shape(), &[8]].concat();
    let made = Tensor::empty(given.context(), given.dtype(), &shape)?;
    let each = Each {
        op,
        name: "rotmg",
        variant: &[],
        by: By::Item,
        outs: &[&made],
        ins: &[&given],
        scalars: &[],
    };
    each.run(d1.tensor().numel() as u64, |b, io, task| {
        let [four, eight] = [4, 8].map(|n| io.x.int(b, n));
        let (from, to) = (b.mul(task, four), b.mul(task, eight));
        let mut given = vec![];
        for i in 0..4 {
            let i = io.x.int(b, i);
            let at = b.add(from, i);
            given.push(io.load(b, 0, at));
        }
        let made = rotation(
            b,
            [given[0], given[1], given[2], given[3]],
            |b, limit, f| {
                let (zero, one) = (io.x.int(b, 0), io.x.int(b, 1));
                let limit = io.x.int(b, limit);
                b.for_(zero, limit, one, false, |b, _| f(b));
            },
        );
        for (i, value) in made.into_iter().enumerate() {
            let i = io.x.int(b, i as u64);
            let at = b.add(to, i);
            io.store(b, 0, at, value);
        }
    })?;
    let column = |i: i64| made.slice(axis, i, i + 1, 1)?.reshape(d1.tensor().shape());
    for (i, v) in [d1, d2, x1].into_iter().enumerate() {
        column(5 + i as i64)?.expr().eval_into(v.tensor())?;
    }
    let h = made.slice(axis, 1, 5, 1)?;
    let shape = [d1.tensor().shape(), &[2, 2]].concat();
    Ok(Modified {
        flag: column(0)?.contiguous()?,
        h: h.reshape(&shape)?,
    })
}

/// The flag, H row by row, d1, d2 and x1.
fn rotation(
    b: &mut Builder,
    [d1, d2, x1, y1]: [Value; 4],
    repeat: impl Fn(&mut Builder, u64, &dyn Fn(&mut Builder)),
) -> Vec<Value> {
    let kind = b.ty(d1).scalar;
    let (zero, one) = (b.float(kind, 0.0), b.float(kind, 1.0));
    let minus = b.float(kind, -1.0);
    let (p1, p2) = (b.mul(d1, x1), b.mul(d2, y1));
    let (q1, q2) = (b.mul(p1, x1), b.mul(p2, y1));
    let none = b.bin(BinOp::Eq, p2, zero);
    let (s1, s2) = (b.un(UnOp::Abs, q1), b.un(UnOp::Abs, q2));
    let first = b.bin(BinOp::Gt, s1, s2);
    let either = |b: &mut Builder, x: Value, y: Value| b.select(first, x, y);
    // H is (1, h12; h21, 1), or (h11, 1; -1, h22) where the second is the larger.
    let ratio = b.bin(BinOp::Div, y1, x1);
    let h21 = b.un(UnOp::Neg, ratio);
    let h12 = b.bin(BinOp::Div, p2, p1);
    let product = b.mul(h12, h21);
    let u1 = b.sub(one, product);
    let h11 = b.bin(BinOp::Div, p1, p2);
    let h22 = b.bin(BinOp::Div, x1, y1);
    let product = b.mul(h11, h22);
    let u2 = b.add(one, product);
    let u = either(b, u1, u2);
    let grows = b.bin(BinOp::Gt, u1, zero);
    let turns = b.bin(BinOp::Ge, q2, zero);
    let fine = either(b, grows, turns);
    let positive = b.bin(BinOp::Ge, d1, zero);
    let fine = b.bin(BinOp::And, fine, positive);
    let kept = b.bin(BinOp::And, none, positive);
    let from = either(b, d1, d2);
    let other = either(b, d2, d1);
    let (new1, new2) = (b.bin(BinOp::Div, from, u), b.bin(BinOp::Div, other, u));
    let length = either(b, x1, y1);
    let length = b.mul(length, u);
    let row = [either(b, one, h11), either(b, h12, one)];
    let below = [either(b, h21, minus), either(b, one, h22)];
    let two = b.float(kind, -2.0);
    let flag = either(b, zero, one);
    // As it is where nothing is to be done, zero where nothing can be.
    let settled = |b: &mut Builder, value: Value, as_is: Value, failed: Value| {
        let value = b.select(fine, value, failed);
        let value = b.select(kept, as_is, value);
        b.var(value)
    };
    let flag = settled(b, flag, two, minus);
    let h: Vec<Id> = [
        (row[0], one),
        (row[1], zero),
        (below[0], zero),
        (below[1], one),
    ]
    .into_iter()
    .map(|(value, as_is)| settled(b, value, as_is, zero))
    .collect();
    let (new1, new2) = (settled(b, new1, d1, zero), settled(b, new2, d2, zero));
    let length = settled(b, length, x1, zero);
    let (gamma, square) = (b.float(kind, GAMMA), b.float(kind, GAMMA * GAMMA));
    let inverse = b.float(kind, 1.0 / GAMMA);
    let least = b.float(kind, 1.0 / (GAMMA * GAMMA));
    for (d, scaled) in [(new1, vec![h[0], h[1], length]), (new2, vec![h[2], h[3]])] {
        repeat(b, SCALINGS, &|b| {
            let value = b.get(d);
            let size = b.un(UnOp::Abs, value);
            let small = b.bin(BinOp::Le, size, least);
            let large = b.bin(BinOp::Ge, size, square);
            let some = b.bin(BinOp::Ne, size, zero);
            let small = b.bin(BinOp::And, small, some);
            let outside = b.bin(BinOp::Or, small, large);
            let infinite = b.un(UnOp::IsInf, size);
            let finite = b.un(UnOp::Not, infinite);
            let outside = b.bin(BinOp::And, outside, finite);
            let kept = b.un(UnOp::Not, kept);
            let outside = b.bin(BinOp::And, outside, kept);
            b.if_(outside, |b| {
                b.set(flag, minus);
                let by = b.select(small, square, least);
                let value = b.mul(value, by);
                b.set(d, value);
                let by = b.select(small, inverse, gamma);
                for &var in &scaled {
                    let value = b.get(var);
                    let value = b.mul(value, by);
                    b.set(var, value);
                }
            });
        });
    }
    let order = [flag].into_iter().chain(h).chain([new1, new2, length]);
    order.map(|var| b.get(var)).collect()
}
