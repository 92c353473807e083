//! Tiles, for inputs that lie across the output: contiguous along another axis than it is.
//!
//! Reading such an input along the output's rows takes one element from each cache line, and by the
//! time the next is wanted the line may be gone. So a square is read along the input's own rows, one
//! vector each, turned in registers, and kept in private memory while the output's rows are computed
//! from it.

use super::{Body, Inner};
use crate::shape::Space;
use crate::skeleton::access::{Reader, Walk};
use crate::skeleton::graph::{Graph, Source};
use suanzi_codegen::ir::BinOp;
use suanzi_codegen::{Builder, Place, Value};

/// Tiles of a space: along its last two axes, or the last and the third last.
#[derive(Clone, Debug, Hash)]
pub(super) struct Tile {
    /// Elements along the axis along which the leaves are contiguous.
    pub rows: u8,
    /// Elements along the last axis, along which the output is.
    pub columns: u8,
    /// Where the last axis is shorter than a cache line: how many steps of the axis between the two
    /// a tile takes, so that it writes whole lines.
    pub depth: u8,
    /// The axes in the order in which tiles follow each other, outermost first.
    pub order: Vec<usize>,
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
    let line = LINE / graph.widest().max(1);
    let side = |axis: usize| 1 << line.min(space.dims[axis]).ilog2();
    let (rows, columns) = (side(axis), side(last));
    if space.strides[0][last] != 1 || rows.min(columns) < LEAST {
        return None;
    }
    let leaves: Vec<usize> = leaves.filter(|&leaf| across(leaf, axis)).collect();
    let inner = space.dims[last];
    let depth = line / columns;
    let longer = |&next: &usize| {
        let follows = space.strides[0][next] == inner as i64;
        depth > 1 && inner == columns && follows && space.dims[next].is_multiple_of(depth)
    };
    let between = (0..last).filter(|&a| a != axis).find(longer);
    let others = (0..last).filter(|&a| a != axis);
    let order: Vec<usize> = others.chain([axis, last]).collect();
    let place = between.and_then(|a| order.iter().position(|&o| o == a));
    *space = space.ordered(&order);
    if let Some(place) = place {
        space.split(place, depth, last);
    }
    let mut tile = Tile {
        rows: rows as u8,
        columns: columns as u8,
        depth: if place.is_some() { depth as u8 } else { 1 },
        order: vec![],
        leaves,
    };
    tile.order = tile.order(space);
    Some(tile)
}

impl Tile {
    /// The axis along which the leaves are contiguous, of this many.
    pub(super) fn row_axis(&self, axes: usize) -> usize {
        axes - if self.depth > 1 { 3 } else { 2 }
    }

    /// Elements that are read and written at once.
    pub(super) fn lanes(&self) -> u8 {
        self.rows.min(self.columns).min(16)
    }

    /// Elements of a tile.
    pub(super) fn size(&self) -> u32 {
        u32::from(self.depth) * u32::from(self.rows) * u32::from(self.columns)
    }

    /// Elements of a tile along an axis on which it can be placed.
    fn side(&self, axis: usize, axes: usize) -> u8 {
        match axis {
            _ if axis == axes - 1 => self.columns,
            _ if axis == self.row_axis(axes) => self.rows,
            _ => 1,
        }
    }

    /// Tiles along each axis, in their order.
    pub(super) fn counts(&self, dims: &[usize]) -> Vec<u64> {
        let count = |&axis: &usize| dims[axis].div_ceil(self.side(axis, dims.len()).into()) as u64;
        self.order.iter().map(count).collect()
    }

    /// Lines that follow each other in the output, then in what is read, are done one after the other;
    /// beyond these the next tile is a short step away in both, so that both stay in the same pages.
    fn order(&self, space: &Space) -> Vec<usize> {
        let axes = space.dims.len();
        let step = |operand: usize, axis: usize| {
            let stride = space.strides[operand][axis].unsigned_abs().max(1);
            f64::from(self.side(axis, axes)) * stride as f64
        };
        let [write, read] = [0, self.leaves[0] + 1].map(|i| move |axis: usize| step(i, axis));
        let between = (self.depth > 1).then(|| axes - 2);
        let mut order: Vec<usize> = (0..axes).filter(|&a| Some(a) != between).collect();
        let both = |axis: usize| write(axis) * read(axis);
        order.sort_by(|&a, &b| both(b).total_cmp(&both(a)));
        for near in [&read as &dyn Fn(usize) -> f64, &write] {
            let several = |&i: &usize| space.dims[order[i]] > self.side(order[i], axes).into();
            let least = (0..order.len()).filter(several);
            let least = least.min_by(|&a, &b| near(order[a]).total_cmp(&near(order[b])));
            if let Some(least) = least {
                let least = order.remove(least);
                order.push(least);
            }
        }
        order
    }
}

