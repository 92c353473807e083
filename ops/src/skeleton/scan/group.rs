//! A scan by a work-group: each item takes neighbouring elements of a tile, and the items' totals are
//! scanned in shared memory.

use super::EACH;
use super::kernel::{Part, Walker};
use suanzi_codegen::ir::{self, BinOp, Builtin};
use suanzi_codegen::{Builder, Place, Value};

impl Walker<'_> {
    pub(super) fn group(&self, b: &mut Builder, part: &Part) {
        let s = self.shape;
        let local = self.x.builtin(b, Builtin::LocalId(0));
        let identity = self.identity(b, 1);
        let carry: Vec<ir::Id> = identity.iter().map(|&v| b.var(v)).collect();
        let width = self.x.int(b, s.workgroup.into());
        if s.parts && !s.folds {
            let mine: Vec<ir::Id> = identity.iter().map(|&v| b.var(v)).collect();
            let first = b.mul(part.row, self.p("parts"));
            b.for_(local, part.number, width, false, |b, q| {
                let at = b.add(first, q);
                let before = self.fold_at(b, at);
                self.accumulate(b, &mine, &before);
            });
            let mine: Vec<Value> = mine.iter().map(|&v| b.get(v)).collect();
            let (_, total) = self.join(b, &mine);
            self.accumulate(b, &carry, &total);
        }
        let tile = self.x.int(b, u64::from(s.workgroup * EACH));
        let each = self.x.int(b, EACH.into());
        b.for_(part.start, part.end, tile, false, |b, start| {
            let first = self.x.step(b, start, local, each);
            let mut runs: Vec<Vec<Value>> = vec![];
            for i in 0..EACH {
                let i = self.x.int(b, i.into());
                let at = b.add(first, i);
                let value = self.element(b, part, at);
                let run = match runs.last() {
                    Some(before) => (self.op.combine)(b, before, &value),
                    None => value,
                };
                runs.push(run);
            }
            let mine = &runs[runs.len() - 1];
            let (before, total) = self.join(b, mine);
            if !s.folds {
                let old: Vec<Value> = carry.iter().map(|&v| b.get(v)).collect();
                let before = (self.op.combine)(b, &old, &before);
                for i in 0..EACH {
                    let result = match (s.exclusive, i) {
                        (true, 0) => before.clone(),
                        (true, _) => (self.op.combine)(b, &before, &runs[i as usize - 1]),
                        (false, _) => (self.op.combine)(b, &before, &runs[i as usize]),
                    };
                    let i = self.x.int(b, i.into());
                    let at = b.add(first, i);
                    let inside = b.bin(BinOp::Lt, at, part.end);
                    b.if_(inside, |b| self.write(b, &part.bases, at, &result, 1));
                }
            }
            self.accumulate(b, &carry, &total);
        });
        if s.folds {
            let zero = self.x.int(b, 0);
            let first = b.bin(BinOp::Eq, local, zero);
            b.if_(first, |b| {
                let at = self.x.step(b, part.number, part.row, self.p("parts"));
                let total: Vec<Value> = carry.iter().map(|&v| b.get(v)).collect();
                self.put_fold(b, at, &total);
            });
        }
    }

    /// An element, or the identity past the end of a part.
    fn element(&self, b: &mut Builder, part: &Part, at: Value) -> Vec<Value> {
        let identity = self.identity(b, 1);
        let value: Vec<ir::Id> = identity.iter().map(|&v| b.var(v)).collect();
        let inside = b.bin(BinOp::Lt, at, part.end);
        b.if_(inside, |b| {
            let read = self.read(b, &part.bases, at, at, 1);
            value.iter().zip(read).for_each(|(&var, v)| b.set(var, v));
        });
        value.iter().map(|&v| b.get(v)).collect()
    }

    /// The fold of the accumulators of all items before this one, and that of all. By doubling
    /// distances, back and forth between the halves of the shared arrays.
    fn join(&self, b: &mut Builder, acc: &[Value]) -> (Vec<Value>, Vec<Value>) {
        let width = self.shape.workgroup;
        let identity = self.identity(b, 1);
        let local = b.builtin(Builtin::LocalId(0));
        let half = |b: &mut Builder, second: bool, at: Value| {
            if !second {
                return at;
            }
            let width = b.u32(width);
            b.add(at, width)
        };
        let put = |b: &mut Builder, at: Value, acc: &[Value]| {
            for (&place, &v) in self.shared.iter().zip(acc) {
                b.store(place, at, v, true);
            }
        };
        let take = |b: &mut Builder, at: Value| -> Vec<Value> {
            let load = |&place: &Place| b.load(place, at, 1, true);
            self.shared.iter().map(load).collect()
        };
        put(b, local, acc);
        b.barrier(ir::Barrier::Shared);
        let mut mine = acc.to_vec();
        let (mut distance, mut second) = (1, false);
        while distance < width {
            let reach = b.u32(distance);
            let behind = b.bin(BinOp::Ge, local, reach);
            let joined: Vec<ir::Id> = mine.iter().map(|&v| b.var(v)).collect();
            b.if_(behind, |b| {
                let at = b.sub(local, reach);
                let at = half(b, second, at);
                let before = take(b, at);
                let both = (self.op.combine)(b, &before, &mine);
                joined.iter().zip(both).for_each(|(&var, v)| b.set(var, v));
            });
            mine = joined.iter().map(|&v| b.get(v)).collect();
            second = !second;
            let at = half(b, second, local);
            put(b, at, &mine);
            b.barrier(ir::Barrier::Shared);
            distance *= 2;
        }
        let (zero, one) = (b.u32(0), b.u32(1));
        let first = b.bin(BinOp::Eq, local, zero);
        let neighbour = b.bin(BinOp::Max, local, one);
        let neighbour = b.sub(neighbour, one);
        let at = half(b, second, neighbour);
        let before = take(b, at);
        let before = before.into_iter().zip(identity);
        let before = before.map(|(v, none)| b.select(first, none, v)).collect();
        let last = b.u32(width - 1);
        let at = half(b, second, last);
        let total = take(b, at);
        // What follows may write the shared arrays again.
        b.barrier(ir::Barrier::Shared);
        (before, total)
    }
}
