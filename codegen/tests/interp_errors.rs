//! What the interpreter refuses and reports.

mod common;

use common::{contents, memory, per_item, run};
use suanzi_codegen::interp::{Arg, InterpError, Memory, Options, Program};
use suanzi_codegen::ir::*;
use suanzi_codegen::{Builder, Kernel, Scalar, Value};

fn u32_arg(value: u32) -> Arg<'static> {
    Arg::Scalar(Const {
        scalar: Scalar::U32,
        bits: value.into(),
    })
}

fn error(kernel: &Kernel, options: Options, groups: [u32; 3], args: &[Arg]) -> InterpError {
    let program = Program::new(kernel, options).unwrap();
    program.run(groups, args).unwrap_err()
}

#[test]
fn endless_loops_are_errors() {
    let kernel = |kind: Scalar, end: i64| {
        per_item([2, 1, 1], |b, i| {
            let start = b.cast(i, kind, CastMode::Wrap);
            // Not a constant, which the verifier would see.
            let step = b.cast(i, kind, CastMode::Wrap);
            let end = b.int(kind, end);
            b.for_(start, end, step, false, |_, _| {});
            i
        })
    };
    let out = Memory::new(8).unwrap();
    let e = error(
        &kernel(Scalar::U32, 9),
        Options::default(),
        [1, 1, 1],
        &[Arg::Buffer(&out)],
    );
    let InterpError::Loop {
        step: 0,
        end: 9,
        item: [0, 0, 0],
        ..
    } = e
    else {
        panic!("{e}");
    };
    let e = error(
        &kernel(Scalar::I32, i32::MAX.into()),
        Options::default(),
        [1, 1, 1],
        &[Arg::Buffer(&out)],
    );
    assert!(matches!(e, InterpError::Loop { .. }), "{e}");
}

#[test]
fn accesses_out_of_bounds_name_what_where_and_who() {
    let kernel = |lanes: u8, long: bool, store: bool| {
        let mut b = Builder::new("wild", [4, 2, 1]);
        let x = b.buffer("x", Scalar::U32, Access::ReadWrite);
        let [l, g] = [Builtin::LocalLinear, Builtin::GroupId(1)].map(|x| b.builtin(x));
        let eight = b.u32(8);
        let mut i = b.mul(g, eight);
        i = b.add(i, l);
        if long {
            i = b.cast(i, Scalar::U64, CastMode::Wrap);
        }
        if store {
            let v = b.bits(Scalar::U32.x(lanes), 1);
            b.store(x, i, v, false);
        } else {
            b.load(x, i, lanes, false);
        }
        b.finish().unwrap()
    };
    for (lanes, long, store) in [
        (1, false, false),
        (1, true, true),
        (2, false, true),
        (2, true, false),
    ] {
        let x = Memory::new(4 * 14).unwrap();
        let k = kernel(lanes, long, store);
        let e = error(&k, Options::default(), [1, 2, 1], &[Arg::Buffer(&x)]);
        let first = 15 - u32::from(lanes);
        let want = InterpError::OutOfBounds {
            kernel: "wild".into(),
            place: "x".into(),
            index: first.into(),
            lanes: lanes.into(),
            len: 14,
            group: [0, 1, 0],
            item: [first % 4, first / 4 - 2, 0],
        };
        assert_eq!(e, want);
        // Elements past the end are not touched, and enough elements are enough.
        let x = Memory::new(4 * (15 + usize::from(lanes))).unwrap();
        let p = Program::new(&k, Options::default()).unwrap();
        p.run([1, 2, 1], &[Arg::Buffer(&x)]).unwrap();
    }
}

#[test]
fn huge_indices_do_not_wrap_around() {
    for (kind, index) in [
        (Scalar::U64, u64::MAX),
        (Scalar::U64, 1 << 62),
        (Scalar::U32, u32::MAX.into()),
    ] {
        for items in [1, 8] {
            let mut b = Builder::new("huge", [items, 1, 1]);
            let x = b.buffer("x", Scalar::U64, Access::Read);
            let i = b.builtin(Builtin::LocalId(0));
            let i = b.cast(i, kind, CastMode::Wrap);
            let base = b.bits(kind, index);
            let i = b.add(i, base);
            b.load(x, i, 2, false);
            let x = Memory::new(1024).unwrap();
            let e = error(
                &b.finish().unwrap(),
                Options::default(),
                [1, 1, 1],
                &[Arg::Buffer(&x)],
            );
            assert!(
                matches!(
                    e,
                    InterpError::OutOfBounds {
                        item: [0, 0, 0],
                        ..
                    }
                ),
                "{e}"
            );
        }
    }
}

