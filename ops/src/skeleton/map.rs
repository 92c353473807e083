//! The map skeleton: `out[i] = f(in[i]…)` over strided, broadcast operands.
//!
//! The space is collapsed, its last axis cut into segments of `lanes` columns, and each work-item
//! does one segment (GPU), or a run of them (CPU, which vectorises inside the item and would drown
//! in work-groups otherwise). Where only one axis is left, segments are whole vectors and the tail
//! is one item's scalar loop; else a row's last segment is checked (GPU), or a run is walked row by
//! row, which saves a division for each segment (CPU). Axes are walked in the order in which the
//! output lies in memory. An input that lies contiguous along another axis than the output does is
//! read by tiles on a CPU ([`tile`]).

mod tile;

use super::access::{self, Declared, Inner, Positions, Reader, Scalars, Walk};
use super::graph::{Graph, Node, Source};
use super::{Machine, failed, layers};
use crate::error::Result;
use crate::expr::Expr;
use crate::shape::Space;
use crate::table::compute_kind;
use crate::tensor::Tensor;
use suanzi_backends::{Arg, DeviceKind};
use suanzi_codegen::hash::stable_hash;
use suanzi_codegen::ir::{Access, BinOp, Builtin, CastMode};
use suanzi_codegen::{Builder, Kernel, Place, Scalar, Value, VerifyError};
use tile::Tile;

/// Elements that a CPU work-item does in a row.
const RUN: u64 = 8192;

/// Everything that the kernel's text depends on.
#[derive(Hash)]
struct Shape<'a> {
    skeleton: &'static str,
    nodes: &'a [Node],
    dtypes: Vec<Scalar>,
    /// Of the output, then the leaves.
    walks: Vec<Walk>,
    /// Leaves that lie in the output's memory.
    shared: Vec<bool>,
    axes: usize,
    index: Scalar,
    workgroup: u32,
    lanes: u8,
    runs: bool,
    /// Tiles, where some leaf lies across.
    tile: Option<Tile>,
    /// Columns that are done together in tiles at the edge.
    tail: u8,
}

/// Runs an expression as one kernel into a tensor of its shape and dtype.
pub(crate) fn map(expr: &Expr, out: &Tensor) -> Result<()> {
    if out.numel() == 0 {
        return Ok(());
    }
    if layers::elementwise(expr, out)? {
        return Ok(());
    }
    let op = expr.name();
    // Elements that are only moved are moved as bits: no conversion, and one kernel for all dtypes
    // of a size; several at once, where they stay neighbours.
    let moved = expr.bits().map(|e| (e, out.bits()));
    let moved = moved.map(|(e, out)| {
        let same = e.tensor().filter(|t| t.shape() == out.shape());
        match same.and_then(|t| Tensor::widened(t, &out)) {
            Some([t, out]) => (t.expr(), out),
            None => (e, out),
        }
    });
    let (expr, out) = moved.as_ref().map_or((expr, out), |(e, o)| (e, o));
    let graph = Graph::new(expr);
    let shared = graph.in_memory_of(out);
    let (shape, scalars, groups) = plan(
        &graph,
        out.strides(),
        out.offset() as i64,
        shared.clone(),
        Machine::of(out),
    );
    let ctx = out.context();
    let program = ctx
        .program(stable_hash(&shape), &mut || {
            Ok(build(op, &graph, &shape, &scalars)?)
        })
        .map_err(|e| failed(op, expr, e))?;
    let mut args = vec![Arg::Buffer(out.buffer().memory())];
    for (leaf, shared) in graph.leaves.iter().zip(&shared) {
        if let (Source::Memory(Some(buffer)), false) = (&leaf.source, shared) {
            args.push(Arg::Buffer(buffer.memory()));
        }
    }
    args.extend(scalars.0.iter().map(|(_, c)| Arg::Scalar(*c)));
    ctx.launch(op, &program, groups, &args)
        .map_err(|e| failed(op, expr, e))
}

/// The kernel of a graph with a contiguous result.
pub(super) fn kernel_for(
    name: &str,
    graph: Graph,
    machine: Machine,
) -> std::result::Result<Kernel, VerifyError> {
    let strides = crate::shape::contiguous_strides(&graph.shape);
    let shared = vec![false; graph.leaves.len()];
    let (shape, scalars, _) = plan(&graph, &strides, 0, shared, machine);
    build(name, &graph, &shape, &scalars)
}

