//! CUDA-like devices: one driver over a table of names, for every vendor of [`crate::vendors`].
//!
//! - [`table`]: what a vendor's table holds; [`library`]: functions by name, each there or not.
//! - `session`: an opened device, its context and its stream; `compiler`: from source to binary;
//!   `wait`: waiting that ends; `blas`, `dnn`: the vendor's products of matrices, and its convolutions.
//! - this file: the [`Device`], and who it is.
//!
//! Kernels are printed in the vendor's dialect, compiled by its run-time compiler or by the command
//! in `SUANZI_…_CC`, and launched with all arguments in one buffer, the form that every vendor
//! takes. A library that is missing, lacks a function or fails is an error that names vendor, file,
//! call and code.

mod blas;
mod compiler;
mod dnn;
pub mod library;
mod session;
pub mod simulated;
pub mod table;
mod wait;

use crate::caps::{Caps, DeviceKind};
use crate::check;
use crate::device::{Arg, Compiled, Device, DeviceInfo, Memory, Program};
use crate::error::{Error, Result};
use crate::seal::{sealed, unsealed};
use crate::vendor::{Blas, Dnn};
use blas::VendorBlas;
use dnn::VendorDnn;
use library::{Address, Failure, Handle, Library};
use session::{Loaded, Session};
use std::ffi::CString;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use suanzi_codegen::emit_c;
use suanzi_codegen::hash::stable_hash;
use suanzi_codegen::ir::Param;
use suanzi_codegen::target::{Support, Target};
use suanzi_codegen::{Kernel, Scalar, Unsupported, legalise};
use table::Vendor;

pub use compiler::{Compiler, folder_of_headers};

/// A CUDA-like device.
pub struct CudaLike {
    info: DeviceInfo,
    caps: Caps,
    found: Found,
    opened: OnceLock<Result<Arc<Session>>>,
    compiler: OnceLock<std::result::Result<Compiler, String>>,
    blas: OnceLock<Option<VendorBlas>>,
    dnn: OnceLock<Option<VendorDnn>>,
}

/// A device of a driver's list.
struct Found {
    loaded: Loaded,
    device: i32,
    /// Major and minor as one number: 90 for 9.0.
    capability: Option<u32>,
    /// The libraries that stand for all of the vendor's, if set.
    libraries: Option<Vec<String>>,
}

/// A kernel, loaded: the backend's handle behind a [`Program`].
struct Loadable {
    params: Vec<Param>,
    workgroup: [u32; 3],
    module: Handle,
    function: Handle,
    session: Arc<Session>,
}

// SAFETY: modules and functions may be used from any thread that makes the context current.
unsafe impl Send for Loadable {}
// SAFETY: as above.
unsafe impl Sync for Loadable {}

impl Drop for Loadable {
    fn drop(&mut self) {
        // A failure means that the context is gone, and the module with it.
        let _ = self.session.unload(self.module);
    }
}

/// Memory: the backend's handle behind a [`Memory`].
struct Block {
    address: Address,
    session: Arc<Session>,
}

impl Drop for Block {
    fn drop(&mut self) {
        // As above.
        let _ = self.session.free(self.address);
    }
}

/// Every device of a vendor.
///
/// # Errors
/// [`Error::NoDriver`] where its library is missing, lacks a function, or finds no device.
pub fn devices(vendor: &'static Vendor) -> Result<Vec<CudaLike>> {
    let set = vendor.setting("LIBRARY");
    let usual = vendor.driver.libraries.iter().map(|n| n.to_string());
    let names: Vec<String> = match set {
        Some(library) => vec![library],
        None => usual.collect(),
    };
    let absent = |what: String| Error::NoDriver {
        backend: vendor.name,
        what: format!("{}: {what}", vendor.title),
    };
    let loaded = Loaded::open(vendor, &names).map_err(absent)?;
    let found = of(loaded, None, &|number, _| {
        format!("{}:{number}", vendor.name)
    })?;
    match found.is_empty() {
        true => Err(absent(format!("{} finds no device", loaded.file))),
        false => Ok(found),
    }
}

/// Every device that a library shows through a vendor's table: the library stands for the driver,
/// the compiler and the matrix library. `id` names a device by its number and its subgroup width.
///
/// # Errors
/// As [`devices`].
pub fn devices_of(
    vendor: &'static Vendor,
    library: &str,
    id: &dyn Fn(usize, u32) -> String,
) -> Result<Vec<CudaLike>> {
    let libraries = vec![library.to_string()];
    let loaded = Loaded::open(vendor, &libraries).map_err(|what| Error::NoDriver {
        backend: vendor.name,
        what: format!("{}: {what}", vendor.title),
    })?;
    of(loaded, Some(libraries), id)
}

