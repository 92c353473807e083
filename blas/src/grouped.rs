//! Lists of products: of different sizes, and anywhere in memory.
//!
//! Problems that are alike (the same sizes, layouts, factors and memories) are run together, in a few launches however
//! many they are: where they lie at one distance from each other they are a batch; else a table of their positions
//! goes to the device (what vendors' libraries do with arrays of pointers), through which operands are read and results
//! written. Problems that are like no other one are run by themselves. Nothing is waited for.

use crate::matrix::{Matrix, Operand, Storage};
use crate::overlap::apart;
use crate::product::{Part, check, factor, product};
use crate::{Error, Result};
use num_complex::Complex64;
use suanzi_codegen::ir::{BinOp, CastMode};
use suanzi_ops::{By, Each, Tensor};

/// `C = alpha · A · B + beta · C`.
#[derive(Clone, Debug)]
pub struct Problem {
    alpha: Complex64,
    a: Operand,
    b: Operand,
    beta: Complex64,
    c: Matrix,
}

impl Problem {
    /// The arguments are those of [`crate::level3::gemm`].
    pub fn new(
        alpha: impl Into<Complex64>,
        a: impl Into<Operand>,
        b: impl Into<Operand>,
        beta: impl Into<Complex64>,
        c: &Matrix,
    ) -> Problem {
        Problem {
            alpha: alpha.into(),
            a: a.into(),
            b: b.into(),
            beta: beta.into(),
            c: c.clone(),
        }
    }

    fn check(&self, op: &str) -> Result<()> {
        check(op, &self.a, &self.b, &self.c)?;
        factor(op, "alpha", self.alpha, &self.c)?;
        factor(op, "beta", self.beta, &self.c)
    }

    fn matrices(&self) -> [&Matrix; 3] {
        [&self.a.matrix, &self.b.matrix, &self.c]
    }

    /// Whether two problems differ in nothing but where they lie in their memories.
    fn is_like(&self, other: &Problem) -> bool {
        let operand = |x: &Operand, y: &Operand| {
            (x.storage, x.swapped, x.form, x.conj) == (y.storage, y.swapped, y.form, y.conj)
        };
        let matrices = self.matrices().into_iter().zip(other.matrices());
        self.alpha == other.alpha
            && self.beta == other.beta
            && operand(&self.a, &other.a)
            && operand(&self.b, &other.b)
            && matrices.into_iter().all(|(x, y)| is_like(x, y))
    }
}

/// Whether two matrices differ in nothing but where they lie in one memory.
fn is_like(x: &Matrix, y: &Matrix) -> bool {
    let (s, t) = (x.tensor(), y.tensor());
    let layout = |m: &Matrix| {
        (
            m.dtype(),
            m.is_complex(),
            m.tensor().shape().to_vec(),
            m.tensor().strides().to_vec(),
        )
    };
    layout(x) == layout(y) && std::ptr::eq(s.buffer().memory(), t.buffer().memory())
}

/// Every problem of a list, as [`crate::level3::gemm`] would do it. What one problem writes, others neither read nor
/// write.
///
/// # Errors
/// As gemm, with the number of the problem (from 0), before any is begun.
pub fn gemm_grouped(problems: &[Problem]) -> Result<()> {
    let op = "gemm_grouped";
    for (i, problem) in problems.iter().enumerate() {
        problem.check(op).map_err(|e| numbered(e, i))?;
    }
    let mut groups: Vec<Vec<&Problem>> = vec![];
    for problem in problems {
        match groups.iter_mut().find(|g| g[0].is_like(problem)) {
            Some(group) => group.push(problem),
            None => groups.push(vec![problem]),
        }
    }
    let ready = groups
        .iter()
        .map(|g| Group::of(op, g))
        .collect::<Result<Vec<_>>>()?;
    ready.iter().try_for_each(|group| group.run(op))
}

fn numbered(error: Error, problem: usize) -> Error {
    let with = |why: String| format!("{why} (problem {problem})");
    match error {
        Error::Shape { op, shapes, why } => Error::Shape {
            op,
            shapes,
            why: with(why),
        },
        Error::Dtype { op, dtypes, why } => Error::Dtype {
            op,
            dtypes,
            why: with(why),
        },
        Error::Value { op, why } => Error::Value { op, why: with(why) },
        other => other,
    }
}

/// Problems that are alike, as one.
struct Group {
    alpha: Complex64,
    a: Operand,
    b: Operand,
    beta: Complex64,
    c: Matrix,
    /// Where each C begins, if they are not at one distance.
    places: Option<Tensor>,
}

