//! The simulator as a plugin: three devices, of 32, 64 and 128 lanes. The wide ones have CUDA with other
//! exchanges for a dialect, so that all else is compiled once for the three.
//!
//! It is the worked example of a plugin in Rust. Everything is done when it is asked for, so that the
//! queue is trivially in order, and sync has nothing to wait for.

use crate::{Kernel, MOST_ITEMS, Module, compile, launch};
use std::alloc::Layout;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use suanzi_plugin::{
    ABI, Caps, Device as RawDevice, Memory, Plugin, Program as RawProgram, Source, Status, flags,
    kind, status,
};

/// A kind of device: lanes, name, dialect.
const DEVICES: &[(u32, &CStr, &CStr)] = &[
    (32, c"Simulator, 32 lanes", c"cuda"),
    (64, c"Simulator, 64 lanes", WIDE),
    (128, c"Simulator, 128 lanes", WIDE),
];

const WIDE: &CStr = match CStr::from_bytes_with_nul(
    concat!(include_str!("../dialects/wide.toml"), "\0").as_bytes(),
) {
    Ok(text) => text,
    Err(_) => c"",
};

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!("suanzi ", env!("CARGO_PKG_VERSION"), "\0").as_bytes())
    {
        Ok(text) => text,
        Err(_) => c"",
    };

/// Alignment of memory.
const ALIGNED: usize = 256;

static PLUGIN: Plugin = Plugin {
    size: size_of::<Plugin>(),
    abi: ABI,
    name: c"simulator".as_ptr(),
    version: VERSION.as_ptr(),
    device_count: Some(device_count),
    open: Some(open),
    close: Some(close),
    caps: Some(caps),
    last_error: Some(last_error),
    mem_alloc: Some(mem_alloc),
    mem_free: Some(mem_free),
    write: Some(write),
    read: Some(read),
    copy: Some(copy),
    compile: Some(compile_kernel),
    // What is compiled is kept by its source, for all devices: see `cache`.
    program_binary: None,
    program_release: Some(program_release),
    launch: Some(launch_kernel),
    submit: None,
    sync: Some(sync),
    timing_begin: None,
    timing_end: None,
    plan: None,
    run: None,
    plan_release: None,
};

/// The symbol of a plugin.
#[unsafe(no_mangle)]
pub extern "C" fn suanzi_plugin_get(_abi: u32) -> *const Plugin {
    &PLUGIN
}

/// An opened device.
struct Device {
    lanes: u32,
    name: &'static CStr,
    dialect: &'static CStr,
    memory: HashMap<Memory, Layout>,
    used: u64,
    error: CString,
}

/// A compiled kernel.
struct Program {
    kernel: Kernel,
    workgroup: [u32; 3],
}

/// The device behind the ABI's pointer.
///
/// # Safety
/// It is from [`open`], and nobody else uses it: the ABI allows one call at a time.
unsafe fn device<'a>(raw: *mut RawDevice) -> &'a mut Device {
    // SAFETY: the caller's promise.
    unsafe { &mut *raw.cast() }
}

impl Device {
    /// Says why, and returns the status.
    fn fails(&mut self, status: Status, why: impl Into<String>) -> Status {
        self.error = CString::new(why.into().replace('\0', " ")).unwrap_or_default();
        status
    }

    /// The address of a range of one of this device's memories.
    fn at(&self, memory: Memory, offset: u64, bytes: u64) -> Option<*mut u8> {
        let size = self.memory.get(&memory)?.size() as u64;
        let inside = offset.checked_add(bytes)? <= size;
        inside.then(|| (memory + offset) as *mut u8)
    }
}

unsafe extern "C" fn device_count(count: *mut u32) -> Status {
    // SAFETY: the ABI gives room for a number.
    unsafe { *count = DEVICES.len() as u32 };
    status::OK
}

unsafe extern "C" fn open(index: u32, out: *mut *mut RawDevice) -> Status {
    let Some(&(lanes, name, dialect)) = DEVICES.get(index as usize) else {
        return status::INVALID;
    };
    let device = Box::new(Device {
        lanes,
        name,
        dialect,
        memory: HashMap::new(),
        used: 0,
        error: CString::default(),
    });
    // SAFETY: the ABI gives room for a pointer.
    unsafe { *out = Box::into_raw(device).cast() };
    status::OK
}

