//! Run-time compilers.

use crate::Handle;
use crate::flavour::Flavour;
use crate::objects::{self, Object, Program};
use std::ffi::{CStr, c_char, c_int};

type Status = Result<(), c_int>;

/// Status of a compiler: an argument is wrong.
const INVALID_INPUT: c_int = 3;
/// A program is none, or was not compiled.
const INVALID_PROGRAM: c_int = 4;
/// An option is not known.
const INVALID_OPTION: c_int = 5;
/// The source is wrong.
const COMPILATION: c_int = 6;

/// First bytes of an image.
const MAGIC: &[u8; 8] = b"suanziSI";

/// An artifact as an image that says how long it is.
fn wrapped(artifact: &[u8]) -> Vec<u8> {
    let length = (artifact.len() as u64).to_le_bytes();
    [MAGIC.as_slice(), &length, artifact].concat()
}

/// The artifact in an image.
///
/// # Safety
/// As many bytes as the image says of itself are there, or its first eight are others.
pub unsafe fn image<'a>(image: *const u8) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise: eight bytes, then eight more, then what they say.
    unsafe {
        let magic = std::slice::from_raw_parts(image, MAGIC.len());
        if magic != MAGIC {
            return None;
        }
        let length = image.add(8).cast::<[u8; 8]>().read();
        let length = u64::from_le_bytes(length) as usize;
        Some(std::slice::from_raw_parts(image.add(16), length))
    }
}

/// A source without what HIP's compiler skips at its start, since it has that header built in. Sources
/// that are equal then are compiled once for all vendors.
fn text(source: &str) -> &str {
    let skipped = source.strip_prefix("#ifndef __HIPCC_RTC__\n");
    let rest = skipped.and_then(|s| Some(s.split_once("#endif\n")?.1));
    rest.unwrap_or(source).trim_start()
}

fn program(f: &Flavour, handle: Handle) -> Result<Program, c_int> {
    match objects::get(f, handle) {
        Ok(Object::Program(program)) => Ok(program),
        _ => Err(INVALID_PROGRAM),
    }
}

/// A string that ends with a zero, if there is one.
///
/// # Safety
/// The pointer is null or to such a string.
unsafe fn string(pointer: *const c_char) -> Result<String, c_int> {
    if pointer.is_null() {
        return Err(INVALID_INPUT);
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) }.to_str();
    text.map(String::from).map_err(|_| INVALID_INPUT)
}

/// Writes a result.
///
/// # Safety
/// The pointer is null or may be written.
unsafe fn give<T>(out: *mut T, value: T) -> Status {
    if out.is_null() {
        return Err(INVALID_INPUT);
    }
    // SAFETY: the caller's promise.
    unsafe { out.write(value) };
    Ok(())
}

pub unsafe fn version(f: &Flavour, major: *mut c_int, minor: *mut c_int) -> Status {
    let _ = f;
    // SAFETY: the header's promise.
    unsafe {
        give(major, 1)?;
        give(minor, 0)
    }
}

pub unsafe fn create(
    f: &Flavour,
    out: *mut Handle,
    source: *const c_char,
    name: *const c_char,
    headers: c_int,
    texts: *const *const c_char,
    names: *const *const c_char,
) -> Status {
    if headers != 0 || !texts.is_null() || !names.is_null() {
        return Err(INVALID_INPUT);
    }
    // SAFETY: the header's promise.
    unsafe {
        string(name)?;
        let source = string(source)?;
        let program = Program {
            source,
            ..Program::default()
        };
        give(out, objects::add(f, Object::Program(program)))
    }
}

pub unsafe fn compile(
    f: &Flavour,
    handle: Handle,
    count: c_int,
    options: *const *const c_char,
) -> Status {
    let mut program = program(f, handle)?;
    let mut given = vec![];
    for i in 0..usize::try_from(count).map_err(|_| INVALID_INPUT)? {
        // SAFETY: as many strings as are announced.
        given.push(unsafe { string(options.add(i).read()) }?);
    }
    let known = |option: &String| {
        f.options
            .iter()
            .any(|k| match k.ends_with(['=', '_', 'x']) {
                true => option.starts_with(k) && option.len() > k.len(),
                false => option == k,
            })
    };
    let wrong = given.iter().find(|o| !known(o));
    let required = given.iter().any(|o| o.starts_with(f.required));
    if let Some(option) = wrong {
        program.log = format!("unknown option `{option}`");
    } else if !required {
        program.log = format!("no option `{}`", f.required);
    }
    if !program.log.is_empty() {
        objects::replace(f, handle, Object::Program(program));
        return Err(INVALID_OPTION);
    }
    let compiled = suanzi_sim::compile(text(&program.source), f.kept);
    let status = match compiled {
        Ok(artifact) => {
            program.artifact = Some(wrapped(&artifact));
            Ok(())
        }
        Err(log) => {
            program.log = log;
            Err(COMPILATION)
        }
    };
    objects::replace(f, handle, Object::Program(program));
    status
}

pub unsafe fn log_size(f: &Flavour, handle: Handle, out: *mut usize) -> Status {
    let program = program(f, handle)?;
    // SAFETY: the header's promise.
    unsafe { give(out, program.log.len() + 1) }
}

pub unsafe fn log(f: &Flavour, handle: Handle, out: *mut c_char) -> Status {
    let log = program(f, handle)?.log;
    if out.is_null() {
        return Err(INVALID_INPUT);
    }
    // SAFETY: there is as much room as `log_size` said.
    unsafe {
        out.copy_from_nonoverlapping(log.as_ptr().cast(), log.len());
        out.add(log.len()).write(0);
    }
    Ok(())
}

pub unsafe fn size(f: &Flavour, handle: Handle, out: *mut usize) -> Status {
    let artifact = program(f, handle)?.artifact.ok_or(INVALID_PROGRAM)?;
    // SAFETY: the header's promise.
    unsafe { give(out, artifact.len()) }
}

pub unsafe fn data(f: &Flavour, handle: Handle, out: *mut c_char) -> Status {
    let artifact = program(f, handle)?.artifact.ok_or(INVALID_PROGRAM)?;
    if out.is_null() {
        return Err(INVALID_INPUT);
    }
    // SAFETY: there is as much room as `size` said.
    unsafe { out.copy_from_nonoverlapping(artifact.as_ptr().cast(), artifact.len()) };
    Ok(())
}

pub unsafe fn destroy(f: &Flavour, handle: *mut Handle) -> Status {
    if handle.is_null() {
        return Err(INVALID_INPUT);
    }
    // SAFETY: the header's promise.
    unsafe {
        program(f, handle.read())?;
        objects::remove(f, handle.read()).map_err(|_| INVALID_PROGRAM)?;
        give(handle, std::ptr::null_mut())
    }
}
