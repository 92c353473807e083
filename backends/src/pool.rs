//! The buffer pool: freed memory waits here for the next allocation of its size class.
//!
//! Reuse needs no waiting: a device's queue is in order, so whatever the last owner recorded runs
//! before whatever the next owner records.

use crate::check;
use crate::device::{Device, Memory};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The smallest class.
const SMALLEST: u64 = 256;
/// Requests above this are allocated exactly: a quarter more would be too much.
const EXACT_ABOVE: u64 = 64 << 20;

/// What the pool did and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Bytes in buffers that are alive.
    pub used_bytes: u64,
    /// The most that `used_bytes` has been.
    pub peak_bytes: u64,
    /// Bytes that wait for reuse.
    pub free_bytes: u64,
    /// Allocations served from the pool.
    pub hits: u64,
    /// Allocations served by the device.
    pub misses: u64,
}

#[derive(Default)]
struct Shelves {
    free: HashMap<u64, Vec<Memory>>,
    stats: PoolStats,
}

/// A pool over one device.
pub struct Pool {
    device: Arc<dyn Device>,
    /// Most bytes kept for reuse.
    limit: u64,
    shelves: Mutex<Shelves>,
}

/// Pooled device memory: goes back to the pool when the last clone is dropped.
#[derive(Clone)]
pub struct Buffer {
    pooled: Arc<Pooled>,
}

struct Pooled {
    /// Taken out when this is dropped: a clone would still be there when the next owner has the memory.
    memory: ManuallyDrop<Memory>,
    /// What the device was asked for; the memory may be larger.
    size: u64,
    pool: Weak<Pool>,
}

impl Buffer {
    /// The memory; it may be larger than what was asked for.
    pub fn memory(&self) -> &Memory {
        &self.pooled.memory
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // SAFETY: nobody sees it after this, and it is taken nowhere else.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        if let Some(pool) = self.pool.upgrade() {
            pool.put(self.size, memory);
        }
    }
}

/// The size that is allocated for a request: steps of a quarter of a power of two.
fn class(bytes: u64) -> u64 {
    match bytes {
        0..=SMALLEST => SMALLEST,
        _ if bytes > EXACT_ABOVE => bytes,
        _ => {
            let step = 1 << (bytes - 1).ilog2().saturating_sub(2);
            bytes.next_multiple_of(step)
        }
    }
}

impl Pool {
    /// A pool that keeps at most `limit` bytes for reuse; with 0, every allocation is the device's
    /// own, of exactly the size asked for.
    pub fn new(device: Arc<dyn Device>, limit: u64) -> Arc<Pool> {
        Arc::new(Pool {
            device,
            limit,
            shelves: Mutex::default(),
        })
    }

    /// Takes at least `bytes`, from the pool or the device. When the device is out of memory, the
    /// pool gives back what it keeps and tries once more.
    pub fn take(self: &Arc<Self>, bytes: u64) -> Result<Buffer> {
        let caps = self.device.caps();
        check::allocation(self.device.info(), caps, bytes)?;
        // What is not kept for reuse needs no class.
        let size = match self.limit {
            0 => bytes.max(1),
            _ => class(bytes).min(caps.max_alloc),
        };
        let memory = match self.reuse(size) {
            Some(memory) => memory,
            None => match self.device.alloc(size) {
                Err(Error::OutOfMemory { .. }) => {
                    self.trim();
                    // The device frees memory when it is done with it.
                    self.device.sync()?;
                    self.device.alloc(size)?
                }
                other => other?,
            },
        };
        let stats = &mut self.lock().stats;
        stats.used_bytes += memory.bytes;
        stats.peak_bytes = stats.peak_bytes.max(stats.used_bytes);
        Ok(Buffer {
            pooled: Arc::new(Pooled {
                memory: ManuallyDrop::new(memory),
                size,
                pool: Arc::downgrade(self),
            }),
        })
    }

    fn reuse(&self, size: u64) -> Option<Memory> {
        let mut shelves = self.lock();
        let found = shelves.free.get_mut(&size).and_then(Vec::pop);
        match &found {
            Some(memory) => {
                shelves.stats.free_bytes -= memory.bytes;
                shelves.stats.hits += 1;
            }
            None => shelves.stats.misses += 1,
        }
        found
    }

    fn put(&self, size: u64, memory: Memory) {
        let mut shelves = self.lock();
        shelves.stats.used_bytes -= memory.bytes;
        // Whoever still holds a clone of the memory keeps it for themselves.
        if memory.is_shared() || shelves.stats.free_bytes + memory.bytes > self.limit {
            // The device frees it without the lock.
            drop(shelves);
            return;
        }
        shelves.stats.free_bytes += memory.bytes;
        shelves.free.entry(size).or_default().push(memory);
    }

    /// Gives everything that waits for reuse back to the device.
    pub fn trim(&self) {
        let freed = {
            let mut shelves = self.lock();
            shelves.stats.free_bytes = 0;
            std::mem::take(&mut shelves.free)
        };
        drop(freed);
    }

    /// What the pool did and holds.
    pub fn stats(&self) -> PoolStats {
        self.lock().stats
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_tight_and_stable() {
        assert_eq!(class(0), 256);
        assert_eq!(class(257), 320);
        assert_eq!(class(1024), 1024);
        assert_eq!(class(1025), 1280);
        assert_eq!(class(EXACT_ABOVE), EXACT_ABOVE);
        assert_eq!(class(EXACT_ABOVE + 1), EXACT_ABOVE + 1);
        for bytes in (1..100_000).chain((20..26).map(|k| (1 << k) + 1)) {
            let size = class(bytes);
            assert!(size >= bytes && class(size) == size, "{bytes} -> {size}");
            assert!(
                size <= SMALLEST || size - bytes < bytes / 4 + 1,
                "{bytes} -> {size}"
            );
        }
    }
}
