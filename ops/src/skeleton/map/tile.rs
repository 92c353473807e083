//! Tiles, for inputs that lie across the output: contiguous along another axis than it is.
//!
//! Reading such an input along the output's rows takes one element from each cache line, and by the
//! time the next is wanted the line may be gone. So a square is read along the input's own rows, one
//! vector each, turned in registers, and kept in private memory while the output's rows are computed
//! from it.

use super::{Body, Inner};
use crate::shape::Space;
use crate::skeleton::access::Walk;
use crate::skeleton::graph::{Graph, Source};
use suanzi_codegen::ir::BinOp;
use suanzi_codegen::{Builder, Place, Value};

/// Tiles of a space: along its last two axes.
pub(super) struct Tile {
    /// Elements along each axis.
    pub side: u8,
    /// Leaves that are read by tiles.
    pub leaves: Vec<usize>,
}

/// Bytes of a tile's row at most.
const LINE: usize = 64;

/// Shorter axes are walked by rows.
const LEAST: usize = 4;

/// Moves the axis along which some leaf is contiguous next to the output's, if tiles are worth it.
pub(super) fn find(graph: &Graph, space: &mut Space) -> Option<Tile> {
    let last = space.dims.len() - 1;
    let across = |leaf: usize, axis: usize| {
        let strides = &space.strides[leaf + 1];
        let memory = matches!(graph.leaves[leaf].source, Source::Memory(_));
        let plain = memory && graph.leaves[leaf].computed.is_empty();
        plain && strides[axis] == 1 && !matches!(strides[last], 0 | 1)
    };
    let leaves = 0..graph.leaves.len();
    let axis = (0..last).find(|&axis| leaves.clone().any(|leaf| across(leaf, axis)))?;
    // A row of the tile is a cache line, so that none is fetched twice.
    let side = LINE / graph.widest().max(1);
    let side = side.min(space.dims[axis]).min(space.dims[last]);
    if space.strides[0][last] != 1 || side < LEAST {
        return None;
    }
    let leaves = leaves.filter(|&leaf| across(leaf, axis)).collect();
    let others = (0..last).filter(|&a| a != axis);
    let order: Vec<usize> = others.chain([axis, last]).collect();
    *space = space.ordered(&order);
    Some(Tile {
        side: 1 << side.ilog2(),
        leaves,
    })
}

