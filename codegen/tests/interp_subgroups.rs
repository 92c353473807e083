//! The interpreter's subgroup operations and matrix fragments.

use suanzi_codegen::interp::{Arg, InterpError, Memory, Options, Program};
use suanzi_codegen::ir::*;
use suanzi_codegen::{Builder, Scalar, Value};

const ITEMS: u32 = 20;
const GROUPS: u32 = 70;

/// What each work-item of groups of 20 computes from its global id, in subgroups of `width`.
fn per_item(width: u32, f: impl FnOnce(&mut Builder, Value) -> Value) -> Vec<u32> {
    let mut b = Builder::new("subgroups", [ITEMS, 1, 1]);
    let out = b.buffer("out", Scalar::U32, Access::ReadWrite);
    let i = b.builtin(Builtin::GlobalId(0));
    let r = f(&mut b, i);
    b.store(out, i, r, false);
    let options = Options {
        subgroup_width: width,
        ..Options::default()
    };
    let n = ITEMS * GROUPS;
    let out = Memory::new(4 * n as usize).unwrap();
    let p = Program::new(&b.finish().unwrap(), options).unwrap();
    p.run([GROUPS, 1, 1], &[Arg::Buffer(&out)]).unwrap();
    let mut result = vec![0; n as usize];
    out.read(0, bytemuck::cast_slice_mut(&mut result)).unwrap();
    result
}

/// The global ids of a work-item's subgroup, and its lane.
fn subgroup(i: u32, width: u32) -> (Vec<u32>, usize) {
    let (group, local) = (i / ITEMS * ITEMS, i % ITEMS);
    let first = local / width * width;
    let end = ITEMS.min(first + width);
    (
        (group + first..group + end).collect(),
        (local - first) as usize,
    )
}

#[test]
fn reductions_scans_and_shuffles() {
    use SubgroupOp::*;
    for width in [1, 8, 16, 32, 64] {
        let lane = |arg: u32| move |b: &mut Builder| Some(b.u32(arg));
        let cases: [(SubgroupOp, u32); 9] = [
            (Add, 0),
            (Min, 0),
            (Max, 0),
            (ExclusiveAdd, 0),
            (InclusiveAdd, 0),
            (Broadcast, 2),
            (Shuffle, 3),
            (ShuffleXor, 1),
            (ShuffleDown, 4),
        ];
        for (op, arg) in cases {
            let got = per_item(width, |b, i| {
                let arg = if op.has_arg() { lane(arg)(b) } else { None };
                b.subgroup(op, i, arg)
            });
            for (i, r) in got.into_iter().enumerate() {
                let i = i as u32;
                let (ids, lane) = subgroup(i, width);
                let other = |lane: usize| ids.get(lane).copied().unwrap_or(i);
                let want = match op {
                    Add => ids.iter().sum(),
                    Min => ids[0],
                    Max => ids[ids.len() - 1],
                    ExclusiveAdd => ids[..lane].iter().sum(),
                    InclusiveAdd => ids[..=lane].iter().sum(),
                    ShuffleXor => other(lane ^ arg as usize),
                    ShuffleDown => other(lane + arg as usize),
                    _ => other(arg as usize),
                };
                assert_eq!(r, want, "{op:?} in work-item {i}, width {width}");
            }
        }
    }
}

#[test]
fn shuffles_take_any_lane_and_votes_count_all() {
    let width = 8;
    let got = per_item(width, |b, i| {
        let [one, seven] = [1, 7].map(|x| b.u32(x));
        let lane = b.builtin(Builtin::SubgroupLane);
        let from = b.sub(seven, lane);
        let mirrored = b.subgroup(SubgroupOp::Shuffle, i, Some(from));
        let zero = b.u32(0);
        let is_first = b.bin(BinOp::Eq, lane, zero);
        let any = b.subgroup(SubgroupOp::Any, is_first, None);
        let all = b.subgroup(SubgroupOp::All, is_first, None);
        let (any, all) = (b.select(any, one, zero), b.select(all, seven, zero));
        let r = b.add(mirrored, any);
        b.add(r, all)
    });
    for (i, r) in got.into_iter().enumerate() {
        let i = i as u32;
        let (ids, lane) = subgroup(i, width);
        assert_eq!(r, ids.get(7 - lane).copied().unwrap_or(i) + 1);
    }
}

