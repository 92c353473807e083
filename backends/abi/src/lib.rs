//! The plugin ABI, in Rust: the structures of `include/suanzi_plugin.h`, where each field is explained
//! and the rules of ownership, threads, order and errors stand. A test compares the two.
//!
//! Both sides use it: `suanzi-backends` for calling plugins, and plugins that are written in Rust
//! (`suanzi-sim`). There is no code here, only layouts.

use std::ffi::{c_char, c_void};

/// The version of the ABI.
pub const ABI: u32 = 1;
/// The one symbol of a plugin; its type is [`Get`].
pub const SYMBOL: &str = "suanzi_plugin_get";
/// The header, for tools that want to write it out.
pub const HEADER: &str = include_str!("../include/suanzi_plugin.h");

/// What a function returns: [`status`] names the values.
pub type Status = i32;
/// A kind of element: the place in bool, i8…i64, u8…u64, f16, bf16, f32, f64.
pub type Dtype = u32;
/// Memory of a device.
pub type Memory = u64;
/// `suanzi_plugin_get`.
pub type Get = unsafe extern "C" fn(abi: u32) -> *const Plugin;

/// Values of [`Status`].
pub mod status {
    #![allow(missing_docs)]
    use super::Status;
    pub const OK: Status = 0;
    pub const INVALID: Status = 1;
    pub const UNSUPPORTED: Status = 2;
    pub const OUT_OF_MEMORY: Status = 3;
    pub const COMPILE: Status = 4;
    pub const FAULT: Status = 5;
    pub const LOST: Status = 6;
    pub const FAILED: Status = 7;
}

/// Values of [`Caps::kind`].
pub mod kind {
    #![allow(missing_docs)]
    pub const GPU: u32 = 0;
    pub const CPU: u32 = 1;
}

/// Bits of [`Caps::flags`].
pub mod flags {
    #![allow(missing_docs)]
    pub const F64: u32 = 1 << 0;
    pub const F16: u32 = 1 << 1;
    pub const FMA: u32 = 1 << 2;
    pub const ATOMIC64: u32 = 1 << 3;
    pub const DENORMALS: u32 = 1 << 4;
    pub const EXACT_DIVISION: u32 = 1 << 5;
    pub const FRAGMENTS: u32 = 1 << 6;
    pub const HOST: u32 = 1 << 7;
    /// All that this version knows.
    pub const KNOWN: u32 = (1 << 8) - 1;
}

/// Values of [`Op::kind`].
pub mod op {
    #![allow(missing_docs)]
    pub const GEMM: u32 = 0;
    pub const CONVOLUTION: u32 = 1;
    pub const ELEMENTWISE: u32 = 2;
}

/// Most axes of a [`Tensor`].
pub const MAX_AXES: usize = 8;

/// `suanzi_device`: the plugin's own.
#[repr(C)]
pub struct Device(c_void);
/// `suanzi_program`: the plugin's own.
#[repr(C)]
pub struct Program(c_void);
/// `suanzi_plan`: the plugin's own.
#[repr(C)]
pub struct Plan(c_void);

