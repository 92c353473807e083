//! What can go wrong in the interpreter.

use crate::verify::VerifyError;
use thiserror::Error;

/// Why memory could not be used or a kernel not be run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InterpError {
    /// The kernel is not valid.
    #[error(transparent)]
    Invalid(#[from] VerifyError),
    /// The host has not that much memory.
    #[error("out of memory: {bytes} bytes could not be allocated; use smaller arrays")]
    OutOfMemory {
        /// Size asked for.
        bytes: usize,
    },
    /// A read, write or copy from the host reaches past the end of the memory.
    #[error("bytes {offset}..{offset}+{len} are outside a memory of {size} bytes")]
    OutOfRange {
        /// First byte.
        offset: usize,
        /// Number of bytes.
        len: usize,
        /// Size of the memory.
        size: usize,
    },
    /// The kernel or the options ask for something the interpreter has no room for.
    #[error("kernel `{kernel}` cannot be interpreted: {what}")]
    Unsupported {
        /// The kernel's name.
        kernel: String,
        /// What, and the limit.
        what: String,
    },
    /// The arguments do not fit the parameters.
    #[error("kernel `{kernel}` cannot be called: {what}")]
    Arguments {
        /// The kernel's name.
        kernel: String,
        /// Which argument, and how it differs.
        what: String,
    },
    /// An active work-item accessed an element outside a buffer or array.
    #[error(
        "kernel `{kernel}`: {lanes} element(s) of `{place}` at index {index}, \
         which has {len}, by work-item {item:?} of group {group:?}"
    )]
    OutOfBounds {
        /// The kernel's name.
        kernel: String,
        /// The buffer's or array's name.
        place: String,
        /// First element accessed.
        index: u64,
        /// Number of elements accessed.
        lanes: u64,
        /// Number of elements there are.
        len: u64,
        /// The work-group.
        group: [u32; 3],
        /// The work-item's local id.
        item: [u32; 3],
    },
    /// Two work-items touched one shared element without a barrier between them, at least one of
    /// them writing (only with [`super::Options::detect_races`]).
    #[error(
        "kernel `{kernel}`: race on `{place}`[{index}] between work-items {first} and {second} of \
         group {group:?}: a barrier is missing"
    )]
    Race {
        /// The kernel's name.
        kernel: String,
        /// The shared array's name.
        place: String,
        /// The element.
        index: u64,
        /// Linear local id of the earlier access.
        first: u32,
        /// Linear local id of the later access.
        second: u32,
        /// The work-group.
        group: [u32; 3],
    },
    /// A loop broke its contract: its step is not positive, or its index would wrap.
    #[error(
        "kernel `{kernel}`: loop from {start} to {end} by {step} never ends, in work-item {item:?} \
         of group {group:?}"
    )]
    Loop {
        /// The kernel's name.
        kernel: String,
        /// First index.
        start: i128,
        /// Bound.
        end: i128,
        /// Step.
        step: i128,
        /// The work-group.
        group: [u32; 3],
        /// The work-item's local id.
        item: [u32; 3],
    },
}