fn of(
    loaded: Loaded,
    libraries: Option<Vec<String>>,
    id: &dyn Fn(usize, u32) -> String,
) -> Result<Vec<CudaLike>> {
    let failed = |failure: Failure| Error::NoDriver {
        backend: loaded.vendor.name,
        what: loaded.words(&failure),
    };
    let mut devices = vec![];
    for number in 0..loaded.count().map_err(failed)? {
        let device = loaded.device(number).map_err(failed)?;
        let name = loaded.device_name(device).map_err(failed)?;
        if libraries.is_some() || loaded.vendor.devices.own(&name) {
            let memory = loaded.memory(device).map_err(failed)?;
            let libraries = libraries.clone();
            devices.push(CudaLike::new(
                loaded,
                device,
                name,
                memory,
                libraries,
                |width| id(number, width),
            ));
        }
    }
    Ok(devices)
}

impl CudaLike {
    fn new(
        loaded: Loaded,
        device: i32,
        name: String,
        memory: u64,
        libraries: Option<Vec<String>>,
        id: impl Fn(u32) -> String,
    ) -> CudaLike {
        let numbers = &loaded.vendor.driver.attributes;
        let ask = |number| loaded.attribute(device, number);
        let [major, minor] = numbers.capability.map(|number| {
            // A minor version may be 0, which `attribute` takes for an answer that is none.
            number.map(|n| loaded.attribute(device, Some(n)).unwrap_or(0))
        });
        let capability = major.filter(|&m| m > 0).zip(minor).map(|(a, b)| a * 10 + b);
        let subgroup = ask(numbers.subgroup);
        let version = loaded.version().map_or("?".into(), |v| v.to_string());
        let simulated = libraries.is_some();
        let found = Found {
            loaded,
            device,
            capability,
            libraries,
        };
        CudaLike {
            info: DeviceInfo {
                id: id(subgroup.unwrap_or(0)),
                backend: match simulated {
                    true => simulated::NAME,
                    false => loaded.vendor.name,
                },
                name,
                driver: format!("{} {version} ({})", loaded.vendor.title, loaded.file),
            },
            caps: Caps {
                kind: DeviceKind::Gpu,
                target: target(loaded.vendor, capability, subgroup.is_some()),
                compute_units: ask(numbers.compute_units).unwrap_or(1),
                max_workgroup: ask(numbers.max_workgroup).unwrap_or(256),
                max_groups: numbers.max_groups.map(|n| ask(n).unwrap_or(65535)),
                shared_bytes: ask(numbers.shared_bytes).unwrap_or(16 << 10),
                memory_bytes: memory,
                max_alloc: memory,
                vector_bytes: 16,
                subgroup: subgroup.map(|width| (width, width)),
                host: simulated,
                denormals_f32: true,
                exact_division: true,
                emulated: vec!["f16 and bf16 arithmetic through f32".into()],
            },
            found,
            opened: OnceLock::new(),
            compiler: OnceLock::new(),
            blas: OnceLock::new(),
            dnn: OnceLock::new(),
        }
    }

