//! What the library exports is what a distribution's `libblas.so.3` exports, no more and no less,
//! and its own calls stay inside it.

mod common;

use std::collections::BTreeSet;
use std::process::Command;

fn output(program: &str, args: &[&str]) -> String {
    let out = Command::new(program)
        .args(args)
        .arg(common::path())
        .output()
        .unwrap();
    assert!(out.status.success(), "{program} failed");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn exports_are_those_of_libblas() {
    let listing = output("nm", &["-D", "--defined-only"]);
    let own: BTreeSet<&str> = listing
        .lines()
        .filter_map(|l| l.split_whitespace().nth(2))
        .collect();
    let expected: BTreeSet<&str> = include_str!("symbols.txt").lines().collect();
    assert_eq!(expected.len(), 324);
    assert_eq!(own, expected);
}

/// Another BLAS in the process has the same names: none of ours may be bound to it.
#[test]
fn own_calls_are_bound_inside() {
    let relocations = output("readelf", &["-rW"]);
    assert!(relocations.contains("JUMP_SLO") || relocations.contains("GLOB_DAT"));
    // The two variables are shared with the program, as the reference does it.
    let variables = ["CBLAS_CallFromC", "RowMajorStrg"];
    for name in include_str!("symbols.txt")
        .lines()
        .filter(|n| !variables.contains(n))
    {
        let bound = |line: &&str| line.split_whitespace().any(|w| w == name);
        assert_eq!(relocations.lines().find(bound), None);
    }
}
