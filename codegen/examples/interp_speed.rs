//! How much slower the interpreter is than a scalar loop, on `c[i] = a[i] * b[i] + a[i]` in f32.
//!
//! `cargo run --release -p suanzi-codegen --example interp_speed`

use std::hint::black_box;
use std::time::Instant;
use suanzi_codegen::interp::{Arg, InterpError, Memory, Options, Program};
use suanzi_codegen::ir::{Access, BinOp, Builtin, Const};
use suanzi_codegen::{Builder, Kernel, Scalar, VerifyError};

const N: usize = 16 << 20;

fn kernel(workgroup: u32) -> Result<Kernel, VerifyError> {
    let mut b = Builder::new("mul_add", [workgroup, 1, 1]);
    let a = b.buffer("a", Scalar::F32, Access::Read);
    let x = b.buffer("b", Scalar::F32, Access::Read);
    let c = b.buffer("c", Scalar::F32, Access::ReadWrite);
    let n = b.scalar("n", Scalar::U32);
    let i = b.builtin(Builtin::GlobalId(0));
    let inside = b.bin(BinOp::Lt, i, n);
    b.if_(inside, |b| {
        let (a, x) = (b.load(a, i, 1, false), b.load(x, i, 1, false));
        let product = b.mul(a, x);
        let sum = b.add(product, a);
        b.store(c, i, sum, false);
    });
    b.finish()
}

/// One element at a time: the black box keeps the loop from being vectorised or unrolled, as C
/// without vectorisation would be, and costs one move between registers.
#[inline(never)]
fn scalar(a: &[f32], b: &[f32], c: &mut [f32]) {
    for i in 0..c.len() {
        let i = black_box(i);
        c[i] = a[i] * b[i] + a[i];
    }
}

/// The same, as the compiler likes it.
#[inline(never)]
fn vectorised(a: &[f32], b: &[f32], c: &mut [f32]) {
    for ((c, a), b) in c.iter_mut().zip(a).zip(b) {
        *c = a * b + a;
    }
}

/// Median milliseconds of 9 runs, after one to warm up.
fn time(mut f: impl FnMut()) -> f64 {
    f();
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[4]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a: Vec<f32> = (0..N).map(|i| i as f32 * 0.5).collect();
    let b: Vec<f32> = (0..N).map(|i| 1.0 / (i + 1) as f32).collect();
    let mut expected = vec![0.0f32; N];
    let base = time(|| scalar(&a, black_box(&b), &mut expected));
    let best = time(|| vectorised(&a, black_box(&b), &mut expected));
    println!("scalar loop, one thread      {base:8.2} ms");
    println!("vectorised loop, one thread  {best:8.2} ms");

    let bytes = N * 4;
    let (ma, mb, mc) = (
        Memory::new(bytes)?,
        Memory::new(bytes)?,
        Memory::new(bytes)?,
    );
    ma.write(0, bytemuck::cast_slice(&a))?;
    mb.write(0, bytemuck::cast_slice(&b))?;
    let n = Const {
        scalar: Scalar::U32,
        bits: N as u64,
    };
    let args = [
        Arg::Buffer(&ma),
        Arg::Buffer(&mb),
        Arg::Buffer(&mc),
        Arg::Scalar(n),
    ];
    for workgroup in [64, 256, 1024] {
        for parallel in [false, true] {
            let options = Options {
                parallel,
                ..Options::default()
            };
            let program = Program::new(&kernel(workgroup)?, options)?;
            let groups = [(N as u32).div_ceil(workgroup), 1, 1];
            let mut result = Ok::<(), InterpError>(());
            let ms = time(|| result = program.run(groups, &args));
            result?;
            let mut c = vec![0.0f32; N];
            mc.read(0, bytemuck::cast_slice_mut(&mut c))?;
            assert_eq!(c, expected);
            println!(
                "work-group {workgroup:4}, {}  {ms:8.2} ms, {:.2} x scalar, {:.2} x vectorised",
                if parallel { "all cores " } else { "one thread" },
                ms / base,
                ms / best,
            );
        }
    }
    Ok(())
}
