//! Wrong arguments. `xerbla_` and `cblas_xerbla` are exported, and programs may define their own:
//! so the library looks both up in the dynamic symbol table each time instead of calling its own.
//! Ours print and return, as other fast libraries' do; the reference's end the program.

use crate::Int;
use crate::args::Caller;
use std::ffi::{CStr, c_char, c_void};
use std::io::Write;
use std::sync::atomic::{AtomicI32, Ordering};

/// Set while a row-major CBLAS call reports an error: `cblas_xerbla` then names the position that
/// the caller counts. A program may hold its own copy of this symbol.
#[unsafe(no_mangle)]
pub static RowMajorStrg: AtomicI32 = AtomicI32::new(0);
/// Set while a CBLAS call reports an error: `xerbla_` then hands over to `cblas_xerbla`.
#[unsafe(no_mangle)]
pub static CBLAS_CallFromC: AtomicI32 = AtomicI32::new(0);

/// Prints to standard error; where that is closed, nothing.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

type Xerbla = unsafe extern "C" fn(*const u8, *const Int, usize);
type CblasXerbla = unsafe extern "C" fn(Int, *const c_char, *const c_char, ...);

/// What the dynamic linker binds `name` to, seen from this library.
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: a name that ends in NUL.
    let p = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!p.is_null()).then_some(p)
}

/// One of the two flags, as the program sees it.
fn flag(name: &CStr, own: &'static AtomicI32) -> &'static AtomicI32 {
    match symbol(name) {
        // SAFETY: both are ints in every CBLAS, and live as long as the program.
        Some(p) => unsafe { &*p.cast::<AtomicI32>() },
        None => own,
    }
}

/// Reports argument `position` (counted as Fortran does, in column-major order).
#[cold]
pub(crate) fn report(caller: Caller, position: Int) {
    let mut name = [b' '; 6];
    let letters = caller.entry.name.bytes();
    for (to, from) in name.iter_mut().zip(letters) {
        *to = from.to_ascii_uppercase();
    }
    let row = flag(c"RowMajorStrg", &RowMajorStrg);
    let from_c = flag(c"CBLAS_CallFromC", &CBLAS_CallFromC);
    if caller.c {
        from_c.store(1, Ordering::SeqCst);
        row.store(caller.row.into(), Ordering::SeqCst);
    }
    // SAFETY: xerbla_ has this type in every BLAS; the name has the length that is passed.
    unsafe {
        match symbol(c"xerbla_") {
            Some(p) => std::mem::transmute::<*mut c_void, Xerbla>(p)(name.as_ptr(), &position, 6),
            None => xerbla_(name.as_ptr(), &position, 6),
        }
    }
    if caller.c {
        from_c.store(0, Ordering::SeqCst);
        row.store(0, Ordering::SeqCst);
    }
}

/// Reports a value that is no member of an enumeration, at `position` of the Fortran call.
#[cold]
pub(crate) fn report_choice(caller: Caller, position: Int, what: &str, value: i32) {
    if caller.c {
        report_number(caller.entry.name, position + 1, what, value);
    } else {
        report(caller, position);
    }
}

/// The same at `position` of a CBLAS call.
#[cold]
pub(crate) fn report_number(routine: &str, position: Int, what: &str, value: i32) {
    let row_flag = flag(c"RowMajorStrg", &RowMajorStrg);
    let name = format!("cblas_{routine}\0");
    let form = format!("Illegal {what} setting, %d\n\0");
    // The position is already the caller's: no exchange of positions may follow.
    row_flag.store(0, Ordering::SeqCst);
    // SAFETY: cblas_xerbla has this type in every CBLAS; both strings end in NUL.
    unsafe {
        match symbol(c"cblas_xerbla") {
            Some(p) => std::mem::transmute::<*mut c_void, CblasXerbla>(p)(
                position,
                name.as_ptr().cast(),
                form.as_ptr().cast(),
                value,
            ),
            None => cblas_xerbla(
                position,
                name.as_ptr().cast(),
                form.as_ptr().cast(),
                value as usize,
                0,
                0,
            ),
        }
    }
}

/// Reports a wrong argument of a Fortran routine: prints its position, or from CBLAS hands over.
///
/// # Safety
/// `name` has `len` characters, `info` points to an integer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xerbla_(name: *const u8, info: *const Int, len: usize) {
    // SAFETY: the caller's promise; a caller in C that leaves the length out is cut off at 32.
    let (name, info) = unsafe {
        let shown = (0..len.min(32)).take_while(|&i| *name.add(i) != 0).count();
        (
            String::from_utf8_lossy(std::slice::from_raw_parts(name, shown)),
            *info,
        )
    };
    if flag(c"CBLAS_CallFromC", &CBLAS_CallFromC).load(Ordering::SeqCst) == 0 {
        let name = name.trim_end();
        say(&format!(
            " ** On entry to {name} parameter number {info} had an illegal value\n"
        ));
        return;
    }
    let rout = format!("cblas_{}\0", name.trim_end().to_ascii_lowercase());
    // SAFETY: cblas_xerbla has this type in every CBLAS; both strings end in NUL.
    unsafe {
        match symbol(c"cblas_xerbla") {
            Some(p) => std::mem::transmute::<*mut c_void, CblasXerbla>(p)(
                info + 1,
                rout.as_ptr().cast(),
                c"".as_ptr(),
            ),
            None => cblas_xerbla(info + 1, rout.as_ptr().cast(), c"".as_ptr(), 0, 0, 0),
        }
    }
}

