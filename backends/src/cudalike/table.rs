//! What is in a vendor's table: names, numbers and words, no code.
//!
//! Every name and every number may be unknown, and `None` says so. What follows from one that is
//! missing is decided in one place, by the driver: no such function, no such feature, or an error
//! that names it.

use super::library::{BlasNames, CompilerNames, DnnNames, DriverNames, Name};
use suanzi_codegen::Scalar;
use suanzi_codegen::emit_c::Dialect;

/// A vendor of CUDA-like devices.
pub struct Vendor {
    /// The device names' part before the colon: `cuda`, `musa`. In capitals it names the settings,
    /// as in `SUANZI_MUSA_CC`.
    pub name: &'static str,
    /// Vendor and platform, in words.
    pub title: &'static str,
    /// What a machine needs, in words: for the error where it is missing.
    pub install: &'static str,
    /// Which devices are this vendor's own: another vendor's library may have the same name.
    pub devices: Devices,
    /// How far it was verified.
    pub label: Label,
    /// When, and by what: a report, a command, or what is public.
    pub evidence: &'static str,
    /// The language of its kernels.
    pub dialect: &'static Dialect,
    /// The driver library.
    pub driver: Driver,
    /// The run-time compiler, if one is known.
    pub compiler: Option<Compiler>,
    /// A command that compiles a file, to be set as `SUANZI_…_CC` where there is no run-time
    /// compiler or another is wanted: an example for messages and documentation.
    pub offline: &'static str,
    /// The library of matrix products, if one is known.
    pub blas: Option<Blas>,
    /// The library of layers, if one is known.
    pub dnn: Option<Dnn>,
}

/// Which devices of a library are a vendor's own, by their names.
pub enum Devices {
    /// All.
    Any,
    /// Those that have one of these words in their names.
    With(&'static [&'static str]),
    /// Those that have none of these.
    Without(&'static [&'static str]),
}

/// How far a vendor's backend was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// Nothing ran: names and numbers from public sources.
    TableOnly,
    /// A real compiler, the vendor's or a compatible one, accepts every kernel.
    CompileVerified,
    /// A simulator ran the kernels, called by the vendor's names.
    SimulatorVerified,
    /// The vendor's hardware ran them.
    HardwareVerified,
}

/// A driver library, or a run-time library in its place.
pub struct Driver {
    /// File names or paths, to be tried in this order; `SUANZI_…_LIBRARY` comes first.
    pub libraries: &'static [&'static str],
    /// What its functions are called.
    pub names: DriverNames,
    /// Numbers of the attributes of a device.
    pub attributes: Attributes,
    /// Numbers of host to device, device to host, device to device, where one function copies in
    /// every direction.
    pub copy_kinds: Option<[i32; 3]>,
    /// What stands before the buffer of a launch's arguments, before its size, and at the end.
    pub launch: [usize; 3],
    /// Status codes.
    pub codes: Codes,
    /// A function that returns a status in words, in place of one that writes a pointer to them.
    pub error_string: Name,
}

/// Numbers of the attributes of a device. Where one is unknown, the least that any such device has
/// is taken.
#[derive(Clone, Copy)]
pub struct Attributes {
    /// Work-items of a group.
    pub max_workgroup: Option<i32>,
    /// Groups along the axes.
    pub max_groups: [Option<i32>; 3],
    /// Shared memory of a group, bytes.
    pub shared_bytes: Option<i32>,
    /// Width of a subgroup. Without it, kernels use no subgroups: a width is asked, never assumed.
    pub subgroup: Option<i32>,
    /// Multiprocessors.
    pub compute_units: Option<i32>,
    /// Version of the instruction set: major and minor.
    pub capability: [Option<i32>; 2],
}

/// Status codes, by what they mean here.
#[derive(Clone, Copy)]
pub struct Codes {
    /// No memory.
    pub out_of_memory: &'static [i32],
    /// There is no device.
    pub no_device: &'static [i32],
    /// A launch asks for more than the device has.
    pub resources: &'static [i32],
    /// The context is lost: every later call fails, until the process ends.
    pub lost: &'static [i32],
}

/// A run-time compiler.
pub struct Compiler {
    /// File names or paths, to be tried in this order, after the driver library itself where `inside`
    /// says so.
    pub libraries: &'static [&'static str],
    /// The driver library may have the functions.
    pub inside: bool,
    /// What its functions are called.
    pub names: CompilerNames,
    /// What it can be asked for, best first; the first whose functions exist is taken.
    pub artifacts: &'static [Artifact],
    /// Options beside the dialect's.
    pub options: &'static [&'static str],
    /// How kernels that include a header are helped to find it.
    pub headers: Option<Headers>,
    /// Matrix fragments: kind of the factors, and the first capability (70 for 7.0) that has them.
    pub fragments: &'static [(Scalar, u32)],
}

