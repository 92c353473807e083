//! The operations of [`super::ops`] over slots: one loop per operation and kind, found once when a
//! kernel is decoded and called through a pointer afterwards.
//!
//! Pure operations are total, so they run over all work-items, active or not; what an inactive
//! one computes is never looked at.

use super::convert::{CastFrom, CastTo, Widen};
use super::ops::*;
use super::slots::{Slots, by_kind, by_size};
use crate::ir::{BinOp, CastMode, UnOp};
use crate::types::Scalar;
use std::marker::PhantomData;

/// Slots of one operation.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    /// Result.
    pub out: u32,
    /// Arguments; unused ones are 0.
    pub args: [u32; 3],
    /// Scalars in each slot: work-items times vector lanes.
    pub n: u32,
}

/// One operation over slots.
///
/// # Safety
/// The slots hold `n` scalars of the operation's kinds, and `out` overlaps no argument.
pub type LaneFn = unsafe fn(Slots, &Operands);

/// The body behind a [`LaneFn`], inlined into each version of it.
trait LaneOp {
    /// # Safety
    /// As for [`LaneFn`].
    unsafe fn run(slots: Slots, at: &Operands);
}

/// Compiled for the build's baseline.
///
/// # Safety
/// As for [`LaneFn`].
unsafe fn baseline<O: LaneOp>(slots: Slots, at: &Operands) {
    // SAFETY: passed on.
    unsafe { O::run(slots, at) }
}

/// Compiled for wide vectors and hardware fma.
///
/// # Safety
/// As for [`LaneFn`], and the processor has these features.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,bmi2,lzcnt,popcnt")]
unsafe fn wide<O: LaneOp>(slots: Slots, at: &Operands) {
    // SAFETY: passed on.
    unsafe { O::run(slots, at) }
}

/// The version of an operation for this processor.
fn pick<O: LaneOp>() -> LaneFn {
    #[cfg(target_arch = "x86_64")]
    if super::wide_vectors() {
        return wide::<O>;
    }
    baseline::<O>
}

#[inline(always)]
fn map1<A: Copy, R>(out: &mut [R], a: &[A], f: impl Fn(A) -> R) {
    for (r, &a) in out.iter_mut().zip(a) {
        *r = f(a);
    }
}