unsafe extern "C" fn close(raw: *mut RawDevice) {
    // SAFETY: from `open`, and used no more. All its memory was given back before.
    drop(unsafe { Box::from_raw(raw.cast::<Device>()) });
}

unsafe extern "C" fn caps(raw: *mut RawDevice, out: *mut Caps) -> Status {
    // SAFETY: the ABI's promises; its structure has at least this version's size.
    let (device, out) = unsafe { (device(raw), &mut *out) };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    *out = Caps {
        size: out.size,
        name: device.name.as_ptr(),
        driver: VERSION.as_ptr(),
        dialect: device.dialect.as_ptr(),
        memory_bytes: memory_bytes(),
        max_alloc: memory_bytes() / 2,
        kind: kind::GPU,
        flags: flags::F64
            | flags::FMA
            | flags::ATOMIC64
            | flags::DENORMALS
            | flags::EXACT_DIVISION
            | flags::HOST,
        compute_units: cores as u32,
        max_workgroup: MOST_ITEMS,
        // CUDA's.
        max_groups: [i32::MAX as u32, 65535, 65535],
        shared_bytes: 48 << 10,
        subgroup_min: device.lanes,
        subgroup_max: device.lanes,
    };
    status::OK
}

/// Half of the machine's.
fn memory_bytes() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = meminfo.lines().find_map(|line| {
        let kib = line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?;
        Some(kib.trim().parse::<u64>().ok()? << 10)
    });
    total.unwrap_or(8 << 30) / 2
}

unsafe extern "C" fn last_error(raw: *mut RawDevice) -> *const c_char {
    match raw.is_null() {
        true => c"there are three devices".as_ptr(),
        // SAFETY: the ABI's promise.
        false => unsafe { device(raw) }.error.as_ptr(),
    }
}

unsafe extern "C" fn mem_alloc(raw: *mut RawDevice, bytes: u64, out: *mut Memory) -> Status {
    // SAFETY: the ABI's promise.
    let device = unsafe { device(raw) };
    let free = memory_bytes().saturating_sub(device.used);
    let layout = usize::try_from(bytes)
        .ok()
        .and_then(|b| Layout::from_size_align(b, ALIGNED).ok());
    let Some(layout) = layout.filter(|l| l.size() > 0 && bytes <= free) else {
        return device.fails(status::OUT_OF_MEMORY, format!("{free} bytes are free"));
    };
    // SAFETY: the size is not zero.
    let memory = unsafe { std::alloc::alloc(layout) };
    if memory.is_null() {
        return device.fails(status::OUT_OF_MEMORY, "the system gave none");
    }
    device.used += bytes;
    device.memory.insert(memory as Memory, layout);
    // SAFETY: the ABI gives room for a number.
    unsafe { *out = memory as Memory };
    status::OK
}

unsafe extern "C" fn mem_free(raw: *mut RawDevice, memory: Memory) -> Status {
    // SAFETY: the ABI's promise.
    let device = unsafe { device(raw) };
    let Some(layout) = device.memory.remove(&memory) else {
        return device.fails(status::INVALID, "no such memory");
    };
    device.used -= layout.size() as u64;
    // SAFETY: it was allocated so, and is known no more.
    unsafe { std::alloc::dealloc(memory as *mut u8, layout) };
    status::OK
}

unsafe extern "C" fn write(
    raw: *mut RawDevice,
    to: Memory,
    offset: u64,
    data: *const c_void,
    bytes: u64,
) -> Status {
    // SAFETY: the ABI's promise.
    let device = unsafe { device(raw) };
    let Some(to) = device.at(to, offset, bytes) else {
        return device.fails(status::INVALID, "outside of the memory");
    };
    // SAFETY: both ranges are there, and the host's is none of ours.
    unsafe { ptr::copy_nonoverlapping(data.cast(), to, bytes as usize) };
    status::OK
}

