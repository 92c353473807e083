//! The library under test, loaded as programs load it, and references in plain loops.
#![allow(dead_code)] // each test uses its part

pub mod model;
pub mod routines;
pub mod storage;
pub mod vectors;

use libloading::Library;
use num_complex::Complex;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Complex numbers in f64: what the references compute in.
pub type C = Complex<f64>;

/// The library, built as the tests are: cargo does not build for tests what they cannot link.
pub fn path() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        // target/PROFILE/deps/TEST
        let exe = std::env::current_exe().unwrap();
        let folder = exe.parent().and_then(Path::parent).unwrap();
        // As scripts/build does, which has done it mostly: for this package alone, cargo would build
        // dependencies again, with the features that it alone asks of them.
        let mut cargo = Command::new(env!("CARGO"));
        let targets = ["--lib", "--bins", "--tests", "--examples"];
        cargo
            .args(["build", "--quiet", "--workspace"])
            .args(targets);
        if folder
            .file_name()
            .is_some_and(|profile| profile == "release")
        {
            cargo.arg("--release");
        }
        assert!(
            cargo.status().unwrap().success(),
            "the library was not built"
        );
        folder.join("libsuanzi_blas.so")
    };
    PATH.get_or_init(build).clone()
}

/// The library, with more threads than most machines that test it have cores.
pub fn blas() -> &'static Library {
    static LIB: OnceLock<Library> = OnceLock::new();
    LIB.get_or_init(|| {
        // SAFETY: all tests of a program come here first; the library is a BLAS.
        unsafe {
            std::env::set_var("SUANZI_BLAS_THREADS", "4");
            Library::new(path()).unwrap()
        }
    })
}

/// The function of this name, in the type that the caller asks for.
pub fn symbol<F: Copy>(name: &str) -> F {
    // SAFETY: the callers give each name its type.
    unsafe { *blas().get::<F>(name.as_bytes()).unwrap() }
}

/// One of the four types.
pub trait Element: Copy + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    const LETTER: char;
    const EPS: f64;
    type Real: Copy + std::fmt::Debug;
    /// How a scalar is passed in C: complex ones by address.
    type ByValue;
    fn by_value(x: &Self) -> Self::ByValue;
    fn real(x: f64) -> Self::Real;
    fn widen(x: Self::Real) -> f64;
    fn of(c: C) -> Self;
    fn c(self) -> C;
}
macro_rules! elements {
    ($($t:ty, $letter:literal, $real:ident, $by_value:ty, |$s:ident| $scalar:expr, |$c:ident| $of:expr, |$x:ident| $to:expr;)*) => {$(
        impl Element for $t {
            const LETTER: char = $letter;
            const EPS: f64 = $real::EPSILON as f64;
            type Real = $real;
            type ByValue = $by_value;
            fn by_value($s: &Self) -> $by_value { $scalar }
            fn real(x: f64) -> $real { x as $real }
            fn widen(x: $real) -> f64 { x.into() }
            fn of($c: C) -> Self { $of }
            fn c(self) -> C { let $x = self; $to }
        }
    )*};
}
elements! {
    f32, 's', f32, f32, |s| *s, |c| c.re as f32, |x| C::new(x.into(), 0.0);
    f64, 'd', f64, f64, |s| *s, |c| c.re, |x| C::new(x, 0.0);
    Complex<f32>, 'c', f32, *const Self, |s| s, |c| Complex::new(c.re as f32, c.im as f32), |x| C::new(x.re.into(), x.im.into());
    Complex<f64>, 'z', f64, *const Self, |s| s, |c| c, |x| x;
}

/// Numbers in (-1, 1), the same for the same seed.
pub struct Random(pub u64);
impl Random {
    pub fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
    pub fn element<T: Element>(&mut self) -> T {
        T::of(C::new(self.next(), self.next()))
    }
}

/// A column-major matrix with a few rows more than it should have, filled with NaN.
#[derive(Clone)]
pub struct Matrix<T> {
    pub m: usize,
    pub n: usize,
    pub ld: usize,
    pub data: Vec<T>,
}

pub const PAD: usize = 3;

impl<T: Element> Matrix<T> {
    pub fn new(m: usize, n: usize, mut f: impl FnMut(usize, usize) -> T) -> Self {
        let ld = m + PAD;
        let nan = T::of(C::new(f64::NAN, f64::NAN));
        let data = (0..ld * n)
            .map(|e| if e % ld < m { f(e % ld, e / ld) } else { nan })
            .collect();
        Matrix { m, n, ld, data }
    }
    pub fn random(m: usize, n: usize, r: &mut Random) -> Self {
        Self::new(m, n, |_, _| r.element())
    }
    pub fn at(&self, i: usize, j: usize) -> C {
        self.data[i + j * self.ld].c()
    }
    /// Nothing was written beside the matrix.
    pub fn guards_stand(&self) -> bool {
        let beside = |e: &usize| e % self.ld >= self.m;
        (0..self.data.len())
            .filter(beside)
            .all(|e| self.data[e].c().re.is_nan())
    }
}

/// op(A)[i, j] for op N, T or C.
pub fn op<T: Element>(a: &Matrix<T>, op: u8, i: usize, j: usize) -> C {
    match op {
        b'N' => a.at(i, j),
        b'T' => a.at(j, i),
        _ => a.at(j, i).conj(),
    }
}

/// Is `got` the sum of `terms` within c·k·eps of the sum of their sizes?
pub fn close<T: Element>(got: T, terms: impl Iterator<Item = C>) -> bool {
    let (mut sum, mut size, mut count) = (C::default(), 0.0, 4.0);
    for t in terms {
        sum += t;
        size += t.norm();
        count += 1.0;
    }
    (got.c() - sum).norm() <= 4.0 * count * T::EPS * size
}
