//! Radix sort, from the lowest digit: count the digits of each block, scan the counts (digit by
//! digit, block by block), and place each key behind those before it.
//!
//! A block is done by a work-group, whose items have neighbouring runs of keys, each with its own
//! column of counters in shared memory, so that nobody adds to another's. On a CPU the group is one
//! item, digits are bytes, and the counters of its one column say directly where a key goes; on a GPU
//! digits are half bytes, so that all columns fit into shared memory, where they are scanned.

use super::super::Machine;
use super::super::each::{By, Each, Io};
use crate::error::Result;
use crate::ops::{self, Span};
use crate::tensor::Tensor;
use suanzi_backends::DeviceKind;
use suanzi_codegen::ir::{Barrier, BinOp, Builtin, CastMode, Id};
use suanzi_codegen::{Builder, Place, Scalar, Value};

/// How rows are cut.
struct Cut {
    /// Items of a group.
    width: u32,
    /// Bits of a digit.
    digit: u32,
    /// Keys of an item.
    each: usize,
    /// Groups of a row.
    blocks: usize,
}

impl Cut {
    fn of(rows: usize, n: usize, machine: Machine) -> Cut {
        let (width, digit, each) = match machine.kind {
            DeviceKind::Cpu => {
                // Some blocks for every unit, none too small for its counters.
                let wanted = (4 * machine.units as usize).div_ceil(rows).max(1);
                (1, 8, n.div_ceil(wanted).max(4096))
            }
            DeviceKind::Gpu => (machine.workgroup(128), 4, 16),
            DeviceKind::Interpreter => (machine.workgroup(256), 4, 16),
        };
        let blocks = n.div_ceil(each * width as usize);
        Cut {
            width,
            digit,
            each,
            blocks,
        }
    }
}

pub(super) fn sort(
    op: &'static str,
    keys: &Tensor,
    bits: u32,
    order: Option<Tensor>,
    counting: Scalar,
    machine: Machine,
) -> Result<(Tensor, Option<Tensor>)> {
    let (rows, n) = (keys.shape()[0], keys.shape()[1]);
    let cut = Cut::of(rows, n, machine);
    let ctx = keys.context();
    let digits = 1usize << cut.digit;
    let counts = Tensor::empty(ctx, counting, &[rows, digits * cut.blocks])?;
    // Two tensors take turns; the first pass reads the caller's, which stay as they are.
    let fresh = |like: &Tensor| Tensor::empty(ctx, like.dtype(), like.shape());
    let mut from = (keys.clone(), order);
    let mut spare: Option<(Tensor, Option<Tensor>)> = None;
    for shift in (0..bits).step_by(cut.digit as usize) {
        let to = match spare.take() {
            Some(to) => to,
            None => (fresh(keys)?, from.1.as_ref().map(fresh).transpose()?),
        };
        let scalars = [
            ("n", n as u64),
            ("blocks", cut.blocks as u64),
            ("each", cut.each as u64),
            ("shift", shift.into()),
        ];
        let tasks = (rows * cut.blocks) as u64;
        let by = By::Group(cut.width);
        let pass = Pass {
            cut: &cut,
            counting,
        };
        Each {
            op,
            name: "sort_count",
            variant: &[cut.digit],
            by,
            outs: &[&counts],
            ins: &[&from.0],
            scalars: &scalars,
        }
        .run(tasks, |b, io, task| pass.count(b, io, task))?;
        let span = Span {
            exclusive: true,
            reverse: false,
        };
        let starts = ops::cumsum(&counts, 1, span)?;
        let outs: Vec<&Tensor> = [&to.0].into_iter().chain(&to.1).collect();
        let ins: Vec<&Tensor> = [&starts, &from.0].into_iter().chain(&from.1).collect();
        Each {
            op,
            name: "sort_place",
            variant: &[cut.digit],
            by,
            outs: &outs,
            ins: &ins,
            scalars: &scalars,
        }
        .run(tasks, |b, io, task| {
            pass.place(b, io, task, from.1.is_some())
        })?;
        spare = (shift > 0).then_some(from);
        from = to;
    }
    Ok(from)
}

/// One digit.
struct Pass<'a> {
    cut: &'a Cut,
    counting: Scalar,
}