/// Declares a structure of the header, and what the test compares it by.
macro_rules! structures {
    ($($(#[$doc:meta])* $name:ident = $c:literal { $($field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Clone, Copy)]
            #[allow(missing_docs)]
            pub struct $name { $(pub $field: $ty,)* }
        )*
        /// Each structure's name in C and size; and its fields: name, offset, size.
        pub const LAYOUTS: &[(&str, usize, &[(&str, usize, usize)])] = &[$(
            ($c, size_of::<$name>(), &[$(
                (stringify!($field), std::mem::offset_of!($name, $field), size_of::<$ty>()),
            )*]),
        )*];
    };
}

structures! {
    /// What a device is and can do.
    Caps = "suanzi_caps" {
        size: usize,
        name: *const c_char,
        driver: *const c_char,
        dialect: *const c_char,
        memory_bytes: u64,
        max_alloc: u64,
        kind: u32,
        flags: u32,
        compute_units: u32,
        max_workgroup: u32,
        max_groups: [u32; 3],
        shared_bytes: u32,
        subgroup_min: u32,
        subgroup_max: u32,
    }

    /// A parameter of a kernel.
    Param = "suanzi_param" {
        size: usize,
        name: *const c_char,
        dtype: Dtype,
        is_buffer: u32,
        written: u32,
        offset: u32,
        bytes: u32,
    }

    /// A kernel to compile.
    Source = "suanzi_source" {
        size: usize,
        name: *const c_char,
        text: *const c_char,
        options: *const *const c_char,
        option_count: usize,
        params: *const Param,
        param_count: usize,
        args_bytes: usize,
        workgroup: [u32; 3],
        shared_bytes: u32,
        binary: *const c_void,
        binary_bytes: usize,
    }

    /// A tensor.
    Tensor = "suanzi_tensor" {
        size: usize,
        dtype: Dtype,
        axes: u32,
        offset: u64,
        shape: [u64; MAX_AXES],
        strides: [i64; MAX_AXES],
    }

    /// An operation of a vendor's library.
    Op = "suanzi_op" {
        size: usize,
        kind: u32,
        tensor_count: u32,
        tensors: *const Tensor,
        scalars: [f64; 2],
        name: *const c_char,
        groups: u32,
        padding: [u32; 6],
        stride: [u32; 3],
        dilation: [u32; 3],
    }

    /// The table of functions.
    Plugin = "suanzi_plugin" {
        size: usize,
        abi: u32,
        name: *const c_char,
        version: *const c_char,
        device_count: Option<unsafe extern "C" fn(*mut u32) -> Status>,
        open: Option<unsafe extern "C" fn(u32, *mut *mut Device) -> Status>,
        close: Option<unsafe extern "C" fn(*mut Device)>,
        caps: Option<unsafe extern "C" fn(*mut Device, *mut Caps) -> Status>,
        last_error: Option<unsafe extern "C" fn(*mut Device) -> *const c_char>,
        mem_alloc: Option<unsafe extern "C" fn(*mut Device, u64, *mut Memory) -> Status>,
        mem_free: Option<unsafe extern "C" fn(*mut Device, Memory) -> Status>,
        write: Option<unsafe extern "C" fn(*mut Device, Memory, u64, *const c_void, u64) -> Status>,
        read: Option<unsafe extern "C" fn(*mut Device, Memory, u64, *mut c_void, u64) -> Status>,
        copy: Option<unsafe extern "C" fn(*mut Device, Memory, u64, Memory, u64, u64) -> Status>,
        compile: Option<unsafe extern "C" fn(*mut Device, *const Source, *mut *mut Program) -> Status>,
        program_binary: Option<
            unsafe extern "C" fn(*mut Device, *mut Program, *mut *const c_void, *mut usize) -> Status,
        >,
        program_release: Option<unsafe extern "C" fn(*mut Device, *mut Program)>,
        launch: Option<
            unsafe extern "C" fn(*mut Device, *mut Program, *const u32, *const c_void, usize) -> Status,
        >,
        submit: Option<unsafe extern "C" fn(*mut Device) -> Status>,
        sync: Option<unsafe extern "C" fn(*mut Device) -> Status>,
        timing_begin: Option<unsafe extern "C" fn(*mut Device) -> Status>,
        timing_end: Option<unsafe extern "C" fn(*mut Device, *mut u64) -> Status>,
        plan: Option<unsafe extern "C" fn(*mut Device, *const Op, *mut *mut Plan, *mut u64) -> Status>,
        run: Option<
            unsafe extern "C" fn(*mut Device, *mut Plan, *const Memory, usize, Memory) -> Status,
        >,
        plan_release: Option<unsafe extern "C" fn(*mut Device, *mut Plan)>,
    }
}

// SAFETY: a table is constant, and so is what its pointers point at.
unsafe impl Sync for Plugin {}
// SAFETY: as above.
unsafe impl Send for Plugin {}