#[inline(always)]
fn map2<A: Copy, B: Copy, R>(out: &mut [R], a: &[A], b: &[B], f: impl Fn(A, B) -> R) {
    for ((r, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *r = f(a, b);
    }
}

#[inline(always)]
fn map3<A: Copy, B: Copy, R>(out: &mut [R], a: &[A], b: &[B], c: &[B], f: impl Fn(A, B, B) -> R) {
    for (((r, &a), &b), &c) in out.iter_mut().zip(a).zip(b).zip(c) {
        *r = f(a, b, c);
    }
}

/// A [`LaneOp`] for each line: `Name<Kinds>: map(Argument kinds) -> Result kind = function`.
macro_rules! lane_ops {
    ($($name:ident<$t:ident: $bound:path>: $map:ident($($a:ty),+) -> $r:ty = $f:expr;)*) => { $(
        struct $name<$t>(PhantomData<$t>);
        impl<$t: $bound> LaneOp for $name<$t> {
            #[inline(always)]
            unsafe fn run(slots: Slots, at: &Operands) {
                let n = at.n as usize;
                let mut args = at.args.iter();
                // SAFETY: promised by the caller of `run`.
                let out = unsafe { slots.get_mut::<$r>(at.out, n) };
                $map(
                    out,
                    $({
                        let at = *args.next().unwrap_or(&0);
                        // SAFETY: promised by the caller of `run`.
                        unsafe { slots.get::<$a>(at, n) }
                    },)+
                    $f,
                );
            }
        }
    )* };
}

lane_ops! {
    Move<T: Element>: map1(T) -> T = |a| a;
    Neg<T: Number>: map1(T) -> T = T::neg;
    Abs<T: Number>: map1(T) -> T = T::abs;
    Not<T: Bits>: map1(T) -> T = T::not;
    Floor<T: Float>: map1(T) -> T = T::floor;
    Ceil<T: Float>: map1(T) -> T = T::ceil;
    Trunc<T: Float>: map1(T) -> T = T::trunc;
    Rint<T: Float>: map1(T) -> T = T::rint;
    Sqrt<T: Float>: map1(T) -> T = T::sqrt;
    IsNan<T: Float>: map1(T) -> Bool = |a| a.nan().into();
    IsInf<T: Float>: map1(T) -> Bool = |a| a.inf().into();
    Popcount<T: Int>: map1(T) -> T = T::popcount;
    Clz<T: Int>: map1(T) -> T = T::clz;
    Add<T: Number>: map2(T, T) -> T = T::add;
    Sub<T: Number>: map2(T, T) -> T = T::sub;
    Mul<T: Number>: map2(T, T) -> T = T::mul;
    Div<T: Number>: map2(T, T) -> T = T::div;
    Rem<T: Number>: map2(T, T) -> T = T::rem;
    Min<T: Number>: map2(T, T) -> T = T::min;
    Max<T: Number>: map2(T, T) -> T = T::max;
    UpperMul<T: MulHi>: map2(T, T) -> T = T::mul_hi;
    And<T: Bits>: map2(T, T) -> T = T::and;
    Or<T: Bits>: map2(T, T) -> T = T::or;
    Xor<T: Bits>: map2(T, T) -> T = T::xor;
    Shl<T: Int>: map2(T, T) -> T = T::shl;
    Shr<T: Int>: map2(T, T) -> T = T::shr;
    Eq<T: Equal>: map2(T, T) -> Bool = |a, b| a.equal(b).into();
    Ne<T: Equal>: map2(T, T) -> Bool = |a, b| (!a.equal(b)).into();
    Lt<T: Number>: map2(T, T) -> Bool = |a, b| a.less(b).into();
    Le<T: Number>: map2(T, T) -> Bool = |a, b| a.at_most(b).into();
    Gt<T: Number>: map2(T, T) -> Bool = |a, b| b.less(a).into();
    Ge<T: Number>: map2(T, T) -> Bool = |a, b| b.at_most(a).into();
    Fma<T: Float>: map3(T, T, T) -> T = T::fma;
    Select<T: Element>: map3(Bool, T, T) -> T = |c, a, b| if c.0 != 0 { a } else { b };
}

/// A cast, for a pair of kinds.
struct Cast<S, D, const WRAP: bool>(PhantomData<(S, D)>);

impl<S: Widen, D: CastFrom<S::Wide>, const WRAP: bool> LaneOp for Cast<S, D, WRAP> {
    #[inline(always)]
    unsafe fn run(slots: Slots, at: &Operands) {
        let n = at.n as usize;
        // SAFETY: promised by the caller.
        let (out, a) = unsafe { (slots.get_mut(at.out, n), slots.get::<S>(at.args[0], n)) };
        map1(out, a, |a| match WRAP {
            true => D::wrap(a.widen()),
            false => D::saturate(a.widen()),
        });
    }
}

/// The same bits in another slot.
pub fn copy(s: Scalar) -> LaneFn {
    by_size!(s, T => pick::<Move<T>>())
}

/// One operand; `None` where the kind has no such operation.
pub fn unary(op: UnOp, s: Scalar) -> Option<LaneFn> {
    match op {
        UnOp::Neg => by_kind!(numbers, s, T => pick::<Neg<T>>()),
        UnOp::Abs => by_kind!(numbers, s, T => pick::<Abs<T>>()),
        UnOp::Not => by_kind!(bits, s, T => pick::<Not<T>>()),
        UnOp::Floor => by_kind!(floats, s, T => pick::<Floor<T>>()),
        UnOp::Ceil => by_kind!(floats, s, T => pick::<Ceil<T>>()),
        UnOp::Trunc => by_kind!(floats, s, T => pick::<Trunc<T>>()),
        UnOp::Rint => by_kind!(floats, s, T => pick::<Rint<T>>()),
        UnOp::Sqrt => by_kind!(floats, s, T => pick::<Sqrt<T>>()),
        UnOp::IsNan => by_kind!(floats, s, T => pick::<IsNan<T>>()),
        UnOp::IsInf => by_kind!(floats, s, T => pick::<IsInf<T>>()),
        UnOp::Popcount => by_kind!(ints, s, T => pick::<Popcount<T>>()),
        UnOp::Clz => by_kind!(ints, s, T => pick::<Clz<T>>()),
    }
}

/// Two operands of kind `s`; `None` where the kind has no such operation.
pub fn binary(op: BinOp, s: Scalar) -> Option<LaneFn> {
    match op {
        BinOp::Add => by_kind!(numbers, s, T => pick::<Add<T>>()),
        BinOp::Sub => by_kind!(numbers, s, T => pick::<Sub<T>>()),
        BinOp::Mul => by_kind!(numbers, s, T => pick::<Mul<T>>()),
        BinOp::Div => by_kind!(numbers, s, T => pick::<Div<T>>()),
        BinOp::Rem => by_kind!(numbers, s, T => pick::<Rem<T>>()),
        BinOp::MulHi => by_kind!(words, s, T => pick::<UpperMul<T>>()),
        BinOp::Min => by_kind!(numbers, s, T => pick::<Min<T>>()),
        BinOp::Max => by_kind!(numbers, s, T => pick::<Max<T>>()),
        BinOp::And => by_kind!(bits, s, T => pick::<And<T>>()),
        BinOp::Or => by_kind!(bits, s, T => pick::<Or<T>>()),
        BinOp::Xor => by_kind!(bits, s, T => pick::<Xor<T>>()),
        BinOp::Shl => by_kind!(ints, s, T => pick::<Shl<T>>()),
        BinOp::Shr => by_kind!(ints, s, T => pick::<Shr<T>>()),
        BinOp::Eq => by_kind!(all, s, T => pick::<Eq<T>>()),
        BinOp::Ne => by_kind!(all, s, T => pick::<Ne<T>>()),
        BinOp::Lt => by_kind!(numbers, s, T => pick::<Lt<T>>()),
        BinOp::Le => by_kind!(numbers, s, T => pick::<Le<T>>()),
        BinOp::Gt => by_kind!(numbers, s, T => pick::<Gt<T>>()),
        BinOp::Ge => by_kind!(numbers, s, T => pick::<Ge<T>>()),
    }
}

/// `a * b + c`; `None` for kinds that are not floats.
pub fn fma(s: Scalar) -> Option<LaneFn> {
    by_kind!(floats, s, T => pick::<Fma<T>>())
}

/// Choice between two values of kind `s` by a bool.
pub fn select(s: Scalar) -> LaneFn {
    by_size!(s, T => pick::<Select<T>>())
}

/// Conversion; every pair of kinds has one.
pub fn cast(from: Scalar, to: Scalar, mode: CastMode) -> Option<LaneFn> {
    fn into<D: CastTo>(from: Scalar, mode: CastMode) -> Option<LaneFn> {
        by_kind!(all, from, S => match mode {
            CastMode::Saturate => pick::<Cast<S, D, false>>(),
            CastMode::Wrap => pick::<Cast<S, D, true>>(),
        })
    }
    by_kind!(all, to, D => into::<D>(from, mode))?
}

/// A function of floats defined in f64, for [`crate::intrinsics`].
pub type CallFn = unsafe fn(Slots, &[u32], u32, usize, fn(&[f64]) -> f64);

/// Calls a function defined in f64 on each lane and rounds its result to kind `s`.
pub fn call(s: Scalar) -> Option<CallFn> {
    /// # Safety
    /// As for [`LaneFn`].
    unsafe fn run<T: Float + Widen + CastFrom<f64>>(
        slots: Slots,
        args: &[u32],
        out: u32,
        n: usize,
        eval: fn(&[f64]) -> f64,
    ) where
        f64: CastFrom<T::Wide>,
    {
        let mut x = vec![0.0; args.len()];
        // SAFETY: promised by the caller.
        let out = unsafe { slots.get_mut::<T>(out, n) };
        for (i, r) in out.iter_mut().enumerate() {
            for (x, &at) in x.iter_mut().zip(args) {
                // SAFETY: promised by the caller.
                *x = f64::saturate(unsafe { slots.get::<T>(at, n) }[i].widen());
            }
            *r = T::saturate(eval(&x));
        }
    }
    by_kind!(floats, s, T => run::<T> as CallFn)
}
