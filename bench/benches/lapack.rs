//! Bars: the distribution's LAPACK over the drop-in BLAS on the host, against the same LAPACK over
//! OpenBLAS's BLAS, in one process: dgetrf and dpotrf of order 2000 at at least 0.95 of its speed.
//!
//! A LAPACK finds its BLAS by name. So each gets a copy of LAPACK of its own, which asks for a name
//! of the same length, and a folder with its BLAS under that name: the program starts itself again
//! with that folder in `LD_LIBRARY_PATH`, once for each number of threads (as `dropin` does, whose
//! variables count here too; `SUANZI_BENCH_LAPACK` names another LAPACK).

use libloading::Library;
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use suanzi_bench::{Bar, Bars, Result, Round, ensure, interleave};

/// Uplo, n, A, lda, and info; or m, n, A, lda, ipiv and info.
type Factor = unsafe extern "C" fn(
    *const c_void,
    *const c_void,
    *mut c_void,
    *const c_void,
    *mut c_void,
    *mut c_void,
);

const NEEDED: &[u8] = b"libblas.so.3\0";
const OURS: &str = "libblas.so.A";
const THEIRS: &str = "libblas.so.B";
const ORDERS: [usize; 3] = [200, 1000, 2000];
const ROUNDS: usize = 9;

fn main() -> ExitCode {
    let measuring = std::env::args().any(|a| a == "--bench");
    if measuring && std::env::var_os("SUANZI_BENCH_FOLDER").is_none() {
        return match all_threads() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("lapack: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    suanzi_bench::run(bars, |_| Ok(()))
}

/// The folder with both libraries; then this program, once for each number of threads.
fn all_threads() -> Result<bool> {
    let system = Path::new("/usr/lib/x86_64-linux-gnu");
    let named = |variable: &str, other: PathBuf| -> PathBuf {
        std::env::var_os(variable).map_or(other, PathBuf::from)
    };
    let exe = std::env::current_exe()?;
    let beside = exe.ancestors().nth(2).unwrap_or(system);
    let ours = named("SUANZI_BLAS_LIBRARY", beside.join("libsuanzi_blas.so"));
    let theirs = system.join("openblas-pthread/libblas.so.3");
    let theirs = named("SUANZI_BENCH_OPENBLAS", theirs);
    let lapack = named("SUANZI_BENCH_LAPACK", system.join("lapack/liblapack.so.3"));
    for file in [&ours, &theirs, &lapack] {
        ensure!(file.exists(), "{} is not there", file.display());
    }
    let folder = std::env::temp_dir().join(format!("suanzi-lapack-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let bytes = std::fs::read(&lapack)?;
    let at = bytes.windows(NEEDED.len()).position(|w| w == NEEDED);
    let at = at.ok_or_else(|| std::io::Error::other("this LAPACK has no libblas.so.3"))?;
    for (blas, name) in [(&ours, OURS), (&theirs, THEIRS)] {
        let mut copy = bytes.clone();
        copy[at..at + name.len()].copy_from_slice(name.as_bytes());
        std::fs::write(folder.join(format!("lapack-{name}")), copy)?;
        std::os::unix::fs::symlink(blas.canonicalize()?, folder.join(name))?;
    }
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let mut good = true;
    for n in if cores > 1 { vec![1, cores] } else { vec![1] } {
        let mut command = Command::new(&exe);
        command.args(std::env::args_os().skip(1));
        for name in ["SUANZI_BLAS_THREADS", "OPENBLAS_NUM_THREADS"] {
            command.env(name, n.to_string());
        }
        command.env("OPENBLAS_THREAD_TIMEOUT", "20");
        #[cfg(target_arch = "x86_64")]
        if std::env::var_os("OPENBLAS_CORETYPE").is_none() && is_x86_feature_detected!("avx512bw") {
            command.env("OPENBLAS_CORETYPE", "SkylakeX");
        }
        command.env("SUANZI_BENCH_FOLDER", &folder);
        command.env("LD_LIBRARY_PATH", &folder);
        good &= command.status()?.success();
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(good)
}

fn bars(bars: &mut Bars) -> Result<()> {
    let folder = PathBuf::from(std::env::var_os("SUANZI_BENCH_FOLDER").unwrap_or_default());
    let threads = std::env::var("SUANZI_BLAS_THREADS").unwrap_or_default();
    let load = |name: &str| {
        // SAFETY: both are LAPACK libraries.
        unsafe { Library::new(folder.join(format!("lapack-{name}"))) }
    };
    let libraries = [load(OURS)?, load(THEIRS)?];
    for routine in ["dgetrf", "dpotrf"] {
        for n in ORDERS {
            let name = format!("{routine} {n} {threads}t");
            if bars.wants(&name) {
                let symbol = format!("{routine}_");
                // SAFETY: both routines have six arguments, all addresses.
                let [ours, theirs] = unsafe {
                    [
                        *libraries[0].get::<Factor>(symbol.as_bytes())?,
                        *libraries[1].get::<Factor>(symbol.as_bytes())?,
                    ]
                };
                let rounds = [round(ours, routine, n), round(theirs, routine, n)];
                let [ours, theirs] = interleave(ROUNDS, rounds)?;
                let ratio = ours.against(&theirs, |ours, theirs| theirs / ours);
                match n {
                    2000 => bars.judge(&name, ratio, "of OpenBLAS", Bar::AtLeast(0.95)),
                    _ => bars.note(&name, ratio, "of OpenBLAS"),
                }
            }
        }
    }
    Ok(())
}

/// Factors a matrix that is far from singular, and checks that LAPACK says so.
fn round(factor: Factor, routine: &str, n: usize) -> Round<'static> {
    let lu = routine == "dgetrf";
    let element = |e: usize| {
        let (i, j) = (e % n, e / n);
        let wave = ((i.min(j) * 37 + i.max(j) * 101) % 1013) as f64 / 1013.0 - 0.4;
        if i == j { n as f64 } else { wave }
    };
    let matrix: Vec<f64> = (0..n * n).map(element).collect();
    let mut a = matrix.clone();
    let mut pivots = vec![0i32; n];
    Box::new(move || {
        a.copy_from_slice(&matrix);
        std::thread::sleep(Duration::from_millis(1));
        let (size, mut info) = (n as i64, -1i64);
        let order = (&raw const size).cast::<c_void>();
        let last = (&raw mut info).cast::<c_void>();
        let a = a.as_mut_ptr().cast::<c_void>();
        let start = Instant::now();
        // SAFETY: the arguments are those of the routine; the matrix has n² elements.
        unsafe {
            if lu {
                factor(order, order, a, order, pivots.as_mut_ptr().cast(), last);
            } else {
                factor(
                    b"L".as_ptr().cast(),
                    order,
                    a,
                    order,
                    last,
                    std::ptr::dangling_mut::<c_void>(),
                );
            }
        }
        let time = start.elapsed();
        ensure!(info as i32 == 0, "info is {}", info as i32);
        Ok(time)
    })
}
