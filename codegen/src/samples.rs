//! Representative kernels: the subjects of golden snapshots, property tests and sanitizers.
//!
//! Each row of [`SAMPLES`] is one kernel with a launch that exercises it, so that every emitter and
//! device is looked at through the same few programs. They are written in the whole language and
//! want [`crate::legalise`] before an emitter sees them. Operators do not live here.

use crate::builder::Builder;
use crate::ir::*;
use crate::types::Scalar::{self, *};
use crate::verify::VerifyError;

/// A kernel and one launch of it.
pub struct Sample {
    /// The kernel's name.
    pub name: &'static str,
    /// Builds the kernel.
    pub kernel: fn() -> Result<Kernel, VerifyError>,
    /// Work-groups along the three axes.
    pub groups: [u32; 3],
    /// One argument for each parameter, in order.
    pub args: &'static [Arg],
}

/// An argument of a sample's launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A buffer of so many elements that the kernel reads and that the caller fills as it likes.
    In(usize),
    /// A buffer of so many elements that the kernel writes, zero before.
    Out(usize),
    /// The bits of a scalar.
    Scalar(u64),
}

/// The table.
pub const SAMPLES: &[Sample] = &[
    Sample {
        name: "map_tail",
        kernel: map_tail,
        groups: [5, 1, 1],
        args: &[
            Arg::In(133),
            Arg::In(133),
            Arg::Out(133),
            Arg::Scalar(0x4020_0000), // 2.5
            Arg::Scalar(133),
        ],
    },
    Sample {
        name: "reduce_tree",
        kernel: reduce_tree,
        groups: [3, 1, 1],
        args: &[Arg::In(150), Arg::Out(3), Arg::Scalar(150)],
    },
    Sample {
        name: "cast_select",
        kernel: cast_select,
        groups: [2, 1, 1],
        args: &[
            Arg::In(64),
            Arg::In(64),
            Arg::In(64),
            Arg::Out(64),
            Arg::Out(64),
        ],
    },
    Sample {
        name: "integers",
        kernel: integers,
        groups: [2, 1, 1],
        args: &[Arg::In(32), Arg::In(32), Arg::Out(16), Arg::Out(16)],
    },
    Sample {
        name: "histogram",
        kernel: histogram,
        groups: [3, 1, 1],
        args: &[Arg::In(90), Arg::Out(16), Arg::Scalar(90)],
    },
    Sample {
        name: "subgroups",
        kernel: subgroups,
        groups: [2, 1, 1],
        args: &[Arg::In(128), Arg::Out(128), Arg::Out(128)],
    },
    Sample {
        name: "half_storage",
        kernel: half_storage,
        groups: [2, 1, 1],
        args: &[Arg::In(64), Arg::In(64), Arg::Out(64), Arg::Out(64)],
    },
    Sample {
        name: "private_sort",
        kernel: private_sort,
        groups: [2, 1, 1],
        args: &[Arg::In(64), Arg::Out(64)],
    },
    Sample {
        name: "fragments",
        kernel: fragments,
        groups: [1, 1, 1],
        args: &[Arg::In(512), Arg::In(512), Arg::Out(256)],
    },
];

/// Finds a row.
pub fn sample(name: &str) -> Option<&'static Sample> {
    SAMPLES.iter().find(|s| s.name == name)
}

/// `out[i] = alpha * a[i] + b[i]` for `i < n`: four lanes at a time, the rest one by one.
pub fn map_tail() -> Result<Kernel, VerifyError> {
    const LANES: u8 = 4;
    let mut b = Builder::new("map_tail", [8, 1, 1]);
    let x = b.buffer("a", F32, Access::Read);
    let y = b.buffer("b", F32, Access::Read);
    let out = b.buffer("out", F32, Access::ReadWrite);
    let alpha = b.scalar("alpha", F32);
    let n = b.scalar("n", U32);
    let (lanes, one) = (b.u32(LANES.into()), b.u32(1));
    let id = b.builtin(Builtin::GlobalId(0));
    let first = b.mul(id, lanes);
    let end = b.add(first, lanes);
    let whole = b.bin(BinOp::Le, end, n);
    let f = |b: &mut Builder, i: Value, lanes: u8, aligned: bool| {
        let xs = b.load(x, i, lanes, aligned);
        let ys = b.load(y, i, lanes, aligned);
        let alphas = b.splat(alpha, lanes);
        let r = b.fma(alphas, xs, ys);
        b.store(out, i, r, aligned);
    };
    b.if_else(
        whole,
        |b| f(b, first, LANES, true),
        |b| b.for_(first, n, one, false, |b, i| f(b, i, 1, false)),
    );
    b.finish()
}

