//! Drivers: devices, memory, streams, modules, launches.
//!
//! Kernels run behind the caller's back, in the order of their stream; copies wait for it. A failure of a kernel is reported by
//! the calls after it, as on hardware. The functions take what the vendors' do and give a status.

use crate::Handle;
use crate::flavour::*;
use crate::objects::{self, Object};
use crate::stream::Stream;
use std::alloc::{Layout, alloc as allocate, dealloc};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use suanzi_sim::{MOST_ITEMS, Module};

type Status = Result<(), c_int>;

/// Subgroups of the devices.
const WIDTHS: [u32; 3] = [32, 64, 128];
/// Memory of each device.
const MEMORY: usize = 2 << 30;
/// Shared memory of a group.
const SHARED: c_int = 64 << 10;

/// Vendors that `Init` was called of.
static STARTED: AtomicU32 = AtomicU32::new(0);
/// Memory in use: address and length.
static BLOCKS: Mutex<BTreeMap<u64, usize>> = Mutex::new(BTreeMap::new());
/// What ended a kernel, if one was ended.
static FAULT: OnceLock<CString> = OnceLock::new();

thread_local! {
    /// The current device of each vendor, by its bit.
    static CURRENT: Cell<[Option<c_int>; 4]> = const { Cell::new([None; 4]) };
}

fn blocks() -> MutexGuard<'static, BTreeMap<u64, usize>> {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn slot(f: &Flavour) -> usize {
    f.bit.trailing_zeros() as usize
}

fn check(good: bool, otherwise: c_int) -> Status {
    good.then_some(()).ok_or(otherwise)
}

fn started(f: &Flavour) -> Status {
    check(STARTED.load(SeqCst) & f.bit != 0, NOT_INITIALIZED)
}

/// The current device; there must be one that is not lost.
pub fn current(f: &Flavour) -> Result<c_int, c_int> {
    started(f)?;
    check(FAULT.get().is_none(), LAUNCH_FAILED)?;
    CURRENT.get()[slot(f)].ok_or(INVALID_CONTEXT)
}

fn make_current(f: &Flavour, device: Option<c_int>) {
    let mut all = CURRENT.get();
    all[slot(f)] = device;
    CURRENT.set(all);
}

fn width(device: c_int) -> Result<u32, c_int> {
    let found = usize::try_from(device).ok().and_then(|d| WIDTHS.get(d));
    found.copied().ok_or(INVALID_DEVICE)
}

/// Writes a result.
///
/// # Safety
/// The pointer is null or may be written.
unsafe fn give<T>(out: *mut T, value: T) -> Status {
    check(!out.is_null(), INVALID_VALUE)?;
    // SAFETY: the caller's promise.
    unsafe { out.write(value) };
    Ok(())
}

/// A range lies in one block.
pub fn inside(address: u64, bytes: usize) -> Status {
    let blocks = blocks();
    let block = blocks.range(..=address).next_back();
    let good = block.is_some_and(|(start, length)| {
        let end = (address - start).checked_add(bytes as u64);
        end.is_some_and(|end| end <= *length as u64)
    });
    check(good, INVALID_VALUE)
}

/// The stream behind a handle.
pub fn stream_of(f: &Flavour, stream: Handle) -> Result<Stream, c_int> {
    match objects::get(f, stream)? {
        Object::Stream(stream) => Ok(stream),
        _ => Err(INVALID_HANDLE),
    }
}

/// Waits for a stream, and says whether all of it went well.
pub fn settle(stream: &Stream) -> Status {
    check(stream.settle() && FAULT.get().is_none(), LAUNCH_FAILED)
}

/// What a status means.
pub fn words(code: c_int) -> &'static CStr {
    match code {
        0 => c"no error",
        INVALID_VALUE => c"invalid argument",
        OUT_OF_MEMORY => c"out of memory",
        NOT_INITIALIZED => c"initialization error",
        INVALID_DEVICE => c"invalid device ordinal",
        INVALID_IMAGE => c"device kernel image is invalid",
        INVALID_CONTEXT => c"invalid device context",
        INVALID_HANDLE => c"invalid resource handle",
        NOT_FOUND => c"named symbol not found",
        LAUNCH_FAILED => FAULT.get().map_or(c"unspecified launch failure", |f| f),
        _ => c"unknown error",
    }
}

