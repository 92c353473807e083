//! The operator table: one row says everything about an operator.
//!
//! From a row come its kernel on every device, its conformance cases, its documentation and its
//! function. A row's reference is plain Rust over [`Num`] and shares nothing with the kernel
//! expression, so that the two can disagree.
//!
//! Kernel expressions are built in the *compute kind* of a dtype: f32 for f16 and bf16, which are
//! widened when loaded and rounded once when stored, and the dtype itself for all others.

pub mod activation;
pub mod arithmetic;
pub mod bitwise;
pub mod call;
pub mod cast;
pub mod contract;
pub mod create;
pub mod index;
pub mod layout;
pub mod logic;
pub mod math;
pub mod native;
pub mod quantise;
pub mod random;
pub mod reduction;
pub mod resample;
pub mod scan;
pub mod scatter;
pub mod segment;
pub mod select;
pub mod sort;
pub mod special;
pub mod statistics;
pub mod trigonometry;

/// The functions of all rows: what users call.
pub mod functions {
    pub use super::activation::{functions::*, halves};
    pub use super::arithmetic::functions::*;
    pub use super::bitwise::functions::*;
    pub use super::cast::functions::*;
    pub use super::contract::functions::*;
    pub use super::create::functions::*;
    pub use super::index::functions::*;
    pub use super::layout::functions::*;
    pub use super::logic::functions::*;
    pub use super::math::functions::*;
    pub use super::native::functions as native;
    pub use super::quantise::functions::*;
    pub use super::random::functions::*;
    pub use super::reduction::functions::*;
    pub use super::resample::functions::*;
    pub use super::scan::functions::*;
    pub use super::scatter::functions::*;
    pub use super::segment::functions::*;
    pub use super::select::functions::*;
    pub use super::sort::functions::*;
    pub use super::special::functions::*;
    pub use super::statistics::functions::*;
    pub use super::trigonometry::functions::*;

    /// Reductions in one fixed order, whatever the device: see [`crate::expr::Reduction`].
    pub mod reproducible {
        pub use crate::table::reduction::reproducible::*;
        pub use crate::table::statistics::reproducible::*;
    }
}

use crate::num::Num;
use suanzi_codegen::{Builder, Scalar, Value};

/// One operator.
pub struct Row {
    /// Its name, unique in the table.
    pub name: &'static str,
    /// One line: what it computes, with the corner cases that matter.
    pub doc: &'static str,
    /// Dtypes of the (data) inputs.
    pub dtypes: &'static [Scalar],
    /// What it is.
    pub kind: Kind,
    /// The error limit for an input dtype.
    pub limit: fn(Scalar) -> Limit,
}

/// The shape of an operator: which skeleton it is put into.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `out[i] = f(in[i]…)`, inputs broadcast against each other.
    Map(Map),
    /// `out[o] = finish(⊕ over r of lift(in[o, r]))`.
    Reduce(Reduce),
    /// Conversion to any other dtype; the reference is told the destination.
    Cast(Cast),
    /// A tensor from scalars.
    Create(Create),
    /// Whole tensors and attributes to whole tensors.
    Call(call::Call),
}

/// A map operator.
#[derive(Clone, Copy)]
pub struct Map {
    /// What the inputs are.
    pub inputs: Inputs,
    /// Dtype of the result.
    pub output: Output,
    /// Appends the kernel expression; operands and result are in the compute kind, of any lanes.
    pub build: fn(&mut Builder, &[Value]) -> Value,
    /// The result for one element, given the input dtype and values of it.
    pub reference: fn(Scalar, &[Num]) -> Num,
    /// Inputs on which the operator is tested at random.
    pub domain: Domain,
}

/// The inputs of a map operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// This many, all of one dtype.
    Same(usize),
    /// A bool, then two of one dtype.
    Condition,
    /// A number, then a whole one as i32.
    Exponent,
}

impl Inputs {
    /// Number of inputs.
    pub const fn count(self) -> usize {
        match self {
            Inputs::Same(n) => n,
            Inputs::Condition => 3,
            Inputs::Exponent => 2,
        }
    }

    /// Dtype of input `i` where the data inputs have `dtype`.
    pub const fn dtype(self, i: usize, dtype: Scalar) -> Scalar {
        match self {
            Inputs::Condition if i == 0 => Scalar::Bool,
            Inputs::Exponent if i == 1 => Scalar::I32,
            _ => dtype,
        }
    }
}

/// The dtype of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// That of the inputs.
    Same,
    /// Always this one.
    Always(Scalar),
}

impl Output {
    /// The result's dtype for an input dtype.
    pub const fn dtype(self, input: Scalar) -> Scalar {
        match self {
            Output::Same => input,
            Output::Always(s) => s,
        }
    }
}

