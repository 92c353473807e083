//! The reduce skeleton: `out[o] = finish(⊕ over r of lift(f(in[o, r]…)))`.
//!
//! Axes are split into kept ones (the outputs) and reduced ones, each set collapsed on its own. A
//! *worker* folds one segment of outputs over one part of the reduced space: a work-group, whose
//! items stride over the part and join through shared memory, or a single work-item. Vectors run
//! along the reduced axis (folded into one value at the end) or along the outputs, whichever lies
//! contiguous; on a CPU, a worker sweeps over a whole block of outputs. Where outputs are too few to
//! fill the device, or the reduced space too long for one chain of additions, it is cut into parts,
//! whose accumulators a second, small kernel joins.
//!
//! Order is fixed by shapes and caps alone, so a device gives the same bits every time. In
//! [`Order::Fixed`] it is fixed by shapes alone, and all devices give the same bits: one group of 64
//! items for each block of 64 · 64 elements, and the blocks' accumulators reduced the same way.

mod kernel;
mod sweep;

use super::access::{Inner, Scalars, Walk};
use super::graph::{Graph, Leaf, Node, Source};
use super::{Machine, failed};
use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::shape::{Space, contiguous_strides};
use crate::table::{Reduce, compute_kind};
use crate::tensor::Tensor;
use suanzi_backends::{Arg, Buffer, Context, DeviceKind};
use suanzi_codegen::hash::stable_hash;
use suanzi_codegen::{Builder, Kernel, Scalar, VerifyError};

/// Where vectors run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Along {
    Reduced,
    Outputs,
}

/// Everything that the kernel's text depends on.
#[derive(Hash)]
struct Shape<'a> {
    skeleton: &'static str,
    op: &'a str,
    nodes: &'a [Node],
    dtypes: Vec<Scalar>,
    walks: Vec<Walk>,
    kept_axes: usize,
    reduced_axes: usize,
    index: Scalar,
    /// Kind of the positions that accumulators hold: the index kind of the first pass.
    position: Scalar,
    workgroup: u32,
    /// Items of the group work on one output together.
    grouped: bool,
    along: Along,
    lanes: u8,
    /// No row of the vectorised axis has a rest.
    whole: bool,
    /// Steps that are read together before they are joined, pairwise.
    unroll: u8,
    /// A worker sweeps over the rows of a whole block of outputs.
    sweeps: bool,
    /// Each worker does a run of output segments.
    runs: bool,
    /// Reads accumulators of a first pass instead of the graph.
    joins: bool,
    /// Writes accumulators for a second pass instead of results.
    parts: bool,
}

/// How a reduction is cut for a machine.
struct Plan<'a> {
    shape: Shape<'a>,
    scalars: Scalars,
    groups: [u32; 3],
    parts: u64,
}

/// Who decides the order of additions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The device, by what suits it.
    Device,
    /// Nobody: blocks of `CHAINS · CHAINS` elements, each as that many interleaved chains.
    Fixed,
}

/// Chains of a block in [`Order::Fixed`], and their length. Part of what users are promised.
const CHAINS: u32 = 64;

/// Runs a reduction of an expression into contiguous tensors, one for each result.
pub(crate) fn reduce(
    name: &'static str,
    op: &Reduce,
    expr: &Expr,
    axes: &[usize],
    outs: &[Tensor],
    order: Order,
) -> Result<()> {
    let rows = outs[0].numel();
    if rows == 0 {
        return Ok(());
    }
    let machine = Machine::of(&outs[0]);
    if order == Order::Fixed && machine.workgroup(CHAINS) != CHAINS {
        let why = format!("a fixed order needs work-groups of {CHAINS} items, which are too many");
        return Err(Error::value(name, why));
    }
    let run = Run {
        name,
        op,
        expr,
        ctx: outs[0].context(),
    };
    let mut graph = Graph::new(expr);
    let mut plan = self::plan(name, &graph, axes, machine, order, None);
    let position = plan.shape.index;
    let components = accumulator(op, compute_kind(expr.dtype()), position);
    // What `finish` divides by is the whole reduction's count.
    let count = axes.iter().map(|&a| expr.shape()[a] as i64).product();
    while plan.parts > 1 {
        // One buffer for each component of the accumulator: [outputs, parts].
        let parts = plan.parts as usize;
        let mut partial = vec![];
        for kind in &components {
            let bytes = (rows * parts * kind.bytes()) as u64;
            partial.push(run.ctx.alloc(bytes).map_err(|e| failed(name, expr, e))?);
        }
        run.launch(&plan, &graph, &partial)?;
        graph = partials(&graph, &components, rows, parts, &partial);
        plan = self::plan(name, &graph, &[1], machine, order, Some(position));
        plan.scalars.index(("count", 0, 0), plan.shape.index, count);
    }
    let results: Vec<Buffer> = outs.iter().map(|t| t.buffer().clone()).collect();
    run.launch(&plan, &graph, &results)
}