pub unsafe fn init(f: &Flavour, flags: c_uint) -> Status {
    check(flags == 0, INVALID_VALUE)?;
    STARTED.fetch_or(f.bit, SeqCst);
    Ok(())
}

pub unsafe fn version(f: &Flavour, out: *mut c_int) -> Status {
    let _ = f;
    // SAFETY: the header's promise.
    unsafe { give(out, 1000) }
}

pub unsafe fn device_count(f: &Flavour, out: *mut c_int) -> Status {
    started(f)?;
    // SAFETY: the header's promise.
    unsafe { give(out, WIDTHS.len() as c_int) }
}

pub unsafe fn device(f: &Flavour, out: *mut c_int, number: c_int) -> Status {
    started(f)?;
    width(number)?;
    // SAFETY: the header's promise.
    unsafe { give(out, number) }
}

pub unsafe fn device_name(f: &Flavour, out: *mut c_char, length: c_int, device: c_int) -> Status {
    started(f)?;
    let name = format!(
        "Suanzi simulator, {}, subgroups of {}",
        f.name,
        width(device)?
    );
    check(
        !out.is_null() && length as usize > name.len(),
        INVALID_VALUE,
    )?;
    // SAFETY: there is room for the name and a zero.
    unsafe {
        out.copy_from_nonoverlapping(name.as_ptr().cast(), name.len());
        out.add(name.len()).write(0);
    }
    Ok(())
}

pub unsafe fn memory(f: &Flavour, out: *mut usize, device: c_int) -> Status {
    started(f)?;
    width(device)?;
    // SAFETY: the header's promise.
    unsafe { give(out, MEMORY) }
}

pub unsafe fn memory_info(f: &Flavour, free: *mut usize, total: *mut usize) -> Status {
    current(f)?;
    let used: usize = blocks().values().sum();
    // SAFETY: the header's promise.
    unsafe {
        give(free, MEMORY.saturating_sub(used))?;
        give(total, MEMORY)
    }
}

pub unsafe fn attribute(f: &Flavour, out: *mut c_int, attribute: c_int, device: c_int) -> Status {
    started(f)?;
    let width = width(device)? as c_int;
    let most = MOST_ITEMS as c_int;
    let values = [most, c_int::MAX, 65535, 65535, SHARED, width, 16, 7, 0];
    let known = f.attributes.iter().position(|&a| a == attribute);
    // SAFETY: the header's promise.
    unsafe { give(out, values[known.ok_or(INVALID_VALUE)?]) }
}

pub unsafe fn retain(f: &Flavour, out: *mut Handle, device: c_int) -> Status {
    started(f)?;
    width(device)?;
    // SAFETY: the header's promise.
    unsafe { give(out, objects::add(f, Object::Context(device))) }
}

pub unsafe fn set_current(f: &Flavour, context: Handle) -> Status {
    started(f)?;
    let device = match context.is_null() {
        true => None,
        false => match objects::get(f, context)? {
            Object::Context(device) => Some(device),
            _ => return Err(INVALID_CONTEXT),
        },
    };
    make_current(f, device);
    Ok(())
}

pub unsafe fn set_device(f: &Flavour, device: c_int) -> Status {
    started(f)?;
    check(f.by_number, INVALID_VALUE)?;
    width(device)?;
    make_current(f, Some(device));
    Ok(())
}

fn layout(bytes: usize) -> Result<Layout, c_int> {
    Layout::from_size_align(bytes, 256).map_err(|_| OUT_OF_MEMORY)
}

pub unsafe fn alloc(f: &Flavour, out: *mut u64, bytes: usize) -> Status {
    current(f)?;
    check(!out.is_null() && bytes > 0, INVALID_VALUE)?;
    let mut blocks = blocks();
    let used: usize = blocks.values().sum();
    check(bytes <= MEMORY.saturating_sub(used), OUT_OF_MEMORY)?;
    // SAFETY: the layout is not empty.
    let pointer = unsafe { allocate(layout(bytes)?) };
    check(!pointer.is_null(), OUT_OF_MEMORY)?;
    blocks.insert(pointer as u64, bytes);
    // SAFETY: it was looked at above.
    unsafe { give(out, pointer as u64) }
}

