//! Bar: the first operator of a process that finds its programs in the disk cache.
//!
//! Each measurement is a process of its own (this one, called again): it opens the device, then
//! times its first operator from memory to result. Cold: no cache anywhere. Warm: a process before
//! it left its programs. Warm, driver cold: the same, with the driver's own cache taken away.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use suanzi_backends::Context;
use suanzi_bench::{Bar, Bars, Criterion, Result, Sample, data, device_name, ensure};
use suanzi_ops::{Tensor, ops};
use tempfile::TempDir;

const CHILD: &str = "--first-operator";
const ROUNDS: usize = 9;
const N: usize = 1000;
/// Milliseconds.
const BAR: f64 = 50.0;

fn main() -> ExitCode {
    if std::env::args().any(|a| a == CHILD) {
        return match child() {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                eprintln!("{e:#}");
                ExitCode::FAILURE
            }
        };
    }
    suanzi_bench::run(bars, functions)
}

/// Prints nanoseconds: of opening the device, and of the first operator.
fn child() -> Result<()> {
    let (x, y) = (data::varied(N, 1), data::varied(N, 2));
    let start = Instant::now();
    let ctx = Context::open(&device_name())?;
    ctx.device().sync()?;
    let opened = start.elapsed();

    let start = Instant::now();
    let sum = ops::add(
        &Tensor::from_slice(&ctx, &[N], &x)?,
        &Tensor::from_slice(&ctx, &[N], &y)?,
    )?;
    let got = sum.eval()?.to_vec::<f32>()?;
    let first = start.elapsed();
    data::same("add", &got, (0..N).map(|i| x[i] + y[i]))?;
    println!("{} {}", opened.as_nanos(), first.as_nanos());
    Ok(())
}

/// Cache folders: ours, and the driver's.
struct Caches {
    ours: TempDir,
    driver: TempDir,
}

impl Caches {
    fn new() -> Result<Caches> {
        Ok(Caches {
            ours: TempDir::new()?,
            driver: TempDir::new()?,
        })
    }
}

/// What a child measured.
struct Times {
    opened: Duration,
    first: Duration,
}

fn run(ours: &Path, driver: &Path) -> Result<Times> {
    let output = Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .env("SUANZI_CACHE_DIR", ours)
        .env("POCL_CACHE_DIR", driver)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the child failed: {error}");
    let times = text
        .split_whitespace()
        .map(|n| Ok(Duration::from_nanos(n.parse()?)));
    let times: Vec<Duration> = times.collect::<Result<_>>()?;
    ensure!(times.len() == 2, "the child said `{text}`");
    Ok(Times {
        opened: times[0],
        first: times[1],
    })
}

fn bars(bars: &mut Bars) -> Result<()> {
    let mut seconds: [Sample; 4] = [const { Sample(vec![]) }; 4];
    for _ in 0..ROUNDS {
        let caches = Caches::new()?;
        let cold = run(caches.ours.path(), caches.driver.path())?;
        let kept = std::fs::read_dir(caches.ours.path())?.count();
        ensure!(
            // None where the driver keeps programs itself.
            kept <= 1,
            "{kept} programs are in the cache after one operator"
        );
        let warm = run(caches.ours.path(), caches.driver.path())?;
        let alone = run(caches.ours.path(), TempDir::new()?.path())?;
        let round = [warm.opened, cold.first, warm.first, alone.first];
        for (sample, time) in seconds.iter_mut().zip(round) {
            sample.0.push(time.as_secs_f64());
        }
    }
    let [opened, cold, warm, alone] = seconds.map(|s| s.spread().scaled(1e3));
    bars.note("opening the device", opened, "ms");
    bars.note("first operator, cold", cold, "ms");
    bars.note("first operator, warm, driver cold", alone, "ms");
    bars.judge("first operator, warm", warm, "ms", Bar::AtMost(BAR));
    Ok(())
}

fn functions(criterion: &mut Criterion) -> Result<()> {
    let caches = Caches::new()?;
    let once = || run(caches.ours.path(), caches.driver.path()).expect("a child");
    once();
    let mut group = criterion.benchmark_group("startup");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    group.bench_function("first operator, warm", |b| {
        b.iter_custom(|n| (0..n).map(|_| once().first).sum());
    });
    group.finish();
    Ok(())
}
