//! An expression flattened: leaves, scalars, and operations in order.

use super::access::{Declared, Read, Scalars, index_width};
use crate::expr::{Expr, NodeKind, Outside};
use crate::num::Num;
use crate::shape;
use crate::table::{Map, compute_kind};
use crate::tensor::Tensor;
use std::collections::HashMap;
use std::sync::Arc;
use suanzi_backends::Buffer;
use suanzi_codegen::ir::{BinOp, CastMode, Const};
use suanzi_codegen::{Builder, Scalar, Value};

/// A row's kernel expression.
type Build = fn(&mut Builder, &[Value]) -> Value;

/// A flattened expression.
pub struct Graph {
    /// What is read.
    pub leaves: Vec<Leaf>,
    /// Constants, passed as parameters.
    pub scalars: Vec<Const>,
    /// Operations; operands come before their users and the last one is the result.
    pub nodes: Vec<Node>,
    builds: Vec<Option<Build>>,
    /// Dtype of the result.
    pub dtype: Scalar,
    /// Shape of the result.
    pub shape: Vec<usize>,
}

/// Something that is read at a strided position.
pub struct Leaf {
    /// Memory, or the position itself (for `iota`).
    pub source: Source,
    pub dtype: Scalar,
    /// Strides over the shape of the result.
    pub strides: Vec<i64>,
    pub offset: i64,
    /// Axes of the memory whose coordinates are computed: (length, stride).
    pub computed: Vec<(usize, i64)>,
}

/// Where a leaf's value comes from.
pub enum Source {
    /// A buffer; `None` when a kernel is only printed.
    Memory(Option<Buffer>),
    /// The strided position.
    Position,
    /// The skeleton, which puts its own value in this leaf's place.
    Given,
}

/// An operation: everything about it that the kernel's text depends on.
#[derive(Hash)]
pub enum Node {
    Leaf(usize),
    Scalar(usize, Scalar),
    /// `scalar[start] + leaf * scalar[step]`
    Iota {
        leaf: usize,
        start: usize,
        step: usize,
        dtype: Scalar,
    },
    Map(&'static str, Vec<usize>),
    Cast(CastMode, Scalar, usize),
    /// The position itself, as an integer.
    Position(usize, Scalar),
    /// The element at computed coordinates.
    At {
        leaf: usize,
        coords: Vec<usize>,
        /// Negative coordinates count from the end.
        from_end: bool,
        /// The scalar that stands outside; `None` clamps.
        fill: Option<(usize, Scalar)>,
    },
}

impl Graph {
    /// Flattens an expression; a shared part appears once.
    pub fn new(expr: &Expr) -> Graph {
        let mut graph = Graph::empty(expr.dtype(), expr.shape().to_vec());
        graph.add(expr, &mut HashMap::new());
        graph
    }

    /// Of each leaf, whether it lies in the memory of a tensor, through which it must then be read.
    pub fn in_memory_of(&self, out: &Tensor) -> Vec<bool> {
        let memory = out.buffer().memory();
        let of = |leaf: &Leaf| match &leaf.source {
            Source::Memory(Some(buffer)) => std::ptr::eq(buffer.memory(), memory),
            _ => false,
        };
        self.leaves.iter().map(of).collect()
    }

    fn empty(dtype: Scalar, shape: Vec<usize>) -> Graph {
        Graph {
            leaves: vec![],
            scalars: vec![],
            nodes: vec![],
            builds: vec![],
            dtype,
            shape,
        }
    }

