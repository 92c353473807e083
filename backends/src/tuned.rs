//! What tuning found: parameters of kernels, best first, under keys that say what is computed, in
//! which dtype, for which class of shapes. One file of the cache folder for each device and version of
//! its driver. As texts: whoever wrote them can read them.

use crate::device::DeviceInfo;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};
use suanzi_codegen::hash::stable_hash;
use tracing::warn;

/// Parameters by key, best first.
type Table = BTreeMap<String, Vec<String>>;

/// The tuned parameters of one device.
pub struct Tuned {
    file: Option<PathBuf>,
    table: RwLock<Table>,
    any: AtomicBool,
}

impl Tuned {
    /// What is in the folder for a device; nothing without a folder, or where the file is damaged.
    pub(crate) fn open(folder: Option<PathBuf>, info: &DeviceInfo) -> Tuned {
        let device = (&*info.name, &*info.driver, info.backend);
        let name = format!("tuned-{}-{:032x}.json", info.backend, stable_hash(&device));
        let file = folder.map(|f| f.join(name));
        let read = |file: &PathBuf| serde_json::from_slice(&fs::read(file).ok()?).ok();
        let table: Table = file.as_ref().and_then(read).unwrap_or_default();
        Tuned {
            any: AtomicBool::new(!table.is_empty()),
            file,
            table: RwLock::new(table),
        }
    }

    /// Whether anything was tuned: if not, nobody needs to make a key.
    pub fn any(&self) -> bool {
        self.any.load(Relaxed)
    }

    /// The best parameters that have not been struck.
    pub fn best(&self, key: &str) -> Option<String> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(key)?.first().cloned()
    }

    /// Everything that is known for a key, best first.
    pub fn list(&self, key: &str) -> Vec<String> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(key).cloned().unwrap_or_default()
    }

    /// Takes parameters out, for this process, because they failed; false if they were not there.
    pub fn strike(&self, key: &str, parameters: &str, why: &dyn std::fmt::Display) -> bool {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let Some(list) = table.get_mut(key) else {
            return false;
        };
        let before = list.len();
        list.retain(|p| p != parameters);
        let struck = list.len() < before;
        if struck {
            warn!(
                "`{key}`: the tuned parameters `{parameters}` are struck, since they fail: {why}"
            );
        }
        struck
    }

    /// Sets what is known for a key, best first, and keeps it.
    ///
    /// # Errors
    /// Where the file cannot be written; the parameters hold for this process all the same.
    pub fn set(&self, key: &str, parameters: Vec<String>) -> io::Result<()> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.insert(key.to_string(), parameters);
        self.any.store(true, Relaxed);
        let Some(file) = &self.file else {
            return Err(io::Error::other("there is no cache folder"));
        };
        let folder = file.parent().unwrap_or(file);
        fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut new, &*table)?;
        new.flush()?;
        new.persist(file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_found_again_and_what_fails_is_struck() {
        let folder = tempfile::tempdir().unwrap();
        let info = DeviceInfo {
            id: "opencl:0".into(),
            backend: "opencl",
            name: "a device".into(),
            driver: "1.0".into(),
        };
        let open = |info: &DeviceInfo| Tuned::open(Some(folder.path().into()), info);
        let tuned = open(&info);
        assert!(!tuned.any() && tuned.best("k").is_none());
        tuned.set("k", vec!["a".into(), "b".into()]).unwrap();

        let tuned = open(&info);
        assert!(tuned.any());
        assert_eq!(tuned.best("k").as_deref(), Some("a"));
        assert_eq!(tuned.list("k"), ["a", "b"]);
        assert!(tuned.list("another").is_empty());
        assert!(tuned.strike("k", "a", &"it crashed") && !tuned.strike("k", "a", &"again"));
        assert_eq!(tuned.best("k").as_deref(), Some("b"));
        // For this process only; and another driver has its own.
        assert_eq!(open(&info).best("k").as_deref(), Some("a"));
        let driver = "2.0".into();
        let updated = DeviceInfo {
            driver,
            ..info.clone()
        };
        assert!(!open(&updated).any());
        assert!(Tuned::open(None, &updated).set("k", vec![]).is_err());
    }
}
