//! Types and literals of the module.

use super::lower::{Check, Lowerer};
use crate::ir::Const;
use crate::types::{Scalar, Type};
use naga::{Expression, Handle, Literal, ScalarKind, Span, TypeInner, VectorSize};

/// The naga scalar of a kind.
pub fn scalar(s: Scalar) -> Check<naga::Scalar> {
    use ScalarKind::{Bool, Float, Sint, Uint};
    let kind = match s {
        Scalar::Bool => Bool,
        Scalar::I16 | Scalar::I32 | Scalar::I64 => Sint,
        Scalar::U16 | Scalar::U32 | Scalar::U64 => Uint,
        Scalar::F16 | Scalar::F32 | Scalar::F64 => Float,
        Scalar::I8 | Scalar::U8 | Scalar::Bf16 => {
            return Err(format!("{s} does not exist in naga: it must be legalised"));
        }
    };
    let width = s.bytes() as u8;
    Ok(naga::Scalar { kind, width })
}

/// The vector size of a lane count; `None` for a scalar.
pub fn size(lanes: u8) -> Check<Option<VectorSize>> {
    match lanes {
        1 => Ok(None),
        2 => Ok(Some(VectorSize::Bi)),
        4 => Ok(Some(VectorSize::Quad)),
        n => Err(format!("vectors of {n} lanes do not exist in naga")),
    }
}

/// A literal, or `None` where the value has none: NaN and infinities.
fn literal(c: Const) -> Option<Literal> {
    let bits = c.bits;
    Some(match c.scalar {
        Scalar::Bool => Literal::Bool(bits != 0),
        Scalar::I16 => Literal::I16(bits as i16),
        Scalar::U16 => Literal::U16(bits as u16),
        Scalar::I32 => Literal::I32(bits as i32),
        Scalar::U32 => Literal::U32(bits as u32),
        Scalar::I64 => Literal::I64(bits as i64),
        Scalar::U64 => Literal::U64(bits),
        Scalar::F16 => {
            Literal::F16(Some(half::f16::from_bits(bits as u16)).filter(|x| x.is_finite())?)
        }
        Scalar::F32 => Literal::F32(Some(f32::from_bits(bits as u32)).filter(|x| x.is_finite())?),
        Scalar::F64 => Literal::F64(Some(f64::from_bits(bits)).filter(|x| x.is_finite())?),
        Scalar::I8 | Scalar::U8 | Scalar::Bf16 => return None,
    })
}

impl Lowerer<'_> {
    /// The handle of an unnamed type.
    pub fn insert_type(&mut self, inner: TypeInner) -> Handle<naga::Type> {
        let ty = naga::Type { name: None, inner };
        self.module.types.insert(ty, Span::UNDEFINED)
    }

    /// The handle of a value type.
    pub fn value_type(&mut self, ty: Type) -> Check<Handle<naga::Type>> {
        let scalar = scalar(ty.scalar)?;
        let inner = match size(ty.lanes)? {
            None => TypeInner::Scalar(scalar),
            Some(size) => TypeInner::Vector { size, scalar },
        };
        Ok(self.insert_type(inner))
    }

    /// A scalar constant. Literals are available everywhere, so each is made once.
    pub fn constant(&mut self, c: Const) -> Check<Handle<Expression>> {
        if let Some(&h) = self.literals.get(&c) {
            return Ok(h);
        }
        let Some(literal) = literal(c) else {
            return self.non_finite(c);
        };
        let h = self.append(Expression::Literal(literal));
        self.literals.insert(c, h);
        Ok(h)
    }

    /// A u32 constant.
    pub fn u32(&mut self, value: u32) -> Check<Handle<Expression>> {
        self.constant(Const {
            scalar: Scalar::U32,
            bits: value.into(),
        })
    }

    /// NaN and infinities have no literals: their bits are cast where the builder stands.
    fn non_finite(&mut self, c: Const) -> Check<Handle<Expression>> {
        let to = scalar(c.scalar)?;
        if c.scalar == Scalar::F16 {
            // Through f32: 16-bit integers may be missing where f16 is not.
            let wide = half::f16::from_bits(c.bits as u16).to_f32();
            let f32 = self.non_finite(Const {
                scalar: Scalar::F32,
                bits: wide.to_bits().into(),
            })?;
            return Ok(self.cast(f32, to));
        }
        let bits = self.constant(Const {
            scalar: c.scalar.to_unsigned(),
            bits: c.bits,
        })?;
        Ok(self.push(Expression::As {
            expr: bits,
            kind: to.kind,
            convert: None,
        }))
    }

    /// A conversion as naga defines it.
    pub fn cast(&mut self, expr: Handle<Expression>, to: naga::Scalar) -> Handle<Expression> {
        self.push(Expression::As {
            expr,
            kind: to.kind,
            convert: Some(to.width),
        })
    }

    /// A scalar in every lane.
    pub fn splat(&mut self, value: Handle<Expression>, lanes: u8) -> Check<Handle<Expression>> {
        Ok(match size(lanes)? {
            None => value,
            Some(size) => self.push(Expression::Splat { size, value }),
        })
    }
}