/// `out[group] = sum of the group's 64 elements of a`: a tree in shared memory.
pub fn reduce_tree() -> Result<Kernel, VerifyError> {
    const SIZE: u32 = 64;
    let mut b = Builder::new("reduce_tree", [SIZE, 1, 1]);
    let x = b.buffer("a", F32, Access::Read);
    let out = b.buffer("out", F32, Access::ReadWrite);
    let n = b.scalar("n", U32);
    let tile = b.shared("tile", F32, SIZE);
    let (global, local) = (
        b.builtin(Builtin::GlobalId(0)),
        b.builtin(Builtin::LocalId(0)),
    );
    let zero = b.float(F32, 0.0);
    let sum = b.var(zero);
    let inside = b.bin(BinOp::Lt, global, n);
    b.if_(inside, |b| {
        let v = b.load(x, global, 1, false);
        b.set(sum, v);
    });
    let v = b.get(sum);
    b.store(tile, local, v, false);
    let mut width = SIZE / 2;
    while width > 0 {
        b.barrier(Barrier::Shared);
        let w = b.u32(width);
        let active = b.bin(BinOp::Lt, local, w);
        b.if_(active, |b| {
            let other = b.add(local, w);
            let (l, r) = (b.load(tile, local, 1, false), b.load(tile, other, 1, false));
            let s = b.add(l, r);
            b.store(tile, local, s, false);
        });
        width /= 2;
    }
    let first = b.u32(0);
    let leader = b.bin(BinOp::Eq, local, first);
    b.if_(leader, |b| {
        let total = b.load(tile, first, 1, false);
        let group = b.builtin(Builtin::GroupId(0));
        b.store(out, group, total, false);
    });
    b.finish()
}

/// Four lanes of i8, f32 and bool: conversions, comparisons, logic, selection, bool in memory.
pub fn cast_select() -> Result<Kernel, VerifyError> {
    const LANES: u8 = 4;
    let mut b = Builder::new("cast_select", [8, 1, 1]);
    let bytes = b.buffer("bytes", I8, Access::Read);
    let floats = b.buffer("floats", F32, Access::Read);
    let mask = b.buffer("mask", Bool, Access::Read);
    let out = b.buffer("out", I16, Access::ReadWrite);
    let flags = b.buffer("flags", Bool, Access::ReadWrite);
    let (id, lanes) = (b.builtin(Builtin::GlobalId(0)), b.u32(LANES.into()));
    let i = b.mul(id, lanes);
    let x = b.load(bytes, i, LANES, false);
    let y = b.load(floats, i, LANES, false);
    let m = b.load(mask, i, LANES, false);
    let xf = b.cast(x, F32, CastMode::Wrap);
    let larger = b.bin(BinOp::Max, xf, y);
    let small = b.float(F32, 3.0);
    let less = b.bin(BinOp::Lt, y, small);
    let both = b.bin(BinOp::And, less, m);
    let chosen = b.select(both, larger, y);
    let saturated = b.cast(chosen, I16, CastMode::Saturate);
    b.store(out, i, saturated, false);
    let nan = b.un(UnOp::IsNan, y);
    let either = b.bin(BinOp::Xor, nan, both);
    b.store(flags, i, either, false);
    b.finish()
}

/// 32-bit and 64-bit integer arithmetic with every awkward corner: wrapping, guarded division,
/// shift amounts, bit counts, high halves.
pub fn integers() -> Result<Kernel, VerifyError> {
    let mut b = Builder::new("integers", [8, 1, 1]);
    let narrow = b.buffer("narrow", I32, Access::Read);
    let wide = b.buffer("wide", U64, Access::Read);
    let out = b.buffer("out", I32, Access::ReadWrite);
    let out_wide = b.buffer("out_wide", U64, Access::ReadWrite);
    let (id, two, one) = (b.builtin(Builtin::GlobalId(0)), b.u32(2), b.u32(1));
    let i = b.mul(id, two);
    let j = b.add(i, one);
    fn chain(b: &mut Builder, x: Value, y: Value) -> Value {
        use BinOp::*;
        let mut r = b.add(x, y);
        for op in [Mul, Sub, Div, Shl, MulHi, Rem, Shr, Min, Xor, Max] {
            let alternate = b.bin(op, r, y);
            r = b.bin(Add, alternate, x);
        }
        for op in [UnOp::Neg, UnOp::Abs, UnOp::Not, UnOp::Popcount, UnOp::Clz] {
            let part = b.un(op, r);
            r = b.bin(Add, part, r);
        }
        r
    }
    for (from, to) in [(narrow, out), (wide, out_wide)] {
        let (x, y) = (b.load(from, i, 1, false), b.load(from, j, 1, false));
        let r = chain(&mut b, x, y);
        b.store(to, id, r, false);
    }
    b.finish()
}

