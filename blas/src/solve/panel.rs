//! What the kernels that factor a panel share: how they walk a matrix, and numbers that may be pairs.
//!
//! A work-group has a matrix of the batch to itself. Its items take turns along the rows, and meet at a
//! barrier after each column; on a CPU the group is one item, which takes vectors of rows where these lie
//! side by side. A matrix is a panel of a larger one, or small and factored whole.

use crate::matrix::Matrix;
use crate::{Error, Result};
use suanzi_backends::DeviceKind;
use suanzi_codegen::ir::{Barrier, BinOp, Builtin, CastMode, UnOp};
use suanzi_codegen::{Builder, Place, Value};
use suanzi_ops::{By, Each, Io, Num, Scalar, Tensor, ops};

/// Columns of a panel; more are halved.
pub(super) const PANEL: usize = 64;

/// Parts of the numbers of a row that are eliminated from the others together.
pub(super) const STRIP: u64 = 8;

/// Parts of the numbers of a row that are changed together.
pub(super) const TOGETHER: u64 = 4;

/// Rows and columns of a matrix that a CPU's item factors whole: a second core would not make up for the launches.
const WHOLE: usize = 256;

/// Whether one launch factors a matrix.
pub(super) fn is_panel(a: &Matrix) -> bool {
    let whole = is_cpu(a) && a.m().max(a.n()) <= WHOLE;
    whole || a.n() <= PANEL
}

/// Whether it is a CPU that has the matrix, whose kernels take vectors of rows.
pub(super) fn is_cpu(a: &Matrix) -> bool {
    a.tensor().context().device().caps().kind == DeviceKind::Cpu
}

/// The matrices of a batch and from one to the next, if it is the same step everywhere.
fn batch(a: &Matrix) -> Option<(usize, i64)> {
    let (shape, strides) = (a.batch(), a.tensor().strides());
    let mut steps: Option<(i64, i64)> = None;
    for (&length, &stride) in shape.iter().zip(strides).rev().filter(|x| *x.0 != 1) {
        let first = match steps {
            Some((_, next)) if next != stride => return None,
            Some((first, _)) => first,
            None => stride,
        };
        steps = Some((first, stride * length as i64));
    }
    let step = steps.map_or(0, |s| s.0);
    Some((shape.iter().product(), step))
}

/// Whether every element has a place of its own, which rows of stride 0 have not.
fn apart(a: &Matrix) -> bool {
    let t = a.tensor();
    let mut axes = t.shape().iter().zip(t.strides());
    axes.all(|(&length, &stride)| length < 2 || stride != 0)
}

/// A matrix as kernels can walk it: itself, or a copy of it, column by column.
pub(super) struct Work<'a> {
    pub matrix: Matrix,
    of: Option<&'a Matrix>,
}

impl Work<'_> {
    /// `side_by_side`: rows are wanted side by side.
    pub fn of(a: &Matrix, side_by_side: bool) -> Result<Work<'_>> {
        let unit = 1 + i64::from(a.is_complex());
        let fits = !side_by_side || a.m() < 2 || a.steps()[0] == unit;
        if fits && apart(a) && batch(a).is_some() {
            let matrix = a.clone();
            return Ok(Work { matrix, of: None });
        }
        let copy = ops::copy(a.t().tensor())?.eval()?;
        Ok(Work {
            matrix: Matrix::like(a, &copy)?.t(),
            of: Some(a),
        })
    }

    /// The matrix has what the copy has.
    pub fn finish(self) -> Result<()> {
        match self.of {
            Some(a) => self.matrix.tensor().expr().eval_into(a.tensor()),
            None => Ok(()),
        }
    }
}

/// Refuses what is not f32 or f64.
pub(super) fn check(op: &str, a: &Matrix) -> Result<()> {
    match a.dtype() {
        Scalar::F32 | Scalar::F64 => Ok(()),
        other => Err(Error::dtype(op, [other], "it takes f32 and f64")),
    }
}

/// Zeros for each matrix of the batch.
pub(super) fn zeros(a: &Matrix, dtype: Scalar, more: &[usize]) -> Result<Tensor> {
    let shape = [a.batch(), more].concat();
    let zero = match dtype.is_float() {
        true => Num::Float(0.0),
        false => Num::Int(0),
    };
    suanzi_ops::Expr::fill(a.tensor().context(), dtype, &shape, zero).eval()
}