impl Group {
    fn of(op: &str, problems: &[&Problem]) -> Result<Group> {
        let first = problems[0];
        let side =
            |i: usize| -> Vec<&Matrix> { problems.iter().map(|p| p.matrices()[i]).collect() };
        let (a, b) = (together(&first.a, &side(0))?, together(&first.b, &side(1))?);
        let (c, places) = batch(&side(2))?;
        if places.is_none() {
            apart(op, ("C", c.tensor()), &[])?;
        }
        Ok(Group {
            alpha: first.alpha,
            a,
            b,
            beta: first.beta,
            c,
            places,
        })
    }

    fn run(&self, op: &'static str) -> Result<()> {
        let factors = (self.alpha, &self.a, &self.b);
        let Some(places) = &self.places else {
            return product(op, factors, (self.beta, &self.c), Part::Whole);
        };
        // What C holds is gathered, and what it becomes goes back.
        let gathered = Operand {
            storage: Storage::Scattered,
            places: Some(places.clone()),
            ..Operand::from(&self.c)
        };
        let dense = match self.beta == Complex64::ZERO {
            true => Tensor::empty(places.context(), self.c.dtype(), self.c.tensor().shape())?,
            false => gathered.dense(Complex64::ONE)?.matrix.tensor().clone(),
        };
        let dense = Matrix::like(&self.c, &dense)?;
        product(op, factors, (self.beta, &dense), Part::Whole)?;
        scatter(op, &dense, places, &self.c)
    }
}

/// Operands that are alike, as one with an axis more.
fn together(first: &Operand, all: &[&Matrix]) -> Result<Operand> {
    let (matrix, places) = batch(all)?;
    let Some(places) = places else {
        return Ok(Operand {
            matrix,
            ..first.clone()
        });
    };
    if first.storage != Storage::Full {
        let why = "band and packed operands lie at one distance from each other";
        return Err(Error::value("gemm_grouped", why));
    }
    Ok(Operand {
        matrix,
        storage: Storage::Scattered,
        places: Some(places),
        ..first.clone()
    })
}

/// Matrices with an axis before theirs, and where each begins if they are not at one distance; the axis then stands
/// still.
fn batch(all: &[&Matrix]) -> Result<(Matrix, Option<Tensor>)> {
    let first = all[0].tensor();
    let offsets: Vec<i64> = all.iter().map(|m| m.tensor().offset() as i64).collect();
    let step = offsets.get(1).map_or(0, |next| next - offsets[0]);
    let even = offsets.windows(2).all(|w| w[1] - w[0] == step);
    let shape = [&[all.len()], first.shape()].concat();
    let strides = [&[if even { step } else { 0 }], first.strides()].concat();
    let tensor = first.as_strided(&shape, &strides, first.offset())?;
    let places = match even {
        true => None,
        false => Some(Tensor::from_slice(first.context(), &[all.len()], &offsets)?),
    };
    Ok((Matrix::like(all[0], &tensor)?, places))
}

/// Matrices, one after the other in memory, to where a table says; `to` is how each lies.
fn scatter(op: &'static str, dense: &Matrix, places: &Tensor, to: &Matrix) -> Result<()> {
    let t = to.tensor();
    let whole = t.as_strided(&[t.capacity()], &[1], 0)?;
    // Axes within one problem: those of its own batch, rows, columns and parts.
    let axes = t.shape().len() - 1;
    let each: usize = t.shape()[1..].iter().product();
    const WORDS: [[&str; 2]; 6] = [
        ["length0", "stride0"],
        ["length1", "stride1"],
        ["length2", "stride2"],
        ["length3", "stride3"],
        ["length4", "stride4"],
        ["length5", "stride5"],
    ];
    if axes > WORDS.len() {
        let why = "a problem has no more than three axes of its own before the matrix";
        return Err(Error::shape(op, [t.shape()], why));
    }
    let mut scalars = vec![("each", each as u64), ("memory", t.capacity() as u64)];
    for (axis, [length, stride]) in WORDS[..axes].iter().enumerate() {
        scalars.push((length, t.shape()[axis + 1] as u64));
        scalars.push((stride, t.strides()[axis + 1] as u64));
    }
    Each {
        op,
        name: "scatter_matrices",
        variant: &[axes as u32],
        by: By::Item,
        outs: &[&whole],
        ins: &[dense.tensor(), places],
        scalars: &scalars,
    }
    .run(dense.tensor().numel() as u64, |b, io, task| {
        let value = io.load(b, 0, task);
        let (problem, mut rest) = io.x.div_rem(b, task, io.p("each"));
        let place = io.load(b, 1, problem);
        let mut at = b.cast(place, io.x.kind, CastMode::Wrap);
        for [length, stride] in WORDS[..axes].iter().rev() {
            let (outer, own) = io.x.div_rem(b, rest, io.p(length));
            at = io.x.step(b, at, own, io.p(stride));
            rest = outer;
        }
        let inside = b.bin(BinOp::Lt, at, io.p("memory"));
        b.if_(inside, |b| io.store(b, 0, at, value));
    })
}
