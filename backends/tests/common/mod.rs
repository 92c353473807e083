//! A device that runs nothing: it counts what it is asked for, and fails where it is told to.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use suanzi_backends::{
    Arg, Caps, Compiled, Device, DeviceInfo, DeviceKind, Error, Memory, Program, Result,
};
use suanzi_codegen::ir::Access;
use suanzi_codegen::{Builder, Kernel, Scalar, Target};

/// What a fake device was asked for.
pub struct Fake {
    info: DeviceInfo,
    caps: Caps,
    used: Arc<AtomicU64>,
    pub allocs: AtomicUsize,
    pub compiles: AtomicUsize,
    pub launches: AtomicUsize,
    /// The binary that each compile received.
    pub binaries: Mutex<Vec<Option<Vec<u8>>>>,
    /// What the next compile fails with.
    pub fail: Mutex<Option<Error>>,
    /// Compiles take a while.
    pub slow: AtomicBool,
}

/// The bytes of the fake driver's binaries.
pub fn binary(kernel: &str) -> Vec<u8> {
    format!("binary of {kernel}").repeat(50).into_bytes()
}

impl Fake {
    pub fn new() -> Arc<Fake> {
        Fake::with("1.0", 1 << 20)
    }

    pub fn with(driver: &str, memory_bytes: u64) -> Arc<Fake> {
        Arc::new(Fake {
            info: DeviceInfo {
                id: "fake:0".into(),
                backend: "fake",
                name: "Fake".into(),
                driver: driver.into(),
            },
            caps: Caps {
                kind: DeviceKind::Gpu,
                target: Target::all(),
                compute_units: 1,
                max_workgroup: 256,
                max_groups: [65535; 3],
                shared_bytes: 16 << 10,
                memory_bytes,
                max_alloc: memory_bytes,
                vector_bytes: 16,
                subgroup: None,
                host: true,
                denormals_f32: true,
                exact_division: true,
                emulated: vec![],
            },
            used: Arc::default(),
            allocs: AtomicUsize::new(0),
            compiles: AtomicUsize::new(0),
            launches: AtomicUsize::new(0),
            binaries: Mutex::default(),
            fail: Mutex::default(),
            slow: AtomicBool::new(false),
        })
    }

    pub fn used(&self) -> u64 {
        self.used.load(SeqCst)
    }
}

/// Gives its bytes back on drop.
struct Held(u64, Arc<AtomicU64>);

impl Drop for Held {
    fn drop(&mut self) {
        self.1.fetch_sub(self.0, SeqCst);
    }
}

impl Device for Fake {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }
    fn caps(&self) -> &Caps {
        &self.caps
    }
    fn alloc(&self, bytes: u64) -> Result<Memory> {
        self.allocs.fetch_add(1, SeqCst);
        let held = Held(bytes, self.used.clone());
        if self.used.fetch_add(bytes, SeqCst) + bytes > self.caps.memory_bytes {
            return Err(Error::OutOfMemory {
                device: self.info.id.clone(),
                bytes,
                what: "fake".into(),
            });
        }
        Ok(Memory::new(bytes, held))
    }
    fn write(&self, _: &Memory, _: u64, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn read(&self, _: &Memory, _: u64, _: &mut [u8]) -> Result<()> {
        Ok(())
    }
    fn copy(&self, _: &Memory, _: u64, _: &Memory, _: u64, _: u64) -> Result<()> {
        Ok(())
    }
    fn compile(&self, kernel: &Kernel, given: Option<&[u8]>) -> Result<Compiled> {
        self.compiles.fetch_add(1, SeqCst);
        self.binaries
            .lock()
            .unwrap()
            .push(given.map(<[u8]>::to_vec));
        if self.slow.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(50));
        }
        if let Some(error) = self.fail.lock().unwrap().take() {
            return Err(error);
        }
        let source = format!("source of {}", kernel.name);
        Ok(Compiled {
            program: Program::new(&kernel.name, ()),
            source: given.is_none().then_some((source, "fake")),
            binary: Some(binary(&kernel.name)),
        })
    }
    fn launch(&self, _: &Program, _: [u32; 3], _: &[Arg<'_>]) -> Result<()> {
        self.launches.fetch_add(1, SeqCst);
        Ok(())
    }
    fn submit(&self) -> Result<()> {
        Ok(())
    }
    fn sync(&self) -> Result<()> {
        Ok(())
    }
    fn timed(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        work()?;
        Ok(Duration::ZERO)
    }
}

/// `out[i] = x[i] + 1` over i32, one element for each work-item and no bounds check.
pub fn add_one(name: &str) -> Kernel {
    let mut b = Builder::new(name, [4, 1, 1]);
    let x = b.buffer("x", Scalar::I32, Access::Read);
    let out = b.buffer("out", Scalar::I32, Access::ReadWrite);
    let i = b.builtin(suanzi_codegen::ir::Builtin::GlobalId(0));
    let value = b.load(x, i, 1, false);
    let one = b.int(Scalar::I32, 1);
    let sum = b.add(value, one);
    b.store(out, i, sum, false);
    b.finish().expect("a valid kernel")
}
