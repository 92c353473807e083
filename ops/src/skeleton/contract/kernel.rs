//! The kernel of a contraction: a tile of sums in variables, steps along k, the epilogue.

mod panels;

use super::super::access::{self, Declared, Inner, Positions, Reader, Scalars, Walk};
use super::super::graph::Source;
use super::tiles::{Stage, Tiles};
use super::{Reach, Shape, Side, Wanted};
use suanzi_codegen::ir::{Access, Barrier, BinOp, Builtin, CastMode, Id};
use suanzi_codegen::verify::VerifyError;
use suanzi_codegen::{Builder, Kernel, Place, Value};

struct Body<'a> {
    shape: &'a Shape<'a>,
    tiles: Tiles,
    /// Counts, lengths of axes.
    params: Declared,
    x: Positions,
    out: Place,
    /// The epilogue's, A's and B's.
    e: Declare<'a>,
    a: Declare<'a>,
    b: Declare<'a>,
    /// `sums[row][vector]`
    sums: Vec<Vec<Id>>,
    /// Sums of an item whose tile leaves C.
    rest: Place,
}

/// A side as it is declared.
struct Declare<'a> {
    side: &'a Side,
    reader: Reader,
    params: Declared,
}

/// A piece of k.
#[derive(Clone, Copy)]
struct Piece {
    from: Value,
    to: Value,
}

/// Where an item is.
struct Spot {
    batch: Vec<Value>,
    /// Row and column tile; of the latter, those of this launch.
    tile: [Value; 2],
    /// Item in the group along m and n.
    item: [Value; 2],
    /// First row and column of the group.
    first: [Value; 2],
}

pub fn build(
    op: &str,
    [e, a, b]: [&Side; 3],
    shape: &Shape<'_>,
    lists: &[Scalars; 4],
) -> Result<Kernel, VerifyError> {
    let tiles = shape.tiles;
    let mut k = Builder::new(format!("contract_{op}"), [tiles.items(), 1, 1]);
    let out = k.buffer("out", shape.dtypes[0], Access::ReadWrite);
    let readers = [
        ("e", &e.graph, &shape.shared[0]),
        ("a", &a.graph, &shape.shared[1]),
        ("b", &b.graph, &shape.shared[2]),
    ]
    .map(|(word, graph, shared)| Reader::declare_as(&mut k, word, graph, Some((out, shared))));
    let [params, ep, ap, bp] = ["", "e", "a", "b"]
        .iter()
        .zip(lists)
        .map(|(word, list)| list.declare_as(&mut k, word))
        .collect::<Vec<_>>()
        .try_into()
        .unwrap_or_else(|_| unreachable!("four lists were declared"));
    let [er, ar, br] = readers;
    let declare = |side, reader, params| Declare {
        side,
        reader,
        params,
    };
    let width = tiles.nr * u32::from(tiles.lanes);
    let rest = k.private("rest", shape.kind, tiles.mr * width);
    let vector = shape.kind.x(tiles.lanes);
    let sums = (0..tiles.mr)
        .map(|_| (0..tiles.nr).map(|_| k.var_of(vector)).collect())
        .collect();
    let body = Body {
        shape,
        tiles,
        params,
        x: Positions { kind: shape.index },
        out,
        e: declare(e, er, ep),
        a: declare(a, ar, ap),
        b: declare(b, br, bp),
        sums,
        rest,
    };
    match tiles.stage {
        Stage::Panels { unroll } => panels::blocks(&body, &mut k, unroll),
        Stage::Shared { kc, .. } => {
            let [pa, pb] = tiles.pitches();
            let a = k.shared("stage_a", shape.kind, kc * pa);
            let b = k.shared("stage_b", shape.kind, kc * pb);
            body.tile(&mut k, |k, spot, piece| {
                body.staged(k, spot, piece, kc, [a, b])
            });
        }
    }
    k.finish()
}

impl Declare<'_> {
    /// Positions of each leaf (before them, of the output) along the batch.
    fn bases(&self, b: &mut Builder, x: &Positions, batch: &[Value]) -> Vec<Value> {
        (0..self.side.offsets.len())
            .map(|i| {
                x.offset(
                    b,
                    &self.params,
                    "batch",
                    i,
                    self.params.get("offset", i, 0),
                    batch,
                )
            })
            .collect()
    }

    /// Positions moved along the rows or the columns.
    fn moved(
        &self,
        b: &mut Builder,
        x: &Positions,
        word: &'static str,
        bases: &[Value],
        coords: &[Value],
    ) -> Vec<Value> {
        let bases = bases.iter().enumerate();
        bases
            .map(|(i, &base)| x.offset(b, &self.params, word, i, base, coords))
            .collect()
    }

    /// The value at given positions of the leaves, in the compute kind.
    fn value(&self, b: &mut Builder, x: &Positions, at: &[Value]) -> Value {
        let walk = Walk {
            inner: Inner::Zero,
            aligned: false,
        };
        let (walks, strides) = (vec![walk; at.len()], vec![None; at.len()]);
        let zero = x.int(b, 0);
        let read = self.reader.read(b, &walks, &strides, at, zero, 1);
        self.side.graph.build(b, &read, &self.params)
    }
}

