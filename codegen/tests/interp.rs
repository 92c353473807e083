//! The interpreter end to end: control flow, memory and groups.

mod common;

use common::{contents, memory, per_item, run};
use suanzi_codegen::interp::{Arg, Memory, Options, Program};
use suanzi_codegen::ir::*;
use suanzi_codegen::{Builder, Scalar};

#[test]
fn divergent_if_and_else_nest() {
    for size in [1, 7, 64, 300] {
        let k = per_item([size, 1, 1], |b, i| {
            let [zero, two, three, ten] = [0, 2, 3, 10].map(|x| b.u32(x));
            let r = b.var(zero);
            let m2 = b.bin(BinOp::Rem, i, two);
            let m3 = b.bin(BinOp::Rem, i, three);
            let even = b.bin(BinOp::Eq, m2, zero);
            let third = b.bin(BinOp::Eq, m3, zero);
            b.if_else(
                even,
                |b| {
                    b.set(r, i);
                    b.if_(third, |b| {
                        let x = b.mul(i, ten);
                        b.set(r, x);
                    });
                },
                |b| {
                    b.if_else(third, |b| b.set(r, ten), |b| b.set(r, three));
                    let x = b.get(r);
                    let x = b.add(x, i);
                    b.set(r, x);
                },
            );
            b.get(r)
        });
        let n = size as usize * 13;
        for (i, r) in run(&k, [13, 1, 1], n).into_iter().enumerate() {
            let i = i as u32;
            let want = match (i % 2, i % 3) {
                (0, 0) => i * 10,
                (0, _) => i,
                (_, 0) => i + 10,
                _ => i + 3,
            };
            assert_eq!(r, want, "work-item {i} of groups of {size}");
        }
    }
}

#[test]
fn divergent_loops_nest() {
    for size in [1, 5, 96] {
        let k = per_item([size, 1, 1], |b, i| {
            let [zero, one, two, seven] = [0, 1, 2, 7].map(|x| b.u32(x));
            let sum = b.var(zero);
            let n = b.bin(BinOp::Rem, i, seven);
            b.for_(zero, n, one, false, |b, j| {
                b.for_(j, seven, two, false, |b, k| {
                    let s = b.get(sum);
                    let x = b.mul(j, k);
                    let s = b.add(s, x);
                    let s = b.add(s, one);
                    b.set(sum, s);
                });
            });
            b.get(sum)
        });
        for (i, r) in run(&k, [9, 1, 1], size as usize * 9)
            .into_iter()
            .enumerate()
        {
            let inner = |j: u32| (j..7).step_by(2).map(move |k| j * k + 1).sum::<u32>();
            let want: u32 = (0..i as u32 % 7).map(inner).sum();
            assert_eq!(r, want, "work-item {i} of groups of {size}");
        }
    }
}

#[test]
fn loops_count_in_every_kind_and_below_zero() {
    for kind in [Scalar::I32, Scalar::I64, Scalar::U32, Scalar::U64] {
        let k = per_item([4, 1, 1], |b, i| {
            let low = if kind.is_signed_int() { -3 } else { 3 };
            let (start, step) = (b.int(kind, low), b.int(kind, 3));
            let end = b.cast(i, kind, CastMode::Wrap);
            let zero = b.u32(0);
            let sum = b.var(zero);
            b.for_(start, end, step, true, |b, j| {
                let j = b.cast(j, Scalar::U32, CastMode::Wrap);
                let s = b.get(sum);
                let s = b.add(s, j);
                b.set(sum, s);
            });
            b.get(sum)
        });
        let low = if kind.is_signed_int() { -3 } else { 3 };
        for (i, r) in run(&k, [5, 1, 1], 20).into_iter().enumerate() {
            let want: i64 = (low..i as i64).step_by(3).sum();
            assert_eq!(r, want as u32, "{kind} to {i}");
        }
    }
}

