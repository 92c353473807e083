//! LU with partial pivoting.

use super::panel::{
    Kernel, Number, PANEL, Panel, STRIP, TOGETHER, Work, check, cut, is_cpu, is_panel, zeros,
};
use super::{fits, identity, square};
use crate::level3::{ONE, gemm, middle, trsm};
use crate::matrix::{Diag, Matrix, Operand, Side, Uplo};
use crate::{Error, Result};
use suanzi_codegen::ir::{BinOp, CastMode, UnOp};
use suanzi_codegen::{Builder, Value};
use suanzi_ops::{Scalar, Tensor};

/// What a factorisation with pivots gives beside the factors.
#[derive(Clone, Debug)]
pub struct Pivoted {
    /// i32 `[batch.., min(m, n)]`: row `i` was swapped with row `pivots[i]`, one after the other, both counted
    /// from 1.
    pub pivots: Tensor,
    /// i32 `[batch..]`: 0, or the first `i` (from 1) for which `U[i, i]` is exactly zero.
    pub info: Tensor,
}

/// Which system is solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trans {
    /// `A · X = B`.
    No,
    /// `Aᵀ · X = B`.
    Transposed,
    /// `Aᴴ · X = B`.
    Conjugated,
}

/// `A = P · L · U`: A is m × n and is overwritten by U and, below the diagonal, by L, whose diagonal is ones.
///
/// A column's pivot is its first element of the largest `|re| + |im|`. Where a pivot is zero, that is noted in `info`
/// and the factorisation goes on: it is right all the same, but U is singular.
///
/// # Errors
/// [`Error::Dtype`] where A is not f32 or f64, [`Error::Backend`].
pub fn getrf(a: &Matrix) -> Result<Pivoted> {
    let op = "getrf";
    check(op, a)?;
    let k = a.m().min(a.n());
    let pivots = zeros(a, Scalar::I32, &[k])?;
    let info = zeros(a, Scalar::I32, &[])?;
    let result = Pivoted { pivots, info };
    if a.tensor().numel() == 0 {
        return Ok(result);
    }
    let work = Work::of(a, true)?;
    let batch = a.batch().iter().product();
    let flat = result.pivots.reshape(&[batch, k])?;
    factor(op, &work.matrix, &flat, &result.info, 0)?;
    work.finish()?;
    Ok(result)
}

/// `first` is the matrix's first row and column in the whole.
fn factor(
    op: &'static str,
    a: &Matrix,
    pivots: &Tensor,
    info: &Tensor,
    first: usize,
) -> Result<()> {
    let (m, n) = (a.m(), a.n());
    if is_panel(a) {
        let step = pivots.strides()[0];
        return Kernel {
            op,
            name: "lu_panel",
            a,
            outs: &[pivots, info],
            ins: &[],
            scalars: &[
                ("k", m.min(n) as u64),
                ("first", first as u64),
                ("pivots", step as u64),
            ],
        }
        .by_matrix(panel);
    }
    let k = m.min(n);
    let half = if k <= PANEL { k } else { middle(k) };
    let left = a.block(0..m, 0..half)?;
    let right = a.block(0..m, half..n)?;
    let [above, below] = [0..half, half..k].map(|r| cut(pivots, r.start, r.end));
    let (above, below) = (above?, below?);
    factor(op, &left, &above, info, first)?;
    swap(op, &right, &above, first, false)?;
    let corner = a.block(0..half, 0..half)?;
    let beside = a.block(0..half, half..n)?;
    trsm(Side::Left, Uplo::Lower, Diag::Unit, (ONE, &corner), &beside)?;
    if half == m {
        return Ok(());
    }
    let under = a.block(half..m, 0..half)?;
    let rest = a.block(half..m, half..n)?;
    gemm(-ONE, &under, &beside, ONE, &rest)?;
    if half == k {
        return Ok(());
    }
    factor(op, &rest, &below, info, first + half)?;
    swap(op, &under, &below, first + half, false)
}

