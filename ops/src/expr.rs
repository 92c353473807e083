//! Lazy expressions: what fusion is.
//!
//! A chain of map operators, casts and constants over tensors is one expression, and evaluating it
//! is one kernel: a map that ends in a store, or a reduction whose input is the expression. A
//! reduction's result is a tensor, so an expression goes on behind it as a new kernel.
//!
//! Inside an expression f16 and bf16 values are held in f32 and rounded once, when stored; an
//! explicit cast rounds where it stands.

use crate::error::{Error, Result};
use crate::num::Num;
use crate::shape;
use crate::skeleton;
use crate::table::{self, Kind};
use crate::tensor::{Tensor, bits_of};
use std::sync::Arc;
use suanzi_backends::Context;
use suanzi_codegen::Scalar;
use suanzi_codegen::ir::CastMode;

/// A lazy expression. Cloning shares it; a shared part is computed once per kernel.
#[derive(Clone)]
pub struct Expr(pub(crate) Arc<Node>);

/// How a reduction is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reduction {
    /// Leaves the reduced axes with length 1.
    pub keepdims: bool,
    /// One fixed order of additions, whatever the device and its tile parameters, so that all
    /// devices give the same bits: blocks of 4096 elements, in each 64 interleaved chains joined by
    /// halving, and the blocks' results the same way again. Slower than the order that suits the
    /// device.
    pub reproducible: bool,
}

/// A node of an expression.
pub(crate) struct Node {
    pub kind: NodeKind,
    pub dtype: Scalar,
    pub shape: Vec<usize>,
    /// The device, once a tensor or an explicit context has named it.
    pub ctx: Option<Context>,
}

/// What a node computes.
pub(crate) enum NodeKind {
    /// A tensor's elements.
    Tensor(Tensor),
    /// One value everywhere. A weak one takes the dtype of what it meets.
    Scalar { value: Num, weak: bool },
    /// `start + i * step` at linear position i.
    Iota { start: Num, step: Num },
    /// A row of the table.
    Map(&'static table::Row, table::Map, Vec<Expr>),
    /// A conversion.
    Cast(CastMode, Expr),
    /// The coordinate along an axis.
    Position { axis: usize },
    /// What a skeleton has computed: only inside its epilogue.
    Given,
    /// A tensor's elements at coordinates, one expression for each axis.
    At {
        source: Tensor,
        coords: Vec<Expr>,
        outside: Outside,
    },
}

/// What [`Expr::at`] reads where a coordinate is out of range. Memory beyond the tensor is never
/// touched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outside {
    /// The nearest element.
    Clamp,
    /// This value.
    Fill(Num),
    /// As `Clamp`, after negative coordinates have been counted from the end.
    EndClamp,
    /// As `Fill`, after negative coordinates have been counted from the end.
    EndFill(Num),
}

impl Expr {
    fn new(kind: NodeKind, dtype: Scalar, shape: Vec<usize>, ctx: Option<Context>) -> Expr {
        Expr(Arc::new(Node {
            kind,
            dtype,
            shape,
            ctx,
        }))
    }

    /// The dtype of the result.
    pub fn dtype(&self) -> Scalar {
        self.0.dtype
    }

    /// The shape of the result.
    pub fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// One value of a dtype, of shape `[]`; it broadcasts to anything.
    pub fn scalar(dtype: Scalar, value: Num) -> Expr {
        let value = value.round(dtype);
        let kind = NodeKind::Scalar { value, weak: false };
        Expr::new(kind, dtype, vec![], None)
    }

    /// A tensor of one value.
    pub fn fill(ctx: &Context, dtype: Scalar, shape: &[usize], value: Num) -> Expr {
        let value = value.round(dtype);
        let kind = NodeKind::Scalar { value, weak: false };
        Expr::new(kind, dtype, shape.to_vec(), Some(ctx.clone()))
    }

    /// `start + i * step` at row-major position i. Integers wrap; floats are computed as
    /// `start + (i * step)` in f32 (f64 for f64), each rounded.
    ///
    /// # Errors
    /// [`Error::Dtype`] for bool.
    pub fn iota(
        ctx: &Context,
        dtype: Scalar,
        shape: &[usize],
        start: Num,
        step: Num,
    ) -> Result<Expr> {
        if dtype == Scalar::Bool {
            return Err(Error::dtype("iota", [dtype], "bool does not count"));
        }
        let (start, step) = (start.round(dtype), step.round(dtype));
        let kind = NodeKind::Iota { start, step };
        Ok(Expr::new(kind, dtype, shape.to_vec(), Some(ctx.clone())))
    }

