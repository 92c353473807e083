//! Operators beside the device's own copy: what `suanzi bench ops` measures, and the benches of the same names.

pub mod bandwidth;
pub mod permute;
pub mod table;

use crate::{Bars, Result};

/// Judges all of them on a device.
///
/// # Errors
/// The device's, and a wrong result.
pub fn bars(bars: &mut Bars, device: &str) -> Result<()> {
    bandwidth::bars(bars, device)?;
    permute::bars(bars, device)?;
    table::bars(bars, device)
}
