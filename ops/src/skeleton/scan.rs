//! The scan skeleton: `out[o, r] = finish(⊕ over s ≤ r of lift(f(in[o, s]…)))`, the running ⊕ along
//! one axis.
//!
//! A *worker* scans one part of one row (or of a block of neighbouring rows). Where rows are too few
//! to fill the device, or too long for one chain of additions, they are cut into parts: a first
//! kernel folds each part, and in the second each worker starts from the fold of the parts before
//! its own. There are three ways to walk a part ([`Way`]), chosen by shapes and caps alone, so that
//! a device gives the same bits every time.
//!
//! A reversed scan is a scan over operands whose stride along the axis is negated; the kernels know
//! nothing of it.

mod group;
mod kernel;

use super::access::{Inner, Scalars, Walk};
use super::graph::{Graph, Node, Source};
use super::{Machine, failed};
use crate::error::Result;
use crate::expr::Expr;
use crate::shape::Space;
use crate::table::compute_kind;
use crate::tensor::Tensor;
use suanzi_backends::{Arg, Buffer, DeviceKind};
use suanzi_codegen::hash::stable_hash;
use suanzi_codegen::{Builder, Scalar, Type, Value};

/// A commutative monoid over tuples of values, as in a reduction's row.
#[derive(Clone, Copy)]
pub(crate) struct Scan {
    /// Unique among scans: part of the program's key.
    pub name: &'static str,
    /// An accumulator from one element (in the compute kind) and its position along the axis.
    pub lift: fn(&mut Builder, Value, Value) -> Vec<Value>,
    /// The accumulator that changes nothing, for an element kind, lanes and index kind.
    pub identity: fn(&mut Builder, Type, Scalar) -> Vec<Value>,
    /// Joins two accumulators.
    pub combine: fn(&mut Builder, &[Value], &[Value]) -> Vec<Value>,
    /// The results from an accumulator, one for each output.
    pub finish: fn(&mut Builder, &[Value]) -> Vec<Value>,
}

/// Which elements a result covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Not the element at its own position.
    pub exclusive: bool,
    /// From the end of the axis.
    pub reverse: bool,
}

/// How a part is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    /// By a work-group, tile by tile; the items join through shared memory.
    Group,
    /// By one item, a vector along the axis at a time.
    Vectors,
    /// By one item, over rows of a block of neighbours, whose accumulators wait in private memory.
    Sweep,
}

/// Everything that the kernel's text depends on.
#[derive(Hash)]
struct Shape<'a> {
    skeleton: &'static str,
    op: &'a str,
    nodes: &'a [Node],
    /// Of the outputs, the graph, the leaves.
    dtypes: Vec<Scalar>,
    /// Of the outputs, then the leaves.
    walks: Vec<Walk>,
    outputs: usize,
    kept_axes: usize,
    index: Scalar,
    workgroup: u32,
    way: Way,
    lanes: u8,
    /// No row of the vectorised axis has a rest.
    whole: bool,
    /// Most neighbours of a sweep.
    block: u32,
    exclusive: bool,
    /// Folds the parts, and writes nothing else.
    folds: bool,
    /// Starts from the folds of the parts before.
    parts: bool,
    /// Each worker does a run of tasks.
    runs: bool,
}

/// Elements that an item of a group does in each tile.
const EACH: u32 = 4;
/// Most neighbours of a sweep on a CPU: their accumulators stay in the first-level cache.
const BLOCK: u64 = 1024;

/// Runs a scan of an expression along an axis into tensors of its shape.
pub(crate) fn scan(
    op: &Scan,
    expr: &Expr,
    axis: usize,
    span: Span,
    outs: &[&Tensor],
) -> Result<()> {
    let first = outs[0];
    if first.numel() == 0 {
        return Ok(());
    }
    let graph = Graph::new(expr);
    let mut plan = plan(op, &graph, axis, span, outs, Machine::of(first));
    let ctx = first.context();
    let kinds = accumulator(op, compute_kind(graph.dtype), plan.shape.index);
    let mut folds: Vec<Buffer> = vec![];
    if plan.parts > 1 {
        for kind in &kinds {
            let bytes = plan.rows * plan.parts * kind.bytes() as u64;
            folds.push(ctx.alloc(bytes).map_err(|e| failed(op.name, expr, e))?);
        }
        plan.shape.folds = true;
        plan.launch(op, expr, &graph, &[], &folds, outs)?;
        plan.shape.folds = false;
    }
    plan.launch(op, expr, &graph, outs, &folds, outs)
}

/// How a scan is cut for a machine.
struct Plan<'a> {
    shape: Shape<'a>,
    scalars: Scalars,
    groups: [u32; 3],
    rows: u64,
    parts: u64,
}

