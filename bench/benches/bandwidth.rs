//! Bars: map and reduce on large f32 arrays, against the device's own copy.
//!
//! Bandwidth is bytes that must move (each input read once, each output written once) by time.
//! There are two yardsticks: the driver's copy command, which is the bar's, and a plain copy kernel
//! of ours, which a device may run faster or slower.

use criterion::Throughput;
use std::process::ExitCode;
use std::time::Duration;
use suanzi_backends::Context;
use suanzi_bench::{Bar, Bars, Criterion, Result, Spread, clocked, data, device_name, interleave};
use suanzi_ops::{Expr, Scalar, Tensor, ops};

const ROWS: usize = 4096;
const COLUMNS: usize = 4096;
const N: usize = ROWS * COLUMNS;
/// Bytes of an array.
const ARRAY: usize = 4 * N;
const ROUNDS: usize = 15;
const BAR: f64 = 0.85;

fn main() -> ExitCode {
    suanzi_bench::run(bars, functions)
}

fn bars(bars: &mut Bars) -> Result<()> {
    let bench = Bench::new()?;
    let device = bench.ctx.device().info();
    println!(
        "{} ({}), arrays of {} MiB",
        device.name,
        device.driver,
        ARRAY >> 20
    );
    for case in bench.cases() {
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
        bars.judge(case.name, figure, "of the driver's copy", Bar::AtLeast(BAR));
        let strict = ours.against(&kernel, bandwidth);
        bars.note(case.name, strict, "of a copy kernel");
        let best = bandwidth(ours.spread().min, driver.spread().min);
        println!(
            "    {}: {best:.2} of the driver's copy, best of each",
            case.name
        );
        let rate = |seconds: &f64| case.arrays * ARRAY as f64 / seconds / 1e9;
        let rates = Spread::of(ours.0.iter().map(rate).collect());
        bars.note(case.name, rates, "GB/s");
    }
    Ok(())
}

fn functions(criterion: &mut Criterion) -> Result<()> {
    let bench = Bench::new()?;
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
    /// Each element, from the two inputs'.
    Each(fn(f32, f32, f32) -> f32),
    /// For each output: the terms of its sum, by position of the first, stride and count.
    Sums(fn(usize) -> (usize, usize, usize)),
    /// The greatest element.
    Max,
}

struct Bench {
    ctx: Context,
    x: Tensor,
    y: Tensor,
    row: Tensor,
    out: Tensor,
    host: [Vec<f32>; 3],
}

const ALL: fn(usize) -> (usize, usize, usize) = |_| (0, 1, N);

impl Bench {
    fn new() -> Result<Bench> {
        let ctx = Context::open(&device_name())?;
        let host = [
            data::varied(N, 1),
            data::varied(N, 2),
            data::varied(COLUMNS, 3),
        ];
        let shape = [ROWS, COLUMNS];
        Ok(Bench {
            x: Tensor::from_slice(&ctx, &shape, &host[0])?,
            y: Tensor::from_slice(&ctx, &shape, &host[1])?,
            row: Tensor::from_slice(&ctx, &[COLUMNS], &host[2])?,
            out: Tensor::empty(&ctx, Scalar::F32, &shape)?,
            ctx,
            host,
        })
    }

    fn cases(&self) -> [Case; 9] {
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
                Sums(|o| (o * COLUMNS, 1, COLUMNS)),
            ),
            case(
                "reduce sum, first axis",
                1.0,
                |b| Ok(ops::sum(&b.x, &[0], false)?),
                Sums(|o| (o, COLUMNS, ROWS)),
            ),
            case(
                "reduce sum, short rows",
                1.0,
                |b| Ok(ops::sum(&b.x.reshape(&[N / 64, 64])?, &[1], false)?),
                Sums(|o| (o * 64, 1, 64)),
            ),
            case(
                "reduce chain of 4 to sum",
                2.0,
                |b| Ok(ops::sum(b.chain()?, &[], false)?),
                Sums(ALL),
            ),
        ]
    }

    /// Four operators.
    fn chain(&self) -> Result<Expr> {
        let scaled = ops::mul(ops::abs(ops::add(&self.x, &self.y)?)?, 0.5)?;
        Ok(ops::maximum(scaled, 0.25)?)
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
        let got = (case.run)(self)?.to_vec::<f32>()?;
        let [x, y, row] = &self.host;
        match case.expected {
            Expected::Each(f) => {
                let each = (0..N).map(|i| f(x[i], y[i], row[i % COLUMNS]));
                data::same(case.name, &got, each)
            }
            Expected::Max => {
                let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                data::same(case.name, &got, [max].into_iter())
            }
            Expected::Sums(terms) => {
                let chained = case.name.contains("chain");
                let term = |i: usize| {
                    if chained {
                        chain(x[i], y[i], 0.0)
                    } else {
                        x[i]
                    }
                };
                got.iter().enumerate().try_for_each(|(o, &sum)| {
                    let (first, stride, count) = terms(o);
                    let terms = (0..count).map(|i| term(first + i * stride));
                    data::near_sum(case.name, sum, terms)
                })
            }
        }
    }
}

fn chain(x: f32, y: f32, _: f32) -> f32 {
    ((x + y).abs() * 0.5).max(0.25)
}
