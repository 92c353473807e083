//! Trigonometric functions and their inverses.

use super::Row;

/// The rows of this file.
pub const ROWS: &[&Row] = &[];

/// One function for each row.
pub mod functions {}
