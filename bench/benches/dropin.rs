//! Bars: the drop-in BLAS on the host against OpenBLAS, both loaded as programs load them, on the
//! same data, with one thread each and with all cores. Level 3 at least its speed from n = 256 up and
//! 0.8 of it for n = 8 to 64; levels 1 and 2 at least 0.9, call overhead included.
//!
//! `cargo build --release -p suanzi-blas-dropin` comes first (or `SUANZI_BLAS_LIBRARY` names the
//! library). `SUANZI_BENCH_OPENBLAS` names the other one. OpenBLAS 0.3.21 does not know newer
//! processors: where AVX-512 is present, and `OPENBLAS_CORETYPE` is not set, its best kernels are
//! asked for. Both libraries read their number of threads once, so each number has a process of its
//! own; with `SUANZI_BLAS_THREADS` set there is only that one.

use libloading::Library;
use std::ffi::c_void;
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

/// What is measured: types, routine (`?` stands for the type), and arguments. Quoted letters are
/// options; `n` the size (and every leading dimension), `k` the diagonals beside the main one of a band,
/// on each side, `l` its leading dimension and `w` that of a band with both sides; `1` an increment,
/// `s` a scalar and `r` a real one, `x` and `y` vectors, `A` to `C` matrices, `t` a triangle whose
/// products stay what they are, `u` and `v` such a band with its diagonal in the last row and in the
/// first, `p` and `q` a packed one, upper and lower; `m` is -1, `o` one, `z` zero, `h` a rotation's
/// five parameters.
const LEVEL1: &[Row] = &[
    ("sdcz", "?axpy", "n s x 1 y 1"),
    ("sdcz", "?copy", "n x 1 y 1"),
    ("sdcz", "?swap", "n x 1 y 1"),
    ("sdcz", "?scal", "n m x 1"),
    ("c", "?sscal", "n m x 1"),
    ("z", "?dscal", "n m x 1"),
    ("sd", "?dot", "n x 1 y 1"),
    ("cz", "?dotu", "n x 1 y 1"),
    ("cz", "?dotc", "n x 1 y 1"),
    ("s", "d?dot", "n x 1 y 1"),
    ("s", "sd?dot", "n r x 1 y 1"),
    ("sd", "?nrm2", "n x 1"),
    ("c", "s?nrm2", "n x 1"),
    ("z", "d?nrm2", "n x 1"),
    ("sd", "?asum", "n x 1"),
    ("c", "s?asum", "n x 1"),
    ("z", "d?asum", "n x 1"),
    ("sdcz", "i?amax", "n x 1"),
    ("sd", "?rot", "n x 1 y 1 o z"),
    ("c", "?srot", "n x 1 y 1 o z"),
    ("z", "?drot", "n x 1 y 1 o z"),
    ("sd", "?rotm", "n x 1 y 1 h"),
];
const LEVEL2: &[Row] = &[
    ("sdcz", "?gemv", "'N n n s A n x 1 o y 1"),
    ("sdcz", "?gemv", "'T n n s A n x 1 o y 1"),
    ("cz", "?gemv", "'C n n s A n x 1 o y 1"),
    ("sd", "?ger", "n n s x 1 y 1 A n"),
    ("cz", "?geru", "n n s x 1 y 1 A n"),
    ("cz", "?gerc", "n n s x 1 y 1 A n"),
    ("sd", "?symv", "'U n s A n x 1 o y 1"),
    ("sd", "?symv", "'L n s A n x 1 o y 1"),
    ("cz", "?hemv", "'U n s A n x 1 o y 1"),
    ("cz", "?hemv", "'L n s A n x 1 o y 1"),
    ("sd", "?syr", "'U n r x 1 A n"),
    ("sd", "?syr", "'L n r x 1 A n"),
    ("cz", "?her", "'L n r x 1 A n"),
    ("sd", "?syr2", "'U n s x 1 y 1 A n"),
    ("cz", "?her2", "'L n s x 1 y 1 A n"),
    ("sd", "?spmv", "'U n s A x 1 o y 1"),
    ("cz", "?hpmv", "'L n s A x 1 o y 1"),
    ("sd", "?spr", "'U n r x 1 A"),
    ("cz", "?hpr", "'L n r x 1 A"),
    ("sd", "?spr2", "'L n s x 1 y 1 A"),
    ("cz", "?hpr2", "'U n s x 1 y 1 A"),
    ("sdcz", "?trmv", "'L 'N 'N n t n x 1"),
    ("sdcz", "?trmv", "'U 'T 'N n t n x 1"),
    ("sdcz", "?trsv", "'L 'N 'N n t n x 1"),
    ("sdcz", "?trsv", "'U 'T 'N n t n x 1"),
    ("sdcz", "?tpmv", "'U 'N 'N n p x 1"),
    ("sdcz", "?tpsv", "'L 'T 'N n q x 1"),
];
/// Band matrices of 8 diagonals on a side.
const BANDS: &[Row] = &[
    ("sdcz", "?gbmv", "'N n n k k s A w x 1 o y 1"),
    ("sdcz", "?gbmv", "'T n n k k s A w x 1 o y 1"),
    ("sd", "?sbmv", "'U n k s A l x 1 o y 1"),
    ("cz", "?hbmv", "'L n k s A l x 1 o y 1"),
    ("sdcz", "?tbmv", "'U 'N 'N n k u l x 1"),
    ("sdcz", "?tbsv", "'L 'T 'N n k v l x 1"),
];
const LEVEL3: &[Row] = &[
    ("sdcz", "?gemm", "'N 'N n n n s A n B n z C n"),
    ("sdcz", "?gemm", "'T 'N n n n s A n B n o C n"),
    ("sdcz", "?gemm", "'N 'T n n n s A n B n o C n"),
    ("sdcz", "?symm", "'L 'U n n s A n B n z C n"),
    ("cz", "?hemm", "'R 'L n n s A n B n z C n"),
    ("sdcz", "?syrk", "'L 'N n n s A n z C n"),
    ("sd", "?syrk", "'U 'T n n s A n z C n"),
    ("cz", "?herk", "'L 'C n n r A n z C n"),
    ("sdcz", "?syr2k", "'U 'N n n s A n B n z C n"),
    ("cz", "?her2k", "'L 'N n n s A n B n z C n"),
    ("sdcz", "?trmm", "'L 'L 'N 'N n n o t n B n"),
    ("sdcz", "?trmm", "'R 'U 'T 'N n n o t n B n"),
    ("sdcz", "?trsm", "'L 'L 'N 'N n n o t n B n"),
    ("sdcz", "?trsm", "'R 'L 'T 'N n n o t n B n"),
    ("sdcz", "?trsm", "'L 'U 'N 'N n n o t n B n"),
];