    fn add(&mut self, expr: &Expr, seen: &mut HashMap<*const (), usize>) -> usize {
        let id = Arc::as_ptr(&expr.0).cast::<()>();
        if let Some(&node) = seen.get(&id) {
            return node;
        }
        let node = match &expr.0.kind {
            NodeKind::Tensor(t) => {
                let leaf = self.leaf(Leaf {
                    source: Source::Memory(Some(t.buffer().clone())),
                    dtype: t.dtype(),
                    strides: shape::broadcast_strides(t.shape(), t.strides(), &self.shape),
                    offset: t.offset() as i64,
                    computed: vec![],
                });
                self.push(Node::Leaf(leaf), None)
            }
            NodeKind::Scalar { value, .. } => {
                let scalar = self.scalar(*value, expr.dtype());
                self.push(Node::Scalar(scalar, expr.dtype()), None)
            }
            NodeKind::Iota { start, step } => {
                let own = shape::contiguous_strides(expr.shape());
                let strides = shape::broadcast_strides(expr.shape(), &own, &self.shape);
                self.iota(*start, *step, expr.dtype(), strides)
            }
            NodeKind::Given => {
                let leaf = self.leaf(Leaf {
                    source: Source::Given,
                    dtype: expr.dtype(),
                    strides: vec![0; self.shape.len()],
                    offset: 0,
                    computed: vec![],
                });
                self.push(Node::Leaf(leaf), None)
            }
            NodeKind::Map(row, op, args) => {
                let args = args.iter().map(|a| self.add(a, seen)).collect();
                self.push(Node::Map(row.name, args), Some(op.build))
            }
            NodeKind::Cast(mode, a) => {
                let a = self.add(a, seen);
                self.push(Node::Cast(*mode, expr.dtype(), a), None)
            }
            NodeKind::Position { axis } => {
                let mut own = vec![0; expr.shape().len()];
                own[*axis] = 1;
                let leaf = self.leaf(Leaf {
                    source: Source::Position,
                    dtype: expr.dtype(),
                    strides: shape::broadcast_strides(expr.shape(), &own, &self.shape),
                    offset: 0,
                    computed: vec![],
                });
                self.push(Node::Position(leaf, expr.dtype()), None)
            }
            NodeKind::At {
                source,
                coords,
                outside,
            } => self.at(source, coords, *outside, expr.shape(), seen),
        };
        seen.insert(id, node);
        node
    }

    /// A coordinate that is an output position is a stride like any other; the rest are computed.
    fn at(
        &mut self,
        source: &Tensor,
        coords: &[Expr],
        outside: Outside,
        shape: &[usize],
        seen: &mut HashMap<*const (), usize>,
    ) -> usize {
        let mut strides = vec![0; shape.len()];
        let (mut nodes, mut computed) = (vec![], vec![]);
        for (from, coord) in coords.iter().enumerate() {
            let (length, stride) = (source.shape()[from], source.strides()[from]);
            match coord.0.kind {
                NodeKind::Position { axis } if coord.shape()[axis] <= length => {
                    let lead = shape.len() - coord.shape().len();
                    if coord.shape()[axis] > 1 {
                        strides[lead + axis] += stride;
                    }
                }
                _ => {
                    nodes.push(self.add(coord, seen));
                    computed.push((length, stride));
                }
            }
        }
        let plain = nodes.is_empty();
        let leaf = self.leaf(Leaf {
            source: Source::Memory(Some(source.buffer().clone())),
            dtype: source.dtype(),
            strides: shape::broadcast_strides(shape, &strides, &self.shape),
            offset: source.offset() as i64,
            computed,
        });
        if plain {
            return self.push(Node::Leaf(leaf), None);
        }
        let (from_end, fill) = match outside {
            Outside::Clamp => (false, None),
            Outside::EndClamp => (true, None),
            Outside::Fill(value) => (false, Some(value)),
            Outside::EndFill(value) => (true, Some(value)),
        };
        let dtype = source.dtype();
        let node = Node::At {
            leaf,
            coords: nodes,
            from_end,
            fill: fill.map(|value| (self.scalar(value, dtype), dtype)),
        };
        self.push(node, None)
    }

    fn push(&mut self, node: Node, build: Option<Build>) -> usize {
        self.nodes.push(node);
        self.builds.push(build);
        self.nodes.len() - 1
    }

    fn leaf(&mut self, leaf: Leaf) -> usize {
        self.leaves.push(leaf);
        self.leaves.len() - 1
    }

    fn scalar(&mut self, value: Num, dtype: Scalar) -> usize {
        let scalar = param_kind(dtype);
        let bits = value.to_bits(scalar);
        self.scalars.push(Const { scalar, bits });
        self.scalars.len() - 1
    }

    fn iota(&mut self, start: Num, step: Num, dtype: Scalar, strides: Vec<i64>) -> usize {
        let (start, step) = (self.scalar(start, dtype), self.scalar(step, dtype));
        let leaf = self.leaf(Leaf {
            source: Source::Position,
            dtype,
            strides,
            offset: 0,
            computed: vec![],
        });
        let node = Node::Iota {
            leaf,
            start,
            step,
            dtype,
        };
        self.push(node, None)
    }