/// Rows swapped as pivots say, whose first is that of row 0, which is row `first` of what they count in;
/// from the last one to the first where that is asked for. Pivots beyond the matrix mean its last row.
fn swap(op: &'static str, a: &Matrix, pivots: &Tensor, first: usize, reverse: bool) -> Result<()> {
    if a.tensor().numel() == 0 || pivots.numel() == 0 {
        return Ok(());
    }
    let kernel = Kernel {
        op,
        name: if reverse { "swap_back" } else { "swap_rows" },
        a,
        outs: &[],
        ins: &[pivots],
        scalars: &[
            ("k", pivots.shape()[1] as u64),
            ("first", first as u64 + 1),
            ("pivots", pivots.strides()[0] as u64),
        ],
    };
    // A CPU's item takes some columns together, which spares it most of the pivots' reading.
    let together = if is_cpu(a) { 8 } else { 1 };
    kernel.by_part(a.n().div_ceil(together), |b, p, matrix, part| {
        let io = p.io;
        let width = io.x.int(b, together as u64);
        let first = b.mul(part, width);
        let past = b.add(first, width);
        let whole = b.bin(BinOp::Le, past, io.p("n"));
        let one = io.x.int(b, 1);
        b.if_else(
            whole,
            |b| swap_columns(b, p, matrix, (first, together as u64), reverse),
            |b| {
                b.for_(first, io.p("n"), one, false, |b, column| {
                    swap_columns(b, p, matrix, (column, 1), reverse);
                });
            },
        );
    })
}

/// Swaps the rows of neighbouring columns.
fn swap_columns(
    b: &mut Builder,
    p: &Panel<'_>,
    matrix: Value,
    (first, count): (Value, u64),
    reverse: bool,
) {
    let io = p.io;
    let columns = p.columns(b, first, count);
    let list = b.mul(matrix, io.p("pivots"));
    let (zero, one) = (io.x.int(b, 0), io.x.int(b, 1));
    let last = b.sub(io.p("m"), one);
    b.for_(zero, io.p("k"), one, false, |b, i| {
        let i = match reverse {
            true => {
                let back = b.sub(io.p("k"), one);
                b.sub(back, i)
            }
            false => i,
        };
        let at = b.add(list, i);
        let other = io.load(b, 0, at);
        let other = b.cast(other, io.x.kind, CastMode::Wrap);
        let other = b.sub(other, io.p("first"));
        let other = io.x.min(b, other, last);
        for &(_, column) in &columns {
            let (here, there) = (p.down(b, column, i), p.down(b, column, other));
            let (x, y) = (p.load(b, here, 1), p.load(b, there, 1));
            p.store(b, here, y);
            p.store(b, there, x);
        }
    });
}

fn panel(b: &mut Builder, p: &Panel<'_>, matrix: Value) {
    let io = p.io;
    let (m, n) = (io.p("m"), io.p("n"));
    let shared = p.shared(b, &[p.kind, io.x.kind]);
    let start = io.x.int(b, 0);
    p.groups(b, [start, io.p("k")], STRIP, |b, first, count| {
        let (one, width) = (io.x.int(b, 1), io.x.int(b, count));
        let past = b.add(first, width);
        b.for_(first, past, one, false, |b, j| {
            pivot(b, p, &shared, matrix, j);
            let column = p.column(b, j);
            let below = b.add(j, one);
            // Everybody's rows below are his own: no barrier before.
            b.for_(below, past, one, false, |b, c| {
                let target = p.column(b, c);
                let at = p.down(b, target, j);
                let factor = p.number(b, at).neg(b);
                p.eliminate(b, &[column], &[(target, vec![factor])], [below, m]);
            });
            p.meet(b);
        });
        let strip = p.columns(b, first, count);
        if count > 1 {
            p.each(b, past, n, |b, c| solve_rows(b, p, &strip, c));
            p.meet(b);
        }
        let sources: Vec<Value> = strip.iter().map(|c| c.1).collect();
        p.groups(b, [past, n], TOGETHER, |b, c, count| {
            let columns = p.columns(b, c, count).into_iter();
            let targets: Vec<(Value, Vec<Number>)> = columns
                .map(|(_, column)| {
                    let factors = strip.iter().map(|&(row, _)| {
                        let at = p.down(b, column, row);
                        p.number(b, at).neg(b)
                    });
                    (column, factors.collect())
                })
                .collect();
            p.eliminate(b, &sources, &targets, [past, m]);
        });
        p.meet(b);
    });
}