    /// The coordinate along an axis of a shape: i32, or i64 where the axis is longer than i32
    /// counts.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Shape`] where there are too many elements.
    pub fn position(ctx: &Context, shape: &[usize], axis: i64) -> Result<Expr> {
        let axis = shape::normalise_axis("position", axis, shape)?;
        if shape::checked_numel(shape).is_none() {
            return Err(Error::shape("position", [shape], "too many elements"));
        }
        let kind = NodeKind::Position { axis };
        let dtype = counting(shape[axis], Scalar::I32);
        Ok(Expr::new(kind, dtype, shape.to_vec(), Some(ctx.clone())))
    }

    /// The value that a skeleton hands to its epilogue, held in the dtype's compute kind.
    pub(crate) fn given(ctx: &Context, dtype: Scalar, shape: &[usize]) -> Expr {
        Expr::new(NodeKind::Given, dtype, shape.to_vec(), Some(ctx.clone()))
    }

    /// The element of a tensor at computed coordinates: one integer expression for each of its
    /// axes, which broadcast against each other to the result's shape. A coordinate that is an
    /// [`Expr::position`] within the axis costs nothing.
    ///
    /// # Errors
    /// [`Error::Shape`] where the number of coordinates is not that of the axes, where they do not
    /// broadcast, or where there is no element to clamp to; [`Error::Dtype`] where one is no
    /// integer; [`Error::Device`] where they are on another device.
    pub fn at(source: &Tensor, coords: &[Expr], outside: Outside) -> Result<Expr> {
        let name = "at";
        let shapes = || std::iter::once(source.shape()).chain(coords.iter().map(Expr::shape));
        if coords.len() != source.shape().len() {
            let why = format!(
                "{} coordinates were given, one for each axis is needed",
                coords.len()
            );
            return Err(Error::shape(name, shapes(), why));
        }
        if let Some(c) = coords.iter().find(|c| !c.dtype().is_int()) {
            let why = "coordinates are integers; cast them";
            return Err(Error::dtype(name, [source.dtype(), c.dtype()], why));
        }
        let shape = shape::broadcast(name, coords.iter().map(Expr::shape))?;
        if shape::checked_numel(&shape).is_none() {
            return Err(Error::shape(name, shapes(), "too many elements"));
        }
        let mut ctx = common_context(name, coords)?;
        match &ctx {
            Some(ctx) => same_device(name, ctx, source.context())?,
            None => ctx = Some(source.context().clone()),
        }
        if source.numel() == 0 {
            // Nothing can be read, so nothing is.
            return match outside {
                Outside::Fill(value) | Outside::EndFill(value) => {
                    Ok(Expr::fill(source.context(), source.dtype(), &shape, value))
                }
                _ if shape.contains(&0) => Ok(Expr::fill(
                    source.context(),
                    source.dtype(),
                    &shape,
                    Num::Int(0),
                )),
                _ => Err(Error::shape(
                    name,
                    shapes(),
                    "the tensor has no elements to read",
                )),
            };
        }
        let coord = |(c, &length): (&Expr, &usize)| {
            let least = match c.dtype() {
                Scalar::I64 | Scalar::U64 | Scalar::U32 => Scalar::I64,
                _ => Scalar::I32,
            };
            let small = c.strengthen(Scalar::I32);
            let least = if small.dtype() == Scalar::I32 {
                Scalar::I32
            } else {
                least
            };
            small.cast(counting(length, least), CastMode::Saturate)
        };
        let kind = NodeKind::At {
            source: source.clone(),
            coords: coords.iter().zip(source.shape()).map(coord).collect(),
            outside,
        };
        Ok(Expr::new(kind, source.dtype(), shape, ctx))
    }

    /// The tensor that it is, if nothing is done to it.
    pub(crate) fn tensor(&self) -> Option<&Tensor> {
        match &self.0.kind {
            NodeKind::Tensor(t) => Some(t),
            _ => None,
        }
    }

    /// The tensor that it is, if nothing is done to it but a conversion.
    pub(crate) fn converted(&self) -> Option<&Tensor> {
        match &self.0.kind {
            NodeKind::Cast(_, of) => of.tensor(),
            _ => self.tensor(),
        }
    }