    /// Size in bytes of the largest element that the kernel reads or writes.
    pub fn widest(&self) -> usize {
        let leaves = self.leaves.iter().map(|l| l.dtype.bytes());
        leaves.chain([self.dtype.bytes()]).max().unwrap_or(1)
    }

    /// The kind that positions need, for the leaves and further operands.
    pub fn index_width<'a>(
        &'a self,
        more: impl IntoIterator<Item = (&'a [usize], &'a [i64], i64)>,
    ) -> Scalar {
        let leaves = self.leaves.iter();
        let walked = leaves.map(|l| (&self.shape[..], &l.strides[..], l.offset));
        let mut kind = index_width(walked.chain(more));
        for leaf in self.leaves.iter().filter(|l| !l.computed.is_empty()) {
            let (lo, hi) = shape::extent(&self.shape, &leaf.strides);
            let (shape, strides): (Vec<usize>, Vec<i64>) = leaf.computed.iter().copied().unzip();
            for start in [lo, hi] {
                let reach = leaf.offset.saturating_add(start);
                if index_width([(&shape[..], &strides[..], reach)]) == Scalar::U64 {
                    kind = Scalar::U64;
                }
            }
        }
        kind
    }

    /// Passes the graph's constants, and the lengths and strides of computed axes.
    pub fn declare(&self, p: &mut Scalars, index: Scalar) {
        for (i, leaf) in self.leaves.iter().enumerate() {
            for (k, &(length, stride)) in leaf.computed.iter().enumerate() {
                p.index(("length", i, k), index, length as i64);
                p.index(("jump", i, k), index, stride);
            }
        }
        for (i, c) in self.scalars.iter().enumerate() {
            p.push(("c", i, 0), *c);
        }
    }

    /// Builds the result, in its compute kind, from the leaves' values in theirs (positions in the
    /// index kind) and the scalar parameters.
    pub fn build(&self, b: &mut Builder, read: &Read<'_>, p: &Declared) -> Value {
        let mut values: Vec<Value> = Vec::with_capacity(self.nodes.len());
        for (node, build) in self.nodes.iter().zip(&self.builds) {
            let value = match node {
                Node::Leaf(i) => read.values[*i],
                Node::Scalar(i, dtype) => from_param(b, p.get("c", *i, 0), *dtype),
                Node::Iota {
                    leaf,
                    start,
                    step,
                    dtype,
                } => {
                    let start = from_param(b, p.get("c", *start, 0), *dtype);
                    let step = from_param(b, p.get("c", *step, 0), *dtype);
                    let at = b.cast(read.values[*leaf], compute_kind(*dtype), CastMode::Wrap);
                    let moved = b.mul(step, at);
                    b.add(start, moved)
                }
                Node::Map(_, args) => {
                    let mut args: Vec<Value> = args.iter().map(|&a| values[a]).collect();
                    let lanes = args.iter().map(|&a| b.ty(a).lanes).max().unwrap_or(1);
                    for a in &mut args {
                        *a = b.splat(*a, lanes);
                    }
                    build.expect("a map node has its build function")(b, &args)
                }
                Node::Cast(mode, to, a) => convert(b, values[*a], *to, *mode),
                Node::Position(leaf, dtype) => b.cast(read.values[*leaf], *dtype, CastMode::Wrap),
                Node::At {
                    leaf,
                    coords,
                    from_end,
                    fill,
                } => {
                    let coords: Vec<Value> = coords.iter().map(|&c| values[c]).collect();
                    let guard = Guard {
                        from_end: *from_end,
                        fills: fill.is_some(),
                    };
                    let (offset, inside) = guard.offset(b, p, *leaf, &coords);
                    let value = read.at(b, *leaf, offset);
                    match (inside, fill) {
                        (Some(inside), Some((i, dtype))) => {
                            let other = from_param(b, p.get("c", *i, 0), *dtype);
                            b.select(inside, value, other)
                        }
                        _ => value,
                    }
                }
            };
            values.push(value);
        }
        values[values.len() - 1]
    }

    // Graphs without tensors, for printing kernels.

    fn printed_leaf(&mut self, dtype: Scalar) -> usize {
        let strides = shape::contiguous_strides(&self.shape);
        let leaf = self.leaf(Leaf {
            source: Source::Memory(None),
            dtype,
            strides,
            offset: 0,
            computed: vec![],
        });
        self.push(Node::Leaf(leaf), None)
    }