/// A result from an accumulator.
pub type Finish = fn(&mut Builder, &[Value], Reduced) -> Value;

/// One accumulator from two.
pub type Combine = fn(&mut Builder, &[Value], &[Value]) -> Vec<Value>;

/// What an accumulator was made of.
#[derive(Clone, Copy)]
pub struct Reduced {
    /// The number of elements, in the index kind.
    pub count: Value,
    /// Their compute kind.
    pub kind: Scalar,
}

/// A reduction: a monoid over tuples of values, with a map before and after.
#[derive(Clone, Copy)]
pub struct Reduce {
    /// Dtype of the result.
    pub output: Output,
    /// An accumulator from one element (in the compute kind) and its position along the reduced
    /// axes (u32 or u64).
    pub lift: fn(&mut Builder, Value, Value) -> Vec<Value>,
    /// The accumulator that changes nothing, for an element kind, lanes and index kind.
    pub identity: fn(&mut Builder, suanzi_codegen::Type, Scalar) -> Vec<Value>,
    /// Joins two accumulators; `combine(a, b)` has a from earlier positions only where
    /// `position` says so, so it must not depend on their order otherwise.
    pub combine: Combine,
    /// The same where all that went into the second came after all that went into the first, if that
    /// is cheaper.
    pub follow: Option<Combine>,
    /// The result from the accumulator.
    pub finish: Finish,
    /// A second result from the same accumulator: its dtype, and how it is found.
    pub second: Option<(Output, Finish)>,
    /// Whether `lift` reads positions, which cost something where elements come in vectors; if not,
    /// what it receives has their kind and nothing else.
    pub positions: bool,
    /// What serves for f16, whose squares the compute kind holds, if that is less work.
    pub narrow: Option<&'static Reduce>,
    /// The result for a list of elements in order, given their dtype.
    pub reference: fn(Scalar, &[Num]) -> Num,
    /// What [`Limit::Sum`] and [`Limit::Mean`] are relative to, given the dtype and the elements.
    /// Without it, the reference's result for their magnitudes: `Σ|x|`, or the mean of `|x|`.
    pub scale: Option<fn(Scalar, &[Num]) -> f64>,
    /// Whether a reduction over no elements is an error rather than a value.
    pub needs_elements: bool,
    /// Inputs on which the operator is tested at random.
    pub domain: Domain,
}

impl Reduce {
    /// The one that serves for a dtype.
    pub fn of(&self, dtype: Scalar) -> &Reduce {
        self.narrow.filter(|_| dtype == Scalar::F16).unwrap_or(self)
    }
}

/// A conversion.
#[derive(Clone, Copy)]
pub struct Cast {
    /// What happens to values that the destination cannot hold.
    pub mode: suanzi_codegen::ir::CastMode,
    /// The result for one element: (source dtype, destination dtype, value).
    pub reference: fn(Scalar, Scalar, Num) -> Num,
}

/// An operator that makes a tensor from scalars.
#[derive(Clone, Copy)]
pub struct Create {
    /// Number of scalar arguments.
    pub scalars: usize,
    /// The element at linear position `i`, given the scalars: (dtype, scalars, i).
    pub reference: fn(Scalar, &[Num], usize) -> Num,
}

/// Values that random inputs are drawn from, besides the special values of the dtype, which every
/// operator gets as well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// All bit patterns, mixed with values of moderate size.
    Any,
    /// Values near 1, so that long products stay finite.
    NearOne,
    /// Magnitudes up to 2^10, so that sums stay finite in whatever order.
    Moderate,
    /// As `Moderate`, and of reductions whole rows near either end of the dtype's range: for what neither
    /// overflows nor underflows on the way.
    AnyScale,
    /// The second input lies in `-1..=width+1`: shift amounts.
    Shift,
    /// The second input lies below the third, mostly: bounds.
    Ordered,
    /// For each input (the last one's for all that follow) intervals from which numbers are drawn in
    /// turn, beside random bit patterns: one for each branch of the implementation. Their ends and
    /// the neighbours of these are special values.
    Within(&'static [&'static [(f64, f64)]]),
}

/// How far a result may be from the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Not at all: the reference's bits, NaN being equal to NaN.
    Exact,
    /// Units in the last place of the result's dtype.
    Ulp(f64),
    /// As `Ulp`, but where the reference is smaller than the second number, units of that: for
    /// functions that cross zero where their argument does not.
    UlpAbove(f64, f64),
    /// Units in the last place, as many as there are: the worst is reported, and how many results are
    /// not finite where the reference is, or the reverse. No value is a failure.
    Measured,
    /// For sums of n terms: `c · eps · Σ|x|` of the accumulator kind, and half a unit in the last
    /// place of the result's dtype. A row's `scale` may stand in the place of `Σ|x|`.
    Sum(f64),
    /// As `Sum`, all divided by n; or relative to the row's `scale`. Also where nothing is exact
    /// though the inputs are.
    Mean(f64),
    /// For products of n factors: relative error `c · n · eps` of the accumulator kind, and half a
    /// unit in the last place of the result's dtype.
    Product(f64),
}

