//! Vendors' numbers, as their headers have them.

use std::ffi::c_int;

/// Status: an argument is wrong.
pub const INVALID_VALUE: c_int = 1;
/// Status: no memory.
pub const OUT_OF_MEMORY: c_int = 2;
/// Status: `Init` was not called.
pub const NOT_INITIALIZED: c_int = 3;
/// Status: there is no such device.
pub const INVALID_DEVICE: c_int = 101;
/// Status: what was to be loaded is damaged.
pub const INVALID_IMAGE: c_int = 200;
/// Status: no context is current.
pub const INVALID_CONTEXT: c_int = 201;
/// Status: an object is none.
pub const INVALID_HANDLE: c_int = 400;
/// Status: no function has this name.
pub const NOT_FOUND: c_int = 500;
/// Status: a kernel failed, and the context is lost.
pub const LAUNCH_FAILED: c_int = 719;
/// Status: anything else.
pub const UNKNOWN: c_int = 999;

/// A vendor.
pub struct Flavour {
    /// In words.
    pub name: &'static str,
    /// A bit of its own.
    pub bit: u32,
    /// Numbers of attributes: work-items, groups along three axes, shared bytes, subgroup, units,
    /// major, minor.
    pub attributes: [c_int; 9],
    /// The device is made current by number.
    pub by_number: bool,
    /// What ends the list of a launch's arguments.
    pub end: usize,
    /// Options of the compiler: whole ones, and beginnings of such as have a value.
    pub options: &'static [&'static str],
    /// The one without which it compiles something else.
    pub required: &'static str,
    /// Options that are the simulator's too.
    pub kept: &'static [&'static str],
    /// Numbers of operands as they are, transposed, and conjugated.
    pub operations: [c_int; 3],
}

/// NVIDIA.
pub static CUDA: Flavour = Flavour {
    name: "CUDA",
    bit: 1,
    attributes: [1, 5, 6, 7, 8, 10, 16, 75, 76],
    by_number: false,
    end: 0,
    options: &[
        "--fmad=false",
        "--ftz=false",
        "--prec-div=true",
        "--prec-sqrt=true",
        "--std=c++17",
        "--include-path=",
        "--gpu-architecture=sm_",
    ],
    required: "--gpu-architecture=sm_",
    kept: &["--fmad=false"],
    operations: [0, 1, 2],
};

/// Moore Threads.
pub static MUSA: Flavour = Flavour {
    name: "MUSA",
    bit: 2,
    options: &["-ffp-contract=off", "--offload-arch=mp_"],
    required: "-ffp-contract=off",
    kept: &["-ffp-contract=off"],
    operations: [111, 112, 113],
    ..CUDA
};

/// MetaX.
pub static MACA: Flavour = Flavour {
    name: "MACA",
    bit: 4,
    attributes: [0, 4, 5, 6, 7, 9, 16, 21, 22],
    by_number: true,
    end: 3,
    options: &["-x maca", "-ffp-contract=off", "--offload-arch="],
    required: "-x maca",
    kept: &["-ffp-contract=off"],
    ..CUDA
};

/// AMD and Hygon.
pub static HIP: Flavour = Flavour {
    name: "HIP",
    bit: 8,
    attributes: [56, 29, 30, 31, 74, 87, 63, 23, 61],
    by_number: true,
    end: 3,
    options: &["-ffp-contract=off", "--offload-arch=gfx"],
    required: "-ffp-contract=off",
    kept: &["-ffp-contract=off"],
    operations: [111, 112, 113],
};
