//! Named functions outside the IR's own operations: the escape for what one dialect has and
//! another lacks, and the way to ask for a device's own elementary functions (`Math::Native`),
//! whose accuracy is the device's affair.
//!
//! A row gives the definition that the interpreter uses; dialects name theirs in their own tables.
//! A kernel that asks for one that its target lacks is refused.

/// A function of floats, lane by lane.
pub struct Intrinsic {
    /// Name used in [`crate::ir::Expr::Intrinsic`].
    pub name: &'static str,
    /// Number of arguments, all of one float type.
    pub arity: usize,
    /// The definition, in f64; the result is rounded to the type.
    pub eval: fn(&[f64]) -> f64,
}

macro_rules! table {
    ($($name:literal ($($x:ident),+) $value:expr;)*) => {
        &[$(Intrinsic {
            name: $name,
            arity: [$(stringify!($x)),+].len(),
            eval: |args| {
                let [$($x),+] = *args else { return f64::NAN };
                $value
            },
        }),*]
    };
}

/// The table.
pub const INTRINSICS: &[Intrinsic] = table! {
    "native_exp"(x) x.exp();
    "native_exp2"(x) x.exp2();
    "native_exp10"(x) libm::exp10(x);
    "native_expm1"(x) x.exp_m1();
    "native_log"(x) x.ln();
    "native_log2"(x) x.log2();
    "native_log10"(x) x.log10();
    "native_log1p"(x) x.ln_1p();
    "native_recip"(x) 1.0 / x;
    "native_rsqrt"(x) 1.0 / x.sqrt();
    "native_cbrt"(x) x.cbrt();
    "native_hypot"(x, y) x.hypot(y);
    "native_pow"(x, y) x.powf(y);
    "native_sinh"(x) x.sinh();
    "native_cosh"(x) x.cosh();
    "native_tanh"(x) x.tanh();
    "native_asinh"(x) x.asinh();
    "native_acosh"(x) x.acosh();
    "native_atanh"(x) x.atanh();
    "native_sin"(x) x.sin();
    "native_cos"(x) x.cos();
    "native_tan"(x) x.tan();
    "native_sinpi"(x) (x % 2.0 * std::f64::consts::PI).sin();
    "native_cospi"(x) (x % 2.0 * std::f64::consts::PI).cos();
    "native_asin"(x) x.asin();
    "native_acos"(x) x.acos();
    "native_atan"(x) x.atan();
    "native_atan2"(y, x) y.atan2(x);
    "native_erf"(x) libm::erf(x);
    "native_erfc"(x) libm::erfc(x);
    "native_lgamma"(x) libm::lgamma(x);
    "native_tgamma"(x) libm::tgamma(x);
};

/// Finds a row.
pub fn find(name: &str) -> Option<&'static Intrinsic> {
    INTRINSICS.iter().find(|i| i.name == name)
}
