//! Bars: every map and reduction of the operator table whose bytes dominate, in f32 and f16, against the
//! device's own copy.
//!
//! The rows come from the table, so a new one is measured without being named here. Rows that compute
//! a function are noted and not judged: `elementary` has their bars.

use crate::{Bar, Bars, Criterion, Result, clocked, data, ensure, interleave};
use criterion::Throughput;
use half::f16;
use std::time::Duration;
use suanzi_backends::Context;
use suanzi_ops::table::{self, Kind, Limit, Row};
use suanzi_ops::{Expr, Num, Scalar, Tensor, ops};

/// Bytes of an array.
const ARRAY: usize = 64 << 20;
const COLUMNS: usize = 4096;
const ROUNDS: usize = 9;
const BAR: f64 = 0.85;

/// Judges them on a device.
///
/// # Errors
/// The device's, and a wrong result.
pub fn bars(bars: &mut Bars, device: &str) -> Result<()> {
    for dtype in [Scalar::F32, Scalar::F16] {
        let bench = Bench::new(device, dtype)?;
        println!("{dtype} on {}", bench.ctx.device().info().name);
        for row in table::rows().filter(|row| row.dtypes.contains(&dtype)) {
            for case in bench.cases(row) {
                let name = format!("{dtype} {}", case.name);
                if !bars.wants(&name) {
                    continue;
                }
                bench.check(row, &case)?;
                let contenders = [clocked(|| bench.run(&case)), clocked(|| bench.copy())];
                let [ours, copy] = interleave(ROUNDS, contenders)?;
                let share = case.bytes as f64 / (2 * ARRAY) as f64;
                let ratio = ours.against(&copy, |ours, copy| share * copy / ours);
                match computes(row) {
                    true => bars.note(&name, ratio, "of the driver's copy"),
                    false => bars.judge(&name, ratio, "of the driver's copy", Bar::AtLeast(BAR)),
                }
            }
        }
    }
    Ok(())
}

/// Criterion's statistics of some.
///
/// # Errors
/// The device's.
pub fn functions(criterion: &mut Criterion, device: &str) -> Result<()> {
    let bench = Bench::new(device, Scalar::F32)?;
    let mut group = criterion.benchmark_group("table");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2));
    for name in ["where", "clamp", "max", "var"] {
        let Ok(row) = table::row(name) else { continue };
        for case in bench.cases(row) {
            group.throughput(Throughput::Bytes(case.bytes as u64));
            let run = || bench.run(&case).expect("a run");
            group.bench_function(&case.name, |b| b.iter(run));
        }
    }
    group.finish();
    Ok(())
}

/// Rows whose arithmetic takes longer than their bytes.
fn computes(row: &Row) -> bool {
    let function = matches!(
        (row.limit)(Scalar::F32),
        Limit::Ulp(_) | Limit::UlpAbove(..) | Limit::Measured
    );
    // Long divisions, and logarithms of each element or exponentials.
    let others = ["rem", "modulo", "log_sum", "logsumexp"];
    function || others.contains(&row.name)
}

/// Something to measure.
struct Case {
    name: String,
    /// Bytes that must be moved, in or out.
    bytes: usize,
    /// The axes of a reduction.
    axes: Option<Vec<i64>>,
    expr: Expr,
    out: Option<Tensor>,
}

struct Bench {
    ctx: Context,
    dtype: Scalar,
    /// Three inputs, a condition, whole numbers.
    inputs: [Tensor; 5],
    host: [Vec<f32>; 3],
    other: Tensor,
}

impl Bench {
    fn new(device: &str, dtype: Scalar) -> Result<Bench> {
        let ctx = Context::open(device)?;
        let rows = ARRAY / dtype.bytes() / COLUMNS;
        let shape = [rows, COLUMNS];
        let n = rows * COLUMNS;
        let round = |x: f32| match dtype {
            Scalar::F16 => f16::from_f32(x).to_f32(),
            _ => x,
        };
        let host = [1, 2, 3]
            .map(|seed| -> Vec<f32> { data::varied(n, seed).into_iter().map(round).collect() });
        let tensor = |values: &Vec<f32>| match dtype {
            Scalar::F16 => {
                let values: Vec<f16> = values.iter().map(|&x| f16::from_f32(x)).collect();
                Tensor::from_slice(&ctx, &shape, &values)
            }
            _ => Tensor::from_slice(&ctx, &shape, values),
        };
        let [x, y, z] = [&host[0], &host[1], &host[2]].map(tensor);
        let whole: Vec<i32> = (0..n as i32).map(|i| i % 7 - 3).collect();
        let condition: Vec<bool> = (0..n).map(|i| i % 3 == 0).collect();
        Ok(Bench {
            inputs: [
                x?,
                y?,
                z?,
                Tensor::from_slice(&ctx, &shape, &condition)?,
                Tensor::from_slice(&ctx, &shape, &whole)?,
            ],
            other: ops::fill(&ctx, dtype, &shape, Num::Float(1.0))?,
            ctx,
            dtype,
            host,
        })
    }

