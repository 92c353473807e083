//! The device's own elementary functions, beside the library's: as fast as the device has them, and
//! as accurate. Conformance measures their error and does not limit it.
//!
//! A row is that of the library's own function but for its kernel expression and its limit. What a
//! driver does not have is refused: GLSL lacks some functions, and all of them in f64.

use super::{FLOATS, Kind, Limit, Map, Row, math, special, trigonometry};
use suanzi_codegen::Scalar;

macro_rules! native_rows {
    ($( $group:ident: $( $name:ident($($arg:ident),+) )+; )*) => {
        /// The rows of this file.
        pub const ROWS: &[&Row] = &[$($(&Row {
            name: concat!("native_", stringify!($name)),
            doc: concat!("The device's own `", stringify!($name), "`, of whatever accuracy."),
            dtypes: FLOATS,
            kind: Kind::Map(Map {
                build: |b, x| b.intrinsic(concat!("native_", stringify!($name)), x),
                ..own($group::ROWS, stringify!($name))
            }),
            limit: measured,
        }),+),*];

        /// One function for each row.
        pub mod functions {
            $($(
                #[doc = concat!("The device's own `", stringify!($name), "`, of whatever accuracy.")]
                ///
                /// Lazy: the result is an expression, evaluated by [`crate::Expr::eval`].
                ///
                /// # Errors
                /// Where dtypes differ or are not taken, shapes do not broadcast, or the inputs
                /// are on different devices; evaluation fails where the device has no such function.
                pub fn $name($($arg: impl Into<$crate::Expr>),+) -> $crate::Result<$crate::Expr> {
                    $crate::Expr::map(concat!("native_", stringify!($name)), &[$($arg.into()),+])
                }
            )+)*
        }
    };
}

native_rows! {
    math:
        exp(a) exp2(a) exp10(a) expm1(a) log(a) log2(a) log10(a) log1p(a) rsqrt(a) cbrt(a)
        sinh(a) cosh(a) tanh(a) asinh(a) acosh(a) atanh(a) hypot(a, b) pow(a, b);
    trigonometry:
        sin(a) cos(a) tan(a) sinpi(a) cospi(a) asin(a) acos(a) atan(a) atan2(y, x);
    special:
        erf(a) erfc(a) lgamma(a) tgamma(a);
}

fn measured(_: Scalar) -> Limit {
    Limit::Measured
}

/// The library's own function: a lookup at compile time.
const fn own(rows: &[&Row], name: &str) -> Map {
    let mut i = 0;
    while i < rows.len() {
        if same(rows[i].name, name)
            && let Kind::Map(map) = rows[i].kind
        {
            return map;
        }
        i += 1;
    }
    panic!("no such map operator")
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}
