//! Bars: the drop-in BLAS on the host against OpenBLAS, both loaded as programs load them, on the
//! same data. Level 3 at least its speed from n = 256 up and 0.8 of it for n = 8 to 64; levels 1
//! and 2 at least 0.9, call overhead included.
//!
//! `cargo build --release -p suanzi-blas-dropin` comes first (or `SUANZI_BLAS_LIBRARY` names the
//! library). `SUANZI_BENCH_OPENBLAS` names the other one. OpenBLAS 0.3.21 does not know newer
//! processors: where AVX-512 is present, and `OPENBLAS_CORETYPE` is not set, its best kernels are
//! asked for. `SUANZI_BLAS_THREADS` and `OPENBLAS_NUM_THREADS` should be the same, or both unset.

use libloading::Library;
use std::ffi::c_void;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use suanzi_bench::{Bar, Bars, Result, Round, Spread, ensure, interleave};

/// Every argument of a Fortran routine is an address; those that it does not have are ignored.
type Routine = unsafe extern "C" fn(
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
);

/// Types, routine, arguments.
type Row = (&'static str, &'static str, &'static str);

/// What is measured: types, routine, and arguments. Quoted letters are options; `n` the size (and
/// every leading dimension), `1` an increment, `s` a scalar, `x` and `y` vectors, `A` to `C`
/// matrices, `t` a triangle whose products stay what they are; `m` is -1, `o` one, `z` zero.
const LEVEL1: &[Row] = &[
    ("sdcz", "axpy", "n s x 1 y 1"),
    ("sdcz", "copy", "n x 1 y 1"),
    ("sdcz", "swap", "n x 1 y 1"),
    ("sdcz", "scal", "n m x 1"),
    ("sd", "dot", "n x 1 y 1"),
    ("cz", "dotc", "n x 1 y 1"),
    ("sd", "nrm2", "n x 1"),
    ("sd", "asum", "n x 1"),
    ("sd", "rot", "n x 1 y 1 o z"),
];
const IAMAX: &[Row] = &[("sdcz", "amax", "n x 1")];
const LEVEL2: &[Row] = &[
    ("sdcz", "gemv", "'N n n s A n x 1 o y 1"),
    ("sdcz", "gemv", "'T n n s A n x 1 o y 1"),
    ("sd", "ger", "n n s x 1 y 1 A n"),
    ("cz", "geru", "n n s x 1 y 1 A n"),
    ("sd", "symv", "'U n s A n x 1 o y 1"),
    ("sd", "symv", "'L n s A n x 1 o y 1"),
    ("cz", "hemv", "'L n s A n x 1 o y 1"),
    ("sd", "syr", "'L n s x 1 A n"),
    ("sd", "syr2", "'U n s x 1 y 1 A n"),
    ("sd", "spmv", "'U n s A x 1 o y 1"),
    ("sdcz", "trmv", "'L 'N 'N n t n x 1"),
    ("sdcz", "trmv", "'U 'T 'N n t n x 1"),
    ("sdcz", "trsv", "'L 'N 'N n t n x 1"),
    ("sdcz", "trsv", "'U 'T 'N n t n x 1"),
];
const LEVEL3: &[Row] = &[
    ("sdcz", "gemm", "'N 'N n n n s A n B n z C n"),
    ("sdcz", "gemm", "'T 'N n n n s A n B n o C n"),
    ("sdcz", "gemm", "'N 'T n n n s A n B n o C n"),
    ("sdcz", "symm", "'L 'U n n s A n B n z C n"),
    ("cz", "hemm", "'R 'L n n s A n B n z C n"),
    ("sdcz", "syrk", "'L 'N n n s A n z C n"),
    ("sd", "syrk", "'U 'T n n s A n z C n"),
    ("cz", "herk", "'L 'C n n s A n z C n"),
    ("sdcz", "syr2k", "'U 'N n n s A n B n z C n"),
    ("sdcz", "trmm", "'L 'L 'N 'N n n o t n B n"),
    ("sdcz", "trmm", "'R 'U 'T 'N n n o t n B n"),
    ("sdcz", "trsm", "'L 'L 'N 'N n n o t n B n"),
    ("sdcz", "trsm", "'R 'L 'T 'N n n o t n B n"),
    ("sdcz", "trsm", "'L 'U 'N 'N n n o t n B n"),
];

const ROUNDS: usize = 15;
/// A round takes about so long at least.
const ROUND: Duration = Duration::from_micros(400);

fn main() -> ExitCode {
    #[cfg(target_arch = "x86_64")]
    if std::env::var_os("OPENBLAS_CORETYPE").is_none() && is_x86_feature_detected!("avx512bw") {
        // OpenBLAS only sees what its process was started with, so it is started again.
        let again = std::env::current_exe().map(|exe| {
            let mut command = std::process::Command::new(exe);
            command
                .args(std::env::args_os().skip(1))
                .env("OPENBLAS_CORETYPE", "SkylakeX")
                .exec()
        });
        eprintln!("dropin: not started again: {again:?}");
        return ExitCode::FAILURE;
    }
    suanzi_bench::run(bars, |_| Ok(()))
}

fn library() -> PathBuf {
    let beside = || {
        let exe = std::env::current_exe().unwrap_or_default();
        exe.ancestors()
            .nth(2)
            .map(|p| p.join("libsuanzi_blas.so"))
            .unwrap_or_default()
    };
    std::env::var_os("SUANZI_BLAS_LIBRARY").map_or_else(beside, PathBuf::from)
}

fn bars(bars: &mut Bars) -> Result<()> {
    let ours = library();
    ensure!(
        ours.exists(),
        "{} is not there: cargo build --release -p suanzi-blas-dropin",
        ours.display()
    );
    let theirs = std::env::var("SUANZI_BENCH_OPENBLAS")
        .unwrap_or_else(|_| "/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3".into());
    // SAFETY: both are BLAS libraries.
    let libraries = unsafe { [Library::new(ours)?, Library::new(theirs)?] };
    let sizes1 = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];
    let sizes2 = [1, 4, 16, 50, 100, 300, 1000, 3000];
    let sizes3 = [8, 16, 24, 32, 48, 64, 128, 256, 512, 1024];
    for (prefix, table, sizes, bar) in [
        ("", LEVEL1, &sizes1[..], |_| 0.9),
        ("i", IAMAX, &sizes1[..], |_| 0.9),
        ("", LEVEL2, &sizes2[..], |_| 0.9),
        ("", LEVEL3, &sizes3[..], |n| if n < 256 { 0.8 } else { 1.0 }),
    ] as [(&str, &[Row], &[usize], fn(usize) -> f64); 4]
    {
        for &(letters, routine, arguments) in table {
            let options: String = arguments.split('\'').skip(1).map(|w| &w[..1]).collect();
            for (letter, &n) in letters
                .chars()
                .flat_map(|l| sizes.iter().map(move |n| (l, n)))
            {
                let name = format!("{prefix}{letter}{routine} {options} {n}");
                if bars.wants(&name) {
                    let symbol = format!("{prefix}{letter}{routine}_");
                    let ratio = compare(&libraries, &symbol, letter, arguments, n)?;
                    bars.judge(&name, ratio, "of OpenBLAS", Bar::AtLeast(bar(n)));
                }
            }
        }
    }
    Ok(())
}

