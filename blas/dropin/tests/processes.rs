//! Many threads at once, of all routines and types mixed, and both sides of a fork. Every result is
//! checked. `SUANZI_TEST_SECONDS` says how long the threads go on.

mod common;

use common::model::{Call, Spec};
use common::routines::Abi;
use common::*;
use num_complex::Complex;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// A routine of level 2 or 3 and one of level 1, drawn like their type, caller and operands.
fn mixed(r: &mut Random) {
    fn of_type<T: Element>(spec: &Spec, length: usize, r: &mut Random) {
        Call::<T>::new(spec).run_and_check().unwrap();
        vectors::check::<T>(length, r);
    }
    let mut pick = |from: usize| ((r.next() + 1.0) / 2.0 * from as f64) as usize;
    let largest = [8, 30, 30, 60, 150][pick(5)];
    let spec = Spec {
        routine: pick(1000),
        abi: [Abi::Fortran, Abi::ColumnMajor, Abi::RowMajor][pick(3)],
        letters: std::array::from_fn(|_| pick(6) as u8),
        sizes: std::array::from_fn(|_| 1 + pick(largest) as i32),
        pads: std::array::from_fn(|_| pick(4) as i32),
        increments: std::array::from_fn(|_| [1, 1, -1, 2, -3][pick(5)]),
        scalars: std::array::from_fn(|_| pick(6) as u8),
        seed: pick(1 << 30) as u64,
    };
    let longest = [20, 300, 5000, 200_000][pick(4)];
    let length = 1 + pick(longest);
    match pick(4) {
        0 => of_type::<f32>(&spec, length, r),
        1 => of_type::<f64>(&spec, length, r),
        2 => of_type::<Complex<f32>>(&spec, length, r),
        _ => of_type::<Complex<f64>>(&spec, length, r),
    }
}

#[test]
fn threads_at_once() {
    let seconds = std::env::var("SUANZI_TEST_SECONDS").map_or(3, |s| s.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let work = |t: u64| {
        let mut r = Random(t);
        let mut calls = 0;
        while Instant::now() < end || calls == 0 {
            mixed(&mut r);
            multiply(
                [5, 40, 150, 260][(t + calls) as usize % 4],
                t * 1000 + calls,
            );
            count([10, 1000, 300_000][calls as usize % 3]);
            calls += 1;
        }
        4 * calls
    };
    let calls: u64 = std::thread::scope(|s| {
        let threads: Vec<_> = (0..16).map(|t| s.spawn(move || work(t))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    println!("{calls} calls from 16 threads in {seconds} s");
}

/// Forks; the child calls, and then the parent. A child that hangs is ended after a minute.
fn fork_and_call(seed: u64) {
    let calls = |seed: u64| {
        multiply(300, seed);
        count(1_000_000);
        let mut r = Random(seed);
        (0..20).for_each(|_| mixed(&mut r));
    };
    // SAFETY: the child only calls BLAS, and leaves without running the parent's exit handlers.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            libc::alarm(60);
            let fine = std::panic::catch_unwind(|| calls(seed));
            libc::_exit(if fine.is_ok() { 0 } else { 1 });
        }
        calls(seed + 1);
        let mut status = -1;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        assert!(
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
            "status {status}"
        );
    }
}

#[test]
fn both_sides_of_a_fork() {
    multiply(300, 1); // the pool of threads exists
    fork_and_call(2);
}

/// The child has only the thread that forked, whatever the others were in the midst of.
#[test]
fn fork_while_threads_call() {
    multiply(300, 1);
    let done = AtomicBool::new(false);
    std::thread::scope(|s| {
        for t in 0..4 {
            let done = &done;
            s.spawn(move || {
                let mut r = Random(100 + t);
                while !done.load(Ordering::Relaxed) {
                    mixed(&mut r);
                    multiply(260, t);
                }
            });
        }
        // Whatever happens here, the others end.
        let outcome = std::panic::catch_unwind(|| (0..10).for_each(|i| fork_and_call(10 * i)));
        done.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
}
