//! A launch done again by the interpreter, on copies of the buffers and under the race detector: it
//! sees what a device hides by its way of executing. One that runs the items of a group in lockstep
//! gives the right results without a barrier, and the next device does not.

use suanzi_backends::{Arg, Device, DeviceInfo, Error, Memory, Result};
use suanzi_codegen::interp::{self, InterpError};
use suanzi_codegen::ir::{Access, ParamKind};
use suanzi_codegen::{Kernel, Scalar, Target, legalise};

/// What a buffer would hold after a launch.
pub struct After<'a> {
    /// The buffer.
    pub memory: &'a Memory,
    /// Kind of its elements.
    pub elem: Scalar,
    /// What it would hold.
    pub bytes: Vec<u8>,
}

/// A kernel for the interpreter.
pub struct Shadow {
    program: interp::Program,
    device: String,
}

impl Shadow {
    /// Prepares a kernel that runs on a device.
    ///
    /// # Errors
    /// Where it is no valid kernel.
    pub fn new(device: &DeviceInfo, kernel: &Kernel) -> Result<Shadow> {
        let failed = |what: String| failure(&device.id, &kernel.name, what);
        let kernel = legalise(kernel, &Target::all()).map_err(|e| failed(e.to_string()))?;
        let options = interp::Options {
            detect_races: true,
            ..interp::Options::default()
        };
        let program = interp::Program::new(&kernel, options).map_err(|e| failed(e.to_string()))?;
        Ok(Shadow {
            program,
            device: device.id.clone(),
        })
    }

    /// Runs it on what the buffers hold now. What each buffer that may be written would hold then;
    /// nothing on the device changes.
    ///
    /// # Errors
    /// A race, an access out of bounds, or what the device says.
    pub fn run<'a>(
        &self,
        device: &dyn Device,
        groups: [u32; 3],
        args: &[Arg<'a>],
    ) -> Result<Vec<After<'a>>> {
        let name = &self.program.kernel().name;
        let failed = |e: InterpError| failure(&self.device, name, e.to_string());
        // One copy of each memory, also where it is passed twice.
        let mut copies: Vec<(&Memory, interp::Memory)> = vec![];
        for arg in args {
            if let Arg::Buffer(memory) = arg
                && !copies.iter().any(|c| c.0.same(memory))
            {
                let mut bytes = vec![0; memory.bytes as usize];
                device.read(memory, 0, &mut bytes)?;
                let copy = interp::Memory::new(bytes.len()).map_err(failed)?;
                copy.write(0, &bytes).map_err(failed)?;
                copies.push((memory, copy));
            }
        }
        let copy = |memory: &Memory| copies.iter().position(|c| c.0.same(memory));
        let passed = args.iter().filter_map(|arg| match arg {
            Arg::Buffer(memory) => copy(memory).map(|i| interp::Arg::Buffer(&copies[i].1)),
            Arg::Scalar(c) => Some(interp::Arg::Scalar(*c)),
        });
        let passed: Vec<_> = passed.collect();
        self.program.run(groups, &passed).map_err(failed)?;
        let mut after = vec![];
        for (param, arg) in self.program.kernel().params.iter().zip(args) {
            if let (ParamKind::Buffer { elem, access }, Arg::Buffer(memory)) = (param.kind, arg)
                && access == Access::ReadWrite
                && let Some(i) = copy(memory)
            {
                let mut bytes = vec![0; memory.bytes as usize];
                copies[i].1.read(0, &mut bytes).map_err(failed)?;
                after.push(After {
                    memory,
                    elem,
                    bytes,
                });
            }
        }
        Ok(after)
    }
}

fn failure(device: &str, kernel: &str, what: String) -> Error {
    Error::Kernel {
        device: device.into(),
        kernel: kernel.into(),
        what: format!("on the interpreter: {what}"),
    }
}