#[test]
fn variables_are_zero_at_entry_and_read_when_read() {
    let k = per_item([33, 1, 1], |b, i| {
        let x = b.var_of(Scalar::U32.into());
        let zero = b.get(x);
        let one = b.u32(1);
        let first = b.add(i, one);
        b.set(x, first);
        // Read before the next assignment, used after it.
        let before = b.get(x);
        let double = b.add(before, before);
        b.set(x, double);
        let after = b.get(x);
        let r = b.mul(before, after);
        b.add(r, zero)
    });
    for (i, r) in run(&k, [40, 1, 1], 33 * 40).into_iter().enumerate() {
        let x = i as u32 + 1;
        assert_eq!(r, x * 2 * x);
    }
}

#[test]
fn values_from_outside_a_loop_live_through_it() {
    let k = per_item([8, 1, 1], |b, i| {
        let [zero, one, five] = [0, 1, 5].map(|x| b.u32(x));
        let square = b.mul(i, i);
        let sum = b.var(zero);
        b.for_(zero, five, one, false, |b, j| {
            // The last use in program order comes before values that would take its slot.
            let x = b.add(square, j);
            let y = b.mul(x, x);
            let z = b.add(y, one);
            let s = b.get(sum);
            let s = b.add(s, z);
            b.set(sum, s);
        });
        b.get(sum)
    });
    for (i, r) in run(&k, [3, 1, 1], 24).into_iter().enumerate() {
        let i = i as u32;
        let want: u32 = (0..5).map(|j| (i * i + j) * (i * i + j) + 1).sum();
        assert_eq!(r, want);
    }
}

#[test]
fn vectors_are_composed_extracted_and_splat() {
    let k = per_item([16, 1, 1], |b, i| {
        let [three, five] = [3, 5].map(|x| b.u32(x));
        let (x, y) = (b.mul(i, three), b.add(i, five));
        let v = b.compose(&[i, x, y, three]);
        let s = b.splat(i, 4);
        let v = b.bin(BinOp::Xor, v, s);
        let parts = [0, 1, 2, 3].map(|l| b.extract(v, l));
        let w = b.compose(&[parts[3], parts[2], parts[1], parts[0]]);
        let w = b.add(w, v);
        let parts = [0, 1].map(|l| b.extract(w, l));
        b.mul(parts[0], parts[1])
    });
    for (i, r) in run(&k, [2, 1, 1], 32).into_iter().enumerate() {
        let i = i as u32;
        let v = [0, (i * 3) ^ i, (i + 5) ^ i, 3 ^ i];
        assert_eq!(r, (v[3] + v[0]) * (v[2] + v[1]));
    }
}

#[test]
fn a_shared_tree_reduction_with_barriers() {
    let mut b = Builder::new("reduce", [64, 1, 1]);
    let out = b.buffer("out", Scalar::U32, Access::ReadWrite);
    let tile = b.shared("tile", Scalar::U32, 64);
    let [l, i, g] = [
        Builtin::LocalId(0),
        Builtin::GlobalId(0),
        Builtin::GroupId(0),
    ]
    .map(|x| b.builtin(x));
    b.store(tile, l, i, false);
    b.barrier(Barrier::Shared);
    for half in [32, 16, 8, 4, 2, 1] {
        let half = b.u32(half);
        let low = b.bin(BinOp::Lt, l, half);
        b.if_(low, |b| {
            let other = b.add(l, half);
            let (x, y) = (b.load(tile, l, 1, false), b.load(tile, other, 1, false));
            let s = b.add(x, y);
            b.store(tile, l, s, false);
        });
        b.barrier(Barrier::Shared);
    }
    let zero = b.u32(0);
    let first = b.bin(BinOp::Eq, l, zero);
    b.if_(first, |b| {
        let s = b.load(tile, zero, 1, false);
        b.store(out, g, s, false);
    });
    let k = b.finish().unwrap();
    for (g, r) in run(&k, [37, 1, 1], 37).into_iter().enumerate() {
        assert_eq!(r, (0..64).map(|l| g as u32 * 64 + l).sum());
    }
}

