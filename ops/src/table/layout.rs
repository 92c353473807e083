//! Operators that move elements and change none: concatenation, padding, permutation and the like.

use super::Row;

/// The rows of this file.
pub const ROWS: &[&Row] = &[];

/// One function for each row.
pub mod functions {}
