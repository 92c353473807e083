//! The expressions of a random kernel: a pool of values in scope, and new ones made from them.
//!
//! Under [`Floats::Exact`] each float value carries a bound, its [`Grid`], and operations whose
//! result might not be exact get tamed operands.

use super::{Floats, Rng, Spec};
use crate::builder::Builder;
use crate::ir::*;
use crate::types::Scalar::{self, *};
use crate::types::Type;

/// A float value is a multiple of 2^-`fraction` below 2^`magnitude` in size. Other values do not
/// use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub magnitude: u32,
    pub fraction: u32,
}

/// What floats in memory and in variables keep to.
pub const AT_REST: Grid = Grid {
    magnitude: 3,
    fraction: 2,
};

/// Small integers: products and sums of three of them are exact in every kind.
const TAME: Grid = Grid {
    magnitude: 3,
    fraction: 0,
};

impl Grid {
    /// All values of the grid are values of the kind, and normal or zero.
    fn fits(self, s: Scalar) -> bool {
        let (digits, magnitude, fraction) = match s {
            F16 => (11, 15, 14),
            Bf16 => (8, 60, 60),
            F32 => (24, 60, 60),
            _ => (53, 200, 200),
        };
        self.magnitude + self.fraction <= digits
            && self.magnitude <= magnitude
            && self.fraction <= fraction
    }

    fn within(self, other: Grid) -> bool {
        self.magnitude <= other.magnitude && self.fraction <= other.fraction
    }

    /// Holds the values of both.
    fn join(self, other: Grid) -> Grid {
        Grid {
            magnitude: self.magnitude.max(other.magnitude),
            fraction: self.fraction.max(other.fraction),
        }
    }

    fn wider(self, bits: u32) -> Grid {
        Grid {
            magnitude: self.magnitude + bits,
            ..self
        }
    }

    fn times(self, other: Grid) -> Grid {
        Grid {
            magnitude: self.magnitude + other.magnitude,
            fraction: self.fraction + other.fraction,
        }
    }
}

/// A value in scope.
#[derive(Clone, Copy)]
pub struct Known {
    pub value: Value,
    pub ty: Type,
    pub grid: Grid,
}

/// Memory with known content.
#[derive(Clone, Copy)]
pub struct Array {
    pub place: Place,
    pub elem: Scalar,
    pub len: u32,
}

/// Values, variables and memory that can be used where the builder stands.
pub struct Values<'a> {
    pub spec: &'a Spec,
    pub rng: Rng,
    pub pool: Vec<Known>,
    pub vars: Vec<(Id, Type)>,
    /// Memory that may be loaded from.
    pub arrays: Vec<Array>,
}

/// Bits of a scalar: often special, and at rest if floats are to be exact.
pub fn scalar_bits(rng: &mut Rng, s: Scalar, floats: Floats) -> u64 {
    let r = rng.bits();
    let mask = u64::MAX >> (64 - s.bits());
    if s.is_float() && floats == Floats::Exact {
        return float_bits(s, ((r % 63) as f64 - 31.0) / 4.0);
    }
    match r >> 60 {
        5..=9 if s.is_float() => float_bits(s, (r % 2001) as f64 / 8.0 - 125.0),
        0 => 0,
        1 => mask,
        2 => mask >> 1,
        3 => mask ^ (mask >> 1),
        4 => 1,
        5..=9 => r & mask & 0xff,
        _ => r & mask,
    }
}

/// The bits of a float.
fn float_bits(s: Scalar, x: f64) -> u64 {
    match s {
        F16 => half::f16::from_f64(x).to_bits().into(),
        Bf16 => half::bf16::from_f64(x).to_bits().into(),
        F32 => (x as f32).to_bits().into(),
        _ => x.to_bits(),
    }
}

