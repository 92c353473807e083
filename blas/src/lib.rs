//! Matrices on a device: levels 1 to 3, their extensions and solvers.
//!
//! Empty until the *contract* skeleton arrives; the crate is here so that the house has its rooms:
//! it stands on `suanzi-ops`, and the drop-in `libblas` is to be built from it.