unsafe extern "C" fn read(
    raw: *mut RawDevice,
    from: Memory,
    offset: u64,
    data: *mut c_void,
    bytes: u64,
) -> Status {
    // SAFETY: the ABI's promise.
    let device = unsafe { device(raw) };
    let Some(from) = device.at(from, offset, bytes) else {
        return device.fails(status::INVALID, "outside of the memory");
    };
    // SAFETY: both ranges are there, and the host's is none of ours.
    unsafe { ptr::copy_nonoverlapping(from, data.cast(), bytes as usize) };
    status::OK
}

unsafe extern "C" fn copy(
    raw: *mut RawDevice,
    from: Memory,
    from_offset: u64,
    to: Memory,
    to_offset: u64,
    bytes: u64,
) -> Status {
    // SAFETY: the ABI's promise.
    let device = unsafe { device(raw) };
    let places = (
        device.at(from, from_offset, bytes),
        device.at(to, to_offset, bytes),
    );
    let (Some(from), Some(to)) = places else {
        return device.fails(status::INVALID, "outside of the memory");
    };
    // SAFETY: both ranges are there.
    unsafe { ptr::copy(from, to, bytes as usize) };
    status::OK
}

unsafe extern "C" fn compile_kernel(
    raw: *mut RawDevice,
    source: *const Source,
    out: *mut *mut RawProgram,
) -> Status {
    // SAFETY: the ABI's promises: texts end with 0, lists are as long as is said, during the call.
    let (device, source, name, text, options) = unsafe {
        let source = &*source;
        let options = (0..source.option_count).map(|i| CStr::from_ptr(*source.options.add(i)));
        let name = CStr::from_ptr(source.name).to_string_lossy();
        let text = CStr::from_ptr(source.text).to_string_lossy();
        (
            device(raw),
            source,
            name,
            text,
            options.map(CStr::to_string_lossy).collect::<Vec<_>>(),
        )
    };
    let options: Vec<&str> = options.iter().map(|o| &**o).collect();
    let artifact = match compile(&text, &options) {
        Ok(artifact) => artifact,
        Err(log) => return device.fails(status::COMPILE, log),
    };
    let kernel = Module::load(&artifact).map(|module| module.kernel(&name));
    let kernel = match kernel {
        Ok(Some(kernel)) => kernel,
        Ok(None) => {
            return device.fails(
                status::COMPILE,
                format!("the source has no kernel `{name}`"),
            );
        }
        Err(what) => return device.fails(status::FAILED, what),
    };
    if kernel.args != source.args_bytes {
        let what = format!(
            "`{name}` takes {} bytes of arguments, not {}",
            kernel.args, source.args_bytes
        );
        return device.fails(status::INVALID, what);
    }
    let program = Box::new(Program {
        kernel,
        workgroup: source.workgroup,
    });
    // SAFETY: the ABI gives room for a pointer.
    unsafe { *out = Box::into_raw(program).cast() };
    status::OK
}

unsafe extern "C" fn program_release(_device: *mut RawDevice, program: *mut RawProgram) {
    // SAFETY: from `compile_kernel`, and used no more.
    drop(unsafe { Box::from_raw(program.cast::<Program>()) });
}

unsafe extern "C" fn launch_kernel(
    raw: *mut RawDevice,
    program: *mut RawProgram,
    groups: *const u32,
    args: *const c_void,
    args_bytes: usize,
) -> Status {
    // SAFETY: the ABI's promises; pointers in the arguments are this device's memories.
    let (device, launched) = unsafe {
        let program = &*program.cast::<Program>();
        let groups = *groups.cast::<[u32; 3]>();
        let args = std::slice::from_raw_parts(args.cast::<u8>(), args_bytes);
        let device = device(raw);
        let lanes = device.lanes;
        (
            device,
            launch(&program.kernel, groups, program.workgroup, args, lanes),
        )
    };
    match launched {
        Ok(()) => status::OK,
        Err(fault) => device.fails(status::FAULT, fault.what),
    }
}

unsafe extern "C" fn sync(_device: *mut RawDevice) -> Status {
    status::OK
}
