//! Artifacts in this process: loading one, and the kernels in it.

use crate::artifact::unsealed;
use crate::group::{HOST, Host};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::io::Write;
use std::sync::Arc;

/// A loaded artifact. Cloning shares it; it is unloaded when it and its kernels are gone.
#[derive(Clone)]
pub struct Module {
    library: Arc<Library>,
}

/// A kernel of a module, which it keeps loaded. Cloning shares it.
#[derive(Clone)]
pub struct Kernel {
    /// Its name.
    pub name: Arc<str>,
    /// Bytes of its packed arguments: each at its natural alignment, without padding at the end.
    pub args: usize,
    /// Most work-items of a group, as the source has it; 0 where it says nothing.
    pub most: u32,
    /// Runs one work-item, the current one.
    pub(crate) enter: Enter,
    _module: Module,
}

/// The entry that the header makes for a kernel.
pub(crate) type Enter = unsafe extern "C" fn(args: *const u8);

/// As `sz_kernel` in the header.
#[repr(C)]
struct Raw {
    enter: Enter,
    args: std::ffi::c_ulong,
    most: std::ffi::c_ulong,
}

impl Module {
    /// Loads what [`crate::compile`] made.
    ///
    /// # Errors
    /// Where the artifact is damaged, was made on another machine, or calls what there is not.
    pub fn load(artifact: &[u8]) -> Result<Module, String> {
        let bytes =
            unsealed(artifact).ok_or("the artifact is damaged, or none of this simulator")?;
        let failed = |e: std::io::Error| format!("the artifact cannot be put into a file: {e}");
        let mut file = tempfile::Builder::new()
            .suffix(".so")
            .tempfile()
            .map_err(failed)?;
        file.write_all(bytes)
            .and_then(|()| file.flush())
            .map_err(failed)?;
        // SAFETY: the library is whole, and the header's: it has no constructors, and what it calls
        // it gets below, before anything in it runs. The file may go once it is mapped.
        let library = unsafe {
            let library = Library::open(Some(file.path()), RTLD_NOW | RTLD_LOCAL)
                .map_err(|e| format!("the artifact cannot be loaded: {e}"))?;
            let host = library
                .get::<*mut *const Host>(b"sz_the_host\0")
                .map_err(|e| format!("the artifact has no link to the simulator: {e}"))?;
            **host = &HOST;
            library
        };
        Ok(Module {
            library: Arc::new(library),
        })
    }

    /// Finds a kernel.
    pub fn kernel(&self, name: &str) -> Option<Kernel> {
        // SAFETY: the header defines what has this name, with this layout, as long as the library
        // is loaded.
        let raw = unsafe {
            let symbol = format!("sz_kernel_{name}\0");
            let found = self.library.get::<*const Raw>(symbol.as_bytes()).ok()?;
            &**found
        };
        Some(Kernel {
            name: name.into(),
            args: raw.args as usize,
            most: raw.most as u32,
            enter: raw.enter,
            _module: self.clone(),
        })
    }
}