/// For row-major calls: the parts of names, and which two positions are exchanged in them.
const EXCHANGED: &[(&str, &[(Int, Int)])] = &[
    ("gemm", &[(4, 5), (9, 11)]),
    ("symm", &[(4, 5)]),
    ("hemm", &[(4, 5)]),
    ("trmm", &[(6, 7)]),
    ("trsm", &[(6, 7)]),
    ("gemv", &[(3, 4)]),
    ("gbmv", &[(3, 4), (5, 6)]),
    ("ger", &[(2, 3), (6, 8)]),
    ("her2k", &[]),
    ("her2", &[(6, 8)]),
    ("hpr2", &[(6, 8)]),
];

/// Reports a wrong argument of a CBLAS routine, and returns. `form` is a format for the
/// integers that follow (three at most).
///
/// # Safety
/// `rout` and `form` end in NUL, and `form` asks for no more than what is passed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cblas_xerbla(
    info: Int,
    rout: *const c_char,
    form: *const c_char,
    a: usize,
    b: usize,
    c: usize,
) {
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(rout) }.to_string_lossy();
    let mut position = info;
    if flag(c"RowMajorStrg", &RowMajorStrg).load(Ordering::SeqCst) != 0
        && let Some((_, pairs)) = EXCHANGED.iter().find(|e| name.contains(e.0))
    {
        let other = |&(x, y): &(Int, Int)| match info {
            i if i == x => Some(y),
            i if i == y => Some(x),
            _ => None,
        };
        position = pairs.iter().find_map(other).unwrap_or(info);
    }
    if position != 0 {
        say(&format!(
            "Parameter {position} to routine {name} was incorrect\n"
        ));
    }
    let mut text = [0 as c_char; 256];
    // SAFETY: the buffer's length is passed; the format is the caller's promise.
    let text = unsafe {
        libc::snprintf(text.as_mut_ptr(), text.len(), form, a, b, c);
        CStr::from_ptr(text.as_ptr())
    };
    say(&text.to_string_lossy());
}

/// `xerbla_` for callers that hold the name as an array of characters.
///
/// # Safety
/// `name` has `*len` characters, `info` points to an integer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xerbla_array_(name: *const u8, len: *const Int, info: *const Int) {
    // SAFETY: the caller's promise, and xerbla_'s type.
    unsafe {
        let len = (*len).clamp(0, 32) as usize;
        match symbol(c"xerbla_") {
            Some(p) => std::mem::transmute::<*mut c_void, Xerbla>(p)(name, info, len),
            None => xerbla_(name, info, len),
        }
    }
}

/// Are two letters the same but for their case? 1 or 0.
///
/// # Safety
/// Both point to a character.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lsame_(a: *const u8, b: *const u8) -> Int {
    // SAFETY: the caller's promise.
    unsafe { (*a).eq_ignore_ascii_case(&*b).into() }
}
