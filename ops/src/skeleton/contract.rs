//! The contract skeleton: `out[b.., m.., n] = epilogue(Σ over k of A[b.., m.., k..] · B[b.., k.., n])`.
//!
//! Operands are expressions, so that a transposition, a cast or a mask is a way to load and no pass
//! over memory; several axes of m and k make a convolution's windows a strided view
//! of its input. The epilogue is an expression on the sums, with other tensors in it: scaling, a bias, an
//! activation, what C held before.
//!
//! Where the device has a vendor's library of matrix products and it is to be used, [`engine`] asks it
//! for plain products first. Else one kernel ([`kernel`]) is built from one struct of parameters ([`tiles`]). On a CPU, B (and A where
//! its rows do not lie well) is first packed into panels ([`pack`]).
//!
//! Sums are held in the accumulator's kind, k ascending in one chain of `fma` for each element: a device gives
//! the same bits every time, and the error is at most `k · eps / 2 · Σ|a · b|`.

mod engine;
mod kernel;
mod pack;
pub mod shipped;
mod tiles;
pub mod tuned;

use super::access::{Scalars, Walk, index_width};
use super::graph::{Graph, Node, Source};
use super::{Machine, failed};
use crate::error::{Error, Result};
use crate::expr::{Expr, same_device};
use crate::num::Num;
use crate::shape::Space;
use crate::table::compute_kind;
use crate::tensor::Tensor;
pub use pack::Packed;
use suanzi_backends::{Arg, Context};
use suanzi_codegen::Scalar;
use suanzi_codegen::hash::stable_hash;
use suanzi_codegen::ir::CastMode;
use tiles::Stage;
pub use tiles::Tiles;

/// Panels of B that make a copy of A's rows worth while.
const MANY: usize = 4;

/// Blocks of rows for which items copy their columns of B themselves, at most.
const HELD: usize = 3;

/// A contraction: what is multiplied, and what becomes of the sums.
#[derive(Clone, Copy)]
pub struct Contract<'a> {
    /// For messages and the dispatch log.
    pub op: &'static str,
    /// `[batch.., m.., k..]`
    pub a: &'a Expr,
    /// `[batch.., k.., n]`
    pub b: &'a Expr,
    /// Axes of the batch, of m and of k.
    pub axes: [usize; 3],
    /// Of the sums; they are held in its compute kind.
    pub dtype: Scalar,
    /// The result from the sums, an expression of their shape.
    pub epilogue: &'a dyn Fn(Expr) -> Result<Expr>,
    /// What has to be computed.
    pub wanted: Wanted,
    /// Where there is anything to add.
    pub reach: Reach,
    /// What keeps B as kernels read it, if B is the same in many contractions.
    pub packed: Option<&'a Packed>,
}

/// The steps along k beyond which one operand is zero, because it is triangular: A, whose rows count (axis 0), or B, whose columns do
/// (1). `parts` of k, and of the columns, are one step: 2 where they are real and imaginary ones. Steps beyond are left out where a
/// whole tile has none, else they are zeros of the operand's expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// All of k.
    All,
    /// Up to the diagonal.
    Until {
        /// Rows of A, or columns of B.
        axis: usize,
        /// Of a number.
        parts: u32,
    },
    /// From the diagonal on.
    From {
        /// As above.
        axis: usize,
        /// As above.
        parts: u32,
    },
}

/// What has to be computed of a result whose m is one axis. Of a triangle, whose columns are those of so many to a row (2
/// where real and imaginary parts are columns of their own), tiles that have nothing of it are left as they are; the
/// epilogue says what becomes of the others' elements outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// All.
    Whole,
    /// The diagonal and what is below it.
    Lower(u32),
    /// The diagonal and what is above it.
    Upper(u32),
}

/// A contraction on its device.
struct Run<'a> {
    c: &'a Contract<'a>,
    ctx: &'a Context,
    epilogue: Expr,
    out: Tensor,
    machine: Machine,
    /// Of the sums.
    kind: Scalar,
    tiles: Tiles,
    /// Lengths of m, n and k.
    lengths: [usize; 3],
}

/// Where a CPU's item reads its columns of B.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Panel {
    /// Where they lie.
    Lies,
    /// In a panel that was packed before.
    Packed,
    /// In a panel of its own, which it copies for several tiles.
    Held,
}