    /// Which of the inputs a row reads.
    fn places(&self, row: &Row) -> Vec<usize> {
        let Kind::Map(op) = row.kind else {
            return vec![0];
        };
        let mut next = 0;
        let place = |i: usize| match op.inputs.dtype(i, self.dtype) {
            Scalar::Bool => 3,
            Scalar::I32 => 4,
            _ => {
                next += 1;
                next - 1
            }
        };
        (0..op.inputs.count()).map(place).collect()
    }

    fn cases(&self, row: &'static Row) -> Vec<Case> {
        let places = self.places(row);
        let read = places.iter().map(|&i| self.inputs[i].dtype().bytes());
        let count = self.inputs[0].numel();
        let read = read.sum::<usize>() * count;
        let inputs: Vec<Expr> = places.iter().map(|&i| self.inputs[i].expr()).collect();
        let case = |name: String, axes, expr, out: Option<Tensor>| {
            let written = out.as_ref().map_or(0, |t| t.numel() * t.dtype().bytes());
            let bytes = read + written;
            Case {
                name,
                bytes,
                axes,
                expr,
                out,
            }
        };
        match row.kind {
            Kind::Map(_) => {
                let Ok(expr) = Expr::map(row.name, &inputs) else {
                    return vec![];
                };
                let shape = self.inputs[0].shape();
                let out = match expr.dtype() == self.dtype {
                    true => Tensor::empty(&self.ctx, self.dtype, shape),
                    false => Tensor::empty(&self.ctx, expr.dtype(), shape),
                };
                vec![case(row.name.into(), None, expr, out.ok())]
            }
            Kind::Reduce(_) => [
                ("all", vec![]),
                ("last axis", vec![1]),
                ("first axis", vec![0]),
            ]
            .into_iter()
            .map(|(which, axes)| {
                case(
                    format!("{}, {which}", row.name),
                    Some(axes),
                    inputs[0].clone(),
                    None,
                )
            })
            .collect(),
            _ => vec![],
        }
    }

    fn run(&self, case: &Case) -> Result<()> {
        match (&case.axes, &case.out) {
            (Some(axes), _) => drop(case.expr.reduce(self.reduction(case), axes, false)?),
            (None, Some(out)) => case.expr.eval_into(out)?,
            (None, None) => {}
        }
        Ok(self.ctx.device().sync()?)
    }

    fn reduction<'a>(&self, case: &'a Case) -> &'a str {
        case.name.split(',').next().unwrap_or_default()
    }

    fn copy(&self) -> Result<()> {
        let (from, to) = (
            self.inputs[0].buffer().memory(),
            self.other.buffer().memory(),
        );
        let device = self.ctx.device();
        device.copy(from, 0, to, 0, ARRAY as u64)?;
        Ok(device.sync()?)
    }

    /// Results, of some positions, are near the row's reference: conformance has the last word.
    fn check(&self, row: &Row, case: &Case) -> Result<()> {
        self.run(case)?;
        let near = |got: f64, want: f64, at: usize| {
            let same = got == want || got.is_nan() && want.is_nan();
            let near = (got - want).abs() <= 0.02 * want.abs().max(0.05);
            let over = want.abs() > 65504.0 && got.abs() > 65000.0;
            ensure!(
                same || near || over,
                "{}: element {at} is {got}, not {want}",
                case.name
            );
            Ok(())
        };
        let num = |i: usize, at: usize| match i {
            3 => Num::Bool(at.is_multiple_of(3)),
            4 => Num::Int(at as i128 % 7 - 3),
            i => Num::Float(self.host[i][at].into()),
        };
        match (row.kind, &case.out, &case.axes) {
            (Kind::Map(op), Some(out), _) => {
                let got = floats(out)?;
                let places = self.places(row);
                for at in (0..got.len()).step_by(99_991) {
                    let inputs: Vec<Num> = places.iter().map(|&i| num(i, at)).collect();
                    near(got[at], (op.reference)(self.dtype, &inputs).float(), at)?;
                }
            }
            (Kind::Reduce(op), _, Some(axes)) if axes == &[1] => {
                let got = floats(&case.expr.reduce(row.name, axes, false)?)?;
                for at in (0..got.len()).step_by(got.len() / 8) {
                    let each = (0..COLUMNS).map(|c| num(0, at * COLUMNS + c));
                    let each: Vec<Num> = each.collect();
                    near(got[at], (op.reference)(self.dtype, &each).float(), at)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The elements of a tensor as f64.
fn floats(x: &Tensor) -> Result<Vec<f64>> {
    let size = x.dtype().bytes();
    let bytes = x.read_bytes()?;
    let each = bytes.chunks(size).map(|b| {
        let mut bits = [0; 8];
        bits[..size].copy_from_slice(b);
        Num::from_bits(x.dtype(), u64::from_le_bytes(bits)).float()
    });
    Ok(each.collect())
}
