//! The set of kernels.

use crate::Outcome;
use std::collections::HashSet;
use suanzi_backends::Context;
use suanzi_codegen::target::Support;
use suanzi_ops::{Expr, Num, Result, Scalar, Tensor, ops};

/// Lengths around the edges of vectors, of work-groups and of runs.
const LENGTHS: [usize; 12] = [1, 2, 15, 16, 17, 255, 256, 257, 1023, 1024, 1025, 2049];

/// Runs cases on the device under test and on the built-in one, and counts.
pub struct Suite {
    tested: Context,
    oracle: Context,
    /// Beside the first case of every first word, each case of this many is run.
    every: usize,
    words: HashSet<String>,
    offered: usize,
    cases: usize,
    launches: usize,
    kernels: HashSet<String>,
    wrong: Vec<String>,
}

impl Suite {
    pub fn new(tested: Context, oracle: Context, every: usize) -> Suite {
        Suite {
            tested,
            oracle,
            every,
            words: HashSet::new(),
            offered: 0,
            cases: 0,
            launches: 0,
            kernels: HashSet::new(),
            wrong: vec![],
        }
    }

    /// Runs one case on both devices; a case is at least one launch.
    pub fn case(&mut self, name: &str, work: impl Fn(&Context) -> Result<Tensor>) -> Outcome<()> {
        let before = (self.cases, self.launches);
        self.compared(true, name, |ctx| Ok(vec![work(ctx)?]))?;
        if self.cases > before.0 && self.launches == before.1 {
            self.wrong.push(format!("{name}: nothing was launched"));
        }
        Ok(())
    }

    /// Runs one case of any number of results, which are the same bytes on both devices or, where
    /// each rounds in its own order, only as many.
    pub fn compared(
        &mut self,
        same: bool,
        name: &str,
        work: impl Fn(&Context) -> Result<Vec<Tensor>>,
    ) -> Outcome<()> {
        let word = name.split(' ').next().unwrap_or_default();
        self.offered += 1;
        if !self.words.insert(word.into()) && !self.offered.is_multiple_of(self.every) {
            return Ok(());
        }
        let read = |ctx: &Context| -> Result<Vec<Vec<u8>>> {
            work(ctx)?.iter().map(Tensor::read_bytes).collect()
        };
        let (got, log) = self.tested.trace(|| read(&self.tested));
        let got = got.map_err(|e| format!("{name}: {e}"))?.concat();
        let expected = read(&self.oracle)?.concat();
        if got.len() != expected.len() || (same && got != expected) {
            let at = got.iter().zip(&expected).position(|(a, b)| a != b);
            let what = format!("{name}: not what `cpu` gives, from byte {at:?} on");
            self.wrong.push(what);
        }
        self.cases += 1;
        self.launches += log.len();
        self.kernels.extend(log.into_iter().map(|d| d.kernel));
        Ok(())
    }

    /// The dtypes that the device has.
    pub fn dtypes(&self) -> Vec<Scalar> {
        let target = &self.tested.device().caps().target;
        let has = |s: &Scalar| target.support(*s) != Support::Missing;
        Scalar::ALL.into_iter().filter(has).collect()
    }

    /// Prints the counts; an error where a result was wrong.
    pub fn close(self) -> Outcome<()> {
        println!(
            "{} cases, {} launches, {} kinds of kernel, {} wrong results",
            self.cases,
            self.launches,
            self.kernels.len(),
            self.wrong.len()
        );
        match self.wrong.is_empty() {
            true => Ok(()),
            false => Err(self.wrong.join("\n").into()),
        }
    }
}

/// Whole numbers between -3 and 3 (0 to 6 where there is no sign), in no short period.
pub fn data(ctx: &Context, dtype: Scalar, shape: &[usize]) -> Result<Tensor> {
    let least = i128::from(dtype.is_float() || dtype.is_signed_int()) * -3;
    let n: usize = shape.iter().product();
    let mut bytes = Vec::with_capacity(n * dtype.bytes());
    for i in 0..n {
        let value = ((i * 37 + i / 7 * 5 + 3) % 7) as i128 + least;
        let num = match dtype {
            Scalar::Bool => Num::Bool(value % 2 == 0),
            _ => Num::Int(value),
        };
        bytes.extend(&num.to_bits(dtype).to_le_bytes()[..dtype.bytes()]);
    }
    Tensor::from_bytes(ctx, dtype, shape, &bytes)
}