/// Counts the low four bits of each element: atomics on shared memory, then on the buffer.
pub fn histogram() -> Result<Kernel, VerifyError> {
    const BINS: u32 = 16;
    let mut b = Builder::new("histogram", [32, 1, 1]);
    let x = b.buffer("a", U32, Access::Read);
    let out = b.buffer("out", U32, Access::ReadWrite);
    let n = b.scalar("n", U32);
    let bins = b.shared("bins", U32, BINS);
    let (global, local) = (
        b.builtin(Builtin::GlobalId(0)),
        b.builtin(Builtin::LocalId(0)),
    );
    let (count, zero, one) = (b.u32(BINS), b.u32(0), b.u32(1));
    let owner = b.bin(BinOp::Lt, local, count);
    b.if_(owner, |b| b.store(bins, local, zero, false));
    b.barrier(Barrier::Shared);
    let inside = b.bin(BinOp::Lt, global, n);
    b.if_(inside, |b| {
        let v = b.load(x, global, 1, false);
        let mask = b.u32(BINS - 1);
        let bin = b.bin(BinOp::And, v, mask);
        b.atomic(AtomicOp::Add, bins, bin, one);
    });
    b.barrier(Barrier::Shared);
    b.if_(owner, |b| {
        let v = b.load(bins, local, 1, false);
        b.atomic(AtomicOp::Add, out, local, v);
    });
    b.finish()
}

/// Reductions, scans, votes and exchanges across a subgroup of any width.
pub fn subgroups() -> Result<Kernel, VerifyError> {
    let mut b = Builder::new("subgroups", [64, 1, 1]);
    let x = b.buffer("a", I32, Access::Read);
    let out = b.buffer("out", I32, Access::ReadWrite);
    let lanes = b.buffer("lanes", U32, Access::ReadWrite);
    let id = b.builtin(Builtin::GlobalId(0));
    let v = b.load(x, id, 1, false);
    let (zero, one) = (b.u32(0), b.u32(1));
    let mut r = v;
    for (op, arg) in [
        (SubgroupOp::Add, None),
        (SubgroupOp::Min, None),
        (SubgroupOp::Max, None),
        (SubgroupOp::ExclusiveAdd, None),
        (SubgroupOp::InclusiveAdd, None),
        (SubgroupOp::Broadcast, Some(zero)),
        (SubgroupOp::ShuffleXor, Some(one)),
    ] {
        let part = b.subgroup(op, r, arg);
        r = b.bin(BinOp::Xor, part, v);
    }
    let lane = b.builtin(Builtin::SubgroupLane);
    let mirrored = {
        let (size, own) = (b.builtin(Builtin::SubgroupSize), lane);
        // A subgroup may be wider than the group.
        let items = b.u32(64);
        let size = b.bin(BinOp::Min, size, items);
        let last = b.sub(size, one);
        b.sub(last, own)
    };
    let swapped = b.subgroup(SubgroupOp::Shuffle, r, Some(mirrored));
    b.store(out, id, swapped, false);
    let limit = b.int(I32, 0);
    let positive = b.bin(BinOp::Gt, v, limit);
    let all = b.subgroup(SubgroupOp::All, positive, None);
    let any = b.subgroup(SubgroupOp::Any, positive, None);
    let (all, any) = (
        b.cast(all, U32, CastMode::Wrap),
        b.cast(any, U32, CastMode::Wrap),
    );
    let votes = b.add(all, any);
    let (sixteen, group) = (b.u32(16), b.builtin(Builtin::SubgroupId));
    let shifted = b.mul(group, sixteen);
    let tag = b.add(votes, shifted);
    b.store(lanes, id, tag, false);
    b.finish()
}