/// Rounds, but for calls so long that these take too long: then at least a third of them.
const ROUNDS: usize = 15;
const LONG: Duration = Duration::from_millis(30);
/// Until idle threads sleep: OpenBLAS's are told to do so after 2^20 cycles.
const PAUSE: Duration = Duration::from_millis(1);
/// A round takes about so long at least.
const ROUND: Duration = Duration::from_micros(400);

fn main() -> ExitCode {
    let measuring = std::env::args().any(|a| a == "--bench");
    if measuring && std::env::var_os("SUANZI_BLAS_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        let counts = if cores > 1 { vec![1, cores] } else { vec![1] };
        let failed = counts.into_iter().filter(|&n| !with_threads(n)).count();
        return ExitCode::from(u8::from(failed > 0));
    }
    suanzi_bench::run(bars, |_| Ok(()))
}

/// This program once more, with so many threads in both libraries: whether it succeeded.
fn with_threads(n: usize) -> bool {
    let run = || {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1));
        for name in ["SUANZI_BLAS_THREADS", "OPENBLAS_NUM_THREADS"] {
            command.env(name, n.to_string());
        }
        command.env("OPENBLAS_THREAD_TIMEOUT", "20");
        #[cfg(target_arch = "x86_64")]
        if std::env::var_os("OPENBLAS_CORETYPE").is_none() && is_x86_feature_detected!("avx512bw") {
            command.env("OPENBLAS_CORETYPE", "SkylakeX");
        }
        command.status()
    };
    match run() {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("dropin: not started again: {error}");
            false
        }
    }
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
    let threads = std::env::var("SUANZI_BLAS_THREADS").unwrap_or_default();
    let sizes1 = [
        1, 4, 10, 16, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000,
    ];
    let sizes2 = [1, 4, 16, 50, 100, 300, 1000, 3000];
    let sizes3 = [8, 16, 24, 32, 48, 64, 256, 512, 1024];
    for (level, table, sizes, bar) in [
        ("level1", LEVEL1, &sizes1[..], |_| 0.9),
        ("level2", LEVEL2, &sizes2[..], |_| 0.9),
        ("level2", BANDS, &sizes1[..8], |_| 0.9),
        ("level3", LEVEL3, &sizes3[..], |n| {
            if n < 256 { 0.8 } else { 1.0 }
        }),
    ] as [(&str, &[Row], &[usize], fn(usize) -> f64); 4]
    {
        for &(letters, routine, arguments) in table {
            let options: String = arguments.split('\'').skip(1).map(|w| &w[..1]).collect();
            for (letter, &n) in letters
                .chars()
                .flat_map(|l| sizes.iter().map(move |n| (l, n)))
            {
                let routine = routine.replace('?', &letter.to_string());
                let name = [level, &routine, &options, &n.to_string(), &threads];
                let name = name.map(String::from).into_iter().filter(|w| !w.is_empty());
                let name = format!("{}t", name.collect::<Vec<_>>().join(" "));
                if bars.wants(&name) {
                    let ratio = compare(&libraries, &format!("{routine}_"), letter, arguments, n)?;
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
    let real = if matches!(letter, 's' | 'c') {
        's'
    } else {
        'd'
    };
    let side = 8.min(n - 1);
    // The unit matrix, where `diagonal` says which of `count` elements are on its diagonal.
    let unit = |count: usize, diagonal: &dyn Fn(usize) -> bool| {
        let mut t = numbers(letter, count, |e| f64::from(u8::from(diagonal(e))));
        if letter != real {
            let half = t.len() / count / 2;
            t.chunks_exact_mut(half)
                .skip(1)
                .step_by(2)
                .for_each(|im| im.fill(0));
        }
        t
    };
    let mut memory: Vec<Vec<u8>> = arguments
        .split(' ')
        .map(|word| match word {
            "n" => (n as i64).to_ne_bytes().to_vec(),
            "k" => (side as i64).to_ne_bytes().to_vec(),
            "l" => (side as i64 + 1).to_ne_bytes().to_vec(),
            "w" => (2 * side as i64 + 1).to_ne_bytes().to_vec(),
            "1" => 1i64.to_ne_bytes().to_vec(),
            "s" => numbers(letter, 1, |_| 1e-3),
            // OpenBLAS leaves out a multiplication by one.
            "m" => numbers(letter, 1, |_| -1.0),
            // One and zero, without an imaginary part.
            "o" | "z" => {
                let first = if word == "o" { 1.0 } else { 0.0 };
                numbers(real, 2, |e| if e == 0 { first } else { 0.0 })
            }
            "r" => numbers(real, 1, |_| 1e-3),
            "h" => numbers(real, 5, |e| [-1.0, 1.0, 0.0, 0.0, 1.0][e]),
            "x" | "y" => numbers(letter, n, wave),
            "t" => unit(n * n, &|e| e % n == e / n),
            "u" => unit(n * (side + 1), &|e| e % (side + 1) == side),
            "v" => unit(n * (side + 1), &|e| e % (side + 1) == 0),
            // The diagonal of column j is at j(j+3)/2, and counted from the end as well.
            "p" | "q" => {
                let count = n * (n + 1) / 2;
                let ends: std::collections::HashSet<usize> =
                    (0..n).map(|j| j * (j + 3) / 2).collect();
                let lower = word == "q";
                unit(count, &|e| {
                    ends.contains(&if lower { count - 1 - e } else { e })
                })
            }
            option if option.starts_with('\'') => option.as_bytes()[1..].to_vec(),
            _ if arguments.contains('k') => numbers(letter, n * (2 * side + 1), wave),
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
    let mut longest = Duration::ZERO;
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
        longest = longest.max(start.elapsed() / calls);
        contenders.push(f);
    }
    let rounds = if longest < LONG { ROUNDS } else { ROUNDS / 3 };
    let alone = std::env::var("SUANZI_BLAS_THREADS").as_deref() == Ok("1");
    let round = |f: Routine| -> Round<'_> {
        Box::new(move || {
            if !alone {
                // The other library's idle threads look for work for a while; then ours are called.
                std::thread::sleep(PAUSE);
                call(f);
            }
            let start = Instant::now();
            (0..reps).for_each(|_| call(f));
            Ok(start.elapsed())
        })
    };
    let [ours, theirs] = interleave(rounds, [round(contenders[0]), round(contenders[1])])?;
    Ok(ours.against(&theirs, |ours, theirs| theirs / ours))
}
