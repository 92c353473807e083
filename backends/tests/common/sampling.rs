//! Running the language's samples on a device.
#![allow(dead_code, reason = "each test file uses its part")]

use suanzi_backends::{Arg, Device, Error, Memory};
use suanzi_codegen::ir::{Const, ParamKind};
use suanzi_codegen::samples::{self, Sample};
use suanzi_codegen::{Scalar, interp};

pub fn upload<T: bytemuck::Pod>(d: &dyn Device, data: &[T]) -> Memory {
    let bytes: &[u8] = bytemuck::cast_slice(data);
    let memory = d.alloc(bytes.len() as u64).expect("memory");
    d.write(&memory, 0, bytes).expect("a write");
    memory
}

pub fn download<T: bytemuck::Pod + Default>(d: &dyn Device, memory: &Memory) -> Vec<T> {
    let mut data = vec![T::default(); memory.bytes as usize / size_of::<T>()];
    d.read(memory, 0, bytemuck::cast_slice_mut(&mut data))
        .expect("a read");
    data
}

/// Elements of a kind: any integers, floats of moderate size.
pub fn elements(kind: Scalar, n: usize, seed: u64) -> Vec<u8> {
    let mut x = seed;
    let mut bytes = vec![];
    for _ in 0..n {
        x = x
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let r = x ^ (x >> 31);
        let bits = match kind {
            Scalar::Bool => r & 1,
            Scalar::F16 => (r & 0x83ff) | ((11 + ((r >> 20) & 7)) << 10),
            Scalar::Bf16 => (r & 0x807f) | ((123 + ((r >> 20) & 7)) << 7),
            Scalar::F32 => (r & 0x807f_ffff) | ((123 + ((r >> 40) & 7)) << 23),
            _ => r,
        };
        bytes.extend(&bits.to_le_bytes()[..kind.bytes()]);
    }
    bytes
}

/// Runs a sample and returns what it wrote; `None` if the device lacks something.
pub fn run(d: &dyn Device, s: &Sample) -> Option<Vec<Vec<u8>>> {
    let kernel = (s.kernel)().expect("a valid kernel");
    let program = match d.compile(&kernel, None) {
        Ok(compiled) => compiled.program,
        Err(Error::Unsupported { .. }) => return None,
        Err(e) => panic!("{e}"),
    };
    let mut memories = vec![];
    for (i, (p, arg)) in kernel.params.iter().zip(s.args).enumerate() {
        memories.push(match (p.kind, arg) {
            (ParamKind::Buffer { elem, .. }, samples::Arg::In(n)) => {
                Some(upload(d, &elements(elem, *n, i as u64 + 1)))
            }
            (ParamKind::Buffer { elem, .. }, samples::Arg::Out(n)) => {
                Some(upload(d, &vec![0u8; n * elem.bytes()]))
            }
            _ => None,
        });
    }
    let mut args = vec![];
    for ((p, arg), memory) in kernel.params.iter().zip(s.args).zip(&memories) {
        args.push(match (p.kind, arg, memory) {
            (_, _, Some(memory)) => Arg::Buffer(memory),
            (ParamKind::Scalar(scalar), samples::Arg::Scalar(bits), _) => Arg::Scalar(Const {
                scalar,
                bits: *bits,
            }),
            _ => panic!("{}: an argument of another kind than its parameter", s.name),
        });
    }
    d.launch(&program, s.groups, &args).expect("a launch");
    let written = s.args.iter().zip(&memories).filter_map(|(a, m)| match a {
        samples::Arg::Out(_) => m.as_ref(),
        _ => None,
    });
    Some(written.map(|m| download(d, m)).collect())
}

/// What the interpreter writes with subgroups of this width, for a sample of buffers alone.
pub fn of_width(s: &Sample, width: u32) -> Vec<Vec<u8>> {
    let kernel = (s.kernel)().expect("a valid kernel");
    let options = interp::Options {
        subgroup_width: width,
        ..interp::Options::default()
    };
    let program = interp::Program::new(&kernel, options).expect("a program");
    let mut expected = vec![];
    for (i, (p, arg)) in kernel.params.iter().zip(s.args).enumerate() {
        let (ParamKind::Buffer { elem, .. }, samples::Arg::In(n) | samples::Arg::Out(n)) =
            (p.kind, arg)
        else {
            panic!("only buffers are passed to this sample");
        };
        let memory = interp::Memory::new(n * elem.bytes()).expect("memory");
        if let samples::Arg::In(n) = arg {
            memory
                .write(0, &elements(elem, *n, i as u64 + 1))
                .expect("a write");
        }
        expected.push(memory);
    }
    let args: Vec<interp::Arg<'_>> = expected.iter().map(interp::Arg::Buffer).collect();
    program.run(s.groups, &args).expect("a run");
    let written = expected.iter().zip(s.args).filter_map(|(memory, arg)| {
        let mut bytes = vec![0; memory.len()];
        memory.read(0, &mut bytes).expect("a read");
        matches!(arg, samples::Arg::Out(_)).then_some(bytes)
    });
    written.collect()
}