#[test]
fn shared_and_private_arrays_are_checked_and_inactive_items_are_not() {
    for private in [false, true] {
        let kernel = |guard: u32| {
            per_item([16, 1, 1], |b, i| {
                let a = match private {
                    true => b.private("arr", Scalar::U32, 10),
                    false => b.shared("arr", Scalar::U32, 10),
                };
                let l = b.builtin(Builtin::LocalId(0));
                let end = b.u32(guard);
                let c = b.bin(BinOp::Lt, l, end);
                b.if_(c, |b| b.store(a, l, i, false));
                i
            })
        };
        run(&kernel(10), [40, 1, 1], 640);
        let out = Memory::new(4 * 640).unwrap();
        let e = error(
            &kernel(12),
            Options::default(),
            [40, 1, 1],
            &[Arg::Buffer(&out)],
        );
        let InterpError::OutOfBounds {
            place,
            index: 10,
            len: 10,
            item: [10, 0, 0],
            ..
        } = e
        else {
            panic!("{e}");
        };
        assert_eq!(place, "arr");
    }
}

/// Each work-item writes its element and reads its neighbour's; without `barrier` that is a race.
fn neighbours(barrier: bool) -> Kernel {
    per_item([32, 1, 1], |b, i| {
        let a = b.shared("arr", Scalar::U32, 32);
        let [l, one, mask] = [b.builtin(Builtin::LocalId(0)), b.u32(1), b.u32(31)];
        b.store(a, l, i, false);
        if barrier {
            b.barrier(Barrier::Shared);
        }
        let next = b.add(l, one);
        let next = b.bin(BinOp::And, next, mask);
        b.load(a, next, 1, false)
    })
}

#[test]
fn a_dropped_barrier_is_a_race() {
    let watch = Options {
        detect_races: true,
        ..Options::default()
    };
    let out = Memory::new(4 * 64).unwrap();
    let e = error(
        &neighbours(false),
        watch.clone(),
        [1, 1, 1],
        &[Arg::Buffer(&out)],
    );
    let want = InterpError::Race {
        kernel: "per_item".into(),
        place: "arr".into(),
        index: 1,
        first: 1,
        second: 0,
        group: [0, 0, 0],
    };
    assert_eq!(e, want);
    let p = Program::new(&neighbours(true), watch.clone()).unwrap();
    p.run([2, 1, 1], &[Arg::Buffer(&out)]).unwrap();

    // Reading before writing, writing twice, and mixing atomics with plain accesses are races too;
    // atomics among themselves, and reads, are not.
    let pair = |f: fn(&mut Builder, Place, [Value; 2])| {
        let mut b = Builder::new("pair", [2, 1, 1]);
        let a = b.shared("arr", Scalar::U32, 2);
        let [l, zero] = [b.builtin(Builtin::LocalId(0)), b.u32(0)];
        f(&mut b, a, [l, zero]);
        let p = Program::new(&b.finish().unwrap(), watch.clone()).unwrap();
        p.run([3, 1, 1], &[])
    };
    let racing = |r| matches!(r, Err(InterpError::Race { .. }));
    assert!(racing(pair(|b, a, [l, zero]| {
        b.load(a, zero, 1, false);
        b.store(a, l, l, false);
    })));
    assert!(racing(
        pair(|b, a, [_, zero]| b.store(a, zero, zero, false))
    ));
    assert!(racing(pair(|b, a, [l, zero]| {
        b.atomic(AtomicOp::Add, a, zero, l);
        b.load(a, zero, 1, false);
    })));
    assert!(!racing(pair(|b, a, [l, zero]| {
        b.atomic(AtomicOp::Add, a, zero, l);
        b.barrier(Barrier::Shared);
        b.load(a, zero, 1, false);
    })));
    assert!(!racing(pair(|b, a, [l, _]| {
        b.store(a, l, l, false);
        b.load(a, l, 1, false);
    })));
}

