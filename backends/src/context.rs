//! What wraps any device once: buffer pool, program cache, tuned parameters and dispatch log.
//!
//! This file joins them and reads their settings; each lives in a file of its own.

use crate::cache::Cache;
use crate::caps::DeviceKind;
use crate::device::{Arg, Device, Program};
use crate::error::Result;
use crate::log::{self, Dispatch};
use crate::pool::{Buffer, Pool, PoolStats};
use crate::registry;
use crate::tuned::Tuned;
use crate::vendor::{Blas, Dnn, Engine};
use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use suanzi_codegen::Kernel;

/// An opened device. Cheap to clone; all clones share the pool, the cache and the log.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    device: Arc<dyn Device>,
    pool: Arc<Pool>,
    cache: Cache,
    tuned: Tuned,
    engine: Engine,
}

/// Settings of a context; [`Settings::from_env`] is what [`Context::new`] uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Folder of compiled programs; none are kept on disk without it.
    pub cache_dir: Option<PathBuf>,
    /// Folder that receives every generated source.
    pub dump_dir: Option<PathBuf>,
    /// Most bytes of freed memory kept for reuse; a quarter of the device's memory by default. With
    /// 0 sizes are not rounded up either, so that a sanitizer sees the end of every buffer.
    pub pool_bytes: Option<u64>,
    /// When a vendor's library is asked.
    pub engine: Engine,
}

impl Settings {
    /// `SUANZI_CACHE_DIR` (empty or `off`: no cache on disk), else `suanzi` in `XDG_CACHE_HOME`
    /// or `~/.cache`; `SUANZI_DUMP`; and `SUANZI_ENGINE` (`generated`, `vendor`, `auto`).
    pub fn from_env() -> Settings {
        let engine = Engine::from_env().unwrap_or_else(|error| {
            tracing::warn!("{error}; taking auto");
            None
        });
        Settings {
            engine: engine.unwrap_or_default(),
            ..Settings::from_vars(|name| env::var_os(name).map(PathBuf::from))
        }
    }

    fn from_vars(var: impl Fn(&str) -> Option<PathBuf>) -> Settings {
        let set = |name| var(name).filter(|v| !v.as_os_str().is_empty());
        let cache_dir = match var("SUANZI_CACHE_DIR") {
            Some(dir) if dir.as_os_str().is_empty() || dir.as_os_str() == "off" => None,
            Some(dir) => Some(dir),
            None => set("XDG_CACHE_HOME")
                .or_else(|| set("HOME").map(|home| home.join(".cache")))
                .map(|caches| caches.join("suanzi")),
        };
        Settings {
            cache_dir,
            dump_dir: set("SUANZI_DUMP"),
            pool_bytes: None,
            engine: Engine::default(),
        }
    }
}

impl Context {
    /// Wraps a device, with the settings of the environment.
    pub fn new(device: Arc<dyn Device>) -> Context {
        Context::with_settings(device, Settings::from_env())
    }

    /// Wraps a device.
    pub fn with_settings(device: Arc<dyn Device>, settings: Settings) -> Context {
        let keep = settings.pool_bytes;
        let keep = keep.unwrap_or(device.caps().memory_bytes / 4);
        Context {
            inner: Arc::new(Inner {
                pool: Pool::new(device.clone(), keep),
                tuned: Tuned::open(settings.cache_dir.clone(), device.info()),
                cache: Cache::new(settings.cache_dir, settings.dump_dir),
                engine: settings.engine,
                device,
            }),
        }
    }

    /// Opens a device by name: `cpu`, `opencl:0`, `vulkan:1`.
    ///
    /// # Errors
    /// As [`registry::open`].
    pub fn open(name: &str) -> Result<Context> {
        registry::open(name).map(Context::new)
    }

    /// Opens what `SUANZI_DEVICE` names; else the first GPU (software renderers are none); else `cpu`.
    ///
    /// # Errors
    /// As [`registry::open_default`].
    pub fn open_default() -> Result<Context> {
        registry::open_default().map(Context::new)
    }