    /// The vendor.
    pub fn vendor(&self) -> &'static Vendor {
        self.found.loaded.vendor
    }

    /// Opens the device, once.
    fn session(&self) -> Result<&Arc<Session>> {
        let open = || {
            let session = Session::new(self.found.loaded, self.found.device, wait::limit()?);
            session.map(Arc::new).map_err(|f| self.error(f, 0))
        };
        let opened = self.opened.get_or_init(open);
        opened.as_ref().map_err(Error::clone)
    }

    /// The opened device and a library of its vendor's, from what stands for all of them or else of these names.
    fn engine(&self, names: &[&str]) -> std::result::Result<(Arc<Session>, Library), String> {
        let session = self.session().map_err(|e| e.to_string())?.clone();
        let library = match &self.found.libraries {
            Some(names) => Library::open(names),
            None => Library::open(&names.iter().map(|n| n.to_string()).collect::<Vec<_>>()),
        }?;
        Ok((session, library))
    }

    /// `theirs` is this device, opened by this object.
    fn own(&self, theirs: &Arc<Session>) -> Result<&Arc<Session>> {
        let ours = self.session()?;
        match Arc::ptr_eq(ours, theirs) {
            true => Ok(ours),
            false => Err(check::foreign(&self.info)),
        }
    }

    /// The block behind a memory, if it is this device's.
    fn block<'a>(&self, memory: &'a Memory) -> Result<&'a Block> {
        let block = memory.get::<Block>(&self.info)?;
        self.own(&block.session)?;
        Ok(block)
    }

    fn compiler(&self) -> std::result::Result<&Compiler, String> {
        let Found {
            loaded,
            libraries,
            capability,
            ..
        } = &self.found;
        let find = || {
            let library = Some(loaded.library);
            Compiler::find(loaded.vendor, libraries.as_deref(), library, *capability)
        };
        self.compiler
            .get_or_init(find)
            .as_ref()
            .map_err(String::clone)
    }

    /// What a failed call is for the caller. `bytes`: the memory that it asked for.
    fn error(&self, failure: Failure, bytes: u64) -> Error {
        let loaded = &self.found.loaded;
        let codes = &loaded.vendor.driver.codes;
        let device = self.info.id.clone();
        let what = loaded.words(&failure);
        match failure.code {
            code if codes.out_of_memory.contains(&code) => Error::OutOfMemory {
                device,
                bytes,
                what,
            },
            code if code == Failure::LATE || codes.lost.contains(&code) => Error::DeviceLost {
                device,
                what: format!(
                    "{what}; its context is lost, and this process cannot use the device any more: \
                     start the process again"
                ),
            },
            code if codes.resources.contains(&code) => Error::Driver {
                device,
                call: failure.call,
                what: format!(
                    "{what}: the kernel asks for more registers or shared memory than a \
                     multiprocessor has; use a smaller work-group"
                ),
            },
            _ => Error::Driver {
                device,
                call: failure.call,
                what,
            },
        }
    }

    /// A library that was looked for; why there is none is said in the dispatch log.
    fn found_library<T>(&self, of: &str, opened: std::result::Result<T, String>) -> Option<T> {
        if let Err(why) = &opened {
            let device = &self.info.id;
            tracing::info!(
                target: "suanzi::dispatch",
                device,
                "no vendor's library of {of}, so its kernels are generated: {why}"
            );
        }
        opened.ok()
    }

    fn compile_error(&self, kernel: &Kernel, log: String) -> Error {
        Error::Compile {
            device: self.info.id.clone(),
            kernel: kernel.name.clone(),
            log,
        }
    }

    fn unsupported(&self, source: Unsupported) -> Error {
        Error::Unsupported {
            device: self.info.id.clone(),
            source,
        }
    }

    /// The binary of a source: the sealed one, if it is good, or else compiled.
    fn load(
        &self,
        kernel: &Kernel,
        source: &str,
        binary: Option<&[u8]>,
    ) -> Result<((Handle, Handle), Vec<u8>)> {
        let session = self.session()?;
        let compiler = self
            .compiler()
            .map_err(|what| self.compile_error(kernel, what))?;
        let origin = stable_hash(&(
            &self.info.name,
            &self.info.driver,
            compiler.origin(),
            self.found.capability,
            source,
        ));
        let name = CString::new(kernel.name.as_str())
            .map_err(|_| self.compile_error(kernel, "its name has a zero byte".into()))?;
        let stored = binary.and_then(|b| Some((b, unsealed(b, origin)?)));
        if let Some((whole, binary)) = stored
            && let Ok(loaded) = session.load(binary, &name)
        {
            return Ok((loaded, whole.to_vec()));
        }
        let binary = compiler
            .compile(source)
            .map_err(|log| self.compile_error(kernel, log))?;
        let loaded = session.load(&binary, &name).map_err(|f| self.error(f, 0))?;
        Ok((loaded, sealed(&binary, origin)))
    }
}

/// What kernels are legalised for.
pub fn target(vendor: &Vendor, capability: Option<u32>, subgroups: bool) -> Target {
    let whole = vendor.dialect.target();
    let kinds = vendor.compiler.as_ref().map_or(&[][..], |c| c.fragments);
    let has = |kind: Scalar| {
        let mut known = kinds.iter();
        known.any(|&(k, first)| k == kind && capability >= Some(first))
    };
    let headers = !kinds.is_empty() && folder_of_headers(vendor).is_some();
    let shapes = vendor.dialect.fragments.map_or(&[][..], |f| f.shapes);
    let mut fragments = whole.fragments;
    fragments.retain(|f| {
        let of_shape = |&&(factor, sum, m, n, k): &&(Scalar, Scalar, u8, u8, u8)| {
            (f.elem == factor || f.elem == sum) && (f.m, f.n, f.k) == (m, n, k)
        };
        headers && shapes.iter().filter(of_shape).any(|s| has(s.0))
    });
    Target {
        f16: Support::Storage,
        subgroups: whole.subgroups && subgroups,
        fragments,
        ..whole
    }
}

