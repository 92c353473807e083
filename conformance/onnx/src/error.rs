//! Why a case could not be read or run.

use thiserror::Error;

/// An error of the loader or of an operator.
#[derive(Debug, Error)]
pub enum Error {
    /// A file that cannot be read, or does not hold what it should.
    #[error("{file}: {why}")]
    File {
        /// Its path.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// A model or tensor that contradicts itself.
    #[error("{0}")]
    Malformed(String),
    /// Something that is well formed, and not mapped to our operators.
    #[error("not covered: {0}")]
    Uncovered(String),
    /// An operator's own error.
    #[error(transparent)]
    Op(#[from] suanzi_ops::Error),
}

/// The result of the loader or of an operator.
pub type Result<T> = std::result::Result<T, Error>;

/// A model or tensor that contradicts itself.
pub fn malformed(why: impl Into<String>) -> Error {
    Error::Malformed(why.into())
}

/// Something that is not mapped to our operators.
pub fn uncovered(what: impl Into<String>) -> Error {
    Error::Uncovered(what.into())
}
