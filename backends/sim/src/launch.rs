//! A launch: its limits, and its work-groups over threads.

use crate::group;
use crate::module::Kernel;
use rayon::prelude::*;
use thiserror::Error;

/// Most work-items of a group.
pub const MOST_ITEMS: u32 = 1024;

/// Widest subgroup.
const WIDEST: u32 = 128;

/// Launches of fewer work-items than this are not worth another thread.
const SMALL: u64 = 4096;

/// Why a launch failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("kernel `{kernel}`: {what}")]
pub struct Fault {
    /// The kernel.
    pub kernel: String,
    /// What happened, and to which work-item of which group.
    pub what: String,
}

/// Runs a kernel over `groups` work-groups of `block` work-items, in subgroups of `width` (a power
/// of two, at most 128), and returns when it is done. `args` are packed as [`Kernel::args`] says.
///
/// # Errors
/// [`Fault`] for a launch that does not fit the kernel or the simulator, and for work-items that
/// diverge at a barrier or a subgroup operation. What other groups wrote then stays written.
///
/// # Safety
/// Every pointer in `args` is valid for what the kernel does with it.
pub unsafe fn launch(
    kernel: &Kernel,
    groups: [u32; 3],
    block: [u32; 3],
    args: &[u8],
    width: u32,
) -> Result<(), Fault> {
    let fault = |what: String| Fault {
        kernel: kernel.name.to_string(),
        what,
    };
    let items = block.iter().map(|&n| u64::from(n)).product::<u64>();
    let most = match kernel.most {
        0 => MOST_ITEMS,
        most => most.min(MOST_ITEMS),
    };
    if items == 0 || items > u64::from(most) {
        return Err(fault(format!(
            "a work-group of {block:?} was asked for; it has 1 to {most} work-items"
        )));
    }
    if !width.is_power_of_two() || width > WIDEST {
        return Err(fault(format!("no subgroup has {width} lanes")));
    }
    if args.len() != kernel.args {
        return Err(fault(format!(
            "{} bytes of arguments were passed, it takes {}",
            args.len(),
            kernel.args
        )));
    }
    let total = groups
        .iter()
        .try_fold(1u64, |all, &n| all.checked_mul(u64::from(n)));
    let total = total.ok_or_else(|| fault(format!("{groups:?} work-groups are too many")))?;
    let scratch = || group::Scratch::new(items as usize);
    let group = |scratch: &mut group::Scratch, i: u64| {
        let [x, y, _] = groups.map(u64::from);
        let at = [i % x, i / x % y, i / (x * y)].map(|n| n as u32);
        // SAFETY: the caller's promise.
        unsafe { group::run(kernel, groups, at, block, args, width, scratch) }.map_err(fault)
    };
    match total.saturating_mul(items) < SMALL || total == 1 {
        true => {
            let mut scratch = scratch();
            (0..total).try_for_each(|i| group(&mut scratch, i))
        }
        false => (0..total).into_par_iter().try_for_each_init(scratch, group),
    }
}
