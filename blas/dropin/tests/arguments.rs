//! Right and wrong arguments of every routine of levels 2 and 3, from Fortran and from C in both
//! orders: a wrong one is reported with the routine's name and the caller's own position, through
//! the program's `xerbla_` and `cblas_xerbla`, and nothing is changed; right ones give what a naive
//! model gives.

mod common;

use common::model::{Call, Spec};
use common::routines::{Abi, Value, routines};
use common::*;
use num_complex::Complex;
use proptest::prelude::*;
use std::ffi::{CStr, c_char};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// What the two functions below were told: name and position.
static TOLD: Mutex<Vec<(String, i32)>> = Mutex::new(Vec::new());

fn note(name: &[u8], position: i32) {
    let name = String::from_utf8_lossy(name).into_owned();
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    told.push((name, position));
}

/// The program's own, which the library must find. It notes the call and hands it on to the library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn xerbla_(name: *const u8, info: *const i32, len: usize) {
    let own: unsafe extern "C" fn(*const u8, *const i32, usize) = symbol("xerbla_");
    // SAFETY: the library passes a name of this length and a position.
    unsafe {
        note(std::slice::from_raw_parts(name, len), *info);
        own(name, info, len);
    }
}

/// As above; variadic in C, and all that follows fits one word.
#[unsafe(no_mangle)]
unsafe extern "C" fn cblas_xerbla(info: i32, rout: *const c_char, form: *const c_char, a: usize) {
    let own: unsafe extern "C" fn(i32, *const c_char, *const c_char, usize, usize, usize) =
        symbol("cblas_xerbla");
    // SAFETY: the library passes two strings, the second a format for one integer at most.
    unsafe {
        note(CStr::from_ptr(rout).to_bytes(), info);
        own(info, rout, form, a, 0, 0);
    }
}

/// The standard error of this process, as a file: one test at a time has it.
fn errors() -> MutexGuard<'static, File> {
    static FILE: OnceLock<Mutex<File>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        // SAFETY: a new file in memory takes the place of standard error.
        unsafe {
            let fd = libc::memfd_create(c"errors".as_ptr(), 0);
            assert!(fd >= 0 && libc::dup2(fd, 2) == 2);
            Mutex::new(File::from_raw_fd(fd))
        }
    });
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was said and noted since the last time.
fn heard(errors: &mut File) -> (String, Vec<(String, i32)>) {
    let mut text = String::new();
    errors.rewind().unwrap();
    errors.read_to_string(&mut text).unwrap();
    errors.set_len(0).unwrap();
    // SAFETY: the descriptor is the file's.
    unsafe { libc::lseek(errors.as_raw_fd(), 0, libc::SEEK_SET) };
    let told = std::mem::take(&mut *TOLD.lock().unwrap_or_else(PoisonError::into_inner));
    (text, told)
}

/// Calls, and checks what changed and what was reported. The number of wrong arguments.
fn judge<T: Element>(spec: &Spec, errors: &mut File) -> Result<usize, String> {
    let call = Call::<T>::new(spec);
    let (abi, name, mut wrong) = (call.abi, call.routine.name(), call.wrong());
    let what = format!("{name} {abi:?} {:?}", call.values);
    if abi == Abi::WrongLayout {
        wrong = vec![0];
    }
    // In C a number that is no option, or no layout, is reported at once, anything else by way of `xerbla_`.
    let is_no_option =
        |p: i32| p == 0 || matches!(call.values[p as usize - 1], Value::Letter(b'X'));
    let at_once = wrong.first().is_some_and(|&p| is_no_option(p));
    call.run_and_check()?;

    let (text, told) = heard(errors);
    let names: Vec<&str> = told.iter().map(|t| t.0.as_str()).collect();
    let (fortran, c) = (
        format!("{:6}", name.to_uppercase()),
        format!("cblas_{name}"),
    );
    let good = match wrong.first() {
        None => told.is_empty() && text.is_empty(),
        Some(&first) if abi == Abi::Fortran => {
            let entry = fortran.trim_end();
            let line =
                format!(" ** On entry to {entry} parameter number {first} had an illegal value\n");
            text == line && told == [(fortran, first)]
        }
        Some(first) => {
            let said = |p: &i32| {
                text.starts_with(&format!(
                    "Parameter {} to routine {c} was incorrect\n",
                    p + 1
                ))
            };
            // Row-major calls are checked in another order: of several, any may come first.
            if wrong.len() > 1 && abi == Abi::RowMajor {
                wrong.iter().any(said)
            } else if at_once {
                said(first) && names == [c.as_str()]
            } else {
                said(first) && names == [fortran.as_str(), c.as_str()]
            }
        }
    };
    match good {
        true => Ok(wrong.len()),
        false => Err(format!(
            "{what}: {wrong:?} wrong, but told {told:?} and said {text:?}"
        )),
    }
}