impl Body<'_> {
    fn p(&self, word: &'static str) -> Value {
        self.params.get(word, 0, 0)
    }

    /// m, n, k.
    fn length(&self, axis: usize) -> Value {
        self.params.get("length", axis, 0)
    }

    fn int(&self, b: &mut Builder, value: u32) -> Value {
        self.x.int(b, value.into())
    }

    /// The tile of a group whose items share their operands.
    fn tile(&self, b: &mut Builder, steps: impl Fn(&mut Builder, &Spot, Piece)) {
        let task = self.x.group(b);
        // The grid may have some groups too many.
        let there = b.bin(BinOp::Lt, task, self.p("tasks"));
        b.if_(there, |b| {
            let spot = self.spot(b, task);
            let size = [self.tiles.rows(), self.tiles.columns()];
            let past = [0, 1].map(|i| {
                let size = self.int(b, size[i]);
                b.add(spot.first[i], size)
            });
            self.if_wanted(b, spot.first, past, |b| {
                self.begin(b);
                let (from, to) = (self.int(b, 0), self.length(2));
                let k = self.reached(b, Piece { from, to }, spot.first, past);
                steps(b, &spot, k);
                self.finish(b, &spot);
            });
        });
    }

    /// Does what has something of the part that is wanted, given its first row and column and those past it.
    fn if_wanted(
        &self,
        b: &mut Builder,
        first: [Value; 2],
        past: [Value; 2],
        work: impl FnOnce(&mut Builder),
    ) {
        let there = match self.shape.wanted {
            Wanted::Whole => return work(b),
            Wanted::Lower(columns) => {
                let columns = self.int(b, columns);
                let end = b.mul(past[0], columns);
                b.bin(BinOp::Lt, first[1], end)
            }
            Wanted::Upper(columns) => {
                let columns = self.int(b, columns);
                let begin = b.mul(first[0], columns);
                b.bin(BinOp::Lt, begin, past[1])
            }
        };
        b.if_(there, work);
    }

    /// Every sum is zero.
    fn begin(&self, b: &mut Builder) {
        let zero = b.int(self.shape.kind.x(self.tiles.lanes), 0);
        for &sum in self.sums.iter().flatten() {
            b.set(sum, zero);
        }
    }

    /// Tiles go down blocks of rows that stay in cache, from one panel of columns to the next.
    fn spot(&self, b: &mut Builder, task: Value) -> Spot {
        let (x, p) = (&self.x, &self.params);
        let (tm, tn, kept) = (self.p("tm"), self.p("tn"), self.p("kept"));
        let each = b.mul(tm, tn);
        let (batch, task) = x.div_rem(b, task, each);
        let block = b.mul(kept, tn);
        let (block, within) = x.div_rem(b, task, block);
        let top = b.mul(block, kept);
        let left = b.sub(tm, top);
        let height = x.min(b, kept, left);
        let (column, row) = x.div_rem(b, within, height);
        let row = b.add(top, row);
        let batch = x.unravel(b, p, "batch", self.shape.axes[0], batch);
        let local = x.builtin(b, Builtin::LocalId(0));
        let width = self.int(b, self.tiles.group[1]);
        let (i, j) = x.div_rem(b, local, width);
        let (rows, columns) = (self.tiles.rows(), self.tiles.columns());
        let (rows, columns) = (self.int(b, rows), self.int(b, columns));
        Spot {
            batch,
            tile: [row, column],
            item: [i, j],
            first: [b.mul(row, rows), b.mul(column, columns)],
        }
    }

    /// What of a piece of k has anything to add to a tile, given its first row and column and those past it.
    fn reached(&self, b: &mut Builder, k: Piece, first: [Value; 2], past: [Value; 2]) -> Piece {
        let Piece { from, to } = k;
        // A row has so many steps; columns are as many already, and whole numbers of them count.
        let steps = |b: &mut Builder, axis: usize, at: Value, parts: u32, more: u32| {
            let parts = self.int(b, parts);
            if axis == 0 {
                return b.mul(at, parts);
            }
            let more = self.int(b, more);
            let at = b.add(at, more);
            let (numbers, _) = self.x.div_rem(b, at, parts);
            b.mul(numbers, parts)
        };
        match self.shape.reach {
            Reach::All => k,
            Reach::Until { axis, parts } => {
                let end = steps(b, axis, past[axis], parts, parts - 1);
                let end = b.bin(BinOp::Max, end, from);
                let to = self.x.min(b, to, end);
                Piece { from, to }
            }
            Reach::From { axis, parts } => {
                let begin = steps(b, axis, first[axis], parts, 0);
                let begin = self.x.min(b, begin, to);
                let from = b.bin(BinOp::Max, from, begin);
                Piece { from, to }
            }
        }
    }

    /// One step along k: every row meets every vector.
    fn step(&self, b: &mut Builder, rows: &[Value], columns: &[Value]) {
        for (&row, sums) in rows.iter().zip(&self.sums) {
            let row = b.splat(row, self.tiles.lanes);
            for (&column, &sum) in columns.iter().zip(sums) {
                let before = b.get(sum);
                let after = if self.shape.kind.is_float() {
                    b.fma(row, column, before)
                } else {
                    let product = b.mul(row, column);
                    b.add(product, before)
                };
                b.set(sum, after);
            }
        }
    }

    /// Steps over blocks that the group stages in shared memory.
    fn staged(&self, b: &mut Builder, spot: &Spot, k: Piece, kc: u32, [of_a, of_b]: [Place; 2]) {
        let (x, tiles) = (&self.x, self.tiles);
        let local = x.builtin(b, Builtin::LocalId(0));
        let (zero, depth) = (self.int(b, 0), self.int(b, kc));
        let bases = [
            self.a.bases(b, x, &spot.batch),
            self.b.bases(b, x, &spot.batch),
        ];
        let [pitch_a, pitch_b] = tiles.pitches();
        b.for_(k.from, k.to, depth, false, |b, k0| {
            // The others may still read what was staged before.
            b.barrier(Barrier::Shared);
            self.stage(b, local, kc, k0, spot.first[0], 0, &bases[0], of_a);
            self.stage(b, local, kc, k0, spot.first[1], 1, &bases[1], of_b);
            b.barrier(Barrier::Shared);
            let one = self.int(b, 1);
            b.for_(zero, depth, one, false, |b, k| {
                let (pa, pb) = (self.int(b, pitch_a), self.int(b, pitch_b));
                let row = x.step(b, spot.item[0], k, pa);
                let rows: Vec<Value> = (0..tiles.mr)
                    .map(|i| {
                        let i = self.int(b, i * tiles.group[0]);
                        let at = b.add(row, i);
                        b.load(of_a, at, 1, true)
                    })
                    .collect();
                let lanes = self.int(b, tiles.lanes.into());
                let column = b.mul(spot.item[1], lanes);
                let column = x.step(b, column, k, pb);
                let columns: Vec<Value> = (0..tiles.nr)
                    .map(|j| {
                        let j = self.int(b, j * tiles.group[1] * u32::from(tiles.lanes));
                        let at = b.add(column, j);
                        b.load(of_b, at, tiles.lanes, true)
                    })
                    .collect();
                self.step(b, &rows, &columns);
            });
        });
    }

    /// The group copies a block of A (`operand` 0) or B into shared memory, zeros where there is
    /// nothing.
    #[allow(clippy::too_many_arguments)]
    fn stage(
        &self,
        b: &mut Builder,
        local: Value,
        kc: u32,
        k0: Value,
        first: Value,
        operand: usize,
        bases: &[Value],
        to: Place,
    ) {
        let (x, tiles) = (&self.x, self.tiles);
        let (side, across) = match operand {
            0 => (&self.a, tiles.rows()),
            _ => (&self.b, tiles.columns()),
        };
        let along_k = self.shape.along_k[operand];
        let fast = self.int(b, if along_k { kc } else { across });
        let (all, items) = (self.int(b, kc * across), self.int(b, tiles.items()));
        b.for_(local, all, items, false, |b, element| {
            let (slow, quick) = x.div_rem(b, element, fast);
            let (i, k) = if along_k {
                (slow, quick)
            } else {
                (quick, slow)
            };
            let (at_k, at) = (b.add(k0, k), b.add(first, i));
            let inside = b.bin(BinOp::Lt, at, self.length(operand));
            let deep = b.bin(BinOp::Lt, at_k, self.length(2));
            let inside = b.bin(BinOp::And, inside, deep);
            let pitch = self.int(b, tiles.pitches()[operand]);
            let place = x.step(b, i, k, pitch);
            b.if_else(
                inside,
                |b| {
                    let ks = x.unravel(b, &self.params, "k", self.shape.axes[2], at_k);
                    let across = match operand {
                        0 => x.unravel(b, &self.params, "m", self.shape.axes[1], at),
                        _ => vec![at],
                    };
                    let (rows, columns) = match operand {
                        0 => (across, ks),
                        _ => (ks, across),
                    };
                    let at = side.moved(b, x, "row", bases, &rows);
                    let at = side.moved(b, x, "col", &at, &columns);
                    let value = side.value(b, x, &at);
                    b.store(to, place, value, true);
                },
                |b| {
                    let zero = b.int(self.shape.kind, 0);
                    b.store(to, place, zero, true);
                },
            );
        });
    }

    /// Writes an item's tile through the epilogue.
    fn finish(&self, b: &mut Builder, spot: &Spot) {
        let (x, tiles) = (&self.x, self.tiles);
        let lanes = u32::from(tiles.lanes);
        let row0 = b.add(spot.first[0], spot.item[0]);
        let width = self.int(b, lanes);
        let column0 = x.step(b, spot.first[1], spot.item[1], width);
        let bases = self.e.bases(b, x, &spot.batch);
        let row_at = |b: &mut Builder, row: Value| {
            let coords = x.unravel(b, &self.params, "m", self.shape.axes[1], row);
            self.e.moved(b, x, "row", &bases, &coords)
        };
        let past = self.int(b, (tiles.nr - 1) * tiles.group[1] * lanes + lanes);
        let past = b.add(column0, past);
        let whole = b.bin(BinOp::Le, past, self.length(1));
        b.if_else(
            whole,
            |b| {
                for (i, sums) in self.sums.iter().enumerate() {
                    let i = self.int(b, i as u32 * tiles.group[0]);
                    let row = b.add(row0, i);
                    let inside = b.bin(BinOp::Lt, row, self.length(0));
                    b.if_(inside, |b| {
                        let at = row_at(b, row);
                        for (j, &sum) in sums.iter().enumerate() {
                            let j = self.int(b, j as u32 * tiles.group[1] * lanes);
                            let column = b.add(column0, j);
                            let value = b.get(sum);
                            self.element(b, &at, column, value, tiles.lanes);
                        }
                    });
                }
            },
            |b| {
                // Sums go through memory, so that loops can count them.
                for (i, sums) in self.sums.iter().enumerate() {
                    for (j, &sum) in sums.iter().enumerate() {
                        let at = self.int(b, (i as u32 * tiles.nr + j as u32) * lanes);
                        let value = b.get(sum);
                        b.store(self.rest, at, value, true);
                    }
                }
                let (zero, one) = (self.int(b, 0), self.int(b, 1));
                let (rows, step) = (self.int(b, tiles.mr), self.int(b, tiles.group[0]));
                let count = self.int(b, tiles.nr * lanes);
                b.for_(zero, rows, one, false, |b, i| {
                    let row = x.step(b, row0, i, step);
                    let inside = b.bin(BinOp::Lt, row, self.length(0));
                    b.if_(inside, |b| {
                        let at = row_at(b, row);
                        b.for_(zero, count, one, false, |b, v| {
                            let (j, lane) = x.div_rem(b, v, width);
                            let across = self.int(b, tiles.group[1] * lanes);
                            let column = x.step(b, column0, j, across);
                            let column = b.add(column, lane);
                            let inside = b.bin(BinOp::Lt, column, self.length(1));
                            b.if_(inside, |b| {
                                let from = x.step(b, v, i, count);
                                let value = b.load(self.rest, from, 1, true);
                                self.element(b, &at, column, value, 1);
                            });
                        });
                    });
                });
            },
        );
    }

    /// Writes neighbouring elements of a row, whose positions of column 0 are `at`.
    fn element(&self, b: &mut Builder, at: &[Value], column: Value, sums: Value, lanes: u8) {
        let (e, walks) = (&self.e, &self.shape.walks);
        let stride =
            |(i, w): (usize, &Walk)| (w.inner == Inner::Any).then(|| e.params.get("col", i, 0));
        let strides: Vec<Option<Value>> = walks.iter().enumerate().map(stride).collect();
        let mut read = e
            .reader
            .read(b, &walks[1..], &strides[1..], &at[1..], column, lanes);
        for (value, leaf) in read.values.iter_mut().zip(&e.side.graph.leaves) {
            if matches!(leaf.source, Source::Given) {
                *value = sums;
            }
        }
        let result = e.side.graph.build(b, &read, &e.params);
        let result = b.cast(result, self.shape.dtypes[0], CastMode::Saturate);
        let result = b.splat(result, lanes);
        access::store(
            b,
            self.out,
            (at[0], column),
            (walks[0], strides[0]),
            result,
            lanes,
        );
    }
}
