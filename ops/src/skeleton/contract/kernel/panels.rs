//! A CPU's way through a contraction: an item does a block of tiles, a piece of k at a time.
//!
//! Of the operands, a piece of the block's rows of A stays in the second-level cache while it meets one panel of B
//! after the other, and the piece of a panel stays in the first-level cache while it meets the rows. Sums of
//! tiles that are not complete wait in memory of the item; they come back as they were, so that a sum is
//! one chain whatever the pieces.

use super::super::{Panel, Reach, Rows, Wanted, tiles};
use super::{Body, Piece, Spot};
use suanzi_codegen::ir::BinOp;
use suanzi_codegen::{Builder, Place, Value};

/// Arrays of an item.
struct Arrays {
    /// Sums of the block's tiles, between pieces of k.
    waiting: Option<Place>,
    /// A piece of a panel of B, where the item copies it.
    held: Option<Place>,
    /// A piece of the block's rows of A, where the item copies it.
    rows: Option<Place>,
}

/// Elements from one copied row of A to the next: no power of two, so that rows are in different sets of a cache.
const PITCH: u32 = tiles::DEPTH + 16;

/// An item's block of tiles.
struct Block {
    batch: Vec<Value>,
    /// Row tiles, from and to.
    rows: [Value; 2],
    /// Column tiles.
    columns: [Value; 2],
}

/// The item's block of tiles.
pub fn blocks(body: &Body<'_>, b: &mut Builder, unroll: u32) {
    let (x, shape, cut) = (&body.x, body.shape, body.tiles);
    let [rows, panels] = cut.block(shape.kind);
    let tile = cut.rows() * cut.columns();
    // Only one axis of k is cut into pieces.
    let pieces = shape.axes[2] == 1;
    let arrays = Arrays {
        waiting: pieces.then(|| b.private("waiting", shape.kind, rows * panels * tile)),
        held: (shape.panel == Panel::Held)
            .then(|| b.private("held", shape.kind, tiles::DEPTH * cut.columns())),
        rows: (shape.rows == Rows::Held)
            .then(|| b.private("held_rows", shape.kind, rows * cut.rows() * PITCH)),
    };
    let task = x.group(b);
    // The grid may have some groups too many.
    let there = b.bin(BinOp::Lt, task, body.p("tasks"));
    b.if_(there, |b| {
        let (rest, across) = x.div_rem(b, task, body.p("across"));
        let (batch, mut down) = x.div_rem(b, rest, body.p("down"));
        let heavy_first = matches!(shape.wanted, Wanted::Upper(_))
            || matches!(shape.reach, Reach::From { axis: 0, .. });
        if heavy_first {
            // Rows that have most to do come last, since drivers hand out large parts first.
            let one = body.int(b, 1);
            let last = b.sub(body.p("down"), one);
            down = b.sub(last, down);
        }
        let span = |b: &mut Builder, at: Value, each: Value, all: Value| {
            let first = b.mul(at, each);
            let past = b.add(first, each);
            [first, x.min(b, past, all)]
        };
        let block = Block {
            batch: x.unravel(b, &body.params, "batch", shape.axes[0], batch),
            rows: span(b, down, body.p("rows"), body.p("tm")),
            columns: span(b, across, body.p("panels"), body.p("tn")),
        };
        let [first, past] = [0, 1].map(|i| {
            let (row, column) = (block.rows[i], block.columns[i]);
            [body.row(b, row), body.column(b, column)]
        });
        body.if_wanted(b, first, past, |b| {
            let (zero, one) = (body.int(b, 0), body.int(b, 1));
            let [depth, by] = match pieces {
                true => [body.length(2), body.p("depth")],
                false => [one, one],
            };
            b.for_(zero, depth, by, false, |b, from| {
                let past = b.add(from, by);
                let to = x.min(b, past, depth);
                body.piece(b, &arrays, &block, Piece { from, to }, depth, unroll);
            });
        });
    });
}