/// Which of the four types.
fn judge_type(of: usize, spec: &Spec, errors: &mut File) -> Result<usize, String> {
    match of {
        0 => judge::<f32>(spec, errors),
        1 => judge::<f64>(spec, errors),
        2 => judge::<Complex<f32>>(spec, errors),
        _ => judge::<Complex<f64>>(spec, errors),
    }
}

/// For each routine, caller, and choice of options: first all right, with the least leading
/// dimensions; then each argument wrong in turn.
#[test]
fn each_argument_wrong_in_turn() {
    let mut errors = errors();
    heard(&mut errors);
    let count = [
        routines::<f32>().len(),
        routines::<f64>().len(),
        routines::<Complex<f32>>().len(),
        routines::<Complex<f64>>().len(),
    ];
    let (mut calls, mut reported) = (0, 0);
    for (of, routine) in (0..4).flat_map(|of| (0..count[of]).map(move |r| (of, r))) {
        for abi in [Abi::Fortran, Abi::ColumnMajor, Abi::RowMajor] {
            for options in 0..81u8 {
                let letters = [options % 3, options / 3 % 3, options / 9 % 3, options / 27];
                let right = Spec {
                    routine,
                    abi,
                    letters,
                    sizes: [3, 5, 2, 1, 2],
                    pads: [0; 3],
                    increments: [1, -2],
                    scalars: [2, 2],
                    seed: options.into(),
                };
                let mut try_one = |spec: &Spec, least: usize, most: usize| {
                    let wrong = judge_type(of, spec, &mut errors).unwrap();
                    assert!((least..=most).contains(&wrong), "{spec:?}");
                    calls += 1;
                    reported += wrong;
                };
                try_one(&right, 0, 0);
                let change = |f: &dyn Fn(&mut Spec)| {
                    let mut spec = right.clone();
                    f(&mut spec);
                    spec
                };
                // Not every routine has each of them.
                for i in 0..4 {
                    try_one(&change(&|s| s.letters[i] = 255), 0, 1);
                    try_one(&change(&|s| s.letters[i] = 254), 0, 1);
                }
                for i in 0..5 {
                    try_one(&change(&|s| s.sizes[i] = -1), 0, 1);
                    try_one(&change(&|s| s.sizes[i] = 0), 0, 0);
                }
                for i in 0..3 {
                    try_one(&change(&|s| s.pads[i] = -1), 0, 1);
                }
                for i in 0..2 {
                    try_one(&change(&|s| s.increments[i] = 0), 0, 1);
                }
                if abi != Abi::Fortran {
                    try_one(&change(&|s| s.abi = Abi::WrongLayout), 1, 1);
                }
            }
        }
    }
    // All of levels 2 and 3.
    assert_eq!(count, [22, 22, 26, 26]);
    assert!(reported > calls / 4, "{reported} of {calls}");
}

fn mostly<T: std::fmt::Debug + Clone + 'static>(
    right: impl Strategy<Value = T> + 'static,
    wrong: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    prop_oneof![40 => right, 1 => wrong].boxed()
}

fn calls() -> impl Strategy<Value = (usize, Spec)> {
    let size = || mostly(prop_oneof![20 => 0..13, 1 => 13..50], -3..0);
    let letter = || mostly(prop_oneof![0..3u8, 102..105u8], 254..=255u8);
    let pad = || mostly(0..4, -2..0);
    let increment = || mostly(prop_oneof![-3..0, 1..4], Just(0));
    let abi = prop_oneof![
        Just(Abi::Fortran),
        Just(Abi::ColumnMajor),
        Just(Abi::RowMajor)
    ];
    let letters = [letter(), letter(), letter(), letter()];
    let sizes = [size(), size(), size(), size(), size()];
    let numbers = (
        [pad(), pad(), pad()],
        [increment(), increment()],
        [0..4u8, 0..4u8],
    );
    (
        0..4usize,
        0..1000usize,
        abi,
        letters,
        sizes,
        numbers,
        any::<u64>(),
    )
        .prop_map(
            |(of, routine, abi, letters, sizes, (pads, increments, scalars), seed)| {
                let spec = Spec {
                    routine,
                    abi,
                    letters,
                    sizes,
                    pads,
                    increments,
                    scalars,
                    seed,
                };
                (of, spec)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig {
        // PROPTEST_CASES asks for another number.
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_arguments((of, spec) in calls()) {
        let mut errors = errors();
        heard(&mut errors);
        judge_type(of, &spec, &mut errors).map_err(TestCaseError::fail)?;
    }
}