fn f32s(ctx: &Context, shape: &[usize]) -> Result<Tensor> {
    data(ctx, Scalar::F32, shape)
}

/// Four operators.
fn chain(x: &Tensor, y: &Tensor) -> Result<Expr> {
    ops::sub(ops::mul(ops::abs(ops::add(x, y)?)?, 2.0)?, y)
}

/// Contiguous maps: every length, every dtype, creation, and a result over its own input.
pub fn maps(suite: &mut Suite) -> Outcome<()> {
    for n in LENGTHS {
        suite.case(&format!("chain f32 [{n}]"), |ctx| {
            chain(&f32s(ctx, &[n])?, &f32s(ctx, &[n])?)?.eval()
        })?;
        suite.case(&format!("in place f32 [{n}]"), |ctx| {
            let x = f32s(ctx, &[n])?;
            ops::add(&x, 1.0)?.eval_into(&x)?;
            Ok(x)
        })?;
    }
    for dtype in suite.dtypes() {
        for n in [1, 17, 257, 1025] {
            suite.case(&format!("maximum {dtype} [{n}]"), |ctx| {
                let (x, y) = (data(ctx, dtype, &[n])?, data(ctx, dtype, &[n])?.flip(0)?);
                match dtype {
                    Scalar::Bool => ops::logical_xor(&x, &y)?.eval(),
                    _ => ops::maximum(ops::mul(&x, &y)?, &x)?.eval(),
                }
            })?;
            suite.case(&format!("where {dtype} [{n}]"), |ctx| {
                let (x, y) = (data(ctx, dtype, &[n])?, data(ctx, dtype, &[n])?.flip(0)?);
                ops::where_(ops::eq(&x, &y)?, &x, &y)?.eval()
            })?;
        }
        suite.case(&format!("fill {dtype}"), |ctx| {
            ops::fill(ctx, dtype, &[33], Num::Int(1))
        })?;
        if dtype != Scalar::Bool {
            suite.case(&format!("iota {dtype}"), |ctx| {
                ops::iota(ctx, dtype, &[65], Num::Int(3), Num::Int(1))
            })?;
        }
    }
    Ok(())
}

/// Every dtype to every dtype.
pub fn casts(suite: &mut Suite) -> Outcome<()> {
    for from in suite.dtypes() {
        for to in suite.dtypes().into_iter().filter(|to| *to != from) {
            suite.case(&format!("cast {from} to {to}"), |ctx| {
                ops::cast(&data(ctx, from, &[37])?, to).eval()
            })?;
        }
    }
    Ok(())
}

/// Operands and results that are not contiguous.
pub fn views(suite: &mut Suite) -> Outcome<()> {
    for n in [1, 2, 15, 16, 17, 33, 257] {
        suite.case(&format!("rows [3, {n}] against a column"), |ctx| {
            ops::mul(&f32s(ctx, &[3, n])?, &f32s(ctx, &[3, 1])?)?.eval()
        })?;
        suite.case(&format!("rows [5, {n}] against a row"), |ctx| {
            chain(&f32s(ctx, &[5, n])?, &f32s(ctx, &[n])?)?.eval()
        })?;
        suite.case(&format!("columns of [{n}, 5]"), |ctx| {
            ops::copy(&f32s(ctx, &[n, 5])?.transpose(0, 1)?)?.eval()
        })?;
        suite.case(&format!("last {n} of each row"), |ctx| {
            let x = f32s(ctx, &[4, n + 3])?;
            ops::neg(&x.slice(1, 3, i64::MAX, 1)?)?.eval()
        })?;
        suite.case(&format!("every second of {n}, backwards"), |ctx| {
            let x = f32s(ctx, &[2 * n])?;
            ops::add(&x.slice(0, -1, i64::MIN, -2)?, 1.0)?.eval()
        })?;
        suite.case(&format!("into every third of {n}"), |ctx| {
            let whole = f32s(ctx, &[3 * n])?;
            let third = whole.slice(0, 1, i64::MAX, 3)?;
            ops::neg(&f32s(ctx, &[n])?)?.eval_into(&third)?;
            Ok(whole)
        })?;
        suite.case(&format!("into a transposed [{n}, 6]"), |ctx| {
            let whole = f32s(ctx, &[n, 6])?;
            let other = f32s(ctx, &[6, n])?;
            ops::abs(&other)?.eval_into(&whole.transpose(0, 1)?)?;
            Ok(whole)
        })?;
    }
    for dtype in suite.dtypes() {
        suite.case(&format!("three axes of {dtype}, permuted"), |ctx| {
            let x = data(ctx, dtype, &[3, 5, 7])?.permute(&[2, 0, 1])?;
            let y = data(ctx, dtype, &[3, 1])?;
            ops::eq(&x, &y)?.eval()
        })?;
    }
    Ok(())
}

