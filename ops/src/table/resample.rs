//! Images read between their pixels: resizing, and sampling at the points of a grid.

use super::Row;
use super::{Limit, Scalar};

pub mod grid;
pub mod resize;

/// The rows of this file.
pub const ROWS: &[&Row] = &[&resize::RESIZE, &grid::GRID_SAMPLE];

/// One function for each row.
pub mod functions {
    pub use super::grid::functions::*;
    pub use super::resize::functions::*;
}

/// Sums of weighted pixels, each weight within a few units of its last place.
fn weighted(_: Scalar) -> Limit {
    Limit::Sum(32.0)
}

/// Weights of four neighbours at a distance of `t` from the second, with coefficient `a`.
fn cubic(t: f64, a: f64) -> [f64; 4] {
    let far = |d: f64| a * (((d - 5.0) * d + 8.0) * d - 4.0);
    let near = |d: f64| ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
    [far(1.0 + t), near(t), near(1.0 - t), far(2.0 - t)]
}