impl Body<'_> {
    /// One tile: rows of one axis, columns of the last.
    pub(super) fn tile(&self, b: &mut Builder, tile: &Tile, task: Value) {
        let (x, p) = (&self.positions, &self.params);
        let row_axis = tile.row_axis(self.shape.axes);
        let rows = x.int(b, tile.rows.into());
        let columns = x.int(b, tile.columns.into());
        let found = x.unravel(b, p, "tiles", tile.order.len(), task);
        let at = |axis: usize| {
            let place = tile.order.iter().position(|&a| a == axis);
            found[place.expect("tiles lie on every axis but the one between")]
        };
        let outer: Vec<Value> = (0..row_axis).map(at).collect();
        let bases = self.bases(b, &outer);
        let row = b.mul(at(row_axis), rows);
        let column = b.mul(at(self.shape.axes - 1), columns);
        // At an edge the tile begins earlier, so that it lies inside; what it then has twice is not
        // written again.
        let inside = |b: &mut Builder, start: Value, length: &'static str, side: Value| {
            let latest = b.sub(p.get(length, 0, 0), side);
            x.min(b, start, latest)
        };
        let corner = [
            inside(b, row, "high", rows),
            inside(b, column, "inner", columns),
        ];
        self.deep(b, tile, &bases, |b, bases, first| {
            self.fill(b, tile, bases, corner, first);
        });
        let mut walks = self.shape.walks.clone();
        for &leaf in &tile.leaves {
            walks[leaf + 1] = Walk {
                inner: Inner::One,
                aligned: true,
            };
        }
        let reader = self.reader.moved(tile.leaves.iter().zip(&self.tiles));
        let (zero, one) = (x.int(b, 0), x.int(b, 1));
        let [above, left] = [b.sub(row, corner[0]), b.sub(column, corner[1])];
        let whole = b.bin(BinOp::Eq, left, zero);
        b.for_(above, rows, one, false, |b, i| {
            let row = b.add(corner[0], i);
            let bases = self.row_bases(b, &bases, row_axis, row);
            self.deep(b, tile, &bases, |b, bases, first| {
                let mut bases = bases.to_vec();
                for &leaf in &tile.leaves {
                    // The tile has no other columns: what is added for them is taken off.
                    let start = b.add(first, i);
                    let start = b.mul(start, columns);
                    bases[leaf + 1] = b.sub(start, corner[1]);
                }
                self.row_of_tile(b, tile, &reader, &walks, &bases, [corner[1], column], whole);
            });
        });
    }

    /// Does something for each step of the axis between, given its positions and its first row.
    fn deep(
        &self,
        b: &mut Builder,
        tile: &Tile,
        bases: &[Value],
        each: impl FnOnce(&mut Builder, &[Value], Value),
    ) {
        let x = &self.positions;
        let (zero, one) = (x.int(b, 0), x.int(b, 1));
        if tile.depth == 1 {
            return each(b, bases, zero);
        }
        let depth = x.int(b, tile.depth.into());
        b.for_(zero, depth, one, false, |b, step| {
            let bases = self.row_bases(b, bases, self.shape.axes - 2, step);
            let rows = x.int(b, tile.rows.into());
            let first = b.mul(step, rows);
            each(b, &bases, first);
        });
    }

    /// The columns of a tile's row from `column` on; all of them, where none was written before.
    #[allow(clippy::too_many_arguments)]
    fn row_of_tile(
        &self,
        b: &mut Builder,
        tile: &Tile,
        reader: &Reader,
        walks: &[Walk],
        bases: &[Value],
        [corner, column]: [Value; 2],
        whole: Value,
    ) {
        let x = &self.positions;
        let lanes = self.shape.lanes;
        b.if_else(
            whole,
            |b| {
                for right in (0..tile.columns).step_by(lanes.into()) {
                    let right = x.int(b, right.into());
                    let column = b.add(column, right);
                    self.elements_of(b, reader, walks, bases, column, lanes);
                }
            },
            |b| {
                let side = x.int(b, tile.columns.into());
                let (end, step) = (b.add(corner, side), x.int(b, self.shape.tail.into()));
                b.for_(column, end, step, false, |b, column| {
                    self.elements_of(b, reader, walks, bases, column, self.shape.tail);
                });
            },
        );
    }

    /// Reads the tile of each leaf that lies across, its rows from `first` on.
    fn fill(
        &self,
        b: &mut Builder,
        tile: &Tile,
        bases: &[Value],
        corner: [Value; 2],
        first: Value,
    ) {
        let x = &self.positions;
        let lanes = self.shape.lanes;
        let (zero, step) = (x.int(b, 0), x.int(b, lanes.into()));
        let columns = x.int(b, tile.columns.into());
        let start = b.mul(first, columns);
        for (&leaf, &place) in tile.leaves.iter().zip(&self.tiles) {
            let base = bases[leaf + 1];
            let stripe = |b: &mut Builder, right| {
                let to = b.add(start, right);
                self.stripe(b, tile, leaf, base, corner, right, (place, to));
            };
            if tile.columns == lanes {
                stripe(b, zero);
            } else {
                b.for_(zero, columns, step, false, stripe);
            }
        }
    }

    /// Reads a stripe of a tile, `lanes` columns wide from `right` on, and turns it.
    #[allow(clippy::too_many_arguments)]
    fn stripe(
        &self,
        b: &mut Builder,
        tile: &Tile,
        leaf: usize,
        base: Value,
        [row, column]: [Value; 2],
        right: Value,
        (to, start): (Place, Value),
    ) {
        let (x, p) = (&self.positions, &self.params);
        let lanes = self.shape.lanes;
        let blocks = tile.rows / lanes;
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
                let below = x.int(b, i * u64::from(tile.columns));
                let at = b.add(start, below);
                b.store(to, at, vector, true);
            }
        }
    }
}