impl Plan<'_> {
    fn launch(
        &self,
        op: &Scan,
        expr: &Expr,
        graph: &Graph,
        outs: &[&Tensor],
        folds: &[Buffer],
        all: &[&Tensor],
    ) -> Result<()> {
        let ctx = all[0].context();
        let kinds: Vec<Scalar> = all.iter().map(|t| t.dtype()).collect();
        let program = ctx
            .program(stable_hash(&self.shape), &mut || {
                Ok(kernel::build(
                    op,
                    graph,
                    &kinds,
                    &self.shape,
                    &self.scalars,
                )?)
            })
            .map_err(|e| failed(op.name, expr, e))?;
        let leaves = graph.leaves.iter().filter_map(|leaf| match &leaf.source {
            Source::Memory(buffer) => buffer.as_ref(),
            Source::Position | Source::Given => None,
        });
        let outs = outs.iter().map(|t| t.buffer());
        let buffers = outs.chain(folds).chain(leaves);
        let mut args: Vec<Arg<'_>> = buffers.map(|b| Arg::Buffer(b.memory())).collect();
        args.extend(self.scalars.0.iter().map(|(_, c)| Arg::Scalar(*c)));
        ctx.launch(op.name, &program, self.groups, &args)
            .map_err(|e| failed(op.name, expr, e))
    }
}

/// An operand: strides over the expression's shape, and offset.
struct Operand {
    strides: Vec<i64>,
    offset: i64,
}

