//! Devices on paper: kernels are planned and printed for a vendor's device that is not there, and
//! run on the interpreter. With `SUANZI_DUMP` that collects the sources which a real device would be
//! given, for its compiler to look at: `suanzi compile-check`.
//!
//! `record:cuda@80` is a CUDA device of capability 8.0, `record:hip` one of HIP.

use crate::caps::{Caps, DeviceKind};
use crate::check;
use crate::cpu;
use crate::cudalike::{self, table::Vendor};
use crate::device::{Arg, Compiled, Device, DeviceInfo, Memory, Program};
use crate::error::{Error, Result};
use crate::vendors;
use std::sync::Arc;
use std::time::Duration;
use suanzi_codegen::{Kernel, emit_c, legalise};

/// The backend's name.
pub const NAME: &str = "record";

struct Recorder {
    vendor: &'static Vendor,
    interpreter: Arc<dyn Device>,
    info: DeviceInfo,
    caps: Caps,
}

/// The device of a vendor's name, and perhaps a capability behind `@`.
///
/// # Errors
/// [`Error::NoDriver`] where the interpreter cannot be opened.
pub fn open(name: &str) -> Result<Option<Arc<dyn Device>>> {
    let (vendor, capability) = match name.split_once('@') {
        None => (name, None),
        Some((vendor, digits)) => match digits.parse() {
            Ok(capability) => (vendor, Some(capability)),
            Err(_) => return Ok(None),
        },
    };
    let Some(vendor) = vendors::ALL.iter().copied().find(|v| v.name == vendor) else {
        return Ok(None);
    };
    let interpreter = cpu::open()?;
    let own = interpreter.caps().clone();
    Ok(Some(Arc::new(Recorder {
        vendor,
        info: DeviceInfo {
            id: format!("{NAME}:{name}"),
            backend: NAME,
            name: format!("{} on paper", vendor.title),
            driver: interpreter.info().driver.clone(),
        },
        caps: Caps {
            kind: DeviceKind::Gpu,
            target: cudalike::target(vendor, capability, true),
            compute_units: 64,
            max_groups: [i32::MAX as u32, 65535, 65535],
            // What a kernel may have on NVIDIA's without being asked for more.
            shared_bytes: 48 << 10,
            emulated: vec!["everything: the interpreter runs what was printed".into()],
            ..own
        },
        interpreter,
    })))
}

impl Device for Recorder {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn alloc(&self, bytes: u64) -> Result<Memory> {
        self.interpreter.alloc(bytes)
    }

    fn write(&self, dst: &Memory, offset: u64, data: &[u8]) -> Result<()> {
        self.interpreter.write(dst, offset, data)
    }

    fn read(&self, src: &Memory, offset: u64, out: &mut [u8]) -> Result<()> {
        self.interpreter.read(src, offset, out)
    }

    fn copy(&self, src: &Memory, from: u64, dst: &Memory, to: u64, bytes: u64) -> Result<()> {
        self.interpreter.copy(src, from, dst, to, bytes)
    }

    fn compile(&self, kernel: &Kernel, _: Option<&[u8]>) -> Result<Compiled> {
        let unsupported = |source| Error::Unsupported {
            device: self.info.id.clone(),
            source,
        };
        check::limits(&self.info, &self.caps, kernel)?;
        let target = &self.caps.target;
        let legal = legalise(kernel, target).map_err(unsupported)?;
        check::limits(&self.info, &self.caps, &legal)?;
        let source = emit_c::emit(&legal, self.vendor.dialect, target).map_err(unsupported)?;
        Ok(Compiled {
            source: Some((source, "cu")),
            ..self.interpreter.compile(kernel, None)?
        })
    }

    fn launch(&self, program: &Program, groups: [u32; 3], args: &[Arg<'_>]) -> Result<()> {
        check::groups(&self.info, &self.caps, &program.name, groups)?;
        self.interpreter.launch(program, groups, args)
    }

    fn submit(&self) -> Result<()> {
        self.interpreter.submit()
    }

    fn sync(&self) -> Result<()> {
        self.interpreter.sync()
    }

    fn timed(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        self.interpreter.timed(work)
    }
}