    pub fn of_leaf(dtype: Scalar, rows: usize, columns: usize) -> Graph {
        let mut g = Graph::empty(dtype, vec![rows, columns]);
        g.printed_leaf(dtype);
        g
    }

    pub fn of_map(name: &'static str, op: &Map, dtypes: &[Scalar], out: Scalar, n: usize) -> Graph {
        let mut g = Graph::empty(out, vec![n]);
        let args = dtypes.iter().map(|&d| g.printed_leaf(d)).collect();
        g.push(Node::Map(name, args), Some(op.build));
        g
    }

    pub fn of_cast(mode: CastMode, from: Scalar, to: Scalar, n: usize) -> Graph {
        let mut g = Graph::empty(to, vec![n]);
        let a = g.printed_leaf(from);
        g.push(Node::Cast(mode, to, a), None);
        g
    }

    pub fn of_scalars(iota: bool, dtype: Scalar, n: usize) -> Graph {
        let mut g = Graph::empty(dtype, vec![n]);
        if iota {
            g.iota(Num::Int(0), Num::Int(1), dtype, vec![1]);
        } else {
            let scalar = g.scalar(Num::Int(1), dtype);
            g.push(Node::Scalar(scalar, dtype), None);
        }
        g
    }
}

/// What happens to coordinates that are out of range.
struct Guard {
    from_end: bool,
    fills: bool,
}

impl Guard {
    /// `Σ coordinate · stride` with every coordinate made valid, and which positions were.
    fn offset(
        &self,
        b: &mut Builder,
        p: &Declared,
        leaf: usize,
        coords: &[Value],
    ) -> (Value, Option<Value>) {
        let mut found: Option<(Value, Option<Value>)> = None;
        for (k, &coord) in coords.iter().enumerate() {
            let (length, jump) = (p.get("length", leaf, k), p.get("jump", leaf, k));
            let (coord, inside) = self.coordinate(b, coord, length);
            let coord = b.cast(coord, b.ty(jump).scalar, CastMode::Wrap);
            let moved = b.mul(coord, jump);
            found = Some(match found {
                None => (moved, inside),
                Some((sum, before)) => {
                    let both = before.zip(inside);
                    let both = both.map(|(x, y)| b.bin(BinOp::And, x, y));
                    (b.add(sum, moved), both)
                }
            });
        }
        found.expect("some coordinate is computed")
    }

    fn coordinate(&self, b: &mut Builder, coord: Value, length: Value) -> (Value, Option<Value>) {
        let kind = b.ty(coord).scalar;
        let length = b.cast(length, kind, CastMode::Wrap);
        let zero = b.int(kind, 0);
        let mut coord = coord;
        if self.from_end {
            let negative = b.bin(BinOp::Lt, coord, zero);
            let moved = b.add(coord, length);
            coord = b.select(negative, moved, coord);
        }
        if !self.fills {
            let one = b.int(kind, 1);
            let last = b.sub(length, one);
            let coord = b.bin(BinOp::Min, coord, last);
            return (b.bin(BinOp::Max, coord, zero), None);
        }
        // As unsigned numbers, negative ones are beyond every length.
        let unsigned = if kind == Scalar::I64 {
            Scalar::U64
        } else {
            Scalar::U32
        };
        let (at, end) = (
            b.cast(coord, unsigned, CastMode::Wrap),
            b.cast(length, unsigned, CastMode::Wrap),
        );
        let inside = b.bin(BinOp::Lt, at, end);
        (b.select(inside, coord, zero), Some(inside))
    }
}

/// The kind that a constant is passed in: kernels take 32-bit and 64-bit scalars.
fn param_kind(dtype: Scalar) -> Scalar {
    use Scalar::*;
    match dtype {
        Bool | U8 | U16 | U32 => U32,
        I8 | I16 | I32 => I32,
        F16 | Bf16 | F32 => F32,
        I64 | U64 | F64 => dtype,
    }
}

fn from_param(b: &mut Builder, value: Value, dtype: Scalar) -> Value {
    b.cast(value, compute_kind(dtype), CastMode::Wrap)
}

/// A cast between compute kinds; into f16 and bf16 it rounds.
fn convert(b: &mut Builder, value: Value, to: Scalar, mode: CastMode) -> Value {
    let cast = b.cast(value, to, mode);
    b.cast(cast, compute_kind(to), mode)
}