#[test]
fn identity_inside_the_subgroup() {
    for width in [8, 32] {
        for what in [
            Builtin::SubgroupSize,
            Builtin::SubgroupLane,
            Builtin::SubgroupId,
        ] {
            let got = per_item(width, |b, _| b.builtin(what));
            for (i, r) in got.into_iter().enumerate() {
                let local = i as u32 % ITEMS;
                let want = match what {
                    Builtin::SubgroupSize => width.min(ITEMS),
                    Builtin::SubgroupLane => local % width,
                    _ => local / width,
                };
                assert_eq!(r, want, "{what:?} of work-item {i}");
            }
        }
    }
}

#[test]
fn sums_of_every_kind() {
    use Scalar::*;
    for kind in [I32, I64, U32, U64, F32, F64] {
        let got = per_item(16, |b, i| {
            let x = b.cast(i, kind, CastMode::Saturate);
            let x = b.un(UnOp::Abs, x);
            let s = b.subgroup(SubgroupOp::Add, x, None);
            b.cast(s, U32, CastMode::Saturate)
        });
        for (i, r) in got.into_iter().enumerate() {
            assert_eq!(r, subgroup(i as u32, 16).0.iter().sum::<u32>(), "{kind}");
        }
    }
}

const M: u8 = 4;
const N: u8 = 3;
const K: u8 = 5;

/// Each subgroup multiplies its own matrices: A row-major with padding, B column-major, through a
/// shared array on the way out.
fn product(elem: Scalar, acc: Scalar, len: usize) -> Result<Vec<Memory>, InterpError> {
    let mut b = Builder::new("product", [16, 1, 1]);
    let fragment = |elem, role| Fragment {
        elem,
        role,
        m: M,
        n: N,
        k: K,
    };
    let pa = b.buffer("a", elem, Access::Read);
    let pb = b.buffer("b", elem, Access::Read);
    let pc = b.buffer("c", acc, Access::ReadWrite);
    let fa = b.fragment(fragment(elem, Role::A));
    let fb = b.fragment(fragment(elem, Role::B));
    let fc = b.fragment(fragment(acc, Role::Accumulator));
    let [g, s] = [Builtin::GroupId(0), Builtin::SubgroupId].map(|x| b.builtin(x));
    let two = b.u32(2);
    let which = b.mul(g, two);
    let which = b.add(which, s);
    let [size_a, size_b, size_c] = [4 * 7, 5 * 3, 4 * 3].map(|n| b.u32(n));
    let [at_a, at_b, at_c] = [size_a, size_b, size_c].map(|n| b.mul(which, n));
    let [seven, five, three] = [7, 5, 3].map(|n| b.u32(n));
    let one = b.float(acc, 1.0);
    b.frag(FragOp::Fill(fc, one));
    b.frag(FragOp::Load {
        frag: fa,
        place: pa,
        index: at_a,
        stride: seven,
        layout: Layout::RowMajor,
    });
    b.frag(FragOp::Load {
        frag: fb,
        place: pb,
        index: at_b,
        stride: five,
        layout: Layout::ColMajor,
    });
    b.frag(FragOp::MulAdd {
        acc: fc,
        a: fa,
        b: fb,
    });
    b.frag(FragOp::Store {
        frag: fc,
        place: pc,
        index: at_c,
        stride: three,
        layout: Layout::RowMajor,
    });
    let options = Options {
        subgroup_width: 8,
        ..Options::default()
    };
    let p = Program::new(&b.finish().unwrap(), options).unwrap();
    let value = |x: i64| match elem {
        Scalar::F16 => u64::from(half::f16::from_f32(x as f32).to_bits()),
        Scalar::Bf16 => u64::from(half::bf16::from_f32(x as f32).to_bits()),
        Scalar::F32 => u64::from((x as f32).to_bits()),
        Scalar::F64 => (x as f64).to_bits(),
        _ => x as u64,
    };
    let inputs = [28, 15].map(|size| {
        let m = Memory::new(size * len * elem.bytes()).unwrap();
        for i in 0..size * len {
            let bytes = value(i as i64 % 5).to_le_bytes();
            m.write(i * elem.bytes(), &bytes[..elem.bytes()]).unwrap();
        }
        m
    });
    let out = Memory::new(12 * len * acc.bytes()).unwrap();
    let [a, b] = &inputs;
    p.run([50, 1, 1], &[a, b, &out].map(Arg::Buffer))?;
    Ok(inputs.into_iter().chain([out]).collect())
}