type Reduction = fn(Expr, &[i64], bool) -> Result<Tensor>;

/// Accumulators of one and of two components, and results of another dtype.
const REDUCTIONS: [(&str, Reduction); 4] = [
    ("sum", ops::sum),
    ("max", ops::max),
    ("argmax", ops::argmax),
    ("any", ops::any),
];

/// Reductions: over everything, along each axis, in parts that are joined.
pub fn reductions(suite: &mut Suite) -> Outcome<()> {
    let lengths = LENGTHS
        .into_iter()
        .chain([63, 64, 65, 4096, 8195, 20_000, 70_001]);
    for n in lengths {
        for (name, reduce) in REDUCTIONS {
            suite.case(&format!("{name} [{n}]"), |ctx| {
                reduce(f32s(ctx, &[n])?.expr(), &[], false)
            })?;
        }
    }
    for n in [1, 2, 3, 15, 16, 17, 65, 257, 1025] {
        for (name, reduce) in REDUCTIONS {
            let shapes: [(&str, Vec<usize>, &[i64]); 5] = [
                ("inner", vec![5, n], &[1]),
                ("outer", vec![n, 5], &[0]),
                ("outer", vec![7, n], &[0]),
                ("middle", vec![3, n, 4], &[1]),
                ("ends", vec![3, 4, n], &[0, 2]),
            ];
            for (way, shape, axes) in shapes {
                suite.case(&format!("{name} {way} {shape:?}"), |ctx| {
                    reduce(f32s(ctx, &shape)?.expr(), axes, true)
                })?;
            }
        }
        suite.case(&format!("sum of a chain over {n} rows"), |ctx| {
            let (x, y) = (f32s(ctx, &[n, 20])?, f32s(ctx, &[20])?);
            ops::sum(chain(&x, &y)?, &[0], false)
        })?;
        suite.case(&format!("sum of a chain along {n} columns"), |ctx| {
            let (x, y) = (f32s(ctx, &[6, n + 1])?, f32s(ctx, &[6, 1])?);
            ops::sum(chain(&x.slice(1, 1, i64::MAX, 1)?, &y)?, &[1], false)
        })?;
        suite.case(&format!("sum of a transposed [{n}, 9]"), |ctx| {
            ops::sum(&f32s(ctx, &[n, 9])?.transpose(0, 1)?, &[1], false)
        })?;
    }
    for dtype in suite.dtypes() {
        for shape in [[6, 300], [300, 6]] {
            for axis in [0, 1] {
                suite.case(&format!("reduce {dtype} {shape:?} along {axis}"), |ctx| {
                    let x = data(ctx, dtype, &shape)?;
                    match dtype {
                        Scalar::Bool => ops::all(&x, &[axis], false),
                        _ => ops::sum(&x, &[axis], false),
                    }
                })?;
            }
        }
    }
    // Several blocks of outputs, the last of them not whole.
    for (name, reduce) in REDUCTIONS {
        suite.case(&format!("{name} of [2, 9, 1030]"), |ctx| {
            reduce(f32s(ctx, &[2, 9, 1030])?.expr(), &[1], false)
        })?;
    }
    // Cut into parts with outputs beside each other, and along rows that are not whole vectors.
    suite.case("parts of [3000, 17]", |ctx| {
        ops::sum(&f32s(ctx, &[3000, 17])?, &[0], false)
    })?;
    suite.case("parts of [2, 3, 9001]", |ctx| {
        ops::argmax(&f32s(ctx, &[2, 3, 9001])?, &[1, 2], false)
    })
}
