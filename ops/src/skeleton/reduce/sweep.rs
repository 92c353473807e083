//! Folding rows into columns on a CPU: outputs lie side by side and the reduced axis does not, so
//! a work-item sweeps over whole rows of a block of outputs, whose accumulators wait in private
//! memory. Folding a vector of outputs at a time would touch one cache line in each row, and neither
//! the prefetcher nor the page table keeps up with that.

use super::kernel::{Fold, Segment, Steps};
use suanzi_codegen::ir::BinOp;
use suanzi_codegen::{Builder, Place, Value};

/// Most outputs of a block: their accumulators stay in the first-level cache.
pub(super) const BLOCK: u32 = 4096;

/// Bytes of a row that are read at once, at most: prefetchers like them long.
pub(super) const RUN: u64 = 8192;

/// A block of outputs: accumulators, leaf bases at row 0, first column, number of columns.
struct Block {
    places: Vec<Place>,
    bases: Vec<Value>,
    first: Value,
    width: Value,
}

impl Fold<'_> {
    /// One block of outputs over one part.
    pub(super) fn sweep(&self, b: &mut Builder, task: Value, part: Value, steps: Steps) {
        let s = self.shape;
        let (row, piece) = self.x.div_rem(b, task, self.p("pieces"));
        let coords = self
            .x
            .unravel(b, &self.params, "kept", s.kept_axes - 1, row);
        let bases = self.bases(b, &coords);
        let first = b.mul(piece, self.p("block"));
        let past = b.add(first, self.p("block"));
        let past = self.x.min(b, past, self.p("axis"));
        let width = b.sub(past, first);
        let block = Block {
            places: self.accumulators(b),
            bases,
            first,
            width,
        };

        self.columns(b, width, |b, at, lanes| {
            let identity = (self.op.identity)(b, self.kind.x(lanes), s.position);
            self.put(b, &block, at, &identity);
        });
        let unroll = s.unroll;
        let some = self.x.int(b, unroll.into());
        let length = b.sub(steps.end, steps.start);
        let times = b.bin(BinOp::Div, length, some);
        let rest = self.x.step(b, steps.start, times, some);
        b.for_(steps.start, rest, some, false, |b, step| {
            self.rows(b, &block, step, unroll);
        });
        let one = self.x.int(b, 1);
        b.for_(rest, steps.end, one, false, |b, step| {
            self.rows(b, &block, step, 1);
        });
        self.columns(b, width, |b, at, lanes| {
            let column = b.add(block.first, at);
            let segment = Segment {
                bases: vec![],
                column: Some(column),
                output: self.x.step(b, column, row, self.p("axis")),
                lanes,
            };
            let acc = self.take(b, &block, at, lanes);
            self.store(b, &segment, part, &acc);
        });
    }

    /// Some rows from `step` on into all columns of a block.
    fn rows(&self, b: &mut Builder, block: &Block, step: Value, rows: u8) {
        let segment = |lanes| Segment {
            bases: block.bases.clone(),
            column: Some(block.first),
            output: block.first,
            lanes,
        };
        let one = self.x.int(b, 1);
        let mut positions = vec![step];
        for _ in 1..rows {
            positions.push(b.add(positions[positions.len() - 1], one));
        }
        let bases: Vec<Vec<Value>> = positions
            .iter()
            .map(|&p| self.row(b, &segment(1), p, self.shape.reduced_axes))
            .collect();
        self.columns(b, block.width, |b, at, lanes| {
            let column = b.add(block.first, at);
            let values = positions.iter().zip(&bases);
            let values = values
                .map(|(&p, bases)| self.read(b, &segment(lanes), bases, column, p, lanes))
                .collect();
            let value = self.in_order(b, values);
            let old = self.take(b, block, at, lanes);
            let new = self.follow(b, &old, &value);
            self.put(b, block, at, &new);
        });
    }

    /// All columns of a block: whole vectors, then single ones.
    fn columns(&self, b: &mut Builder, width: Value, f: impl Fn(&mut Builder, Value, u8)) {
        let lanes = self.shape.lanes;
        let (zero, one) = (self.x.int(b, 0), self.x.int(b, 1));
        if lanes == 1 {
            return b.for_(zero, width, one, false, |b, at| f(b, at, 1));
        }
        let many = self.x.int(b, lanes.into());
        let vectors = b.bin(BinOp::Div, width, many);
        let whole = b.mul(vectors, many);
        b.for_(zero, whole, many, false, |b, at| f(b, at, lanes));
        if !self.shape.whole {
            b.for_(whole, width, one, false, |b, at| f(b, at, 1));
        }
    }

    fn put(&self, b: &mut Builder, block: &Block, at: Value, acc: &[Value]) {
        for (&place, &v) in block.places.iter().zip(acc) {
            let scalar = b.ty(v).lanes == 1;
            b.store(place, at, v, scalar);
        }
    }

    fn take(&self, b: &mut Builder, block: &Block, at: Value, lanes: u8) -> Vec<Value> {
        let load = |&place: &Place| b.load(place, at, lanes, lanes == 1);
        block.places.iter().map(load).collect()
    }

    fn accumulators(&self, b: &mut Builder) -> Vec<Place> {
        let components = super::accumulator(self.op, self.kind, self.shape.position);
        let components = components.into_iter().enumerate();
        components
            .map(|(i, kind)| b.private(&format!("acc{i}"), kind, BLOCK))
            .collect()
    }
}