/// Where a CPU's item reads its rows of A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Rows {
    /// Where they lie.
    Lie,
    /// In panels that were packed before.
    Packed,
    /// In rows of its own, which it copies for several panels.
    Held,
}

/// What one launch multiplies.
struct Operands {
    a: Expr,
    b: Expr,
    rows: Rows,
    panel: Panel,
    /// The first of its column tiles.
    tile: usize,
    /// How many there are.
    count: usize,
}

/// Everything that the kernel's text depends on.
#[derive(Hash)]
struct Shape<'a> {
    skeleton: &'static str,
    nodes: [&'a [Node]; 3],
    /// Of the output and each side's leaves.
    dtypes: Vec<Scalar>,
    /// Of the output and the epilogue's leaves.
    walks: Vec<Walk>,
    /// Leaves of each side that lie in the output's memory.
    shared: [Vec<bool>; 3],
    /// Axes of the batch, of m and of k.
    axes: [usize; 3],
    rows: Rows,
    panel: Panel,
    /// Each operand's neighbours along k are neighbours: so are the items that stage it.
    along_k: [bool; 2],
    /// Neighbours along the last axis of k lie side by side.
    dense: bool,
    kind: Scalar,
    index: Scalar,
    tiles: Tiles,
    wanted: Wanted,
    reach: Reach,
}

/// One of the three operands: its graph, and how each of its leaves walks the axes.
struct Side {
    graph: Graph,
    offsets: Vec<i64>,
    batch: Vec<Vec<i64>>,
    /// m of the output and A, k of B.
    rows: Vec<Vec<i64>>,
    /// n of the output and B, k of A.
    columns: Vec<Vec<i64>>,
}

impl Side {
    /// The leaves of a graph whose axes are the batch's, then the rows', then the columns'; before
    /// them another operand's strides and offset.
    fn new(graph: Graph, batch: usize, rows: usize, first: Option<(&[i64], i64)>) -> Side {
        let leaves = graph.leaves.iter().map(|l| (&l.strides[..], l.offset));
        let all: Vec<(Vec<i64>, i64)> = first
            .into_iter()
            .chain(leaves)
            .map(|(s, o)| (s.to_vec(), o))
            .collect();
        let cut = |from: usize, to: usize| all.iter().map(|(s, _)| s[from..to].to_vec()).collect();
        let rank = graph.shape.len();
        Side {
            offsets: all.iter().map(|(_, o)| *o).collect(),
            batch: cut(0, batch),
            rows: cut(batch, batch + rows),
            columns: cut(batch + rows, rank),
            graph,
        }
    }

    fn scalars(&self, index: Scalar) -> Scalars {
        let mut p = Scalars::default();
        for i in 0..self.offsets.len() {
            p.index(("offset", i, 0), index, self.offsets[i]);
            let words = [
                ("batch", &self.batch),
                ("row", &self.rows),
                ("col", &self.columns),
            ];
            for (word, strides) in words {
                for (axis, &s) in strides[i].iter().enumerate() {
                    p.index((word, i, axis), index, s);
                }
            }
        }
        self.graph.declare(&mut p, index);
        p
    }
}

/// Merges axes that two or three sides walk as one, in place; at least one axis is left.
fn collapse(dims: &[usize], sides: Vec<&mut Vec<Vec<i64>>>) -> Vec<usize> {
    let strides = sides.iter().flat_map(|s| s.iter().cloned()).collect();
    let dims = dims.to_vec();
    let mut space = Space { dims, strides }.collapse();
    if space.dims.is_empty() {
        space.dims.push(1);
        space.strides.iter_mut().for_each(|s| s.push(0));
    }
    let mut strides = space.strides.into_iter();
    for side in sides {
        let count = side.len();
        *side = strides.by_ref().take(count).collect();
    }
    space.dims
}

/// Runs a contraction; the result is contiguous.
///
/// # Errors
/// [`Error::Shape`] where the operands' axes do not fit or the epilogue changes the shape;
/// [`Error::Device`], [`Error::Backend`].
pub fn contract(c: &Contract<'_>) -> Result<Tensor> {
    run(c, None, None)
}

/// As [`contract`], cut as these tiles say: for tuning.
///
/// # Errors
/// As [`contract`].
pub fn contract_with(c: &Contract<'_>, tiles: Tiles) -> Result<Tensor> {
    run(c, None, Some(tiles))
}