    /// The device.
    pub fn device(&self) -> &dyn Device {
        &*self.inner.device
    }

    /// The vendor's library of matrix products, where one is there and to be used.
    pub fn blas(&self) -> Option<&dyn Blas> {
        let device = self.asks_vendor().then_some(self.device());
        device.and_then(Device::blas)
    }

    /// The vendor's library of layers, where one is there and to be used.
    pub fn dnn(&self) -> Option<&dyn Dnn> {
        let device = self.asks_vendor().then_some(self.device());
        device.and_then(Device::dnn)
    }

    fn asks_vendor(&self) -> bool {
        match self.inner.engine {
            Engine::Generated => false,
            Engine::Vendor => true,
            Engine::Auto => self.device().caps().kind == DeviceKind::Gpu,
        }
    }

    /// Takes at least `bytes` (at least 1) from the pool or the device.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`], after the pool gave back what it kept.
    pub fn alloc(&self, bytes: u64) -> Result<Buffer> {
        self.inner.pool.take(bytes)
    }

    /// Gives the memory that waits for reuse back to the device.
    pub fn trim(&self) {
        self.inner.pool.trim();
    }

    /// What the pool did and holds.
    pub fn pool_stats(&self) -> PoolStats {
        self.inner.pool.stats()
    }

    /// What tuning found for the device.
    pub fn tuned(&self) -> &Tuned {
        &self.inner.tuned
    }

    /// The program for a key that stands for everything `build` depends on (device aside).
    /// `build` is called at most once for a key, unless its program failed for a passing reason
    /// (memory, the driver); other errors are remembered and returned again.
    ///
    /// # Errors
    /// What `build` or the device says.
    pub fn program(&self, key: u128, build: &mut dyn FnMut() -> Result<Kernel>) -> Result<Program> {
        self.inner.cache.program(self.device(), key, build)
    }

    /// Launches a generated kernel for an operator, with a line in the dispatch log.
    ///
    /// # Errors
    /// What the device says.
    pub fn launch(
        &self,
        op: &str,
        program: &Program,
        groups: [u32; 3],
        args: &[Arg<'_>],
    ) -> Result<()> {
        self.device().launch(program, groups, args)?;
        if !groups.contains(&0) {
            self.dispatched(op, &program.name, "generated", groups);
        }
        Ok(())
    }

    /// Adds a line to the dispatch log: for work that an engine other than the generator did.
    pub fn dispatched(&self, op: &str, kernel: &str, engine: &str, groups: [u32; 3]) {
        let device = &self.device().info().id;
        log::dispatched(self.identity(), device, op, kernel, engine, groups);
    }

    /// Runs `work` and returns what it dispatched on this context (from this thread).
    pub fn trace<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<Dispatch>) {
        log::trace(self.identity(), work)
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.inner) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_dir(vars: &[(&str, &str)]) -> Option<PathBuf> {
        let find = |name: &str| vars.iter().find(|v| v.0 == name).map(|v| v.1.into());
        Settings::from_vars(find).cache_dir
    }

    #[test]
    fn the_cache_folder_is_found() {
        let home = ("HOME", "/home/x");
        let xdg = ("XDG_CACHE_HOME", "/xdg");
        assert_eq!(cache_dir(&[home]), Some("/home/x/.cache/suanzi".into()));
        assert_eq!(cache_dir(&[home, xdg]), Some("/xdg/suanzi".into()));
        assert_eq!(
            cache_dir(&[home, xdg, ("SUANZI_CACHE_DIR", "/mine")]),
            Some("/mine".into())
        );
        for off in ["", "off"] {
            assert_eq!(cache_dir(&[home, xdg, ("SUANZI_CACHE_DIR", off)]), None);
        }
        assert_eq!(cache_dir(&[]), None);
    }
}
