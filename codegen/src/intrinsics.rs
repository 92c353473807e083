//! Named functions outside the IR's own operations: the escape for what one dialect has and
//! another lacks, and the way to ask for a device's own elementary functions (`Math::Native`).
//!
//! A row gives the definition that the interpreter uses; dialects name theirs in their own tables.

/// A function of floats, lane by lane.
pub struct Intrinsic {
    /// Name used in [`crate::ir::Expr::Intrinsic`].
    pub name: &'static str,
    /// Number of arguments, all of one float type.
    pub arity: usize,
    /// The definition, in f64; the result is rounded to the type.
    pub eval: fn(&[f64]) -> f64,
}

macro_rules! unary {
    ($($name:literal $f:expr;)*) => {
        &[$(Intrinsic { name: $name, arity: 1, eval: |x| $f(x[0]) }),*]
    };
}

/// The table.
pub const INTRINSICS: &[Intrinsic] = unary! {
    "native_exp" f64::exp;
    "native_exp2" f64::exp2;
    "native_log" f64::ln;
    "native_log2" f64::log2;
    "native_sin" f64::sin;
    "native_cos" f64::cos;
    "native_tanh" f64::tanh;
    "native_rsqrt" |x: f64| 1.0 / x.sqrt();
    "native_recip" |x: f64| 1.0 / x;
};

/// Finds a row.
pub fn find(name: &str) -> Option<&'static Intrinsic> {
    INTRINSICS.iter().find(|i| i.name == name)
}