/// Runs a contraction into a tensor of the result's shape and dtype, whose elements overlap neither
/// each other nor the operands; the epilogue may read it, element for element.
///
/// # Errors
/// As [`contract`], and [`Error::Shape`], [`Error::Dtype`] where the destination does not fit.
pub fn contract_into(c: &Contract<'_>, out: &Tensor) -> Result<()> {
    run(c, Some(out), None).map(drop)
}

fn run(c: &Contract<'_>, into: Option<&Tensor>, forced: Option<Tiles>) -> Result<Tensor> {
    let [nb, nm, nk] = c.axes;
    let (a_dims, b_dims) = (c.a.shape(), c.b.shape());
    if a_dims.len() != nb + nm + nk
        || b_dims.len() != nb + nk + 1
        || a_dims[..nb] != b_dims[..nb]
        || a_dims[nb + nm..] != b_dims[nb..nb + nk]
    {
        let why =
            format!("{nb} axes of the batch, {nm} of m, {nk} of k and one of n do not fit these");
        return Err(Error::shape(c.op, [a_dims, b_dims], why));
    }
    let n = &b_dims[nb + nk..];
    let ctx = &c.a.context(c.op)?;
    same_device(c.op, ctx, &c.b.context(c.op)?)?;
    let k: usize = a_dims[nb + nm..].iter().product();
    let shape = [&a_dims[..nb + nm], n].concat();
    if crate::shape::checked_numel(&shape).is_none() {
        return Err(Error::shape(c.op, [&shape[..]], "too many elements"));
    }
    let epilogue = (c.epilogue)(Expr::given(ctx, c.dtype, &shape))?;
    same_device(c.op, ctx, &epilogue.context(c.op)?)?;
    if epilogue.shape() != shape {
        let why = "the epilogue changes the shape";
        return Err(Error::shape(c.op, [&shape[..], epilogue.shape()], why));
    }
    let out = match into {
        Some(out) => {
            epilogue.fits(out)?;
            out.clone()
        }
        None => Tensor::empty(ctx, epilogue.dtype(), &shape)?,
    };
    if out.numel() == 0 {
        return Ok(out);
    }
    if k == 0 {
        let zero = Expr::fill(ctx, c.dtype, &shape, Num::from_bits(c.dtype, 0));
        (c.epilogue)(zero)?.eval_into(&out)?;
        return Ok(out);
    }
    let (machine, kind) = (Machine::of(&out), compute_kind(c.dtype));
    let m: usize = shape[nb..nb + nm].iter().product();
    let n = shape[nb + nm];
    let whole = c.wanted == Wanted::Whole;
    if forced.is_none() && whole && engine::run(ctx, c, &epilogue, &out, [m, n, k])? {
        return Ok(out);
    }
    let mut run = Run {
        c,
        ctx,
        epilogue,
        out,
        machine,
        kind,
        tiles: forced.unwrap_or_else(|| Tiles::usual(machine, kind, m, n)),
        lengths: [m, n, k],
    };
    if forced.is_none() && ctx.tuned().any() {
        let (key, usual) = (tuned::Class::of(kind, m, n).to_string(), run.tiles);
        while let Some((tiles, text)) = Tiles::tuned(ctx, &key, m, n) {
            run.tiles = tiles;
            match run.launch_all() {
                Ok(()) => return Ok(run.out),
                // Whoever struck them meanwhile has made way for the next ones too.
                Err(Failed { begun: false, why }) => ctx.tuned().strike(&key, &text, &why),
                Err(Failed { why, .. }) => return Err(why),
            };
        }
        run.tiles = usual;
    }
    run.launch_all().map_err(|failed| failed.why)?;
    Ok(run.out)
}

/// A contraction that failed, perhaps after it began to write.
struct Failed {
    begun: bool,
    why: Error,
}