pub unsafe fn free(f: &Flavour, address: u64) -> Status {
    current(f)?;
    let bytes = blocks().remove(&address).ok_or(INVALID_VALUE)?;
    // SAFETY: the block was allocated by `alloc` with this layout, and is in the table no more.
    unsafe { dealloc(address as *mut u8, layout(bytes)?) };
    Ok(())
}

/// Copies, after everything before.
///
/// # Safety
/// Both ranges are valid.
unsafe fn transfer(f: &Flavour, to: u64, from: u64, bytes: usize, stream: Handle) -> Status {
    settle(&stream_of(f, stream)?)?;
    // SAFETY: the caller's promise; ranges may meet.
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) };
    Ok(())
}

pub unsafe fn copy_in(
    f: &Flavour,
    to: u64,
    from: *const c_void,
    bytes: usize,
    stream: Handle,
) -> Status {
    current(f)?;
    inside(to, bytes)?;
    check(!from.is_null(), INVALID_VALUE)?;
    // SAFETY: one end is in a block, the other the caller's.
    unsafe { transfer(f, to, from as u64, bytes, stream) }
}

pub unsafe fn copy_out(
    f: &Flavour,
    to: *mut c_void,
    from: u64,
    bytes: usize,
    stream: Handle,
) -> Status {
    current(f)?;
    inside(from, bytes)?;
    check(!to.is_null(), INVALID_VALUE)?;
    // SAFETY: as above.
    unsafe { transfer(f, to as u64, from, bytes, stream) }
}

pub unsafe fn copy_within(f: &Flavour, to: u64, from: u64, bytes: usize, stream: Handle) -> Status {
    current(f)?;
    inside(to, bytes)?;
    inside(from, bytes)?;
    // SAFETY: both ends are in blocks.
    unsafe { transfer(f, to, from, bytes, stream) }
}

pub unsafe fn copy(
    f: &Flavour,
    to: u64,
    from: u64,
    bytes: usize,
    kind: c_int,
    stream: Handle,
) -> Status {
    // SAFETY: the header's promise.
    unsafe {
        match kind {
            1 => copy_in(f, to, from as *const c_void, bytes, stream),
            2 => copy_out(f, to as *mut c_void, from, bytes, stream),
            3 => copy_within(f, to, from, bytes, stream),
            _ => Err(INVALID_VALUE),
        }
    }
}

pub unsafe fn stream(f: &Flavour, out: *mut Handle, flags: c_uint) -> Status {
    current(f)?;
    check(flags <= 1, INVALID_VALUE)?;
    // SAFETY: the header's promise.
    unsafe { give(out, objects::add(f, Object::Stream(Stream::new()))) }
}

pub unsafe fn stream_destroy(f: &Flavour, stream: Handle) -> Status {
    current(f)?;
    stream_of(f, stream)?;
    objects::remove(f, stream).map(drop)
}

pub unsafe fn stream_wait(f: &Flavour, stream: Handle) -> Status {
    current(f)?;
    settle(&stream_of(f, stream)?)
}

pub unsafe fn event(f: &Flavour, out: *mut Handle, flags: c_uint) -> Status {
    current(f)?;
    check(flags == 0, INVALID_VALUE)?;
    // SAFETY: the header's promise.
    unsafe { give(out, objects::add(f, Object::Event(None))) }
}

fn time(f: &Flavour, event: Handle) -> Result<Option<Instant>, c_int> {
    match objects::get(f, event)? {
        Object::Event(time) => Ok(time),
        _ => Err(INVALID_HANDLE),
    }
}

pub unsafe fn event_record(f: &Flavour, event: Handle, stream: Handle) -> Status {
    current(f)?;
    time(f, event)?;
    settle(&stream_of(f, stream)?)?;
    objects::replace(f, event, Object::Event(Some(Instant::now())));
    Ok(())
}

pub unsafe fn event_wait(f: &Flavour, event: Handle) -> Status {
    current(f)?;
    time(f, event).map(drop)
}

pub unsafe fn event_elapsed(f: &Flavour, out: *mut f32, start: Handle, end: Handle) -> Status {
    current(f)?;
    let (start, end) = (time(f, start)?, time(f, end)?);
    let (start, end) = start.zip(end).ok_or(INVALID_HANDLE)?;
    let seconds = end.saturating_duration_since(start).as_secs_f32();
    // SAFETY: the header's promise.
    unsafe { give(out, seconds * 1e3) }
}