const FLOAT_UNARY: &[UnOp] = &[
    UnOp::Neg,
    UnOp::Abs,
    UnOp::Floor,
    UnOp::Ceil,
    UnOp::Trunc,
    UnOp::Rint,
    UnOp::Sqrt,
];
const INT_UNARY: &[UnOp] = &[UnOp::Neg, UnOp::Abs, UnOp::Not, UnOp::Popcount, UnOp::Clz];
const COMPARISONS: &[BinOp] = &[
    BinOp::Eq,
    BinOp::Ne,
    BinOp::Lt,
    BinOp::Le,
    BinOp::Gt,
    BinOp::Ge,
];
const FLOAT_BINARY: &[BinOp] = &[
    BinOp::Add,
    BinOp::Sub,
    BinOp::Mul,
    BinOp::Min,
    BinOp::Max,
    BinOp::Rem,
    BinOp::Div,
];
const INT_BINARY: &[BinOp] = &[
    BinOp::Add,
    BinOp::Sub,
    BinOp::Mul,
    BinOp::Min,
    BinOp::Max,
    BinOp::Rem,
    BinOp::Div,
    BinOp::And,
    BinOp::Or,
    BinOp::Xor,
    BinOp::Shl,
    BinOp::Shr,
    BinOp::MulHi,
];
const LOGIC: &[BinOp] = &[BinOp::And, BinOp::Or, BinOp::Xor];
const MODES: &[CastMode] = &[CastMode::Saturate, CastMode::Wrap];

