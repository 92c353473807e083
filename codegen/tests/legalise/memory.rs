//! Loads and stores: unaligned, through arrays, next to each other, and beside other work-items.

use super::values;
use super::{Case, GROUP, LEN, for_each};
use suanzi_codegen::Scalar::{self, *};
use suanzi_codegen::ir::*;
use suanzi_codegen::{Builder, legalise};

/// A case whose kernel reads `in0` and writes `out`, both of `LEN` elements.
fn case(name: String, s: Scalar, groups: u32, f: impl Fn(&mut Builder, Place, Place)) -> Case {
    let mut b = Builder::new(name, [GROUP, 1, 1]);
    let input = b.buffer("in0", s, Access::Read);
    let out = b.buffer("out", s, Access::ReadWrite);
    f(&mut b, input, out);
    // What is not written has to stay as it was.
    let output = values::inputs(s, 1, LEN).into_iter().rev().collect();
    Case {
        kernel: b.finish().unwrap(),
        groups,
        buffers: vec![(s, values::inputs(s, 0, LEN)), (s, output)],
    }
}

/// NaNs out: a copy may make them quiet.
fn without_nans(mut case: Case) -> Case {
    for (s, values) in &mut case.buffers {
        for v in values {
            if values::is_nan(*s, *v) {
                *v = 1;
            }
        }
    }
    case
}

#[test]
fn unaligned_loads_and_stores() {
    for (from, to) in [(0, 1), (1, 0), (3, 2), (2, 7), (5, 5), (4, 8), (2, 0)] {
        for_each(Scalar::ALL.into_iter(), |s, lanes| {
            let name = format!("unaligned_{s}x{lanes}_{from}_{to}");
            let groups = LEN as u32 / 2 / GROUP / u32::from(lanes);
            let c = case(name, s, groups, |b, input, out| {
                let id = b.builtin(Builtin::GlobalId(0));
                let width = b.u32(lanes.into());
                let index = b.mul(id, width);
                let (from, to) = (b.u32(from), b.u32(to));
                let (from, to) = (b.add(index, from), b.add(index, to));
                let x = b.load(input, from, lanes, false);
                b.store(out, to, x, false);
            });
            without_nans(c)
        });
    }
}

#[test]
fn indices_of_64_bits() {
    for_each(Scalar::ALL.into_iter(), |s, lanes| {
        let groups = LEN as u32 / GROUP / u32::from(lanes);
        let c = case(
            format!("wide_index_{s}x{lanes}"),
            s,
            groups,
            |b, input, out| {
                let id = b.builtin(Builtin::GlobalId(0));
                let id = b.cast(id, U64, CastMode::Wrap);
                let width = b.int(U64, lanes.into());
                let index = b.mul(id, width);
                let x = b.load(input, index, lanes, true);
                b.store(out, index, x, true);
            },
        );
        without_nans(c)
    });
}

#[test]
fn private_and_shared_arrays() {
    for_each(Scalar::ALL.into_iter(), |s, lanes| {
        let n = u32::from(lanes);
        let groups = LEN as u32 / GROUP / n;
        let c = case(format!("arrays_{s}x{lanes}"), s, groups, |b, input, out| {
            let private = b.private("p", s, 3 * n);
            let shared = b.shared("s", s, GROUP * n + 1);
            let (id, local) = (
                b.builtin(Builtin::GlobalId(0)),
                b.builtin(Builtin::LocalLinear),
            );
            let width = b.u32(n);
            let (at, here) = (b.mul(id, width), b.mul(local, width));
            let x = b.load(input, at, lanes, true);
            // Element by element, one beside the other, in the order from the last.
            for i in (0..lanes).rev() {
                let to = b.u32(n + 1 + u32::from(i));
                let e = b.extract(x, i);
                b.store(private, to, e, false);
            }
            let from = b.u32(n + 1);
            let x = b.load(private, from, lanes, false);
            // Shifted by one, so that neighbours share words.
            let one = b.u32(1);
            let to = b.add(here, one);
            b.store(shared, to, x, false);
            b.barrier(Barrier::Shared);
            let last = b.u32(GROUP - 1);
            let other = b.sub(last, local);
            let from = b.mul(other, width);
            let from = b.add(from, one);
            let y = b.load(shared, from, lanes, false);
            b.store(out, at, y, true);
        });
        without_nans(c)
    });
}

/// Elements that other work-items write lie in the same word, and some are written by nobody.
#[test]
fn neighbours_are_left_alone() {
    for step in [1, 2, 3] {
        for_each(Scalar::ALL.into_iter(), |s, lanes| {
            let name = format!("neighbours_{s}x{lanes}_{step}");
            let n = u32::from(lanes);
            let groups = LEN as u32 / GROUP / n / 3;
            let c = case(name, s, groups.max(1), |b, input, out| {
                let id = b.builtin(Builtin::GlobalId(0));
                let width = b.u32(n * step);
                let at = b.mul(id, width);
                let x = b.load(input, at, lanes, true);
                b.store(out, at, x, true);
            });
            without_nans(c)
        });
    }
}

/// Stores that are seen to cover whole words need no atomics, though nobody promised alignment.
#[test]
fn whole_words_are_stored_plainly() {
    let atomics = |step: u32| {
        let kernel = case("words".into(), U8, 1, |b, input, out| {
            let id = b.builtin(Builtin::GlobalId(0));
            let width = b.u32(step);
            let at = b.mul(id, width);
            let x = b.load(input, at, 4, false);
            b.store(out, at, x, false);
        });
        let legal = legalise(&kernel.kernel, &super::poor()).unwrap();
        let mut count = 0;
        legal.for_each_stmt(&mut |s| count += usize::from(matches!(s, Stmt::Atomic { .. })));
        count
    };
    assert_eq!(atomics(4), 0);
    assert_eq!(atomics(12), 0);
    // Two atomics for each byte.
    assert_eq!(atomics(6), 8);
}
