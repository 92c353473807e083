//! How operands are addressed: strides and offsets as parameters, vector loads where they pay,
//! 32-bit positions unless something lies beyond their reach.

use super::graph::{Graph, Source};
use crate::table::compute_kind;
use std::collections::HashMap;
use suanzi_codegen::ir::{Access, BinOp, Builtin, CastMode, Const};
use suanzi_codegen::{Builder, Place, Scalar, Value};

/// The kind that positions are computed in, for operands given as (shape, strides, offset):
/// u32 as long as every position and every count stays below 2^31, u64 beyond.
pub fn index_width<'a>(
    operands: impl IntoIterator<Item = (&'a [usize], &'a [i64], i64)>,
) -> Scalar {
    const REACH: i64 = 1 << 31;
    let fits = operands.into_iter().all(|(shape, strides, offset)| {
        let (lo, hi) = crate::shape::extent(shape, strides);
        let count = crate::shape::checked_numel(shape).unwrap_or(usize::MAX);
        count < REACH as usize && offset + lo > -REACH && offset.saturating_add(hi) < REACH
    });
    if fits { Scalar::U32 } else { Scalar::U64 }
}

/// How an operand walks the innermost axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inner {
    /// It stays.
    Zero,
    /// Neighbours are neighbours.
    One,
    /// Neighbours are neighbours, the other way round.
    Back,
    /// By a stride that is a parameter.
    Any,
}

impl Inner {
    pub fn of(stride: i64) -> Inner {
        match stride {
            0 => Inner::Zero,
            1 => Inner::One,
            -1 => Inner::Back,
            _ => Inner::Any,
        }
    }
}

/// The structural part of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Walk {
    pub inner: Inner,
    /// Vectors of the plan's width are aligned.
    pub aligned: bool,
}

impl Walk {
    /// From the strides along all axes, the last being the vectorised one.
    pub fn of(strides: &[i64], offset: i64, lanes: u8) -> Walk {
        let (inner, outer) = strides.split_last().map_or((1, &[][..]), |(i, o)| (*i, o));
        let lanes = i64::from(lanes);
        Walk {
            inner: Inner::of(inner),
            aligned: inner == 1 && offset % lanes == 0 && outer.iter().all(|s| s % lanes == 0),
        }
    }
}

