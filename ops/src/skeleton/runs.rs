//! Folding runs: rows whose ids are equal and lie side by side are folded, in order, into the row of
//! the result that the id names. Segments and scattering are this, after a stable sort where ids do
//! not lie side by side.
//!
//! The rows are cut into chunks. A worker folds those of one chunk and writes the runs inside it;
//! its first and last run may go on in the neighbouring chunks, so what it has of them becomes two
//! rows of a further, much shorter list, which is folded in the same way. Chunks depend on shapes and
//! the device's caps alone, and nothing is added atomically, so a device gives the same bits every
//! time. An id outside the result is skipped: nothing is ever written there.

use super::Machine;
use super::each::{By, Each, Io};
use crate::error::Result;
use crate::table::compute_kind;
use crate::tensor::Tensor;
use suanzi_backends::DeviceKind;
use suanzi_codegen::ir::{self, BinOp, CastMode};
use suanzi_codegen::{Builder, Scalar, Value};

/// How equal ids are folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    /// The last one stays.
    Replace,
    /// Sum; integers wrap.
    Add,
    /// Product; integers wrap.
    Mul,
    /// Smallest; NaN if any is.
    Min,
    /// Largest; NaN if any is.
    Max,
}

impl Fold {
    fn combine(self, b: &mut Builder, first: Value, second: Value) -> Value {
        let op = match self {
            Fold::Replace => return second,
            Fold::Add => BinOp::Add,
            Fold::Mul => BinOp::Mul,
            Fold::Min => BinOp::Min,
            Fold::Max => BinOp::Max,
        };
        b.bin(op, first, second)
    }

    /// What may be folded to a value without changing it; for floats -0 is that of sums.
    fn neutral(self, b: &mut Builder, value: Value) -> Value {
        let ty = b.ty(value);
        match self {
            Fold::Add if ty.scalar.is_float() => b.float(ty, -0.0),
            Fold::Add => b.int(ty, 0),
            Fold::Mul => b.int(ty, 1),
            _ => value,
        }
    }
}

/// Rows to be folded.
pub(crate) struct Runs<'a> {
    pub op: &'static str,
    pub fold: Fold,
    /// `[n]`, integers; equal ones side by side.
    pub ids: &'a Tensor,
    /// `[n]`: the row of `values` that each id is of, where that is not its own number.
    pub order: Option<&'a Tensor>,
    /// `[n, columns]`, contiguous.
    pub values: &'a Tensor,
    /// What is in the result already is folded in, before everything else.
    pub joins: bool,
}

impl Runs<'_> {
    /// Folds into `[rows, columns]`, contiguous.
    pub fn fold_into(&self, out: &Tensor) -> Result<()> {
        let (n, columns) = (self.ids.numel(), out.shape()[1]);
        if n == 0 || out.numel() == 0 {
            return Ok(());
        }
        let machine = Machine::of(out);
        let kind = compute_kind(self.values.dtype());
        // Vectors along the columns.
        let most = match machine.kind {
            DeviceKind::Cpu => (64 / kind.bytes()).clamp(1, 16),
            DeviceKind::Gpu => (16 / kind.bytes()).clamp(1, 4),
            DeviceKind::Interpreter => 1,
        };
        let lanes = most.min(1 << columns.trailing_zeros()) as u8;
        let pieces = columns / usize::from(lanes);
        let length = match machine.kind {
            DeviceKind::Cpu => (n * pieces / (16 * machine.units as usize)).clamp(256, 65_536),
            _ => 64,
        };
        let chunks = n.div_ceil(length);
        let ctx = out.context();
        let more = match chunks {
            1 => None,
            _ => Some((
                Tensor::empty(ctx, self.ids.dtype(), &[2 * chunks])?,
                Tensor::empty(ctx, kind, &[2 * chunks, columns])?,
            )),
        };
        let mut outs = vec![out];
        let mut ins = vec![self.ids, self.values];
        ins.extend(self.order);
        if let Some((ids, values)) = &more {
            outs.extend([ids, values]);
        }
        let level = Level {
            fold: self.fold,
            kind,
            lanes,
            result: out.dtype(),
            ordered: self.order.is_some(),
            joins: self.joins,
            more: more.is_some(),
        };
        let each = Each {
            op: self.op,
            name: "fold_runs",
            variant: &level.variant(),
            by: By::Item,
            outs: &outs,
            ins: &ins,
            scalars: &[
                ("n", n as u64),
                ("rows", out.shape()[0] as u64),
                ("columns", columns as u64),
                ("pieces", pieces as u64),
                ("length", length as u64),
            ],
        };
        each.run((chunks * pieces) as u64, |b, io, task| {
            level.chunk(b, io, task)
        })?;
        let Some((ids, values)) = &more else {
            return Ok(());
        };
        let rest = Runs {
            ids,
            order: None,
            values,
            ..*self
        };
        rest.fold_into(out)
    }
}