/// Swaps the largest row below row `j` with that, and divides the column below by the pivot.
fn pivot(
    b: &mut Builder,
    p: &Panel<'_>,
    shared: &[suanzi_codegen::Place],
    matrix: Value,
    j: Value,
) {
    let io = p.io;
    let (m, one) = (io.p("m"), io.x.int(b, 1));
    let column = p.column(b, j);
    let (size, pivot) = largest(b, p, shared, column, j, m);
    p.once(b, |b| {
        let list = b.mul(matrix, io.p("pivots"));
        let at = b.add(list, j);
        let order = b.add(pivot, io.p("first"));
        let order = b.add(order, one);
        let order = p.position(b, order);
        io.store(b, 1, at, order);
        let zero = p.float(b, 0.0);
        let fine = b.bin(BinOp::Ne, size, zero);
        let old = io.load_out(b, 2, matrix, 1);
        let none = b.int(Scalar::I32, 0);
        let noted = b.bin(BinOp::Ne, old, none);
        let fine = b.bin(BinOp::Or, fine, noted);
        let order = b.add(j, io.p("first"));
        let order = b.add(order, one);
        let order = p.position(b, order);
        let new = b.select(fine, old, order);
        io.store(b, 2, matrix, new);
    });
    let start = io.x.int(b, 0);
    p.each(b, start, io.p("n"), |b, c| {
        let column = p.column(b, c);
        let (here, there) = (p.down(b, column, j), p.down(b, column, pivot));
        let (x, y) = (p.load(b, here, 1), p.load(b, there, 1));
        p.store(b, here, y);
        p.store(b, there, x);
    });
    p.meet(b);
    let at = p.down(b, column, j);
    let by = p.number(b, at);
    let by = p.nonzero(b, by);
    let by = p.divisor(b, by);
    let below = b.add(j, one);
    p.spans(b, below, m, |b, span| {
        let at = p.down(b, column, span.first);
        let old = p.load(b, at, span.rows);
        let new = p.quotient(b, old, by);
        p.put(b, span, at, old, new);
    });
}

/// A column's rows beside a strip's own, less what the strip's columns before them have in them.
fn solve_rows(b: &mut Builder, p: &Panel<'_>, strip: &[(Value, Value)], c: Value) {
    let column = p.column(b, c);
    let mut solved: Vec<Number> = vec![];
    for (i, &(row, _)) in strip.iter().enumerate() {
        let at = p.down(b, column, row);
        let mut x = p.load(b, at, 1);
        for (&(_, before), by) in strip.iter().zip(&solved) {
            let at = p.down(b, before, row);
            let factor = p.load(b, at, 1);
            let by = by.neg(b);
            x = p.add_product(b, x, factor, by);
        }
        if i > 0 {
            p.store(b, at, x);
        }
        solved.push(p.number_of(b, x));
    }
}

