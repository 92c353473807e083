//! Devices of plugins: shared libraries with the functions of `suanzi_plugin.h`, which
//! `SUANZI_PLUGINS=path:path…` names. docs/plugins.md says what a plugin is.
//!
//! - `load`: libraries, and their tables; `caps`: what devices say of themselves. Both believe
//!   nothing: what cannot be is an error that names the library.
//! - `session`: an opened device and its lock; `device`, `engine`: this library's traits over it.
//!
//! A library that was loaded stays: what it started may still run. Nothing protects this process from
//! a plugin that crashes or hangs; `suanzi conform` loads plugins in processes of their own.

mod caps;
mod device;
mod engine;
mod load;
mod session;

use crate::device::Device;
use crate::error::{Error, Result};
use device::PluginDevice;
use load::Library;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The variable that names plugins, separated as in `PATH`.
pub const VARIABLE: &str = "SUANZI_PLUGINS";

type Opened = Arc<dyn Device>;

/// What was added to the variable's.
static MORE: Mutex<Vec<PathBuf>> = Mutex::new(vec![]);

/// Adds plugins to those of `SUANZI_PLUGINS`. Those that are added after any was looked for are not
/// seen.
pub fn add(paths: &[PathBuf]) {
    let mut more = MORE.lock().unwrap_or_else(PoisonError::into_inner);
    more.extend_from_slice(paths);
}

/// The files of plugins: those of `SUANZI_PLUGINS`, and those that were added.
pub fn paths() -> Vec<PathBuf> {
    let list = std::env::var_os(VARIABLE).unwrap_or_default();
    let named = std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty());
    let mut paths: Vec<PathBuf> = vec![];
    let more = MORE.lock().unwrap_or_else(PoisonError::into_inner);
    for path in named.chain(more.iter().cloned()) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// Every plugin, loaded once, in the order of the variable.
fn libraries() -> &'static [Result<Arc<Library>>] {
    static LOADED: OnceLock<Vec<Result<Arc<Library>>>> = OnceLock::new();
    LOADED.get_or_init(|| {
        let mut loaded: Vec<Result<Arc<Library>>> = vec![];
        for path in paths() {
            let library = Library::load(&path).and_then(|library| {
                let taken = loaded.iter().flatten().find(|l| l.name == library.name);
                match taken {
                    None => Ok(Arc::new(library)),
                    Some(other) => Err(library.error(format!(
                        "is called `{}`, as {} is already",
                        other.name, other.path
                    ))),
                }
            });
            loaded.push(library);
        }
        loaded
    })
}

/// Every device of every plugin, and what is wrong with the others.
pub fn discover() -> (Vec<Opened>, Vec<Error>) {
    let (mut devices, mut errors) = (vec![], vec![]);
    for library in libraries() {
        let count = library
            .as_ref()
            .map_err(Error::clone)
            .and_then(|l| l.count());
        match (library, count) {
            (Ok(library), Ok(count)) => {
                for index in 0..count {
                    match PluginDevice::open(library, index) {
                        Ok(device) => devices.push(Arc::new(device) as Opened),
                        Err(error) => errors.push(error),
                    }
                }
            }
            (_, Err(error)) => errors.push(error),
            (Err(error), _) => errors.push(error.clone()),
        }
    }
    (devices, errors)
}

/// The device with a number of the plugin with a name, if there is one.
///
/// # Errors
/// What is wrong with the device; or, where no plugin has the name, with the first plugin that could
/// not be loaded.
pub fn open(name: &str, number: usize) -> Result<Option<Opened>> {
    let named = libraries().iter().flatten().find(|l| l.name == name);
    let Some(library) = named else {
        let broken = libraries().iter().find_map(|l| l.as_ref().err());
        return broken.map_or(Ok(None), |error| Err(error.clone()));
    };
    match u32::try_from(number) {
        Ok(index) if index < library.count()? => {
            let device = PluginDevice::open(library, index)?;
            Ok(Some(Arc::new(device)))
        }
        _ => Ok(None),
    }
}