/// Cuts the space for a machine: the structure, the parameters, and the grid.
fn plan<'a>(
    graph: &'a Graph,
    out_strides: &[i64],
    out_offset: i64,
    shared: Vec<bool>,
    machine: Machine,
) -> (Shape<'a>, Scalars, [u32; 3]) {
    let mut strides = vec![out_strides.to_vec()];
    strides.extend(graph.leaves.iter().map(|l| l.strides.clone()));
    let mut offsets = vec![out_offset];
    offsets.extend(graph.leaves.iter().map(|l| l.offset));
    let index = graph.index_width([(&graph.shape[..], out_strides, out_offset)]);
    let mut space = Space {
        dims: graph.shape.clone(),
        strides,
    }
    .sorted()
    .collapse();
    if space.dims.is_empty() {
        // One element: an axis of one, along which everything is contiguous.
        space.dims.push(1);
        space.strides.iter_mut().for_each(|s| s.push(1));
    }
    let tile = match machine.kind {
        DeviceKind::Cpu => tile::find(graph, &mut space),
        _ => None,
    };
    let axes = space.dims.len();
    let inner = space.dims[axes - 1] as u64;
    let linear = axes == 1;
    // Along a single axis one kernel serves every length: the one rest that there may be is done one by one.
    let fits = if linear { u64::MAX } else { inner };
    let lanes = match &tile {
        Some(tile) => tile.lanes(),
        None => lanes(machine.kind, graph.widest(), fits),
    };
    let columns = tile.as_ref().map_or(lanes, |t| t.columns);
    let segments = if linear {
        inner / u64::from(lanes)
    } else {
        inner.div_ceil(columns.into())
    };
    let tiles = tile.as_ref().map(|t| t.counts(&space.dims));
    let total = match &tiles {
        Some(counts) => counts.iter().product(),
        None => {
            space.dims[..axes - 1]
                .iter()
                .map(|&d| d as u64)
                .product::<u64>()
                * segments
        }
    };
    let runs = machine.kind == DeviceKind::Cpu;
    let workgroup = match machine.kind {
        DeviceKind::Cpu => 1,
        DeviceKind::Gpu => machine.workgroup(256),
        DeviceKind::Interpreter => machine.workgroup(1024),
    };
    // Short work is cut finer, so that every unit has some.
    let run = (total / (4 * u64::from(machine.units))).clamp(16, RUN / u64::from(lanes));
    let items = if runs { total.div_ceil(run) } else { total };

    let mut p = Scalars::default();
    let count = |x: u64| x as i64;
    p.index(("total", 0, 0), index, count(total));
    p.index(("inner", 0, 0), index, count(inner));
    if runs {
        p.index(("run", 0, 0), index, count(run));
    }
    if let (Some(tile), Some(tiles)) = (&tile, &tiles) {
        let high = space.dims[tile.row_axis(axes)];
        p.index(("high", 0, 0), index, high as i64);
        for (place, &n) in tiles.iter().enumerate().skip(1) {
            p.index(("tiles", place, 0), index, count(n));
        }
    } else if !linear {
        p.index(("segments", 0, 0), index, count(segments));
        for (axis, &d) in space.dims.iter().enumerate().take(axes - 1).skip(1) {
            p.index(("dim", axis, 0), index, d as i64);
        }
    }
    for (i, strides) in space.strides.iter().enumerate() {
        p.index(("offset", i, 0), index, offsets[i]);
        for (axis, &s) in strides.iter().enumerate() {
            // The innermost stride is a parameter only where it is neither 0 nor 1.
            if axis + 1 < axes || Inner::of(s) == Inner::Any {
                p.index(("stride", i, axis), index, s);
            }
        }
    }
    graph.declare(&mut p, index);

    let mut dtypes = vec![graph.dtype];
    dtypes.extend(graph.leaves.iter().map(|l| l.dtype));
    let walks = space.strides.iter().zip(&offsets);
    let shape = Shape {
        skeleton: "map",
        nodes: &graph.nodes,
        dtypes,
        walks: walks.map(|(s, &o)| Walk::of(s, o, lanes)).collect(),
        shared,
        axes,
        index,
        workgroup,
        lanes,
        runs,
        tail: match inner % u64::from(columns) {
            _ if tile.is_none() => 1,
            0 => lanes,
            rest => lanes.min(1 << rest.trailing_zeros()),
        },
        tile,
    };
    // Item 0 does the tail, so there is one even where no whole vector is.
    let groups = machine.grid(items.max(1).div_ceil(workgroup.into()));
    (shape, p, groups)
}

/// Columns of a segment: a CPU vector register, a GPU's widest load; the interpreter vectorises
/// over the work-group instead.
fn lanes(kind: DeviceKind, widest: usize, inner: u64) -> u8 {
    let most = match kind {
        DeviceKind::Cpu => (64 / widest).min(16),
        DeviceKind::Gpu => (16 / widest).min(4),
        DeviceKind::Interpreter => 1,
    };
    let fits = 1u64 << inner.max(1).ilog2();
    (most as u64).min(fits) as u8
}