/// A scalar parameter's name: a word and two numbers, so that naming costs nothing at launch.
pub type Name = (&'static str, usize, usize);

/// The scalar parameters of a kernel in order; the same list declares and passes them.
#[derive(Default)]
pub struct Scalars(pub Vec<(Name, Const)>);

impl Scalars {
    pub fn push(&mut self, name: Name, value: Const) {
        self.0.push((name, value));
    }

    /// A position, count or stride; negative strides wrap, and so does the arithmetic on them.
    pub fn index(&mut self, name: Name, kind: Scalar, value: i64) {
        let bits = if kind == Scalar::U32 {
            u64::from(value as u32)
        } else {
            value as u64
        };
        self.push(name, Const { scalar: kind, bits });
    }

    /// Declares them all.
    pub fn declare(&self, b: &mut Builder) -> Declared {
        self.declare_as(b, "")
    }

    /// Declares them all with names that begin with a word, where a kernel has several lists.
    pub fn declare_as(&self, b: &mut Builder, prefix: &str) -> Declared {
        let declare = |(name, value): &(Name, Const)| {
            let (word, i, j) = name;
            (
                *name,
                b.scalar(&format!("{prefix}{word}{i}_{j}"), value.scalar),
            )
        };
        Declared(self.0.iter().map(declare).collect())
    }
}

/// Declared scalar parameters.
pub struct Declared(HashMap<Name, Value>);

impl Declared {
    pub fn get(&self, word: &'static str, i: usize, j: usize) -> Value {
        self.0[&(word, i, j)]
    }

    pub fn try_get(&self, word: &'static str, i: usize, j: usize) -> Option<Value> {
        self.0.get(&(word, i, j)).copied()
    }
}

/// Arithmetic on positions.
pub struct Positions {
    /// u32 or u64.
    pub kind: Scalar,
}

impl Positions {
    /// A constant.
    pub fn int(&self, b: &mut Builder, value: u64) -> Value {
        b.bits(self.kind, value)
    }

    /// `a + b · stride`
    pub fn step(&self, b: &mut Builder, a: Value, by: Value, stride: Value) -> Value {
        let moved = b.mul(by, stride);
        b.add(a, moved)
    }

    /// A work-item's identity.
    pub fn builtin(&self, b: &mut Builder, builtin: Builtin) -> Value {
        let v = b.builtin(builtin);
        b.cast(v, self.kind, CastMode::Wrap)
    }

    /// The linear number of this work-group in a grid of two axes.
    pub fn group(&self, b: &mut Builder) -> Value {
        let x = self.builtin(b, Builtin::GroupId(0));
        let y = self.builtin(b, Builtin::GroupId(1));
        let width = self.builtin(b, Builtin::NumGroups(0));
        self.step(b, x, y, width)
    }

    /// Quotient and remainder by something that is not zero.
    pub fn div_rem(&self, b: &mut Builder, a: Value, by: Value) -> (Value, Value) {
        let q = b.bin(BinOp::Div, a, by);
        let back = b.mul(q, by);
        (q, b.sub(a, back))
    }

    /// The smaller one.
    pub fn min(&self, b: &mut Builder, x: Value, y: Value) -> Value {
        b.bin(BinOp::Min, x, y)
    }

    /// Coordinates of a linear position over axes (outermost first), whose lengths are the
    /// parameters `word`; the outermost needs none.
    pub(crate) fn unravel(
        &self,
        b: &mut Builder,
        p: &Declared,
        word: &'static str,
        axes: usize,
        linear: Value,
    ) -> Vec<Value> {
        let mut coords = vec![linear; axes];
        let mut rest = linear;
        for axis in (1..axes).rev() {
            let (q, r) = self.div_rem(b, rest, p.get(word, axis, 0));
            coords[axis] = r;
            rest = q;
        }
        if axes > 0 {
            coords[0] = rest;
        }
        coords
    }

    /// `base + Σ coords · strides`, the strides being the parameters `(word, operand, axis)`.
    pub(crate) fn offset(
        &self,
        b: &mut Builder,
        p: &Declared,
        word: &'static str,
        operand: usize,
        base: Value,
        coords: &[Value],
    ) -> Value {
        coords.iter().enumerate().fold(base, |base, (axis, &c)| {
            self.step(b, base, c, p.get(word, operand, axis))
        })
    }
}

/// The leaves of a graph as a kernel reads them.
pub struct Reader {
    places: Vec<Option<Place>>,
    /// Leaves with computed coordinates, which are not read before these are known.
    computed: Vec<bool>,
}

/// Leaves read at some columns.
pub struct Read<'a> {
    /// The value of each leaf in its compute kind; of one with computed coordinates, the position
    /// of the first column without them.
    pub values: Vec<Value>,
    reader: &'a Reader,
    walks: &'a [Walk],
    strides: &'a [Option<Value>],
    lanes: u8,
}

impl Reader {
    /// Declares the input buffers. A leaf that lies in the output's memory is read through it.
    pub fn declare(b: &mut Builder, graph: &Graph, out: Option<(Place, &[bool])>) -> Reader {
        Reader::declare_as(b, "", graph, out)
    }

    /// The same with names that begin with a word, where a kernel has several graphs.
    pub fn declare_as(
        b: &mut Builder,
        prefix: &str,
        graph: &Graph,
        out: Option<(Place, &[bool])>,
    ) -> Reader {
        let places = graph
            .leaves
            .iter()
            .enumerate()
            .map(|(i, leaf)| match (&leaf.source, out) {
                (Source::Position | Source::Given, _) => None,
                (_, Some((place, shared))) if shared[i] => Some(place),
                _ => Some(b.buffer(&format!("{prefix}in{i}"), leaf.dtype, Access::Read)),
            });
        Reader {
            places: places.collect(),
            computed: graph
                .leaves
                .iter()
                .map(|l| !l.computed.is_empty())
                .collect(),
        }
    }

    /// The same leaves, some of them read from elsewhere.
    pub fn moved<'a>(&self, to: impl Iterator<Item = (&'a usize, &'a Place)>) -> Reader {
        let mut moved = Reader {
            places: self.places.clone(),
            computed: self.computed.clone(),
        };
        to.for_each(|(&leaf, &place)| moved.places[leaf] = Some(place));
        moved
    }

    /// Where a leaf is read from.
    pub fn place(&self, leaf: usize) -> Option<Place> {
        self.places[leaf]
    }

    /// Reads every leaf at `bases[leaf] + column · inner stride`, `lanes` columns wide.
    pub fn read<'a>(
        &'a self,
        b: &mut Builder,
        walks: &'a [Walk],
        strides: &'a [Option<Value>],
        bases: &[Value],
        column: Value,
        lanes: u8,
    ) -> Read<'a> {
        let leaf = |i: usize| {
            let (walk, base) = (walks[i], bases[i]);
            let at = match (walk.inner, strides[i]) {
                (Inner::Zero, _) => base,
                (Inner::Back, _) => b.sub(base, column),
                (Inner::Any, Some(stride)) => {
                    let moved = b.mul(column, stride);
                    b.add(base, moved)
                }
                _ => b.add(base, column),
            };
            match self.places[i] {
                None => spread(b, at, walk.inner, strides[i], lanes),
                Some(_) if self.computed[i] => at,
                Some(place) => load(b, place, at, walk, strides[i], lanes),
            }
        };
        Read {
            values: (0..self.places.len()).map(leaf).collect(),
            reader: self,
            walks,
            strides,
            lanes,
        }
    }
}

