//! Memory of the `cpu` device: the interpreter's slabs, counted while they live.

use crate::check;
use crate::device::{DeviceInfo, Memory};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use suanzi_codegen::interp;

/// One allocation. It is the handle in a [`Memory`], and recorded commands hold it too.
pub struct Cells {
    /// The bytes.
    pub memory: interp::Memory,
    count: Count,
}

/// A share of a heap, given back on drop.
struct Count {
    bytes: u64,
    used: Arc<AtomicU64>,
}

impl Drop for Count {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Relaxed);
    }
}

/// What the allocations of one device share.
pub struct Heap {
    /// Bytes in use; whose heap it is tells one `cpu` device from another.
    used: Arc<AtomicU64>,
    limit: u64,
}

impl Heap {
    /// A heap of at most `limit` bytes.
    pub fn new(limit: u64) -> Heap {
        Heap {
            used: Arc::default(),
            limit,
        }
    }

    /// Allocates zero bytes: more than "undefined", so that the same program gives the same.
    pub fn alloc(&self, info: &DeviceInfo, bytes: u64) -> Result<Memory> {
        let out_of_memory = |what: String| Error::OutOfMemory {
            device: info.id.clone(),
            bytes,
            what,
        };
        let before = self.used.fetch_add(bytes, Relaxed);
        let used = self.used.clone();
        let count = Count { bytes, used };
        let free = self.limit.saturating_sub(before);
        if bytes > free {
            return Err(out_of_memory(format!("{free} of {} are free", self.limit)));
        }
        let memory = usize::try_from(bytes).ok().map(interp::Memory::new);
        match memory {
            Some(Ok(memory)) => Ok(Memory::new(bytes, Arc::new(Cells { memory, count }))),
            _ => Err(out_of_memory("the system gave none".into())),
        }
    }

    /// What lies behind memory of this very device.
    pub fn cells<'a>(&self, info: &DeviceInfo, memory: &'a Memory) -> Result<&'a Arc<Cells>> {
        let cells = memory.get::<Arc<Cells>>(info)?;
        match Arc::ptr_eq(&cells.count.used, &self.used) {
            true => Ok(cells),
            false => Err(check::foreign(info)),
        }
    }
}

/// The memory of this machine, or of the container that this process lives in.
pub fn physical() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = meminfo.lines().find_map(|line| {
        let kib = line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?;
        Some(kib.trim().parse::<u64>().ok()? << 10)
    });
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max");
    let limit = limit.ok().and_then(|text| text.trim().parse().ok());
    // A modest machine, where the system does not say.
    total.unwrap_or(8 << 30).min(limit.unwrap_or(u64::MAX))
}