pub unsafe fn event_destroy(f: &Flavour, event: Handle) -> Status {
    current(f)?;
    time(f, event)?;
    objects::remove(f, event).map(drop)
}

pub unsafe fn module(f: &Flavour, out: *mut Handle, image: *const c_void) -> Status {
    current(f)?;
    check(!image.is_null(), INVALID_VALUE)?;
    // SAFETY: the header's promise is that an image says itself how long it is: ours does, in front.
    let image = unsafe { crate::compiler::image(image.cast()) }.ok_or(INVALID_IMAGE)?;
    let module = Module::load(image).map_err(|_| INVALID_IMAGE)?;
    // SAFETY: the header's promise.
    unsafe { give(out, objects::add(f, Object::Module(module))) }
}

pub unsafe fn module_unload(f: &Flavour, module: Handle) -> Status {
    current(f)?;
    match objects::get(f, module)? {
        Object::Module(_) => objects::remove(f, module).map(drop),
        _ => Err(INVALID_HANDLE),
    }
}

pub unsafe fn kernel(f: &Flavour, out: *mut Handle, module: Handle, name: *const c_char) -> Status {
    current(f)?;
    let Object::Module(module) = objects::get(f, module)? else {
        return Err(INVALID_HANDLE);
    };
    check(!name.is_null(), INVALID_VALUE)?;
    // SAFETY: a string that ends with a zero.
    let name = unsafe { CStr::from_ptr(name) };
    let kernel = module.kernel(name.to_str().map_err(|_| NOT_FOUND)?);
    let kernel = Object::Kernel(kernel.ok_or(NOT_FOUND)?);
    // SAFETY: the header's promise.
    unsafe { give(out, objects::add(f, kernel)) }
}

#[allow(clippy::too_many_arguments)]
pub unsafe fn launch(
    f: &Flavour,
    kernel: Handle,
    gx: c_uint,
    gy: c_uint,
    gz: c_uint,
    x: c_uint,
    y: c_uint,
    z: c_uint,
    shared: c_uint,
    stream: Handle,
    arguments: *mut Handle,
    extra: *mut Handle,
) -> Status {
    let device = current(f)?;
    let stream = stream_of(f, stream)?;
    let Object::Kernel(kernel) = objects::get(f, kernel)? else {
        return Err(INVALID_HANDLE);
    };
    let (groups, items) = ([gx, gy, gz], [x, y, z]);
    let sizes = [groups, items].concat();
    let fits = gy <= 65535 && gz <= 65535 && u64::from(x) * u64::from(y) * u64::from(z) <= 1024;
    check(!sizes.contains(&0) && fits && shared == 0, INVALID_VALUE)?;
    check(arguments.is_null() && !extra.is_null(), INVALID_VALUE)?;
    // SAFETY: five entries, as this form has them; the size is behind the fourth.
    let bytes = unsafe {
        let entry = |i: usize| extra.add(i).read();
        let form = [entry(0) as usize, entry(2) as usize, entry(4) as usize];
        check(form == [1, 2, f.end], INVALID_VALUE)?;
        let size = entry(3).cast::<usize>();
        check(!entry(1).is_null() && !size.is_null(), INVALID_VALUE)?;
        std::slice::from_raw_parts(entry(1).cast::<u8>(), size.read()).to_vec()
    };
    check(bytes.len() == kernel.args, INVALID_VALUE)?;
    let width = width(device)?;
    stream.push(move || {
        // SAFETY: what the pointers among the arguments point at is the caller's affair, until the stream was waited for.
        let ran = unsafe { suanzi_sim::launch(&kernel, groups, items, &bytes, width) };
        if let Err(fault) = ran {
            // Reported by the calls after this one.
            let _ = FAULT.set(CString::new(fault.to_string()).unwrap_or_default());
        }
    });
    Ok(())
}

pub unsafe fn error_text(f: &Flavour, code: c_int, out: *mut *const c_char) -> Status {
    let _ = f;
    // SAFETY: the header's promise.
    unsafe { give(out, words(code).as_ptr()) }
}