/// A form of compiled programs.
pub struct Artifact {
    /// What it is.
    pub kind: Kind,
    /// The function that says how long it is.
    pub size: Name,
    /// The function that copies it.
    pub data: Name,
    /// How the compiler is told the architecture.
    pub arch: Arch,
}

/// The kinds of compiled programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text of a virtual machine, compiled further by the driver.
    Ptx,
    /// Machine code for one architecture.
    Cubin,
    /// Machine code for several.
    FatBinary,
    /// LLVM's own, compiled further by the driver.
    Bitcode,
    /// An ELF file of machine code.
    CodeObject,
}

/// How a compiler is told the architecture. `SUANZI_…_ARCH` sets it.
#[derive(Clone, Copy, Debug)]
pub enum Arch {
    /// By an option; `$0` is the capability's digits, as in 90, unless set.
    Always(&'static str),
    /// By an option, if one is set; the compiler asks the device otherwise.
    WhereSet(&'static str),
}

/// A header of the vendor's that kernels with matrix fragments include.
pub struct Headers {
    /// The file.
    pub file: &'static str,
    /// The option that names a folder, `$0`.
    pub option: &'static str,
    /// Variables that name the folder of the SDK, whose `include` has it.
    pub variables: &'static [&'static str],
    /// Folders.
    pub folders: &'static [&'static str],
}

/// A library of matrix products, called as cuBLAS is.
pub struct Blas {
    /// The name in the dispatch log.
    pub engine: &'static str,
    /// File names or paths, to be tried in this order.
    pub libraries: &'static [&'static str],
    /// What its functions are called.
    pub names: BlasNames,
    /// Numbers for an operand as it is, and transposed.
    pub operations: [i32; 2],
    /// For the call that takes element kinds.
    pub extended: Option<Extended>,
}

/// Numbers of the call that takes element kinds (`cublasGemmEx`).
pub struct Extended {
    /// f16.
    pub f16: i32,
    /// bf16.
    pub bf16: Option<i32>,
    /// Accumulation in f32.
    pub compute_f32: i32,
    /// The library's choice of algorithm.
    pub algorithm: i32,
}

/// A library of layers, called as cuDNN's functions with descriptors are.
pub struct Dnn {
    /// The name in the dispatch log.
    pub engine: &'static str,
    /// File names or paths, to be tried in this order.
    pub libraries: &'static [&'static str],
    /// What its functions are called.
    pub names: DnnNames,
    /// A function that returns the library's version.
    pub version: Name,
    /// A function that returns a status in words.
    pub error_string: Name,
    /// Its numbers. Where they are not known, it is not asked.
    pub numbers: Option<DnnNumbers>,
}

/// Numbers of a library of layers.
pub struct DnnNumbers {
    /// f32.
    pub f32: i32,
    /// f64.
    pub f64: i32,
    /// f16.
    pub f16: Option<i32>,
    /// bf16.
    pub bf16: Option<i32>,
    /// Weights with channels before the window, and behind it.
    pub formats: [i32; 2],
    /// The window is not turned round.
    pub cross_correlation: i32,
    /// Arithmetic of f32 and f64 in their own precision; of narrower kinds, by matrix units too.
    pub math: [i32; 2],
    /// Algorithms that sum the products themselves, whose errors are those of sums; best first.
    pub algorithms: &'static [i32],
    /// Statuses, from and to, of what the library does not do.
    pub unsupported: &'static [(i32, i32)],
}

impl Label {
    /// The name in tables and documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Label::TableOnly => "table-only",
            Label::CompileVerified => "compile-verified",
            Label::SimulatorVerified => "simulator-verified",
            Label::HardwareVerified => "hardware-verified",
        }
    }
}

impl Devices {
    /// Whether a device with this name is the vendor's.
    pub fn own(&self, name: &str) -> bool {
        let has = |words: &[&str]| words.iter().any(|w| name.contains(w));
        match self {
            Devices::Any => true,
            Devices::With(words) => has(words),
            Devices::Without(words) => !has(words),
        }
    }
}

impl Vendor {
    /// The value of a setting: `SUANZI_MUSA_CC` for `CC`.
    pub fn setting(&self, what: &str) -> Option<String> {
        let value = std::env::var(self.variable(what)).ok();
        value.filter(|v| !v.is_empty())
    }

    /// The name of a setting.
    pub fn variable(&self, what: &str) -> String {
        format!("SUANZI_{}_{what}", self.name.to_uppercase())
    }
}