/// Elements `from..to` of the last axis, which is that of pivots: `[batch, k]`.
pub(super) fn cut(t: &Tensor, from: usize, to: usize) -> Result<Tensor> {
    t.slice(1, from as i64, to as i64, 1)
}

/// Rows that a kernel takes at once: on a CPU whole vectors of them, where they lie side by side.
pub(crate) fn lanes(a: &Matrix) -> u8 {
    let parts = 1 + u8::from(a.is_complex());
    match is_cpu(a) && a.steps()[0] == i64::from(parts) {
        true => 64 / (a.dtype().bytes() as u8 * parts),
        false => 1,
    }
}

/// A kernel over the matrices of a batch.
pub(crate) struct Kernel<'a> {
    pub op: &'static str,
    pub name: &'static str,
    /// Written, output 0.
    pub a: &'a Matrix,
    /// Further outputs.
    pub outs: &'a [&'a Tensor],
    pub ins: &'a [&'a Tensor],
    pub scalars: &'a [(&'static str, u64)],
}

impl Kernel<'_> {
    /// A group for each matrix; `body` is given the matrix's number.
    pub fn by_matrix(&self, body: impl Fn(&mut Builder, &Panel<'_>, Value)) -> Result<()> {
        let caps = self.a.tensor().context().device().caps();
        let width = match caps.kind {
            DeviceKind::Cpu => 1,
            _ => {
                let rows = self.a.m().next_power_of_two().clamp(32, 256) as u32;
                1 << rows.min(caps.max_workgroup).max(1).ilog2()
            }
        };
        self.run(By::Group(width), 1, body)
    }

    /// An item for each of `each` parts of each matrix; `body` is given the part's number.
    pub fn by_part(
        &self,
        each: usize,
        body: impl Fn(&mut Builder, &Panel<'_>, Value, Value),
    ) -> Result<()> {
        self.run(By::Item, each, |b, panel, task| {
            let (matrix, part) = panel.io.x.div_rem(b, task, panel.io.p("parts"));
            let panel = panel.of_matrix(b, matrix);
            body(b, &panel, matrix, part);
        })
    }

    fn run(
        &self,
        by: By,
        each: usize,
        body: impl Fn(&mut Builder, &Panel<'_>, Value),
    ) -> Result<()> {
        let (a, t) = (self.a, self.a.tensor());
        let Some((count, step)) = batch(a) else {
            let why = "the batch has no single stride";
            return Err(Error::shape(self.op, [t.shape()], why));
        };
        let [down, along] = a.steps();
        let parts = if a.is_complex() { 2 } else { 1 };
        let lanes = lanes(a);
        let mut scalars = vec![
            ("m", a.m() as u64),
            ("n", a.n() as u64),
            ("step", step as u64),
            ("down", down as u64),
            ("along", along as u64),
            ("parts", each as u64),
        ];
        scalars.extend(self.scalars);
        let outs = [&[t], self.outs].concat();
        Each {
            op: self.op,
            name: self.name,
            variant: &[lanes.into(), parts as u32],
            by,
            outs: &outs,
            ins: self.ins,
            scalars: &scalars,
        }
        .run((count * each) as u64, |b, io, task| {
            let panel = Panel {
                io,
                kind: t.dtype(),
                parts: parts as u8,
                lanes,
                width: match by {
                    By::Group(width) => width,
                    By::Item => 1,
                },
                base: io.x.int(b, 0),
            };
            match by {
                By::Group(_) => {
                    let panel = panel.of_matrix(b, task);
                    body(b, &panel, task);
                }
                By::Item => body(b, &panel, task),
            }
        })
    }
}

/// A matrix in a kernel.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    pub io: &'a Io,
    pub kind: Scalar,
    /// Of a number: 1, or 2 where it is complex.
    pub parts: u8,
    /// Rows of a vector.
    pub lanes: u8,
    /// Items.
    pub width: u32,
    pub base: Value,
}

/// Neighbouring rows.
pub(crate) struct Span {
    pub first: Value,
    pub rows: u8,
    /// Which parts of these rows are meant, if not all.
    inside: Option<Value>,
}

/// One number: its real part, and its imaginary part if it is complex.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub re: Value,
    pub im: Option<Value>,
}

impl Number {
    pub fn neg(self, b: &mut Builder) -> Number {
        Number {
            re: b.un(UnOp::Neg, self.re),
            im: self.im.map(|im| b.un(UnOp::Neg, im)),
        }
    }

