//! Builds the kernels of a scan plan: the walks of a single item. Those of a work-group are in
//! [`super::group`].

use super::super::access::{self, Declared, Inner, Positions, Reader, Scalars, spread};
use super::super::graph::Graph;
use super::{Scan, Shape, Way, accumulator};
use crate::table::compute_kind;
use suanzi_codegen::ir::{self, Access, BinOp, Builtin, CastMode};
use suanzi_codegen::{Builder, Kernel, Place, Scalar, Value, VerifyError};

pub(super) fn build(
    op: &Scan,
    graph: &Graph,
    outputs: &[Scalar],
    shape: &Shape<'_>,
    scalars: &Scalars,
) -> Result<Kernel, VerifyError> {
    let stage = if shape.folds { "fold" } else { "scan" };
    let mut b = Builder::new(format!("{stage}_{}", op.name), [shape.workgroup, 1, 1]);
    let kind = compute_kind(graph.dtype);
    let kinds = accumulator(op, kind, shape.index);
    let mut outs = vec![];
    if !shape.folds {
        let declare =
            |(i, &s): (usize, &Scalar)| b.buffer(&format!("out{i}"), s, Access::ReadWrite);
        outs = outputs.iter().enumerate().map(declare).collect();
    }
    let mut folds = vec![];
    if shape.folds || shape.parts {
        let access = if shape.folds {
            Access::ReadWrite
        } else {
            Access::Read
        };
        let declare = |(i, &s): (usize, &Scalar)| b.buffer(&format!("fold{i}"), s, access);
        folds = kinds.iter().enumerate().map(declare).collect();
    }
    let reader = Reader::declare(&mut b, graph, None);
    let params = scalars.declare(&mut b);
    let x = Positions { kind: shape.index };
    let mut shared = vec![];
    if shape.way == Way::Group {
        let declare =
            |(i, &s): (usize, &Scalar)| b.shared(&format!("lane{i}"), s, 2 * shape.workgroup);
        shared = kinds.iter().enumerate().map(declare).collect();
    }
    let cells = match shape.way {
        Way::Sweep if shape.runs => {
            let declare = |(i, &s): (usize, &Scalar)| b.private(&format!("acc{i}"), s, shape.block);
            Cells::Arrays(kinds.iter().enumerate().map(declare).collect())
        }
        _ => Cells::Vars(kinds.iter().map(|s| b.var_of(s.x(shape.lanes))).collect()),
    };
    let walker = Walker {
        op,
        graph,
        shape,
        kind,
        outputs,
        params,
        reader,
        outs,
        folds,
        shared,
        cells,
        counted: kinds.len() > 1,
        x,
    };
    walker.worker(&mut b);
    b.finish()
}

/// Where accumulators wait.
enum Cells {
    /// Private arrays, by column.
    Arrays(Vec<Place>),
    /// Variables: one vector.
    Vars(Vec<ir::Id>),
}

pub(super) struct Walker<'a> {
    pub op: &'a Scan,
    graph: &'a Graph,
    pub shape: &'a Shape<'a>,
    /// Compute kind of the elements.
    kind: Scalar,
    outputs: &'a [Scalar],
    params: Declared,
    reader: Reader,
    outs: Vec<Place>,
    folds: Vec<Place>,
    pub shared: Vec<Place>,
    cells: Cells,
    /// Accumulators hold positions.
    counted: bool,
    pub x: Positions,
}

/// A part of a row: operand bases, and positions along the axis.
pub(super) struct Part {
    /// Of every operand at column 0 of the vectorised axis.
    pub bases: Vec<Value>,
    /// The row's number.
    pub row: Value,
    pub number: Value,
    pub start: Value,
    pub end: Value,
}

