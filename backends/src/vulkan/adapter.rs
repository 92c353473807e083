//! The instance, its adapters, and what they say about themselves.

use crate::device::DeviceInfo;
use ash::vk;
use std::ffi::c_void;
use std::sync::{Mutex, OnceLock, PoisonError};
use suanzi_codegen::Scalar;
use suanzi_codegen::emit_naga::{self, Features, FloatControls};
use suanzi_codegen::ir::{Fragment, Role};
use wgpu::hal::api::Vulkan;

/// One instance serves the process: creating it loads every Vulkan driver.
fn instance() -> &'static wgpu::Instance {
    static INSTANCE: OnceLock<wgpu::Instance> = OnceLock::new();
    INSTANCE.get_or_init(|| {
        let validate = std::env::var("SUANZI_VALIDATE").is_ok_and(|v| v == "1");
        let mut flags = wgpu::InstanceFlags::ALLOW_UNDERLYING_NONCOMPLIANT_ADAPTER;
        // The messages come through an extension that wgpu enables for debugging only.
        let listening = wgpu::InstanceFlags::VALIDATION | wgpu::InstanceFlags::DEBUG;
        flags.set(listening, validate);
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::VULKAN,
            flags,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        if validate {
            listen(&instance);
        }
        instance
    })
}

/// Every adapter, in the driver's order.
pub fn adapters() -> Vec<wgpu::Adapter> {
    pollster::block_on(instance().enumerate_adapters(wgpu::Backends::VULKAN))
}

/// Who an adapter is.
pub fn info(index: usize, adapter: &wgpu::Adapter) -> DeviceInfo {
    let info = adapter.get_info();
    DeviceInfo {
        id: format!("vulkan:{index}"),
        backend: "vulkan",
        name: info.name,
        driver: format!("{} {}", info.driver, info.driver_info),
    }
}

/// The features of wgpu that kernels profit from, of those that the adapter has.
pub fn wanted(adapter: &wgpu::Adapter) -> wgpu::Features {
    use wgpu::Features as F;
    let wanted = F::PASSTHROUGH_SHADERS
        | F::SHADER_F16
        | F::SHADER_I16
        | F::SHADER_INT64
        | F::SHADER_F64
        | F::SHADER_INT64_ATOMIC_ALL_OPS
        | F::SUBGROUP
        | F::EXPERIMENTAL_COOPERATIVE_MATRIX
        | F::PIPELINE_CACHE
        | F::TIMESTAMP_QUERY
        | F::TIMESTAMP_QUERY_INSIDE_ENCODERS;
    wanted & adapter.features()
}

/// What the emitter may use, by the adapter's own account.
pub fn features(adapter: &wgpu::Adapter) -> Features {
    use wgpu::Features as F;
    let has = |f| adapter.features().contains(f);
    let mut fragments = vec![];
    if has(F::EXPERIMENTAL_COOPERATIVE_MATRIX) {
        for p in adapter.cooperative_matrix_properties() {
            fragments.extend(fragments_of(&p).into_iter().flatten());
        }
        fragments.dedup();
    }
    Features {
        f16: has(F::SHADER_F16),
        int16: has(F::SHADER_I16),
        int64: has(F::SHADER_INT64),
        f64: has(F::SHADER_F64),
        fused_fma: true,
        soft: vec![],
        subgroups: has(F::SUBGROUP),
        atomic64: has(F::SHADER_INT64_ATOMIC_ALL_OPS),
        fragments,
    }
}

/// The three fragments of one row of the adapter's matrix table, if the emitter has them all.
fn fragments_of(p: &wgpu::CooperativeMatrixProperties) -> Option<[Fragment; 3]> {
    let kind = |t: wgpu::CooperativeScalarType| match t {
        wgpu::CooperativeScalarType::F16 => Some(Scalar::F16),
        wgpu::CooperativeScalarType::F32 => Some(Scalar::F32),
        _ => None,
    };
    let side = |n: u32| u8::try_from(n).ok();
    let (m, n, k) = (side(p.m_size)?, side(p.n_size)?, side(p.k_size)?);
    let (factor, sum) = (kind(p.ab_type)?, kind(p.cr_type)?);
    let fragment = |elem, role| Fragment {
        elem,
        role,
        m,
        n,
        k,
    };
    let all = [
        fragment(factor, Role::A),
        fragment(factor, Role::B),
        fragment(sum, Role::Accumulator),
    ];
    all.iter().all(emit_naga::can_express).then_some(all)
}

/// What only Vulkan itself can say.
pub struct Physical {
    /// Float controls.
    pub controls: FloatControls,
    /// The largest heap of device memory, bytes.
    pub memory_bytes: u64,
    /// Multiprocessors or compute units, where a vendor's extension counts them.
    pub compute_units: Option<u32>,
}