impl Run<'_> {
    fn launch_all(&self) -> std::result::Result<(), Failed> {
        let failed = |begun| move |why| Failed { begun, why };
        // Panels stay until the kernel has been recorded.
        for (i, operands) in self.operands().map_err(failed(false))?.iter().enumerate() {
            self.launch(operands).map_err(failed(i > 0))?;
        }
        Ok(())
    }

    /// The operands as the kernel wants them.
    fn operands(&self) -> Result<Vec<Operands>> {
        let [nb, nm, nk] = self.c.axes;
        let [m, n, _] = self.lengths;
        let columns = self.tiles.columns() as usize;
        let held = |x: &Expr| x.cast(self.kind, CastMode::Saturate);
        let (a, b) = (held(self.c.a), held(self.c.b));
        let all = |a, b, rows, panel| Operands {
            a,
            b,
            rows,
            panel,
            tile: 0,
            count: n.div_ceil(columns),
        };
        let Stage::Panels { .. } = self.tiles.stage else {
            return Ok(vec![all(a, b, Rows::Lie, Panel::Lies)]);
        };
        let dense = pack::lies_well(&a, nb, self.kind);
        let rows = match (nm, nk) {
            // Copied where as many panels read them as make it worth while.
            (1, 1) if dense && n >= MANY * columns => Rows::Held,
            (1, _) if !dense => Rows::Packed,
            _ => Rows::Lie,
        };
        let a = match rows {
            Rows::Packed => pack::rows(&a, nb, self.tiles.rows() as usize)?,
            _ => a.eval()?.expr(),
        };
        let pack = |b: &Expr| -> Result<Expr> { Ok(pack::columns(b, nb, columns)?.expr()) };
        if let Some(packed) = self.c.packed {
            let b = packed
                .columns(columns, || pack::columns(&b, nb, columns))?
                .expr();
            return Ok(vec![all(a, b, rows, Panel::Packed)]);
        }
        let near = match b.tensor() {
            Some(t) if nk == 1 && pack::lies_well(&b, nb, self.kind) => t,
            _ => return Ok(vec![all(a, pack(&b)?, rows, Panel::Packed)]),
        };
        let whole = n / columns;
        // Too few rows to make a copy worth while: only of columns that fill no tile.
        if m <= self.tiles.few() && whole > 0 {
            let mut parts = vec![Operands {
                count: whole,
                ..all(a.clone(), b.clone(), rows, Panel::Lies)
            }];
            if whole * columns < n {
                let rest = near.slice(-1, (whole * columns) as i64, i64::MAX, 1)?;
                parts.push(Operands {
                    tile: whole,
                    count: 1,
                    ..all(a, pack(&rest.expr())?, rows, Panel::Packed)
                });
            }
            return Ok(parts);
        }
        // Items would copy the same columns too often.
        if m > HELD * self.tiles.block(self.kind)[0] as usize * self.tiles.rows() as usize {
            return Ok(vec![all(a, pack(&b)?, rows, Panel::Packed)]);
        }
        Ok(vec![all(a, b, rows, Panel::Held)])
    }

    fn launch(&self, operands: &Operands) -> Result<()> {
        let ([nb, nm, nk], [m, n, k]) = (self.c.axes, self.lengths);
        let (out, tiles, kind) = (&self.out, self.tiles, self.kind);
        let a_packed = operands.rows == Rows::Packed;
        let b_packed = operands.panel == Panel::Packed;
        let [e, a, b] = [&self.epilogue, &operands.a, &operands.b].map(Graph::new);
        let index = {
            let own = (out.shape(), out.strides(), out.offset() as i64);
            let wide = |g: &Graph| g.index_width([own]) == Scalar::U64;
            let sizes = [m, n, k].iter().any(|&d| d >= 1 << 31);
            match tiles.stage {
                // Constant offsets are folded into addresses only where indices do not wrap before.
                Stage::Panels { .. } => Scalar::U64,
                _ if sizes || [&e, &a, &b].into_iter().any(wide) => Scalar::U64,
                _ => index_width([own]),
            }
        };
        let mut e = Side::new(e, nb, nm, Some((out.strides(), out.offset() as i64)));
        let mut a = Side::new(a, nb, if a_packed { 2 } else { nm }, None);
        // Panels of B: the panel, k as one axis, the column in the panel.
        let mut b = Side::new(b, nb, if b_packed { 1 } else { nk }, None);
        let batch_dims = collapse(
            &out.shape()[..nb],
            vec![&mut e.batch, &mut a.batch, &mut b.batch],
        );
        let m_dims = match a_packed {
            true => collapse(&out.shape()[nb..nb + nm], vec![&mut e.rows]),
            false => collapse(&out.shape()[nb..nb + nm], vec![&mut e.rows, &mut a.rows]),
        };
        let k_dims = &self.c.a.shape()[nb + nm..];
        let k_dims = match b_packed {
            true => collapse(k_dims, vec![&mut a.columns]),
            false => collapse(k_dims, vec![&mut a.columns, &mut b.rows]),
        };
        let one = |side: &[Vec<i64>]| side.iter().all(|s| matches!(s.last(), Some(0 | 1)));
        let walk = |i: usize| {
            let strides = [&e.batch[i][..], &e.rows[i], &e.columns[i]].concat();
            Walk::of(&strides, e.offsets[i], tiles.lanes)
        };
        let shared = [&e, &a, &b].map(|side| side.graph.in_memory_of(out));
        let of = |g: &'_ Graph| g.leaves.iter().map(|l| l.dtype).collect::<Vec<_>>();
        let shape = Shape {
            skeleton: "contract",
            nodes: [&e.graph.nodes, &a.graph.nodes, &b.graph.nodes],
            dtypes: [vec![out.dtype()], of(&e.graph), of(&a.graph), of(&b.graph)].concat(),
            walks: (0..e.offsets.len()).map(walk).collect(),
            shared: shared.clone(),
            axes: [batch_dims.len(), m_dims.len(), k_dims.len()],
            rows: operands.rows,
            panel: operands.panel,
            along_k: [one(&a.columns), one(&b.rows) && !one(&b.columns)],
            dense: a.columns.first().is_some_and(|s| s.last() == Some(&1)),
            kind,
            index,
            tiles,
            wanted: self.c.wanted,
            // Of k as one axis.
            reach: if k_dims.len() == 1 {
                self.c.reach
            } else {
                Reach::All
            },
        };

        let mut p = Scalars::default();
        for (i, count) in [m, n, k].into_iter().enumerate() {
            p.index(("length", i, 0), index, count as i64);
        }
        for (word, dims) in [("batch", &batch_dims), ("m", &m_dims), ("k", &k_dims)] {
            for (axis, &d) in dims.iter().enumerate() {
                p.index((word, axis, 0), index, d as i64);
            }
        }
        let tm = m.div_ceil(tiles.rows() as usize) as u64;
        let tn = operands.count as u64;
        let batches: u64 = batch_dims.iter().map(|&d| d as u64).product();
        let (tasks, cut) = match tiles.stage {
            Stage::Shared { .. } => {
                let tasks = batches * tm * tn;
                (tasks, vec![("kept", tiles.rows_kept().min(tm))])
            }
            Stage::Panels { .. } => {
                let all_alike = shape.wanted == Wanted::Whole && shape.reach == Reach::All;
                let [rows, panels] = tiles.blocks(self.machine, kind, batches, [tm, tn], all_alike);
                let (down, across) = (tm.div_ceil(rows), tn.div_ceil(panels));
                let cut = [
                    ("rows", rows),
                    ("panels", panels),
                    ("down", down),
                    ("across", across),
                    ("depth", tiles::piece(k)),
                    ("tile", operands.tile as u64),
                ];
                (batches * down * across, cut.to_vec())
            }
        };
        let words = [("tasks", tasks), ("tm", tm), ("tn", tn)];
        for (word, value) in words.into_iter().chain(cut) {
            p.index((word, 0, 0), index, value as i64);
        }
        let lists = [p, e.scalars(index), a.scalars(index), b.scalars(index)];

        let why = |x| failed(self.c.op, &self.epilogue, x);
        let program = self
            .ctx
            .program(stable_hash(&shape), &mut || {
                Ok(kernel::build(self.c.op, [&e, &a, &b], &shape, &lists)?)
            })
            .map_err(why)?;
        let mut args = vec![Arg::Buffer(out.buffer().memory())];
        for (side, shared) in [&e, &a, &b].into_iter().zip(&shared) {
            for (leaf, shared) in side.graph.leaves.iter().zip(shared) {
                if let (Source::Memory(Some(buffer)), false) = (&leaf.source, shared) {
                    args.push(Arg::Buffer(buffer.memory()));
                }
            }
        }
        let scalars = lists.iter().flat_map(|l| &l.0);
        args.extend(scalars.map(|(_, c)| Arg::Scalar(*c)));
        let grid = self.machine.grid(tasks);
        self.ctx
            .launch(self.c.op, &program, grid, &args)
            .map_err(why)
    }
}
