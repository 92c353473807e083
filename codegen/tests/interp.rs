//! The interpreter end to end.

use suanzi_codegen::interp::{Arg, Memory, Options, Program};
use suanzi_codegen::ir::*;
use suanzi_codegen::{Builder, Scalar};

#[test]
fn a_map_with_a_tail() {
    let mut b = Builder::new("map", [64, 1, 1]);
    let x = b.buffer("x", Scalar::F32, Access::Read);
    let y = b.buffer("y", Scalar::F32, Access::ReadWrite);
    let n = b.scalar("n", Scalar::U32);
    let i = b.builtin(Builtin::GlobalId(0));
    let inside = b.bin(BinOp::Lt, i, n);
    b.if_(inside, |b| {
        let v = b.load(x, i, 1, false);
        let v = b.add(v, v);
        b.store(y, i, v, false);
    });
    let k = b.finish().unwrap();
    let input: Vec<f32> = (0..1000).map(|i| i as f32).collect();
    let (x, y) = (Memory::new(4000).unwrap(), Memory::new(4000).unwrap());
    x.write(0, bytemuck::cast_slice(&input)).unwrap();
    let n = Const {
        scalar: Scalar::U32,
        bits: 1000,
    };
    let p = Program::new(&k, Options::default()).unwrap();
    p.run(
        [16, 1, 1],
        &[Arg::Buffer(&x), Arg::Buffer(&y), Arg::Scalar(n)],
    )
    .unwrap();
    let mut out = vec![0.0f32; 1000];
    y.read(0, bytemuck::cast_slice_mut(&mut out)).unwrap();
    assert!(out.iter().zip(&input).all(|(o, i)| *o == i + i));
}
