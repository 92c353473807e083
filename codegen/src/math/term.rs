//! Notation: values of a kernel under construction, with the operators of Rust.
//!
//! `(x * y + 1.0).sqrt()` reads better than four calls of a builder, and builds the same.

use crate::builder::Builder;
use crate::ir::{BinOp, CastMode, UnOp, Value};
use crate::types::{Scalar, Type};
use std::cell::RefCell;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Shl, Shr, Sub};

/// A value under construction: float, integer or bool, of any lanes.
#[derive(Clone, Copy)]
pub struct Term<'t> {
    b: &'t RefCell<Builder>,
    v: Value,
}

/// Builds a formula of `args`.
pub fn formula<const N: usize>(
    b: &mut Builder,
    args: [Value; N],
    f: impl for<'t> FnOnce([Term<'t>; N]) -> Term<'t>,
) -> Value {
    let cell = RefCell::new(std::mem::replace(b, Builder::new("", [1; 3])));
    let v = f(args.map(|v| Term { b: &cell, v })).v;
    *b = cell.into_inner();
    v
}

/// What may stand beside a term: another one, or a constant of its type.
pub trait Operand<'t>: Copy {
    /// As a term of the type of `like`.
    fn term(self, like: Term<'t>) -> Term<'t>;
}

impl<'t> Operand<'t> for Term<'t> {
    fn term(self, _: Term<'t>) -> Term<'t> {
        self
    }
}

impl<'t> Operand<'t> for f64 {
    fn term(self, like: Term<'t>) -> Term<'t> {
        like.build(|b| b.float(b.ty(like.v), self))
    }
}

impl<'t> Operand<'t> for i64 {
    fn term(self, like: Term<'t>) -> Term<'t> {
        like.build(|b| b.int(b.ty(like.v), self))
    }
}

impl<'t> Term<'t> {
    fn build(self, f: impl FnOnce(&mut Builder) -> Value) -> Term<'t> {
        Term {
            b: self.b,
            v: f(&mut self.b.borrow_mut()),
        }
    }

    fn un(self, op: UnOp) -> Term<'t> {
        self.build(|b| b.un(op, self.v))
    }

    fn bin(self, op: BinOp, other: impl Operand<'t>) -> Term<'t> {
        let other = other.term(self);
        self.build(|b| b.bin(op, self.v, other.v))
    }

    /// What a function of a builder makes of it.
    pub fn apply(self, f: impl FnOnce(&mut Builder, Value) -> Value) -> Term<'t> {
        self.build(|b| f(b, self.v))
    }

    /// Its type.
    pub fn ty(self) -> Type {
        self.b.borrow().ty(self.v)
    }

    /// True for f64 (and 64-bit integers).
    pub fn is_wide(self) -> bool {
        self.ty().scalar.bytes() == 8
    }

    /// One of two, for f32 and for f64.
    pub fn pick<T>(self, single: T, double: T) -> T {
        if self.is_wide() { double } else { single }
    }

    /// A constant of the same type.
    pub fn c(self, constant: impl Operand<'t>) -> Term<'t> {
        constant.term(self)
    }

    /// Infinity.
    pub fn infinity(self) -> Term<'t> {
        self.c(f64::INFINITY)
    }

