//! References of elementary functions: plain Rust, sharing nothing with the kernel language.
//!
//! For f32 and the 16-bit floats, f64 functions of the standard library are wide enough. For f64
//! nothing wider exists in hardware, so [`dd`] holds numbers in two f64, [`elementary`] has
//! exponentials and logarithms of them, and results are rounded to f64 once.

pub mod activation;
pub mod dd;
pub mod elementary;
pub mod quantise;
pub mod random;
pub mod real;
pub mod special;
pub mod trigonometry;

pub use dd::Dd;
pub use real::Real;