impl Walker<'_> {
    pub fn p(&self, word: &'static str) -> Value {
        self.params.get(word, 0, 0)
    }

    fn worker(&self, b: &mut Builder) {
        let group = self.x.group(b);
        let worker = match self.shape.way {
            Way::Group => group,
            _ => {
                let local = self.x.builtin(b, Builtin::LocalId(0));
                let width = self.x.int(b, self.shape.workgroup.into());
                self.x.step(b, local, group, width)
            }
        };
        let (part, block) = self.x.div_rem(b, worker, self.p("blocks"));
        let inside = b.bin(BinOp::Lt, part, self.p("parts"));
        b.if_(inside, |b| {
            if !self.shape.runs {
                return self.task(b, block, part);
            }
            let first = b.mul(block, self.p("run"));
            let past = b.add(first, self.p("run"));
            let past = self.x.min(b, past, self.p("tasks"));
            let one = self.x.int(b, 1);
            b.for_(first, past, one, false, |b, task| self.task(b, task, part));
        });
    }

    fn task(&self, b: &mut Builder, task: Value, number: Value) {
        let start = b.mul(number, self.p("part"));
        let end = b.add(start, self.p("part"));
        let end = self.x.min(b, end, self.p("n"));
        let axes = self.shape.kept_axes;
        let (row, piece, axes) = match self.shape.way {
            Way::Sweep => {
                let (row, piece) = self.x.div_rem(b, task, self.p("pieces"));
                (row, Some(piece), axes - 1)
            }
            _ => (task, None, axes),
        };
        let coords = self.x.unravel(b, &self.params, "kept", axes, row);
        let bases = (0..self.shape.walks.len()).map(|i| {
            let base = self.params.get("offset", i, 0);
            self.x.offset(b, &self.params, "kstride", i, base, &coords)
        });
        let part = Part {
            bases: bases.collect(),
            row,
            number,
            start,
            end,
        };
        match (self.shape.way, piece) {
            (Way::Sweep, Some(piece)) => self.sweep(b, &part, piece),
            (Way::Group, _) => self.group(b, &part),
            _ => self.vectors(b, &part),
        }
    }

    // One item along a row, a vector at a time.

    fn vectors(&self, b: &mut Builder, part: &Part) {
        let lanes = self.shape.lanes;
        let identity = self.identity(b, 1);
        let carry: Vec<ir::Id> = identity.iter().map(|&v| b.var(v)).collect();
        let (zero, one) = (self.x.int(b, 0), self.x.int(b, 1));
        if self.shape.parts && !self.shape.folds {
            let first = b.mul(part.row, self.p("parts"));
            b.for_(zero, part.number, one, false, |b, q| {
                let at = b.add(first, q);
                let before = self.fold_at(b, at);
                self.accumulate(b, &carry, &before);
            });
        }
        let many = self.x.int(b, lanes.into());
        let length = b.sub(part.end, part.start);
        let (_, rest) = self.x.div_rem(b, length, many);
        let whole = b.sub(part.end, rest);
        if self.shape.folds {
            let identity = self.identity(b, lanes);
            let wide: Vec<ir::Id> = identity.iter().map(|&v| b.var(v)).collect();
            b.for_(part.start, whole, many, false, |b, at| {
                let value = self.read(b, &part.bases, at, at, lanes);
                self.accumulate(b, &wide, &value);
            });
            for lane in 0..lanes {
                let value: Vec<Value> = wide.iter().map(|&v| b.get(v)).collect();
                let value: Vec<Value> = value.into_iter().map(|v| b.extract(v, lane)).collect();
                self.accumulate(b, &carry, &value);
            }
        } else {
            b.for_(part.start, whole, many, false, |b, at| {
                self.vector(b, part, &carry, at, lanes)
            });
        }
        if lanes > 1 && !self.shape.whole {
            b.for_(whole, part.end, one, false, |b, at| {
                if self.shape.folds {
                    let value = self.read(b, &part.bases, at, at, 1);
                    self.accumulate(b, &carry, &value);
                } else {
                    self.vector(b, part, &carry, at, 1);
                }
            });
        }
        if self.shape.folds {
            let at = self.x.step(b, part.number, part.row, self.p("parts"));
            let total: Vec<Value> = carry.iter().map(|&v| b.get(v)).collect();
            self.put_fold(b, at, &total);
        }
    }

    /// Running ⊕ inside a vector by doubling distances, and the carry joined to every lane.
    fn vector(&self, b: &mut Builder, part: &Part, carry: &[ir::Id], at: Value, lanes: u8) {
        let mut run = self.read(b, &part.bases, at, at, lanes);
        let mut distance = 1;
        while distance < lanes {
            let moved = self.shifted(b, &run, lanes, distance);
            run = (self.op.combine)(b, &moved, &run);
            distance *= 2;
        }
        let before: Vec<Value> = carry.iter().map(|&v| b.get(v)).collect();
        let wide: Vec<Value> = before.iter().map(|&v| b.splat(v, lanes)).collect();
        let result = match self.shape.exclusive {
            false => (self.op.combine)(b, &wide, &run),
            true if lanes == 1 => before.clone(),
            true => {
                let moved = self.shifted(b, &run, lanes, 1);
                (self.op.combine)(b, &wide, &moved)
            }
        };
        let last: Vec<Value> = run.iter().map(|&v| b.extract(v, lanes - 1)).collect();
        let after = (self.op.combine)(b, &before, &last);
        carry.iter().zip(after).for_each(|(&var, v)| b.set(var, v));
        self.write(b, &part.bases, at, &result, lanes);
    }

    /// Lanes moved up by a distance; identities move in.
    fn shifted(&self, b: &mut Builder, acc: &[Value], lanes: u8, distance: u8) -> Vec<Value> {
        let identity = self.identity(b, 1);
        let moved = acc.iter().zip(identity).map(|(&v, none)| {
            let lane = |i: u8| match i.checked_sub(distance) {
                Some(from) => b.extract(v, from),
                None => none,
            };
            let parts: Vec<Value> = (0..lanes).map(lane).collect();
            b.compose(&parts)
        });
        moved.collect()
    }

    // One item over a block of neighbouring rows.

    fn sweep(&self, b: &mut Builder, part: &Part, piece: Value) {
        let first = b.mul(piece, self.p("block"));
        let past = b.add(first, self.p("block"));
        let past = self.x.min(b, past, self.p("inner"));
        let width = b.sub(past, first);
        let (zero, one) = (self.x.int(b, 0), self.x.int(b, 1));
        let row = b.mul(part.row, self.p("inner"));
        // Where a column's folds are.
        let folds = |b: &mut Builder, at: Value, lane: u8| {
            let column = b.add(first, at);
            let lane = self.x.int(b, lane.into());
            let column = b.add(column, lane);
            let output = b.add(row, column);
            b.mul(output, self.p("parts"))
        };
        self.columns(b, width, |b, at, lanes| {
            let identity = self.identity(b, lanes);
            if !self.shape.parts || self.shape.folds {
                return self.put(b, at, &identity);
            }
            let acc: Vec<ir::Id> = identity.iter().map(|&v| b.var(v)).collect();
            let starts: Vec<Value> = (0..lanes).map(|lane| folds(b, at, lane)).collect();
            b.for_(zero, part.number, one, false, |b, q| {
                let before: Vec<Vec<Value>> = starts
                    .iter()
                    .map(|&s| {
                        let at = b.add(s, q);
                        self.fold_at(b, at)
                    })
                    .collect();
                let before: Vec<Value> = (0..acc.len())
                    .map(|i| {
                        let lanes: Vec<Value> = before.iter().map(|v| v[i]).collect();
                        b.compose(&lanes)
                    })
                    .collect();
                self.accumulate(b, &acc, &before);
            });
            let acc: Vec<Value> = acc.iter().map(|&v| b.get(v)).collect();
            self.put(b, at, &acc);
        });
        b.for_(part.start, part.end, one, false, |b, position| {
            let bases: Vec<Value> = (0..part.bases.len())
                .map(|i| {
                    let stride = self.params.get("along", i, 0);
                    self.x.step(b, part.bases[i], position, stride)
                })
                .collect();
            self.columns(b, width, |b, at, lanes| {
                let column = b.add(first, at);
                let value = self.read(b, &bases, column, position, lanes);
                let old = self.take(b, at, lanes);
                let new = (self.op.combine)(b, &old, &value);
                self.put(b, at, &new);
                if !self.shape.folds {
                    let result = if self.shape.exclusive { &old } else { &new };
                    self.write(b, &bases, column, result, lanes);
                }
            });
        });
        if self.shape.folds {
            self.columns(b, width, |b, at, lanes| {
                let acc = self.take(b, at, lanes);
                for lane in 0..lanes {
                    let start = folds(b, at, lane);
                    let to = b.add(start, part.number);
                    let value: Vec<Value> = acc.iter().map(|&v| b.extract(v, lane)).collect();
                    self.put_fold(b, to, &value);
                }
            });
        }
    }

    /// All columns of a block: whole vectors, then single ones. An item of a GPU has one vector.
    fn columns(&self, b: &mut Builder, width: Value, f: impl Fn(&mut Builder, Value, u8)) {
        let lanes = self.shape.lanes;
        let (zero, one) = (self.x.int(b, 0), self.x.int(b, 1));
        if matches!(self.cells, Cells::Vars(_)) {
            return f(b, zero, lanes);
        }
        let many = self.x.int(b, lanes.into());
        let (_, rest) = self.x.div_rem(b, width, many);
        let whole = b.sub(width, rest);
        b.for_(zero, whole, many, false, |b, at| f(b, at, lanes));
        if lanes > 1 && !self.shape.whole {
            b.for_(whole, width, one, false, |b, at| f(b, at, 1));
        }
    }

    fn put(&self, b: &mut Builder, at: Value, acc: &[Value]) {
        match &self.cells {
            Cells::Vars(vars) => vars.iter().zip(acc).for_each(|(&var, &v)| b.set(var, v)),
            Cells::Arrays(places) => {
                for (&place, &v) in places.iter().zip(acc) {
                    let scalar = b.ty(v).lanes == 1;
                    b.store(place, at, v, scalar);
                }
            }
        }
    }

    fn take(&self, b: &mut Builder, at: Value, lanes: u8) -> Vec<Value> {
        match &self.cells {
            Cells::Vars(vars) => vars.iter().map(|&v| b.get(v)).collect(),
            Cells::Arrays(places) => {
                let load = |&place: &Place| b.load(place, at, lanes, lanes == 1);
                places.iter().map(load).collect()
            }
        }
    }

    // What all walks share.

    pub fn identity(&self, b: &mut Builder, lanes: u8) -> Vec<Value> {
        (self.op.identity)(b, self.kind.x(lanes), self.shape.index)
    }

    pub fn accumulate(&self, b: &mut Builder, acc: &[ir::Id], value: &[Value]) {
        let old: Vec<Value> = acc.iter().map(|&v| b.get(v)).collect();
        let new = (self.op.combine)(b, &old, value);
        acc.iter().zip(new).for_each(|(&var, v)| b.set(var, v));
    }

    pub fn fold_at(&self, b: &mut Builder, at: Value) -> Vec<Value> {
        let load = |&place: &Place| b.load(place, at, 1, true);
        self.folds.iter().map(load).collect()
    }

    pub fn put_fold(&self, b: &mut Builder, at: Value, acc: &[Value]) {
        for (&place, &v) in self.folds.iter().zip(acc) {
            b.store(place, at, v, true);
        }
    }

    /// The stride of an operand along the vectorised axis, where it is a parameter.
    fn stride(&self, operand: usize) -> Option<Value> {
        if self.shape.walks[operand].inner != Inner::Any {
            return None;
        }
        match self.shape.way {
            Way::Sweep => self
                .params
                .try_get("kstride", operand, self.shape.kept_axes - 1),
            _ => self.params.try_get("along", operand, 0),
        }
    }

    /// Reads the leaves and lifts the graph's value, at a position along the axis.
    pub fn read(
        &self,
        b: &mut Builder,
        bases: &[Value],
        column: Value,
        position: Value,
        lanes: u8,
    ) -> Vec<Value> {
        let (s, outs) = (self.shape, self.shape.outputs);
        let strides: Vec<Option<Value>> = (outs..s.walks.len()).map(|i| self.stride(i)).collect();
        let walks = &s.walks[outs..];
        let leaves = self
            .reader
            .read(b, walks, &strides, &bases[outs..], column, lanes);
        let value = self.graph.build(b, &leaves, &self.params);
        let value = b.splat(value, lanes);
        if !self.counted {
            return (self.op.lift)(b, value, position);
        }
        let step = self.p("step");
        let position = self.x.step(b, self.p("from"), position, step);
        let position = match s.way {
            Way::Sweep => b.splat(position, lanes),
            _ => spread(b, position, Inner::Any, Some(step), lanes),
        };
        (self.op.lift)(b, value, position)
    }

    /// Writes the results of an accumulator.
    pub fn write(&self, b: &mut Builder, bases: &[Value], column: Value, acc: &[Value], lanes: u8) {
        let results = (self.op.finish)(b, acc);
        for (i, result) in results.into_iter().take(self.shape.outputs).enumerate() {
            let result = b.cast(result, self.outputs[i], CastMode::Saturate);
            let result = b.splat(result, lanes);
            let walk = (self.shape.walks[i], self.stride(i));
            access::store(b, self.outs[i], (bases[i], column), walk, result, lanes);
        }
    }
}