    pub fn conj(self, b: &mut Builder) -> Number {
        Number {
            im: self.im.map(|im| b.un(UnOp::Neg, im)),
            ..self
        }
    }

    /// `|re| + |im|`.
    pub fn size(self, b: &mut Builder) -> Value {
        let re = b.un(UnOp::Abs, self.re);
        match self.im {
            Some(im) => {
                let im = b.un(UnOp::Abs, im);
                b.add(re, im)
            }
            None => re,
        }
    }
}

impl Panel<'_> {
    fn of_matrix(&self, b: &mut Builder, matrix: Value) -> Self {
        let base = b.mul(matrix, self.io.p("step"));
        Panel { base, ..*self }
    }

    /// Where a column begins.
    pub fn column(&self, b: &mut Builder, j: Value) -> Value {
        self.io.x.step(b, self.base, j, self.io.p("along"))
    }

    /// Where a row of a column is.
    pub fn down(&self, b: &mut Builder, column: Value, i: Value) -> Value {
        self.io.x.step(b, column, i, self.io.p("down"))
    }

    /// Some rows of a column of output 0.
    pub fn load(&self, b: &mut Builder, at: Value, rows: u8) -> Value {
        self.io.load_out(b, 0, at, rows * self.parts)
    }

    pub fn store(&self, b: &mut Builder, at: Value, value: Value) {
        self.io.store(b, 0, at, value);
    }

    pub fn number(&self, b: &mut Builder, at: Value) -> Number {
        let value = self.load(b, at, 1);
        self.number_of(b, value)
    }

    /// A vector of one row.
    pub fn number_of(&self, b: &mut Builder, value: Value) -> Number {
        Number {
            re: b.extract(value, 0),
            im: (self.parts == 2).then(|| b.extract(value, 1)),
        }
    }

    pub fn float(&self, b: &mut Builder, value: f64) -> Value {
        b.float(self.kind, value)
    }

    pub fn compose(&self, b: &mut Builder, number: Number) -> Value {
        let parts: Vec<Value> = [number.re].into_iter().chain(number.im).collect();
        b.compose(&parts)
    }

    /// `from..to`, shared out among the items.
    pub fn each(
        &self,
        b: &mut Builder,
        from: Value,
        to: Value,
        f: impl FnOnce(&mut Builder, Value),
    ) {
        let width = self.io.x.int(b, self.width.into());
        let start = match self.width {
            1 => from,
            _ => {
                let local = self.io.x.builtin(b, Builtin::LocalId(0));
                b.add(from, local)
            }
        };
        b.for_(start, to, width, false, f);
    }

    /// Rows `from..to`, shared out among the items, in vectors and then one by one: given the first
    /// row and how many.
    pub fn rows(
        &self,
        b: &mut Builder,
        from: Value,
        to: Value,
        f: impl Fn(&mut Builder, Value, u8),
    ) {
        let mut start = from;
        if self.lanes > 1 {
            let lanes = self.io.x.int(b, self.lanes.into());
            let count = b.sub(to, from);
            let (_, rest) = self.io.x.div_rem(b, count, lanes);
            start = b.sub(to, rest);
            b.for_(from, start, lanes, false, |b, i| f(b, i, self.lanes));
        }
        self.each(b, start, to, |b, i| f(b, i, 1));
    }

    /// As [`Panel::rows`], to change numbers each by itself, for which [`Panel::put`] is: all rows are in vectors. The first of these
    /// may begin too early.
    pub fn spans(&self, b: &mut Builder, from: Value, to: Value, f: impl Fn(&mut Builder, &Span)) {
        let single = |b: &mut Builder, first| {
            let span = Span {
                first,
                rows: 1,
                inside: None,
            };
            f(b, &span);
        };
        if self.lanes == 1 {
            return self.each(b, from, to, single);
        }
        let lanes = self.io.x.int(b, self.lanes.into());
        let more = self.io.x.int(b, u64::from(self.lanes) - 1);
        let count = b.sub(to, from);
        let count = b.add(count, more);
        let (vectors, _) = self.io.x.div_rem(b, count, lanes);
        let length = b.mul(vectors, lanes);
        let fits = b.bin(BinOp::Le, length, to);
        b.if_else(
            fits,
            |b| {
                let start = b.sub(to, length);
                b.for_(start, to, lanes, false, |b, first| {
                    let rows = self.row_numbers(b, first, 0);
                    let inside = b.bin(BinOp::Ge, rows, from);
                    let span = Span {
                        first,
                        rows: self.lanes,
                        inside: Some(inside),
                    };
                    f(b, &span);
                });
            },
            |b| self.each(b, from, to, single),
        );
    }

    /// Writes the rows of a span, which had `old`.
    pub fn put(&self, b: &mut Builder, span: &Span, at: Value, old: Value, new: Value) {
        let new = match span.inside {
            Some(inside) => b.select(inside, new, old),
            None => new,
        };
        self.store(b, at, new);
    }

    /// The rows of a vector's parts; imaginary ones are so much further down.
    fn row_numbers(&self, b: &mut Builder, first: Value, imaginary: i64) -> Value {
        let step =
            |lane: u8| i64::from(lane / self.parts) + i64::from(lane % self.parts) * imaginary;
        let steps: Vec<Value> = (0..self.lanes * self.parts)
            .map(|lane| b.int(self.io.x.kind, step(lane)))
            .collect();
        let steps = b.compose(&steps);
        b.bin(BinOp::Add, first, steps)
    }

    /// Adds columns that are done to others, rows `from..to` of them: of each target, `sources` times its factors.
    pub fn eliminate(
        &self,
        b: &mut Builder,
        sources: &[Value],
        targets: &[(Value, Vec<Number>)],
        [from, to]: [Value; 2],
    ) {
        self.spans(b, from, to, |b, span| {
            let load = |b: &mut Builder, column| {
                let at = self.down(b, column, span.first);
                (at, self.load(b, at, span.rows))
            };
            let sources: Vec<Value> = sources.iter().map(|&s| load(b, s).1).collect();
            for (target, factors) in targets {
                let (at, old) = load(b, *target);
                let terms = sources.iter().zip(factors);
                let new = terms.fold(old, |sum, (&x, &by)| self.add_product(b, sum, x, by));
                self.put(b, span, at, old, new);
            }
        });
    }

    /// Columns `from..to` in groups of so many parts of numbers, then one by one: given the first one and how many.
    pub fn groups(
        &self,
        b: &mut Builder,
        [from, to]: [Value; 2],
        parts: u64,
        f: impl Fn(&mut Builder, Value, u64),
    ) {
        let width = parts / u64::from(self.parts);
        let wide = self.io.x.int(b, width);
        let count = b.sub(to, from);
        let (_, rest) = self.io.x.div_rem(b, count, wide);
        let whole = b.sub(to, rest);
        let one = self.io.x.int(b, 1);
        b.for_(from, whole, wide, false, |b, first| f(b, first, width));
        b.for_(whole, to, one, false, |b, first| f(b, first, 1));
    }

    /// `count` columns from one on, with their numbers.
    pub fn columns(&self, b: &mut Builder, first: Value, count: u64) -> Vec<(Value, Value)> {
        let mut column = |i| {
            let i = self.io.x.int(b, i);
            let number = b.add(first, i);
            (number, self.column(b, number))
        };
        (0..count).map(&mut column).collect()
    }

    /// The items meet; what they wrote to matrices and shared arrays is seen by all.
    pub fn meet(&self, b: &mut Builder) {
        if self.width > 1 {
            b.barrier(Barrier::Buffers);
        }
    }

    /// Something that one item does for all.
    pub fn once(&self, b: &mut Builder, f: impl FnOnce(&mut Builder)) {
        if self.width == 1 {
            return f(b);
        }
        let (local, zero) = (b.builtin(Builtin::LocalId(0)), b.u32(0));
        let first = b.bin(BinOp::Eq, local, zero);
        b.if_(first, f);
    }

    /// Arrays for [`Panel::fold`].
    pub fn shared(&self, b: &mut Builder, kinds: &[Scalar]) -> Vec<Place> {
        let mut declare =
            |(i, &kind): (usize, &Scalar)| b.shared(&format!("fold{i}"), kind, self.width);
        match self.width {
            1 => vec![],
            _ => kinds.iter().enumerate().map(&mut declare).collect(),
        }
    }

    /// What the items have, joined in pairs; every item gets it. (Not one after the other: besides being slow, that
    /// is more turns of loops than lavapipe has patience for, which leaves them after 65,535 in all.)
    pub fn fold(
        &self,
        b: &mut Builder,
        shared: &[Place],
        own: &[Value],
        join: impl Fn(&mut Builder, &[Value], &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        if self.width == 1 {
            return own.to_vec();
        }
        let used = &shared[..own.len()];
        let load = |b: &mut Builder, i: Value| -> Vec<Value> {
            let values = used.iter().map(|&place| b.load(place, i, 1, true));
            values.collect()
        };
        let store = |b: &mut Builder, i: Value, values: &[Value]| {
            for (&place, &value) in used.iter().zip(values) {
                b.store(place, i, value, true);
            }
        };
        let local = b.builtin(Builtin::LocalId(0));
        store(b, local, own);
        b.barrier(Barrier::Shared);
        let (zero, one) = (b.u32(0), b.u32(1));
        let (half, turns) = (b.u32(self.width / 2), b.u32(self.width.ilog2()));
        b.for_(zero, turns, one, false, |b, turn| {
            let left = b.bin(BinOp::Shr, half, turn);
            let joins = b.bin(BinOp::Lt, local, left);
            b.if_(joins, |b| {
                let other = b.add(local, left);
                let (x, y) = (load(b, local), load(b, other));
                let both = join(b, &x, &y);
                store(b, local, &both);
            });
            b.barrier(Barrier::Shared);
        });
        let result = load(b, zero);
        // The arrays may be written again, and so may what was read of matrices.
        self.meet(b);
        result
    }

    /// `to + x · by`, for the rows of a vector.
    pub fn add_product(&self, b: &mut Builder, to: Value, x: Value, by: Number) -> Value {
        let lanes = b.ty(x).lanes;
        let re = b.splat(by.re, lanes);
        let sum = b.fma(x, re, to);
        let Some(im) = by.im else {
            return sum;
        };
        let minus = b.un(UnOp::Neg, im);
        let signed: Vec<Value> = (0..lanes)
            .map(|i| [minus, im][usize::from(i % 2)])
            .collect();
        let signed = b.compose(&signed);
        let turned: Vec<Value> = (0..lanes).map(|i| b.extract(x, i ^ 1)).collect();
        let turned = b.compose(&turned);
        b.fma(turned, signed, sum)
    }

    /// Rows of row `i` of the identity, transposed: one where it is row `i` of `from..`.
    pub fn identity(&self, b: &mut Builder, i: Value, from: Value) -> Value {
        // No row is so far down as the imaginary parts are said to be.
        let at = self.row_numbers(b, from, 1 << 30);
        let here = b.bin(BinOp::Eq, at, i);
        let (zero, one) = (self.float(b, 0.0), self.float(b, 1.0));
        b.select(here, one, zero)
    }

    /// `x / by` for the rows of a vector.
    pub fn quotient(&self, b: &mut Builder, x: Value, by: Divisor) -> Value {
        let lanes = b.ty(x).lanes;
        let x = match by.turn {
            Some(turn) => {
                let zero = b.float(self.kind.x(lanes), 0.0);
                self.add_product(b, zero, x, turn)
            }
            None => x,
        };
        let size = b.splat(by.size, lanes);
        b.bin(BinOp::Div, x, size)
    }

    /// A number, or 1 if it is zero.
    pub fn nonzero(&self, b: &mut Builder, x: Number) -> Number {
        let (zero, one) = (self.float(b, 0.0), self.float(b, 1.0));
        let size = x.size(b);
        let none = b.bin(BinOp::Eq, size, zero);
        Number {
            re: b.select(none, one, x.re),
            ..x
        }
    }

    pub fn divisor(&self, b: &mut Builder, by: Number) -> Divisor {
        let Some(im) = by.im else {
            return Divisor {
                size: by.re,
                turn: None,
            };
        };
        // Scaled, so that squares neither overflow nor vanish.
        let sizes = [by.re, im].map(|part| b.un(UnOp::Abs, part));
        let size = b.bin(BinOp::Max, sizes[0], sizes[1]);
        let re = b.bin(BinOp::Div, by.re, size);
        let im = b.bin(BinOp::Div, im, size);
        let squares = b.mul(im, im);
        let squares = b.fma(re, re, squares);
        let minus = b.un(UnOp::Neg, im);
        let turn = Number {
            re: b.bin(BinOp::Div, re, squares),
            im: Some(b.bin(BinOp::Div, minus, squares)),
        };
        let turn = Some(turn);
        Divisor { size, turn }
    }

    /// A position as i32.
    pub fn position(&self, b: &mut Builder, value: Value) -> Value {
        b.cast(value, Scalar::I32, CastMode::Wrap)
    }
}

/// A number to divide by: `size`, after a product with `turn` if it is complex.
#[derive(Clone, Copy)]
pub(crate) struct Divisor {
    size: Value,
    turn: Option<Number>,
}