/// The first largest of rows `from..to` of a column: its size and row.
fn largest(
    b: &mut Builder,
    p: &Panel<'_>,
    shared: &[suanzi_codegen::Place],
    column: Value,
    from: Value,
    to: Value,
) -> (Value, Value) {
    let index = p.io.x.kind;
    // In vectors where numbers are no pairs.
    let lanes = if p.parts == 1 { p.lanes } else { 1 };
    let scan = Panel { lanes, ..*p };
    let mut best = vec![];
    for rows in if lanes == 1 { vec![1] } else { vec![1, lanes] } {
        let size = b.float(p.kind.x(rows), -1.0);
        let at = b.splat(from, rows);
        best.push((rows, b.var(size), b.var(at)));
    }
    scan.rows(b, from, to, |b, i, rows| {
        let at = scan.down(b, column, i);
        let x = scan.load(b, at, rows);
        let size = match rows {
            1 => scan.number_of(b, x).size(b),
            _ => b.un(UnOp::Abs, x),
        };
        let steps: Vec<Value> = (0..rows).map(|r| b.int(index, r.into())).collect();
        let steps = b.compose(&steps);
        let at = b.bin(BinOp::Add, i, steps);
        for &(_, most, place) in best.iter().filter(|x| x.0 == rows) {
            let old = b.get(most);
            let larger = b.bin(BinOp::Gt, size, old);
            let size = b.select(larger, size, old);
            b.set(most, size);
            let old = b.get(place);
            let at = b.select(larger, at, old);
            b.set(place, at);
        }
    });
    let mut found: Option<Vec<Value>> = None;
    for (rows, most, place) in best {
        let (most, place) = (b.get(most), b.get(place));
        for r in 0..rows {
            let next = vec![b.extract(most, r), b.extract(place, r)];
            found = Some(match found {
                Some(found) => larger(b, &found, &next),
                None => next,
            });
        }
    }
    let found = p.fold(b, shared, &found.unwrap_or_default(), larger);
    (found[0], found[1])
}

/// Of two sizes with their rows the larger one, and of equal ones the first.
fn larger(b: &mut Builder, x: &[Value], y: &[Value]) -> Vec<Value> {
    let more = b.bin(BinOp::Gt, y[0], x[0]);
    let same = b.bin(BinOp::Eq, y[0], x[0]);
    let before = b.bin(BinOp::Lt, y[1], x[1]);
    let first = b.bin(BinOp::And, same, before);
    let take = b.bin(BinOp::Or, more, first);
    vec![b.select(take, y[0], x[0]), b.select(take, y[1], x[1])]
}

/// `X` of `A · X = B` (or of A transposed), which overwrites B; `a` and `pivots` are what [`getrf`] made of A.
///
/// # Errors
/// [`Error::Shape`] where A is not square or B or the pivots do not fit, [`Error::Dtype`],
/// [`Error::Backend`]. A singular U is not looked for: infinities and NaN come out.
pub fn getrs(trans: Trans, a: &Matrix, pivots: &Tensor, b: &Matrix) -> Result<()> {
    let op = "getrs";
    fits(op, a, b)?;
    let shape = [a.batch(), &[a.n()]].concat();
    if pivots.shape() != shape {
        let why = "there is a pivot for each row";
        return Err(Error::shape(op, [a.tensor().shape(), pivots.shape()], why));
    }
    if pivots.dtype() != Scalar::I32 {
        return Err(Error::dtype(op, [pivots.dtype()], "pivots are i32"));
    }
    if b.tensor().numel() == 0 {
        return Ok(());
    }
    let pivots = pivots.reshape(&[a.batch().iter().product(), a.n()])?;
    let work = Work::of(b, false)?;
    let x = &work.matrix;
    let of = |a: Operand, uplo, diag| trsm(Side::Left, uplo, diag, (ONE, a), x);
    let turned = match trans {
        Trans::No => {
            swap(op, x, &pivots, 0, false)?;
            of(a.into(), Uplo::Lower, Diag::Unit)?;
            of(a.into(), Uplo::Upper, Diag::NonUnit)?;
            return work.finish();
        }
        Trans::Transposed => Operand::from(a.t()),
        Trans::Conjugated => a.h(),
    };
    of(turned.clone(), Uplo::Lower, Diag::NonUnit)?;
    of(turned, Uplo::Upper, Diag::Unit)?;
    swap(op, x, &pivots, 0, true)?;
    work.finish()
}

/// The inverse of A, which overwrites it; `a` and `pivots` are what [`getrf`] made of A.
///
/// # Errors
/// As [`getrs`].
pub fn getri(a: &Matrix, pivots: &Tensor) -> Result<()> {
    square("getri", a)?;
    let inverse = identity(a, [a.n(), a.n()])?;
    getrs(Trans::No, a, pivots, &inverse)?;
    inverse.tensor().expr().eval_into(a.tensor())
}
