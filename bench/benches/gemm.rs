//! Bars: products of square and skinny matrices, packing included, against OpenBLAS on the same cores.
//!
//! OpenBLAS is loaded at run time (`SUANZI_OPENBLAS` names another file). By itself it may not pick the
//! best kernel for a processor: `OPENBLAS_CORETYPE=SkylakeX` or `Cooperlake` in the environment does.
//! Its idle threads spin for a while, so each turn begins with a pause and a run that is not timed.

use libloading::{Library, Symbol};
use std::ffi::c_int;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use suanzi_backends::Context;
use suanzi_bench::{Bar, Bars, Criterion, Result, Round, data, device_name, ensure, interleave};
use suanzi_ops::{Element, Tensor, ops};

/// m, n and k.
const SIZES: [[usize; 3]; 8] = [
    [512; 3],
    [1024; 3],
    [1536; 3],
    [2048; 3],
    [64, 2048, 2048],
    [2048, 64, 2048],
    [2048, 2048, 64],
    [512, 512, 8192],
];
const ROUNDS: usize = 9;
const BAR: f64 = 1.0;
/// After which idle threads of a library sleep.
const PAUSE: Duration = Duration::from_millis(60);

fn main() -> ExitCode {
    suanzi_bench::run(bars, functions)
}

fn bars(bars: &mut Bars) -> Result<()> {
    let ctx = Context::open(&device_name())?;
    let peer = Peer::load();
    println!("products on {}", ctx.device().info().name);
    match &peer {
        Ok(peer) => println!("peer: {}", peer.name()?),
        Err(why) => println!("peer: OpenBLAS is absent ({why})"),
    }
    for size in SIZES {
        measure::<f32>(bars, &ctx, peer.as_ref().ok(), size)?;
    }
    for size in SIZES {
        measure::<f64>(bars, &ctx, peer.as_ref().ok(), size)?;
    }
    Ok(())
}

fn functions(criterion: &mut Criterion) -> Result<()> {
    let ctx = Context::open(&device_name())?;
    let mut group = criterion.benchmark_group("gemm");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2));
    for n in [256, 1024] {
        let [a, b] = [1, 2].map(|seed| data::varied(n * n, seed));
        let a = Tensor::from_slice(&ctx, &[n, n], &a)?;
        let b = Tensor::from_slice(&ctx, &[n, n], &b)?;
        let run = || {
            ops::matmul(&a, &b).expect("a launch");
            ctx.device().sync().expect("a run");
        };
        group.bench_function(format!("f32 {n}"), |b| b.iter(run));
    }
    group.finish();
    Ok(())
}

/// A kind that both libraries multiply.
trait Real: Element + Copy + Into<f64> {
    const SYMBOL: &'static str;
    fn from_f32(x: f32) -> Self;
}

impl Real for f32 {
    const SYMBOL: &'static str = "cblas_sgemm";
    fn from_f32(x: f32) -> f32 {
        x
    }
}

impl Real for f64 {
    const SYMBOL: &'static str = "cblas_dgemm";
    fn from_f32(x: f32) -> f64 {
        x.into()
    }
}

fn measure<T: Real>(
    bars: &mut Bars,
    ctx: &Context,
    peer: Option<&Peer>,
    size: [usize; 3],
) -> Result<()> {
    let [m, n, k] = size;
    let name = match m == n && n == k {
        true => format!("gemm {} {n}", T::DTYPE),
        false => format!("gemm {} {m}x{n}x{k}", T::DTYPE),
    };
    if !bars.wants(&name) {
        return Ok(());
    }
    let host = |count, seed| -> Vec<T> {
        let values = data::varied(count, seed).into_iter();
        values.map(T::from_f32).collect()
    };
    let (a, b) = (host(m * k, 1), host(k * n, 2));
    let mut c = vec![T::from_f32(0.0); m * n];
    let (ta, tb) = (
        Tensor::from_slice(ctx, &[m, k], &a)?,
        Tensor::from_slice(ctx, &[k, n], &b)?,
    );
    check(&name, size, &a, &b, &ops::matmul(&ta, &tb)?.to_vec::<T>()?)?;
    let ours = rested(|| {
        ops::matmul(&ta, &tb)?;
        Ok(ctx.device().sync()?)
    });
    let rate = 2.0 * (m * n * k) as f64 / 1e9;
    let Some(peer) = peer else {
        let [ours] = interleave(ROUNDS, [ours])?;
        bars.note(&name, ours.against(&ours, |t, _| rate / t), "GFLOP/s");
        return Ok(());
    };
    peer.multiply(size, &a, &b, &mut c)?;
    check("OpenBLAS", size, &a, &b, &c)?;
    let theirs = rested(|| peer.multiply(size, &a, &b, &mut c));
    let [ours, theirs] = interleave(ROUNDS, [ours, theirs])?;
    let speed = ours.against(&theirs, |ours, theirs| theirs / ours);
    bars.judge(&name, speed, "of OpenBLAS's speed", Bar::AtLeast(BAR));
    bars.note(&name, ours.against(&ours, |t, _| rate / t), "GFLOP/s");
    bars.note(
        "OpenBLAS",
        theirs.against(&theirs, |t, _| rate / t),
        "GFLOP/s",
    );
    Ok(())
}