/// The first kernel of a reduction along the last axis.
pub(super) fn kernel_for(
    name: &'static str,
    op: &Reduce,
    graph: Graph,
    machine: Machine,
) -> std::result::Result<Kernel, VerifyError> {
    let plan = plan(name, &graph, &[1], machine, Order::Device, None);
    kernel::build(name, op, &graph, &plan.shape, &plan.scalars)
}

struct Run<'a> {
    name: &'static str,
    op: &'a Reduce,
    expr: &'a Expr,
    ctx: &'a Context,
}

impl Run<'_> {
    fn launch(&self, plan: &Plan<'_>, graph: &Graph, outs: &[Buffer]) -> Result<()> {
        let key = stable_hash(&plan.shape);
        let build = || kernel::build(self.name, self.op, graph, &plan.shape, &plan.scalars);
        let program = self
            .ctx
            .program(key, &mut || Ok(build()?))
            .map_err(|e| failed(self.name, self.expr, e))?;
        let leaves = graph.leaves.iter().filter_map(|leaf| match &leaf.source {
            Source::Memory(buffer) => buffer.as_ref(),
            Source::Position | Source::Given => None,
        });
        let mut args: Vec<Arg<'_>> = outs
            .iter()
            .chain(leaves)
            .map(|b| Arg::Buffer(b.memory()))
            .collect();
        args.extend(plan.scalars.0.iter().map(|(_, c)| Arg::Scalar(*c)));
        self.ctx
            .launch(self.name, &program, plan.groups, &args)
            .map_err(|e| failed(self.name, self.expr, e))
    }
}

/// The graph of a second pass: the accumulators as leaves, `[outputs, parts]`.
fn partials(
    graph: &Graph,
    components: &[Scalar],
    rows: usize,
    parts: usize,
    buffers: &[Buffer],
) -> Graph {
    let mut joined = Graph::of_leaf(graph.dtype, rows, parts);
    joined.leaves = components
        .iter()
        .enumerate()
        .map(|(i, &dtype)| Leaf {
            source: Source::Memory(Some(buffers[i].clone())),
            dtype,
            strides: contiguous_strides(&[rows, parts]),
            offset: 0,
            computed: vec![],
        })
        .collect();
    joined
}

/// Reduced elements that one worker folds in one chain, per kind of machine: bounds both idleness
/// and the error of long sums.
fn part_limits(kind: DeviceKind, grouped: bool, lanes: u64) -> (u64, u64) {
    let chain = 256 * lanes;
    match (kind, grouped) {
        (DeviceKind::Cpu, _) => (1024, 4 * chain),
        (DeviceKind::Gpu, true) => (4096, 1 << 20),
        (DeviceKind::Interpreter, true) => (8192, 1 << 18),
        (_, false) => (256, 4096),
    }
}

