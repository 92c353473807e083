//! Many threads at once, and both sides of a fork.

mod common;

use common::*;
use std::time::{Duration, Instant};

type Gemm = unsafe extern "C" fn(
    *const u8,
    *const u8,
    *const i32,
    *const i32,
    *const i32,
    *const f64,
    *const f64,
    *const i32,
    *const f64,
    *const i32,
    *const f64,
    *mut f64,
    *const i32,
);
type Dot = unsafe extern "C" fn(*const i32, *const f64, *const i32, *const f64, *const i32) -> f64;

/// Multiplies a matrix by the identity and checks the result, bit for bit.
fn multiply(n: usize, seed: u64) {
    let gemm: Gemm = symbol("dgemm_");
    let mut r = Random(seed);
    let a: Vec<f64> = (0..n * n).map(|_| r.next()).collect();
    let one: Vec<f64> = (0..n * n)
        .map(|e| f64::from(u8::from(e / n == e % n)))
        .collect();
    let mut c = vec![f64::NAN; n * n];
    let i = n as i32;
    // SAFETY: all are n x n.
    unsafe {
        gemm(
            b"N".as_ptr(),
            b"N".as_ptr(),
            &i,
            &i,
            &i,
            &1.0,
            a.as_ptr(),
            &i,
            one.as_ptr(),
            &i,
            &0.0,
            c.as_mut_ptr(),
            &i,
        );
    }
    assert!(c == a);
}

/// The number of elements, as a sum of ones: exact.
fn count(n: usize) {
    let dot: Dot = symbol("ddot_");
    let x = vec![1.0; n];
    // SAFETY: both have n elements.
    let sum = unsafe { dot(&(n as i32), x.as_ptr(), &1, x.as_ptr(), &1) };
    assert_eq!(sum, n as f64);
}

#[test]
fn threads_at_once() {
    let end = Instant::now() + Duration::from_secs(3);
    std::thread::scope(|s| {
        for t in 0..16u64 {
            s.spawn(move || {
                let mut calls = 0;
                while Instant::now() < end {
                    multiply(
                        [5, 40, 150, 260][(t + calls) as usize % 4],
                        t * 1000 + calls,
                    );
                    count([10, 1000, 300_000][calls as usize % 3]);
                    calls += 1;
                }
                assert!(calls > 0);
            });
        }
    });
}

#[test]
fn both_sides_of_a_fork() {
    multiply(300, 1); // the pool of threads exists
    // SAFETY: the child only calls BLAS, and leaves without running the parent's exit handlers.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            let fine = std::panic::catch_unwind(|| {
                multiply(300, 2);
                count(1_000_000);
            });
            libc::_exit(if fine.is_ok() { 0 } else { 1 });
        }
        multiply(300, 3);
        let mut status = -1;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        assert!(
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
            "status {status}"
        );
    }
}
