//! Builds the kernel of a reduction plan.

use super::super::access::{Declared, Inner, Positions, Reader, Scalars, Walk, spread};
use super::super::graph::Graph;
use super::{Along, Shape, accumulator};
use crate::table::{Combine, Reduce, Reduced, compute_kind};
use suanzi_codegen::ir::{self, Access, BinOp, Builtin, CastMode};
use suanzi_codegen::{Builder, Kernel, Place, Scalar, Value, VerifyError};

pub(super) fn build(
    name: &str,
    op: &Reduce,
    graph: &Graph,
    shape: &Shape<'_>,
    scalars: &Scalars,
) -> Result<Kernel, VerifyError> {
    let stage = match (shape.joins, shape.parts) {
        (true, _) => "join",
        (_, true) => "part",
        _ => "reduce",
    };
    let mut b = Builder::new(format!("{stage}_{name}"), [shape.workgroup, 1, 1]);
    let kind = compute_kind(graph.dtype);
    let components = accumulator(op, kind, shape.position);
    let outs: Vec<Place> = if shape.parts {
        let declare =
            |(i, &s): (usize, &Scalar)| b.buffer(&format!("part{i}"), s, Access::ReadWrite);
        components.iter().enumerate().map(declare).collect()
    } else {
        let outputs = [("out", op.output)].into_iter();
        let outputs = outputs.chain(op.second.map(|(o, _)| ("second", o)));
        outputs
            .map(|(name, o)| b.buffer(name, o.dtype(graph.dtype), Access::ReadWrite))
            .collect()
    };
    let reader = Reader::declare(&mut b, graph, None);
    let params = scalars.declare(&mut b);
    let shared = match shape.grouped {
        true => components
            .iter()
            .enumerate()
            .map(|(i, &s)| b.shared(&format!("lane{i}"), s, shape.workgroup))
            .collect(),
        false => vec![],
    };
    let x = Positions { kind: shape.index };
    let zero = x.int(&mut b, 0);
    let local = x.builtin(&mut b, Builtin::LocalId(0));
    let group = x.group(&mut b);
    let (worker, local, width) = if shape.grouped {
        (group, local, shape.workgroup)
    } else {
        let width = x.int(&mut b, shape.workgroup.into());
        (x.step(&mut b, local, group, width), zero, 1)
    };
    let fold = Fold {
        op,
        graph,
        shape,
        kind,
        params,
        reader,
        outs,
        shared,
        x,
        local,
        width,
    };
    fold.worker(&mut b, worker);
    b.finish()
}

pub(super) struct Fold<'a> {
    pub op: &'a Reduce,
    graph: &'a Graph,
    pub shape: &'a Shape<'a>,
    /// Compute kind of the elements.
    pub kind: Scalar,
    pub params: Declared,
    reader: Reader,
    outs: Vec<Place>,
    shared: Vec<Place>,
    pub x: Positions,
    /// This item's number among those that work together, and how many they are.
    local: Value,
    width: u32,
}

/// A run of steps `start..end` of the reduced space.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub start: Value,
    pub end: Value,
    /// This is the last part, which does the rest of a row.
    last: Value,
}

/// The position of an output segment: leaf bases, the column in the vectorised axis where that is
/// kept, and the output's number.
pub(super) struct Segment {
    pub bases: Vec<Value>,
    pub column: Option<Value>,
    pub output: Value,
    pub lanes: u8,
}

