//! A drop-in BLAS: `libsuanzi_blas.so` has the whole ABI of a distribution's `libblas.so.3`,
//! Fortran and CBLAS; as `libsuanzi_blas64.so` (feature `ilp64`) that of `libblas64.so.3`.
//!
//! A call goes through four layers, each one table or one file per level:
//!
//! - `exports`: the exported names, as tables. They read parameters, nothing else.
//! - `routines`: one generic function per routine. It turns a row-major call into a column-major
//!   one, checks the arguments, and asks `dispatch` where to compute.
//! - `level1`, `level2`, `level3`: the computations on the host, generic over the four types.
//!   Level 3 stands on `product` and `triangular`.
//! - `kernels`: the vector loops and the register tile, compiled for each instruction set.
//!
//! Nothing is allocated and nothing written before the arguments are checked.

// The signatures are those of BLAS; loops over lanes and columns say so by their indices.
#![allow(clippy::too_many_arguments, clippy::needless_range_loop)]

mod args;
mod device;
mod dispatch;
mod error;
mod exports;
mod kernels;
mod level1;
mod level2;
mod level3;
mod operand;
mod parallel;
mod product;
mod rotations;
mod routines;
mod scalar;
mod storage;
mod triangular;
mod workspace;

/// Integers of the ABI.
#[cfg(feature = "ilp64")]
type Int = i64;
/// Integers of the ABI.
#[cfg(not(feature = "ilp64"))]
type Int = i32;
