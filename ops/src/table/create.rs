//! Tensors made from scalars.

use super::{ALL, Create, Kind, NUMBERS, Row, exact};
use crate::num::Num;
use suanzi_codegen::Scalar;

/// The rows of this file.
pub const ROWS: &[&Row] = &[
    &Row {
        name: "fill",
        doc: "One value everywhere.",
        dtypes: ALL,
        kind: Kind::Create(Create {
            scalars: 1,
            reference: |_, s, _| s[0],
        }),
        limit: exact,
    },
    &Row {
        name: "iota",
        doc: "`start + i · step` at row-major position i; integers wrap; f16, bf16 and f32 compute in f32, each operation rounded.",
        dtypes: NUMBERS,
        kind: Kind::Create(Create {
            scalars: 2,
            reference: |t, s, i| match (s[0], s[1]) {
                (Num::Int(start), Num::Int(step)) => Num::Int(start + step * i as i128),
                (start, step) if t == Scalar::F64 => {
                    Num::Float(start.float() + step.float() * i as f64)
                }
                (start, step) => {
                    let moved = step.float() as f32 * i as f32;
                    Num::Float((start.float() as f32 + moved).into())
                }
            },
        }),
        limit: exact,
    },
];

/// One function for each row.
pub mod functions {
    use crate::num::Num;
    use crate::{Expr, Result, Tensor};
    use suanzi_backends::Context;
    use suanzi_codegen::Scalar;

    /// A tensor of one value.
    ///
    /// # Errors
    /// [`crate::Error::Backend`].
    pub fn fill(ctx: &Context, dtype: Scalar, shape: &[usize], value: Num) -> Result<Tensor> {
        Expr::fill(ctx, dtype, shape, value).eval()
    }

    /// `start + i · step` at row-major position i.
    ///
    /// # Errors
    /// [`crate::Error::Dtype`] for bool, [`crate::Error::Backend`].
    pub fn iota(
        ctx: &Context,
        dtype: Scalar,
        shape: &[usize],
        start: Num,
        step: Num,
    ) -> Result<Tensor> {
        Expr::iota(ctx, dtype, shape, start, step)?.eval()
    }
}