#[test]
fn fragments_multiply() {
    use Scalar::*;
    let kinds = [
        (F16, F32),
        (Bf16, F32),
        (F16, F16),
        (Bf16, Bf16),
        (F32, F32),
        (F64, F64),
        (I8, I32),
        (U8, I32),
    ];
    for (elem, acc) in kinds {
        let out = product(elem, acc, 100).unwrap().pop().unwrap();
        for which in 0..100usize {
            for (row, col) in (0..4).flat_map(|r| (0..3).map(move |c| (r, c))) {
                let a = |k| (which * 28 + row * 7 + k) % 5;
                let b = |k| (which * 15 + col * 5 + k) % 5;
                let want = 1.0 + (0..5).map(|k| a(k) * b(k)).sum::<usize>() as f64;
                let mut bytes = [0; 8];
                let at = (which * 12 + row * 3 + col) * acc.bytes();
                out.read(at, &mut bytes[..acc.bytes()]).unwrap();
                let bits = u64::from_le_bytes(bytes);
                let got = match acc {
                    F16 => half::f16::from_bits(bits as u16).to_f64(),
                    Bf16 => half::bf16::from_bits(bits as u16).to_f64(),
                    F32 => f32::from_bits(bits as u32).into(),
                    F64 => f64::from_bits(bits),
                    _ => bits as f64,
                };
                assert_eq!(got, want, "{elem} to {acc}, matrix {which} at {row}, {col}");
            }
        }
    }
}

#[test]
fn fragments_are_checked() {
    let e = product(Scalar::F32, Scalar::F32, 99).err().unwrap();
    let InterpError::OutOfBounds {
        place, group, item, ..
    } = e
    else {
        panic!("{e}");
    };
    // The last matrix of A, in the last group's second subgroup.
    assert_eq!((place.as_str(), group, item), ("a", [49, 0, 0], [8, 0, 0]));
}

#[test]
fn half_accumulators_round_at_each_step() {
    let mut b = Builder::new("round", [1, 1, 1]);
    let out = b.buffer("out", Scalar::F16, Access::ReadWrite);
    let shape = |role| Fragment {
        elem: Scalar::F16,
        role,
        m: 1,
        n: 1,
        k: 3,
    };
    let [fa, fb, fc] = [Role::A, Role::B, Role::Accumulator].map(|r| b.fragment(shape(r)));
    let [one, big, zero] = [1.0, 2048.0, 0.0].map(|x| b.float(Scalar::F16, x));
    let at = b.u32(0);
    for (frag, x) in [(fa, one), (fb, one), (fc, big)] {
        b.frag(FragOp::Fill(frag, x));
    }
    b.frag(FragOp::MulAdd {
        acc: fc,
        a: fa,
        b: fb,
    });
    b.store(out, at, zero, false);
    b.frag(FragOp::Store {
        frag: fc,
        place: out,
        index: at,
        stride: at,
        layout: Layout::RowMajor,
    });
    let out = Memory::new(2).unwrap();
    let p = Program::new(&b.finish().unwrap(), Options::default()).unwrap();
    p.run([1, 1, 1], &[Arg::Buffer(&out)]).unwrap();
    let mut bits = [0; 2];
    out.read(0, &mut bits).unwrap();
    // 2048 + 1 is a tie and goes back to 2048, three times; the exact sum is 2051.
    assert_eq!(half::f16::from_le_bytes(bits).to_f32(), 2048.0);
}