impl Device for CudaLike {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn alloc(&self, bytes: u64) -> Result<Memory> {
        check::allocation(&self.info, &self.caps, bytes)?;
        let session = self.session()?;
        let address = session.alloc(bytes).map_err(|f| self.error(f, bytes))?;
        let block = Block {
            address,
            session: session.clone(),
        };
        Ok(Memory::new(bytes, block))
    }

    fn write(&self, dst: &Memory, offset: u64, data: &[u8]) -> Result<()> {
        let block = self.block(dst)?;
        check::range(&self.info, "write", dst, offset, data.len() as u64)?;
        if data.is_empty() {
            return Ok(());
        }
        let written = block.session.write(block.address + offset, data);
        written.map_err(|f| self.error(f, data.len() as u64))
    }

    fn read(&self, src: &Memory, offset: u64, out: &mut [u8]) -> Result<()> {
        let block = self.block(src)?;
        check::range(&self.info, "read", src, offset, out.len() as u64)?;
        let read = match out.is_empty() {
            true => block.session.wait(),
            false => block.session.read(block.address + offset, out),
        };
        read.map_err(|f| self.error(f, 0))
    }

    fn copy(&self, src: &Memory, from: u64, dst: &Memory, to: u64, bytes: u64) -> Result<()> {
        let (source, target) = (self.block(src)?, self.block(dst)?);
        check::copy(&self.info, src, from, dst, to, bytes)?;
        if bytes == 0 {
            return Ok(());
        }
        let copied = target
            .session
            .copy(target.address + to, source.address + from, bytes);
        copied.map_err(|f| self.error(f, 0))
    }

    fn compile(&self, kernel: &Kernel, binary: Option<&[u8]>) -> Result<Compiled> {
        check::limits(&self.info, &self.caps, kernel)?;
        let legal = legalise(kernel, &self.caps.target).map_err(|s| self.unsupported(s))?;
        check::limits(&self.info, &self.caps, &legal)?;
        let source = emit_c::emit(&legal, self.vendor().dialect, &self.caps.target)
            .map_err(|s| self.unsupported(s))?;
        let ((module, function), binary) = self.load(kernel, &source, binary)?;
        let loadable = Loadable {
            params: kernel.params.clone(),
            workgroup: kernel.workgroup,
            module,
            function,
            session: self.session()?.clone(),
        };
        Ok(Compiled {
            program: Program::new(&kernel.name, loadable),
            source: Some((source, "cu")),
            binary: Some(binary),
        })
    }

    fn launch(&self, program: &Program, groups: [u32; 3], args: &[Arg<'_>]) -> Result<()> {
        let kernel = program.get::<Loadable>(&self.info)?;
        let session = self.own(&kernel.session)?;
        check::args(&self.info, &program.name, &kernel.params, args)?;
        let mut buffer = vec![];
        for arg in args {
            let (bytes, size) = match arg {
                Arg::Scalar(c) => (c.bits, c.scalar.bytes()),
                Arg::Buffer(memory) => (self.block(memory)?.address, size_of::<Address>()),
            };
            // Each lies at a multiple of its size, as in a C struct; the hosts that we know are
            // little-endian.
            buffer.resize(buffer.len().next_multiple_of(size), 0);
            buffer.extend_from_slice(&bytes.to_le_bytes()[..size]);
        }
        check::groups(&self.info, &self.caps, &program.name, groups)?;
        if groups.contains(&0) {
            return Ok(());
        }
        // SAFETY: the function takes the parameters that `check::args` compared with.
        let launched =
            unsafe { session.launch(kernel.function, groups, kernel.workgroup, &mut buffer) };
        launched.map_err(|f| self.error(f, 0))
    }

    /// Drivers of this family start work as it is recorded.
    fn submit(&self) -> Result<()> {
        self.session().map(drop)
    }

    fn sync(&self) -> Result<()> {
        self.session()?.wait().map_err(|f| self.error(f, 0))
    }

    /// Measured by the device, between two events.
    fn timed(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        let session = self.session()?;
        let (result, time) = session.timed(work).map_err(|f| self.error(f, 0))?;
        result.map(|()| time)
    }

    fn blas(&self) -> Option<&dyn Blas> {
        let open = || self.found_library("products of matrices", VendorBlas::open(self));
        let blas = self.blas.get_or_init(open).as_ref();
        blas.map(|b| b as &dyn Blas)
    }

    fn dnn(&self) -> Option<&dyn Dnn> {
        let open = || self.found_library("layers", VendorDnn::open(self));
        let dnn = self.dnn.get_or_init(open).as_ref();
        dnn.map(|d| d as &dyn Dnn)
    }
}
