//! Conversions between dtypes.

use super::{ALL, Cast, Kind, Row, exact};
use crate::num::{Num, int_range};
use suanzi_codegen::Scalar;
use suanzi_codegen::ir::CastMode;

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "cast",
        doc: "To another dtype: nearest representable integer after truncation, NaN to 0; round to nearest even into floats; `≠ 0` into bool.",
        dtypes: ALL,
        kind: Kind::Cast(Cast {
            mode: CastMode::Saturate,
            reference: |_, to, x| match x {
                Num::Float(f) if to.is_int() => {
                    let (lo, hi) = int_range(to);
                    Num::Int((f as i128).clamp(lo, hi))
                }
                Num::Int(i) if to.is_int() => {
                    let (lo, hi) = int_range(to);
                    Num::Int(i.clamp(lo, hi))
                }
                _ => x,
            },
        }),
        limit: exact,
    },
    &Row {
        name: "cast_wrap",
        doc: "To another dtype, integers keeping their low bits; a float goes through saturating i64 first (u64 where it is positive and the destination is u64).",
        dtypes: ALL,
        kind: Kind::Cast(Cast {
            mode: CastMode::Wrap,
            reference: |_, to, x| match x {
                Num::Float(f) if to == Scalar::U64 && f > 0.0 => Num::Int((f as u64).into()),
                Num::Float(f) if to.is_int() => Num::Int((f as i64).into()),
                _ => x,
            },
        }),
        limit: exact,
    },
];

/// One function for each row.
pub mod functions {
    use crate::Expr;
    use suanzi_codegen::Scalar;
    use suanzi_codegen::ir::CastMode;

    /// To another dtype: integers saturate, NaN becomes 0; floats round to nearest even; bool is
    /// `≠ 0`. Lazy.
    pub fn cast(a: impl Into<Expr>, to: Scalar) -> Expr {
        a.into().cast(to, CastMode::Saturate)
    }

    /// To another dtype: integers keep their low bits; a float goes through saturating i64 first
    /// (u64 where it is positive and the destination is u64). Lazy.
    pub fn cast_wrap(a: impl Into<Expr>, to: Scalar) -> Expr {
        a.into().cast(to, CastMode::Wrap)
    }
}
