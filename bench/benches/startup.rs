//! Bars: the first operator of a process that finds its programs in the disk cache, and what a new
//! kernel costs where there is no cache.
//!
//! Each measurement is a process of its own (this one, called again): it opens the device, times its
//! first operator from memory to result, and then some others. Cold: no cache anywhere. Warm: a
//! process before it left its programs. Warm, driver cold: the same, with the driver's own cache
//! taken away. A process's first compilation starts the driver's compiler too, which is noted on its
//! own; the ones after it are the kernels' cost.

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
/// Milliseconds, of the first operator of a process that finds everything.
const WARM: f64 = 50.0;
/// Milliseconds, of a kernel that is nowhere.
const COLD: f64 = 150.0;

type Typical = (&'static str, fn(&Tensor) -> suanzi_ops::Result<Tensor>);

/// Kernels that were never compiled when these run.
const TYPICAL: [Typical; 4] = [
    ("mul", |x| ops::mul(x, x)?.eval()),
    ("exp", |x| ops::exp(x)?.eval()),
    ("gelu", |x| ops::gelu(x)?.eval()),
    ("sum", |x| ops::sum(x, &[], false)),
];

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

/// Prints nanoseconds: of opening the device, of the first operator, and of each typical one.
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
    print!("{} {}", opened.as_nanos(), first.as_nanos());
    let x = Tensor::from_slice(&ctx, &[N], &x)?;
    for (_, typical) in TYPICAL {
        let start = Instant::now();
        let result = typical(&x)?.to_vec::<f32>()?;
        print!(" {}", start.elapsed().as_nanos());
        ensure!(result.iter().all(|y| y.is_finite()), "not finite");
    }
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
    typical: Vec<Duration>,
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
    ensure!(times.len() == 2 + TYPICAL.len(), "the child said `{text}`");
    Ok(Times {
        opened: times[0],
        first: times[1],
        typical: times[2..].to_vec(),
    })
}

fn bars(bars: &mut Bars) -> Result<()> {
    let mut seconds: [Sample; 4] = [const { Sample(vec![]) }; 4];
    let mut kernels: [Sample; TYPICAL.len()] = [const { Sample(vec![]) }; TYPICAL.len()];
    for _ in 0..ROUNDS {
        let caches = Caches::new()?;
        let cold = run(caches.ours.path(), caches.driver.path())?;
        let kept = std::fs::read_dir(caches.ours.path())?.count();
        ensure!(
            // None where the driver keeps programs itself.
            kept <= 1 + TYPICAL.len(),
            "{kept} programs are in the cache"
        );
        let warm = run(caches.ours.path(), caches.driver.path())?;
        let alone = run(caches.ours.path(), TempDir::new()?.path())?;
        let round = [warm.opened, cold.first, warm.first, alone.first];
        for (sample, time) in seconds.iter_mut().zip(round) {
            sample.0.push(time.as_secs_f64());
        }
        for (sample, time) in kernels.iter_mut().zip(&cold.typical) {
            sample.0.push(time.as_secs_f64());
        }
    }
    let [opened, cold, warm, alone] = seconds.map(|s| s.spread().scaled(1e3));
    bars.note("opening the device", opened, "ms");
    bars.note("first operator, cold", cold, "ms");
    bars.note("first operator, warm, driver cold", alone, "ms");
    bars.judge("first operator, warm", warm, "ms", Bar::AtMost(WARM));
    for ((name, _), sample) in TYPICAL.iter().zip(kernels) {
        let name = format!("{name}, never compiled before");
        bars.judge(&name, sample.spread().scaled(1e3), "ms", Bar::AtMost(COLD));
    }
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
