//! One generic function per routine of BLAS, column-major or row-major: the arguments are checked
//! here, in the reference's order, and row-major calls become column-major ones. Then `dispatch`
//! is asked where to compute.
//!
//! A row-major matrix is the column-major transpose: triangles change sides, op(A) its
//! transposition, and what is Hermitian becomes its conjugate.

mod level1;
mod level2;
mod level3;
mod updates;

pub use level1::*;
pub use level2::*;
pub use level3::*;
pub use updates::*;

use crate::Int;

/// The smallest leading dimension of a matrix with `rows` rows.
#[inline(always)]
fn least(rows: Int) -> Int {
    rows.max(1)
}
