//! A device that frees no memory while it lives.
//!
//! Oclgrind's check of uninitialised values needs that. It knows a buffer by its slot and hears of no
//! release, so that a buffer in the slot of an earlier one is taken for that one: past the earlier
//! one's end, what kernels wrote counts as unwritten; below it, what nobody wrote counts as written.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use suanzi_backends::{Arg, Caps, Compiled, Device, DeviceInfo, Memory, Program, Result};
use suanzi_codegen::Kernel;

pub struct Kept {
    device: Arc<dyn Device>,
    memory: Mutex<Vec<Memory>>,
}

impl Kept {
    pub fn new(device: Arc<dyn Device>) -> Kept {
        Kept {
            device,
            memory: Mutex::default(),
        }
    }
}

impl Device for Kept {
    fn info(&self) -> &DeviceInfo {
        self.device.info()
    }

    fn caps(&self) -> &Caps {
        self.device.caps()
    }

    fn alloc(&self, bytes: u64) -> Result<Memory> {
        let memory = self.device.alloc(bytes)?;
        self.memory.lock().expect("no panic").push(memory.clone());
        Ok(memory)
    }

    fn write(&self, dst: &Memory, offset: u64, data: &[u8]) -> Result<()> {
        self.device.write(dst, offset, data)
    }

    fn read(&self, src: &Memory, offset: u64, out: &mut [u8]) -> Result<()> {
        self.device.read(src, offset, out)
    }

    fn copy(&self, src: &Memory, from: u64, dst: &Memory, to: u64, bytes: u64) -> Result<()> {
        self.device.copy(src, from, dst, to, bytes)
    }

    fn compile(&self, kernel: &Kernel, binary: Option<&[u8]>) -> Result<Compiled> {
        self.device.compile(kernel, binary)
    }

    fn launch(&self, program: &Program, groups: [u32; 3], args: &[Arg<'_>]) -> Result<()> {
        self.device.launch(program, groups, args)
    }

    fn submit(&self) -> Result<()> {
        self.device.submit()
    }

    fn sync(&self) -> Result<()> {
        self.device.sync()
    }

    fn timed(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        self.device.timed(work)
    }
}
