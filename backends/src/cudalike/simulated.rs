//! Simulated devices: a vendor's table with the simulator's library in place of the vendor's own.
//!
//! The library has every vendor's names, and for each a device of every subgroup width, so that
//! `sim:musa@64` is the device that says that it is 64 wide; `sim:musa` is the first.

use super::CudaLike;
use super::table::Vendor;
use crate::error::{Error, Result};
use crate::vendors;
use std::path::PathBuf;

/// The backend's name.
pub const NAME: &str = "sim";

/// The variable that names the library.
const VARIABLE: &str = "SUANZI_SIM";
/// Its file, beside the program.
const FILE: &str = "libsuanzi_sim_shim.so";

/// Every simulated device.
///
/// # Errors
/// [`Error::NoDriver`] where the library is not there.
pub fn devices() -> Result<Vec<CudaLike>> {
    let library = library()?;
    let mut devices = vec![];
    // A vendor whose names the library has not is none of its devices.
    for vendor in vendors::ALL
        .iter()
        .copied()
        .filter(|v| v.compiler.is_some())
    {
        devices.extend(of(vendor, &library).unwrap_or_default());
    }
    Ok(devices)
}

/// The device of a vendor's name, and perhaps a width behind `@`.
///
/// # Errors
/// As [`devices`], and what the library says.
pub fn device(name: &str) -> Result<Option<CudaLike>> {
    let (vendor, width) = match name.split_once('@') {
        None => (name, None),
        Some((vendor, digits)) => match digits.parse::<u32>() {
            Ok(width) => (vendor, Some(width)),
            Err(_) => return Ok(None),
        },
    };
    let Some(vendor) = vendors::ALL.iter().copied().find(|v| v.name == vendor) else {
        return Ok(None);
    };
    let fits = |device: &CudaLike| width.is_none_or(|w| device.caps.subgroup == Some((w, w)));
    Ok(of(vendor, &library()?)?.into_iter().find(fits))
}

fn of(vendor: &'static Vendor, library: &str) -> Result<Vec<CudaLike>> {
    super::devices_of(vendor, library, &|_, width| {
        format!("{NAME}:{}@{width}", vendor.name)
    })
}

fn library() -> Result<String> {
    let set = std::env::var_os(VARIABLE).filter(|v| !v.is_empty());
    let path = match set {
        Some(path) => PathBuf::from(path),
        None => {
            let program = std::env::current_exe().unwrap_or_default();
            let mut folders = program.ancestors().skip(1).take(2);
            let beside = folders.find_map(|f| Some(f.join(FILE)).filter(|p| p.is_file()));
            beside.ok_or_else(|| Error::NoDriver {
                backend: NAME,
                what: format!(
                    "{FILE} is not beside the program; build the package suanzi-sim-shim, or name \
                     it by {VARIABLE}"
                ),
            })?
        }
    };
    Ok(path.to_string_lossy().into_owned())
}
