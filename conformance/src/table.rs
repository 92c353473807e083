//! Every row that is tested: the operator table's, and those of the libraries that stand on it.

pub use suanzi_ops::table::*;

/// Every row: operators, then routines of matrices.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    suanzi_ops::table::rows().chain(suanzi_blas::table::rows())
}

/// The row of a name.
///
/// # Errors
/// As [`suanzi_ops::table::row`].
pub fn row(name: &str) -> suanzi_ops::Result<&'static Row> {
    let mut routines = suanzi_blas::table::rows();
    match routines.find(|r| r.name == name) {
        Some(row) => Ok(row),
        None => suanzi_ops::table::row(name),
    }
}
