//! An expression flattened: leaves, scalars, and operations in order.

use crate::expr::{Expr, NodeKind};
use crate::num::Num;
use crate::shape;
use crate::table::{Map, compute_kind};
use std::collections::HashMap;
use std::sync::Arc;
use suanzi_backends::Buffer;
use suanzi_codegen::ir::{CastMode, Const};
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
}

/// Where a leaf's value comes from.
pub enum Source {
    /// A buffer; `None` when a kernel is only printed.
    Memory(Option<Buffer>),
    /// The strided position.
    Position,
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
}

impl Graph {
    /// Flattens an expression; a shared part appears once.
    pub fn new(expr: &Expr) -> Graph {
        let mut graph = Graph::empty(expr.dtype(), expr.shape().to_vec());
        graph.add(expr, &mut HashMap::new());
        graph
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
            NodeKind::Map(row, op, args) => {
                let args = args.iter().map(|a| self.add(a, seen)).collect();
                self.push(Node::Map(row.name, args), Some(op.build))
            }
            NodeKind::Cast(mode, a) => {
                let a = self.add(a, seen);
                self.push(Node::Cast(*mode, expr.dtype(), a), None)
            }
        };
        seen.insert(id, node);
        node
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

    /// Builds the result, in its compute kind, from the leaves' values in theirs (positions in the
    /// index kind) and the scalar parameters.
    pub fn build(&self, b: &mut Builder, leaves: &[Value], scalars: &[Value]) -> Value {
        let mut values: Vec<Value> = Vec::with_capacity(self.nodes.len());
        for (node, build) in self.nodes.iter().zip(&self.builds) {
            let value = match node {
                Node::Leaf(i) => leaves[*i],
                Node::Scalar(i, dtype) => from_param(b, scalars[*i], *dtype),
                Node::Iota {
                    leaf,
                    start,
                    step,
                    dtype,
                } => {
                    let start = from_param(b, scalars[*start], *dtype);
                    let step = from_param(b, scalars[*step], *dtype);
                    let at = b.cast(leaves[*leaf], compute_kind(*dtype), CastMode::Wrap);
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
