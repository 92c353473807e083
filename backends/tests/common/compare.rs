//! Running a case on a device as the interpreter runs it.

use suanzi_backends::{Arg, Device, Memory, Result};
use suanzi_codegen::testing::{Case, Data};

/// What every buffer of the case holds after the launch on a device.
pub fn run(device: &dyn Device, case: &Case) -> Result<Vec<Vec<u8>>> {
    let program = device.compile(&case.kernel, None)?.program;
    let memories = case.args.iter().map(|arg| match arg {
        Data::Buffer(bytes) => {
            let memory = device.alloc(bytes.len() as u64)?;
            device.write(&memory, 0, bytes)?;
            Ok(Some(memory))
        }
        Data::Scalar(_) => Ok(None),
    });
    let memories = memories.collect::<Result<Vec<Option<Memory>>>>()?;
    let args = case
        .args
        .iter()
        .zip(&memories)
        .map(|(arg, memory)| match (arg, memory) {
            (Data::Scalar(c), _) => Arg::Scalar(*c),
            (_, Some(memory)) => Arg::Buffer(memory),
            (Data::Buffer(_), None) => unreachable!("buffers have memory"),
        });
    device.launch(&program, case.groups, &args.collect::<Vec<_>>())?;
    let sizes = case.args.iter().filter_map(|arg| match arg {
        Data::Buffer(bytes) => Some(bytes.len()),
        Data::Scalar(_) => None,
    });
    let buffers = memories.iter().flatten().zip(sizes);
    buffers
        .map(|(memory, size)| {
            let mut bytes = vec![0; size];
            device.read(memory, 0, &mut bytes)?;
            Ok(bytes)
        })
        .collect()
}
