//! Bar: the built-in device against scalar C, on f32 map kernels. C is one thread of a plain loop
//! (`src/scalar.c`, -O2, not vectorised); the interpreter uses all cores. The ratio with one
//! thread, and that to vectorised C, are printed beside it.

use std::process::{Command, ExitCode};
use std::time::Duration;
use suanzi_backends::Context;
use suanzi_bench::scalar::{ADD, CHAIN, Loop};
use suanzi_bench::{Bar, Bars, Criterion, Result, clocked, data, ensure, interleave};
use suanzi_ops::{Expr, Scalar, Tensor, ops};

const N: usize = 16 << 20;
const ROUNDS: usize = 11;
/// Times slower.
const BAR: f64 = 40.0;
/// What the interpreter's thread pool reads.
const THREADS: &str = "RAYON_NUM_THREADS";
const CHILD: &str = "--one-thread";

fn main() -> ExitCode {
    suanzi_bench::run(
        |bars| match std::env::args().any(|a| a == CHILD) {
            true => compare(bars, false),
            false => {
                compare(bars, true)?;
                let child = Command::new(std::env::current_exe()?)
                    .args(["--bench", CHILD])
                    .env(THREADS, "1")
                    .env("SUANZI_BENCH_BARS", "only")
                    .status()?;
                ensure!(child.success(), "the measurement with one thread failed");
                Ok(())
            }
        },
        functions,
    )
}

const LOOPS: [Loop; 2] = [ADD, CHAIN];

fn compare(bars: &mut Bars, judged: bool) -> Result<()> {
    let bench = Bench::new()?;
    for each in LOOPS {
        let expr = bench.expr(&each)?;
        let (mut scalar, mut vector) = (vec![1.0; N], vec![1.0; N]);
        let [ours, scalar_time, vector_time] = interleave(
            ROUNDS,
            [
                clocked(|| bench.run(&expr)),
                clocked(|| {
                    each.scalar(&bench.host[0], &bench.host[1], &mut scalar);
                    Ok(())
                }),
                clocked(|| {
                    each.vector(&bench.host[0], &bench.host[1], &mut vector);
                    Ok(())
                }),
            ],
        )?;
        let got = bench.out.to_vec::<f32>()?;
        data::same(each.name, &got, scalar.iter().copied())?;
        data::same(each.name, &got, vector.iter().copied())?;
        let slower = |ours: f64, c: f64| ours / c;
        let (cores, name) = match judged {
            true => ("all cores", each.name),
            false => ("one thread", each.name),
        };
        let name = format!("{name}, {cores}");
        let figure = ours.against(&scalar_time, slower);
        match judged {
            true => bars.judge(
                &name,
                figure,
                "times slower than scalar C",
                Bar::AtMost(BAR),
            ),
            false => bars.note(&name, figure, "times slower than scalar C"),
        }
        let vectorised = ours.against(&vector_time, slower);
        bars.note(&name, vectorised, "times slower than vectorised C");
        bars.note(
            &name,
            ours.spread().scaled(1e9 / N as f64),
            "ns per element",
        );
    }
    Ok(())
}

fn functions(criterion: &mut Criterion) -> Result<()> {
    let bench = Bench::new()?;
    let mut out = vec![1.0; N];
    let mut group = criterion.benchmark_group("interp");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    group.throughput(criterion::Throughput::Elements(N as u64));
    for each in LOOPS {
        let expr = bench.expr(&each)?;
        let name = each.name;
        group.bench_function(name, |b| b.iter(|| bench.run(&expr).expect("a run")));
        group.bench_function(format!("{name}, scalar C"), |b| {
            b.iter(|| each.scalar(&bench.host[0], &bench.host[1], &mut out));
        });
    }
    group.finish();
    Ok(())
}

struct Bench {
    ctx: Context,
    x: Tensor,
    y: Tensor,
    out: Tensor,
    host: [Vec<f32>; 2],
}

impl Bench {
    fn new() -> Result<Bench> {
        let ctx = Context::open("cpu")?;
        let host = [data::varied(N, 1), data::varied(N, 2)];
        Ok(Bench {
            x: Tensor::from_slice(&ctx, &[N], &host[0])?,
            y: Tensor::from_slice(&ctx, &[N], &host[1])?,
            out: Tensor::empty(&ctx, Scalar::F32, &[N])?,
            ctx,
            host,
        })
    }

    /// The operators of a loop.
    fn expr(&self, of: &Loop) -> Result<Expr> {
        let sum = ops::add(&self.x, &self.y)?;
        Ok(match of.name == ADD.name {
            true => sum,
            false => ops::maximum(ops::mul(ops::abs(sum)?, 0.5)?, 0.25)?,
        })
    }

    fn run(&self, expr: &Expr) -> Result<()> {
        expr.eval_into(&self.out)?;
        Ok(self.ctx.device().sync()?)
    }
}