#[test]
fn private_arrays_hold_vectors_and_scalars() {
    let k = per_item([24, 1, 1], |b, i| {
        let p = b.private("p", Scalar::U32, 8);
        let [zero, one, four, five, eight] = [0, 1, 4, 5, 8].map(|x| b.u32(x));
        b.for_(zero, eight, one, false, |b, j| {
            let x = b.mul(i, j);
            b.store(p, j, x, false);
        });
        let m = b.bin(BinOp::Rem, i, five);
        let v = b.load(p, m, 4, false);
        let v = b.add(v, one);
        let m = b.bin(BinOp::Rem, i, four);
        b.store(p, m, v, false);
        let sum = b.var(zero);
        b.for_(zero, eight, one, true, |b, j| {
            let (x, s) = (b.load(p, j, 1, false), b.get(sum));
            let x = b.mul(x, j);
            let s = b.add(s, x);
            b.set(sum, s);
        });
        b.get(sum)
    });
    for (i, r) in run(&k, [25, 1, 1], 600).into_iter().enumerate() {
        let mut p: Vec<u32> = (0..8).map(|j| i as u32 * j).collect();
        let v: Vec<u32> = p[i % 5..][..4].iter().map(|x| x + 1).collect();
        p[i % 4..][..4].copy_from_slice(&v);
        assert_eq!(r, p.iter().zip(0..).map(|(x, j)| x * j).sum::<u32>());
    }
}

#[test]
fn groups_and_items_have_three_axes() {
    let (workgroup, groups) = ([4u32, 3, 2], [3u32, 2, 5]);
    for what in 0..4 {
        for axis in 0..3u8 {
            let mut b = Builder::new("axes", workgroup);
            let out = b.buffer("out", Scalar::U32, Access::ReadWrite);
            let ids = [0, 1, 2].map(|a| {
                (
                    b.builtin(Builtin::GlobalId(a)),
                    b.builtin(Builtin::NumGroups(a)),
                )
            });
            let mut at = b.u32(0);
            for a in [2, 1, 0] {
                let size = b.u32(workgroup[a]);
                let size = b.mul(size, ids[a].1);
                at = b.mul(at, size);
                at = b.add(at, ids[a].0);
            }
            let builtin = [
                Builtin::GlobalId,
                Builtin::LocalId,
                Builtin::GroupId,
                Builtin::NumGroups,
            ][what];
            let x = b.builtin(builtin(axis));
            b.store(out, at, x, false);
            let total = [0, 1, 2].map(|a| workgroup[a] * groups[a]);
            let out = run(
                &b.finish().unwrap(),
                groups,
                total.iter().product::<u32>() as usize,
            );
            for (i, r) in out.into_iter().enumerate() {
                let i = i as u32;
                let global = [
                    i % total[0],
                    i / total[0] % total[1],
                    i / total[0] / total[1],
                ];
                let a = axis as usize;
                let want = [
                    global[a],
                    global[a] % workgroup[a],
                    global[a] / workgroup[a],
                    groups[a],
                ][what];
                assert_eq!(r, want, "built-in {what} of axis {axis} at {global:?}");
            }
        }
    }
}

#[test]
fn no_groups_is_no_work() {
    let k = per_item([8, 1, 1], |_, i| i);
    let out = memory(&[7u32; 8]);
    let p = Program::new(&k, Options::default()).unwrap();
    for groups in [[0, 1, 1], [1, 0, 1], [1, 1, 0]] {
        p.run(groups, &[Arg::Buffer(&out)]).unwrap();
    }
    assert_eq!(contents::<u32>(&out), [7; 8]);
}