/// `out = a * b + a` in f16, and the same in bf16: rounding after each operation.
pub fn half_storage() -> Result<Kernel, VerifyError> {
    const LANES: u8 = 4;
    let mut b = Builder::new("half_storage", [8, 1, 1]);
    let a = b.buffer("a", F16, Access::Read);
    let a_brain = b.buffer("a_brain", Bf16, Access::Read);
    let out = b.buffer("out", F16, Access::ReadWrite);
    let out_brain = b.buffer("out_brain", Bf16, Access::ReadWrite);
    let (id, lanes) = (b.builtin(Builtin::GlobalId(0)), b.u32(LANES.into()));
    let i = b.mul(id, lanes);
    for (from, to) in [(a, out), (a_brain, out_brain)] {
        let x = b.load(from, i, LANES, false);
        let square = b.mul(x, x);
        let sum = b.add(square, x);
        b.store(to, i, sum, false);
    }
    b.finish()
}

/// Each work-item sorts four elements in a private array: nested and unrolled loops.
pub fn private_sort() -> Result<Kernel, VerifyError> {
    const LEN: u32 = 4;
    let mut b = Builder::new("private_sort", [8, 1, 1]);
    let x = b.buffer("a", I32, Access::Read);
    let out = b.buffer("out", I32, Access::ReadWrite);
    let mine = b.private("mine", I32, LEN);
    let (id, len) = (b.builtin(Builtin::GlobalId(0)), b.u32(LEN));
    let base = b.mul(id, len);
    let (zero, one, last) = (b.u32(0), b.u32(1), b.u32(LEN - 1));
    b.for_(zero, len, one, true, |b, i| {
        let from = b.add(base, i);
        let v = b.load(x, from, 1, false);
        b.store(mine, i, v, false);
    });
    b.for_(zero, len, one, false, |b, i| {
        let bound = b.sub(last, i);
        b.for_(zero, bound, one, false, |b, j| {
            let next = b.add(j, one);
            let (l, r) = (b.load(mine, j, 1, false), b.load(mine, next, 1, false));
            let swap = b.bin(BinOp::Gt, l, r);
            b.if_(swap, |b| {
                b.store(mine, j, r, false);
                b.store(mine, next, l, false);
            });
        });
    });
    b.for_(zero, len, one, true, |b, i| {
        let to = b.add(base, i);
        let v = b.load(mine, i, 1, false);
        b.store(out, to, v, false);
    });
    b.finish()
}

/// 16 × 16 += 16 × 32 · 32 × 16 in matrix fragments: f16 factors, f32 sums, one subgroup.
pub fn fragments() -> Result<Kernel, VerifyError> {
    let mut b = Builder::new("fragments", [32, 1, 1]);
    let x = b.buffer("a", F16, Access::Read);
    let y = b.buffer("b", F16, Access::Read);
    let out = b.buffer("out", F32, Access::ReadWrite);
    let shape = |elem: Scalar, role: Role| Fragment {
        elem,
        role,
        m: 16,
        n: 16,
        k: 16,
    };
    let left = b.fragment(shape(F16, Role::A));
    let right = b.fragment(shape(F16, Role::B));
    let acc = b.fragment(shape(F32, Role::Accumulator));
    let (start, depth, step, width) = (b.u32(0), b.u32(32), b.u32(16), b.u32(16));
    let zero = b.float(F32, 0.0);
    b.frag(FragOp::Fill(acc, zero));
    b.for_(start, depth, step, true, |b, k| {
        b.frag(FragOp::Load {
            frag: left,
            place: x,
            index: k,
            stride: depth,
            layout: Layout::RowMajor,
        });
        b.frag(FragOp::Load {
            frag: right,
            place: y,
            index: k,
            stride: depth,
            layout: Layout::ColMajor,
        });
        b.frag(FragOp::MulAdd {
            acc,
            a: left,
            b: right,
        });
    });
    b.frag(FragOp::Store {
        frag: acc,
        place: out,
        index: start,
        stride: width,
        layout: Layout::RowMajor,
    });
    b.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_valid_and_its_launch_fits() {
        for s in SAMPLES {
            let kernel = (s.kernel)().unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(kernel.name, s.name);
            assert_eq!(kernel.params.len(), s.args.len(), "{}", s.name);
            for (p, arg) in kernel.params.iter().zip(s.args) {
                let fits = match p.kind {
                    ParamKind::Buffer { access, .. } => match access {
                        Access::Read => matches!(arg, Arg::In(_)),
                        Access::ReadWrite => matches!(arg, Arg::Out(_)),
                    },
                    ParamKind::Scalar(_) => matches!(arg, Arg::Scalar(_)),
                };
                assert!(fits, "{}: {}", s.name, p.name);
            }
        }
    }
}