    /// The expression on the bits of its elements, if it only moves them.
    pub(crate) fn bits(&self) -> Option<Expr> {
        let node = &self.0;
        let kind = match &node.kind {
            NodeKind::Tensor(t) => NodeKind::Tensor(t.bits()),
            NodeKind::Scalar { value, .. } => NodeKind::Scalar {
                value: Num::Int(value.to_bits(node.dtype).into()),
                weak: false,
            },
            NodeKind::At {
                source,
                coords,
                outside,
            } => NodeKind::At {
                source: source.bits(),
                coords: coords.clone(),
                outside: outside.bits(source.dtype()),
            },
            NodeKind::Map(row, _, args) if row.name == "copy" => return args[0].bits(),
            NodeKind::Map(row, op, args) if row.name == "where" => {
                let moved = vec![args[0].clone(), args[1].bits()?, args[2].bits()?];
                NodeKind::Map(row, *op, moved)
            }
            _ => return None,
        };
        let (shape, ctx) = (node.shape.clone(), node.ctx.clone());
        Some(Expr::new(kind, bits_of(node.dtype), shape, ctx))
    }

    /// A map operator of the table, by name.
    ///
    /// # Errors
    /// [`Error::UnknownOp`], or as the operator's function in [`crate::ops`].
    pub fn map(name: &str, inputs: &[Expr]) -> Result<Expr> {
        Expr::apply(table::row(name)?, inputs)
    }

    /// A map operator by its row.
    pub(crate) fn apply(row: &'static table::Row, inputs: &[Expr]) -> Result<Expr> {
        let name = row.name;
        let Kind::Map(op) = row.kind else {
            return Err(Error::UnknownOp {
                name: name.to_string(),
                hint: "it is no map operator; use its own function".into(),
            });
        };
        if inputs.len() != op.inputs.count() {
            let why = format!("it takes {} inputs", op.inputs.count());
            return Err(Error::shape(name, inputs.iter().map(Expr::shape), why));
        }
        let all = || inputs.iter().map(Expr::dtype);
        // The dtype is that of the first data input that is not a weak scalar.
        let data = |i: usize| op.inputs.dtype(i, Scalar::F32) == Scalar::F32;
        let strong = (0..inputs.len()).filter(|&i| data(i));
        let dtype = strong
            .clone()
            .find(|&i| !inputs[i].is_weak())
            .or(strong.clone().next())
            .map_or(Scalar::F32, |i| inputs[i].dtype());
        if !row.dtypes.contains(&dtype) {
            let takes: Vec<&str> = row.dtypes.iter().map(|d| d.name()).collect();
            let why = format!("it takes {}; cast first", takes.join(" "));
            return Err(Error::dtype(name, all(), why));
        }
        let mut args = Vec::with_capacity(inputs.len());
        for (i, input) in inputs.iter().enumerate() {
            let want = op.inputs.dtype(i, dtype);
            args.push(input.strengthen(want));
            if args[i].dtype() != want {
                let why = format!("input {i} must be {want}; cast it");
                return Err(Error::dtype(name, all(), why));
            }
        }
        let shape = shape::broadcast(name, args.iter().map(Expr::shape))?;
        if shape::checked_numel(&shape).is_none() {
            return Err(Error::shape(
                name,
                args.iter().map(Expr::shape),
                "too many elements",
            ));
        }
        let ctx = common_context(name, &args)?;
        let output = op.output.dtype(dtype);
        Ok(Expr::new(NodeKind::Map(row, op, args), output, shape, ctx))
    }

    /// The expression converted to a dtype. To its own dtype, that rounds what is held in f32.
    pub fn cast(&self, to: Scalar, mode: CastMode) -> Expr {
        let held = matches!(
            self.0.kind,
            NodeKind::Map(..) | NodeKind::Iota { .. } | NodeKind::Given
        ) && table::compute_kind(to) != to;
        if self.dtype() == to && !self.is_weak() && !held {
            return self.clone();
        }
        let kind = NodeKind::Cast(mode, self.clone());
        Expr::new(kind, to, self.0.shape.clone(), self.0.ctx.clone())
    }

    /// A reduction of the table, by name, over a set of axes (negative ones count from the end;
    /// no axis at all means every axis). It runs now, as one kernel with the expression inside.
    ///
    /// # Errors
    /// [`Error::UnknownOp`], or as the operator's function in [`crate::ops`].
    pub fn reduce(&self, name: &str, axes: &[i64], keepdims: bool) -> Result<Tensor> {
        let options = Reduction {
            keepdims,
            ..Reduction::default()
        };
        self.reduce_with(name, axes, options)
    }

