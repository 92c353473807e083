//! Who a device is and what it can do, asked from the driver.

use crate::caps::{Caps, DeviceKind};
use crate::device::DeviceInfo;
use crate::error::{Error, Result};
use opencl3::device as cl;
use opencl3::error_codes::{ClError, DLOPEN_RUNTIME_LOAD_FAILED};
use opencl3::platform::platform;
use opencl3::types::{cl_device_id, cl_platform_id};
use std::sync::OnceLock;
use suanzi_codegen::Target;
use suanzi_codegen::emit_c::OPENCL;
use suanzi_codegen::target::Support;

/// A device of the driver's list.
#[derive(Clone, Copy)]
pub struct Found {
    platform: cl_platform_id,
    /// Its handle; root devices are never freed.
    pub device: cl_device_id,
}

// SAFETY: platforms and root devices are constants of the driver, usable from any thread.
unsafe impl Send for Found {}
// SAFETY: as above.
unsafe impl Sync for Found {}

fn no_driver(what: impl Into<String>) -> Error {
    Error::NoDriver {
        backend: "opencl",
        what: what.into(),
    }
}

/// Every usable device of every platform, in the driver's order; at least one.
///
/// Asked once: drivers start up here, and PoCL's is not safe against a second thread meanwhile.
pub fn find() -> Result<&'static [Found]> {
    static FOUND: OnceLock<Result<Vec<Found>>> = OnceLock::new();
    let found = FOUND.get_or_init(search).as_ref();
    found.map(Vec::as_slice).map_err(Error::clone)
}

fn search() -> Result<Vec<Found>> {
    const INSTALL: &str = "install the vendor's OpenCL driver, or PoCL (pocl-opencl-icd)";
    let platforms = platform::get_platform_ids().map_err(|code| match code {
        DLOPEN_RUNTIME_LOAD_FAILED => no_driver(format!(
            "the OpenCL loader library (libOpenCL) was not found; {INSTALL}"
        )),
        code => no_driver(format!("no platform ({}); {INSTALL}", ClError(code))),
    })?;
    let mut found = vec![];
    let mut refused = vec![];
    for platform in platforms {
        match cl::get_device_ids(platform, cl::CL_DEVICE_TYPE_ALL) {
            Ok(devices) => {
                found.extend(devices.into_iter().map(|device| Found { platform, device }))
            }
            Err(code) => refused.push(format!("{}: {}", platform_name(platform), ClError(code))),
        }
    }
    found.retain(|f| {
        let usable = f.is(cl::CL_DEVICE_AVAILABLE) && f.is(cl::CL_DEVICE_COMPILER_AVAILABLE);
        if !usable {
            let name = f.text(cl::CL_DEVICE_NAME);
            refused.push(format!("{name}: not available, or without a compiler"));
        }
        usable
    });
    match found.is_empty() {
        false => Ok(found),
        true if refused.is_empty() => {
            Err(no_driver(format!("no platform has a device; {INSTALL}")))
        }
        true => Err(no_driver(refused.join("; "))),
    }
}

/// A driver's string, without the terminating zero.
fn text(bytes: Vec<u8>) -> String {
    let text = String::from_utf8_lossy(&bytes);
    text.trim_matches(['\0', ' ']).to_string()
}

fn platform_name(id: cl_platform_id) -> String {
    text(platform::get_platform_data(id, platform::CL_PLATFORM_NAME).unwrap_or_default())
}

impl Found {
    fn bytes(&self, what: u32) -> Vec<u8> {
        cl::get_device_data(self.device, what).unwrap_or_default()
    }

    fn text(&self, what: u32) -> String {
        text(self.bytes(what))
    }

    /// Numbers, each of `size` bytes.
    fn numbers(&self, what: u32, size: usize) -> Vec<u64> {
        let widen = |c: &[u8]| {
            let mut wide = [0; 8];
            wide[..c.len()].copy_from_slice(c);
            u64::from_le_bytes(wide)
        };
        self.bytes(what).chunks_exact(size).map(widen).collect()
    }

    /// A number of 4 or 8 bytes; 0 where the driver does not know the question.
    fn number(&self, what: u32) -> u64 {
        let size = self.bytes(what).len();
        match size {
            4 | 8 => self.numbers(what, size)[0],
            _ => 0,
        }
    }

    fn is(&self, what: u32) -> bool {
        self.number(what) != 0
    }

    /// Who it is, as the `index`th device.
    pub fn info(&self, index: usize) -> DeviceInfo {
        DeviceInfo {
            id: format!("opencl:{index}"),
            backend: "opencl",
            name: self.text(cl::CL_DEVICE_NAME),
            driver: format!(
                "{}, {}, {}",
                platform_name(self.platform),
                self.text(cl::CL_DEVICE_VERSION),
                self.text(cl::CL_DRIVER_VERSION)
            ),
        }
    }

    /// PoCL, which has a program cache of its own, on disk, and compiles a kernel a second time when
    /// it is asked for the binary; and which reads a long header before each program.
    pub fn is_pocl(&self) -> bool {
        platform_name(self.platform) == "Portable Computing Language"
    }