impl Read<'_> {
    /// The value of a leaf whose computed coordinates lie `offset` from its position.
    pub fn at(&self, b: &mut Builder, leaf: usize, offset: Value) -> Value {
        let place = self.reader.places[leaf].expect("computed coordinates are of memory");
        let (walk, stride) = (self.walks[leaf], self.strides[leaf]);
        if b.ty(offset).lanes == 1 {
            // All columns have the same coordinates, and lie as they would without.
            let at = b.add(self.values[leaf], offset);
            let walk = Walk {
                aligned: false,
                ..walk
            };
            return load(b, place, at, walk, stride, self.lanes);
        }
        let at = spread(b, self.values[leaf], walk.inner, stride, self.lanes);
        let at = b.add(at, offset);
        let parts: Vec<Value> = (0..self.lanes)
            .map(|lane| {
                let at = b.extract(at, lane);
                b.load(place, at, 1, true)
            })
            .collect();
        let value = b.compose(&parts);
        widen(b, value)
    }
}

/// `lanes` columns from `at` on, in the compute kind.
fn load(
    b: &mut Builder,
    place: Place,
    at: Value,
    walk: Walk,
    stride: Option<Value>,
    lanes: u8,
) -> Value {
    let value = match (walk.inner, stride) {
        (Inner::Zero, _) => b.load(place, at, 1, true),
        (Inner::Any, Some(stride)) => {
            let mut at = at;
            let mut parts = vec![b.load(place, at, 1, true)];
            for _ in 1..lanes {
                at = b.add(at, stride);
                parts.push(b.load(place, at, 1, true));
            }
            b.compose(&parts)
        }
        (Inner::Back, _) if lanes > 1 => {
            let first = before(b, at, lanes);
            let value = b.load(place, first, lanes, false);
            reversed(b, value, lanes)
        }
        _ => b.load(place, at, lanes, walk.aligned || lanes == 1),
    };
    widen(b, value)
}

/// Writes `lanes` columns from `column` on, of an operand whose column 0 is at `base`.
pub fn store(
    b: &mut Builder,
    place: Place,
    (base, column): (Value, Value),
    (walk, stride): (Walk, Option<Value>),
    value: Value,
    lanes: u8,
) {
    match (walk.inner, stride) {
        (Inner::Any, Some(stride)) => {
            for lane in 0..lanes {
                let lane_column = b.int(b.ty(column).scalar, lane.into());
                let at = b.add(column, lane_column);
                let at = b.mul(at, stride);
                let at = b.add(base, at);
                let value = b.extract(value, lane);
                b.store(place, at, value, true);
            }
        }
        (Inner::Back, _) => {
            let last = b.sub(base, column);
            let first = before(b, last, lanes);
            let value = reversed(b, value, lanes);
            b.store(place, first, value, lanes == 1);
        }
        _ => {
            let at = b.add(base, column);
            b.store(place, at, value, walk.aligned || lanes == 1);
        }
    }
}

/// The first of `lanes` positions of which `at` is the last.
fn before(b: &mut Builder, at: Value, lanes: u8) -> Value {
    let others = b.int(b.ty(at).scalar, i64::from(lanes) - 1);
    b.sub(at, others)
}

fn reversed(b: &mut Builder, value: Value, lanes: u8) -> Value {
    let parts: Vec<Value> = (0..lanes).rev().map(|i| b.extract(value, i)).collect();
    b.compose(&parts)
}

fn widen(b: &mut Builder, value: Value) -> Value {
    let kind = compute_kind(b.ty(value).scalar);
    b.cast(value, kind, CastMode::Saturate)
}

/// `lanes` consecutive positions.
pub fn spread(b: &mut Builder, at: Value, inner: Inner, stride: Option<Value>, lanes: u8) -> Value {
    if lanes == 1 || inner == Inner::Zero {
        return at;
    }
    let kind = b.ty(at).scalar;
    let parts: Vec<Value> = (0..lanes).map(|lane| b.int(kind, lane.into())).collect();
    let mut steps = b.compose(&parts);
    if let (Inner::Any, Some(stride)) = (inner, stride) {
        steps = b.mul(steps, stride);
    }
    if inner == Inner::Back {
        return b.sub(at, steps);
    }
    b.add(at, steps)
}
