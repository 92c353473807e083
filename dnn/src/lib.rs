//! Layers on a device: convolution, pooling, normalisation, attention, and the operation graph.
//!
//! Empty until the *contract* skeleton arrives; the crate is here so that the house has its rooms:
//! it stands on `suanzi-ops`.