    /// NaN.
    pub fn nan(self) -> Term<'t> {
        self.c(f64::NAN)
    }

    // Floats.

    /// `self * factor + addend`, rounded once.
    pub fn fma(self, factor: impl Operand<'t>, addend: impl Operand<'t>) -> Term<'t> {
        let (x, y) = (factor.term(self), addend.term(self));
        self.build(|b| b.fma(self.v, x.v, y.v))
    }

    /// `self * factor + addend`, where it does not matter how often this is rounded: fused in f32;
    /// two operations in f64, where a device that has no fused one would spend hundreds on it.
    pub fn mul_add(self, factor: impl Operand<'t>, addend: impl Operand<'t>) -> Term<'t> {
        match self.is_wide() {
            true => self * factor + addend,
            false => self.fma(factor, addend),
        }
    }

    /// The same number, which no optimiser can see through: a sum behind a fence is not merged with
    /// the operations before it. (The bits are bounded by those of the greatest quiet NaN, which
    /// changes nothing but the payload of other NaNs.)
    pub fn fence(self) -> Term<'t> {
        let top = self.pick(0xffc0_0000, 0xfff8_0000_0000_0000u64 as i64);
        self.bits().min(top).float()
    }

    /// Magnitude.
    pub fn abs(self) -> Term<'t> {
        self.un(UnOp::Abs)
    }

    /// Square root.
    pub fn sqrt(self) -> Term<'t> {
        self.un(UnOp::Sqrt)
    }

    /// Rounded to nearest, ties to even.
    pub fn rint(self) -> Term<'t> {
        self.un(UnOp::Rint)
    }

    /// Rounded down.
    pub fn floor(self) -> Term<'t> {
        self.un(UnOp::Floor)
    }

    /// Rounded towards zero.
    pub fn trunc(self) -> Term<'t> {
        self.un(UnOp::Trunc)
    }

    /// True for NaN.
    pub fn is_nan(self) -> Term<'t> {
        self.un(UnOp::IsNan)
    }

    /// True for infinities of both signs.
    pub fn is_inf(self) -> Term<'t> {
        self.un(UnOp::IsInf)
    }

    /// The bits, as an unsigned integer.
    pub fn bits(self) -> Term<'t> {
        let kind = self.ty().scalar.to_unsigned();
        self.build(|b| b.bitcast(self.v, kind))
    }

    /// The bits, as a signed integer.
    pub fn signed(self) -> Term<'t> {
        let kind = self.ty().scalar.to_signed();
        self.build(|b| b.bitcast(self.v, kind))
    }

    // Integers.

    /// The float that has these bits.
    pub fn float(self) -> Term<'t> {
        let kind = self.pick(Scalar::F32, Scalar::F64);
        self.build(|b| b.bitcast(self.v, kind))
    }

    /// The value of an integer as a float of its size.
    pub fn to_float(self) -> Term<'t> {
        let kind = self.pick(Scalar::F32, Scalar::F64);
        self.build(|b| b.cast(self.v, kind, CastMode::Wrap))
    }

    /// As another kind, as [`CastMode::Wrap`] says.
    pub fn cast(self, kind: Scalar) -> Term<'t> {
        self.build(|b| b.cast(self.v, kind, CastMode::Wrap))
    }

    /// Upper half of a product.
    pub fn mul_hi(self, other: impl Operand<'t>) -> Term<'t> {
        self.bin(BinOp::MulHi, other)
    }

    /// Leading zeros.
    pub fn clz(self) -> Term<'t> {
        self.un(UnOp::Clz)
    }

    /// The smaller.
    pub fn min(self, other: impl Operand<'t>) -> Term<'t> {
        self.bin(BinOp::Min, other)
    }

    /// The larger.
    pub fn max(self, other: impl Operand<'t>) -> Term<'t> {
        self.bin(BinOp::Max, other)
    }

    // Bools.

    /// `self = other`.
    pub fn eq(self, other: impl Operand<'t>) -> Term<'t> {
        self.bin(BinOp::Eq, other)
    }

    /// `self ≠ other`.
    pub fn ne(self, other: impl Operand<'t>) -> Term<'t> {
        self.bin(BinOp::Ne, other)
    }

    /// `self < other`.
    pub fn lt(self, other: impl Operand<'t>) -> Term<'t> {
        self.bin(BinOp::Lt, other)
    }

    /// `self ≤ other`.
    pub fn le(self, other: impl Operand<'t>) -> Term<'t> {
        self.bin(BinOp::Le, other)
    }

    /// `self > other`.
    pub fn gt(self, other: impl Operand<'t>) -> Term<'t> {
        self.bin(BinOp::Gt, other)
    }

    /// `self ≥ other`.
    pub fn ge(self, other: impl Operand<'t>) -> Term<'t> {
        self.bin(BinOp::Ge, other)
    }

    /// `yes` where this holds, else `no`; constants take the type of the other one.
    pub fn select<Y: Operand<'t>, N: Operand<'t>>(self, yes: Y, no: N) -> Term<'t>
    where
        (Y, N): Choice<'t>,
    {
        let (yes, no) = (yes, no).terms();
        self.build(|b| b.select(self.v, yes.v, no.v))
    }
}

impl<'t> Term<'t> {
    /// Where this holds, what `rare` computes replaces `usual`. If it holds in no lane nothing is
    /// computed: for what is rare and costly.
    pub fn rarely<const N: usize>(
        self,
        usual: [Term<'t>; N],
        rare: impl FnOnce() -> [Term<'t>; N],
    ) -> [Term<'t>; N] {
        let lanes = (0..self.ty().lanes).map(|lane| self.build(|b| b.extract(self.v, lane)));
        let any = lanes.reduce(|any, lane| any | lane).unwrap_or(self);
        let mut outer = self.b.replace(Builder::new("", [1; 3]));
        let vars = usual.map(|u| outer.var(u.v));
        outer.if_(any.v, |b| {
            // While the block is open the terms' builder is the one that stands in it.
            std::mem::swap(b, &mut self.b.borrow_mut());
            for ((var, usual), rare) in vars.into_iter().zip(usual).zip(rare()) {
                let chosen = self.select(rare, usual);
                self.b.borrow_mut().set(var, chosen.v);
            }
            std::mem::swap(b, &mut self.b.borrow_mut());
        });
        self.b.replace(outer);
        vars.map(|var| self.build(|b| b.get(var)))
    }
}

/// Two alternatives, at least one of which has a type.
pub trait Choice<'t> {
    /// As terms of one type.
    fn terms(self) -> (Term<'t>, Term<'t>);
}

impl<'t> Choice<'t> for (Term<'t>, Term<'t>) {
    fn terms(self) -> (Term<'t>, Term<'t>) {
        self
    }
}

macro_rules! choice {
    ($($constant:ty)*) => {$(
        impl<'t> Choice<'t> for (Term<'t>, $constant) {
            fn terms(self) -> (Term<'t>, Term<'t>) {
                (self.0, self.0.c(self.1))
            }
        }
        impl<'t> Choice<'t> for ($constant, Term<'t>) {
            fn terms(self) -> (Term<'t>, Term<'t>) {
                (self.1.c(self.0), self.1)
            }
        }
    )*};
}
choice!(f64 i64);

macro_rules! operators {
    ($($trait:ident $name:ident;)*) => {$(
        impl<'t, O: Operand<'t>> $trait<O> for Term<'t> {
            type Output = Term<'t>;
            fn $name(self, other: O) -> Term<'t> {
                self.bin(BinOp::$trait, other)
            }
        }
    )*};
}
operators! { Add add; Sub sub; Mul mul; Div div; Shl shl; Shr shr; }

macro_rules! bit_operators {
    ($($trait:ident $name:ident $op:ident;)*) => {$(
        impl<'t, O: Operand<'t>> $trait<O> for Term<'t> {
            type Output = Term<'t>;
            fn $name(self, other: O) -> Term<'t> {
                self.bin(BinOp::$op, other)
            }
        }
    )*};
}
bit_operators! { BitAnd bitand And; BitOr bitor Or; BitXor bitxor Xor; }

macro_rules! constant_first {
    ($($constant:ty: $trait:ident $name:ident;)*) => {$(
        impl<'t> $trait<Term<'t>> for $constant {
            type Output = Term<'t>;
            fn $name(self, other: Term<'t>) -> Term<'t> {
                other.c(self).bin(BinOp::$trait, other)
            }
        }
    )*};
}
constant_first! {
    f64: Add add; f64: Sub sub; f64: Mul mul; f64: Div div;
    i64: Add add; i64: Sub sub;
}

impl<'t> Neg for Term<'t> {
    type Output = Term<'t>;
    fn neg(self) -> Term<'t> {
        self.un(UnOp::Neg)
    }
}

impl<'t> Not for Term<'t> {
    type Output = Term<'t>;
    fn not(self) -> Term<'t> {
        self.un(UnOp::Not)
    }
}