fn plan<'a>(
    op: &'a Scan,
    graph: &'a Graph,
    axis: usize,
    span: Span,
    outs: &[&Tensor],
    machine: Machine,
) -> Plan<'a> {
    let n = graph.shape[axis] as u64;
    let outputs = outs
        .iter()
        .map(|t| (t.strides().to_vec(), t.offset() as i64));
    let leaves = graph.leaves.iter().map(|l| (l.strides.clone(), l.offset));
    let mut operands: Vec<Operand> = outputs
        .chain(leaves)
        .map(|(strides, offset)| Operand { strides, offset })
        .collect();
    if span.reverse {
        for o in &mut operands {
            o.offset += (n as i64 - 1) * o.strides[axis];
            o.strides[axis] = -o.strides[axis];
        }
    }
    let every = operands
        .iter()
        .map(|o| (&graph.shape[..], &o.strides[..], o.offset));
    let index = graph.index_width(every);
    let kept: Vec<usize> = (0..graph.shape.len()).filter(|&a| a != axis).collect();
    let mut kept = Space {
        dims: kept.iter().map(|&a| graph.shape[a]).collect(),
        strides: operands
            .iter()
            .map(|o| kept.iter().map(|&a| o.strides[a]).collect())
            .collect(),
    }
    .collapse();
    if kept.dims.is_empty() {
        kept.dims.push(1);
        kept.strides.iter_mut().for_each(|s| s.push(0));
    }
    let rows: u64 = kept.dims.iter().map(|&d| d as u64).product();
    let inner = kept.dims[kept.dims.len() - 1] as u64;

    // Which way, and by how many lanes.
    let along = operands.iter().all(|o| matches!(o.strides[axis], 0 | 1));
    let beside = kept.strides.iter().all(|s| matches!(s.last(), Some(0 | 1)));
    let kinds = outs.iter().map(|t| t.dtype().bytes());
    let widest = kinds.chain([graph.widest()]).max().unwrap_or(1).max(1);
    let most = match machine.kind {
        DeviceKind::Cpu => (64 / widest).clamp(1, 16),
        DeviceKind::Gpu => (16 / widest).clamp(1, 4),
        DeviceKind::Interpreter => 1,
    } as u64;
    let fit = |n: u64| most.min(1 << n.max(1).ilog2()) as u8;
    let (way, lanes) = match machine.kind {
        // An item of a GPU takes one vector, and no rest.
        DeviceKind::Gpu if beside && !along && inner >= 4 => {
            (Way::Sweep, fit(1 << inner.trailing_zeros()))
        }
        _ if beside && !along && inner >= 4 => (Way::Sweep, fit(inner)),
        DeviceKind::Cpu if along => (Way::Vectors, fit(n)),
        DeviceKind::Cpu => (Way::Vectors, 1),
        _ if n > 64 => (Way::Group, 1),
        _ => (Way::Sweep, 1),
    };
    let cpu = machine.kind == DeviceKind::Cpu;
    let units = u64::from(machine.units);
    let block = match way {
        Way::Sweep if cpu => (rows / (2 * units)).clamp(256, BLOCK),
        _ => 1,
    };
    let block = block.next_multiple_of(lanes.into());
    // Neighbouring rows along the last kept axis that a worker takes together.
    let pieces = if way == Way::Sweep {
        inner.div_ceil(block)
    } else {
        inner
    };
    let tasks = rows / inner.max(1) * pieces;
    let workgroup = match (machine.kind, way) {
        (DeviceKind::Cpu, _) => 1,
        (DeviceKind::Gpu, Way::Group) => machine.workgroup(256),
        (DeviceKind::Gpu, _) => machine.workgroup(64),
        (DeviceKind::Interpreter, Way::Group) => machine.workgroup(256),
        (DeviceKind::Interpreter, _) => {
            machine.workgroup(tasks.next_power_of_two().clamp(32, 1024) as u32)
        }
    };

    // Parts: some for every unit, none too long, none too short to pay.
    let (least, longest) = match way {
        Way::Group => (4096, 1 << 20),
        Way::Vectors => (4096, 4096 * u64::from(lanes)),
        Way::Sweep => (256, 16_384),
    };
    let busy = match (machine.kind, way) {
        // The longer a block's rows, the better they are read ahead.
        (DeviceKind::Cpu, Way::Sweep) => 2 * units,
        (DeviceKind::Cpu, _) | (_, Way::Group) => 4 * units,
        _ => 4 * units * u64::from(workgroup),
    };
    let wanted = busy
        .div_ceil(tasks.max(1))
        .min(n / least)
        .max(n.div_ceil(longest))
        .clamp(1, 1024);
    let part = n.div_ceil(wanted).next_multiple_of(lanes.into());
    let parts = n.div_ceil(part);
    let run = (tasks / (4 * units)).clamp(1, 4096);
    let blocks = if cpu { tasks.div_ceil(run) } else { tasks };
    let workers = parts * blocks;
    let groups = match way {
        Way::Group => workers,
        _ => workers.div_ceil(workgroup.into()),
    };

    let mut p = Scalars::default();
    let counts = [
        ("n", n),
        ("part", part),
        ("parts", parts),
        ("tasks", tasks),
        ("blocks", blocks),
        ("run", run),
        ("inner", inner),
        ("block", block),
        ("pieces", pieces),
    ];
    for (word, value) in counts {
        p.index((word, 0, 0), index, value as i64);
    }
    let (from, step) = if span.reverse {
        (n as i64 - 1, -1)
    } else {
        (0, 1)
    };
    p.index(("from", 0, 0), index, from);
    p.index(("step", 0, 0), index, step);
    for (axis, &d) in kept.dims.iter().enumerate().skip(1) {
        p.index(("kept", axis, 0), index, d.max(1) as i64);
    }
    for (i, o) in operands.iter().enumerate() {
        p.index(("offset", i, 0), index, o.offset);
        p.index(("along", i, 0), index, o.strides[axis]);
        for (axis, &s) in kept.strides[i].iter().enumerate() {
            p.index(("kstride", i, axis), index, s);
        }
    }
    graph.declare(&mut p, index);

    let walks = operands.iter().enumerate().map(|(i, o)| {
        // The vectorised axis last, all others before it.
        let mut strides = kept.strides[i].clone();
        match way {
            Way::Sweep => strides.insert(0, o.strides[axis]),
            _ => strides.push(o.strides[axis]),
        }
        let mut walk = Walk::of(&strides, o.offset, lanes);
        walk.aligned |= lanes == 1 && walk.inner == Inner::One;
        walk
    });
    let mut dtypes: Vec<Scalar> = outs.iter().map(|t| t.dtype()).collect();
    dtypes.push(graph.dtype);
    dtypes.extend(graph.leaves.iter().map(|l| l.dtype));
    let vectorised = if way == Way::Sweep { inner } else { n };
    let shape = Shape {
        skeleton: "scan",
        op: op.name,
        nodes: &graph.nodes,
        dtypes,
        walks: walks.collect(),
        outputs: outs.len(),
        kept_axes: kept.dims.len(),
        index,
        workgroup,
        way,
        lanes,
        whole: vectorised.is_multiple_of(lanes.into()),
        block: if cpu { BLOCK as u32 } else { lanes.into() },
        exclusive: span.exclusive,
        folds: false,
        parts: parts > 1,
        runs: cpu,
    };
    Plan {
        shape,
        scalars: p,
        groups: machine.grid(groups),
        rows,
        parts,
    }
}

/// The accumulator kinds of a scan, found by building its identity once.
fn accumulator(op: &Scan, kind: Scalar, index: Scalar) -> Vec<Scalar> {
    let mut b = Builder::new("probe", [1, 1, 1]);
    let values = (op.identity)(&mut b, kind.into(), index);
    values.into_iter().map(|v| b.ty(v).scalar).collect()
}
