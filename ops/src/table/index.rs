//! Reading and writing at computed positions: gather, scatter, and their kin.

use super::Row;

/// The rows of this file.
pub const ROWS: &[&Row] = &[];

/// One function for each row.
pub mod functions {}
