//! The options of BLAS routines, and how the two ABIs write them.

use crate::dispatch::Entry;
use crate::{Int, error};
use num_complex::Complex;

/// op(A): as it is, transposed, conjugate-transposed, or (from row-major callers only) conjugated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    N,
    T,
    C,
    R,
}

impl Op {
    /// Rows and columns are exchanged.
    pub fn trans(self) -> bool {
        matches!(self, Op::T | Op::C)
    }
    /// Elements are conjugated.
    pub fn conj(self) -> bool {
        matches!(self, Op::C | Op::R)
    }
    /// The same op, seen by a caller whose matrix is the transpose.
    pub fn of_transposed(self) -> Op {
        match self {
            Op::N => Op::T,
            Op::T => Op::N,
            Op::C => Op::R,
            Op::R => Op::C,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uplo {
    Upper,
    Lower,
}

impl Uplo {
    pub fn flip(self) -> Uplo {
        match self {
            Uplo::Upper => Uplo::Lower,
            Uplo::Lower => Uplo::Upper,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Diag {
    NonUnit,
    Unit,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Left,
    Right,
}

impl Side {
    pub fn flip(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// An option as both ABIs write it: a letter in Fortran, a number in C.
pub trait Choice: Sized + Copy + 'static {
    /// Word for the C error message.
    const NAME: &'static str;
    /// The letter, the number, the value.
    const TABLE: &'static [(u8, i32, Self)];
}

impl Choice for Op {
    const NAME: &'static str = "Trans";
    const TABLE: &'static [(u8, i32, Op)] =
        &[(b'N', 111, Op::N), (b'T', 112, Op::T), (b'C', 113, Op::C)];
}
impl Choice for Uplo {
    const NAME: &'static str = "Uplo";
    const TABLE: &'static [(u8, i32, Uplo)] = &[(b'U', 121, Uplo::Upper), (b'L', 122, Uplo::Lower)];
}
impl Choice for Diag {
    const NAME: &'static str = "Diag";
    const TABLE: &'static [(u8, i32, Diag)] =
        &[(b'N', 131, Diag::NonUnit), (b'U', 132, Diag::Unit)];
}
impl Choice for Side {
    const NAME: &'static str = "Side";
    const TABLE: &'static [(u8, i32, Side)] = &[(b'L', 141, Side::Left), (b'R', 142, Side::Right)];
}

/// An option, or what was passed instead of one.
pub type Chosen<E> = Result<E, i32>;

/// How a parameter is passed in Fortran and in C.
pub trait Param: Sized {
    /// In Fortran: always an address.
    type F: Copy;
    /// In C: by value, but for arrays and complex scalars.
    type C: Copy;
    /// # Safety
    /// The address is valid.
    unsafe fn from_fortran(f: Self::F) -> Self;
    /// # Safety
    /// An address is valid.
    unsafe fn from_c(c: Self::C) -> Self;
}

impl<E: Choice> Param for Chosen<E> {
    type F = *const u8;
    type C = i32;
    #[inline(always)]
    unsafe fn from_fortran(f: *const u8) -> Self {
        // SAFETY: the caller's promise.
        let c = unsafe { *f };
        let row = E::TABLE.iter().find(|r| r.0 == c.to_ascii_uppercase());
        row.map(|r| r.2).ok_or(c.into())
    }
    #[inline(always)]
    unsafe fn from_c(c: i32) -> Self {
        E::TABLE.iter().find(|r| r.1 == c).map(|r| r.2).ok_or(c)
    }
}

macro_rules! by_value {
    ($($t:ty)*) => {$(
        impl Param for $t {
            type F = *const $t;
            type C = $t;
            #[inline(always)]
            unsafe fn from_fortran(f: *const $t) -> $t {
                // SAFETY: the caller's promise.
                unsafe { *f }
            }
            #[inline(always)]
            unsafe fn from_c(c: $t) -> $t {
                c
            }
        }
    )*};
}
by_value!(i32 i64 f32 f64);

impl<R: Copy> Param for Complex<R> {
    type F = *const Complex<R>;
    type C = *const Complex<R>;
    #[inline(always)]
    unsafe fn from_fortran(f: Self::F) -> Self {
        // SAFETY: the caller's promise.
        unsafe { *f }
    }
    #[inline(always)]
    unsafe fn from_c(c: Self::C) -> Self {
        // SAFETY: the caller's promise.
        unsafe { *c }
    }
}

macro_rules! arrays {
    ($($t:ty)*) => {$(
        impl<T> Param for $t {
            type F = $t;
            type C = $t;
            #[inline(always)]
            unsafe fn from_fortran(f: $t) -> $t {
                f
            }
            #[inline(always)]
            unsafe fn from_c(c: $t) -> $t {
                c
            }
        }
    )*};
}
arrays!(*const T *mut T);

/// Who called: for the message of a wrong argument, and for the order of the matrices.
#[derive(Clone, Copy)]
pub struct Caller {
    /// The routine, in the type that was called.
    pub entry: &'static Entry,
    /// Through CBLAS?
    pub c: bool,
    /// Row-major matrices?
    pub row: bool,
}

impl Caller {
    /// The option at `position` (of the Fortran call); reported if it is none.
    #[inline(always)]
    pub fn choose<E: Choice>(self, position: Int, chosen: Chosen<E>) -> Option<E> {
        chosen
            .map_err(|value| error::report_choice(self, position, E::NAME, value))
            .ok()
    }

    /// Reports the first of `(position, holds)` that does not hold.
    #[inline(always)]
    pub fn check<const N: usize>(self, conditions: [(Int, bool); N]) -> Option<()> {
        let mut all = true;
        for k in 0..N {
            all &= conditions[k].1;
        }
        if all {
            Some(())
        } else {
            self.wrong(&conditions)
        }
    }

    #[cold]
    #[inline(never)]
    fn wrong(self, conditions: &[(Int, bool)]) -> Option<()> {
        let first = conditions.iter().find(|c| !c.1)?;
        error::report(self, first.0);
        None
    }
}

/// Element `i` of a vector of `n` elements whose increment may be negative: as an offset.
#[inline(always)]
pub fn start(n: usize, inc: Int) -> isize {
    if inc < 0 {
        (1 - n as isize) * inc as isize
    } else {
        0
    }
}
