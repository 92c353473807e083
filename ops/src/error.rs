//! What can go wrong in an operator. Each message names the operator, the shapes and what to do.

use suanzi_codegen::Scalar;
use thiserror::Error;

/// The result of an operator.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of an operator.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// Shapes do not fit each other, or the operator.
    #[error("{op}: shapes {shapes} do not fit: {why}")]
    Shape {
        /// Operator.
        op: String,
        /// The shapes, in order.
        shapes: String,
        /// The rule.
        why: String,
    },
    /// Dtypes do not fit each other, or the operator.
    #[error("{op}: dtypes {dtypes} do not fit: {why}")]
    Dtype {
        /// Operator.
        op: String,
        /// The dtypes, in order.
        dtypes: String,
        /// The rule.
        why: String,
    },
    /// An axis that the tensor does not have.
    #[error("{op}: axis {axis} is out of range for shape {shape:?}; it has {} axes", shape.len())]
    Axis {
        /// Operator.
        op: String,
        /// The axis asked for.
        axis: i64,
        /// The shape.
        shape: Vec<usize>,
    },
    /// An attribute, or a value that was asked to be checked, is not acceptable.
    #[error("{op}: {why}")]
    Value {
        /// Operator.
        op: String,
        /// What is wrong, and what is possible.
        why: String,
    },
    /// An operator that the table does not have.
    #[error("no operator `{name}`; {hint}")]
    UnknownOp {
        /// What was asked for.
        name: String,
        /// Near names.
        hint: String,
    },
    /// The tensors of one call are on different devices, or no tensor says which.
    #[error("{op}: {why}")]
    Device {
        /// Operator.
        op: String,
        /// What is wrong.
        why: String,
    },
    /// The device failed.
    #[error("{op} on shapes {shapes}: {source}")]
    Backend {
        /// Operator.
        op: String,
        /// The shapes.
        shapes: String,
        /// The device's error.
        source: Box<suanzi_backends::Error>,
    },
}

/// `[2, 3] f32, [3] f32`
pub(crate) fn list<T: std::fmt::Debug>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|s| format!("{s:?}")).collect();
    items.join(", ")
}

impl Error {
    /// Shapes that do not fit: what was called, with which shapes, and the rule.
    pub fn shape<'a>(
        op: &str,
        shapes: impl IntoIterator<Item = &'a [usize]>,
        why: impl Into<String>,
    ) -> Error {
        Error::Shape {
            op: op.to_string(),
            shapes: list(shapes),
            why: why.into(),
        }
    }

    /// Dtypes that do not fit.
    pub fn dtype(
        op: &str,
        dtypes: impl IntoIterator<Item = Scalar>,
        why: impl Into<String>,
    ) -> Error {
        let names: Vec<&str> = dtypes.into_iter().map(Scalar::name).collect();
        Error::Dtype {
            op: op.to_string(),
            dtypes: names.join(", "),
            why: why.into(),
        }
    }

    /// A value that is not allowed.
    pub fn value(op: &str, why: impl Into<String>) -> Error {
        Error::Value {
            op: op.to_string(),
            why: why.into(),
        }
    }

    pub(crate) fn backend<'a>(
        op: &str,
        shapes: impl IntoIterator<Item = &'a [usize]>,
        source: suanzi_backends::Error,
    ) -> Error {
        Error::Backend {
            op: op.to_string(),
            shapes: list(shapes),
            source: Box::new(source),
        }
    }
}
