//! Hooks for a vendor's own libraries. A device without one returns `None`, and generated kernels
//! do the work. [`Engine`] says when a library is asked.

use crate::device::Memory;
use crate::error::{Error, Result};
use suanzi_codegen::Scalar;

/// One operand of a matrix product: element (i, j) is at `offset + i * row_stride + j * col_stride`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// Where it lies.
    pub memory: &'a Memory,
    /// Element (0, 0), in elements.
    pub offset: u64,
    /// Elements between rows.
    pub row_stride: i64,
    /// Elements between columns.
    pub col_stride: i64,
}

/// `C[m,n] = alpha · A[m,k] · B[k,n] + beta · C`; with `beta == 0`, C is not read.
pub struct Gemm<'a> {
    /// Kind of every matrix.
    pub dtype: Scalar,
    /// Rows of C.
    pub m: u64,
    /// Columns of C.
    pub n: u64,
    /// Depth.
    pub k: u64,
    /// Left operand.
    pub a: Matrix<'a>,
    /// Right operand.
    pub b: Matrix<'a>,
    /// Result.
    pub c: Matrix<'a>,
    /// Factor of the product.
    pub alpha: f64,
    /// Factor of C.
    pub beta: f64,
}

/// Who does what a vendor's library could do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Generated kernels.
    Generated,
    /// The library, wherever there is one and it does what is asked.
    Vendor,
    /// The library on GPUs; generated kernels on `cpu`, whose bits do not depend on a library then.
    #[default]
    Auto,
}

impl Engine {
    /// What `SUANZI_ENGINE` says, if it is set.
    ///
    /// # Errors
    /// [`Error::Setting`] where it is none of `generated`, `vendor`, `auto`.
    pub fn from_env() -> Result<Option<Engine>> {
        match std::env::var("SUANZI_ENGINE").as_deref() {
            Err(_) | Ok("") => Ok(None),
            Ok("generated") => Ok(Some(Engine::Generated)),
            Ok("vendor") => Ok(Some(Engine::Vendor)),
            Ok("auto") => Ok(Some(Engine::Auto)),
            Ok(other) => Err(Error::Setting {
                variable: "SUANZI_ENGINE",
                what: format!("`{other}` is none of generated, vendor, auto"),
            }),
        }
    }
}

/// A vendor's matrix library.
pub trait Blas: Send + Sync {
    /// Its name and version, for the dispatch log.
    fn name(&self) -> &str;

    /// Whether it does products of a dtype at all.
    fn does(&self, dtype: Scalar) -> bool;

    /// Records a matrix product. `Ok(false)` if the library does not do this dtype or layout:
    /// the caller then uses a generated kernel.
    fn gemm(&self, op: &Gemm<'_>) -> Result<bool>;
}

/// A tensor of a layer: element (i, j, …) is at `offset + i * strides[0] + j * strides[1] + …`.
#[derive(Clone, Copy)]
pub struct Strided<'a> {
    /// Where it lies.
    pub memory: &'a Memory,
    /// Element (0, 0, …), in elements.
    pub offset: u64,
    /// Elements along each axis.
    pub shape: &'a [usize],
    /// Elements between neighbours along each axis.
    pub strides: &'a [i64],
}

/// `Y = alpha · (X cross-correlated with W) + beta · Y`; with `beta == 0`, Y is not read. X is
/// `[n, c, image…]`, W `[k, c / groups, window…]`, Y `[n, k, places…]`, wherever channels lie.
pub struct Convolution<'a> {
    /// Kind of every tensor.
    pub dtype: Scalar,
    /// The image.
    pub x: Strided<'a>,
    /// The weights.
    pub w: Strided<'a>,
    /// The result, which shares memory with neither.
    pub y: Strided<'a>,
    /// Zeros (before, after) each axis of the image, which are multiplied as other numbers are.
    pub pads: &'a [(usize, usize)],
    /// From place to place along each axis.
    pub strides: &'a [usize],
    /// From element to element of the window.
    pub dilations: &'a [usize],
    /// Channels are cut into groups that have nothing to do with each other.
    pub groups: usize,
    /// Factor of the sums.
    pub alpha: f64,
    /// Factor of Y.
    pub beta: f64,
}

/// `out = f(in…)`, element for element.
pub struct Elementwise<'a> {
    /// The operator, as the table of operators calls it: `relu`, `add`.
    pub name: &'a str,
    /// Kind of every tensor.
    pub dtype: Scalar,
    /// Its inputs, of the result's shape.
    pub inputs: &'a [Strided<'a>],
    /// The result, which shares memory with no input.
    pub out: Strided<'a>,
}

/// A vendor's library of layers.
pub trait Dnn: Send + Sync {
    /// Its name and version, for the dispatch log.
    fn name(&self) -> &str;

    /// Records a convolution. `Ok(false)` if the library does not do it: a generated kernel then
    /// does, and what the library left in Y is written over.
    ///
    /// # Errors
    /// What the library says of one that it does.
    fn convolution(&self, op: &Convolution<'_>) -> Result<bool>;

    /// Records an elementwise operator; `Ok(false)` as above.
    ///
    /// # Errors
    /// As above.
    fn elementwise(&self, op: &Elementwise<'_>) -> Result<bool>;
}