impl Fold<'_> {
    pub(super) fn p(&self, word: &'static str) -> Value {
        self.params.get(word, 0, 0)
    }

    fn worker(&self, b: &mut Builder, worker: Value) {
        let (part, block) = self.x.div_rem(b, worker, self.p("blocks"));
        let inside = b.bin(BinOp::Lt, part, self.p("parts"));
        b.if_(inside, |b| {
            let start = b.mul(part, self.p("part"));
            let end = b.add(start, self.p("part"));
            let end = self.x.min(b, end, self.p("steps"));
            let start = self.x.min(b, start, end);
            let one = self.x.int(b, 1);
            let next = b.add(part, one);
            let last = b.bin(BinOp::Eq, next, self.p("parts"));
            let steps = Steps { start, end, last };
            if self.shape.runs {
                let run = self.p("run");
                let first = b.mul(block, run);
                let past = b.add(first, run);
                let past = self.x.min(b, past, self.p("tasks"));
                b.for_(first, past, one, false, |b, task| {
                    self.task(b, task, part, steps)
                });
            } else {
                self.task(b, block, part, steps);
            }
        });
    }

    /// One segment of outputs over one part.
    fn task(&self, b: &mut Builder, task: Value, part: Value, steps: Steps) {
        let s = self.shape;
        if s.along == Along::Reduced {
            let coords = self.x.unravel(b, &self.params, "kept", s.kept_axes, task);
            let bases = self.bases(b, &coords);
            let segment = Segment {
                bases,
                column: None,
                output: task,
                lanes: 1,
            };
            return self.output(b, segment, part, steps);
        }
        if s.sweeps {
            return self.sweep(b, task, part, steps);
        }
        let (row, piece) = self.x.div_rem(b, task, self.p("pieces"));
        let coords = self
            .x
            .unravel(b, &self.params, "kept", s.kept_axes - 1, row);
        let bases = self.bases(b, &coords);
        let lanes = self.x.int(b, s.lanes.into());
        let column = b.mul(piece, lanes);
        let at = |b: &mut Builder, column: Value, lanes: u8| {
            let output = self.x.step(b, column, row, self.p("axis"));
            let bases = bases.clone();
            let segment = Segment {
                bases,
                column: Some(column),
                output,
                lanes,
            };
            self.output(b, segment, part, steps);
        };
        if s.whole {
            return at(b, column, s.lanes);
        }
        let end = b.add(column, lanes);
        let fits = b.bin(BinOp::Le, end, self.p("axis"));
        let one = self.x.int(b, 1);
        b.if_else(
            fits,
            |b| at(b, column, s.lanes),
            |b| {
                b.for_(column, self.p("axis"), one, false, |b, column| {
                    at(b, column, 1)
                })
            },
        );
    }

    pub(super) fn bases(&self, b: &mut Builder, coords: &[Value]) -> Vec<Value> {
        (0..self.graph.leaves.len())
            .map(|i| {
                let offset = self.params.get("offset", i, 0);
                self.x.offset(b, &self.params, "kstride", i, offset, coords)
            })
            .collect()
    }

    /// Folds, joins the group, and stores.
    fn output(&self, b: &mut Builder, segment: Segment, part: Value, steps: Steps) {
        let acc = self.fold(b, &segment, steps);
        if self.shape.grouped {
            self.join_group(b, &acc, |b, joined| self.store(b, &segment, part, joined));
        } else {
            self.store(b, &segment, part, &acc);
        }
    }

    /// The accumulator of this item over its steps; of `segment.lanes` lanes.
    fn fold(&self, b: &mut Builder, segment: &Segment, steps: Steps) -> Vec<Value> {
        let s = self.shape;
        let lanes = match s.along {
            Along::Reduced => s.lanes,
            Along::Outputs => segment.lanes,
        };
        let acc = self.fresh(b, lanes);
        let ragged = s.along == Along::Reduced && lanes > 1 && !s.whole;
        // Where rows have a rest, it is folded apart, one element at a time.
        let rest = if ragged { self.fresh(b, 1) } else { vec![] };

        let unroll = u64::from(s.unroll);
        let stride = self.x.int(b, self.width.into());
        let mut from = steps.start;
        if unroll > 1 {
            let block = self.x.int(b, u64::from(self.width) * unroll);
            let length = b.sub(steps.end, steps.start);
            let blocks = b.bin(BinOp::Div, length, block);
            let past = self.x.step(b, steps.start, blocks, block);
            let start = b.add(steps.start, self.local);
            // A CPU fetches several streams ahead of one core faster than one, but positions are not in order then.
            let streams = s.runs && self.op.follow.is_none();
            let (end, next, apart) = match streams {
                true => (b.add(steps.start, blocks), stride, blocks),
                false => (past, block, stride),
            };
            b.for_(start, end, next, false, |b, step| {
                let mut at = step;
                let mut values = vec![self.read_step(b, segment, at, lanes)];
                for _ in 1..unroll {
                    at = b.add(at, apart);
                    values.push(self.read_step(b, segment, at, lanes));
                }
                let value = self.in_order(b, values);
                self.accumulate(b, &acc, &value);
            });
            from = past;
        }
        let start = b.add(from, self.local);
        let many_rows = s.reduced_axes > 1;
        b.for_(start, steps.end, stride, false, |b, step| {
            if ragged && many_rows {
                self.ragged_step(b, segment, step, &acc, &rest);
            } else {
                let value = self.read_step(b, segment, step, lanes);
                self.accumulate(b, &acc, &value);
            }
        });
        if ragged && !many_rows {
            b.if_(steps.last, |b| {
                let width = self.x.int(b, s.lanes.into());
                let done = b.mul(self.p("steps"), width);
                let start = b.add(done, self.local);
                b.for_(start, self.p("axis"), stride, false, |b, column| {
                    let value = self.read(b, segment, &segment.bases, column, column, 1);
                    self.accumulate(b, &rest, &value);
                });
            });
        }
        let folded: Vec<Value> = acc.iter().map(|&v| b.get(v)).collect();
        if s.along == Along::Outputs {
            return folded;
        }
        let folded = self.join_lanes(b, &folded, lanes);
        if !ragged {
            return folded;
        }
        let rest: Vec<Value> = rest.iter().map(|&v| b.get(v)).collect();
        (self.op.combine)(b, &folded, &rest)
    }

    /// Variables that hold the identity.
    fn fresh(&self, b: &mut Builder, lanes: u8) -> Vec<ir::Id> {
        let identity = (self.op.identity)(b, self.kind.x(lanes), self.shape.position);
        identity.into_iter().map(|v| b.var(v)).collect()
    }

    fn accumulate(&self, b: &mut Builder, acc: &[ir::Id], value: &[Value]) {
        let old: Vec<Value> = acc.iter().map(|&v| b.get(v)).collect();
        let new = self.follow(b, &old, value);
        acc.iter().zip(new).for_each(|(&var, v)| b.set(var, v));
    }

    /// Joins two accumulators, the second from later positions.
    pub(super) fn follow(&self, b: &mut Builder, x: &[Value], y: &[Value]) -> Vec<Value> {
        (self.op.follow.unwrap_or(self.op.combine))(b, x, y)
    }

    /// Joins accumulators pairwise, in order of positions.
    pub(super) fn in_order(&self, b: &mut Builder, values: Vec<Vec<Value>>) -> Vec<Value> {
        tree(b, values, self.op.follow.unwrap_or(self.op.combine))
    }

    /// Leaf bases and linear position of a step's row.
    pub(super) fn row(
        &self,
        b: &mut Builder,
        segment: &Segment,
        row: Value,
        axes: usize,
    ) -> Vec<Value> {
        let coords = self.x.unravel(b, &self.params, "red", axes, row);
        let bases = segment.bases.iter().enumerate();
        bases
            .map(|(i, &base)| self.x.offset(b, &self.params, "rstride", i, base, &coords))
            .collect()
    }

    fn read_step(&self, b: &mut Builder, segment: &Segment, step: Value, lanes: u8) -> Vec<Value> {
        let s = self.shape;
        if let Some(column) = segment.column {
            let bases = self.row(b, segment, step, s.reduced_axes);
            return self.read(b, segment, &bases, column, step, lanes);
        }
        let (row, bases, column) = self.locate(b, segment, step);
        let position = match row {
            Some(row) => self.x.step(b, column, row, self.p("axis")),
            None => column,
        };
        self.read(b, segment, &bases, column, position, lanes)
    }

    /// Row (if there is more than one), leaf bases and first column of a step along the reduced axis.
    fn locate(
        &self,
        b: &mut Builder,
        segment: &Segment,
        step: Value,
    ) -> (Option<Value>, Vec<Value>, Value) {
        let s = self.shape;
        let lanes = self.x.int(b, s.lanes.into());
        let scale = |b: &mut Builder, v| if s.lanes == 1 { v } else { b.mul(v, lanes) };
        if s.reduced_axes == 1 {
            return (None, segment.bases.clone(), scale(b, step));
        }
        let (row, piece) = self.x.div_rem(b, step, self.p("segments"));
        let bases = self.row(b, segment, row, s.reduced_axes - 1);
        (Some(row), bases, scale(b, piece))
    }

    /// A step whose vector may reach past its row.
    fn ragged_step(
        &self,
        b: &mut Builder,
        segment: &Segment,
        step: Value,
        acc: &[ir::Id],
        rest: &[ir::Id],
    ) {
        let (row, bases, column) = self.locate(b, segment, step);
        let start = match row {
            Some(row) => b.mul(row, self.p("axis")),
            None => self.x.int(b, 0),
        };
        let lanes = self.x.int(b, self.shape.lanes.into());
        let end = b.add(column, lanes);
        let fits = b.bin(BinOp::Le, end, self.p("axis"));
        let one = self.x.int(b, 1);
        b.if_else(
            fits,
            |b| {
                let position = b.add(start, column);
                let value = self.read(b, segment, &bases, column, position, self.shape.lanes);
                self.accumulate(b, acc, &value);
            },
            |b| {
                b.for_(column, self.p("axis"), one, false, |b, column| {
                    let position = b.add(start, column);
                    let value = self.read(b, segment, &bases, column, position, 1);
                    self.accumulate(b, rest, &value);
                });
            },
        );
    }

    /// Reads the leaves and lifts the graph's value into an accumulator.
    pub(super) fn read(
        &self,
        b: &mut Builder,
        segment: &Segment,
        bases: &[Value],
        column: Value,
        position: Value,
        lanes: u8,
    ) -> Vec<Value> {
        let s = self.shape;
        let (word, axis) = match s.along {
            Along::Reduced => ("rstride", s.reduced_axes - 1),
            Along::Outputs => ("kstride", s.kept_axes - 1),
        };
        let strides: Vec<Option<Value>> = (0..s.walks.len())
            .map(|i| {
                let any = s.walks[i].inner == Inner::Any;
                self.params.try_get(word, i, axis).filter(|_| any)
            })
            .collect();
        let walks: Vec<Walk> = s.walks.clone();
        let leaves = self.reader.read(b, &walks, &strides, bases, column, lanes);
        if s.joins {
            let parts = leaves.values.into_iter();
            return parts.map(|v| b.splat(v, lanes)).collect();
        }
        let value = self.graph.build(b, &leaves, &self.params);
        let value = b.splat(value, lanes);
        let position = match (self.op.positions, segment.column) {
            (false, _) => position,
            (true, Some(_)) => b.splat(position, lanes),
            (true, None) => spread(b, position, Inner::One, None, lanes),
        };
        (self.op.lift)(b, value, position)
    }

    /// One accumulator from the lanes of a vector one.
    fn join_lanes(&self, b: &mut Builder, acc: &[Value], lanes: u8) -> Vec<Value> {
        let lane = |b: &mut Builder, i| acc.iter().map(|&v| b.extract(v, i)).collect();
        let values: Vec<Vec<Value>> = (0..lanes).map(|i| lane(b, i)).collect();
        tree(b, values, self.op.combine)
    }

    /// One accumulator from those of a group, through shared memory, of which item 0 makes use. A
    /// group joins once, so nothing waits until it has been read.
    fn join_group(
        &self,
        b: &mut Builder,
        acc: &[Value],
        done: impl FnOnce(&mut Builder, &[Value]),
    ) {
        let at = b.builtin(Builtin::LocalId(0));
        let put = |b: &mut Builder, acc: &[Value]| {
            for (&place, &v) in self.shared.iter().zip(acc) {
                b.store(place, at, v, true);
            }
        };
        let take = |b: &mut Builder, at: Value| -> Vec<Value> {
            self.shared
                .iter()
                .map(|&place| b.load(place, at, 1, true))
                .collect()
        };
        put(b, acc);
        let mut half = self.width / 2;
        while half > 0 {
            b.barrier(ir::Barrier::Shared);
            let active = b.u32(half);
            let inside = b.bin(BinOp::Lt, at, active);
            b.if_(inside, |b| {
                let mine = take(b, at);
                let far = b.add(at, active);
                let other = take(b, far);
                let joined = (self.op.combine)(b, &mine, &other);
                put(b, &joined);
            });
            half /= 2;
        }
        let zero = b.u32(0);
        let first = b.bin(BinOp::Eq, at, zero);
        b.if_(first, |b| {
            let joined = take(b, zero);
            done(b, &joined);
        });
    }

    pub(super) fn store(&self, b: &mut Builder, segment: &Segment, part: Value, acc: &[Value]) {
        if !self.shape.parts {
            let aligned = self.shape.whole || segment.lanes == 1;
            let results = [(self.op.output, self.op.finish)].into_iter();
            let results = results.chain(self.op.second);
            for (&place, (output, finish)) in self.outs.iter().zip(results) {
                let (count, kind) = (self.p("count"), self.kind);
                let result = finish(b, acc, Reduced { count, kind });
                let dtype = output.dtype(self.graph.dtype);
                let result = b.cast(result, dtype, CastMode::Saturate);
                b.store(place, segment.output, result, aligned);
            }
            return;
        }
        for lane in 0..segment.lanes {
            let step = self.x.int(b, lane.into());
            let output = b.add(segment.output, step);
            let at = self.x.step(b, part, output, self.p("parts"));
            for (&place, &v) in self.outs.iter().zip(acc) {
                let v = b.extract(v, lane);
                b.store(place, at, v, true);
            }
        }
    }
}

/// Joins accumulators pairwise.
fn tree(b: &mut Builder, mut values: Vec<Vec<Value>>, join: Combine) -> Vec<Value> {
    while values.len() > 1 {
        values = values
            .chunks(2)
            .map(|pair| match pair {
                [x, y] => join(b, x, y),
                _ => pair[0].clone(),
            })
            .collect();
    }
    values.pop().unwrap_or_default()
}
