//! Which devices there are, and opening one by name.
//!
//! A backend is a row of [`BACKENDS`]. A name initialises its own backend only: looking for
//! devices loads every driver, which takes time and may print. Names that no row has are those of
//! plugins ([`crate::plugin`]).

use crate::caps::DeviceKind;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::{cpu, opencl, plugin, vulkan};
use std::sync::Arc;

type Opened = Arc<dyn Device>;

/// A backend, as the registry sees it.
struct Backend {
    /// The part of a name before the colon.
    name: &'static str,
    /// Every device of the backend, in the order of their numbers.
    enumerate: fn() -> Result<Vec<Opened>>,
    /// The device with a number, or `None` if there are not as many.
    open: fn(usize) -> Result<Option<Opened>>,
}

/// In the order of preference of [`open_default`].
const BACKENDS: &[Backend] = &[
    Backend {
        name: "opencl",
        enumerate: || Ok(shared(opencl::devices()?)),
        open: |number| Ok(opencl::device(number)?.map(|d| Arc::new(d) as Opened)),
    },
    Backend {
        name: "vulkan",
        enumerate: vulkan::enumerate,
        open: vulkan::open,
    },
    Backend {
        name: "cpu",
        enumerate: || Ok(vec![cpu::open()?]),
        open: |number| (number == 0).then(cpu::open).transpose(),
    },
];

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
    for backend in BACKENDS {
        match (backend.enumerate)() {
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
    BACKENDS.iter().any(|b| b.name == name)
}

/// Every usable device.
pub fn devices() -> Vec<Opened> {
    discover().devices
}

/// Opens `cpu`, `opencl:0`, `vulkan:1`…; a name without a number means number 0.
///
/// # Errors
/// [`Error::UnknownDevice`] with the names that exist, or what the backend says.
pub fn open(name: &str) -> Result<Opened> {
    let (backend, number) = name.split_once(':').unwrap_or((name, "0"));
    let row = BACKENDS.iter().find(|b| b.name == backend);
    let Ok(number) = number.parse() else {
        return Err(unknown(name));
    };
    let device = match row {
        Some(row) => (row.open)(number)?,
        None => plugin::open(backend, number)?,
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
    let built_in = BACKENDS
        .iter()
        .filter_map(|b| (b.enumerate)().ok())
        .flatten();
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
