//! Where calls go. What is asked for is read once in a process, so each case is a process of its own:
//! this program again, with only its worker.

mod common;

use common::*;
use std::process::Command;

type Gemm = unsafe extern "C" fn(
    i32,
    i32,
    i32,
    i32,
    i32,
    i32,
    f64,
    *const f64,
    i32,
    *const f64,
    i32,
    f64,
    *mut f64,
    i32,
);
type Dot = unsafe extern "C" fn(i32, *const f64, i32, *const f64, i32) -> f64;

/// Products with the identity, and sums of ones: exact, wherever they are computed.
fn work() {
    let (gemm, dot): (Gemm, Dot) = (symbol("cblas_dgemm"), symbol("cblas_ddot"));
    for n in [5usize, 40] {
        let mut r = Random(n as u64);
        let a: Vec<f64> = (0..n * n).map(|_| r.next()).collect();
        let one = |e: usize| f64::from(u8::from(e / n == e % n));
        let one: Vec<f64> = (0..n * n).map(one).collect();
        let mut c = vec![f64::NAN; n * n];
        let i = n as i32;
        // SAFETY: all are n x n.
        unsafe {
            let (a, b, c) = (a.as_ptr(), one.as_ptr(), c.as_mut_ptr());
            gemm(102, 111, 111, i, i, i, 1.0, a, i, b, i, 0.0, c, i);
        }
        assert!(c == a);
        let ones = vec![1.0; n];
        // SAFETY: both have n elements.
        let sum = unsafe { dot(i, ones.as_ptr(), 1, ones.as_ptr(), 1) };
        assert_eq!(sum, n as f64);
    }
}

/// What [`run`] starts.
#[test]
fn worker() {
    if std::env::var_os("SUANZI_TEST_WORKER").is_none() {
        return;
    }
    work();
    std::thread::scope(|s| (0..8).for_each(|_| drop(s.spawn(work))));
    // SAFETY: the child only calls BLAS, and leaves without running the parent's exit handlers.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            let fine = std::panic::catch_unwind(work).is_ok();
            libc::_exit(i32::from(!fine));
        }
        let mut status = -1;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        assert_eq!(status, 0);
    }
}

/// Runs the worker: the lines that the library printed.
fn run(settings: &[(&str, &str)]) -> Vec<String> {
    path();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "worker", "--nocapture"]);
    for name in ["SUANZI_BLAS", "SUANZI_BLAS_DEVICE", "SUANZI_BLAS_LEAST"] {
        command.env_remove(name);
    }
    command
        .env("SUANZI_TEST_WORKER", "1")
        .env("SUANZI_BLAS_COUNT", "1");
    let done = command.envs(settings.iter().copied()).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{said}");
    let lines = said.lines().filter_map(|l| l.strip_prefix("suanzi-blas: "));
    lines.map(str::to_string).collect()
}

/// Nine times two sizes of each.
const ALL_HOST: [&str; 2] = ["ddot device 0 host 18", "dgemm device 0 host 18"];

#[test]
fn everything_goes_to_the_device_that_is_asked_for() {
    let said = run(&[("SUANZI_BLAS", "device"), ("SUANZI_BLAS_DEVICE", "cpu")]);
    assert_eq!(said, ["ddot device 18 host 0", "dgemm device 18 host 0"]);
}

#[test]
fn what_cannot_be_opened_is_said_once() {
    let said = run(&[
        ("SUANZI_BLAS", "device"),
        ("SUANZI_BLAS_DEVICE", "abacus:7"),
    ]);
    assert!(said[0].contains("abacus:7") && said[0].contains("the host computes"));
    // The child of the fork says it again at most.
    let counts: Vec<_> = said.iter().filter(|l| l.starts_with('d')).collect();
    assert_eq!(counts, ALL_HOST);
    assert!(said.len() <= counts.len() + 2, "{said:?}");
}

#[test]
fn by_itself_it_sends_large_products_to_a_named_device_only() {
    assert_eq!(run(&[]), ALL_HOST);
    assert_eq!(run(&[("SUANZI_BLAS_LEAST", "1000")]), ALL_HOST);
    assert_eq!(
        run(&[
            ("SUANZI_BLAS", "host"),
            ("SUANZI_BLAS_DEVICE", "cpu"),
            ("SUANZI_BLAS_LEAST", "1")
        ]),
        ALL_HOST
    );
    let said = run(&[("SUANZI_BLAS_DEVICE", "cpu"), ("SUANZI_BLAS_LEAST", "1000")]);
    assert_eq!(said, ["ddot device 0 host 18", "dgemm device 9 host 9"]);
}

#[test]
fn a_file_says_the_same_as_the_environment() {
    let folder = path().parent().unwrap().join("dropin-device-test.conf");
    std::fs::write(
        &folder,
        "# settings\nSUANZI_BLAS_DEVICE = cpu\nSUANZI_BLAS_LEAST=1000\n",
    )
    .unwrap();
    let file = folder.to_str().unwrap();
    let said = run(&[("SUANZI_BLAS_CONFIG", file)]);
    assert_eq!(said, ["ddot device 0 host 18", "dgemm device 9 host 9"]);
    let said = run(&[
        ("SUANZI_BLAS_CONFIG", file),
        ("SUANZI_BLAS_LEAST", "1000000"),
    ]);
    assert_eq!(said, ALL_HOST);
    let said = run(&[("SUANZI_BLAS_CONFIG", "/nowhere/at.all")]);
    assert!(
        said.iter().any(|l| l.contains("/nowhere/at.all")),
        "{said:?}"
    );
}
