//! Bars: map, move and reduce on large arrays of f32 and f16, against the device's own copy.
//!
//! Bandwidth is bytes that must move (each input read once, each output written once) by time.
//! There are two yardsticks: the driver's copy command, which is the bar's, and a plain copy kernel
//! of ours, which a device may run faster or slower.

use crate::{Bar, Bars, Criterion, Result, Spread, clocked, data, interleave};
use criterion::Throughput;
use half::f16;
use std::time::Duration;
use suanzi_backends::Context;
use suanzi_ops::{Expr, Num, Scalar, Tensor, ops};

/// Bytes of an array.
const ARRAY: usize = 64 << 20;
const COLUMNS: usize = 4096;
const ROUNDS: usize = 15;
const BAR: f64 = 0.85;

/// Judges them on a device.
///
/// # Errors
/// The device's, and a wrong result.
pub fn bars(bars: &mut Bars, device: &str) -> Result<()> {
    for dtype in [Scalar::F32, Scalar::F16] {
        let bench = Bench::new(device, dtype)?;
        let device = bench.ctx.device().info();
        println!(
            "{dtype} on {} ({}), arrays of {} MiB",
            device.name,
            device.driver,
            ARRAY >> 20
        );
        for case in bench.cases() {
            let name = format!("{dtype} {}", case.name);
            if !bars.wants(&name) {
                continue;
            }
            bench.check(&case)?;
            let contenders = [
                clocked(|| bench.finished((case.run)(&bench))),
                clocked(|| bench.finished(bench.driver_copy())),
                clocked(|| bench.finished(bench.kernel_copy())),
            ];
            let [ours, driver, kernel] = interleave(ROUNDS, contenders)?;
            // A copy moves two arrays.
            let share = case.arrays / 2.0;
            let bandwidth = |ours: f64, copy: f64| share * copy / ours;
            let figure = ours.against(&driver, bandwidth);
            bars.judge(&name, figure, "of the driver's copy", Bar::AtLeast(BAR));
            let strict = ours.against(&kernel, bandwidth);
            bars.note(&name, strict, "of a copy kernel");
            let best = bandwidth(ours.spread().min, driver.spread().min);
            println!("    {name}: {best:.2} of the driver's copy, best of each");
            let rate = |seconds: &f64| case.arrays * ARRAY as f64 / seconds / 1e9;
            let rates = Spread::of(ours.0.iter().map(rate).collect());
            bars.note(&name, rates, "GB/s");
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
    let mut group = criterion.benchmark_group("bandwidth");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    for case in bench.cases() {
        group.throughput(Throughput::Bytes((case.arrays * ARRAY as f64) as u64));
        let run = || bench.finished((case.run)(&bench)).expect("a run");
        group.bench_function(case.name, |b| b.iter(run));
    }
    group.throughput(Throughput::Bytes(2 * ARRAY as u64));
    let copy = || bench.finished(bench.driver_copy()).expect("a copy");
    group.bench_function("copy", |b| b.iter(copy));
    group.finish();
    Ok(())
}

/// Something to measure.
struct Case {
    name: &'static str,
    /// Arrays that must be moved, in or out.
    arrays: f64,
    run: fn(&Bench) -> Result<Tensor>,
    expected: Expected,
}

/// What a result is checked against.
enum Expected {
    /// Each element, from the two inputs' and the row's.
    Each(fn(f32, f32, f32) -> f32),
    /// Each element, by the position of the one of the first input that it is.
    Moved(fn(usize) -> usize),
    /// For each output: the terms of its sum, by position of the first, stride and count (or all).
    Sums(fn(usize) -> (usize, usize, Option<usize>)),
    /// The greatest element.
    Max,
}

struct Bench {
    ctx: Context,
    dtype: Scalar,
    rows: usize,
    x: Tensor,
    y: Tensor,
    row: Tensor,
    out: Tensor,
    host: [Vec<f32>; 3],
}

const ALL: fn(usize) -> (usize, usize, Option<usize>) = |_| (0, 1, None);

impl Bench {
    fn new(device: &str, dtype: Scalar) -> Result<Bench> {
        let ctx = Context::open(device)?;
        let rows = ARRAY / dtype.bytes() / COLUMNS;
        let shapes = [vec![rows, COLUMNS], vec![rows, COLUMNS], vec![COLUMNS]];
        let mut host = [vec![], vec![], vec![]];
        let mut tensors = vec![];
        for (seed, (shape, host)) in shapes.iter().zip(&mut host).enumerate() {
            let values = data::varied(shape.iter().product(), seed as u32 + 1);
            tensors.push(match dtype {
                Scalar::F16 => {
                    let values: Vec<f16> = values.into_iter().map(f16::from_f32).collect();
                    *host = values.iter().map(|x| x.to_f32()).collect();
                    Tensor::from_slice(&ctx, shape, &values)?
                }
                _ => {
                    *host = values;
                    Tensor::from_slice(&ctx, shape, host)?
                }
            });
        }
        let [x, y, row] = tensors.try_into().expect("three inputs");
        Ok(Bench {
            out: ops::fill(&ctx, dtype, &[rows, COLUMNS], Num::Float(1.0))?,
            ctx,
            dtype,
            rows,
            x,
            y,
            row,
            host,
        })
    }

    fn cases(&self) -> [Case; 13] {
        use Expected::*;
        let case = |name, arrays, run, expected| Case {
            name,
            arrays,
            run,
            expected,
        };
        [
            case(
                "map add",
                3.0,
                |b| b.map(ops::add(&b.x, &b.y)?),
                Each(|x, y, _| x + y),
            ),
            case(
                "map row broadcast",
                2.0,
                |b| b.map(ops::add(&b.x, &b.row)?),
                Each(|x, _, r| x + r),
            ),
            case("map chain of 4", 3.0, |b| b.map(b.chain()?), Each(chain)),
            case("flip, last axis", 2.0, |b| b.map(b.x.flip(1)?.expr()), {
                Moved(|i| i ^ (COLUMNS - 1))
            }),
            case("flip, first axis", 2.0, |b| b.map(b.x.flip(0)?.expr()), {
                Moved(|i| i ^ !(COLUMNS - 1))
            }),
            case("concat of 8, last axis", 2.0, Bench::joined, {
                Moved(|i| i)
            }),
            case(
                "slice, steps of 2 along the first axis",
                1.0,
                |b| {
                    let half = b.out.slice(0, 0, b.rows as i64 / 2, 1)?;
                    b.x.slice(0, 0, i64::MAX, 2)?.expr().eval_into(&half)?;
                    Ok(half)
                },
                Moved(|i| i / COLUMNS * 2 * COLUMNS + i % COLUMNS),
            ),
            case(
                "reduce sum",
                1.0,
                |b| Ok(ops::sum(&b.x, &[], false)?),
                Sums(ALL),
            ),
            case("reduce max", 1.0, |b| Ok(ops::max(&b.x, &[], false)?), Max),
            case(
                "reduce sum, last axis",
                1.0,
                |b| Ok(ops::sum(&b.x, &[1], false)?),
                Sums(|o| (o * COLUMNS, 1, Some(COLUMNS))),
            ),
            case(
                "reduce sum, first axis",
                1.0,
                |b| Ok(ops::sum(&b.x, &[0], false)?),
                Sums(|o| (o, COLUMNS, None)),
            ),
            case(
                "reduce sum, short rows",
                1.0,
                |b| {
                    Ok(ops::sum(
                        &b.x.reshape(&[b.rows * COLUMNS / 64, 64])?,
                        &[1],
                        false,
                    )?)
                },
                Sums(|o| (o * 64, 1, Some(64))),
            ),
            case(
                "reduce chain of 4 to sum, last axis",
                2.0,
                |b| Ok(ops::sum(b.chain()?, &[1], false)?),
                Sums(|o| (o * COLUMNS, 1, Some(COLUMNS))),
            ),
        ]
    }

    /// Four operators.
    fn chain(&self) -> Result<Expr> {
        let scaled = ops::mul(ops::abs(ops::add(&self.x, &self.y)?)?, 0.5)?;
        Ok(ops::maximum(scaled, 0.25)?)
    }

    /// The input again, from eight parts of its columns.
    fn joined(&self) -> Result<Tensor> {
        let part = |i: i64| self.x.slice(1, i * 512, (i + 1) * 512, 1);
        let parts = (0..8)
            .map(part)
            .collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(ops::concat(&parts, 1)?)
    }

    fn map(&self, expr: Expr) -> Result<Tensor> {
        expr.eval_into(&self.out)?;
        Ok(self.out.clone())
    }

    fn driver_copy(&self) -> Result<()> {
        let (from, to) = (self.x.buffer().memory(), self.out.buffer().memory());
        Ok(self.ctx.device().copy(from, 0, to, 0, ARRAY as u64)?)
    }

    fn kernel_copy(&self) -> Result<()> {
        Ok(ops::copy(&self.x)?.eval_into(&self.out)?)
    }

    /// Waits for what was recorded.
    fn finished<T>(&self, recorded: Result<T>) -> Result<()> {
        recorded?;
        Ok(self.ctx.device().sync()?)
    }

    fn check(&self, case: &Case) -> Result<()> {
        let got = (case.run)(self)?;
        let got: Vec<f32> = match self.dtype {
            Scalar::F16 => got.to_vec::<f16>()?.iter().map(|x| x.to_f32()).collect(),
            _ => got.to_vec()?,
        };
        let (name, [x, y, row]) = (case.name, &self.host);
        let rounded = |v: f32| match self.dtype {
            Scalar::F16 => f16::from_f32(v).to_f32(),
            _ => v,
        };
        match case.expected {
            Expected::Each(f) => {
                let each = (0..x.len()).map(|i| rounded(f(x[i], y[i], row[i % COLUMNS])));
                data::same(name, &got, each)
            }
            Expected::Moved(from) => {
                let last = x.len() - 1;
                data::same(name, &got, (0..got.len()).map(|i| x[from(i) & last]))
            }
            Expected::Max => {
                let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                data::same(name, &got, [max].into_iter())
            }
            Expected::Sums(terms) => {
                let term = |i: usize| match name.contains("chain") {
                    true => chain(x[i], y[i], 0.0),
                    false => x[i],
                };
                got.iter().enumerate().try_for_each(|(o, &sum)| {
                    let (first, stride, count) = terms(o);
                    let count = count.unwrap_or(x.len() / stride);
                    let terms = (0..count).map(|i| term(first + i * stride));
                    data::near_sum(name, sum, self.unit(), terms)
                })
            }
        }
    }

    /// What rounding a result to the dtype may change, as a part of it.
    fn unit(&self) -> f64 {
        match self.dtype {
            Scalar::F16 => f64::from(f16::EPSILON.to_f32()) / 2.0,
            _ => 0.0,
        }
    }
}

fn chain(x: f32, y: f32, _: f32) -> f32 {
    ((x + y).abs() * 0.5).max(0.25)
}
