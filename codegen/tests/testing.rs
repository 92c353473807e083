//! The random kernels themselves: that they are valid, deterministic, free of races, and that
//! they exercise the language.

use proptest::prelude::*;
use suanzi_codegen::interp::Options;
use suanzi_codegen::ir::{Expr, Stmt};
use suanzi_codegen::testing::{Floats, Spec};
use suanzi_codegen::{Target, legalise};

fn checked() -> Options {
    Options {
        detect_races: true,
        ..Options::default()
    }
}

fn spec(seed: u64, size: u32, exact: bool) -> Spec {
    let floats = if exact { Floats::Exact } else { Floats::Any };
    Spec::new(seed, size, floats, &Target::all())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_and_without_races(
        seed in any::<u64>().no_shrink(),
        size in 0u32..60,
        exact: bool,
    ) {
        let case = spec(seed, size, exact).case().expect("a valid kernel");
        let serial = Options { parallel: false, ..Options::default() };
        let expected = case.interpret(serial).expect("runs");
        let again = case.interpret(checked()).expect("runs without races");
        prop_assert_eq!(case.difference(&expected, &again), None);
    }

    #[test]
    fn legalised_cases_give_the_same(seed in any::<u64>().no_shrink(), size in 0u32..60) {
        let case = spec(seed, size, true).case().expect("a valid kernel");
        let mut other = case.clone();
        let target = Target { max_lanes: 4, fused_fma: false, ..Target::all() };
        other.kernel = legalise(&case.kernel, &target).expect("legal");
        let expected = case.interpret(Options::default()).expect("runs");
        let found = other.interpret(Options::default()).expect("runs");
        prop_assert_eq!(case.difference(&expected, &found), None);
    }
}

#[test]
fn one_spec_is_one_case() {
    let (a, b) = (spec(5, 40, true).case(), spec(5, 40, true).case());
    let (a, b) = (a.expect("valid"), b.expect("valid"));
    assert_eq!(a.kernel, b.kernel);
    assert_eq!(a.args, b.args);
    let other = spec(6, 40, true).case().expect("valid");
    assert_ne!(a.kernel, other.kernel);
}

#[test]
fn the_language_is_exercised() {
    let (mut ifs, mut loops, mut barriers, mut atomics, mut kinds) = (0, 0, 0, 0, vec![]);
    let mut shapes = std::collections::HashSet::new();
    for seed in 0..200 {
        let kernel = spec(seed, 40, seed % 2 == 0).case().expect("valid").kernel;
        kernel.for_each_stmt(&mut |s| match s {
            Stmt::If { .. } => ifs += 1,
            Stmt::For { .. } => loops += 1,
            Stmt::Barrier(_) => barriers += 1,
            Stmt::Atomic { .. } => atomics += 1,
            _ => {}
        });
        for (expr, ty) in kernel.exprs.iter().zip(&kernel.types) {
            shapes.insert(match expr {
                Expr::Unary(op, _) => format!("{op:?} {ty}"),
                Expr::Binary(op, ..) => format!("{op:?} {ty}"),
                Expr::Cast(_, mode) => format!("{mode:?} {ty}"),
                Expr::Load { place, aligned, .. } => {
                    format!("{:?} {aligned} {ty}", std::mem::discriminant(place))
                }
                Expr::Fma(..) => format!("fma {ty}"),
                Expr::Select { .. } => format!("select {ty}"),
                _ => continue,
            });
            kinds.push(ty.scalar);
        }
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), 13);
    for (what, count) in [
        ("ifs", ifs),
        ("loops", loops),
        ("barriers", barriers),
        ("atomics", atomics),
        ("different operations", shapes.len()),
    ] {
        assert!(count > 100, "{count} {what}");
    }
}

#[test]
fn differences_are_found() {
    let case = spec(3, 20, true).case().expect("valid");
    let expected = case.interpret(Options::default()).expect("runs");
    assert_eq!(case.difference(&expected, &expected), None);
    for buffer in case.written() {
        let mut bent = expected.clone();
        bent[buffer][0] ^= 1;
        assert!(case.difference(&expected, &bent).is_some());
    }
}