impl Values<'_> {
    fn exact(&self) -> bool {
        self.spec.floats == Floats::Exact
    }

    /// Makes a value known.
    pub fn know(&mut self, b: &Builder, value: Value, grid: Grid) -> Known {
        let ty = b.ty(value);
        let grid = if self.exact() { grid } else { AT_REST };
        let known = Known { value, ty, grid };
        if self.lasts(ty) {
            self.pool.push(known);
        }
        known
    }

    /// Whether values of a type may be used later on, when a barrier may have come between.
    pub fn lasts(&self, ty: Type) -> bool {
        self.spec.lasting_masks || ty.scalar != Bool || ty.lanes == 1
    }

    /// A kind that may occur.
    pub fn kind(&mut self) -> Scalar {
        match self.rng.once_in(8) {
            true => self.rng.one(&[Bool, U32]),
            false => self.rng.one(&self.spec.kinds),
        }
    }

    /// A type that may occur; scalars are the most frequent.
    pub fn any_type(&mut self) -> Type {
        let scalar = self.kind();
        scalar.x(self.rng.one(&[1, 1, 1, 1, 2, 2, 4, 4, 8, 16]))
    }

    /// Bits of a scalar, for constants and for memory.
    pub fn bits(&mut self, s: Scalar) -> u64 {
        scalar_bits(&mut self.rng, s, self.spec.floats)
    }

    /// A constant.
    pub fn constant(&mut self, b: &mut Builder, ty: Type) -> Known {
        let bits = self.bits(ty.scalar);
        let value = b.bits(ty, bits);
        self.know(b, value, AT_REST)
    }

    /// A value of a type: mostly one in scope, late ones first.
    pub fn any(&mut self, b: &mut Builder, ty: Type) -> Known {
        let same = self.pool.iter().filter(|k| k.ty == ty);
        let same: Vec<Known> = same.copied().collect();
        if same.is_empty() || self.rng.once_in(6) {
            return self.fresh(b, ty);
        }
        let n = same.len();
        let back = self.rng.below(n).min(self.rng.below(n));
        same[n - 1 - back]
    }

    /// A new value of a type.
    fn fresh(&mut self, b: &mut Builder, ty: Type) -> Known {
        match self.rng.below(6) {
            0 if ty.lanes > 1 => {
                let part = self.any(b, ty.scalar.x(1));
                let value = b.splat(part.value, ty.lanes);
                self.know(b, value, part.grid)
            }
            1 if ty.lanes > 1 => {
                let first = self.any(b, ty.scalar.x(1));
                let second = self.any(b, ty.scalar.x(1));
                let mut parts = vec![first.value; ty.lanes.into()];
                parts[self.rng.below(ty.lanes.into())] = second.value;
                let value = b.compose(&parts);
                self.know(b, value, first.grid.join(second.grid))
            }
            0 | 1 => {
                let wide = |k: &&Known| k.ty.scalar == ty.scalar && k.ty.lanes > 1;
                match self.pool.iter().rev().find(wide).copied() {
                    Some(k) => {
                        let lane = self.rng.below(k.ty.lanes.into()) as u8;
                        let value = b.extract(k.value, lane);
                        self.know(b, value, k.grid)
                    }
                    None => self.constant(b, ty),
                }
            }
            2 => match self.load(b, ty) {
                Some(known) => known,
                None => self.constant(b, ty),
            },
            3 | 4 => self.converted(b, ty),
            _ => match self.vars.iter().rev().find(|v| v.1 == ty) {
                Some(&(id, _)) => {
                    let value = b.get(id);
                    self.know(b, value, AT_REST)
                }
                None => self.constant(b, ty),
            },
        }
    }

    /// A load of a type, if some memory in scope has its kind and enough elements.
    pub fn load(&mut self, b: &mut Builder, ty: Type) -> Option<Known> {
        let fits = |a: &&Array| a.elem == ty.scalar && a.len >= ty.lanes.into();
        let fit: Vec<Array> = self.arrays.iter().filter(fits).copied().collect();
        if fit.is_empty() {
            return None;
        }
        let array = self.rng.one(&fit);
        let (index, aligned) = self.index(b, array.len, ty.lanes);
        let value = b.load(array.place, index, ty.lanes, aligned);
        Some(self.know(b, value, AT_REST))
    }

    /// An index of `lanes` elements that lie in `len`, and whether it is a multiple of `lanes`.
    pub fn index(&mut self, b: &mut Builder, len: u32, lanes: u8) -> (Value, bool) {
        let kinds = match self.spec.kinds.contains(&U64) {
            true => &[U32, U32, U64][..],
            false => &[U32],
        };
        let kind = self.rng.one(kinds);
        let from = self.any(b, kind.x(1));
        let aligned = self.rng.once_in(2);
        let lanes = u32::from(lanes);
        let places = match aligned {
            true => len / lanes,
            false => len - lanes + 1,
        };
        let places = b.int(kind, places.into());
        let index = b.bin(BinOp::Rem, from.value, places);
        match aligned {
            true => {
                let lanes = b.int(kind, lanes.into());
                (b.mul(index, lanes), true)
            }
            false => (index, false),
        }
    }

    /// A cast (or the same bits) of a value with the same lanes.
    fn converted(&mut self, b: &mut Builder, ty: Type) -> Known {
        let same = |k: &&Known| k.ty.lanes == ty.lanes && k.ty != ty;
        let same: Vec<Known> = self.pool.iter().filter(same).copied().collect();
        if same.is_empty() {
            return self.constant(b, ty);
        }
        let from = self.rng.one(&same);
        let bits = from.ty.scalar.bytes() == ty.scalar.bytes()
            && from.ty.scalar != Bool
            && ty.scalar != Bool
            // The bits of a NaN are anybody's guess; any bits are no number of the grid.
            && (self.exact() || !from.ty.scalar.is_float())
            && !(self.exact() && ty.scalar.is_float());
        if bits && self.rng.once_in(2) {
            let value = b.bitcast(from.value, ty.scalar);
            return self.know(b, value, AT_REST);
        }
        let mode = self.rng.one(MODES);
        let mut grid = from.grid;
        let mut value = from.value;
        if ty.scalar.is_float() && self.exact() {
            if from.ty.scalar == Bool {
                grid = TAME;
            } else if from.ty.scalar.is_int() {
                let seven = b.int(from.ty, 7);
                value = b.bin(BinOp::And, value, seven);
                grid = TAME;
            } else if !grid.fits(ty.scalar) {
                let tame = self.tame(b, from);
                (value, grid) = (tame.value, tame.grid);
            }
        }
        let value = b.cast(value, ty.scalar, mode);
        self.know(b, value, grid)
    }

    /// A small integer made from a float.
    fn tame(&mut self, b: &mut Builder, k: Known) -> Known {
        if !self.exact() || k.grid.within(TAME) {
            return k;
        }
        let (low, high) = (b.float(k.ty, -7.0), b.float(k.ty, 7.0));
        let value = b.bin(BinOp::Max, k.value, low);
        let value = b.bin(BinOp::Min, value, high);
        let value = b.un(UnOp::Trunc, value);
        self.know(b, value, TAME)
    }

    /// The value, or one made from it that may lie in memory.
    pub fn at_rest(&mut self, b: &mut Builder, k: Known) -> Value {
        match k.ty.scalar.is_float() && self.exact() && !k.grid.within(AT_REST) {
            true => self.tame(b, k).value,
            false => k.value,
        }
    }

    /// A new value from an operation.
    pub fn operation(&mut self, b: &mut Builder) -> Known {
        let ty = self.any_type();
        let s = ty.scalar;
        let a = self.any(b, ty);
        match self.rng.below(10) {
            0..=1 if s == Bool => {
                let value = b.un(UnOp::Not, a.value);
                self.know(b, value, AT_REST)
            }
            0..=1 if s.is_float() => self.float_unary(b, a),
            0..=1 => {
                let op = self.rng.one(INT_UNARY);
                let value = b.un(op, a.value);
                self.know(b, value, AT_REST)
            }
            2 => {
                let other = self.any(b, ty);
                let op = match s {
                    Bool => self.rng.one(&COMPARISONS[..2]),
                    _ => self.rng.one(COMPARISONS),
                };
                let value = b.bin(op, a.value, other.value);
                self.know(b, value, AT_REST)
            }
            3 => {
                let cond = self.any(b, ty.to_bool());
                let other = self.any(b, ty);
                let value = b.select(cond.value, a.value, other.value);
                self.know(b, value, a.grid.join(other.grid))
            }
            4 => self.converted(b, ty),
            5 if s.is_float() => self.fma(b, a),
            _ if s == Bool => {
                let other = self.any(b, ty);
                let op = self.rng.one(LOGIC);
                let value = b.bin(op, a.value, other.value);
                self.know(b, value, AT_REST)
            }
            _ if s.is_float() => self.float_binary(b, a),
            _ => {
                let other = self.any(b, ty);
                let wide = s.bytes() >= 4;
                let ops = &INT_BINARY[..INT_BINARY.len() - usize::from(!wide)];
                let op = self.rng.one(ops);
                let value = b.bin(op, a.value, other.value);
                self.know(b, value, AT_REST)
            }
        }
    }

    fn float_unary(&mut self, b: &mut Builder, a: Known) -> Known {
        let op = self.rng.one(FLOAT_UNARY);
        let up = a.grid.wider(1);
        let (a, grid) = match op {
            UnOp::Neg | UnOp::Abs => (a, a.grid),
            UnOp::Sqrt if self.exact() => {
                let a = self.tame(b, a);
                let square = b.mul(a.value, a.value);
                (self.know(b, square, TAME.times(TAME)), TAME)
            }
            _ if up.fits(a.ty.scalar) => (a, Grid { fraction: 0, ..up }),
            _ => (self.tame(b, a), TAME.wider(1)),
        };
        let test = self.rng.below(12);
        let op = match test {
            0 => UnOp::IsNan,
            1 => UnOp::IsInf,
            _ => op,
        };
        let value = b.un(op, a.value);
        self.know(b, value, grid)
    }

    fn float_binary(&mut self, b: &mut Builder, a: Known) -> Known {
        let s = a.ty.scalar;
        let op = self.rng.one(FLOAT_BINARY);
        let other = self.any(b, a.ty);
        let result = |a: Grid, c: Grid| match op {
            BinOp::Add | BinOp::Sub => a.join(c).wider(1),
            BinOp::Mul => a.times(c),
            _ => a.join(c),
        };
        if !self.exact() {
            let value = b.bin(op, a.value, other.value);
            return self.know(b, value, AT_REST);
        }
        if matches!(op, BinOp::Div | BinOp::Rem) {
            // A divisor that is a power of two: nothing is lost, and nothing is NaN.
            let a = self.tame(b, a);
            let divisor = self.rng.one(&[-4.0, -2.0, 2.0, 4.0]);
            let divisor = b.float(a.ty, divisor);
            let value = b.bin(op, a.value, divisor);
            return self.know(b, value, AT_REST);
        }
        let (a, c) = match result(a.grid, other.grid).fits(s) {
            true => (a, other),
            false => (self.tame(b, a), self.tame(b, other)),
        };
        let value = b.bin(op, a.value, c.value);
        self.know(b, value, result(a.grid, c.grid))
    }

    fn fma(&mut self, b: &mut Builder, a: Known) -> Known {
        let (x, y) = (self.any(b, a.ty), self.any(b, a.ty));
        let result = |a: Known, x: Known, y: Known| a.grid.times(x.grid).join(y.grid).wider(1);
        let (a, x, y) = match self.exact() && !result(a, x, y).fits(a.ty.scalar) {
            true => (self.tame(b, a), self.tame(b, x), self.tame(b, y)),
            false => (a, x, y),
        };
        let value = b.fma(a.value, x.value, y.value);
        self.know(b, value, result(a, x, y))
    }
}
