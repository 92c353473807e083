//! Kernels with one known fault each: a sanitizer that does not see them sees nothing.

use crate::Outcome;
use suanzi_backends::{Arg, Context};
use suanzi_codegen::ir::{Access, BinOp, Builtin};
use suanzi_codegen::{Builder, Kernel, Place, Scalar, Value};

const GROUP: u32 = 64;

/// Launches each, on a buffer of as many elements as there are items.
pub fn run(ctx: &Context) -> Outcome<()> {
    for (name, body) in FAULTS {
        let compiled = ctx.device().compile(&kernel(name, body)?, None)?;
        let memory = ctx.device().alloc(u64::from(2 * GROUP) * 4)?;
        let args = [Arg::Buffer(&memory)];
        ctx.launch(name, &compiled.program, [2, 1, 1], &args)?;
        ctx.device().sync()?;
    }
    println!("{} faults", FAULTS.len());
    Ok(())
}

/// A kernel's body, given its buffer, a shared array, and the numbers of the item in its group and
/// in the launch.
type Body = fn(&mut Builder, Place, Place, Value, Value);

const FAULTS: [(&str, Body); 5] = [
    ("write_past_the_end", |b, buffer, _, _, global| {
        let one = b.u32(1);
        let past = b.add(global, one);
        b.store(buffer, past, global, true);
    }),
    ("read_past_the_end", |b, buffer, _, _, global| {
        let one = b.u32(1);
        let past = b.add(global, one);
        let value = b.load(buffer, past, 1, true);
        let last = b.u32(2 * GROUP - 1);
        let is_last = b.bin(BinOp::Eq, global, last);
        b.if_(is_last, |b| b.store(buffer, global, value, true));
    }),
    ("write_in_one_place", |b, buffer, _, _, global| {
        let zero = b.u32(0);
        b.store(buffer, zero, global, true);
    }),
    ("read_what_nobody_wrote", |b, buffer, _, _, global| {
        let value = b.load(buffer, global, 1, true);
        b.store(buffer, global, value, true);
    }),
    (
        "read_without_a_barrier",
        |b, buffer, shared, local, global| {
            b.store(shared, local, global, true);
            let last = b.u32(GROUP - 1);
            let other = b.sub(last, local);
            let value = b.load(shared, other, 1, true);
            b.store(buffer, global, value, true);
        },
    ),
];

fn kernel(name: &str, body: Body) -> Outcome<Kernel> {
    let mut b = Builder::new(name, [GROUP, 1, 1]);
    let buffer = b.buffer("buffer", Scalar::U32, Access::ReadWrite);
    let shared = b.shared("shared", Scalar::U32, GROUP);
    let local = b.builtin(Builtin::LocalId(0));
    let global = b.builtin(Builtin::GlobalId(0));
    body(&mut b, buffer, shared, local, global);
    Ok(b.finish()?)
}