/// Every row, in the order of the documentation.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    [
        arithmetic::ROWS,
        math::ROWS,
        trigonometry::ROWS,
        special::ROWS,
        native::ROWS,
        activation::ROWS,
        logic::ROWS,
        bitwise::ROWS,
        cast::ROWS,
        reduction::ROWS,
        statistics::ROWS,
        scan::ROWS,
        sort::ROWS,
        select::ROWS,
        segment::ROWS,
        scatter::ROWS,
        index::ROWS,
        layout::ROWS,
        resample::ROWS,
        quantise::ROWS,
        contract::ROWS,
        random::ROWS,
        create::ROWS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Finds a row by name.
///
/// # Errors
/// [`crate::Error::UnknownOp`] with the names that come near.
pub fn row(name: &str) -> crate::Result<&'static Row> {
    rows().find(|r| r.name == name).ok_or_else(|| {
        let near: Vec<&str> = rows()
            .map(|r| r.name)
            .filter(|n| !name.is_empty() && (n.contains(name) || name.contains(n)))
            .collect();
        let all: Vec<&str> = rows().map(|r| r.name).collect();
        crate::Error::UnknownOp {
            name: name.to_string(),
            hint: match near.is_empty() {
                true => format!("the table has {}", all.join(" ")),
                false => format!("did you mean {}?", near.join(" or ")),
            },
        }
    })
}

/// The kind that kernel expressions compute a dtype in.
pub const fn compute_kind(dtype: Scalar) -> Scalar {
    match dtype {
        Scalar::F16 | Scalar::Bf16 => Scalar::F32,
        s => s,
    }
}

use Scalar::*;

/// Every dtype.
pub const ALL: &[Scalar] = &Scalar::ALL;
/// Integers and floats.
pub const NUMBERS: &[Scalar] = &[I8, I16, I32, I64, U8, U16, U32, U64, F16, Bf16, F32, F64];
/// Signed integers and floats.
pub const SIGNED: &[Scalar] = &[I8, I16, I32, I64, F16, Bf16, F32, F64];
/// Floats.
pub const FLOATS: &[Scalar] = &[F16, Bf16, F32, F64];
/// Integers.
pub const INTS: &[Scalar] = &[I8, I16, I32, I64, U8, U16, U32, U64];
/// Bool and integers.
pub const BITS: &[Scalar] = &[Bool, I8, I16, I32, I64, U8, U16, U32, U64];

/// No error at all.
pub fn exact(_: Scalar) -> Limit {
    Limit::Exact
}

/// Declares map rows: for each, a `Row` in `ROWS` and a function in `functions`.
macro_rules! map_rows {
    ($( $(#[doc = $doc:literal])+ $name:ident($($arg:ident),+) : $inputs:expr, $dtypes:expr => $output:expr,
        $limit:expr, $domain:expr, $build:expr, $reference:expr; )*) => {
        /// The rows of this file.
        pub const ROWS: &[&$crate::table::Row] = &[$(&$crate::table::Row {
            name: $crate::table::bare(stringify!($name)),
            doc: concat!($($doc),+),
            dtypes: $dtypes,
            kind: $crate::table::Kind::Map($crate::table::Map {
                inputs: $inputs,
                output: $output,
                build: $build,
                reference: $reference,
                domain: $domain,
            }),
            limit: $limit,
        }),*];

        /// One function for each row.
        pub mod functions {
            $(
                $(#[doc = $doc])+
                ///
                /// Lazy: the result is an expression, evaluated by [`crate::Expr::eval`].
                ///
                /// # Errors
                /// Where dtypes differ or are not taken, shapes do not broadcast, or the inputs
                /// are on different devices.
                #[allow(clippy::should_implement_trait)]
                pub fn $name($($arg: impl Into<$crate::Expr>),+) -> $crate::Result<$crate::Expr> {
                    $crate::Expr::map(
                        $crate::table::bare(stringify!($name)),
                        &[$($arg.into()),+],
                    )
                }
            )*
        }
    };
}
pub(crate) use map_rows;

/// A row's name from its function's: `where_` is `where`.
pub(crate) const fn bare(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [head @ .., b'_'] => match core::str::from_utf8(head) {
            Ok(head) => head,
            Err(_) => name,
        },
        _ => name,
    }
}
