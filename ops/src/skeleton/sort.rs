//! Sorting: stable, of rows of unsigned keys, with the positions where they came from.
//!
//! - [`key`]: what any dtype's order is as an order of unsigned integers, and back.
//! - [`radix`]: digit by digit from the lowest, counting and then placing.
//! - [`rank`]: short rows, where each key counts those before it.
//!
//! All of it is integer work in a fixed order, so the result is the same on every device.

pub(crate) mod key;
mod radix;
mod rank;

use super::Machine;
use crate::error::Result;
use crate::num::Num;
use crate::tensor::Tensor;
use suanzi_codegen::Scalar;

/// Sorts each row of contiguous keys (`[rows, n]`, u32 or u64) by its `bits` lowest bits (the others
/// are 0). Positions within the row come along where they are wanted, as u32 (u64 for huge rows).
pub(crate) fn sort_rows(
    op: &'static str,
    keys: &Tensor,
    bits: u32,
    positions: bool,
) -> Result<(Tensor, Option<Tensor>)> {
    let (rows, n) = (keys.shape()[0], keys.shape()[1]);
    let counting = match u32::try_from(n) {
        Ok(_) => Scalar::U32,
        Err(_) => Scalar::U64,
    };
    let short = n <= 256 || rows.saturating_mul(n).saturating_mul(n) <= 1 << 20;
    if short {
        return rank::sort(op, keys, positions.then_some(counting));
    }
    let mut order = None;
    if positions {
        let shape = [1, n];
        let (zero, one) = (Num::Int(0), Num::Int(1));
        let row = crate::ops::iota(keys.context(), counting, &shape, zero, one)?;
        order = Some(row.expand(&[rows, n])?.contiguous()?);
    }
    radix::sort(op, keys, bits, order, counting, Machine::of(keys))
}
