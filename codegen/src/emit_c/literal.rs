//! Constants as exact literals.

use super::print::{Printer, Text};
use crate::ir::Const;
use crate::target::Support;
use crate::types::{Scalar, Type};

impl Printer<'_> {
    /// A constant of any type, as an operand.
    pub fn literal(&mut self, c: Const, lanes: u8) -> Text {
        if lanes == 1 {
            return self.scalar_literal(c);
        }
        let all = match c.scalar {
            Scalar::Bool => if c.bits != 0 { "-1" } else { "0" }.to_string(),
            s if s.is_int() && s.bytes() < 4 => signed(c).to_string(),
            Scalar::Bf16 => c.bits.to_string(),
            _ => self.scalar_literal(c)?,
        };
        self.compose(c.scalar.x(lanes), &all)
    }

    fn scalar_literal(&mut self, c: Const) -> Text {
        use Scalar::*;
        let long = self.dialect.suffix64;
        Ok(match c.scalar {
            Bool => (c.bits != 0).to_string(),
            I8 | I16 | U8 | U16 | Bf16 => {
                let ty = self.type_name(c.scalar.into())?;
                format!("(({ty}){})", parenthesised(signed(c)))
            }
            I32 if signed(c) == i64::from(i32::MIN) => "(-2147483647 - 1)".into(),
            I32 => parenthesised(signed(c)),
            I64 if signed(c) == i64::MIN => format!("(-9223372036854775807{long} - 1)"),
            I64 if signed(c) < 0 => format!("({}{long})", signed(c)),
            I64 => format!("{}{long}", c.bits),
            U32 => format!("{}u", c.bits),
            U64 => format!("{}u{long}", c.bits),
            F32 => match hex_float(c.bits, 8, 23) {
                Some(text) => negative(format!("{text}f")),
                None => {
                    let bits = format!("{:#010x}u", c.bits);
                    self.bitcast_text(&bits, U32.into(), F32.into())?
                }
            },
            F64 => match hex_float(c.bits, 11, 52) {
                Some(text) => negative(text),
                None => {
                    let bits = format!("{:#018x}u{long}", c.bits);
                    self.bitcast_text(&bits, U64.into(), F64.into())?
                }
            },
            F16 if self.target.f16 == Support::Native => {
                let u16 = self.type_name(U16.into())?;
                let bits = format!("({u16}){:#06x}", c.bits);
                self.bitcast_text(&bits, U16.into(), Type::from(F16))?
            }
            F16 => {
                let value = half::f16::from_bits(c.bits as u16).to_f32();
                self.scalar_literal(Const {
                    scalar: F32,
                    bits: value.to_bits().into(),
                })?
            }
        })
    }
}

/// The value of an integer constant (u64 as if signed); the bits of a bf16.
fn signed(c: Const) -> i64 {
    match c.scalar {
        Scalar::I8 => i64::from(c.bits as i8),
        Scalar::I16 => i64::from(c.bits as i16),
        Scalar::I32 => i64::from(c.bits as i32),
        _ => c.bits as i64,
    }
}

fn parenthesised(value: i64) -> String {
    negative(value.to_string())
}

fn negative(text: String) -> String {
    if text.starts_with('-') {
        format!("({text})")
    } else {
        text
    }
}

/// The bits of a float as a C hexadecimal literal without a suffix, or `None` for those that
/// compilers may treat otherwise than a run-time value: denormals, infinities and NaN.
fn hex_float(bits: u64, exponent_bits: u32, mantissa_bits: u32) -> Option<String> {
    let sign = if bits >> (exponent_bits + mantissa_bits) != 0 {
        "-"
    } else {
        ""
    };
    let max = (1u64 << exponent_bits) - 1;
    let exponent = (bits >> mantissa_bits) & max;
    let mantissa = bits & ((1u64 << mantissa_bits) - 1);
    if exponent == 0 && mantissa == 0 {
        return Some(format!("{sign}0.0"));
    }
    if exponent == 0 || exponent == max {
        return None;
    }
    let power = exponent as i64 - (max / 2) as i64;
    let digits = mantissa_bits.div_ceil(4);
    let aligned = mantissa << (digits * 4 - mantissa_bits);
    let hex = format!("{aligned:0width$x}", width = digits as usize);
    let hex = hex.trim_end_matches('0');
    let point = if hex.is_empty() { "" } else { "." };
    Some(format!("{sign}0x1{point}{hex}p{power:+}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32_text(x: f32) -> Option<String> {
        hex_float(x.to_bits().into(), 8, 23)
    }

    #[test]
    fn floats_are_exact() {
        assert_eq!(f32_text(3.0).as_deref(), Some("0x1.8p+1"));
        assert_eq!(f32_text(-1.0).as_deref(), Some("-0x1p+0"));
        assert_eq!(f32_text(-0.0).as_deref(), Some("-0.0"));
        assert_eq!(f32_text(0.1).as_deref(), Some("0x1.99999ap-4"));
        assert_eq!(f32_text(f32::MAX).as_deref(), Some("0x1.fffffep+127"));
        assert_eq!(
            hex_float(0.1f64.to_bits(), 11, 52).as_deref(),
            Some("0x1.999999999999ap-4")
        );
    }

    #[test]
    fn specials_are_left_to_their_bits() {
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40] {
            assert_eq!(f32_text(x), None);
        }
    }
}
