//! What the interpreter's tests share.

#![allow(dead_code)] // each test file uses some of it

use suanzi_codegen::interp::{Arg, Memory, Options, Program};
use suanzi_codegen::ir::*;
use suanzi_codegen::{Builder, Kernel, Scalar, Value};

/// Memory with this content.
pub fn memory<T: bytemuck::Pod>(data: &[T]) -> Memory {
    let bytes: &[u8] = bytemuck::cast_slice(data);
    let m = Memory::new(bytes.len()).unwrap();
    m.write(0, bytes).unwrap();
    m
}

/// What memory holds.
pub fn contents<T: bytemuck::Pod>(m: &Memory) -> Vec<T> {
    let mut data = vec![T::zeroed(); m.len() / size_of::<T>()];
    m.read(0, bytemuck::cast_slice_mut(&mut data)).unwrap();
    data
}

/// Runs a kernel whose only parameter is `out: u32` in every way there is; all must agree.
pub fn run(kernel: &Kernel, groups: [u32; 3], len: usize) -> Vec<u32> {
    let ways = [(true, false), (false, false), (false, true)];
    let results = ways.map(|(parallel, detect_races)| {
        let options = Options {
            parallel,
            detect_races,
            ..Options::default()
        };
        let out = Memory::new(4 * len).unwrap();
        let program = Program::new(kernel, options).unwrap();
        program.run(groups, &[Arg::Buffer(&out)]).unwrap();
        contents::<u32>(&out)
    });
    assert!(results.iter().all(|r| *r == results[0]));
    results.into_iter().next().unwrap()
}

/// A kernel with one output, of which `f` computes the element of each work-item.
pub fn per_item(workgroup: [u32; 3], f: impl FnOnce(&mut Builder, Value) -> Value) -> Kernel {
    let mut b = Builder::new("per_item", workgroup);
    let out = b.buffer("out", Scalar::U32, Access::ReadWrite);
    let [g, l] = [Builtin::GroupId(0), Builtin::LocalLinear].map(|x| b.builtin(x));
    let len = b.u32(workgroup.iter().product());
    let base = b.mul(g, len);
    let i = b.add(base, l);
    let r = f(&mut b, i);
    b.store(out, i, r, false);
    b.finish().unwrap()
}

/// A small generator of random numbers, the same on every machine.
pub struct Lcg(pub u64);

impl Lcg {
    /// A number below `n`.
    pub fn below(&mut self, n: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((self.0 >> 33) % u64::from(n)) as u32
    }
}