/// Numbers, in the type of this letter.
fn numbers(letter: char, count: usize, f: impl Fn(usize) -> f64) -> Vec<u8> {
    let parts = if matches!(letter, 'c' | 'z') { 2 } else { 1 };
    let reals = (0..count).flat_map(|e| (0..parts).map(move |p| (e, p)));
    let reals = reals.map(|(e, p)| if p == 0 { f(e) } else { f(e) * 0.5 });
    match letter {
        's' | 'c' => reals.flat_map(|r| (r as f32).to_ne_bytes()).collect(),
        _ => reals.flat_map(f64::to_ne_bytes).collect(),
    }
}

/// Their seconds by ours.
fn compare(
    libraries: &[Library; 2],
    symbol: &str,
    letter: char,
    arguments: &str,
    n: usize,
) -> Result<Spread> {
    let wave = |e: usize| (e % 1013) as f64 / 1013.0 - 0.4;
    let mut memory: Vec<Vec<u8>> = arguments
        .split(' ')
        .map(|word| match word {
            "n" => (n as i64).to_ne_bytes().to_vec(),
            "1" => 1i64.to_ne_bytes().to_vec(),
            "s" => numbers(letter, 1, |_| 1e-3),
            // OpenBLAS leaves out a multiplication by one.
            "m" => numbers(letter, 1, |_| -1.0),
            // One and zero, without an imaginary part.
            "o" | "z" => {
                let real = if matches!(letter, 's' | 'c') {
                    's'
                } else {
                    'd'
                };
                let first = if word == "o" { 1.0 } else { 0.0 };
                numbers(real, 2, |e| if e == 0 { first } else { 0.0 })
            }
            "x" | "y" => numbers(letter, n, wave),
            "t" => {
                let mut t = numbers(letter, n * n, |e| if e % n == e / n { 1.0 } else { 0.0 });
                let size = t.len() / (n * n);
                if matches!(letter, 'c' | 'z') {
                    for e in 0..n {
                        t[e * (n + 1) * size + size / 2..][..size / 2].fill(0);
                    }
                }
                t
            }
            option if option.starts_with('\'') => option.as_bytes()[1..].to_vec(),
            _ => numbers(letter, n * n, wave),
        })
        .collect();
    let mut at = [std::ptr::null_mut::<c_void>(); 13];
    for (at, memory) in at.iter_mut().zip(&mut memory) {
        *at = memory.as_mut_ptr().cast();
    }
    // SAFETY: the tables give the routines' arguments.
    let call = |f: Routine| unsafe {
        f(
            at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8], at[9], at[10], at[11],
            at[12],
        );
    };
    let mut contenders = Vec::new();
    let mut reps = 1;
    for library in libraries {
        // SAFETY: as above.
        let f: Routine = unsafe { *library.get(symbol.as_bytes())? };
        call(f);
        let start = Instant::now();
        let mut calls = 0;
        while start.elapsed() < ROUND {
            call(f);
            calls += 1;
        }
        reps = reps.max(calls);
        contenders.push(f);
    }
    let round = |f: Routine| -> Round<'_> {
        Box::new(move || {
            let start = Instant::now();
            (0..reps).for_each(|_| call(f));
            Ok(start.elapsed())
        })
    };
    let [ours, theirs] = interleave(ROUNDS, [round(contenders[0]), round(contenders[1])])?;
    Ok(ours.against(&theirs, |ours, theirs| theirs / ours))
}