impl Body<'_> {
    /// The first row of a row tile.
    fn row(&self, b: &mut Builder, tile: Value) -> Value {
        let height = self.int(b, self.tiles.rows());
        b.mul(tile, height)
    }

    /// The first column of a column tile of this launch.
    fn column(&self, b: &mut Builder, tile: Value) -> Value {
        let width = self.int(b, self.tiles.columns());
        let tile = b.add(tile, self.p("tile"));
        b.mul(tile, width)
    }

    /// A piece of k, for all tiles of a block.
    fn piece(
        &self,
        b: &mut Builder,
        arrays: &Arrays,
        block: &Block,
        k: Piece,
        depth: Value,
        unroll: u32,
    ) {
        let (x, one) = (&self.x, self.int(b, 1));
        let ([row0, row1], [column0, column1]) = (block.rows, block.columns);
        if let Some(held) = arrays.rows {
            self.hold_rows(b, held, k, &block.batch, (row0, row1));
        }
        b.for_(column0, column1, one, false, |b, column| {
            let first = self.column(b, column);
            let of_b = self.b.bases(b, x, &block.batch)[0];
            let panel = self.panel(b, arrays, k, of_b, (column, first));
            b.for_(row0, row1, one, false, |b, row| {
                let zero = self.int(b, 0);
                let spot = Spot {
                    batch: block.batch.clone(),
                    tile: [row, column],
                    item: [zero, zero],
                    first: [self.row(b, row), first],
                };
                let past = {
                    let (row, column) = (b.add(row, one), b.add(column, one));
                    [self.row(b, row), self.column(b, column)]
                };
                self.if_wanted(b, spot.first, past, |b| {
                    let place = {
                        let (i, j) = (b.sub(row, row0), b.sub(column, column0));
                        let at = x.step(b, i, j, self.p("rows"));
                        let size = self.int(b, self.tiles.rows() * self.tiles.columns());
                        b.mul(at, size)
                    };
                    self.resume(b, arrays.waiting, place, k);
                    let (of_a, rows) = self.rows(b, arrays, &spot, k, row0);
                    let reached = self.reached(b, k, spot.first, past);
                    self.steps(b, (of_a, &rows), arrays.held, reached, panel, unroll);
                    self.suspend(b, arrays.waiting, place, (k, depth), &spot);
                });
            });
        });
    }

    /// A tile's sums as they are before a piece of k.
    fn resume(&self, b: &mut Builder, waiting: Option<Place>, place: Value, k: Piece) {
        let Some(waiting) = waiting else {
            return self.begin(b);
        };
        let zero = self.int(b, 0);
        let first = b.bin(BinOp::Eq, k.from, zero);
        b.if_else(
            first,
            |b| self.begin(b),
            |b| {
                self.each_sum(b, place, |b, at, sum| {
                    let before = b.load(waiting, at, self.tiles.lanes, true);
                    b.set(sum, before);
                })
            },
        );
    }

    /// A tile's sums after a piece of k: they wait, or are complete.
    fn suspend(
        &self,
        b: &mut Builder,
        waiting: Option<Place>,
        place: Value,
        (k, depth): (Piece, Value),
        spot: &Spot,
    ) {
        let Some(waiting) = waiting else {
            return self.finish(b, spot);
        };
        let last = b.bin(BinOp::Eq, k.to, depth);
        b.if_else(
            last,
            |b| self.finish(b, spot),
            |b| {
                self.each_sum(b, place, |b, at, sum| {
                    let sum = b.get(sum);
                    b.store(waiting, at, sum, true);
                })
            },
        );
    }

    /// Calls with every variable of sums, and its place in a tile that begins at a place.
    fn each_sum(
        &self,
        b: &mut Builder,
        tile: Value,
        f: impl Fn(&mut Builder, Value, suanzi_codegen::ir::Id),
    ) {
        for (i, &sum) in self.sums.iter().flatten().enumerate() {
            let at = self.int(b, i as u32 * u32::from(self.tiles.lanes));
            let at = b.add(tile, at);
            f(b, at, sum);
        }
    }

    /// Where a piece of a panel of B begins, once it is there; `column` is the tile, and its first column.
    fn panel(
        &self,
        b: &mut Builder,
        arrays: &Arrays,
        k: Piece,
        of_b: Value,
        (column, first): (Value, Value),
    ) -> Value {
        match (self.shape.panel, arrays.held) {
            (_, Some(held)) => {
                self.hold(b, held, k, of_b, first);
                // Steps count from the beginning of k.
                let width = self.int(b, self.tiles.columns());
                let before = b.mul(k.from, width);
                let zero = self.int(b, 0);
                b.sub(zero, before)
            }
            (Panel::Packed, _) => self.x.step(b, of_b, column, self.b.params.get("row", 0, 0)),
            _ => b.add(of_b, first),
        }
    }

    /// Copies a piece of a panel of B. Columns that B has not are zero.
    fn hold(&self, b: &mut Builder, held: Place, k: Piece, of_b: Value, first: Value) {
        let (x, tiles) = (&self.x, self.tiles);
        let memory = self.b.reader.place(0).expect("B is memory");
        let stride = self.b.params.get("row", 0, 0);
        let (zero, one) = (self.int(b, 0), self.int(b, 1));
        let width = self.int(b, tiles.columns());
        let past = b.add(first, width);
        let whole = b.bin(BinOp::Le, past, self.length(1));
        let from = b.add(of_b, first);
        b.for_(k.from, k.to, one, false, |b, at| {
            let from = x.step(b, from, at, stride);
            let to = b.sub(at, k.from);
            let to = b.mul(to, width);
            b.if_else(
                whole,
                |b| {
                    for j in 0..tiles.nr {
                        let j = self.int(b, j * u32::from(tiles.lanes));
                        let (from, to) = (b.add(from, j), b.add(to, j));
                        let value = b.load(memory, from, tiles.lanes, false);
                        b.store(held, to, value, true);
                    }
                },
                |b| {
                    b.for_(zero, width, one, false, |b, j| {
                        let (from, to) = (b.add(from, j), b.add(to, j));
                        let column = b.add(first, j);
                        let inside = b.bin(BinOp::Lt, column, self.length(1));
                        b.if_else(
                            inside,
                            |b| {
                                let value = b.load(memory, from, 1, true);
                                b.store(held, to, value, true);
                            },
                            |b| {
                                let none = b.int(self.shape.kind, 0);
                                b.store(held, to, none, true);
                            },
                        );
                    });
                },
            );
        });
    }

    /// Copies a piece of the block's rows of A. Rows that A has not are its last one.
    fn hold_rows(
        &self,
        b: &mut Builder,
        held: Place,
        k: Piece,
        batch: &[Value],
        (row0, row1): (Value, Value),
    ) {
        let (x, tiles) = (&self.x, self.tiles);
        let memory = self.a.reader.place(0).expect("A is memory");
        let base = self.a.bases(b, x, batch);
        let (height, one) = (self.int(b, tiles.rows()), self.int(b, 1));
        let [first, past] = [row0, row1].map(|row| b.mul(row, height));
        let last = b.sub(self.length(0), one);
        let lanes = self.int(b, tiles.lanes.into());
        let count = b.sub(k.to, k.from);
        let (vectors, _) = x.div_rem(b, count, lanes);
        let whole = b.mul(vectors, lanes);
        let pitch = self.int(b, PITCH);
        let zero = self.int(b, 0);
        b.for_(first, past, height, false, |b, top| {
            let to = b.sub(top, first);
            let to = b.mul(to, pitch);
            // A tile's rows side by side: each is a stream of its own, whose first elements are long in coming.
            let rows: Vec<[Value; 2]> = (0..tiles.mr)
                .map(|i| {
                    let i = self.int(b, i);
                    let row = b.add(top, i);
                    let row = x.min(b, row, last);
                    let coords = x.unravel(b, &self.params, "m", self.shape.axes[1], row);
                    let from = self.a.moved(b, x, "row", &base, &coords)[0];
                    [b.add(from, k.from), x.step(b, to, i, pitch)]
                })
                .collect();
            let copy = |b: &mut Builder, at: Value, lanes: u8| {
                for [from, to] in &rows {
                    let (from, to) = (b.add(*from, at), b.add(*to, at));
                    let value = b.load(memory, from, lanes, lanes == 1);
                    b.store(held, to, value, true);
                }
            };
            b.for_(zero, whole, lanes, false, |b, at| copy(b, at, tiles.lanes));
            b.for_(whole, count, one, false, |b, at| copy(b, at, 1));
        });
    }

    /// Where the rows of a tile begin, and in what.
    fn rows(
        &self,
        b: &mut Builder,
        arrays: &Arrays,
        spot: &Spot,
        k: Piece,
        row0: Value,
    ) -> (Place, Vec<Value>) {
        let (x, tiles) = (&self.x, self.tiles);
        let each = |b: &mut Builder, f: &dyn Fn(&mut Builder, Value) -> Value| -> Vec<Value> {
            let rows = 0..tiles.mr;
            rows.map(|i| {
                let i = self.int(b, i);
                f(b, i)
            })
            .collect()
        };
        if let Some(held) = arrays.rows {
            // Steps count from the beginning of k.
            let height = self.int(b, tiles.rows() * PITCH);
            let tile = b.sub(spot.tile[0], row0);
            let tile = b.mul(tile, height);
            let tile = b.sub(tile, k.from);
            let rows = each(b, &|b, i| {
                let pitch = self.int(b, PITCH);
                x.step(b, tile, i, pitch)
            });
            return (held, rows);
        }
        let place = self.a.reader.place(0).expect("A is memory");
        let base = self.a.bases(b, x, &spot.batch);
        if self.shape.rows == Rows::Packed {
            let panel = x.step(b, base[0], spot.tile[0], self.a.params.get("row", 0, 0));
            return (place, each(b, &|b, i| b.add(panel, i)));
        }
        let one = self.int(b, 1);
        let last = b.sub(self.length(0), one);
        let rows = each(b, &|b, i| {
            let row = b.add(spot.first[0], i);
            let row = x.min(b, row, last);
            let coords = x.unravel(b, &self.params, "m", self.shape.axes[1], row);
            self.a.moved(b, x, "row", &base, &coords)[0]
        });
        (place, rows)
    }

    /// Steps over a piece of a panel of B and rows of A.
    fn steps(
        &self,
        b: &mut Builder,
        (place, rows): (Place, &[Value]),
        held: Option<Place>,
        k: Piece,
        panel: Value,
        unroll: u32,
    ) {
        let x = &self.x;
        let inner = self.shape.axes[2] - 1;
        let stride = self.a.params.get("col", 0, inner);
        let some =
            |b: &mut Builder, from: Value, to: Value, by: u32, rows: &[Value], of_b: Value| {
                let by_value = self.int(b, by);
                b.for_(from, to, by_value, false, |b, k| {
                    for ahead in 0..by {
                        let ahead = self.int(b, ahead);
                        let k = b.add(k, ahead);
                        self.panel_step(b, place, held, rows, stride, of_b, k);
                    }
                });
            };
        let all = |b: &mut Builder, k: Piece, rows: &[Value], of_b: Value| {
            if unroll == 1 {
                return some(b, k.from, k.to, 1, rows, of_b);
            }
            let by = self.int(b, unroll);
            let count = b.sub(k.to, k.from);
            let (whole, _) = x.div_rem(b, count, by);
            let whole = x.step(b, k.from, whole, by);
            some(b, k.from, whole, unroll, rows, of_b);
            some(b, whole, k.to, 1, rows, of_b);
        };
        if self.shape.axes[2] == 1 {
            return all(b, k, rows, panel);
        }
        let from = self.int(b, 0);
        let to = self.params.get("k", inner, 0);
        self.outer_k(b, 0, rows, panel, &|b, rows, of_b| {
            all(b, Piece { from, to }, rows, of_b)
        });
    }

    /// Loops over all axes of k but the last one, with the rows of A and the panel of B moved.
    fn outer_k(
        &self,
        b: &mut Builder,
        axis: usize,
        rows: &[Value],
        of_b: Value,
        inner: &dyn Fn(&mut Builder, &[Value], Value),
    ) {
        if axis + 1 == self.shape.axes[2] {
            return inner(b, rows, of_b);
        }
        let width = self.tiles.columns();
        let behind = (axis + 1..self.shape.axes[2]).fold(self.int(b, width), |all, axis| {
            b.mul(all, self.params.get("k", axis, 0))
        });
        let (zero, one) = (self.int(b, 0), self.int(b, 1));
        let stride = self.a.params.get("col", 0, axis);
        b.for_(zero, self.params.get("k", axis, 0), one, false, |b, k| {
            let step = b.mul(k, stride);
            let rows: Vec<Value> = rows.iter().map(|&r| b.add(r, step)).collect();
            let of_b = self.x.step(b, of_b, k, behind);
            self.outer_k(b, axis + 1, &rows, of_b, inner);
        });
    }

    #[allow(clippy::too_many_arguments)]
    fn panel_step(
        &self,
        b: &mut Builder,
        place: Place,
        held: Option<Place>,
        rows: &[Value],
        stride: Value,
        of_b: Value,
        k: Value,
    ) {
        let tiles = self.tiles;
        let along = match self.shape.rows {
            Rows::Packed => {
                let height = self.int(b, tiles.mr);
                b.mul(k, height)
            }
            Rows::Held => k,
            Rows::Lie if self.shape.dense => k,
            Rows::Lie => b.mul(k, stride),
        };
        let rows: Vec<Value> = rows
            .iter()
            .map(|&row| {
                let at = b.add(row, along);
                b.load(place, at, 1, true)
            })
            .collect();
        let lies = self.shape.panel == Panel::Lies;
        let width = match lies {
            false => self.int(b, tiles.columns()),
            true => self.b.params.get("row", 0, 0),
        };
        let at = self.x.step(b, of_b, k, width);
        let panel = held.unwrap_or_else(|| self.b.reader.place(0).expect("B is memory"));
        let columns: Vec<Value> = (0..tiles.nr)
            .map(|j| {
                let j = self.int(b, j * u32::from(tiles.lanes));
                let at = b.add(at, j);
                b.load(panel, at, tiles.lanes, !lies)
            })
            .collect();
        self.step(b, &rows, &columns);
    }
}