    /// As [`Expr::reduce`], with options.
    ///
    /// # Errors
    /// As [`Expr::reduce`].
    pub fn reduce_with(&self, name: &str, axes: &[i64], options: Reduction) -> Result<Tensor> {
        let row = table::row(name)?;
        let Kind::Reduce(op) = row.kind else {
            return Err(Error::UnknownOp {
                name: name.to_string(),
                hint: "it is no reduction; use its own function".into(),
            });
        };
        let mut results = self.reduce_row(row, &op, axes, options)?;
        Ok(results.remove(0))
    }

    /// The results of a reduction that belongs to a row.
    pub(crate) fn reduce_row(
        &self,
        row: &'static table::Row,
        op: &table::Reduce,
        axes: &[i64],
        options: Reduction,
    ) -> Result<Vec<Tensor>> {
        let name = row.name;
        if !row.dtypes.contains(&self.dtype()) {
            let takes: Vec<&str> = row.dtypes.iter().map(|d| d.name()).collect();
            let why = format!("it takes {}; cast first", takes.join(" "));
            return Err(Error::dtype(name, [self.dtype()], why));
        }
        let axes = match axes {
            [] => (0..self.shape().len()).collect(),
            _ => shape::normalise_axes(name, axes, self.shape())?,
        };
        let ctx = self.context(name)?;
        let empty = axes.iter().any(|&a| self.shape()[a] == 0);
        let kept: Vec<usize> = (0..self.shape().len())
            .filter(|a| !axes.contains(a))
            .map(|a| self.shape()[a])
            .collect();
        if op.needs_elements && empty && !kept.contains(&0) {
            let why = format!("axes {axes:?} hold no elements to choose from");
            return Err(Error::shape(name, [self.shape()], why));
        }
        let with_ones: Vec<usize> = (0..self.shape().len())
            .map(|a| {
                if axes.contains(&a) {
                    1
                } else {
                    self.shape()[a]
                }
            })
            .collect();
        let outputs = [op.output].into_iter().chain(op.second.map(|(o, _)| o));
        let outs = outputs
            .map(|o| Tensor::empty(&ctx, o.dtype(self.dtype()), &kept))
            .collect::<Result<Vec<Tensor>>>()?;
        let order = match options.reproducible {
            true => skeleton::Order::Fixed,
            false => skeleton::Order::Device,
        };
        skeleton::reduce(name, op.of(self.dtype()), self, &axes, &outs, order)?;
        if !options.keepdims {
            return Ok(outs);
        }
        outs.iter().map(|t| t.reshape(&with_ones)).collect()
    }

    /// Runs the expression as one kernel and returns its result, contiguous.
    ///
    /// # Errors
    /// [`Error::Device`] where no input names a device, [`Error::Backend`].
    pub fn eval(&self) -> Result<Tensor> {
        if let NodeKind::Tensor(t) = &self.0.kind {
            return Ok(t.clone());
        }
        let ctx = self.context(self.name())?;
        let out = Tensor::empty(&ctx, self.dtype(), self.shape())?;
        skeleton::map(self, &out)?;
        Ok(out)
    }

