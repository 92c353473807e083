//! Which devices there are, and opening one by name.
//!
//! A backend is a row here, or a vendor of [`vendors::ALL`]. A name initialises its own backend only:
//! looking for devices loads every driver, which takes time and may print. Names that no row has are
//! those of plugins ([`crate::plugin`]).

use crate::caps::DeviceKind;
use crate::cudalike::table::Vendor;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::{cpu, cudalike, opencl, plugin, record, vendors, vulkan};
use cudalike::simulated;
use std::sync::Arc;

type Opened = Arc<dyn Device>;

/// A backend, as the registry sees it.
#[derive(Clone, Copy)]
enum Backend {
    /// One with functions of its own.
    Own {
        /// The part of a name before the colon.
        name: &'static str,
        /// Every device of the backend, in the order of their numbers.
        enumerate: fn() -> Result<Vec<Opened>>,
        /// The device that the part behind the colon names, or `None` if there is none.
        open: fn(&str) -> Result<Option<Opened>>,
    },
    /// A vendor of CUDA-like devices.
    CudaLike(&'static Vendor),
}

/// Opens by number.
macro_rules! numbered {
    ($open:expr) => {
        |name: &str| match name.parse::<usize>() {
            Ok(number) => ($open)(number),
            Err(_) => Ok(None),
        }
    };
}

/// Drivers of every vendor.
const DRIVERS: [Backend; 2] = [
    Backend::Own {
        name: "opencl",
        enumerate: || Ok(shared(opencl::devices()?)),
        open: numbered!(|number| Ok(opencl::device(number)?.map(|d| Arc::new(d) as Opened))),
    },
    Backend::Own {
        name: "vulkan",
        enumerate: vulkan::enumerate,
        open: numbered!(vulkan::open),
    },
];

/// What needs no driver.
const BUILT_IN: [Backend; 3] = [
    Backend::Own {
        name: "cpu",
        enumerate: || Ok(vec![cpu::open()?]),
        open: numbered!(|number: usize| (number == 0).then(cpu::open).transpose()),
    },
    Backend::Own {
        name: simulated::NAME,
        enumerate: || simulated::devices().map(shared),
        open: |name| Ok(simulated::device(name)?.map(|d| Arc::new(d) as Opened)),
    },
    Backend::Own {
        name: record::NAME,
        // Nobody looks for what is not there.
        enumerate: || Ok(vec![]),
        open: record::open,
    },
];

/// Every backend, in the order of preference of [`open_default`].
fn backends() -> impl Iterator<Item = Backend> {
    let vendors = vendors::ALL.iter().copied().map(Backend::CudaLike);
    DRIVERS.into_iter().chain(vendors).chain(BUILT_IN)
}

impl Backend {
    fn name(&self) -> &'static str {
        match self {
            Backend::Own { name, .. } => name,
            Backend::CudaLike(vendor) => vendor.name,
        }
    }

    fn enumerate(&self) -> Result<Vec<Opened>> {
        match self {
            Backend::Own { enumerate, .. } => enumerate(),
            Backend::CudaLike(vendor) => cudalike::devices(vendor).map(shared),
        }
    }

    fn open(&self, name: &str) -> Result<Option<Opened>> {
        match (self, name.parse()) {
            (Backend::Own { open, .. }, _) => open(name),
            (Backend::CudaLike(_), Ok(number)) => Ok(self.enumerate()?.into_iter().nth(number)),
            (Backend::CudaLike(_), Err(_)) => Ok(None),
        }
    }
}

fn shared<D: Device + 'static>(devices: Vec<D>) -> Vec<Opened> {
    devices.into_iter().map(|d| Arc::new(d) as Opened).collect()
}

/// What [`discover`] found.
pub struct Found {
    /// Every usable device.
    pub devices: Vec<Opened>,
    /// Why the other backends are not usable.
    pub absent: Vec<Error>,
}

/// Initialises every backend.
pub fn discover() -> Found {
    let mut found = Found {
        devices: vec![],
        absent: vec![],
    };
    for backend in backends() {
        match backend.enumerate() {
            Ok(devices) => found.devices.extend(devices),
            Err(error) => found.absent.push(error),
        }
    }
    let plugins = discover_plugins();
    found.devices.extend(plugins.devices);
    found.absent.extend(plugins.absent);
    found
}

/// Looks at plugins alone.
pub fn discover_plugins() -> Found {
    let (devices, absent) = plugin::discover();
    Found { devices, absent }
}

/// Whether a backend of this library has the name.
pub(crate) fn is_built_in(name: &str) -> bool {
    backends().any(|b| b.name() == name)
}

/// Every usable device that is there: no simulated ones.
pub fn devices() -> Vec<Opened> {
    let there = |d: &Opened| d.info().backend != simulated::NAME;
    discover().devices.into_iter().filter(there).collect()
}

/// Opens `cpu`, `opencl:0`, `cuda:1`, `sim:musa@64`…; a name without a number means number 0.
///
/// # Errors
/// [`Error::UnknownDevice`] with the names that exist, or what the backend says.
pub fn open(name: &str) -> Result<Opened> {
    let (backend, rest) = name.split_once(':').unwrap_or((name, "0"));
    let device = match backends().find(|b| b.name() == backend) {
        Some(row) => row.open(rest)?,
        None => plugin::open(backend, rest.parse().map_err(|_| unknown(name))?)?,
    };
    device.ok_or_else(|| unknown(name))
}

/// Opens what `SUANZI_DEVICE` names; else the first GPU (software renderers are none); else `cpu`.
///
/// # Errors
/// As [`open`].
pub fn open_default() -> Result<Opened> {
    match std::env::var("SUANZI_DEVICE") {
        Ok(name) if !name.is_empty() => return open(&name),
        Err(std::env::VarError::NotUnicode(name)) => return Err(unknown(&name.to_string_lossy())),
        _ => {}
    }
    let built_in = backends().filter_map(|b| b.enumerate().ok()).flatten();
    // Somebody named a plugin: it comes first.
    let gpu = (discover_plugins().devices.into_iter().chain(built_in))
        .find(|d| d.caps().kind == DeviceKind::Gpu && !d.caps().host);
    gpu.map_or_else(|| open("cpu"), Ok)
}

fn unknown(name: &str) -> Error {
    let names: Vec<_> = devices().iter().map(|d| d.info().id.clone()).collect();
    Error::UnknownDevice {
        name: name.into(),
        available: names.join(", "),
    }
}