#[test]
fn arguments_are_checked() {
    let mut b = Builder::new("called", [1, 1, 1]);
    let x = b.buffer("x", Scalar::U32, Access::Read);
    let y = b.buffer("y", Scalar::U32, Access::ReadWrite);
    let n = b.scalar("n", Scalar::U32);
    let zero = b.u32(0);
    let v = b.load(x, zero, 1, false);
    let v = b.add(v, n);
    b.store(y, zero, v, false);
    let p = Program::new(&b.finish().unwrap(), Options::default()).unwrap();
    let (x, y) = (memory(&[1u32]), memory(&[0u32]));
    let (bx, by, n) = (Arg::Buffer(&x), Arg::Buffer(&y), u32_arg(4));
    let refused = |args: &[Arg], what: &str| {
        let e = p.run([1, 1, 1], args).unwrap_err().to_string();
        assert!(e.contains("`called`") && e.contains(what), "{e}");
    };
    refused(&[bx, by], "2 arguments for 3 parameters");
    refused(&[bx, n, n], "`y` is a buffer");
    refused(&[bx, by, by], "`n` is a scalar");
    refused(&[bx, bx, n], "`x` and `y` are the same memory");
    let wrong = Const {
        scalar: Scalar::F32,
        bits: 0,
    };
    refused(&[bx, by, Arg::Scalar(wrong)], "`n` is u32, not f32");
    p.run([1, 1, 1], &[bx, by, n]).unwrap();
    assert_eq!(contents::<u32>(&y), [5]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let unverified = Builder::new("no good", [1, 1, 1]).finish_unverified();
    let new = |k: &Kernel, o: Options| Program::new(k, o).err().unwrap();
    assert!(matches!(
        new(&unverified, Options::default()),
        InterpError::Invalid(_)
    ));
    let big = Builder::new("big", [1 << 16, 1 << 16, 2]).finish_unverified();
    assert!(matches!(
        new(&big, Options::default()),
        InterpError::Unsupported { .. }
    ));
    let narrow = Options {
        subgroup_width: 0,
        ..Options::default()
    };
    let k = per_item([1, 1, 1], |_, i| i);
    assert!(matches!(new(&k, narrow), InterpError::Unsupported { .. }));
    let k = per_item([64, 1, 1], |b, i| {
        let a = b.private("arr", Scalar::U32, u32::MAX);
        b.store(a, i, i, false);
        i
    });
    assert!(matches!(
        new(&k, Options::default()),
        InterpError::Unsupported { .. }
    ));
}

#[test]
fn memory_is_lazy_aligned_checked_and_shared() {
    // Far more than the tests' machines have to touch.
    let m = Memory::new(5 << 30).unwrap();
    m.write((5 << 30) - 2, &[1, 2]).unwrap();
    let mut two = [9; 2];
    m.read((5 << 30) - 3, &mut two).unwrap();
    assert_eq!(two, [0, 1]);
    let outside = m.write((5 << 30) - 1, &[1, 2]).unwrap_err();
    assert!(matches!(outside, InterpError::OutOfRange { len: 2, .. }));
    assert!(m.read(usize::MAX, &mut two).is_err());
    assert!(matches!(
        Memory::new(usize::MAX),
        Err(InterpError::OutOfMemory { .. })
    ));
    assert!(Memory::new(0).unwrap().is_empty());

    let (a, b) = (memory(&[1u8, 2, 3, 4]), Memory::new(4).unwrap());
    b.copy_from(1, &a, 0, 3).unwrap();
    assert_eq!(contents::<u8>(&b), [0, 1, 2, 3]);
    a.copy_from(0, &a, 1, 3).unwrap();
    assert_eq!(contents::<u8>(&a), [2, 3, 4, 4]);
    assert!(a.copy_from(2, &b, 0, 3).is_err() && a.copy_from(0, &b, 2, 3).is_err());
    std::thread::scope(|s| {
        s.spawn(|| a.write(0, &[8]).unwrap());
        s.spawn(|| a.write(1, &[9]).unwrap());
    });
    assert_eq!(contents::<u8>(&a), [8, 9, 4, 4]);
}