    /// Runs the expression as one kernel and writes the result into a tensor of its shape and
    /// dtype, whose elements must not overlap each other or anything the expression reads
    /// (except element for element, as in `x = f(x)`).
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Dtype`] or [`Error::Device`] where `out` does not fit,
    /// [`Error::Backend`].
    pub fn eval_into(&self, out: &Tensor) -> Result<()> {
        self.fits(out)?;
        skeleton::map(self, out)
    }

    /// Whether a tensor can take the result.
    pub(crate) fn fits(&self, out: &Tensor) -> Result<()> {
        let name = self.name();
        if out.shape() != self.shape() {
            let why = "the destination has another shape";
            return Err(Error::shape(name, [self.shape(), out.shape()], why));
        }
        if out.dtype() != self.dtype() {
            let why = "the destination has another dtype; cast the expression";
            return Err(Error::dtype(name, [self.dtype(), out.dtype()], why));
        }
        let repeated = (0..out.shape().len()).any(|i| out.shape()[i] > 1 && out.strides()[i] == 0);
        if repeated {
            let why = "the destination repeats elements (stride 0)";
            return Err(Error::shape(name, [out.shape()], why));
        }
        if let Some(ctx) = &self.0.ctx {
            same_device(name, ctx, out.context())?;
        }
        Ok(())
    }

    /// The name of the outermost operator, for messages.
    pub(crate) fn name(&self) -> &'static str {
        match &self.0.kind {
            NodeKind::Tensor(_) => "copy",
            NodeKind::Scalar { .. } => "fill",
            NodeKind::Iota { .. } => "iota",
            NodeKind::Map(row, ..) => row.name,
            NodeKind::Cast(CastMode::Saturate, _) => "cast",
            NodeKind::Cast(CastMode::Wrap, _) => "cast_wrap",
            NodeKind::Position { .. } => "position",
            NodeKind::Given => "given",
            NodeKind::At { .. } => "at",
        }
    }

    pub(crate) fn context(&self, op: &str) -> Result<Context> {
        self.0.ctx.clone().ok_or_else(|| Error::Device {
            op: op.to_string(),
            why: "no input is on a device; use `fill` with a context for constants".into(),
        })
    }

    fn is_weak(&self) -> bool {
        matches!(self.0.kind, NodeKind::Scalar { weak: true, .. })
    }

    /// A weak scalar as a dtype; anything else as it is.
    fn strengthen(&self, dtype: Scalar) -> Expr {
        match self.0.kind {
            NodeKind::Scalar { value, weak: true } if fits(value, dtype) => {
                Expr::scalar(dtype, value)
            }
            _ => self.clone(),
        }
    }
}

impl Outside {
    /// For the bits of elements of a dtype.
    fn bits(self, dtype: Scalar) -> Outside {
        let bits = |value: Num| Num::Int(value.to_bits(dtype).into());
        match self {
            Outside::Fill(value) => Outside::Fill(bits(value)),
            Outside::EndFill(value) => Outside::EndFill(bits(value)),
            _ => self,
        }
    }
}

/// The kind that coordinates of an axis are computed in, at least `least`.
fn counting(length: usize, least: Scalar) -> Scalar {
    match i32::try_from(length) {
        Ok(_) => least,
        Err(_) => Scalar::I64,
    }
}

/// A weak constant becomes only what it can be without changing its kind: no float turns into an
/// integer, and nothing but a bool into a bool.
fn fits(value: Num, dtype: Scalar) -> bool {
    match value {
        Num::Bool(_) => dtype == Scalar::Bool,
        Num::Int(i) => {
            let in_range = |(lo, hi)| lo <= i && i <= hi;
            dtype.is_float() || (dtype.is_int() && in_range(crate::num::int_range(dtype)))
        }
        Num::Float(_) => dtype.is_float(),
    }
}

pub(crate) fn same_device(op: &str, a: &Context, b: &Context) -> Result<()> {
    let (a_id, b_id) = (&a.device().info().id, &b.device().info().id);
    if std::ptr::addr_eq(a.device(), b.device()) {
        return Ok(());
    }
    Err(Error::Device {
        op: op.to_string(),
        why: format!("tensors are on {a_id} and {b_id}, or in two contexts of one; copy one over"),
    })
}

fn common_context(op: &str, args: &[Expr]) -> Result<Option<Context>> {
    let mut found: Option<Context> = None;
    for ctx in args.iter().filter_map(|a| a.0.ctx.as_ref()) {
        match &found {
            Some(first) => same_device(op, first, ctx)?,
            None => found = Some(ctx.clone()),
        }
    }
    Ok(found)
}

impl From<&Tensor> for Expr {
    fn from(t: &Tensor) -> Expr {
        let ctx = Some(t.context().clone());
        Expr::new(
            NodeKind::Tensor(t.clone()),
            t.dtype(),
            t.shape().to_vec(),
            ctx,
        )
    }
}

impl From<Tensor> for Expr {
    fn from(t: Tensor) -> Expr {
        Expr::from(&t)
    }
}

impl From<&Expr> for Expr {
    fn from(e: &Expr) -> Expr {
        e.clone()
    }
}

macro_rules! from_scalar {
    ($($t:ty => $dtype:ident $value:expr;)*) => {$(
        impl From<$t> for Expr {
            /// A constant that takes the dtype of what it meets.
            fn from(x: $t) -> Expr {
                let value: fn($t) -> Num = $value;
                let kind = NodeKind::Scalar { value: value(x), weak: true };
                Expr::new(kind, Scalar::$dtype, vec![], None)
            }
        }
    )*};
}

from_scalar! {
    f64 => F32 Num::Float;
    f32 => F32 |x| Num::Float(x.into());
    i64 => I64 |x| Num::Int(x.into());
    i32 => I32 |x| Num::Int(x.into());
    bool => Bool Num::Bool;
}
