//! Special functions: error functions and gamma functions.

use super::Row;

/// The rows of this file.
pub const ROWS: &[&Row] = &[];

/// One function for each row.
pub mod functions {}
