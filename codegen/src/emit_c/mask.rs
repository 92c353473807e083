//! Vectors of bool: each is a vector of signed integers, 0 or all ones, as wide as what it was made
//! from. A comparison of f32 and the selection of f32 by it then need no conversion, which compilers
//! turn into long sequences; where widths meet, the narrower is widened.

use super::print::{Printer, Text};
use crate::ir::*;
use crate::types::{Scalar, Type};

/// The kind where nothing else says: variables, vectors made of scalars.
pub const DEFAULT: Scalar = Scalar::I32;

/// The kind of each value that is a vector of bool; none for constants, which take any.
pub fn kinds(kernel: &Kernel, f16_in_f32: bool) -> Vec<Option<Scalar>> {
    let mut kinds: Vec<Option<Scalar>> = Vec::with_capacity(kernel.exprs.len());
    for expr in &kernel.exprs {
        let kind = |v: Value| match kernel.ty(v).scalar {
            Scalar::Bool => kinds[v.0 as usize],
            Scalar::F16 if f16_in_f32 => Some(Scalar::I32),
            s => Some(s.to_signed()),
        };
        let own = match expr {
            Expr::Const(_) => None,
            Expr::Unary(_, a) | Expr::Cast(a, _) => kind(*a),
            Expr::Binary(_, a, b) => wider(kind(*a), kind(*b)),
            Expr::Select { yes, no, .. } => wider(kind(*yes), kind(*no)),
            _ => Some(DEFAULT),
        };
        kinds.push(own);
    }
    kinds
}

fn wider(a: Option<Scalar>, b: Option<Scalar>) -> Option<Scalar> {
    match (a, b) {
        (Some(x), Some(y)) if x.bytes() < y.bytes() => b,
        (None, _) => b,
        _ => a,
    }
}

impl Printer<'_> {
    /// The kind of a value that is a vector of bool.
    pub fn mask_kind(&self, v: Value) -> Scalar {
        self.masks[v.0 as usize].unwrap_or(DEFAULT)
    }

    /// The kind of the mask that selects among values of a type.
    pub fn selecting_kind(&self, v: Value) -> Scalar {
        match self.kernel.ty(v).scalar {
            Scalar::Bool => self.mask_kind(v),
            Scalar::F16 if self.holds_f16_in_f32() => Scalar::I32,
            s => s.to_signed(),
        }
    }

    /// A vector of bool as an operand, in a kind.
    pub fn mask_operand(&mut self, v: Value, kind: Scalar) -> Text {
        let lanes = self.kernel.ty(v).lanes;
        if let Expr::Const(c) = self.kernel.expr(v) {
            let bits = if c.bits == 0 {
                0
            } else {
                u64::MAX >> (64 - kind.bits())
            };
            return self.literal(Const { scalar: kind, bits }, lanes);
        }
        let text = self.operand(v)?;
        if self.mask_kind(v) == kind {
            return Ok(text);
        }
        self.call(self.vectors()?.convert, kind.x(lanes), &[&text])
    }

    /// The operand of an operation whose result is a given value: a mask in the result's kind,
    /// anything else as it is.
    pub fn operand_of(&mut self, result: Value, v: Value) -> Text {
        match self.kernel.ty(v) {
            Type {
                scalar: Scalar::Bool,
                lanes: 2..,
            } => self.mask_operand(v, self.mask_kind(result)),
            _ => self.operand(v),
        }
    }

    /// The type of a value, which for a vector of bool depends on the value.
    pub fn value_type(&mut self, v: Value) -> Text {
        let ty = self.kernel.ty(v);
        match ty {
            Type {
                scalar: Scalar::Bool,
                lanes: 2..,
            } => self.type_name(ty.with(self.mask_kind(v))),
            _ => self.type_name(ty),
        }
    }
}