fn plan<'a>(
    name: &'a str,
    graph: &'a Graph,
    axes: &[usize],
    machine: Machine,
    order: Order,
    joins: Option<Scalar>,
) -> Plan<'a> {
    let fixed = order == Order::Fixed;
    let kept: Vec<usize> = (0..graph.shape.len())
        .filter(|a| !axes.contains(a))
        .collect();
    let space = |axes: &[usize]| {
        let pick = |v: &[i64]| axes.iter().map(|&a| v[a]).collect::<Vec<i64>>();
        let mut s = Space {
            dims: axes.iter().map(|&a| graph.shape[a]).collect(),
            strides: graph.leaves.iter().map(|l| pick(&l.strides)).collect(),
        }
        .collapse();
        if s.dims.is_empty() {
            // An axis of one, along which nothing moves, so that it spoils no alignment.
            s.dims.push(1);
            s.strides.iter_mut().for_each(|s| s.push(0));
        }
        s
    };
    let mut index = graph.index_width([]);
    if crate::shape::numel(&graph.shape) >= 1 << 31 {
        index = Scalar::U64;
    }
    let (kept, reduced) = (space(&kept), space(axes));
    let length = |s: &Space| s.dims.iter().map(|&d| d as u64).product::<u64>();
    let (outputs, count) = (length(&kept), length(&reduced));
    let last = |s: &Space| s.dims[s.dims.len() - 1] as u64;
    let contiguous = |s: &Space| {
        s.strides.iter().any(|s| s.last() == Some(&1))
            && s.strides.iter().all(|s| matches!(s.last(), Some(0 | 1)))
    };

    // Along which axis, by how many lanes, and by whom.
    let widest = graph.widest().max(1);
    let most = match machine.kind {
        DeviceKind::Cpu => (64 / widest).clamp(1, 16),
        DeviceKind::Gpu => (16 / widest).clamp(1, 4),
        DeviceKind::Interpreter => 1,
    } as u64;
    let fit = |n: u64| most.min(1 << n.max(1).ilog2()) as u8;
    let outer = !fixed && contiguous(&kept) && !contiguous(&reduced) && last(&kept) >= 4;
    let grouped = fixed || machine.kind != DeviceKind::Cpu && !outer && count > 64;
    let (along, lanes) = match (outer, contiguous(&reduced)) {
        (true, _) => (Along::Outputs, fit(last(&kept))),
        (_, true) if !fixed => (Along::Reduced, fit(last(&reduced))),
        _ => (Along::Reduced, 1),
    };
    let axis = if along == Along::Outputs {
        last(&kept)
    } else {
        last(&reduced)
    };
    // A CPU takes blocks of many vectors, but has some for every unit, the rows being cut too.
    let sweeps =
        machine.kind == DeviceKind::Cpu && along == Along::Outputs && axis > u64::from(lanes);
    let (least, longest) = part_limits(machine.kind, grouped, lanes.into());
    let block = match sweeps {
        true => {
            let cuts = if joins.is_some() {
                1
            } else {
                (count / least).max(1)
            };
            let fair = outputs.saturating_mul(cuts) / (4 * u64::from(machine.units));
            fair.clamp(256, (sweep::RUN / widest as u64).min(sweep::BLOCK.into()))
        }
        false => 1,
    };
    let block = block.next_multiple_of(lanes.into());
    let segments = axis.div_ceil(block);
    let workgroup = match (machine.kind, grouped) {
        _ if fixed => CHAINS,
        (DeviceKind::Cpu, _) => 1,
        (DeviceKind::Gpu, true) => machine.workgroup(256),
        (DeviceKind::Gpu, false) => machine.workgroup(64),
        (DeviceKind::Interpreter, true) => {
            machine.workgroup(count.next_power_of_two().min(1024) as u32)
        }
        (DeviceKind::Interpreter, false) => {
            machine.workgroup(outputs.next_power_of_two().clamp(32, 1024) as u32)
        }
    };

    // Output segments, and parts of the reduced space.
    let tasks = match along {
        Along::Outputs => outputs / axis.max(1) * segments,
        Along::Reduced => outputs,
    };
    let busy = u64::from(machine.units)
        * match (machine.kind, grouped) {
            (DeviceKind::Cpu, _) => 4,
            (DeviceKind::Gpu, true) => 4,
            (DeviceKind::Interpreter, true) => 1,
            (_, false) => 4 * u64::from(workgroup),
        };
    let wanted = busy
        .div_ceil(tasks.max(1))
        .min(count / least)
        .max(count.div_ceil(longest));
    let block_of_chains = u64::from(CHAINS * CHAINS);
    let parts = match joins {
        _ if fixed => count.div_ceil(block_of_chains).max(1),
        // Joining is not cut again: a part's accumulators are few.
        Some(_) => 1,
        None => wanted.max(1),
    };
    // Reduced positions are handed out in steps: vectors along the last axis, or single ones.
    let (rows, columns) = match along {
        Along::Reduced => (count / axis.max(1), segments),
        Along::Outputs => (count, 1),
    };
    let whole = axis % u64::from(lanes) == 0;
    // With a single row the rest is a separate loop, so only whole vectors are steps.
    let columns = match (along, rows) {
        (Along::Reduced, 0 | 1) => axis / u64::from(lanes),
        _ => columns,
    };
    let steps = rows.max(u64::from(count > 0)) * columns;
    let part = match order {
        Order::Fixed => block_of_chains,
        Order::Device => steps.div_ceil(parts).max(1),
    };
    let runs = machine.kind == DeviceKind::Cpu && !fixed;
    let run = (tasks / (4 * u64::from(machine.units))).clamp(1, 4096);
    let blocks = if runs { tasks.div_ceil(run) } else { tasks };
    let workers = parts * blocks;
    let groups = if grouped {
        workers
    } else {
        workers.div_ceil(workgroup.into())
    };

    let mut p = Scalars::default();
    p.index(("tasks", 0, 0), index, tasks as i64);
    p.index(("parts", 0, 0), index, parts as i64);
    p.index(("part", 0, 0), index, part as i64);
    p.index(("steps", 0, 0), index, steps as i64);
    p.index(("axis", 0, 0), index, axis as i64);
    p.index(("segments", 0, 0), index, columns.max(1) as i64);
    p.index(("pieces", 0, 0), index, segments.max(1) as i64);
    p.index(("blocks", 0, 0), index, blocks.max(1) as i64);
    if runs {
        p.index(("run", 0, 0), index, run as i64);
    }
    if sweeps {
        p.index(("block", 0, 0), index, block as i64);
    }
    for (word, space) in [("kept", &kept), ("red", &reduced)] {
        for (axis, &d) in space.dims.iter().enumerate().skip(1) {
            p.index((word, axis, 0), index, d.max(1) as i64);
        }
    }
    for (i, leaf) in graph.leaves.iter().enumerate() {
        p.index(("offset", i, 0), index, leaf.offset);
        for (axis, &s) in kept.strides[i].iter().enumerate() {
            p.index(("kstride", i, axis), index, s);
        }
        for (axis, &s) in reduced.strides[i].iter().enumerate() {
            p.index(("rstride", i, axis), index, s);
        }
    }
    graph.declare(&mut p, index);
    if joins.is_none() {
        p.index(("count", 0, 0), index, count as i64);
    }

    let walks = graph.leaves.iter().enumerate().map(|(i, leaf)| {
        // The vectorised axis last, all others before it.
        let (k, r) = (&kept.strides[i], &reduced.strides[i]);
        let strides: Vec<i64> = match along {
            Along::Reduced => k.iter().chain(r).copied().collect(),
            Along::Outputs => r.iter().chain(k).copied().collect(),
        };
        let mut walk = Walk::of(&strides, leaf.offset, lanes);
        if lanes == 1 && walk.inner == Inner::One {
            walk.aligned = true;
        }
        walk
    });
    let shape = Shape {
        skeleton: "reduce",
        op: name,
        nodes: &graph.nodes,
        dtypes: [graph.dtype]
            .into_iter()
            .chain(graph.leaves.iter().map(|l| l.dtype))
            .collect(),
        walks: walks.collect(),
        kept_axes: kept.dims.len(),
        reduced_axes: reduced.dims.len(),
        index,
        position: joins.unwrap_or(index),
        workgroup,
        grouped,
        along,
        lanes,
        whole,
        sweeps,
        // Rows with a rest are read one step at a time.
        unroll: match machine.kind {
            _ if fixed => 1,
            DeviceKind::Interpreter => 1,
            _ if along == Along::Reduced && lanes > 1 && !whole && reduced.dims.len() > 1 => 1,
            // Rows that are joined in registers spare their accumulators a visit each.
            _ if sweeps => 8,
            _ => 4,
        },
        runs,
        joins: joins.is_some(),
        parts: parts > 1,
    };
    Plan {
        shape,
        scalars: p,
        groups: machine.grid(groups),
        parts,
    }
}

/// The accumulator kinds of a reduction, found by building its identity once.
fn accumulator(op: &Reduce, kind: Scalar, index: Scalar) -> Vec<Scalar> {
    let mut b = Builder::new("probe", [1, 1, 1]);
    let values = (op.identity)(&mut b, kind.into(), index);
    values.into_iter().map(|v| b.ty(v).scalar).collect()
}