impl Shape<'_> {
    /// Rows are done from their ends, so that what is read the other way round is read forwards:
    /// caches fetch ahead that way.
    fn backwards(&self) -> bool {
        let mut leaves = self.walks.iter().skip(1);
        leaves.any(|w| w.inner == Inner::Back)
    }
}

struct Body<'a> {
    graph: &'a Graph,
    shape: &'a Shape<'a>,
    positions: Positions,
    params: Declared,
    out: Place,
    reader: Reader,
    /// For each leaf that is read by tiles: a tile of it, its rows along the output's.
    tiles: Vec<Place>,
}

fn build(
    name: &str,
    graph: &Graph,
    shape: &Shape<'_>,
    scalars: &Scalars,
) -> std::result::Result<Kernel, VerifyError> {
    let mut b = Builder::new(format!("map_{name}"), [shape.workgroup, 1, 1]);
    let out = b.buffer("out", graph.dtype, Access::ReadWrite);
    let reader = Reader::declare(&mut b, graph, Some((out, &shape.shared)));
    let params = scalars.declare(&mut b);
    let tiles = shape.tile.iter().flat_map(|t| {
        let size = t.size();
        t.leaves.iter().map(move |&leaf| (leaf, size))
    });
    let private = |(leaf, size): (usize, u32)| {
        let dtype = graph.leaves[leaf].dtype;
        b.private(&format!("tile{leaf}"), dtype, size)
    };
    let tiles = tiles.map(private).collect();
    let body = Body {
        graph,
        shape,
        positions: Positions { kind: shape.index },
        params,
        out,
        reader,
        tiles,
    };
    body.items(&mut b);
    b.finish()
}