/// Asks Vulkan around wgpu.
pub fn physical(adapter: &wgpu::Adapter) -> Physical {
    // SAFETY: the handles are used for queries only, while the adapter is alive.
    let Some(hal) = (unsafe { adapter.as_hal::<Vulkan>() }) else {
        return Physical {
            controls: FloatControls::default(),
            memory_bytes: 0,
            compute_units: None,
        };
    };
    let vulkan = hal.shared_instance().raw_instance();
    let device = hal.raw_physical_device();

    let mut floats = vk::PhysicalDeviceFloatControlsProperties::default();
    let mut nvidia = vk::PhysicalDeviceShaderSMBuiltinsPropertiesNV::default();
    let mut amd = vk::PhysicalDeviceShaderCorePropertiesAMD::default();
    let mut properties = vk::PhysicalDeviceProperties2::default()
        .push_next(&mut floats)
        .push_next(&mut nvidia)
        .push_next(&mut amd);
    // SAFETY: the physical device belongs to the instance, and drivers leave the structures of the
    // chain that they do not know as they are.
    unsafe { vulkan.get_physical_device_properties2(device, &mut properties) };
    // SAFETY: as above.
    let memory = unsafe { vulkan.get_physical_device_memory_properties(device) };

    let amd_units = amd.shader_engine_count
        * amd.shader_arrays_per_engine_count
        * amd.compute_units_per_shader_array;
    let units = [nvidia.shader_sm_count, amd_units];
    let f = floats;
    let yes = |flags: [vk::Bool32; 3]| flags.map(|b| b == vk::TRUE);
    Physical {
        controls: FloatControls {
            preserve_special: yes([
                f.shader_signed_zero_inf_nan_preserve_float16,
                f.shader_signed_zero_inf_nan_preserve_float32,
                f.shader_signed_zero_inf_nan_preserve_float64,
            ]),
            preserve_denormals: yes([
                f.shader_denorm_preserve_float16,
                f.shader_denorm_preserve_float32,
                f.shader_denorm_preserve_float64,
            ]),
            round_to_even: yes([
                f.shader_rounding_mode_rte_float16,
                f.shader_rounding_mode_rte_float32,
                f.shader_rounding_mode_rte_float64,
            ]),
        },
        memory_bytes: memory
            .memory_heaps_as_slice()
            .iter()
            .filter(|h| h.flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL))
            .map(|h| h.size)
            .max()
            .unwrap_or(0),
        compute_units: units.into_iter().find(|&n| n > 0),
    }
}

static MESSAGES: Mutex<Vec<String>> = Mutex::new(vec![]);

/// What the validation layer has said so far (warnings and errors), if `SUANZI_VALIDATE=1` is set.
pub fn validation_messages() -> Vec<String> {
    let messages = MESSAGES.lock();
    messages.unwrap_or_else(PoisonError::into_inner).clone()
}

/// Listens to the validation layer for the rest of the process.
fn listen(instance: &wgpu::Instance) {
    // SAFETY: the handles are used while the instance, which is never dropped, is alive.
    let Some(hal) = (unsafe { instance.as_hal::<Vulkan>() }) else {
        return;
    };
    let shared = hal.shared_instance();
    if !shared.extensions().contains(&ash::ext::debug_utils::NAME) {
        tracing::warn!("SUANZI_VALIDATE=1, but Vulkan has no validation layer here");
        return;
    }
    let utils = ash::ext::debug_utils::Instance::new(shared.entry(), shared.raw_instance());
    use vk::{
        DebugUtilsMessageSeverityFlagsEXT as Severity, DebugUtilsMessageTypeFlagsEXT as Type,
    };
    let info = vk::DebugUtilsMessengerCreateInfoEXT::default()
        .message_severity(Severity::WARNING | Severity::ERROR)
        .message_type(Type::VALIDATION | Type::PERFORMANCE)
        .pfn_user_callback(Some(keep));
    // SAFETY: the extension is enabled, and the callback is a plain function.
    if let Err(e) = unsafe { utils.create_debug_utils_messenger(&info, None) } {
        tracing::warn!("the Vulkan validation layer's messages cannot be heard: {e}");
    }
}

/// Keeps one message of the validation layer.
unsafe extern "system" fn keep(
    _: vk::DebugUtilsMessageSeverityFlagsEXT,
    _: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    _: *mut c_void,
) -> vk::Bool32 {
    // SAFETY: Vulkan passes a valid structure, whose message is null or a C string.
    let text = unsafe { data.as_ref().and_then(|d| d.message_as_c_str()) };
    if let Some(text) = text {
        let mut messages = MESSAGES.lock().unwrap_or_else(PoisonError::into_inner);
        messages.push(text.to_string_lossy().into_owned());
    }
    vk::FALSE
}
