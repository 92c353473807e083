//! A plugin's library, and its table of functions, as far as they can be trusted.

use crate::error::{Error, Result};
use std::ffi::{CStr, c_char};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use suanzi_plugin::{ABI, Get, Plugin, SYMBOL, status};

/// Devices of one plugin that are still believed.
const MOST_DEVICES: u32 = 1024;

/// A loaded plugin.
pub struct Library {
    /// The file.
    pub path: String,
    /// What its devices are called.
    pub name: &'static str,
    /// Its version, in words.
    pub version: String,
    /// Its functions. Those that the library is too old to have are absent.
    pub table: Plugin,
    /// Held during calls that concern no device.
    lock: Mutex<()>,
}

/// What is wrong with a plugin.
pub fn wrong(path: &str, what: impl Into<String>) -> Error {
    Error::Plugin {
        library: path.into(),
        what: what.into(),
    }
}

/// A plugin's text.
///
/// # Safety
/// `text` is null, or ends with 0 and stays as it is during the call.
pub unsafe fn text(text: *const c_char, what: &str) -> std::result::Result<String, String> {
    if text.is_null() {
        return Err(format!("has no {what}: null"));
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { CStr::from_ptr(text) };
    match bytes.to_str() {
        Ok("") => Err(format!("has no {what}: it is empty")),
        Ok(text) => Ok(text.to_string()),
        Err(_) => {
            let seen = bytes.to_string_lossy();
            Err(format!("has a {what} that is not UTF-8: `{seen}`"))
        }
    }
}

impl Library {
    /// Loads a library and looks at its table.
    pub fn load(path: &Path) -> Result<Library> {
        let shown = path.display().to_string();
        let wrong = |what: String| wrong(&shown, what);
        // A name without a folder would be looked for among the system's libraries.
        let file = std::path::absolute(path).map_err(|e| wrong(format!("has no path: {e}")))?;
        if !file.is_file() {
            return Err(wrong("is not there".into()));
        }
        // SAFETY: loading runs the library's own initialisation, which its user asked for by naming
        // it; it is never unloaded. The symbol's type is the header's.
        let table = unsafe {
            let library = libloading::Library::new(&file)
                .map_err(|e| wrong(format!("cannot be loaded: {e}")))?;
            let library = std::mem::ManuallyDrop::new(library);
            let get = library
                .get::<Get>(SYMBOL.as_bytes())
                .map_err(|_| wrong(format!("is no plugin: it has no symbol {SYMBOL}")))?;
            get(ABI)
        };
        // SAFETY: the table is the plugin's for as long as the process lives.
        let table = unsafe { copied(table) }.map_err(wrong)?;
        required(&table).map_err(wrong)?;
        // SAFETY: texts of the table live as long as it does.
        let (name, version) = unsafe { (text(table.name, "name"), text(table.version, "version")) };
        let (name, version) = (name.map_err(wrong)?, version.map_err(wrong)?);
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !name.chars().all(good) || name.len() > 32 {
            return Err(wrong(format!(
                "is called `{name}`; a name is at most 32 lower-case letters, digits and `-`"
            )));
        }
        if crate::registry::is_built_in(&name) {
            return Err(wrong(format!(
                "is called `{name}`, which is a backend of this library"
            )));
        }
        Ok(Library {
            path: shown,
            // Names of backends are constants elsewhere; a plugin stays as long as they do.
            name: name.leak(),
            version,
            table,
            lock: Mutex::new(()),
        })
    }

    /// What is wrong with it.
    pub fn error(&self, what: impl Into<String>) -> Error {
        wrong(&self.path, what)
    }

    /// Held during calls that concern no device.
    pub fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many devices it has.
    pub fn count(&self) -> Result<u32> {
        let _lock = self.lock();
        let mut count = u32::MAX;
        // SAFETY: the header's signature; `required` found the function.
        let status = self.table.device_count.map(|f| unsafe { f(&mut count) });
        match status {
            Some(status::OK) if count <= MOST_DEVICES => Ok(count),
            Some(status::OK) => Err(self.error(format!("says that it has {count} devices"))),
            other => {
                let code = other.unwrap_or(status::FAILED);
                let words = self.words(std::ptr::null_mut());
                Err(self.error(format!("cannot count its devices: {words} (status {code})")))
            }
        }
    }

    /// What the plugin has to say about the last call that failed.
    pub fn words(&self, device: *mut suanzi_plugin::Device) -> String {
        let Some(last_error) = self.table.last_error else {
            return "no words".into();
        };
        // SAFETY: the header's signature; the text is valid until the next call, which waits for the
        // lock that the caller holds.
        let words = unsafe { text(last_error(device), "words for an error") };
        words.unwrap_or_else(|what| format!("the plugin {what}"))
    }
}

/// As much of a table as the plugin has; the rest is absent.
///
/// # Safety
/// `table` is null, or begins with its size and its version and is as large as it says.
unsafe fn copied(table: *const Plugin) -> std::result::Result<Plugin, String> {
    if table.is_null() {
        return Err(format!(
            "does not speak version {ABI} of the plugin ABI, and no other"
        ));
    }
    // SAFETY: the caller's promise.
    let (size, abi) = unsafe { ((*table).size, (*table).abi) };
    if abi != ABI {
        return Err(format!(
            "speaks version {abi} of the plugin ABI, and this library version {ABI}: build it against \
             this library's suanzi_plugin.h"
        ));
    }
    let least = std::mem::offset_of!(Plugin, timing_begin);
    if size < least || size > 1 << 16 {
        return Err(format!("has a table of {size} bytes; the least is {least}"));
    }
    // SAFETY: all zeros are a table without functions: null pointers and `None`. No more is copied
    // than both sides have.
    unsafe {
        let mut own: Plugin = std::mem::zeroed();
        let bytes = size.min(size_of::<Plugin>());
        std::ptr::copy_nonoverlapping(table.cast::<u8>(), (&raw mut own).cast::<u8>(), bytes);
        Ok(own)
    }
}

/// Every function that must be there is, and optional ones are there together.
fn required(t: &Plugin) -> std::result::Result<(), String> {
    let functions = [
        ("device_count", t.device_count.is_some()),
        ("open", t.open.is_some()),
        ("close", t.close.is_some()),
        ("caps", t.caps.is_some()),
        ("last_error", t.last_error.is_some()),
        ("mem_alloc", t.mem_alloc.is_some()),
        ("mem_free", t.mem_free.is_some()),
        ("write", t.write.is_some()),
        ("read", t.read.is_some()),
        ("copy", t.copy.is_some()),
        ("compile", t.compile.is_some()),
        ("program_release", t.program_release.is_some()),
        ("launch", t.launch.is_some()),
        ("sync", t.sync.is_some()),
    ];
    let missing = functions.iter().filter(|f| !f.1).map(|f| f.0);
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        return Err(format!("lacks functions: {}", missing.join(", ")));
    }
    if t.timing_begin.is_some() != t.timing_end.is_some() {
        return Err("has one of timing_begin and timing_end; it needs both or neither".into());
    }
    let library = [t.plan.is_some(), t.run.is_some(), t.plan_release.is_some()];
    match library.iter().filter(|there| **there).count() {
        0 | 3 => Ok(()),
        _ => Err("has some of plan, run and plan_release; it needs all or none".into()),
    }
}
