//! ONNX's operators in terms of ours: one row each. An operator whose meaning is ours gets a
//! closure of a line; one that is put together from several gets a function below its table.
//!
//! Nothing here computes elements on the host. Only what *says how* to compute (axes, shapes,
//! sizes, scales) is read back, because our operators take it as arguments.

mod activation;
mod cumulative;
mod elementwise;
mod index;
mod layout;
mod normalise;
mod quantise;
mod reduction;
mod resample;
mod scatter;
mod types;

use crate::call::{Call, Value};
use crate::error::{Error, Result};
use suanzi_ops::{Expr, Tensor};

/// An operator of ONNX.
pub struct Op {
    /// ONNX's name.
    pub name: &'static str,
    /// Whether results must have the expected bits, where ONNX itself would tolerate an error:
    /// true of what only moves or selects elements.
    pub exact: bool,
    /// Whether it may come out without a kernel: views, shapes, constants.
    pub host: bool,
    /// Runs it.
    pub run: fn(&Call) -> Result<Vec<Value>>,
}

/// Every operator, by group.
const GROUPS: &[&[Op]] = &[
    activation::OPS,
    cumulative::OPS,
    elementwise::OPS,
    index::OPS,
    layout::OPS,
    normalise::OPS,
    quantise::OPS,
    reduction::OPS,
    resample::OPS,
    scatter::OPS,
    types::OPS,
];

/// Every operator.
pub fn all() -> impl Iterator<Item = &'static Op> {
    GROUPS.iter().copied().flatten()
}

/// The operator of a name.
pub fn find(name: &str) -> Option<&'static Op> {
    all().find(|op| op.name == name)
}

/// An operator that computes.
const fn op(name: &'static str, run: fn(&Call) -> Result<Vec<Value>>) -> Op {
    Op {
        name,
        exact: false,
        host: false,
        run,
    }
}

/// An operator that moves or selects elements: its results are exact.
const fn exact(name: &'static str, run: fn(&Call) -> Result<Vec<Value>>) -> Op {
    Op {
        exact: true,
        ..op(name, run)
    }
}

/// An operator that a view or the host's numbers may answer.
const fn view(name: &'static str, run: fn(&Call) -> Result<Vec<Value>>) -> Op {
    Op {
        host: true,
        ..exact(name, run)
    }
}

/// The one result of most operators.
fn out(x: impl Computed) -> Result<Vec<Value>> {
    Ok(vec![x.tensor()?.into()])
}

/// What our operators return: a tensor, an expression still to be run, or an error.
trait Computed {
    fn tensor(self) -> Result<Tensor>;
}

impl Computed for Tensor {
    fn tensor(self) -> Result<Tensor> {
        Ok(self)
    }
}

impl Computed for Expr {
    fn tensor(self) -> Result<Tensor> {
        Ok(self.eval()?)
    }
}

impl<T: Computed, E: Into<Error>> Computed for std::result::Result<T, E> {
    fn tensor(self) -> Result<Tensor> {
        self.map_err(Into::into)?.tensor()
    }
}
