//! What a tuner needs: which tiles a contraction may be cut in on a device, a way to run one so, and
//! the key under which [`Context::tuned`] keeps the winners. Whatever is kept there is used by every
//! contraction whose shape is of that class, and struck where it fails.
//!
//! ```
//! use suanzi_backends::Context;
//! use suanzi_ops::{Contract, Reach, Scalar, Tensor, Wanted, tuning};
//!
//! let ctx = Context::open("cpu")?;
//! let a = Tensor::from_slice(&ctx, &[2, 2], &[1.0f32, 2.0, 3.0, 4.0])?.expr();
//! let (axes, wanted, reach, packed) = ([0, 1, 1], Wanted::Whole, Reach::All, None);
//! let product = Contract { op: "tune", a: &a, b: &a, axes, dtype: Scalar::F32, epilogue: &Ok, wanted, reach, packed };
//! let c = tuning::contract_with(&product, tuning::usual(&ctx, Scalar::F32, [2, 2]))?;
//! assert_eq!(c.to_vec::<f32>()?, [7.0, 10.0, 15.0, 22.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use crate::skeleton::{Tiles, contract_with};

use crate::skeleton::{Machine, shipped, tuned};
use crate::table::compute_kind;
use suanzi_backends::{Context, DeviceKind};
use suanzi_codegen::Scalar;
use suanzi_codegen::target::Support;

/// Everything that may be worth trying for sums of a dtype on a device.
pub fn candidates(ctx: &Context, dtype: Scalar) -> Vec<Tiles> {
    Tiles::candidates(Machine::on(ctx), compute_kind(dtype))
}

/// Whether a device has room for tiles, and can compute in a kind.
pub fn fits(ctx: &Context, kind: Scalar, tiles: Tiles) -> bool {
    let machine = Machine::on(ctx);
    // Work-groups of one item are for CPUs.
    let own = tiles.items() > 1 || machine.kind == DeviceKind::Cpu;
    let missing = ctx.device().caps().target.support(kind) == Support::Missing;
    own && !missing && tiles.fits(machine, kind)
}

/// What is taken where nothing was tuned on the device, for the lengths of m and n: what ships for its class, or a rule.
pub fn usual(ctx: &Context, dtype: Scalar, [m, n]: [usize; 2]) -> Tiles {
    Tiles::usual(Machine::on(ctx), compute_kind(dtype), m, n)
}

/// All that [`usual`] may be for sums of a dtype, on any device: whoever tests contractions has to test each of them on
/// the edges of its tiles.
pub fn shipped(dtype: Scalar) -> Vec<Tiles> {
    shipped::all(compute_kind(dtype))
}

/// The key of the class of shapes that `m` and `n` are in.
pub fn key(dtype: Scalar, [m, n]: [usize; 2]) -> String {
    tuned::Class::of(compute_kind(dtype), m, n).to_string()
}
