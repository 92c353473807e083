//! Writing elements to positions.

use super::{Op, op, out};
use crate::call::{Call, Value};
use crate::error::Result;
use suanzi_ops::ops::{self, Fold};

/// Sums and products of floats round; with other modes elements are only moved.
pub const OPS: &[Op] = &[
    op("Scatter", scatter),
    op("ScatterElements", scatter),
    op("ScatterND", |c| {
        let mode = Fold::from_name(&c.text("reduction", "none"))?;
        // ONNX leaves indices out of range undefined; here they are errors.
        out(ops::scatter_nd(c.x(0)?, c.x(1)?, c.x(2)?, mode, true))
    }),
];

fn scatter(c: &Call) -> Result<Vec<Value>> {
    let mode = Fold::from_name(&c.text("reduction", "none"))?;
    let axis = c.int("axis", 0);
    out(ops::scatter(c.x(0)?, axis, c.x(1)?, c.x(2)?, mode, true))
}
