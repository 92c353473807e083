//! The program cache: in memory by the caller's key, and binaries on disk by what was compiled.
//!
//! The disk is a convenience: whatever is wrong with it (absent, full, not ours, damaged) costs a
//! compile and at most one warning, never an error.

use crate::device::{Compiled, Device, DeviceInfo, Program};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use suanzi_codegen::Kernel;
use suanzi_codegen::hash::stable_hash;

/// First bytes of a cache file.
const MAGIC: &[u8; 8] = b"suanziPC";
/// Changes with the layout of cache files.
const FORMAT: u32 = 1;

/// Keys are hashes already.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = stable_hash(bytes) as u64;
    }
    fn write_u128(&mut self, key: u128) {
        self.0 = (key >> 64) as u64 ^ key as u64;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

type Slot = Arc<OnceLock<Result<Program>>>;
type Slots = HashMap<u128, Slot, BuildHasherDefault<KeyHasher>>;

/// The cache of one context.
pub struct Cache {
    slots: RwLock<Slots>,
    disk: Option<PathBuf>,
    dump: Option<PathBuf>,
    /// Each folder is complained about once.
    disk_warned: AtomicBool,
    dump_warned: AtomicBool,
}

impl Cache {
    /// A cache with a folder for binaries and one for sources, where wanted.
    pub fn new(disk: Option<PathBuf>, dump: Option<PathBuf>) -> Cache {
        Cache {
            slots: RwLock::default(),
            disk,
            dump,
            disk_warned: AtomicBool::new(false),
            dump_warned: AtomicBool::new(false),
        }
    }

    /// The program for a key. Threads that miss the same key at once compile once.
    pub fn program(
        &self,
        device: &dyn Device,
        key: u128,
        build: &mut dyn FnMut() -> Result<Kernel>,
    ) -> Result<Program> {
        let known = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = known.get(&key).and_then(|slot| slot.get()) {
            return result.clone();
        }
        drop(known);
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(key).or_default().clone();
        drop(slots);
        let result = slot.get_or_init(|| self.compile(device, &build()?)).clone();
        if result.as_ref().is_err_and(is_passing) {
            let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
            if slots.get(&key).is_some_and(|s| Arc::ptr_eq(s, &slot)) {
                slots.remove(&key);
            }
        }
        result
    }

    fn compile(&self, device: &dyn Device, kernel: &Kernel) -> Result<Program> {
        let info = device.info();
        let hash = stable_hash(&(kernel, &device.caps().target));
        let label = label(info, kernel, hash);
        let file = self.disk.as_ref().map(|folder| {
            let name = format!("{}-{:032x}.bin", info.backend, stable_hash(label.as_str()));
            folder.join(name)
        });
        // There is no source beside a binary, so a dump compiles from scratch.
        let file_to_read = file.as_deref().filter(|_| self.dump.is_none());
        let stored = file_to_read.and_then(|f| read(f, &label));

        let compiled = device.compile(kernel, stored.as_deref())?;
        self.keep_source(info, kernel, hash, &compiled);
        if let (Some(file), Some(binary)) = (&file, &compiled.binary)
            && stored.as_ref() != Some(binary)
        {
            let written = write(file, &label, binary);
            warn_once(&self.disk_warned, file, "programs are not kept", written);
        }
        Ok(compiled.program)
    }

    fn keep_source(&self, info: &DeviceInfo, kernel: &Kernel, hash: u128, compiled: &Compiled) {
        let (Some(folder), Some((text, extension))) = (&self.dump, &compiled.source) else {
            return;
        };
        let device = info.id.replace(':', "_");
        let file = folder.join(format!("{device}-{}-{hash:032x}.{extension}", kernel.name));
        let written = replace(&file, &[text.as_bytes()]);
        warn_once(&self.dump_warned, &file, "sources are not kept", written);
    }
}

/// Errors that may be gone at the next try, and so are not remembered.
fn is_passing(error: &Error) -> bool {
    use Error::*;
    matches!(
        error,
        OutOfMemory { .. } | DeviceLost { .. } | Driver { .. } | NoDriver { .. }
    )
}

/// Everything that a binary depends on. The whole text is in the file and is compared.
fn label(info: &DeviceInfo, kernel: &Kernel, hash: u128) -> String {
    format!(
        "suanzi {}\nbackend {}\ndevice {}\ndriver {}\nkernel {} {hash:032x}\n",
        env!("CARGO_PKG_VERSION"),
        info.backend,
        info.name,
        info.driver,
        kernel.name,
    )
}

/// magic · format · length of label · label · length of binary · its checksum · binary.
fn header(label: &str, binary: &[u8]) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend(FORMAT.to_le_bytes());
    head.extend((label.len() as u32).to_le_bytes());
    head.extend(label.as_bytes());
    head.extend((binary.len() as u64).to_le_bytes());
    head.extend(stable_hash(binary).to_le_bytes());
    head
}

/// The binary in a cache file, if the file is whole and says that it is the one.
fn read(file: &Path, label: &str) -> Option<Vec<u8>> {
    let mut content = fs::read(file).ok()?;
    let head = header(label, &[]).len();
    let binary = content.get(head..)?;
    if content[..head] != header(label, binary) {
        tracing::debug!(?file, "damaged or foreign cache file; it will be rewritten");
        return None;
    }
    content.drain(..head);
    Some(content)
}

fn write(file: &Path, label: &str, binary: &[u8]) -> io::Result<()> {
    replace(file, &[&header(label, binary), binary])
}

/// Writes a file beside its place and moves it there, so that nobody ever sees half of one.
fn replace(file: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    parts.iter().try_for_each(|part| new.write_all(part))?;
    new.persist(file).map_err(|e| e.error)?;
    Ok(())
}

fn warn_once(warned: &AtomicBool, file: &Path, consequence: &str, written: io::Result<()>) {
    if let Err(error) = written
        && !warned.swap(true, Relaxed)
    {
        tracing::warn!(
            "{consequence}: {} cannot be written: {error}",
            file.display()
        );
    }
}