/// A contender that is timed after a pause and a run.
fn rested<'a>(mut work: impl FnMut() -> Result<()> + 'a) -> Round<'a> {
    Box::new(move || {
        std::thread::sleep(PAUSE);
        work()?;
        let start = Instant::now();
        work()?;
        Ok(start.elapsed())
    })
}

/// Rows and columns here and there are right, within the operator's limit.
fn check<T: Real>(what: &str, [m, n, k]: [usize; 3], a: &[T], b: &[T], c: &[T]) -> Result<()> {
    let eps = match T::DTYPE.bytes() {
        4 => f64::from(f32::EPSILON),
        _ => f64::EPSILON,
    };
    for row in (0..m).step_by(41).chain([m - 1]) {
        for column in (0..n).step_by(37).chain([n - 1]) {
            let (mut sum, mut size) = (0.0, 0.0);
            for i in 0..k {
                let term = a[row * k + i].into() * b[i * n + column].into();
                sum += term;
                size += f64::abs(term);
            }
            let got: f64 = c[row * n + column].into();
            let near = (got - sum).abs() <= k as f64 * eps * size;
            ensure!(near, "{what}: element {row}, {column} is {got}, not {sum}");
        }
    }
    Ok(())
}

/// OpenBLAS.
struct Peer(Library);

type Gemm<T> = unsafe extern "C" fn(
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    T,
    *const T,
    c_int,
    *const T,
    c_int,
    T,
    *mut T,
    c_int,
);

impl Peer {
    fn load() -> std::result::Result<Peer, libloading::Error> {
        let named = std::env::var("SUANZI_OPENBLAS").ok();
        let file = named.unwrap_or_else(|| "libopenblas.so.0".into());
        // SAFETY: OpenBLAS starts threads when it is loaded, and does nothing else.
        unsafe { Library::new(file) }.map(Peer)
    }

    /// Its version and kernel.
    fn name(&self) -> Result<String> {
        // SAFETY: the function is of this type, and returns a static string.
        let text = unsafe {
            let config: Symbol<'_, unsafe extern "C" fn() -> *const std::ffi::c_char> =
                self.0.get(b"openblas_get_config\0")?;
            std::ffi::CStr::from_ptr(config())
        };
        Ok(text.to_string_lossy().trim().to_string())
    }

    /// `c = a · b`, row-major.
    fn multiply<T: Real>(
        &self,
        [m, n, k]: [usize; 3],
        a: &[T],
        b: &[T],
        c: &mut [T],
    ) -> Result<()> {
        const ROW_MAJOR: c_int = 101;
        const PLAIN: c_int = 111;
        let fits = [a.len(), b.len(), c.len()] == [m * k, k * n, m * n];
        ensure!(fits, "matrices that fit");
        let int = |d: usize| d as c_int;
        let (one, zero) = (T::from_f32(1.0), T::from_f32(0.0));
        // SAFETY: the function is of this type, and the matrices hold what the lengths say.
        unsafe {
            let gemm: Symbol<'_, Gemm<T>> = self.0.get(T::SYMBOL.as_bytes())?;
            gemm(
                ROW_MAJOR,
                PLAIN,
                PLAIN,
                int(m),
                int(n),
                int(k),
                one,
                a.as_ptr(),
                int(k),
                b.as_ptr(),
                int(n),
                zero,
                c.as_mut_ptr(),
                int(n),
            );
        }
        Ok(())
    }
}