impl Body<'_> {
    fn items(&self, b: &mut Builder) {
        let (x, p) = (&self.positions, &self.params);
        let group = x.group(b);
        let local = x.builtin(b, Builtin::LocalId(0));
        let width = x.int(b, self.shape.workgroup.into());
        let item = x.step(b, local, group, width);
        let total = p.get("total", 0, 0);
        if self.shape.runs {
            let run = p.get("run", 0, 0);
            // The grid may have a few items too many: their runs are empty.
            let start = b.mul(item, run);
            let start = x.min(b, start, total);
            let end = b.add(start, run);
            let end = x.min(b, end, total);
            let one = x.int(b, 1);
            if let Some(tile) = &self.shape.tile {
                return b.for_(start, end, one, false, |b, task| self.tile(b, tile, task));
            }
            if self.shape.axes > 1 {
                return self.rows(b, start, end);
            }
            b.for_(start, end, one, false, |b, segment| {
                self.segment(b, segment)
            });
        } else {
            let inside = b.bin(BinOp::Lt, item, total);
            b.if_(inside, |b| self.segment(b, item));
        }
        if self.shape.axes == 1 && self.shape.lanes > 1 {
            let zero = x.int(b, 0);
            let first = b.bin(BinOp::Eq, item, zero);
            let lanes = x.int(b, self.shape.lanes.into());
            let bases = self.bases(b, &[]);
            b.if_(first, |b| {
                let start = b.mul(total, lanes);
                self.columns(b, &bases, start);
            });
        }
    }

    /// Positions of column 0 of a row, for the output and each leaf.
    fn bases(&self, b: &mut Builder, coords: &[Value]) -> Vec<Value> {
        let (x, p) = (&self.positions, &self.params);
        (0..self.shape.walks.len())
            .map(|i| x.offset(b, p, "stride", i, p.get("offset", i, 0), coords))
            .collect()
    }

    fn segment(&self, b: &mut Builder, segment: Value) {
        let (x, p) = (&self.positions, &self.params);
        let lanes = self.shape.lanes;
        let width = x.int(b, lanes.into());
        if self.shape.axes == 1 {
            let column = if lanes == 1 {
                segment
            } else {
                b.mul(segment, width)
            };
            let bases = self.bases(b, &[]);
            return self.elements(b, &bases, column, lanes);
        }
        let (row, within) = x.div_rem(b, segment, p.get("segments", 0, 0));
        let coords = x.unravel(b, p, "dim", self.shape.axes - 1, row);
        let bases = self.bases(b, &coords);
        if lanes == 1 {
            return self.elements(b, &bases, within, 1);
        }
        let column = b.mul(within, width);
        let end = b.add(column, width);
        let whole = b.bin(BinOp::Le, end, p.get("inner", 0, 0));
        b.if_else(
            whole,
            |b| self.elements(b, &bases, column, lanes),
            |b| self.columns(b, &bases, column),
        );
    }

    /// The segments `start..end`, row by row: coordinates are found once for each plane of rows.
    fn rows(&self, b: &mut Builder, start: Value, end: Value) {
        let (x, p) = (&self.positions, &self.params);
        let segments = p.get("segments", 0, 0);
        let one = x.int(b, 1);
        let lanes = x.int(b, self.shape.lanes.into());
        let whole = b.bin(BinOp::Div, p.get("inner", 0, 0), lanes);
        let first = b.bin(BinOp::Div, start, segments);
        let past = self.div_ceil(b, end, segments);
        let row = |b: &mut Builder, bases: &[Value], row: Value| {
            let base = b.mul(row, segments);
            let from = b.bin(BinOp::Max, start, base);
            let from = b.sub(from, base);
            let to = b.sub(end, base);
            let to = x.min(b, to, segments);
            let vectors = x.min(b, to, whole);
            b.for_(from, vectors, one, false, |b, within| {
                let within = match self.shape.backwards() {
                    true => {
                        let left = b.sub(vectors, within);
                        let left = b.sub(left, one);
                        b.add(from, left)
                    }
                    false => within,
                };
                let column = b.mul(within, lanes);
                self.elements(b, bases, column, self.shape.lanes);
            });
            // The row's last segment is not whole, and belongs to whoever has its end.
            let rest = b.bin(BinOp::Gt, to, whole);
            b.if_(rest, |b| {
                let start = b.mul(whole, lanes);
                self.columns(b, bases, start);
            });
        };
        if self.shape.axes == 2 {
            return b.for_(first, past, one, false, |b, at| {
                let bases = self.bases(b, &[at]);
                row(b, &bases, at);
            });
        }
        let high = p.get("dim", self.shape.axes - 2, 0);
        let (top, bottom) = (b.bin(BinOp::Div, first, high), self.div_ceil(b, past, high));
        b.for_(top, bottom, one, false, |b, plane| {
            let coords = x.unravel(b, p, "dim", self.shape.axes - 2, plane);
            let bases = self.bases(b, &coords);
            let above = b.mul(plane, high);
            let next = b.add(above, high);
            let (from, to) = (b.bin(BinOp::Max, first, above), x.min(b, past, next));
            b.for_(from, to, one, false, |b, at| {
                let within = b.sub(at, above);
                let bases = self.row_bases(b, &bases, self.shape.axes - 2, within);
                row(b, &bases, at);
            });
        });
    }

    /// Positions some steps along an axis.
    fn row_bases(&self, b: &mut Builder, bases: &[Value], axis: usize, row: Value) -> Vec<Value> {
        let (x, p) = (&self.positions, &self.params);
        let bases = bases.iter().enumerate();
        bases
            .map(|(i, &base)| x.step(b, base, row, p.get("stride", i, axis)))
            .collect()
    }

    fn div_ceil(&self, b: &mut Builder, a: Value, by: Value) -> Value {
        let one = self.positions.int(b, 1);
        let above = b.add(a, by);
        let above = b.sub(above, one);
        b.bin(BinOp::Div, above, by)
    }

    /// Columns from `start` to the end of the row, one at a time.
    fn columns(&self, b: &mut Builder, bases: &[Value], start: Value) {
        let one = self.positions.int(b, 1);
        let inner = self.params.get("inner", 0, 0);
        b.for_(start, inner, one, false, |b, column| {
            self.elements(b, bases, column, 1)
        });
    }

    fn elements(&self, b: &mut Builder, bases: &[Value], column: Value, lanes: u8) {
        let walks = &self.shape.walks;
        self.elements_of(b, &self.reader, walks, bases, column, lanes);
    }

    /// The columns from `column` on, where leaves may come from elsewhere.
    fn elements_of(
        &self,
        b: &mut Builder,
        reader: &Reader,
        walks: &[Walk],
        bases: &[Value],
        column: Value,
        lanes: u8,
    ) {
        let last = self.shape.axes - 1;
        let strides: Vec<Option<Value>> = (0..walks.len())
            .map(|i| {
                self.params
                    .try_get("stride", i, last)
                    .filter(|_| walks[i].inner == Inner::Any)
            })
            .collect();
        let leaves = reader.read(b, &walks[1..], &strides[1..], &bases[1..], column, lanes);
        let result = self.graph.build(b, &leaves, &self.params);
        debug_assert_eq!(b.ty(result).scalar, compute_kind(self.graph.dtype));
        let result = b.cast(result, self.graph.dtype, CastMode::Saturate);
        let result = b.splat(result, lanes);
        let (at, walk) = ((bases[0], column), (walks[0], strides[0]));
        access::store(b, self.out, at, walk, result, lanes);
    }
}