#[test]
fn atomics_of_many_groups_add_up() {
    for kind in [Scalar::I32, Scalar::U32, Scalar::I64, Scalar::U64] {
        let mut b = Builder::new("atomics", [48, 1, 1]);
        let acc = b.buffer("acc", kind, Access::ReadWrite);
        let tickets = b.buffer("tickets", Scalar::U32, Access::ReadWrite);
        let counter = b.buffer("counter", Scalar::U32, Access::ReadWrite);
        let id = b.builtin(Builtin::GlobalId(0));
        let x = b.cast(id, kind, CastMode::Wrap);
        use AtomicOp::*;
        for (i, op) in [Add, Min, Max, And, Or, Xor].into_iter().enumerate() {
            let i = b.u32(i as u32);
            b.atomic(op, acc, i, x);
        }
        // Every work-item draws a different ticket.
        let [zero, one] = [0, 1].map(|x| b.u32(x));
        let ticket = b.atomic(Add, counter, zero, one);
        b.atomic(Exchange, tickets, ticket, one);
        // Only one finds the first value.
        let at = b.u32(6);
        let (before, after) = (b.int(kind, 77), b.int(kind, 78));
        let old = b.compare_exchange(acc, at, before, after);
        let won = b.bin(BinOp::Eq, old, before);
        b.if_(won, |b| {
            b.atomic(Add, counter, one, one);
        });
        let k = b.finish().unwrap();

        let n = 48 * 100u64;
        let start = [0, 50, 0, 0xffff, 0, 0, 77u64];
        let acc = match kind.bytes() {
            4 => memory(&start.map(|x| x as u32)),
            _ => memory(&start),
        };
        let (tickets, counter) = (Memory::new(4 * n as usize).unwrap(), memory(&[0u32; 2]));
        let p = Program::new(&k, Options::default()).unwrap();
        p.run([100, 1, 1], &[&acc, &tickets, &counter].map(Arg::Buffer))
            .unwrap();
        let got: Vec<u64> = match kind.bytes() {
            4 => contents::<u32>(&acc).into_iter().map(u64::from).collect(),
            _ => contents(&acc),
        };
        let xor = (0..n).fold(0, |a, b| a ^ b);
        assert_eq!(got, [n * (n - 1) / 2, 0, n - 1, 0, 8191, xor, 78]);
        assert_eq!(contents::<u32>(&counter), [n as u32, 1]);
        assert!(contents::<u32>(&tickets).iter().all(|&t| t == 1));
    }
}

#[test]
fn atomic_min_and_max_know_the_sign() {
    for kind in [Scalar::I32, Scalar::U32] {
        let mut b = Builder::new("sign", [1, 1, 1]);
        let x = b.buffer("x", kind, Access::ReadWrite);
        let [zero, one] = [0, 1].map(|x| b.u32(x));
        let minus = b.int(kind, -1);
        b.atomic(AtomicOp::Min, x, zero, minus);
        b.atomic(AtomicOp::Max, x, one, minus);
        let k = b.finish().unwrap();
        let x = memory(&[5u32, 5]);
        let p = Program::new(&k, Options::default()).unwrap();
        p.run([1, 1, 1], &[Arg::Buffer(&x)]).unwrap();
        let want = if kind == Scalar::I32 {
            [u32::MAX, 5]
        } else {
            [5, u32::MAX]
        };
        assert_eq!(contents::<u32>(&x), want);
    }
}

#[test]
fn shared_arrays_belong_to_their_group() {
    let k = per_item([2, 1, 1], |b, i| {
        let a = b.shared("arr", Scalar::U32, 2);
        let [l, zero, one] = [b.builtin(Builtin::LocalId(0)), b.u32(0), b.u32(1)];
        b.store(a, l, i, false);
        b.barrier(Barrier::Shared);
        let other = b.sub(one, l);
        let (x, first) = (b.load(a, other, 1, false), b.load(a, zero, 1, false));
        let x = b.add(x, first);
        b.add(x, zero)
    });
    for (i, r) in run(&k, [1001, 1, 1], 2002).into_iter().enumerate() {
        assert_eq!(r as usize, (i ^ 1) + (i & !1));
    }
}