/// Rows as columns. Shuffles are cheapest inside of 128 bits: squares of that width are turned by
/// interleaving pairs of vectors, again and again; then whole squares trade places, by halves, quarters
/// and so on.
fn turned(b: &mut Builder, mut vectors: Vec<Value>) -> Vec<Value> {
    let lanes = vectors.len();
    let side = (16 / b.ty(vectors[0]).scalar.bytes()).clamp(1, lanes);
    for square in vectors.chunks_mut(side) {
        for _ in 0..side.ilog2() {
            let pairs = (0..side / 2).map(|k| [square[k], square[k + side / 2]]);
            let next = pairs.flat_map(|pair| [0, side / 2].map(|half| (pair, half)));
            let next = next.map(|(pair, half)| {
                shuffled(b, pair, lanes, |lane| {
                    (lane % 2, lane / side * side + half + lane % side / 2)
                })
            });
            let next: Vec<Value> = next.collect();
            square.copy_from_slice(&next);
        }
    }
    let mut half = lanes / 2;
    while half >= side {
        for k in (0..lanes).filter(|k| k & half == 0) {
            let pair = [vectors[k], vectors[k + half]];
            for (to, part) in [(k, 0), (k + half, half)] {
                vectors[to] = shuffled(b, pair, lanes, |lane| {
                    (usize::from(lane & half != 0), (lane & !half) | part)
                });
            }
        }
        half /= 2;
    }
    vectors
}

/// A vector whose lanes are (which of a pair, which of its lanes).
fn shuffled(
    b: &mut Builder,
    pair: [Value; 2],
    lanes: usize,
    from: impl Fn(usize) -> (usize, usize),
) -> Value {
    let parts: Vec<Value> = (0..lanes)
        .map(|lane| {
            let (which, lane) = from(lane);
            b.extract(pair[which], lane as u8)
        })
        .collect();
    b.compose(&parts)
}
