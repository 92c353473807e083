//! Bars: elementary functions of large f32 arrays, against the device's own and against its copy.
//!
//! A function passes if it is as fast as the device's own (`Math::Native`), or moves its bytes at four
//! fifths of the speed of the driver's copy.

use criterion::Throughput;
use std::process::ExitCode;
use std::time::Duration;
use suanzi_backends::Context;
use suanzi_bench::{Bar, Bars, Criterion, Result, clocked, data, device_name, ensure, interleave};
use suanzi_ops::table::{self, Inputs, Kind};
use suanzi_ops::{Expr, Scalar, Tensor};

const N: usize = 1 << 24;
/// Bytes of an array.
const ARRAY: usize = 4 * N;
const ROUNDS: usize = 9;
/// Of the copy's bandwidth.
const COPY: f64 = 0.8;

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
    for name in names() {
        let native = format!("native_{name}");
        bench.check(name, &native)?;
        let contenders = [
            clocked(|| bench.run(name)),
            clocked(|| bench.run(&native)),
            clocked(|| bench.copy()),
        ];
        let [ours, theirs, copy] = interleave(ROUNDS, contenders)?;
        let native = ours.against(&theirs, |ours, theirs| theirs / ours);
        let share = ours.against(&copy, |ours, copy| copy / ours);
        // Whichever of the two bars is nearer.
        match share.median >= COPY {
            true => bars.judge(name, share, "of copy", Bar::AtLeast(COPY)),
            false => bars.judge(name, native, "of the device's own", Bar::AtLeast(1.0)),
        }
        bars.note(name, native, "of the device's own");
    }
    Ok(())
}

fn functions(criterion: &mut Criterion) -> Result<()> {
    let bench = Bench::new()?;
    let mut group = criterion.benchmark_group("elementary");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Bytes(2 * ARRAY as u64));
    for name in names() {
        group.bench_function(name, |b| b.iter(|| bench.run(name).expect("a run")));
    }
    group.finish();
    Ok(())
}

/// The functions of one number that devices have too.
fn names() -> impl Iterator<Item = &'static str> {
    table::native::ROWS.iter().filter_map(|row| match row.kind {
        Kind::Map(map) if map.inputs == Inputs::Same(1) => row.name.strip_prefix("native_"),
        _ => None,
    })
}

struct Bench {
    ctx: Context,
    /// Between 0 and 1, where every function but one is defined.
    unit: Tensor,
    /// For acosh: 1 and more.
    above: Tensor,
    out: Tensor,
}

impl Bench {
    fn new() -> Result<Bench> {
        let ctx = Context::open(&device_name())?;
        let unit: Vec<f32> = data::varied(N, 1)
            .into_iter()
            .map(|x| (x.abs() + 0.01) / (x.abs() + 1.02))
            .collect();
        let above: Vec<f32> = unit.iter().map(|x| 1.0 / x).collect();
        Ok(Bench {
            unit: Tensor::from_slice(&ctx, &[N], &unit)?,
            above: Tensor::from_slice(&ctx, &[N], &above)?,
            out: Tensor::empty(&ctx, Scalar::F32, &[N])?,
            ctx,
        })
    }

    fn run(&self, name: &str) -> Result<()> {
        let x = match name.ends_with("acosh") {
            true => &self.above,
            false => &self.unit,
        };
        Expr::map(name, &[x.into()])?.eval_into(&self.out)?;
        Ok(self.ctx.device().sync()?)
    }

    /// Ours and the device's own give the same numbers, nearly.
    fn check(&self, name: &str, native: &str) -> Result<()> {
        self.run(name)?;
        let ours = self.out.to_vec::<f32>()?;
        self.run(native)?;
        let theirs = self.out.to_vec::<f32>()?;
        let far = |(a, b): &(&f32, &f32)| (**a - **b).abs() > 1e-4 * b.abs().max(0.01);
        let wrong = ours.iter().zip(&theirs).filter(far).count();
        ensure!(wrong == 0, "{name}: {wrong} results are not the device's");
        ensure!(ours.iter().all(|v| v.is_finite()), "{name}: not a number");
        Ok(())
    }

    fn copy(&self) -> Result<()> {
        let (from, to) = (self.unit.buffer().memory(), self.out.buffer().memory());
        let device = self.ctx.device();
        device.copy(from, 0, to, 0, ARRAY as u64)?;
        Ok(device.sync()?)
    }
}