/// An item's keys.
struct Run {
    row: Value,
    block: Value,
    /// First key of the row.
    first: Value,
    start: Value,
    end: Value,
    local: Value,
}

impl Pass<'_> {
    fn digits(&self) -> u32 {
        1 << self.cut.digit
    }

    fn run(&self, b: &mut Builder, io: &Io, task: Value) -> Run {
        let (row, block) = io.x.div_rem(b, task, io.p("blocks"));
        let local = io.x.builtin(b, Builtin::LocalId(0));
        let width = io.x.int(b, self.cut.width.into());
        let item = io.x.step(b, local, block, width);
        let (n, each) = (io.p("n"), io.p("each"));
        let start = b.mul(item, each);
        let start = io.x.min(b, start, n);
        let end = b.add(start, each);
        let end = io.x.min(b, end, n);
        Run {
            row,
            block,
            first: b.mul(row, n),
            start,
            end,
            local: b.builtin(Builtin::LocalId(0)),
        }
    }

    /// Does something with each of an item's keys in order: given its position, itself, and its
    /// counter.
    fn keys(
        &self,
        b: &mut Builder,
        io: &Io,
        run: &Run,
        input: usize,
        f: impl Fn(&mut Builder, Value, Value, Value),
    ) {
        let one = io.x.int(b, 1);
        b.for_(run.start, run.end, one, false, |b, i| {
            let at = b.add(run.first, i);
            let key = io.load(b, input, at);
            let kind = b.ty(key).scalar;
            let shift = b.cast(io.p("shift"), kind, CastMode::Wrap);
            let digit = b.bin(BinOp::Shr, key, shift);
            let mask = b.bits(kind, u64::from(self.digits() - 1));
            let digit = b.bin(BinOp::And, digit, mask);
            let digit = b.cast(digit, Scalar::U32, CastMode::Wrap);
            f(b, at, key, digit);
        });
    }

    /// A digit's counter in a column.
    fn counter(&self, b: &mut Builder, digit: Value, column: Value) -> Value {
        if self.cut.width == 1 {
            return digit;
        }
        let width = b.u32(self.cut.width);
        let row = b.mul(digit, width);
        b.add(row, column)
    }

    fn for_digits(&self, b: &mut Builder, step: u32, f: impl Fn(&mut Builder, Value)) {
        let start = match step {
            1 => b.u32(0),
            _ => b.builtin(Builtin::LocalId(0)),
        };
        let (digits, step) = (b.u32(self.digits()), b.u32(step));
        b.for_(start, digits, step, false, f);
    }

    /// Where the count of a digit in this block is.
    fn bin(&self, b: &mut Builder, io: &Io, run: &Run, digit: Value) -> Value {
        let digits = io.x.int(b, self.digits().into());
        let digit = b.cast(digit, io.x.kind, CastMode::Wrap);
        let line = io.x.step(b, digit, run.row, digits);
        io.x.step(b, run.block, line, io.p("blocks"))
    }

    /// Counts an item's keys in its column.
    fn tally(&self, b: &mut Builder, io: &Io, run: &Run, input: usize, counters: Place) {
        self.for_digits(b, 1, |b, digit| {
            let at = self.counter(b, digit, run.local);
            let zero = b.bits(self.counting, 0);
            b.store(counters, at, zero, true);
        });
        self.keys(b, io, run, input, |b, _, _, digit| {
            let at = self.counter(b, digit, run.local);
            let old = b.load(counters, at, 1, true);
            let one = b.bits(self.counting, 1);
            let new = b.add(old, one);
            b.store(counters, at, new, true);
        });
    }

    fn count(&self, b: &mut Builder, io: &Io, task: Value) {
        let width = self.cut.width;
        let counters = b.shared("counters", self.counting, self.digits() * width);
        let run = self.run(b, io, task);
        self.tally(b, io, &run, 0, counters);
        if width > 1 {
            b.barrier(Barrier::Shared);
        }
        self.for_digits(b, width, |b, digit| {
            let zero = b.bits(self.counting, 0);
            let sum = b.var(zero);
            let (zero, one, end) = (b.u32(0), b.u32(1), b.u32(width));
            b.for_(zero, end, one, false, |b, column| {
                let at = self.counter(b, digit, column);
                let more = b.load(counters, at, 1, true);
                let old = b.get(sum);
                let new = b.add(old, more);
                b.set(sum, new);
            });
            let to = self.bin(b, io, &run, digit);
            let sum = b.get(sum);
            io.store(b, 0, to, sum);
        });
    }

    fn place(&self, b: &mut Builder, io: &Io, task: Value, ordered: bool) {
        let width = self.cut.width;
        let counters = b.shared("counters", self.counting, self.digits() * width);
        let run = self.run(b, io, task);
        if width == 1 {
            self.for_digits(b, 1, |b, digit| {
                let from = self.bin(b, io, &run, digit);
                let start = io.load(b, 0, from);
                b.store(counters, digit, start, true);
            });
            return self.move_keys(b, io, &run, counters, None, ordered);
        }
        self.tally(b, io, &run, 1, counters);
        b.barrier(Barrier::Shared);
        self.scan(b, counters);
        let bases = b.shared("bases", self.counting, self.digits());
        self.for_digits(b, width, |b, digit| {
            let from = self.bin(b, io, &run, digit);
            let start = io.load(b, 0, from);
            let zero = b.u32(0);
            let at = self.counter(b, digit, zero);
            let inside = b.load(counters, at, 1, true);
            let base = b.sub(start, inside);
            b.store(bases, digit, base, true);
        });
        b.barrier(Barrier::Shared);
        self.move_keys(b, io, &run, counters, Some(bases), ordered);
    }

    /// Every key to where its counter (and its digit's base) says.
    fn move_keys(
        &self,
        b: &mut Builder,
        io: &Io,
        run: &Run,
        counters: Place,
        bases: Option<Place>,
        ordered: bool,
    ) {
        self.keys(b, io, run, 1, |b, at, key, digit| {
            let counter = self.counter(b, digit, run.local);
            let old = b.load(counters, counter, 1, true);
            let one = b.bits(self.counting, 1);
            let new = b.add(old, one);
            b.store(counters, counter, new, true);
            let mut to = old;
            if let Some(bases) = bases {
                let base = b.load(bases, digit, 1, true);
                to = b.add(to, base);
            }
            let to = b.cast(to, io.x.kind, CastMode::Wrap);
            let to = b.add(run.first, to);
            io.store(b, 0, to, key);
            if ordered {
                let position = io.load(b, 2, at);
                io.store(b, 1, to, position);
            }
        });
    }

    /// Exclusive sums of all counters, digit by digit and in each column by column: an item has as
    /// many neighbouring ones as there are digits.
    fn scan(&self, b: &mut Builder, counters: Place) {
        let (width, digits) = (self.cut.width, self.digits());
        let totals = b.shared("totals", self.counting, 2 * width);
        let local = b.builtin(Builtin::LocalId(0));
        let many = b.u32(digits);
        let first = b.mul(local, many);
        let zero = b.bits(self.counting, 0);
        let sum: Id = b.var(zero);
        let walk = |b: &mut Builder, exclusive: bool| {
            let (zero, one) = (b.u32(0), b.u32(1));
            b.for_(zero, many, one, false, |b, i| {
                let at = b.add(first, i);
                let value = b.load(counters, at, 1, true);
                let old = b.get(sum);
                if exclusive {
                    b.store(counters, at, old, true);
                }
                let new = b.add(old, value);
                b.set(sum, new);
            });
        };
        walk(b, false);
        let mut mine = b.get(sum);
        let own = mine;
        b.store(totals, local, mine, true);
        b.barrier(Barrier::Shared);
        let (mut distance, mut half) = (1, 0);
        while distance < width {
            let reach = b.u32(distance);
            let behind = b.bin(BinOp::Ge, local, reach);
            let joined = b.var(mine);
            b.if_(behind, |b| {
                let at = b.sub(local, reach);
                let offset = b.u32(half);
                let at = b.add(at, offset);
                let before = b.load(totals, at, 1, true);
                let both = b.add(before, mine);
                b.set(joined, both);
            });
            mine = b.get(joined);
            half = width - half;
            let offset = b.u32(half);
            let at = b.add(local, offset);
            b.store(totals, at, mine, true);
            b.barrier(Barrier::Shared);
            distance *= 2;
        }
        let before = b.sub(mine, own);
        b.set(sum, before);
        walk(b, true);
        b.barrier(Barrier::Shared);
    }
}