    /// What it can do.
    pub fn caps(&self) -> Caps {
        let extensions = self.text(cl::CL_DEVICE_EXTENSIONS);
        let has = |names: &[&str]| {
            let mut names = names.iter();
            names.all(|name| extensions.split_whitespace().any(|e| e == *name))
        };
        let f32_config = self.number(cl::CL_DEVICE_SINGLE_FP_CONFIG);
        let f64_config = self.number(cl::CL_DEVICE_DOUBLE_FP_CONFIG);
        let subgroup = has(&[
            "cl_khr_subgroups",
            "cl_khr_subgroup_shuffle",
            "cl_khr_subgroup_shuffle_relative",
        ])
        .then(|| self.subgroup());
        let native = |yes, otherwise| if yes { Support::Native } else { otherwise };
        let target = Target {
            f16: native(has(&["cl_khr_fp16"]), Support::Storage),
            f64: native(has(&["cl_khr_fp64"]) || f64_config != 0, Support::Missing),
            fused_fma: f32_config & cl::CL_FP_FMA != 0,
            subgroups: subgroup.is_some(),
            atomic64: has(&["cl_khr_int64_base_atomics", "cl_khr_int64_extended_atomics"]),
            ..OPENCL.target()
        };
        Caps {
            kind: self.kind(),
            compute_units: self.number(cl::CL_DEVICE_MAX_COMPUTE_UNITS).max(1) as u32,
            max_workgroup: self.max_workgroup(),
            max_groups: [u32::MAX; 3],
            shared_bytes: clamp(self.number(cl::CL_DEVICE_LOCAL_MEM_SIZE)),
            memory_bytes: self.number(cl::CL_DEVICE_GLOBAL_MEM_SIZE),
            max_alloc: self.number(cl::CL_DEVICE_MAX_MEM_ALLOC_SIZE),
            vector_bytes: self.vector_bytes(),
            subgroup,
            host: self.number(cl::CL_DEVICE_TYPE) & cl::CL_DEVICE_TYPE_CPU != 0,
            denormals_f32: f32_config & cl::CL_FP_DENORM != 0,
            exact_division: f32_config & cl::CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT != 0,
            emulated: emulated(&target),
            target,
        }
    }

    /// How work is cut: by the device's type, or as `SUANZI_KIND` says.
    fn kind(&self) -> DeviceKind {
        match std::env::var("SUANZI_KIND").as_deref() {
            Ok("cpu") => DeviceKind::Cpu,
            Ok("gpu") => DeviceKind::Gpu,
            _ if self.number(cl::CL_DEVICE_TYPE) & cl::CL_DEVICE_TYPE_CPU != 0 => DeviceKind::Cpu,
            _ => DeviceKind::Gpu,
        }
    }

    /// Where GPUs say that a float is what they take at once, they load 16 bytes all the same.
    fn vector_bytes(&self) -> u32 {
        let floats = self.number(cl::CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
        (4 * clamp(floats).min(16)).max(16)
    }

    /// Most work-items of a group.
    fn max_workgroup(&self) -> u32 {
        clamp(self.number(cl::CL_DEVICE_MAX_WORK_GROUP_SIZE).max(1))
    }

    /// Most work-items along each axis.
    pub fn max_items(&self) -> [u32; 3] {
        let sizes = self.numbers(cl::CL_DEVICE_MAX_WORK_ITEM_SIZES, size_of::<usize>());
        [0, 1, 2].map(|axis| sizes.get(axis).map_or(1, |&n| clamp(n)))
    }

    /// The widths that a subgroup may have. Vendors answer in different places; a driver that
    /// answers nowhere may choose any.
    fn subgroup(&self) -> (u32, u32) {
        const INTEL_SIZES: u32 = 0x4108;
        const NVIDIA_WARP: u32 = 0x4003;
        const AMD_WAVEFRONT: u32 = 0x4043;
        let sizes = self.numbers(INTEL_SIZES, size_of::<usize>());
        let one = [NVIDIA_WARP, AMD_WAVEFRONT].map(|q| self.number(q));
        let sizes = sizes.into_iter().chain(one).filter(|&n| n > 0).map(clamp);
        let (least, most) = sizes.fold((u32::MAX, 0), |(a, b), n| (a.min(n), b.max(n)));
        match most {
            0 => (1, self.max_workgroup()),
            _ => (least, most),
        }
    }
}

fn clamp(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// What is emulated on a target, in words.
fn emulated(target: &Target) -> Vec<String> {
    let mut list = vec![];
    if target.f16 != Support::Native {
        list.push("f16 arithmetic through f32 (no cl_khr_fp16)".to_string());
    }
    if target.bf16 != Support::Native {
        list.push("bf16 arithmetic through f32 (no such type in OpenCL C)".to_string());
    }
    if !target.fused_fma {
        list.push("fma in software (no CL_FP_FMA)".to_string());
    }
    list
}