/// What the kernel depends on.
struct Level {
    fold: Fold,
    /// Of the accumulators.
    kind: Scalar,
    lanes: u8,
    /// Dtype of the result.
    result: Scalar,
    ordered: bool,
    joins: bool,
    /// There are several chunks.
    more: bool,
}

impl Level {
    fn variant(&self) -> [u32; 5] {
        let flags = [self.ordered, self.joins, self.more].map(u32::from);
        let [ordered, joins, more] = flags;
        [self.fold as u32, self.lanes.into(), ordered, joins, more]
    }

    fn value(&self, b: &mut Builder, io: &Io, row: Value, column: Value) -> Value {
        let row = match self.ordered {
            true => {
                let row = io.load(b, 2, row);
                b.cast(row, io.x.kind, CastMode::Wrap)
            }
            false => row,
        };
        let at = io.x.step(b, column, row, io.p("columns"));
        let value = io.load_lanes(b, 1, at, self.lanes);
        b.cast(value, self.kind, CastMode::Saturate)
    }

    fn chunk(&self, b: &mut Builder, io: &Io, task: Value) {
        let (chunk, piece) = io.x.div_rem(b, task, io.p("pieces"));
        let lanes = io.x.int(b, self.lanes.into());
        let column = b.mul(piece, lanes);
        let start = b.mul(chunk, io.p("length"));
        let end = b.add(start, io.p("length"));
        let end = io.x.min(b, end, io.p("n"));
        let (one, two) = (io.x.int(b, 1), io.x.int(b, 2));
        let id = io.load(b, 0, start);
        let value = self.value(b, io, start, column);
        let (id, acc) = (b.var(id), b.var(value));
        // The first run of a chunk is not written, but handed on.
        let inside = b.bool(!self.more);
        let inside = b.var(inside);
        let slot = b.mul(chunk, two);
        let second = b.add(start, one);
        b.for_(second, end, one, false, |b, row| {
            let next = io.load(b, 0, row);
            let value = self.value(b, io, row, column);
            let (old, run) = (b.get(id), b.get(acc));
            let same = b.bin(BinOp::Eq, next, old);
            b.if_else(
                same,
                |b| {
                    let joined = self.fold.combine(b, run, value);
                    b.set(acc, joined);
                },
                |b| {
                    self.done(b, io, inside, slot, column, old, run);
                    b.set(id, next);
                    b.set(acc, value);
                },
            );
        });
        let (id, run) = (b.get(id), b.get(acc));
        if !self.more {
            return self.write(b, io, column, id, run);
        }
        // A chunk with one run hands that on first, and then something that changes nothing.
        let last = b.add(slot, one);
        let several = b.get(inside);
        b.if_else(
            several,
            |b| self.hand_on(b, io, last, column, id, run),
            |b| {
                self.hand_on(b, io, slot, column, id, run);
                let nothing = self.fold.neutral(b, run);
                self.hand_on(b, io, last, column, id, nothing);
            },
        );
    }

    /// The end of a run that is not the chunk's last.
    #[allow(clippy::too_many_arguments)]
    fn done(
        &self,
        b: &mut Builder,
        io: &Io,
        inside: ir::Id,
        slot: Value,
        column: Value,
        id: Value,
        run: Value,
    ) {
        if !self.more {
            return self.write(b, io, column, id, run);
        }
        let whole = b.get(inside);
        b.if_else(
            whole,
            |b| self.write(b, io, column, id, run),
            |b| {
                self.hand_on(b, io, slot, column, id, run);
                let yes = b.bool(true);
                b.set(inside, yes);
            },
        );
    }

    fn hand_on(&self, b: &mut Builder, io: &Io, slot: Value, column: Value, id: Value, run: Value) {
        // Every piece of a row writes the same id; one is enough.
        let zero = io.x.int(b, 0);
        let first = b.bin(BinOp::Eq, column, zero);
        b.if_(first, |b| io.store(b, 1, slot, id));
        let at = io.x.step(b, column, slot, io.p("columns"));
        io.store(b, 2, at, run);
    }

    fn write(&self, b: &mut Builder, io: &Io, column: Value, id: Value, run: Value) {
        // A negative id is huge as an unsigned one.
        let id = b.cast(id, Scalar::U64, CastMode::Wrap);
        let rows = b.cast(io.p("rows"), Scalar::U64, CastMode::Wrap);
        let valid = b.bin(BinOp::Lt, id, rows);
        b.if_(valid, |b| {
            let row = b.cast(id, io.x.kind, CastMode::Wrap);
            let at = io.x.step(b, column, row, io.p("columns"));
            let mut total = run;
            if self.joins {
                let before = io.load_out(b, 0, at, self.lanes);
                let before = b.cast(before, self.kind, CastMode::Saturate);
                total = self.fold.combine(b, before, run);
            }
            let total = b.cast(total, self.result, CastMode::Saturate);
            io.store(b, 0, at, total);
        });
    }
}