impl Body<'_> {
    /// One tile: rows of the second last axis, columns of the last.
    pub(super) fn tile(&self, b: &mut Builder, task: Value) {
        let (x, p) = (&self.positions, &self.params);
        let side = x.int(b, self.shape.side.into());
        let (rest, right) = x.div_rem(b, task, p.get("segments", 0, 0));
        let (outer, down) = x.div_rem(b, rest, p.get("bands", 0, 0));
        let coords = x.unravel(b, p, "dim", self.shape.axes - 2, outer);
        let bases = self.bases(b, &coords);
        let (row, column) = (b.mul(down, side), b.mul(right, side));
        // At an edge the tile begins earlier, so that it lies inside; what it then has twice is not
        // written again.
        let inside = |b: &mut Builder, start: Value, length: &'static str| {
            let latest = b.sub(p.get(length, 0, 0), side);
            x.min(b, start, latest)
        };
        let corner = [inside(b, row, "high"), inside(b, column, "inner")];
        self.fill(b, &bases, corner);
        let mut walks = self.shape.walks.clone();
        for &leaf in &self.shape.across {
            walks[leaf + 1] = Walk {
                inner: Inner::One,
                aligned: true,
            };
        }
        let reader = self.reader.moved(self.shape.across.iter().zip(&self.tiles));
        let (zero, one) = (x.int(b, 0), x.int(b, 1));
        let [above, left] = [b.sub(row, corner[0]), b.sub(column, corner[1])];
        let whole = b.bin(BinOp::Eq, left, zero);
        b.for_(above, side, one, false, |b, i| {
            let row = b.add(corner[0], i);
            let mut bases = self.row_bases(b, &bases, row);
            for &leaf in &self.shape.across {
                // The tile has no other columns: what is added for them is taken off.
                let start = b.mul(i, side);
                bases[leaf + 1] = b.sub(start, corner[1]);
            }
            let lanes = self.shape.lanes;
            b.if_else(
                whole,
                |b| {
                    for right in (0..self.shape.side).step_by(lanes.into()) {
                        let right = x.int(b, right.into());
                        let column = b.add(column, right);
                        self.elements_of(b, &reader, &walks, &bases, column, lanes);
                    }
                },
                |b| {
                    let (end, step) = (b.add(corner[1], side), x.int(b, self.shape.tail.into()));
                    b.for_(column, end, step, false, |b, column| {
                        self.elements_of(b, &reader, &walks, &bases, column, self.shape.tail);
                    });
                },
            );
        });
    }

    /// Positions of column 0 of a row.
    fn row_bases(&self, b: &mut Builder, bases: &[Value], row: Value) -> Vec<Value> {
        let (x, p) = (&self.positions, &self.params);
        let axis = self.shape.axes - 2;
        let bases = bases.iter().enumerate();
        bases
            .map(|(i, &base)| x.step(b, base, row, p.get("stride", i, axis)))
            .collect()
    }

    /// Reads the tile of each leaf that lies across.
    fn fill(&self, b: &mut Builder, bases: &[Value], corner: [Value; 2]) {
        let x = &self.positions;
        let zero = x.int(b, 0);
        let (lanes, side) = (self.shape.lanes, self.shape.side);
        for (&leaf, &tile) in self.shape.across.iter().zip(&self.tiles) {
            let base = bases[leaf + 1];
            let stripe = |b: &mut Builder, right| self.stripe(b, leaf, tile, base, corner, right);
            if side == lanes {
                stripe(b, zero);
            } else {
                let (step, side) = (x.int(b, lanes.into()), x.int(b, side.into()));
                b.for_(zero, side, step, false, stripe);
            }
        }
    }

    /// Reads a stripe of a tile, `lanes` columns wide from `right` on, and turns it.
    fn stripe(
        &self,
        b: &mut Builder,
        leaf: usize,
        tile: Place,
        base: Value,
        [row, column]: [Value; 2],
        right: Value,
    ) {
        let (x, p) = (&self.positions, &self.params);
        let lanes = self.shape.lanes;
        let blocks = self.shape.side / lanes;
        let place = self.reader.place(leaf).expect("a leaf in memory");
        let stride = p.get("stride", leaf + 1, self.shape.axes - 1);
        let column = b.add(column, right);
        let first = x.step(b, base, column, stride);
        let mut at = b.add(first, row);
        let mut vectors = vec![vec![]; blocks.into()];
        for k in 0..lanes {
            for (down, block) in vectors.iter_mut().enumerate() {
                let down = x.int(b, down as u64 * u64::from(lanes));
                let at = b.add(at, down);
                block.push(b.load(place, at, lanes, false));
            }
            if k + 1 < lanes {
                at = b.add(at, stride);
            }
        }
        for (down, block) in vectors.into_iter().enumerate() {
            for (i, &vector) in turned(b, block).iter().enumerate() {
                let i = (down * usize::from(lanes) + i) as u64;
                let start = x.int(b, i * u64::from(self.shape.side));
                let at = b.add(start, right);
                b.store(tile, at, vector, true);
            }
        }
    }
}

/// Rows as columns: each step swaps halves, quarters and so on between pairs of vectors.
fn turned(b: &mut Builder, mut vectors: Vec<Value>) -> Vec<Value> {
    let lanes = vectors.len();
    let mut half = lanes / 2;
    while half > 0 {
        for k in (0..lanes).filter(|k| k & half == 0) {
            let pair = [vectors[k], vectors[k + half]];
            for (to, side) in [(k, 0), (k + half, half)] {
                let parts: Vec<Value> = (0..lanes)
                    .map(|lane| {
                        let from = usize::from(lane & half != 0);
                        b.extract(pair[from], ((lane & !half) | side) as u8)
                    })
                    .collect();
                vectors[to] = b.compose(&parts);
            }
        }
        half /= 2;
    }
    vectors
}
