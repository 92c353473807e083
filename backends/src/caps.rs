//! What a device can do. Operators choose by these and never by the name of a backend.

use suanzi_codegen::target::{Support, Target};
use suanzi_codegen::types::Scalar;

/// The broad kind of a device: decides how work is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Few strong cores that vectorise inside a work-item: little work-groups, wide vectors.
    Cpu,
    /// Many weak lanes: work-groups of hundreds, neighbouring items on neighbouring elements.
    Gpu,
    /// The built-in interpreter, which vectorises over the work-group: large work-groups,
    /// scalar code.
    Interpreter,
}

/// Limits and features of a device.
#[derive(Clone, Debug)]
pub struct Caps {
    /// How work should be cut.
    pub kind: DeviceKind,
    /// What kernels are legalised for.
    pub target: Target,
    /// Parallel units (cores, compute units, multiprocessors).
    pub compute_units: u32,
    /// Most work-items in a work-group.
    pub max_workgroup: u32,
    /// Most work-groups along each axis of a launch.
    pub max_groups: [u32; 3],
    /// Shared memory of a work-group, bytes.
    pub shared_bytes: u32,
    /// Most memory, bytes.
    pub memory_bytes: u64,
    /// Largest single allocation, bytes.
    pub max_alloc: u64,
    /// Bytes of a vector register: on a CPU those that an instruction takes, on a GPU those of a wide load.
    pub vector_bytes: u32,
    /// Subgroup widths that may occur (least, most), if subgroups exist.
    pub subgroup: Option<(u32, u32)>,
    /// It runs on the host's own processor: never picked by default as if it were a GPU.
    pub host: bool,
    /// f32 denormals survive arithmetic.
    pub denormals_f32: bool,
    /// f32 and f64 division and square root are correctly rounded.
    pub exact_division: bool,
    /// What the device lacks and this library emulates, in words: shown by `suanzi devices`.
    pub emulated: Vec<String>,
}

impl DeviceKind {
    /// The name in tables and reports.
    pub const fn name(self) -> &'static str {
        match self {
            DeviceKind::Cpu => "cpu",
            DeviceKind::Gpu => "gpu",
            DeviceKind::Interpreter => "interpreter",
        }
    }
}

impl Caps {
    /// What the device lacks and nothing emulates, in words: kernels that need it are refused.
    pub fn lacking(&self) -> Vec<String> {
        let target = &self.target;
        let kinds = Scalar::ALL.into_iter();
        let missing = kinds.filter(|&s| target.support(s) == Support::Missing);
        let features = [
            ("subgroups", target.subgroups),
            ("64-bit atomics", target.atomic64),
            ("matrix fragments", !target.fragments.is_empty()),
        ];
        let absent = features.into_iter().filter(|(_, there)| !there);
        let names = missing
            .map(Scalar::name)
            .chain(absent.map(|(name, _)| name));
        names.map(String::from).collect()
    }
}
